"""The order in which MongoDB sorts values of all types, as a Python sort key."""

import math
import struct
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from enum import IntEnum
from typing import Any, Final, TypeAlias
from uuid import UUID

from bson import Binary, Code, DBRef, Decimal128, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.binary import OLD_BINARY_SUBTYPE
from bson.datetime_ms import DatetimeMS

from documents.types import RawValue

Key: TypeAlias = tuple[Any, ...]


class Bracket(IntEnum):
    """Types that are compared with each other by value; between brackets the type alone decides."""

    MIN_KEY = -1
    EMPTY_ARRAY = 0
    NULL = 5
    NUMBER = 10
    STRING = 15
    OBJECT = 20
    ARRAY = 25
    BINARY = 30
    OBJECT_ID = 35
    BOOL = 40
    DATE = 45
    TIMESTAMP = 47
    REGEX = 50
    DB_POINTER = 55
    CODE = 60
    SCOPED_CODE = 65
    MAX_KEY = 127


class EmptyArray:
    """The type of EMPTY_ARRAY."""

    def __repr__(self) -> str:
        return "EMPTY_ARRAY"


EMPTY_ARRAY: Final = EmptyArray()
"""What a field that holds an empty array is sorted by: less than null. An array *in* an array is a value instead."""


def bson_order(value: object) -> Key:
    """Return a key by which Python sorts values as MongoDB does, without a collation.

    Args:
        value: What BSON decodes to. A missing field is sorted as None.

    Raises:
        TypeError: BSON does not decode to such a value.

    Source:
        MongoDB manual, Comparison/Sort Order.
    """
    if isinstance(value, RawValue):
        return value.order
    if isinstance(value, Code) and value.scope is not None:
        return (Bracket.SCOPED_CODE, text_key(value), *_object(value.scope))
    for kind in type(value).__mro__:
        rule = _RULES.get(kind)
        if rule is not None:
            bracket, key = rule
            return (bracket, *key(value))
    raise TypeError(f"BSON has no {type(value).__name__}")


def bracket_of(value: object) -> Bracket:
    """Return the bracket of `value`."""
    return bson_order(value)[0]


def is_nan(value: object) -> bool:
    """Say whether `value` is not a number, as a double or as a decimal."""
    return bson_order(value)[:2] == (Bracket.NUMBER, 0)


def _same(_: object) -> Key:
    return ()


def _itself(value: object) -> Key:
    return (value,)


def _number(value: float) -> Key:
    # NaN equals NaN here, and is less than every number.
    return (0,) if math.isnan(value) else (1, value)


def _decimal(value: Decimal128) -> Key:
    number = value.to_decimal()
    return (0,) if number.is_nan() else (1, number)


def members_key(members: Iterable[tuple[bytes, object]]) -> Key:
    """Return by what objects are sorted: the type, the name and the value of each member, in their order."""
    return (tuple((*bson_order(member)[:1], name, bson_order(member)) for name, member in members),)


def _object(value: Mapping[str, object]) -> Key:
    return members_key((text_key(name), member) for name, member in value.items())


def text_key(text: str) -> bytes:
    """Return by what a text is sorted where no collation is: its bytes."""
    return text.encode(errors="surrogatepass")


def _array(value: list[object]) -> Key:
    return (tuple(bson_order(element) for element in value),)


def _binary(value: bytes) -> Key:
    subtype = value.subtype if isinstance(value, Binary) else 0
    # Of the old subtype, BSON holds the length twice, and MongoDB compares what BSON holds.
    data = struct.pack("<i", len(value)) + value if subtype == OLD_BINARY_SUBTYPE else bytes(value)
    return (len(data), subtype, data)


def _date(value: datetime) -> Key:
    aware = value if value.tzinfo else value.replace(tzinfo=UTC)
    since = aware - datetime(1970, 1, 1, tzinfo=UTC)
    return ((since.days * 86400 + since.seconds) * 1000 + since.microseconds // 1000,)


def _regex(value: "Regex[str]") -> Key:
    letters = (letter for bit, letter in _REGEX_LETTERS if value.flags & bit)
    return (value.pattern, "".join(letters))


_REGEX_LETTERS: Final = ((2, "i"), (4, "l"), (8, "m"), (16, "s"), (32, "u"), (64, "x"))

_Rule: TypeAlias = tuple[Bracket, Callable[[Any], Key]]
_RULES: Final[Mapping[type, _Rule]] = {
    MinKey: (Bracket.MIN_KEY, _same),
    EmptyArray: (Bracket.EMPTY_ARRAY, _same),
    type(None): (Bracket.NULL, _same),
    bool: (Bracket.BOOL, _itself),
    int: (Bracket.NUMBER, lambda value: (1, value)),
    float: (Bracket.NUMBER, _number),
    Decimal128: (Bracket.NUMBER, _decimal),
    Code: (Bracket.CODE, lambda value: (text_key(value),)),
    str: (Bracket.STRING, lambda value: (text_key(value),)),
    DBRef: (Bracket.OBJECT, lambda value: _object(value.as_doc())),
    dict: (Bracket.OBJECT, _object),
    list: (Bracket.ARRAY, _array),
    bytes: (Bracket.BINARY, _binary),
    UUID: (Bracket.BINARY, lambda value: _binary(Binary.from_uuid(value))),
    ObjectId: (Bracket.OBJECT_ID, lambda value: (value.binary,)),
    datetime: (Bracket.DATE, _date),
    DatetimeMS: (Bracket.DATE, lambda value: (int(value),)),
    Timestamp: (Bracket.TIMESTAMP, lambda value: (value.time, value.inc)),
    Regex: (Bracket.REGEX, _regex),
    MaxKey: (Bracket.MAX_KEY, _same),
}
