"""The wrappers of Extended JSON v2: `{"$oid": "…"}` and its kind, from their operands to values.

Canonical and relaxed forms are read, those of version 1 are not. A field inside a wrapper may come in any order.

Source:
    MongoDB specifications, Extended JSON, conversion table and "Parsers".
"""

import binascii
import math
import re
from base64 import b64decode
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import DecimalException
from typing import Any, Final, cast
from uuid import UUID

from bson.binary import UUID_SUBTYPE, Binary
from bson.datetime_ms import DatetimeMS
from bson.decimal128 import Decimal128
from bson.int64 import Int64
from bson.max_key import MaxKey
from bson.min_key import MinKey
from bson.objectid import ObjectId
from bson.regex import Regex
from bson.timestamp import Timestamp

from documents.codec.deprecated import UNDEFINED, DBPointer, Symbol
from documents.codec.spots import is_wide

MALFORMED: Final = "malformed-wrapper"
OUT_OF_RANGE: Final = "integer-out-of-range"

_OID: Final = re.compile(r"[0-9a-fA-F]{24}")
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_INTEGER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)")
_NUMBER: Final = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
_DOUBLE: Final = re.compile(_NUMBER)
_DECIMAL: Final = re.compile(rf"{_NUMBER}|[+-]?(?:inf|infinity|nan)", re.IGNORECASE)
_DATE: Final = re.compile(
    r"(?P<seconds>[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.(?P<fraction>[0-9]+))?"
    r"(?:[Zz]|(?P<sign>[+-])(?P<hours>[0-9]{2}):?(?P<minutes>[0-5][0-9]))"
)
_SUBTYPE: Final = re.compile(r"[0-9a-fA-F]{1,2}")
_SPECIAL_DOUBLES: Final = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_REGEX_OPTIONS: Final = frozenset("ilmsux")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_UUID_BYTES: Final = 16
_UINT32: Final = 2**32
_INT32: Final = 2**31


class WrapperError(ValueError):
    """An operand is none that its wrapper takes. `code` is that of the fault."""

    def __init__(self, detail: str, code: str = MALFORMED) -> None:
        super().__init__(detail)
        self.code = code


def _match(pattern: re.Pattern[str], operand: object, expected: str) -> str:
    if not isinstance(operand, str) or not pattern.fullmatch(operand):
        raise WrapperError(expected)
    return operand


def _members(operand: object, *names: str) -> list[Any]:
    """Return the members of an object that has these and no others."""
    if not isinstance(operand, dict) or set(cast("dict[str, Any]", operand)) != set(names):
        raise WrapperError(f"The operand must be an object of {' and '.join(names)}.")
    return [operand[name] for name in names]


def _text(operand: object) -> str:
    if not isinstance(operand, str):
        raise WrapperError("The operand must be a string.")
    return operand


def _integer(operand: object) -> int:
    literal = _match(_INTEGER, operand, 'The operand must be a string of digits, such as "42".')
    if is_wide(literal):
        raise WrapperError("The number must fit into 64 bits, from -2^63 to 2^63-1.", OUT_OF_RANGE)
    return int(literal)


def _int32(operand: object) -> int:
    number = _integer(operand)
    if not -_INT32 <= number < _INT32:
        raise WrapperError("The number must fit into 32 bits, from -2^31 to 2^31-1.", OUT_OF_RANGE)
    return number


def _int64(operand: object) -> Int64:
    return Int64(_integer(operand))


def _double(operand: object) -> float:
    if isinstance(operand, str) and operand in _SPECIAL_DOUBLES:
        return _SPECIAL_DOUBLES[operand]
    number = float(
        _match(_DOUBLE, operand, "The operand must be a string: a decimal number, NaN, Infinity, -Infinity.")
    )
    if not math.isfinite(number):
        raise WrapperError("The number is beyond what a double holds.")
    return number


def _decimal(operand: object) -> Decimal128:
    literal = _match(_DECIMAL, operand, "The operand must be a string: a decimal number, NaN, Infinity, -Infinity.")
    try:
        return Decimal128(literal)
    except DecimalException:
        raise WrapperError("A decimal has at most 34 digits and an exponent from -6176 to 6111.") from None


