"""BSON bytes to Extended JSON v2, straight, since Python values no longer tell all of BSON's types apart.

Source:
    bsonspec.org, version 1.1; MongoDB specifications, Extended JSON, conversion table.
"""

import math
import struct
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

from bson.decimal128 import Decimal128

from documents.codec.number_text import format_decimal, format_double

_INT32: Final = struct.Struct("<i").unpack_from
_INT64: Final = struct.Struct("<q").unpack_from
_DOUBLE: Final = struct.Struct("<d").unpack_from
_UINT32_PAIR: Final = struct.Struct("<II").unpack_from
_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001  # naive, as no offset is to be written
_YEAR_10000_MS: Final = 253402300800000
_OLD_BINARY: Final = 0x02

_Read: TypeAlias = Callable[["_Reader"], Any]


def read_document(raw: bytes, *, canonical: bool) -> dict[str, Any]:
    """Return a document as Extended JSON, a tree that orjson writes.

    Args:
        raw: BSON that `bson` can decode; of other bytes nothing good can be said.
        canonical: Wrap every number and date.
    """
    return _Reader(raw, _CANONICAL if canonical else _RELAXED).read_document()


class _Reader:
    """A place in a document's bytes, and the forms that its values get."""

    __slots__ = ("_forms", "place", "raw")

    def __init__(self, raw: bytes, forms: Mapping[int, _Read]) -> None:
        self.raw = raw
        self.place = 0
        self._forms = forms

    def read_document(self) -> dict[str, Any]:
        return {name.decode(errors="replace"): value for name, value in self._read_elements()}

    def read_array(self) -> list[Any]:
        # The names of an array's elements should be their positions, but need not.
        return [value for _, value in self._read_elements()]

    def _read_elements(self) -> Iterator[tuple[bytes, Any]]:
        raw, forms = self.raw, self._forms
        self.place += 4
        while kind := raw[self.place]:
            end = raw.index(0, self.place)
            name = raw[self.place + 1 : end]
            self.place = end + 1
            yield name, forms[kind](self)
        self.place += 1

    def read_cstring(self) -> str:
        end = self.raw.index(0, self.place)
        text = self.raw[self.place : end].decode(errors="replace")
        self.place = end + 1
        return text

    def read_string(self) -> str:
        length = self.read_number(_INT32, 4)
        return self.read_bytes(length)[:-1].decode(errors="replace")

    def read_bytes(self, length: int) -> bytes:
        self.place += length
        return self.raw[self.place - length : self.place]

    def read_number(self, unpack: Callable[[bytes, int], tuple[Any, ...]], size: int) -> Any:  # noqa: ANN401
        self.place += size
        return unpack(self.raw, self.place - size)[0]


def _double(reader: _Reader) -> object:
    number: float = reader.read_number(_DOUBLE, 8)
    return number if math.isfinite(number) else {"$numberDouble": format_double(number)}


def _date(reader: _Reader) -> object:
    milliseconds: int = reader.read_number(_INT64, 8)
    if not 0 <= milliseconds < _YEAR_10000_MS:
        return _wrap_date(milliseconds)
    moment = _EPOCH + timedelta(milliseconds=milliseconds)
    return {"$date": f"{moment.isoformat(timespec='milliseconds' if milliseconds % 1000 else 'seconds')}Z"}


def _wrap_date(milliseconds: int) -> object:
    return {"$date": {"$numberLong": str(milliseconds)}}


def _binary(reader: _Reader) -> object:
    length, subtype = reader.read_number(_INT32, 4), reader.read_bytes(1)[0]
    data = reader.read_bytes(length)
    if subtype == _OLD_BINARY:
        data = data[4:]  # it has its length once more
    return {"$binary": {"base64": b64encode(data).decode(), "subType": f"{subtype:02x}"}}


def _regex(reader: _Reader) -> object:
    pattern, options = reader.read_cstring(), reader.read_cstring()
    return {"$regularExpression": {"pattern": pattern, "options": "".join(sorted(options))}}


def _pointer(reader: _Reader) -> object:
    return {"$dbPointer": {"$ref": reader.read_string(), "$id": _object_id(reader)}}


def _object_id(reader: _Reader) -> object:
    return {"$oid": reader.read_bytes(12).hex()}


def _code_with_scope(reader: _Reader) -> object:
    reader.read_bytes(4)
    return {"$code": reader.read_string(), "$scope": reader.read_document()}


def _timestamp(reader: _Reader) -> object:
    increment, seconds = _UINT32_PAIR(reader.read_bytes(8))
    return {"$timestamp": {"t": seconds, "i": increment}}


_RELAXED: Final[Mapping[int, _Read]] = {
    0x01: _double,
    0x02: _Reader.read_string,
    0x03: _Reader.read_document,
    0x04: _Reader.read_array,
    0x05: _binary,
    0x06: lambda _: {"$undefined": True},
    0x07: _object_id,
    0x08: lambda reader: reader.read_bytes(1) != b"\0",
    0x09: _date,
    0x0A: lambda _: None,
    0x0B: _regex,
    0x0C: _pointer,
    0x0D: lambda reader: {"$code": reader.read_string()},
    0x0E: lambda reader: {"$symbol": reader.read_string()},
    0x0F: _code_with_scope,
    0x10: lambda reader: reader.read_number(_INT32, 4),
    0x11: _timestamp,
    0x12: lambda reader: reader.read_number(_INT64, 8),
    0x13: lambda reader: {"$numberDecimal": format_decimal(Decimal128.from_bid(reader.read_bytes(16)))},
    0x7F: lambda _: {"$maxKey": 1},
    0xFF: lambda _: {"$minKey": 1},
}

_CANONICAL: Final[Mapping[int, _Read]] = {
    **_RELAXED,
    0x01: lambda reader: {"$numberDouble": format_double(reader.read_number(_DOUBLE, 8))},
    0x09: lambda reader: _wrap_date(reader.read_number(_INT64, 8)),
    0x10: lambda reader: {"$numberInt": str(reader.read_number(_INT32, 4))},
    0x12: lambda reader: {"$numberLong": str(reader.read_number(_INT64, 8))},
}
