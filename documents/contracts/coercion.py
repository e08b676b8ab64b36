"""Values that JSON writes as text or number, read as the BSON type that a contract names."""

import binascii
import re
from base64 import b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final, cast
from uuid import UUID

from bson import Decimal128, ObjectId

from documents.contracts.kinds import INT32, exact_kind
from documents.profile import kinds

_MOMENT: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:[Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_NUMBER: Final = re.compile(r"-?[0-9]{1,300}(?:\.[0-9]{1,300})?(?:[eE][+-]?[0-9]{1,3})?")
_INTEGER: Final = re.compile(r"-?[0-9]{1,19}")
_OBJECTID: Final = re.compile(r"[0-9a-fA-F]{24}")
INT64: Final = range(-(2**63), 2**63)
EXACT_IN_FLOAT: Final = 2**53


@dataclass(frozen=True, slots=True)
class Coercion:
    """How the values of a field are read.

    Args:
        target: The BSON type they become.
        sources: The BSON types that are read; any other value is of the wrong type.
        wanted: What is needed, in words.
        convert: Raises ValueError for a value that cannot be read.
    """

    target: str
    sources: frozenset[str]
    wanted: str
    convert: Callable[[object], object]

    def read(self, value: object) -> object:
        """Return a value as the target type; one that is of it already as it is.

        Raises:
            ValueError: It cannot be read.
        """
        kind = exact_kind(value)
        if kind == self.target or kind not in self.sources:
            return value
        try:
            return self.convert(value)
        except (ValueError, ArithmeticError):  # dates and decimals out of range are the latter
            raise ValueError(f"{self.wanted} is needed here") from None


def _matched(pattern: re.Pattern[str], value: object) -> str:
    text = cast("str", value)
    if not pattern.fullmatch(text):
        raise ValueError
    return text


def _date(value: object) -> object:
    # Naive, and cut to milliseconds: as MongoDB gives it back.
    moment = datetime.fromisoformat(_matched(_MOMENT, value).upper()).astimezone(UTC).replace(tzinfo=None)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _decimal(value: object) -> object:
    text = _matched(_NUMBER, value) if isinstance(value, str) else repr(value)
    return Decimal128(Decimal(text))  # refuses what it would have to round


def _objectid(value: object) -> object:
    return ObjectId(_matched(_OBJECTID, value))


def _uuid(value: object) -> object:
    return UUID(cast("str", value))


def _integer(value: object, allowed: range) -> object:
    if isinstance(value, float) and not value.is_integer():
        raise ValueError
    number = int(_matched(_INTEGER, value)) if isinstance(value, str) else int(cast("float", value))
    if number not in allowed:
        raise ValueError
    return number


def _double(value: object) -> object:
    if isinstance(value, str):
        return float(_matched(_NUMBER, value))
    if abs(cast("int", value)) > EXACT_IN_FLOAT:
        raise ValueError
    return float(cast("int", value))


def _bool(value: object) -> object:
    if value not in ("true", "false"):
        raise ValueError
    return value == "true"


def _binary(value: object) -> object:
    try:
        return b64decode(cast("str", value), validate=True)
    except binascii.Error:
        raise ValueError from None


_TEXT: Final = frozenset({kinds.STRING})
_INTEGERS: Final = frozenset({kinds.INT, kinds.LONG})

COERCIONS: Final[Mapping[str, Coercion]] = {
    coercion.target: coercion
    for coercion in (
        Coercion(kinds.DATE, _TEXT, "An RFC 3339 time with its offset, such as 2026-01-31T12:00:00Z,", _date),
        Coercion(kinds.DECIMAL, _TEXT | _INTEGERS | {kinds.DOUBLE}, "A decimal number of at most 34 digits", _decimal),
        Coercion(kinds.OBJECTID, _TEXT, "An id of 24 hex digits", _objectid),
        Coercion(kinds.UUID, _TEXT, "A UUID", _uuid),
        Coercion(kinds.INT, _TEXT | {kinds.DOUBLE}, "An integer of 32 bits", lambda value: _integer(value, INT32)),
        Coercion(kinds.LONG, _TEXT | {kinds.DOUBLE}, "An integer of 64 bits", lambda value: _integer(value, INT64)),
        Coercion(kinds.DOUBLE, _TEXT | _INTEGERS, "A number that a double holds exactly", _double),
        Coercion(kinds.BOOL, _TEXT, "true or false", _bool),
        Coercion(kinds.BINARY, _TEXT, "Base64", _binary),
    )
}
"""By the name of the BSON type."""
