"""The columns of a Parquet file, found in a first pass over the documents.

| BSON | Parquet |
|---|---|
| bool, double, string, binary | boolean, double, string, binary |
| int32, int64 | int64; beside doubles double, if each of them is exact as one |
| date | timestamp in milliseconds, UTC |
| Decimal128 | decimal of 38 digits, else of 76, where that holds each value; else string, as in plain JSON |
| ObjectId, UUID | string |
| array | list |
| object | struct |

What has no such type is a string that holds plain JSON, and the column says why: see `Reason`. Null, and what is not
there, is null. It takes no pyarrow to find columns.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from typing import Any, Final
from uuid import UUID

from bson.binary import Binary
from bson.code import Code
from bson.datetime_ms import DatetimeMS
from bson.dbref import DBRef
from bson.decimal128 import Decimal128
from bson.int64 import Int64
from bson.max_key import MaxKey
from bson.min_key import MinKey
from bson.objectid import ObjectId
from bson.regex import Regex
from bson.timestamp import Timestamp

from documents.codec.number_text import format_decimal
from documents.codec.writers import TooManyColumnsError
from documents.types import Document

MAX_MEMBERS: Final = 256
"""An object with more different keys, below the top, is taken for a map: its keys are data."""

MAX_LEVELS: Final = 32
"""Objects and arrays that lie deeper are JSON."""

MAX_CELLS: Final = 250_000
"""Cells that the objects of one array may take: each of them has one for each field of any of them."""

_EXACT_INT: Final = 2**53

KINDS: Final[Mapping[type, str]] = {
    bool: "bool",
    int: "int",
    Int64: "long",
    float: "double",
    str: "string",
    bytes: "binData",
    Binary: "binData",
    UUID: "uuid",
    ObjectId: "objectId",
    datetime: "date",
    DatetimeMS: "date",
    Decimal128: "decimal",
    dict: "object",
    list: "array",
    type(None): "null",
    Timestamp: "timestamp",
    Regex: "regex",
    Code: "javascript",
    DBRef: "dbRef",
    MinKey: "minKey",
    MaxKey: "maxKey",
}
"""MongoDB's names of types, by the class that a stored value is decoded to."""

INTEGERS: Final = frozenset({"int", "long"})


class ColumnType(StrEnum):
    """What a column holds."""

    BOOL = "bool"
    INT = "int"
    DOUBLE = "double"
    DECIMAL = "decimal"
    STRING = "string"
    BINARY = "binary"
    DATE = "date"
    LIST = "list"
    STRUCT = "struct"
    JSON = "json"


class Reason(StrEnum):
    """Why values are JSON."""

    MIXED = "mixed-types"
    NO_TYPE = "no-type"
    EMPTY = "nothing-inside"
    KEYS = "too-many-keys"
    DEEP = "too-deep"
    SPARSE = "too-sparse"


_TYPES: Final[Mapping[str, ColumnType]] = {
    "bool": ColumnType.BOOL,
    "int": ColumnType.INT,
    "long": ColumnType.INT,
    "double": ColumnType.DOUBLE,
    "string": ColumnType.STRING,
    "objectId": ColumnType.STRING,
    "uuid": ColumnType.STRING,
    "binData": ColumnType.BINARY,
    "date": ColumnType.DATE,
}
NARROW_DIGITS: Final = 38
WIDE_DIGITS: Final = 76


@dataclass(frozen=True)
class Column:
    """One column, or one that lies in another.

    Args:
        name: Of the field; of a list's one member, `element`.
        type: What it holds.
        kinds: MongoDB's names of the types that were seen, sorted, without null.
        members: The fields of a struct, or the element of a list.
        digits: Of a decimal.
        scale: Of a decimal: how many of the digits are behind the point.
        reason: Why it is JSON.
        elements: Of a list: the most that one document has.
    """

    name: str
    type: ColumnType
    kinds: tuple[str, ...] = ()
    members: tuple["Column", ...] = ()
    digits: int = 0
    scale: int = 0
    reason: Reason | None = None
    elements: int = 0

    @cached_property
    def width(self) -> int:
        """Cells that a row takes, without those of the lists in it."""
        return sum(each.width for each in self.members) if self.type is ColumnType.STRUCT else 1

    @cached_property
    def cells(self) -> int:
        """Cells that a row may take, with those of lists."""
        inside = sum(each.cells for each in self.members)
        if self.type is ColumnType.LIST:
            # The lists inside an element have counted all of theirs in one document.
            [element] = self.members
            return 1 + self.elements * element.width + inside - element.width
        return inside if self.type is ColumnType.STRUCT else 1


