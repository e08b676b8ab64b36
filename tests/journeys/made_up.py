"""A database as any other programs may have left it: made up from a number, the same for the same number.

Collections of every kind, with ids and values of every BSON type, mixed.
"""

import random
import struct
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from bson.codec_options import CodecOptions, DatetimeConversion
from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import OperationFailure

from documents.codec.elements import ARRAY, Element, document_of
from tests.bson_values import VALUES

RAW: Final = CodecOptions(
    document_class=RawBSONDocument,
    unicode_decode_error_handler="replace",
    datetime_conversion=DatetimeConversion.DATETIME_AUTO,
)
"""Reads everything as it is; the driver decodes what replies quote of it."""

NAMES: Final = ("bob", "Bob", "BOB", "Äda", "ada", "zoe")
KINDS: Final[Mapping[str, Mapping[str, Any]]] = {
    "plain": {},
    "mixed_ids": {},
    "indexed": {},
    "capped": {"capped": True, "size": 1024 * 1024},
    "clustered": {"clusteredIndex": {"key": {"_id": 1}, "unique": True}},
    "collated": {"collation": {"locale": "en", "strength": 2}},
    "checked": {"validator": {"$jsonSchema": {"required": ["n"]}}, "validationAction": "warn"},
    "series": {"timeseries": {"timeField": "at", "metaField": "t"}},
    "seen": {"viewOn": "plain", "pipeline": [{"$match": {"n": {"$gte": 0}}}]},
    "anonymous": {"viewOn": "mixed_ids", "pipeline": [{"$project": {"_id": 0}}]},
    "repeated": {"viewOn": "plain", "pipeline": [{"$set": {"each": [1, 2, 1]}}, {"$unwind": "$each"}]},
    "failing": {"viewOn": "plain", "pipeline": [{"$set": {"x": {"$divide": [1, 0]}}}]},
}
"""How each collection is made. Views come after what they are of."""

VIEWS: Final = frozenset(name for name, options in KINDS.items() if "viewOn" in options)
INDEXES: Final[Mapping[str, Sequence[str]]] = {
    "indexed": ("v", "t,v", "-name", "o.v", "a"),
    "collated": ("name", "v"),
}
PRESENT: Final = 0.85
"""How often a field is there."""

WITHOUT: Final[Mapping[str, frozenset[str]]] = {
    "collated": frozenset({"symbol"}),
    "plain": frozenset({"key twice"}),
    "mixed_ids": frozenset({"key twice"}),
    "series": frozenset({"key twice"}),
}
"""Values that are not in a collection: MongoDB sorts no symbols by a collation; rows that only the whole tells apart show one of two keys."""

NO_IDS: Final = frozenset({"array", "array with odd places", "undefined", "regex", "dollar key", "DBRef", "dotted key",
                           "empty key", "key twice"})  # fmt: skip
"""What MongoDB takes for no id, or that stands for nothing that another program would have for one."""


@dataclass(slots=True)
class AnyDatabase:
    """What was made.

    Args:
        database: Its documents as bytes.
        keys: Where documents have values of any type, and by what else they are sorted.
    """

    database: "Database[RawBSONDocument]"
    keys: Sequence[str] = field(default=("v", "w", "o.v", "a", "t", "name", "_id"))

    def rows(self, name: str, sort: Sequence[tuple[str, int]] = ()) -> list[bytes]:
        """Return all documents of a collection in an order."""
        found = self.database[name].find(sort=list(sort) or None)
        return [bytes(each.raw) for each in found]


def make_any(client: "MongoClient[Any]", name: str, *, seed: int, size: int) -> AnyDatabase:
    """Make a database of the kinds of collections, with up to `size` documents in each."""
    rng = random.Random(seed)
    made = AnyDatabase(client.get_database(name, RAW))
    for kind, options in KINDS.items():
        made.database.command("create", kind, **options)
        for keys in INDEXES.get(kind, ()):
            made.database[kind].create_index([(key.lstrip("-"), -1 if key[0] == "-" else 1) for key in keys.split(",")])
        if kind not in VIEWS:
            _fill(made, kind, rng, size)
    return made


def _fill(made: AnyDatabase, kind: str, rng: random.Random, size: int) -> None:
    id_type = "any" if kind == "mixed_ids" else rng.choice(("objectid", "string", "int", "any"))
    maker = _Maker(rng, WITHOUT.get(kind, frozenset()))
    for n in range(size):
        raw = RawBSONDocument(maker.document(kind, n, id_type))
        with suppress(OperationFailure):  # an id that is there already
            made.database[kind].insert_one(raw)


class _Maker:
    """Makes documents up.

    Args:
        rng: What decides.
        without: Values that none has.
    """

    def __init__(self, rng: random.Random, without: frozenset[str]) -> None:
        self._rng = rng
        self._all = [name for name in VALUES if name not in without]
        self._single = [name for name in self._all if VALUES[name][0] != ARRAY]

    def document(self, kind: str, n: int, id_type: str) -> bytes:
        rng = self._rng
        elements = [_int32(b"n", n)]
        if kind == "series":
            elements.append(Element(0x09, b"at", struct.pack("<q", 1_767_225_600_000 + n // 2)).to_bytes())
        else:
            elements.insert(0, self._id(n, id_type))
        fields = [
            lambda: self._value(b"v", self._single),
            lambda: self._value(b"w", self._single),
            lambda: self._object(b"o"),
            lambda: self._array(b"a"),
            lambda: _text(b"name", rng.choice(NAMES)),
        ]
        rng.shuffle(fields)
        elements += [make() for make in fields if rng.random() < PRESENT]
        return document_of([*elements, _int32(b"t", rng.randrange(3)), _text(b"last", "x")])

    def _id(self, n: int, id_type: str) -> bytes:
        match id_type:
            case "objectid":
                return Element(0x07, b"_id", self._rng.randbytes(12)).to_bytes()
            case "string":
                return _text(b"_id", f"{self._rng.choice(('k', 'K', 'ü', '5'))}{n}")
            case "int":
                return _int32(b"_id", n * 3 - 5)
            case _:
                return self._value(b"_id", [name for name in self._single if name not in NO_IDS])

    def _value(self, name: bytes, among: Sequence[str]) -> bytes:
        kind, payload = VALUES[self._rng.choice(among)]
        return Element(kind, name, payload).to_bytes()

    def _object(self, name: bytes) -> bytes:
        members = [self._value(each, self._all) for each in (b"v", b"w") if self._rng.random() < PRESENT]
        return Element(0x03, name, document_of(members)).to_bytes()

    def _array(self, name: bytes) -> bytes:
        # To a sort, items without their own places are like others, to a comparison not.
        among = [each for each in self._all if each != "array with odd places"]
        items = [self._value(b"%d" % at, among) for at in range(self._rng.randrange(4))]
        return Element(ARRAY, name, document_of(items)).to_bytes()


def _int32(name: bytes, value: int) -> bytes:
    return Element(0x10, name, struct.pack("<i", value)).to_bytes()


def _text(name: bytes, value: str) -> bytes:
    data = value.encode()
    return Element(0x02, name, struct.pack("<i", len(data) + 1) + data + b"\0").to_bytes()
