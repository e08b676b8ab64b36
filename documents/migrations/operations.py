"""What a revision consists of: operations as plain values, which name collections and fields and never a model.

A path is dotted; a part `[]` after a name steps into every item of an array, as in `lines.[].price`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias

from documents.types import Document

Filter: TypeAlias = Mapping[str, Any]
Update: TypeAlias = Mapping[str, Any] | Sequence[Mapping[str, Any]]
"""Update operators, or an aggregation pipeline."""

Rewrite: TypeAlias = Callable[[Document], Document]


class BsonType(StrEnum):
    """What a field can be converted to, in the words of MongoDB's `$type`."""

    STRING = "string"
    INT = "int"
    LONG = "long"
    DOUBLE = "double"
    DECIMAL = "decimal"
    BOOL = "bool"
    DATE = "date"
    OBJECT_ID = "objectId"


@dataclass(frozen=True, slots=True)
class AddField:
    """Give a field to the documents that lack it. Going back takes it away, if none had it before."""

    collection: str
    path: str
    value: Any


@dataclass(frozen=True, slots=True)
class RemoveField:
    """Take a field from every document. What it held is lost."""

    collection: str
    path: str


@dataclass(frozen=True, slots=True)
class RenameField:
    """Give a field another last name, in its place among the others. A document that has both is left alone."""

    collection: str
    path: str
    name: str


@dataclass(frozen=True, slots=True)
class ConvertField:
    """Store a field as another type. Values that cannot be converted stay as they are, and are counted.

    Args:
        collection: Where.
        path: Which field.
        to: The type that it gets.
        back: The type that it gets again on the way back; None where there is no way back.
    """

    collection: str
    path: str
    to: BsonType
    back: BsonType | None = None


@dataclass(frozen=True, slots=True)
class UpdateDocuments:
    """Update the documents that match.

    Args:
        collection: Where.
        where: Which documents; after its update, a document should match no more.
        update: What is done to each.
        back: Filter and update of the way back; None where there is none.
    """

    collection: str
    where: Filter
    update: Update
    back: tuple[Filter, Update] | None = None


@dataclass(frozen=True, slots=True)
class RewriteDocuments:
    """Rewrite documents in Python, for what no update says.

    Args:
        collection: Where.
        where: Which documents; after its rewriting, a document should match no more.
        rewrite: Given a document as stored, returns it as it is to be. Changes nothing else, and keeps `_id`.
        back: Filter and function of the way back; None where there is none.
    """

    collection: str
    where: Filter
    rewrite: Rewrite
    back: tuple[Filter, Rewrite] | None = None


@dataclass(frozen=True, slots=True)
class CreateIndex:
    """Build an index, unless the collection has one with these keys, collation and partial filter.

    Args:
        collection: Where.
        keys: Pairs of path and direction, or kind, as MongoDB has them.
        options: As MongoDB has them: `unique`, `partialFilterExpression` and so on.
    """

    collection: str
    keys: Sequence[tuple[str, int | str]]
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class DropIndex:
    """Drop the index with these keys, collation and partial filter, if it is there. Going back builds it again."""

    collection: str
    keys: Sequence[tuple[str, int | str]]
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])


FieldOperation: TypeAlias = AddField | RemoveField | RenameField | ConvertField | UpdateDocuments | RewriteDocuments
IndexOperation: TypeAlias = CreateIndex | DropIndex
Operation: TypeAlias = FieldOperation | IndexOperation
