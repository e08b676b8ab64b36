"""What a field probably holds, guessed from its name and type."""

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, TypeAlias
from uuid import UUID

from bson import ObjectId
from pydantic import (
    AnyUrl,
    AwareDatetime,
    BaseModel,
    EmailStr,
    FutureDate,
    FutureDatetime,
    NaiveDatetime,
    PastDate,
    PastDatetime,
)

from documents.seeds.scene import FAR, TODAY, YEAR, Scene, as_ascii
from documents.seeds.vocabulary import (
    COMPANY_ENDS,
    CURRENCIES,
    FAMILY_NAMES,
    LABELS,
    LANGUAGES,
    ROLES,
    SENTENCES,
    STATES,
    STREETS,
    TAGS,
    TITLE_ENDS,
    TOPICS,
    UNITS,
)

Maker: TypeAlias = Callable[[Scene], Any]
"""Makes a value of the scene's document."""

PEOPLE: Final = re.compile(r"customer|person|people|user|author|member|employee|contact|student|patient|reader|driver")
PERSONAL: Final = re.compile(r"^(e?mail|born|birth|birthday|age)$")
FIRMS: Final = re.compile(r"company|companies|supplier|vendor|manufacturer|brand|shop|store|organi[sz]ation|publisher")


def guesses(name: str, kind: object, owner: type[BaseModel]) -> Iterator[Maker]:
    """Yield ways to make a value, the likeliest first. Whether the field takes what they make is for the caller to try.

    Args:
        name: Of the field.
        kind: Its type, without Optional and Annotated.
        owner: The model that has the field, which tells a person's name from a product's.
    """
    family = next((family for family in _FAMILIES if isinstance(kind, type) and issubclass(kind, family.types)), None)
    if family is None:
        return
    lowered = name.lower()
    for pattern, maker in family.by_name:
        if pattern.search(lowered):
            yield maker
    if family is _TEXTS and lowered in ("name", "full_name", "display_name"):
        yield _namer(owner)
    yield family.otherwise


def point(scene: Scene) -> list[float]:
    """Return a place in or near the scene's city: longitude and latitude in degrees."""
    longitude = scene.city.longitude + scene.random.uniform(-0.1, 0.1)
    latitude = scene.city.latitude + scene.random.uniform(-0.1, 0.1)
    return [round(longitude, 4), round(latitude, 4)]


def particulars(scene: Scene) -> dict[str, Any]:
    """Return an object for a field in which anything may be."""
    return {
        "colour": scene.thing.colour,
        "material": scene.thing.material,
        "weight_g": scene.random.randrange(20, 2000, 10),
    }


def far_off(scene: Scene) -> datetime:
    """Return a time that stays in the future."""
    return FAR - timedelta(seconds=scene.random.randrange(int(YEAR.total_seconds())))


def _namer(owner: type[BaseModel]) -> Maker:
    title = owner.__name__.lower()
    if FIRMS.search(title):
        return _firm
    is_person = PEOPLE.search(title) or any(map(PERSONAL.search, owner.model_fields))
    return _full_name if is_person else _thing


def _one_of(words: Sequence[str]) -> Maker:
    return lambda scene: scene.random.choice(words)


def _between(low: int, high: int) -> Maker:
    return lambda scene: scene.random.randint(low, high)


def _double(low: float, high: float, digits: int) -> Maker:
    return lambda scene: round(scene.random.uniform(low, high), digits)


def _full_name(scene: Scene) -> str:
    return " ".join(scene.person)


def _email(scene: Scene) -> str:
    return f"{as_ascii(_full_name(scene))}@example.com"


def _firm(scene: Scene) -> str:
    return f"{scene.random.choice(FAMILY_NAMES)} {scene.random.choice(COMPANY_ENDS)}"


def _thing(scene: Scene) -> str:
    return " ".join(scene.thing).capitalize()


def _code(scene: Scene) -> str:
    return f"{scene.thing.noun}-{scene.thing.colour}".upper()


def _title(scene: Scene) -> str:
    return f"{scene.random.choice(TOPICS)} {scene.random.choice(TITLE_ENDS)}".capitalize()


def _prose(scene: Scene) -> str:
    return " ".join(scene.random.sample(SENTENCES, scene.random.randint(1, 3)))


def _street(scene: Scene) -> str:
    return f"{scene.random.choice(STREETS)} {scene.random.randint(1, 120)}"


def _phone(scene: Scene) -> str:
    return f"+1 555 01{scene.random.randrange(100):02}"  # numbers that belong to nobody


def _url(scene: Scene) -> str:
    return f"https://example.com/{scene.random.choice(TOPICS)}/{scene.thing.noun}"


def _amount(scene: Scene) -> Decimal:
    return Decimal(scene.random.randint(2, 199)) + Decimal(scene.random.choice(("0.00", "0.50", "0.90", "0.95")))


