"""Documents to BSON, with every type that Extended JSON can name."""

import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Final, cast

import bson
from bson.code import Code
from bson.errors import InvalidDocument, InvalidStringData
from bson.objectid import ObjectId

from documents.codec.deprecated import DBPointer, Symbol, Undefined
from documents.codec.plain import CODEC_OPTIONS
from documents.errors import DocumentTooLargeError, Fault, InvalidDocumentError
from documents.types import MAX_DOCUMENT_BYTES, Document, RawValue, child

MAX_FAULTS: Final = 100
_INT64: Final = range(-(2**63), 2**63)
_LENGTH: Final = struct.Struct("<i")
_OBJECT_ID: Final = b"\x07_id\0"
_REFUSALS: Final = (InvalidDocument, InvalidStringData, OverflowError, UnicodeError)


def encode(document: Document) -> bytes:
    """Return a document as BSON. Dates without a zone mean UTC.

    Raises:
        InvalidDocumentError: A value that BSON cannot hold, such as an integer beyond int64 or a key with NUL.
        DocumentTooLargeError: The BSON takes over 16 MB.
    """
    try:
        raw = _encode(document)
    except _REFUSALS:
        raw = _encode_deprecated(document)
    if len(raw) > MAX_DOCUMENT_BYTES:
        raise DocumentTooLargeError(f"The document takes {len(raw)} bytes as BSON; {MAX_DOCUMENT_BYTES} are allowed.")
    return raw


def encode_with_id(document: Document, object_id: ObjectId) -> bytes:
    """Return a document that has no `_id` as BSON, with this one first; cheaper than to make a new dict of both."""
    raw = encode(document)
    size = len(raw) + len(_OBJECT_ID) + len(object_id.binary)
    if size > MAX_DOCUMENT_BYTES:
        raise DocumentTooLargeError(f"The document takes {size} bytes as BSON; {MAX_DOCUMENT_BYTES} are allowed.")
    return b"".join((_LENGTH.pack(size), _OBJECT_ID, object_id.binary, raw[_LENGTH.size :]))


def encode_exactly(document: Mapping[str, Any]) -> bytes:
    """Return a document with a RawValue somewhere in it as BSON.

    Raises:
        InvalidDocumentError: As for `encode`.
    """
    return _encode_deprecated(document)


def _encode_deprecated(document: Mapping[str, Any]) -> bytes:
    """Return as BSON what `bson` does not: slower by far, and only for a document that needs it."""
    try:
        return _write_document(document.items())
    except _REFUSALS:
        # Their messages may quote the value.
        detail = "A value is none that BSON can hold: integers must fit into 64 bits, and keys be without NUL."
        faults = [Fault(pointer, "not-bson", detail) for pointer in islice(_spots(document, ""), MAX_FAULTS)]
        raise InvalidDocumentError(detail, faults or [Fault("", "not-bson", detail)]) from None


def _spots(value: object, pointer: str) -> Iterator[str]:
    """Yield the JSON pointers of what BSON cannot hold."""
    if isinstance(value, dict):
        for key, item in cast("Document", value).items():
            yield from [child(pointer, key)] if "\0" in key else _spots(item, child(pointer, key))
    elif isinstance(value, list):
        for index, item in enumerate(cast("list[object]", value)):
            yield from _spots(item, child(pointer, index))
    elif isinstance(value, int) and value not in _INT64:
        yield pointer


def _encode(document: Document) -> bytes:
    return bson.encode(document, codec_options=CODEC_OPTIONS)


def _write_document(members: Iterable[tuple[str, Any]]) -> bytes:
    body = b"".join(_write_element(name, value) for name, value in members)
    return _LENGTH.pack(len(body) + 5) + body + b"\0"


def _write_element(name: str, value: object) -> bytes:
    write = _WRITERS.get(type(value))
    if write is None or (isinstance(value, Code) and value.scope is None):
        return _encode({name: value})[4:-1]
    kind, payload = write(value)
    # A document of one null is its length, a type, the name with its NUL, and the end.
    return bytes([kind]) + _encode({name: None})[5:-1] + payload


def _write_string(text: str) -> bytes:
    # Likewise the element of a string, without its type and empty name.
    return _encode({"": text})[6:-1]


def _write_list(value: list[Any]) -> tuple[int, bytes]:
    return 0x04, _write_document((str(index), item) for index, item in enumerate(value))


def _write_code(value: Code) -> tuple[int, bytes]:
    body = _write_string(str(value)) + _write_document(cast("Mapping[str, Any]", value.scope).items())
    return 0x0F, _LENGTH.pack(len(body) + 4) + body


# Types that nothing else can write, and those that may contain them.
_WRITERS: Final[Mapping[type, Callable[[Any], tuple[int, bytes]]]] = {
    dict: lambda value: (0x03, _write_document(value.items())),
    list: _write_list,
    Code: _write_code,
    Undefined: lambda _: (0x06, b""),
    DBPointer: lambda value: (0x0C, _write_string(value.namespace) + value.id.binary),
    Symbol: lambda value: (0x0E, _write_string(value.text)),
    RawValue: lambda value: (value.kind, value.payload),
}
