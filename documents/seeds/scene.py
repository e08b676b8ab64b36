"""What the values of one generated document share, so that names and e-mails, cities and coordinates agree."""

import hashlib
import re
import unicodedata
from datetime import UTC, datetime, timedelta
from functools import cached_property
from random import Random
from typing import Final, NamedTuple
from uuid import NAMESPACE_OID, UUID, uuid5

from bson import ObjectId

from documents.seeds.prepare import FIRST_SECOND
from documents.seeds.vocabulary import CITIES, COLOURS, FAMILY_NAMES, GIVEN_NAMES, MATERIALS, THINGS, City
from documents.types import IdType

DEFAULT_SEED: Final = 1
MAX_COUNT: Final = 2**24
"""Documents of one collection and one seed: as many as the counter in an ObjectId tells apart."""

TODAY: Final = datetime(2026, 1, 1, tzinfo=UTC)
"""Generated times lie in the year before. The clock has no part in them, or a second run would make others."""

FAR: Final = datetime(2099, 1, 1, tzinfo=UTC)
"""Times by which documents expire lie in the year before this, or MongoDB would delete them at once."""

YEAR: Final = timedelta(days=365)


class Person(NamedTuple):
    """Somebody's names."""

    given: str
    family: str


class Thing(NamedTuple):
    """What something looks like."""

    colour: str
    material: str
    noun: str


class Numbering:
    """Tells the generated documents of a collection apart: by collection, seed and position, so always in the same way.

    Args:
        collection: Name of the collection.
        seed: Another one gives other documents, with other ids and other unique values.
    """

    def __init__(self, collection: str, seed: int) -> None:
        self._name = f"{collection}:{seed}"
        self._digest = hashlib.sha256(f"generated:{self._name}".encode()).digest()
        self._prefix = "" if seed == DEFAULT_SEED else self._digest.hex()[:6]

    def id_at(self, position: int, id_type: IdType) -> object:
        """Return the `_id` of a document. ObjectIds ascend with the position, as those that a driver makes."""
        if id_type is IdType.UUID:
            return uuid5(NAMESPACE_OID, f"{self._name}:{position}")
        if id_type is IdType.INT:
            return self.number(position)
        if id_type is IdType.STRING:
            return f"generated-{self.text(position)}"
        return ObjectId(FIRST_SECOND + self._digest[:5] + position.to_bytes(3, "big"))

    def text(self, position: int) -> str:
        """Return a text that no other position has."""
        return f"{self._prefix}{position + 1:06}"

    def number(self, position: int) -> int:
        """Return a number that no other position has; it fits into the integers that JavaScript knows."""
        if not self._prefix:
            return position + 1
        return (1 + int.from_bytes(self._digest[:2], "big")) * MAX_COUNT + position

    def start(self, random: Random, position: int, *attempts: int) -> None:
        """Set a source of randomness to where an attempt at a document begins."""
        random.seed(f"{self._name}:{position}:{attempts}")


class Scene:
    """One document, or one object in a list of it, while it is made.

    Args:
        random: Set to where the document begins.
        position: Of the document, from 0.
        attempt: How often it was made before and refused, since its unique values were taken.
        city: Where it plays; None to choose one.
    """

    def __init__(self, random: Random, position: int, attempt: int = 0, city: City | None = None) -> None:
        self.random = random
        self.position = position
        self.attempt = attempt
        self._city = city

    def among(self) -> "Scene":
        """Return the scene of an object in a list: the same place, other people and things."""
        return Scene(self.random, self.position, self.attempt, self.city)

    @cached_property
    def city(self) -> City:
        """Where it is."""
        return self._city or self.random.choice(CITIES)

    @cached_property
    def person(self) -> Person:
        """Who it is about."""
        return Person(self.random.choice(GIVEN_NAMES), self.random.choice(FAMILY_NAMES))

    @cached_property
    def thing(self) -> Thing:
        """What it is about, if not a person."""
        return Thing(self.random.choice(COLOURS), self.random.choice(MATERIALS), self.random.choice(THINGS))

    @cached_property
    def created(self) -> datetime:
        """When it was made: within the year before TODAY, to the second."""
        return TODAY - timedelta(seconds=self.random.randrange(int(YEAR.total_seconds())))

    def since_created(self) -> datetime:
        """Return a time between its making and TODAY."""
        return self.created + timedelta(seconds=self.random.randrange(int((TODAY - self.created).total_seconds()) + 1))

    def uuid(self) -> UUID:
        """Return a random UUID."""
        return UUID(int=self.random.getrandbits(128), version=4)


def as_ascii(text: str) -> str:
    """Return a text as it could stand in an address: lower case, without accents, words joined by dots."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", ".", plain.lower()).strip(".")
