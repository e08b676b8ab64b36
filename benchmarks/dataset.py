"""The documents: about 400 bytes each, of plain JSON types so that every contender stores and serves the same."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from bson import ObjectId
from pymongo import ASCENDING, DESCENDING, MongoClient

from benchmarks.workload import SIZES, Dataset

Document = dict[str, Any]

CATEGORIES: Final = 20
ID_PREFIX: Final = "65a00000"
INDEX: Final = [("category", ASCENDING), ("price", DESCENDING)]
BATCH: Final = 20_000
TAGS: Final = ("new", "sale", "gift", "garden", "kitchen", "travel", "winter")
TEXT: Final = (
    "Made to be used every day and mended when it breaks; comes with what is needed to put it together, "
    "and with a list of its parts, so that any of them can be replaced."
)
STAMP: Final = datetime(2026, 1, 1, tzinfo=UTC)


class Shape(StrEnum):
    """How a contender keeps a document: Eve and Parse Server add fields of their own, and Parse has ids of text."""

    PLAIN = "plain"
    EVE = "eve"
    PARSE = "parse"


COLLECTIONS: Final = {Shape.PLAIN: "items", Shape.EVE: "items", Shape.PARSE: "Item"}
# How the plain documents become those of the shape, inside the database.
STAGES: Final[Mapping[Shape, list[Document]]] = {
    Shape.PLAIN: [],
    Shape.EVE: [{"$set": {"_created": STAMP, "_updated": STAMP, "_etag": "0123456789abcdef" * 2 + "01234567"}}],
    Shape.PARSE: [{"$set": {"_id": {"$toString": "$_id"}, "_created_at": STAMP, "_updated_at": STAMP}}],
}
# What Parse Server keeps of a class; without it the first request would have to find it out.
PARSE_SCHEMA: Final[Document] = {
    "_id": "Item",
    "objectId": "string",
    "updatedAt": "date",
    "createdAt": "date",
    "name": "string",
    "sku": "string",
    "category": "string",
    "price": "number",
    "stock": "number",
    "rating": "number",
    "active": "boolean",
    "tags": "array",
    "dimensions": "object",
    "description": "string",
}


def id_of(number: int) -> str:
    """Return the id of document `number`, as 24 hex digits; ids rise with the numbers."""
    return f"{ID_PREFIX}{number:016x}"


def category_of(number: int) -> str:
    """Return the category of document `number`."""
    return f"category-{number % CATEGORIES}"


def make_fields(number: int) -> Document:
    """Return document `number` without its id."""
    return {
        "name": f"Item {number:08d}",
        "sku": f"SKU-{number:08d}",
        "category": category_of(number),
        "price": (number * 7919) % 100_000 / 100 + 0.5,
        "stock": number % 500,
        "rating": number % 50 / 10 + 0.25,
        "active": number % 3 != 0,
        "tags": [TAGS[number % 7], TAGS[(number + 3) % 7]],
        "dimensions": {"width": number % 90 + 10, "height": number % 70 + 10, "depth": number % 50 + 10},
        "description": TEXT,
    }


def make_documents(numbers: range) -> list[Document]:
    """Return the documents with these numbers, the same in every run."""
    return [{"_id": ObjectId(id_of(number))} | make_fields(number) for number in numbers]


def insert_body() -> str:
    """Return the body of an insert, with `@n@` where each has its own number."""
    return json.dumps(make_fields(0) | {"name": "Item @n@", "sku": "SKU-@n@"}, separators=(",", ":"))


def database_name(dataset: Dataset, shape: Shape) -> str:
    """Return the database that holds a dataset in a shape."""
    return f"bench_{dataset}_{shape}"


def load(client: MongoClient[Document], dataset: Dataset, shape: Shape) -> None:
    """Make the dataset anew, in place of what its database held."""
    source = client[database_name(dataset, Shape.PLAIN)]
    if shape is Shape.PLAIN:
        client.drop_database(source.name)
        _insert(client, source.name, SIZES[dataset])
    elif "items" not in source.list_collection_names():
        load(client, dataset, Shape.PLAIN)
    target = database_name(dataset, shape)
    if shape is not Shape.PLAIN:
        client.drop_database(target)
        # Sorted, so that the natural order of the copy is that of the ids, as in the original.
        stages = [{"$sort": {"_id": 1}}, *STAGES[shape], {"$out": {"db": target, "coll": COLLECTIONS[shape]}}]
        source["items"].aggregate(stages)
    if shape is Shape.PARSE:
        client[target]["_SCHEMA"].insert_one(PARSE_SCHEMA)
    client[target][COLLECTIONS[shape]].create_index(INDEX)


def _insert(client: MongoClient[Document], database: str, size: int) -> None:
    collection = client[database]["items"]
    for start in range(0, size, BATCH):
        collection.insert_many(make_documents(range(start, min(start + BATCH, size))))