def _object_id(operand: object) -> ObjectId:
    return ObjectId(_match(_OID, operand, "The operand must be a string of 24 hexadecimal digits."))


def _uuid(operand: object) -> UUID:
    return UUID(_match(_UUID, operand, "The operand must be a string such as 73ffd264-44b3-4c69-90e8-e7d1dfc035d4."))


def _binary(operand: object) -> bytes | UUID:
    text, subtype = _members(operand, "base64", "subType")
    kind = int(_match(_SUBTYPE, subtype, "The subType must be a string of one or two hexadecimal digits."), 16)
    try:
        data = b64decode(_text(text), validate=True)
    except (binascii.Error, ValueError):
        raise WrapperError("The base64 must be a string in base64, with its padding.") from None
    if kind != UUID_SUBTYPE:
        return Binary(data, kind) if kind else data
    if len(data) != _UUID_BYTES:
        raise WrapperError("Binary of subtype 4 is a UUID and has 16 bytes.")
    return UUID(bytes=data)


def _date(operand: object) -> datetime | DatetimeMS:
    if isinstance(operand, dict):
        return _from_milliseconds(_integer(_members(cast("object", operand), "$numberLong")[0]))
    expected = 'The operand must be a string such as 2026-01-02T03:04:05.678Z, or {"$numberLong": "…"}.'
    date = _DATE.fullmatch(_text(operand))
    if date is None:
        raise WrapperError(expected)
    try:
        moment = datetime.strptime(date["seconds"].upper(), "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        raise WrapperError(expected) from None
    offset = timedelta(hours=int(date["hours"] or 0), minutes=int(date["minutes"] or 0))
    milliseconds = (moment - _EPOCH + (offset if date["sign"] == "-" else -offset)) // timedelta(milliseconds=1)
    return _from_milliseconds(milliseconds + int((date["fraction"] or "")[:3].ljust(3, "0")))


def _from_milliseconds(milliseconds: int) -> datetime | DatetimeMS:
    """Return a date as stored ones are decoded: naive, or DatetimeMS when Python has no such year."""
    try:
        return (_EPOCH + timedelta(milliseconds=milliseconds)).replace(tzinfo=None)
    except OverflowError:
        return DatetimeMS(milliseconds)


def _timestamp(operand: object) -> Timestamp:
    parts = _members(operand, "t", "i")
    if not all(type(part) is int and 0 <= part < _UINT32 for part in parts):
        raise WrapperError("Both t and i must be integers from 0 to 2^32-1.")
    return Timestamp(*parts)


def _regex(operand: object) -> Regex[str]:
    pattern, options = map(_text, _members(operand, "pattern", "options"))
    if "\0" in pattern:
        raise WrapperError("A pattern must not contain the NUL character.")
    if not _REGEX_OPTIONS.issuperset(options):
        raise WrapperError(f"The options are among {', '.join(sorted(_REGEX_OPTIONS))}.")
    return Regex(pattern, options)


def _pointer(operand: object) -> DBPointer:
    namespace, key = _members(operand, "$ref", "$id")
    return DBPointer(_text(namespace), _object_id(_members(key, "$oid")[0]))


def _exactly(expected: object, value: object) -> Callable[[object], Any]:
    def read(operand: object) -> object:
        if type(operand) is not type(expected) or operand != expected:
            raise WrapperError(f"The operand must be {'true' if expected is True else expected}.")
        return value

    return read


WRAPPERS: Final[Mapping[str, Callable[[object], Any]]] = {
    "$oid": _object_id,
    "$symbol": lambda operand: Symbol(_text(operand)),
    "$numberInt": _int32,
    "$numberLong": _int64,
    "$numberDouble": _double,
    "$numberDecimal": _decimal,
    "$binary": _binary,
    "$uuid": _uuid,
    "$timestamp": _timestamp,
    "$regularExpression": _regex,
    "$dbPointer": _pointer,
    "$date": _date,
    "$minKey": _exactly(1, MinKey()),
    "$maxKey": _exactly(1, MaxKey()),
    "$undefined": _exactly(True, UNDEFINED),
}
"""What each wrapper makes of its operand, or a WrapperError. `$code` is not among them, as `$scope` goes with it."""
