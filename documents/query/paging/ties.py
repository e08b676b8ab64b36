"""Which documents of a page are equal in the order they were asked for in, so that `_id` has to decide."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from bson import ObjectId, Regex

from documents.query.paging.order import Bracket, Key, bson_order
from documents.query.paging.sort import Sort
from documents.query.paging.sort_values import places, sort_key, sort_values
from documents.query.shapes import is_array, is_object
from documents.types import Document, RawValue

_EXACT: Final = frozenset({int, float, str, ObjectId, datetime})
"""Types whose values are equal to MongoDB where they are to Python."""


def place_of(values: Sequence[Any]) -> tuple[Any, ...]:
    """Return the part of sort values that MongoDB can compare with: up to the first regular expression, with it.

    MongoDB sorts regular expressions but refuses to compare with one, and MongoDB 6 fails on what is negated of a
    DBPointer. So all that share such a place are counted.
    """
    for at, value in enumerate(values):
        if _is_counted(value):
            return tuple(values[: at + 1])
    return tuple(values)


def _is_counted(value: object) -> bool:
    return isinstance(value, Regex) or (isinstance(value, RawValue) and value.order[0] is Bracket.DB_POINTER)


def is_counted(values: Sequence[Any]) -> bool:
    """Say whether a place ends with what is counted, so that documents at it differ in what comes later."""
    return bool(values) and _is_counted(values[-1])


def place_key(values: Sequence[Any]) -> list[Key]:
    """Return a key that two places share where MongoDB's comparisons find them equal."""
    return [bson_order(value)[: 1 if _is_counted(value) else None] for value in values]


def are_tied(one: Document, other: Document, order: Sort) -> bool:
    """Say whether two documents that stand next to each other in `order` are equal in it."""
    if any(_surely_differ(one.get(path), other.get(path)) for path, _ in order.keys if "." not in path):
        return False
    return sort_key(sort_values(one, order), order) == sort_key(sort_values(other, order), order)


def _surely_differ(one: object, other: object) -> bool:
    # NaN differs from itself, but not to a sort.
    return type(one) is type(other) and type(one) in _EXACT and one != other and one == one  # noqa: PLR0124


def runs(documents: Sequence[Document], order: Sort) -> Iterator[tuple[int, int]]:
    """Yield the beginning and the end of each run of two or more documents that are equal in `order`."""
    begin = 0
    for at in range(1, len(documents) + 1):
        if at == len(documents) or not are_tied(documents[at - 1], documents[at], order):
            if at - begin > 1:
                yield begin, at
            begin = at


def settled(documents: Sequence[Document], order: Sort) -> list[int]:
    """Return in what order documents that were read by `order.leading` stand in `order`."""
    indexes = list(range(len(documents)))
    for begin, end in runs(documents, order.leading):
        indexes[begin:end] = sorted(
            indexes[begin:end], key=lambda at: sort_key(sort_values(documents[at], order.tie_break), order.tie_break)
        )
    return indexes


def has_text(documents: Sequence[Document], order: Sort) -> bool:
    """Say whether any value that decides over `order` has text in it, which a collation may compare in its own way."""
    return any(_has_text(value) for document in documents for place in places(document, order) for value in place)


def _has_text(value: object) -> bool:
    if is_object(value):
        return any(_has_text(member) for member in value.values())
    if is_array(value):
        return any(map(_has_text, value))
    return isinstance(value, str | RawValue)
