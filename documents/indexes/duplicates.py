"""The documents that stand in the way of a unique index."""

from typing import Any, Final

from pymongo.asynchronous.collection import AsyncCollection

from documents.indexes.failures import translated
from documents.indexes.spec import IndexSpec
from documents.types import Document

MAX_GROUPS: Final = 10
MAX_IDS: Final = 5


async def find_duplicates(
    collection: AsyncCollection[Document], spec: IndexSpec, *, limit: int = MAX_GROUPS
) -> list[Document]:
    """Return some of the groups of documents that a unique index would not let stand side by side.

    What it returns is a violation for certain; a few that only MongoDB's build finds, such as equal empty
    arrays, are not looked for.

    Args:
        collection: Where the index is to be.
        spec: The index.
        limit: Groups to return.

    Returns:
        The biggest groups first: `{"key": {field: value}, "count": 2, "ids": [...]}`, with at most five ids.
    """
    if not all(isinstance(direction, int) for _, direction in spec.keys):
        return []
    fields = {f"k{position}": field for position, (field, _) in enumerate(spec.keys)}
    options: dict[str, Any] = {"collation": spec.options["collation"]} if "collation" in spec.options else {}
    async with translated(writes=False):
        cursor = await collection.aggregate(_pipeline(spec, fields, limit), allowDiskUse=True, **options)
        return [_group(entry, fields) async for entry in cursor]


def _pipeline(spec: IndexSpec, fields: dict[str, str], limit: int) -> list[Document]:
    """Group the documents by key, an array counting with each of its elements, as it does in an index."""
    present = [{field: {"$exists": True}} for field in fields.values()]
    return [
        {"$match": spec.options.get("partialFilterExpression", {})},
        {"$match": {"$or": present} if spec.options.get("sparse") else {}},
        {"$project": {key: {"$ifNull": [f"${field}", None]} for key, field in fields.items()}},
        {"$match": {key: {"$ne": []} for key in fields}},
        *({"$unwind": {"path": f"${key}", "preserveNullAndEmptyArrays": True}} for key in fields),
        {"$group": {"_id": {"key": {key: f"${key}" for key in fields}, "document": "$_id"}}},
        {"$group": {"_id": "$_id.key", "count": {"$sum": 1}, "ids": _first("$_id.document")}},
        {"$match": {"count": {"$gt": 1}}},
        {"$sort": {"count": -1, "_id": 1}},
        {"$limit": limit},
    ]


def _first(field: str) -> Document:
    return {"$firstN": {"n": MAX_IDS, "input": field}}


def _group(entry: Document, fields: dict[str, str]) -> Document:
    key = {field: entry["_id"].get(name) for name, field in fields.items()}
    return {"key": key, "count": entry["count"], "ids": entry["ids"]}
