"""Loads that go on where the last one of their name ended: only records whose field is greater than all before."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from math import isfinite
from typing import Any, Final

from bson.decimal128 import Decimal128
from bson.objectid import ObjectId

from documents.codec.records import Record
from documents.errors import Fault
from documents.ingest.jobs import Cursor
from documents.query.paths import value_at
from documents.types import MISSING, child

_Rank = tuple[str, Any]


def _of_float(value: float) -> _Rank | None:
    return ("number", value) if isfinite(value) else None


def _of_decimal(value: Decimal128) -> _Rank | None:
    number: Decimal = value.to_decimal()
    return ("number", number) if number.is_finite() else None


def _of_date(value: datetime) -> _Rank:
    return ("date", value if value.tzinfo else value.replace(tzinfo=UTC))


_RANKS: Final[Mapping[type, Callable[[Any], _Rank | None]]] = {
    int: lambda value: ("number", value),
    float: _of_float,
    Decimal128: _of_decimal,
    datetime: _of_date,
    str: lambda value: ("text", value),
    ObjectId: lambda value: ("ObjectId", value),
}


def rank_of(value: Any) -> _Rank | None:  # noqa: ANN401  # of BSON
    """Return the kind of a value and what it is compared by; None of values that have no order here."""
    if isinstance(value, bool):
        return None
    return next((of(value) for kind, of in _RANKS.items() if isinstance(value, kind)), None)


class SinceFilter:
    """Passes over the records that a cursor has seen, and notes the greatest value.

    Args:
        cursor: The field, and the value that records have to be greater than.

    Attributes:
        high: The greatest value so far, that of the cursor at first.
    """

    def __init__(self, cursor: Cursor) -> None:
        self._field = cursor.field
        self._pointer = child("", *cursor.field.split("."))
        self._after = None if cursor.after is None else rank_of(cursor.after)
        self._high = self._after
        self.high: Any = cursor.after

    def judge(self, record: Record) -> Record | None:
        """Return a record that is new, with a fault if it cannot be compared; None for one that is passed over."""
        if record.document is None:
            return record
        value = value_at(record.document, self._field)
        rank = rank_of(value)
        if rank is None:
            what = "is missing" if value in (None, MISSING) else "has no order"
            return _refused(record, Fault(self._pointer, "cursor-missing", f"The field {self._field} {what}."))
        if self._high is not None and rank[0] != self._high[0]:
            detail = f"The field {self._field} is a {rank[0]}, and was a {self._high[0]} before."
            return _refused(record, Fault(self._pointer, "wrong-type", detail))
        if self._after is not None and rank[1] <= self._after[1]:
            return None
        if self._high is None or rank[1] > self._high[1]:
            self._high, self.high = rank, value
        return record


def _refused(record: Record, fault: Fault) -> Record:
    return record._replace(document=None, fault=fault)