class _Seen:
    """What was seen of one field."""

    __slots__ = ("digits", "element", "elements", "here", "is_exact", "kinds", "members", "reason", "scale", "settled")

    def __init__(self) -> None:
        self.kinds: set[str] = set()
        self.settled: set[type] = {type(None)}  # classes of values that need no more looking at
        self.members: dict[str, _Seen] = {}
        self.element: _Seen | None = None
        self.reason: Reason | None = None
        self.is_exact = True  # each integer as a double
        self.digits: int | None = 1  # before the point; None if a decimal has no end of them
        self.scale = 0
        self.here = self.elements = 0  # in this document, and in that which has most

    @property
    def below(self) -> Iterator["_Seen"]:
        """What lies in it."""
        yield from self.members.values()
        if self.element:
            yield self.element

    def close(self, reason: Reason) -> None:
        """Make it JSON, and look no further into it."""
        self.reason = reason
        self.members, self.element = {}, None


class ColumnFinder:
    """Finds columns in memory that depends on how many there are, not on how many documents.

    Args:
        names: Fields at the top that are columns in any case, and come first.
        limit: Columns there may be. Where the documents have more, the objects with most keys become JSON.
    """

    def __init__(self, names: Iterable[str] = (), *, limit: int) -> None:
        self._top = _Seen()
        self._limit = limit
        self._count = 0
        self._touched: list[_Seen] = []  # lists in this document
        for name in names:
            self._member(self._top, name)

    def see(self, documents: Iterable[Document]) -> None:
        """Look at some documents.

        Raises:
            TooManyColumnsError: They have too many fields at the top.
        """
        for document in documents:
            self._see_object(self._top, document, 0)
            for seen in self._touched:
                seen.elements = max(seen.elements, seen.here)
                seen.here = 0
            self._touched.clear()

    def columns(self) -> tuple[Column, ...]:
        """Return what was found, in the order in which it came up."""
        found = tuple(_column_of(name, seen) for name, seen in self._top.members.items())
        return found or (Column("_id", ColumnType.JSON, reason=Reason.EMPTY),)

    def _see_object(self, seen: _Seen, value: Document, level: int) -> None:
        members = seen.members
        for name, item in value.items():
            member = members.get(name) or self._member(seen, name)
            if member is None:
                return
            if type(item) not in member.settled:
                self._see(member, item, level + 1)

    def _see(self, seen: _Seen, value: Any, level: int) -> None:  # noqa: ANN401  # of any type that BSON has
        each: type = value.__class__
        kind, kinds = KINDS.get(each, "unknown"), seen.kinds
        if kind not in kinds:
            kinds.add(kind)
            if seen.reason is None and len(kinds) > 1 and _is_mixed(kinds):
                self._close(seen, Reason.MIXED)
        if seen.reason is not None:
            seen.settled.add(each)
            return
        match kind:
            case "int" | "long":
                if not -_EXACT_INT <= value <= _EXACT_INT and float(value) != value:
                    seen.is_exact = False
            case "decimal":
                _see_decimal(seen, value)
            case "array" | "object" if level >= MAX_LEVELS:
                self._close(seen, Reason.DEEP)
            case "object":
                self._see_object(seen, value, level)
            case "array":
                self._see_array(seen, value, level)
            case _:
                seen.settled.add(each)

    def _see_array(self, seen: _Seen, value: Sequence[Any], level: int) -> None:
        if not seen.here:
            self._touched.append(seen)
        seen.here += len(value)
        for item in value:
            # A column may be closed by what lies in it.
            element = seen.element or self._element(seen)
            if element is None:
                return
            if type(item) not in element.settled:
                self._see(element, item, level + 1)

    def _member(self, seen: _Seen, name: str) -> _Seen | None:
        """Return a new member; None where the object takes no more of them."""
        if seen.reason is not None:
            return None
        if seen is not self._top and len(seen.members) >= MAX_MEMBERS:
            self._close(seen, Reason.KEYS)
            return None
        member = seen.members[name] = _Seen()
        self._count += 1
        if self._count > self._limit:
            self._make_room()
        return member if seen.reason is None else None

    def _element(self, seen: _Seen) -> _Seen | None:
        if seen.reason is not None:
            return None
        seen.element = _Seen()
        return seen.element

    def _make_room(self) -> None:
        objects = [seen for seen in _below(self._top) if seen.members]
        for seen in sorted(objects, key=lambda each: len(each.members), reverse=True):
            if self._count <= self._limit * 3 // 4:
                break
            self._close(seen, Reason.KEYS)  # one that lies in another that was closed has nothing to count any more
        if self._count > self._limit:
            raise TooManyColumnsError

    def _close(self, seen: _Seen, reason: Reason) -> None:
        for each in [seen, *_below(seen)]:
            self._count -= len(each.members)
            each.close(reason)


