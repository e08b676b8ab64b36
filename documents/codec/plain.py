"""Plain JSON out: what a client that does not know MongoDB's types expects to read.

| BSON | JSON |
|---|---|
| ObjectId, UUID (binary subtype 4) | string |
| date | RFC 3339 in UTC with milliseconds, `2026-01-02T03:04:05.000Z` |
| Decimal128 | string, so that no digit is lost |
| other binary | base64 |
| int32, int64, double | number |
| symbol, undefined | string, null |

What JSON has no natural form for is written as Extended JSON v2: NaN and the infinities, dates before year 1 and after
year 9999, timestamps, regular expressions, code, references, MinKey and MaxKey.
"""

import math
import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, cast
from uuid import UUID

import orjson
from bson.binary import UUID_SUBTYPE, Binary, UuidRepresentation
from bson.code import Code
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.datetime_ms import DatetimeMS
from bson.dbref import DBRef
from bson.decimal128 import Decimal128
from bson.int64 import Int64
from bson.max_key import MaxKey
from bson.min_key import MinKey
from bson.objectid import ObjectId
from bson.raw_bson import RawBSONDocument
from bson.regex import Regex
from bson.timestamp import Timestamp

from documents.codec.deprecated import DBPointer, Symbol, Undefined
from documents.codec.number_text import format_decimal, format_double
from documents.codec.tree import CONTAINERS, Container, values_of
from documents.types import Document

CODEC_OPTIONS: Final[CodecOptions[Document]] = CodecOptions(
    document_class=dict,
    uuid_representation=UuidRepresentation.STANDARD,
    unicode_decode_error_handler="replace",
    datetime_conversion=DatetimeConversion.DATETIME_AUTO,
)
"""How stored documents are decoded. Dates are naive and mean UTC: aware ones would take 1.7 µs more each. A date that
Python cannot hold becomes a DatetimeMS, and bytes that are not UTF-8 become U+FFFD, so that neither fails a read."""


class RawReply(RawBSONDocument):
    """A raw document with what the driver asks of the replies that it reads as documents."""

    def copy(self) -> dict[str, Any]:
        """Return it as a dict. The driver adds error labels to a copy of a write concern error."""
        return dict(self)

    def update(self, _: object) -> None:
        """Stay as it is. The driver would note the labels of the reply here, too; nothing reads them from here."""


RAW_OPTIONS: Final[CodecOptions[RawBSONDocument]] = CODEC_OPTIONS.with_options(document_class=RawReply)
"""The same for documents that stay bytes. The driver looks into those that it sends, too."""

_OPTIONS: Final = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS | orjson.OPT_PASSTHROUGH_DATACLASS
_UUID_BYTES: Final = 16


def dump(value: object) -> bytes:
    """Return a document, or any value of one, as plain JSON.

    Raises:
        TypeError: A value is of no type that BSON has.
    """
    text = orjson.dumps(value, _convert, _OPTIONS)
    # orjson writes NaN and the infinities as null: where there is no null, there was none of them.
    if b"null" in text and _has_unwritable([value]):
        return orjson.dumps(_name_doubles(value), _convert, _OPTIONS)
    return text


def _has_unwritable(parent: Container) -> bool:
    """Tell whether somewhere below is a double that JSON cannot write."""
    item: object
    for item in values_of(parent):
        if type(item) is float:
            if not math.isfinite(item):
                return True
        elif type(item) in CONTAINERS and _has_unwritable(cast("Container", item)):
            return True
    return False


def _name_doubles(value: object) -> object:
    if isinstance(value, float):
        return value if math.isfinite(value) else {"$numberDouble": format_double(value)}
    if isinstance(value, Mapping):
        members = cast("Mapping[str, object]", value)
        return {key: _name_doubles(item) for key, item in members.items()}
    if isinstance(value, list):
        return [_name_doubles(item) for item in cast("list[object]", value)]
    return value


def _convert(value: object) -> object:
    """Return what orjson can write for a value that it cannot."""
    kind = type(value)
    convert = _CONVERSIONS.get(kind)
    if convert is None:
        ancestor = next((each for each in kind.__mro__ if each in _CONVERSIONS), None)
        if ancestor is None:
            raise TypeError(f"BSON has no type for {kind.__name__}")
        convert = _CONVERSIONS[ancestor]
    return convert(value)


def _format_date(value: datetime) -> str:
    if value.tzinfo is not None:
        value = value.astimezone(UTC).replace(tzinfo=None)
    return f"{value.isoformat(timespec='milliseconds')}Z"


def _format_binary(value: Binary) -> str:
    if value.subtype == UUID_SUBTYPE and len(value) == _UUID_BYTES:
        return str(UUID(bytes=bytes(value)))
    return b64encode(value).decode()


def _format_code(value: Code) -> object:
    form = {"$code": str(value)}
    return form if value.scope is None else {**form, "$scope": _name_doubles(value.scope)}


def _format_regex(value: Regex[Any]) -> object:
    pattern = value.pattern.decode(errors="replace") if isinstance(value.pattern, bytes) else value.pattern
    options = "".join(letter for letter, flag in _REGEX_FLAGS if value.flags & flag)
    return {"$regularExpression": {"pattern": pattern, "options": options}}


def _format_pointer(value: DBPointer) -> object:
    return {"$dbPointer": {"$ref": value.namespace, "$id": {"$oid": str(value.id)}}}


# In the order in which BSON wants them.
_REGEX_FLAGS: Final = (
    ("i", re.IGNORECASE),
    ("l", re.LOCALE),
    ("m", re.MULTILINE),
    ("s", re.DOTALL),
    ("u", re.UNICODE),
    ("x", re.VERBOSE),
)

_CONVERSIONS: Final[Mapping[type, Callable[[Any], object]]] = {
    ObjectId: str,
    datetime: _format_date,
    DatetimeMS: lambda value: {"$date": {"$numberLong": str(int(value))}},
    Decimal128: format_decimal,
    Int64: int,
    bytes: lambda value: b64encode(value).decode(),
    Binary: _format_binary,
    Timestamp: lambda value: {"$timestamp": {"t": value.time, "i": value.inc}},
    Regex: _format_regex,
    Code: _format_code,
    DBRef: lambda value: _name_doubles(value.as_doc()),
    MinKey: lambda _: {"$minKey": 1},
    MaxKey: lambda _: {"$maxKey": 1},
    Symbol: lambda value: value.text,
    Undefined: lambda _: None,
    DBPointer: _format_pointer,
    # What other subclasses of these are in JSON.
    str: str.__str__,
    int: int,
    float: lambda value: _name_doubles(float(value)),
    dict: dict,
    list: list,
}
