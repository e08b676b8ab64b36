"""Conditions on a field that hold when one of its sort values stands before, or at, a given value.

A condition is a pair of a path and what is asked of it. Each asks whether there *is* such a value, which for an array
means among its elements, as everywhere in MongoDB's query language.
"""

import struct
from collections.abc import Mapping
from math import inf, nan
from typing import Any, Final
from uuid import UUID

from bson import Binary, Code, ObjectId, Timestamp
from bson.datetime_ms import DatetimeMS
from bson.raw_bson import RawBSONDocument

from documents.query.order import Bracket, RawValue, bracket_of, is_nan

Condition = tuple[str, dict[str, Any]]

_UNDEFINED: Final = {"$type": "undefined"}
"""An empty array is sorted by this value, which old programs store, too. To `$eq`, null is the same."""

_WHOLE: Final[Mapping[Bracket, tuple[dict[str, Any], ...]]] = {
    Bracket.MIN_KEY: ({"$type": "minKey"},),
    Bracket.EMPTY_ARRAY: ({"$size": 0}, _UNDEFINED),
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
    Bracket.REGEX: ({"$type": ["regex", "dbPointer"]},),
    Bracket.CODE: ({"$gte": Code("")},),
    Bracket.SCOPED_CODE: ({"$gte": Code("", {})},),
    Bracket.MAX_KEY: ({"$type": "maxKey"},),
}
"""What covers a bracket. `$gte` with its least value where there is one: unlike `$type`, its negation has bounds."""

_SINGLE: Final = frozenset({Bracket.MIN_KEY, Bracket.EMPTY_ARRAY, Bracket.NULL, Bracket.REGEX, Bracket.MAX_KEY})
"""Brackets in which nothing stands before anything else. MongoDB does sort regular expressions, but refuses to compare
with one, so a place is before, at or after all of them."""


def before(path: str, value: object, direction: int) -> list[Condition]:
    """Return the conditions of which one holds when a sort value of `path` stands before `value`."""
    return [*_earlier(path, value, direction), *_compared(path, "$lt" if direction == 1 else "$gt", value)]


def at_or_before(path: str, value: object, direction: int) -> list[Condition]:
    """Return the conditions of which one holds when a sort value of `path` stands before `value`, or is it."""
    return [*_earlier(path, value, direction), *_compared(path, "$lte" if direction == 1 else "$gte", value)]


def at(path: str, value: object) -> list[Condition]:
    """Return the conditions of which one holds when a sort value of `path` is `value`."""
    return _compared(path, "$eq", value)


def _earlier(path: str, value: object, direction: int) -> list[Condition]:
    bracket = bracket_of(value)
    earlier = [each for each in _WHOLE if each * direction < bracket * direction]
    if bracket is Bracket.EMPTY_ARRAY and Bracket.NULL in earlier:
        others = [condition for each in earlier if each is not Bracket.NULL for condition in _bracket(path, each)]
        return [*others, *_null_alone(path)]
    return [condition for each in earlier for condition in _bracket(path, each)]


def _bracket(path: str, bracket: Bracket) -> list[Condition]:
    conditions = [(path, asked) for asked in _WHOLE[bracket]]
    return [*conditions, *_nothing_below(path)] if bracket is Bracket.NULL else conditions


def _null_alone(path: str) -> list[Condition]:
    return [(path, {"$eq": None, "$not": _UNDEFINED}), *_nothing_below(path)]


def _nothing_below(path: str) -> list[Condition]:
    """Return the conditions under which `path` sorts as null since it ends in an array on its way."""
    names = path.split(".")
    prefixes = [".".join(names[:length]) for length in range(1, len(names))]
    return [
        (prefix, asked)
        for prefix in prefixes
        for asked in ({"$size": 0}, {"$elemMatch": {"$not": {"$type": "object"}}})
    ]


def _compared(path: str, operator: str, value: object) -> list[Condition]:
    bracket = bracket_of(value)
    if bracket is Bracket.NULL and operator == "$eq":
        return _null_alone(path)
    if bracket in _SINGLE:
        return _bracket(path, bracket) if operator in ("$eq", "$lte", "$gte") else []
    if bracket is Bracket.NUMBER:
        return [(path, asked) for asked in _numbers(operator, value)]
    if isinstance(value, RawValue):
        asked: Any = _with_raw(operator, value)
    else:
        asked = {operator: Binary.from_uuid(value) if isinstance(value, UUID) else value}
    return [(path, {"$elemMatch": asked} if bracket is Bracket.ARRAY else asked)]


def _with_raw(operator: str, value: RawValue) -> RawBSONDocument:
    """Return `{operator: value}`, the value as it is stored."""
    element = bytes((value.kind,)) + operator.encode() + b"\0" + value.payload
    return RawBSONDocument(struct.pack("<i", len(element) + 5) + element + b"\0")


def undefined_after_null(path: str, value: object, direction: int) -> list[Condition]:
    """Return the conditions for `undefined`, which comes after null in descending order, and is null to `$eq`."""
    if direction == 1 or bracket_of(value) is not Bracket.NULL:
        return []
    return [(path, _UNDEFINED), (path, {"$not": {"$type": "null"}})]


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