def _below(seen: _Seen) -> Iterator[_Seen]:
    for each in seen.below:
        yield each
        yield from _below(each)


def _is_mixed(kinds: set[str]) -> bool:
    others = kinds - INTEGERS
    return not (others == {"double"} or not others)


def _see_decimal(seen: _Seen, value: Decimal128) -> None:
    number = Decimal(format_decimal(value))
    if not number.is_finite():
        seen.digits = None
    elif seen.digits is not None:
        exponent = number.as_tuple().exponent
        seen.scale = max(seen.scale, -exponent if isinstance(exponent, int) else 0)
        seen.digits = max(seen.digits, number.adjusted() + 1 if number else 1)


def _column_of(name: str, seen: _Seen) -> Column:
    kinds = tuple(sorted(seen.kinds))
    reason, column_type = seen.reason, ColumnType.JSON
    if reason is None and not kinds:
        reason = Reason.EMPTY
    elif reason is None and kinds[0] == "object":
        return _struct_of(name, seen)
    elif reason is None and kinds[0] == "array":
        return _list_of(name, seen)
    elif reason is None and kinds[0] == "decimal":
        return _decimal_of(name, seen)
    elif reason is None and "double" in kinds:
        column_type = ColumnType.DOUBLE if seen.is_exact else ColumnType.JSON
        reason = None if seen.is_exact else Reason.MIXED
    elif reason is None:
        column_type = _TYPES.get(kinds[0], ColumnType.JSON)
        reason = Reason.NO_TYPE if column_type is ColumnType.JSON else None
    return Column(name, column_type, kinds, reason=reason)


def _struct_of(name: str, seen: _Seen) -> Column:
    if not seen.members:
        return Column(name, ColumnType.JSON, ("object",), reason=Reason.EMPTY)
    members = tuple(_column_of(each, member) for each, member in seen.members.items())
    return Column(name, ColumnType.STRUCT, ("object",), members)


def _list_of(name: str, seen: _Seen) -> Column:
    element = _column_of("element", seen.element or _Seen())
    if element.width > 1 and seen.elements * element.width > MAX_CELLS:
        return Column(name, ColumnType.JSON, ("array",), reason=Reason.SPARSE)
    return Column(name, ColumnType.LIST, ("array",), (element,), elements=seen.elements)


def _decimal_of(name: str, seen: _Seen) -> Column:
    needed = WIDE_DIGITS + 1 if seen.digits is None else seen.digits + seen.scale
    if needed > WIDE_DIGITS:
        return Column(name, ColumnType.STRING, ("decimal",))
    digits = NARROW_DIGITS if needed <= NARROW_DIGITS else WIDE_DIGITS
    return Column(name, ColumnType.DECIMAL, ("decimal",), digits=digits, scale=seen.scale)
