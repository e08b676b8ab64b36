"""The predicates that name documents: by id, by ids, and as they were when they were read."""

from collections.abc import Sequence
from typing import Any, Final

from bson.raw_bson import RawBSONDocument
from pymongo.collation import Collation

from documents.catalog.catalog import CollectionEntry
from documents.codec.stored import StoredDocument
from documents.types import Document

BINARY: Final = Collation(locale="simple")
"""Compare strings byte for byte, whatever collation the collection has."""


def by_id(document_id: object) -> Document:
    """Select one document by its id."""
    return {"_id": {"$eq": document_id}}


def by_ids(ids: Sequence[object]) -> Document:
    """Select documents by their ids."""
    return by_id(ids[0]) if len(ids) == 1 else {"_id": {"$in": ids}}


def is_collated(entry: CollectionEntry, document_id: object) -> bool:
    """Tell whether the collection's own rules say which ids are equal to this one."""
    return entry.collation is not None and isinstance(document_id, str | dict)


def as_read(before: StoredDocument) -> dict[str, Any]:
    """Select a document only while it is, as a whole, what was read.

    MongoDB evaluates this in the write itself, so nothing can come in between.

    Source:
        MongoDB manual, $$ROOT and $literal (aggregation variables and expressions).
    """
    return {**by_id(before.id), "$expr": {"$eq": ["$$ROOT", {"$literal": RawBSONDocument(before.raw)}]}}
