"""Conditions on a field that hold when one of its sort values stands before, or at, a given value.

A condition is a pair of a path and what is asked of it. Each asks whether there *is* such a value, which for an array
means among its elements, as everywhere in MongoDB's query language.
"""

from collections.abc import Mapping
from math import inf, nan
from typing import Any, Final
from uuid import UUID

from bson import Binary, Code, ObjectId, Timestamp
from bson.datetime_ms import DatetimeMS

from documents.query.paging.order import Bracket, bracket_of, is_nan

Condition = tuple[str, dict[str, Any]]

UNDEFINED: Final = {"$type": "undefined"}
"""Of undefined, which stands where an empty array does. Negated by `no_undefined` alone: MongoDB 6 fails on `$not`."""

_WHOLE: Final[Mapping[Bracket, tuple[dict[str, Any], ...]]] = {
    Bracket.MIN_KEY: ({"$type": "minKey"},),
    Bracket.EMPTY_ARRAY: ({"$size": 0}, UNDEFINED),
    Bracket.NULL: ({"$eq": None},),
    Bracket.NUMBER: ({"$gte": -inf}, {"$eq": nan}),
    Bracket.STRING: ({"$gte": ""},),
    Bracket.OBJECT: ({"$gte": {}},),
    # Of the elements only: compared with an array, an array field is itself a candidate.
    Bracket.ARRAY: ({"$elemMatch": {"$gte": []}},),
    Bracket.BINARY: ({"$gte": Binary(b"")},),
    Bracket.OBJECT_ID: ({"$gte": ObjectId(b"\0" * 12)},),
    Bracket.BOOL: ({"$gte": False},),
    Bracket.DATE: ({"$gte": DatetimeMS(-(2**63))},),
    Bracket.TIMESTAMP: ({"$gte": Timestamp(0, 0)},),
    Bracket.REGEX: ({"$type": "regex"},),
    Bracket.DB_POINTER: ({"$type": "dbPointer"},),
    Bracket.CODE: ({"$gte": Code("")},),
    Bracket.SCOPED_CODE: ({"$gte": Code("", {})},),
    Bracket.MAX_KEY: ({"$type": "maxKey"},),
}
"""What covers a bracket. `$gte` with its least value where there is one: unlike `$type`, its negation has bounds."""

_NULL_ALONE: Final = {"$eq": None, "$not": UNDEFINED}
"""What is null and not undefined, which MongoDB before 8 takes for equal to null, but sorts before it."""

_SINGLE: Final = frozenset(
    {Bracket.MIN_KEY, Bracket.EMPTY_ARRAY, Bracket.NULL, Bracket.REGEX, Bracket.DB_POINTER, Bracket.MAX_KEY}
)
"""Brackets in which nothing stands before anything else. MongoDB does sort regular expressions and DBPointers, but does
not compare with one (see `documents.query.paging.ties.place_of`), so a place is before, at or after all of them."""


def before(path: str, value: object, direction: int) -> list[Condition]:
    """Return the conditions of which one holds when a sort value of `path` stands before `value`."""
    return [*_earlier(path, value, direction), *_compared(path, "$lt" if direction == 1 else "$gt", value, direction)]


def at_or_before(path: str, value: object, direction: int) -> list[Condition]:
    """Return the conditions of which one holds when a sort value of `path` stands before `value`, or is it."""
    return [*_earlier(path, value, direction), *_compared(path, "$lte" if direction == 1 else "$gte", value, direction)]


def at(path: str, value: object, direction: int = 1) -> list[Condition]:
    """Return the conditions of which one holds when a sort value of `path` is `value`.

    Ascending, those of null let in undefined as well, which is before it.
    """
    return _compared(path, "$eq", value, direction)


def no_undefined(path: str) -> dict[str, Any]:
    """Return the query that holds where no value of `path` is undefined. No index serves it."""
    value = f"${path}"
    types = {"$map": {"input": {"$cond": [{"$isArray": value}, value, [value]]}, "in": {"$type": "$$this"}}}
    return {"$expr": {"$not": {"$in": ["undefined", types]}}}


def _earlier(path: str, value: object, direction: int) -> list[Condition]:
    own = bracket_of(value) * direction
    earlier = [bracket for bracket in _WHOLE if bracket * direction < own]
    return [condition for bracket in earlier for condition in _bracket(path, bracket, direction)]


def _bracket(path: str, bracket: Bracket, direction: int) -> list[Condition]:
    if bracket is not Bracket.NULL:
        return [(path, asked) for asked in _WHOLE[bracket]]
    # Ascending, whatever asks for null asks for undefined anyway, and the plain form has bounds in an index.
    null = _WHOLE[bracket] if direction == 1 else (_NULL_ALONE, {"$elemMatch": _NULL_ALONE})
    return [*((path, asked) for asked in null), *_nothing_below(path)]


def _nothing_below(path: str) -> list[Condition]:
    """Return the conditions under which `path` sorts as null since it ends in an array on its way."""
    names = path.split(".")
    prefixes = [".".join(names[:length]) for length in range(1, len(names))]
    return [
        (prefix, asked)
        for prefix in prefixes
        for asked in ({"$size": 0}, {"$elemMatch": {"$not": {"$type": "object"}}})
    ]


def _compared(path: str, operator: str, value: object, direction: int) -> list[Condition]:
    bracket = bracket_of(value)
    if bracket in _SINGLE:
        return _bracket(path, bracket, direction) if operator in ("$eq", "$lte", "$gte") else []
    if bracket is Bracket.NUMBER:
        return [(path, asked) for asked in _numbers(operator, value)]
    asked = {operator: Binary.from_uuid(value) if isinstance(value, UUID) else value}
    return [(path, {"$elemMatch": asked} if bracket is Bracket.ARRAY else asked)]


def _numbers(operator: str, value: object) -> list[dict[str, Any]]:
    """NaN is the least number to a sort, but to `$lt` and its kind it is no number at all."""
    if is_nan(value):
        return [*_NAN[operator]]
    return [{operator: value}, *([{"$eq": nan}] if operator in ("$lt", "$lte") else [])]


_NAN: Final[Mapping[str, tuple[dict[str, Any], ...]]] = {
    "$lt": (),
    "$lte": ({"$eq": nan},),
    "$eq": ({"$eq": nan},),
    "$gte": ({"$eq": nan}, {"$gte": -inf}),
    "$gt": ({"$gte": -inf},),
}
