"""A database of other people's: collections of every kind, ids and values of every BSON type, and a picture of it all."""

from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final, cast
from uuid import uuid4

from bson import DBRef, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.binary import Binary, UuidRepresentation
from bson.code import Code
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient
from pymongo.collation import Collation
from pymongo.database import Database

Theirs = Database[dict[str, Any]]
PAST: Final = datetime(2020, 1, 1, tzinfo=UTC)
FUTURE: Final = datetime(2100, 1, 1, tzinfo=UTC)

VALUES: Final[dict[str, Any]] = {
    "objectid": ObjectId("5f0000000000000000000001"),
    "text": "Zoë",
    "int32": 1,
    "int64": Int64(1),
    "double": 1.0,
    "nan": float("nan"),
    "decimal": Decimal128("1.10"),
    "uuid": Binary.from_uuid(uuid4(), UuidRepresentation.STANDARD),
    "binary": Binary(b"\x00\xff", 128),
    "date": PAST,
    "bool": True,
    "null": None,
    "regex": Regex("a", "i"),
    "code": Code("1"),
    "scoped": Code("x", {"x": 1}),
    "timestamp": Timestamp(1, 2),
    "min": MinKey(),
    "max": MaxKey(),
    "reference": DBRef("other", 1),
    "array": [1, [2, {"a": 3}]],
    "object": {"b": 1, "a": {"c.d": 2}},
}

KINDS: Final = (
    "products",
    "carts",
    "sessions",
    "plain",
    "values",
    "capped",
    "clustered",
    "series",
    "checked",
    "collated",
    "cheap",
    "failing",
)
"""A collection of each kind. `failing` is a view whose pipeline fails."""


def fill(database: Theirs) -> None:
    """Make collections of every kind, as other programs do."""
    database["products"].insert_many([{"sku": "A", "price": "cheap"}, {"sku": "A", "price": 2}, {"name": "no sku"}])
    database["customers"].insert_many([{"email": "a@b.c"}, {"email": "a@b.c"}])
    database["carts"].insert_many([{"expires_at": PAST, "lines": []} for _ in range(7)])
    database["sessions"].create_index([("last_seen", 1)], expireAfterSeconds=3600, name="theirs_ttl")
    database["sessions"].insert_many([{"last_seen": FUTURE, "user": number} for number in range(3)])
    database["orders"].create_index([("odd", 1)], sparse=True, name="theirs")
    database["plain"].insert_many([{"_id": f"k{number}", "n": number} for number in range(9)])
    database["values"].insert_many(
        [
            {"_id": value, **VALUES}
            for name, value in VALUES.items()
            if name not in {"array", "regex", "reference", "nan", "int64", "double", "timestamp"}
        ]
    )
    database.create_collection("capped", capped=True, size=4096)
    database["capped"].insert_many([{"n": number} for number in range(3)])
    database.create_collection("clustered", clusteredIndex={"key": {"_id": 1}, "unique": True})
    database.create_collection("series", timeseries={"timeField": "at", "metaField": "of"})
    database["clustered"].insert_many([{"_id": number, "n": number} for number in range(3)])
    database["series"].insert_many([{"at": PAST, "of": "x", "v": number} for number in range(3)])
    database.create_collection("checked", validator={"$jsonSchema": {"required": ["n"]}}, validationAction="warn")
    database["checked"].insert_many([{"n": 1}, {"m": "not as the validator wants it"}])
    database.create_collection("collated", collation=Collation("en", strength=2))
    database["collated"].create_index([("name", 1)], unique=True)
    database["collated"].insert_many([{"_id": "Bob", "name": "Bob"}, {"_id": "eve", "name": "Eve"}])
    database.create_collection("cheap", viewOn="products", pipeline=[{"$project": {"_id": 0}}])
    database.create_collection("failing", viewOn="products", pipeline=[{"$set": {"x": {"$divide": [1, 0]}}}])


def picture(database: Theirs) -> dict[str, Any]:
    """Return everything of a database to the byte, `_sheaf.*` aside."""
    raw = database.client.get_database(database.name, CodecOptions(document_class=RawBSONDocument))
    described = {each["name"]: each for each in database.list_collections() if not each["name"].startswith("_sheaf.")}
    stored = [name for name, each in described.items() if each["type"] != "view" and name != "system.views"]
    return {
        "collections": described,
        "documents": {name: sorted(bytes(each.raw) for each in cast("Any", raw)[name].find()) for name in stored},
        "indexes": {name: list(database[name].list_indexes()) for name in stored if name != "system.buckets.series"},
    }


@contextmanager
def other_peoples(uri: str) -> Generator[Theirs]:
    """Make such a database, and drop it in the end."""
    with MongoClient[dict[str, Any]](uri) as client:
        database = client[f"theirs_{uuid4().hex}"]
        fill(database)
        try:
            yield database
        finally:
            client.drop_database(database.name)