def _pattern(words: str) -> re.Pattern[str]:
    """Match names that contain one of these words, as a word of their own."""
    return re.compile(rf"(?:^|_)(?:{words})(?:$|_|\d)")


class _Family:
    """Types that are made alike.

    Args:
        types: The classes.
        otherwise: Makes a value when the name says nothing.
        by_name: Words in a name, divided by `|`, and what they stand for.
    """

    def __init__(self, types: tuple[Any, ...], otherwise: Maker, by_name: dict[str, Maker]) -> None:
        self.types = types
        self.otherwise = otherwise
        self.by_name = [(_pattern(words), maker) for words, maker in by_name.items()]


_TEXTS: Final = _Family(
    (str,),
    lambda scene: f"{scene.thing.colour} {scene.thing.noun}",
    {
        "e?mail": _email,
        "first_?name|given_?name|forename": lambda scene: scene.person.given,
        "last_?name|family_?name|surname": lambda scene: scene.person.family,
        "author|reader|customer|contact|owner|assignee|recipient": _full_name,
        "user_?name|login|handle": lambda scene: as_ascii(_full_name(scene)),
        "company|supplier|vendor|brand|manufacturer|publisher": _firm,
        "city|town|place": lambda scene: scene.city.name,
        "country|country_code": lambda scene: scene.city.country,
        "postal_?code|post_?code|zip|zip_?code": lambda scene: str(scene.random.randint(10000, 99999)),
        "street|address": _street,
        "phone|mobile|telephone": _phone,
        "url|website|link|homepage|image|photo": _url,
        "sku|code|reference": _code,
        "slug|key": lambda scene: _code(scene).lower(),
        "title|subject|headline": _title,
        "description|summary|note|notes|comment|text|body|bio|content|message|about": _prose,
        "tag|tags|category|categories|theme|genre": _one_of(TAGS),
        "topic|topics|section": _one_of(TOPICS),
        "colou?r": lambda scene: scene.thing.colour,
        "material": lambda scene: scene.thing.material,
        "currency": _one_of(CURRENCIES),
        "language|locale": _one_of(LANGUAGES),
        "label": _one_of(LABELS),
        "status|state": _one_of(STATES),
        "role|job|position|profession": _one_of(ROLES),
        "unit": _one_of(UNITS),
        "product|item|thing": _thing,
    },
)
_MONEY: Final = "price|cost|amount|total|fee|value|balance|net|gross"
_FAMILIES: Final = (
    _Family((bool,), lambda scene: scene.random.random() < 0.7, {}),  # noqa: PLR2004  # most flags are set
    _TEXTS,
    _Family((EmailStr,), _email, {}),
    _Family((AnyUrl,), _url, {}),
    _Family(
        (int,),
        _between(0, 100),
        {
            "stock|count|views|visits|seats|capacity": _between(0, 500),
            "quantity|qty|pieces|rooms|stars|rating": _between(1, 5),
            "age": _between(18, 90),
            "year|born": _between(1950, 2025),
            "pages": _between(60, 900),
            "minutes|duration|seconds|ms": _between(5, 600),
            _MONEY: _between(2, 200),
            "number|no": _between(1, 9999),
        },
    ),
    _Family(
        (float,),
        _double(0, 100, 2),
        {
            "lon|lng|longitude": lambda scene: point(scene)[0],
            "lat|latitude": lambda scene: point(scene)[1],
            _MONEY: lambda scene: float(_amount(scene)),
            "rating|score|stars": _double(1, 5, 1),
            "ratio|rate|share|probability|discount": _double(0.01, 0.99, 2),
        },
    ),
    _Family((Decimal,), _amount, {"rating|score": lambda scene: Decimal(scene.random.randint(10, 50)) / 10}),
    _Family(
        (datetime, AwareDatetime, NaiveDatetime, PastDatetime),
        Scene.since_created,
        {
            "created|made|registered|joined|ordered|placed|published": lambda scene: scene.created,
            "expires|expiry|due|until|ends|deadline|valid_to": far_off,
            "born|birth|birthday": lambda scene: TODAY - timedelta(days=scene.random.randrange(18 * 365, 90 * 365)),
        },
    ),
    _Family((FutureDatetime,), far_off, {}),
    _Family((FutureDate,), lambda scene: far_off(scene).date(), {}),
    _Family(
        (date, PastDate),
        lambda scene: scene.since_created().date(),
        {
            "expires|expiry|due|until|ends|deadline|valid_to": lambda scene: far_off(scene).date(),
            "born|birth|birthday": lambda scene: (
                TODAY - timedelta(days=scene.random.randrange(18 * 365, 90 * 365))
            ).date(),
        },
    ),
    _Family((UUID,), Scene.uuid, {}),
    _Family((ObjectId,), lambda scene: ObjectId(scene.random.randbytes(12)), {}),
)
