"""Conversions of values that lose nothing, as expressions."""

from collections.abc import Mapping, Sequence
from typing import Final

from documents.migrations.operations import BsonType
from documents.migrations.paths import Expression

EXACT_FROM: Final[Mapping[BsonType, Sequence[str]]] = {
    BsonType.INT: ("double", "decimal"),
    BsonType.LONG: ("double", "decimal"),
    BsonType.DOUBLE: ("long",),
}
"""Where `$convert` would cut off digits. Such a value is converted only if it stays equal."""


def converted(value: str, to: BsonType) -> Expression:
    """Return the expression of a value as another type; null where there is no such value."""
    return {"$convert": {"input": value, "to": to.value, "onError": None, "onNull": None}}


def is_convertible(value: str, to: BsonType) -> Expression:
    """Return the expression that tells whether a value is of another type and can be converted without loss.

    Source:
        MongoDB manual, $convert. It takes every text for true, which nobody means, and any number but 0.
    """
    return {"$and": [_is_other(value, to), _is_exact(value, to)]}


def is_unconvertible(value: str, to: BsonType) -> Expression:
    """Return the expression that tells whether a value is of another type and cannot be converted."""
    return {"$and": [_is_other(value, to), {"$not": [_is_exact(value, to)]}]}


def _is_other(value: str, to: BsonType) -> Expression:
    return {"$not": [{"$in": [{"$type": value}, ["missing", "null", "undefined", to.value]]}]}


def _is_exact(value: str, to: BsonType) -> Expression:
    result = converted(value, to)
    if to is BsonType.BOOL:
        return {"$in": [value, [0, 1]]}
    exists: list[Expression] = [{"$ne": [result, None]}]
    if to in EXACT_FROM:
        exists.append(
            {"$or": [{"$not": [{"$in": [{"$type": value}, list(EXACT_FROM[to])]}]}, {"$eq": [result, value]}]}
        )
    if to is BsonType.DATE:
        # Less than a millisecond would be cut off.
        exists.append({"$or": [{"$not": [{"$isNumber": value}]}, {"$eq": [{"$toLong": result}, value]}]})
    return {"$and": exists}
