"""A value of every BSON type, as bytes, with the odd ones that only other programs write."""

import struct

from documents.codec.elements import Element, document_of


def _text(data: bytes) -> bytes:
    return struct.pack("<i", len(data) + 1) + data + b"\0"


def _binary(subtype: int, data: bytes) -> bytes:
    return struct.pack("<iB", len(data), subtype) + data


def _decimal(high: int, low: int) -> bytes:
    return struct.pack("<QQ", low, high)


_INNER = document_of(
    [Element(0x10, b"x", struct.pack("<i", 1)).to_bytes(), Element(0x10, b"x", struct.pack("<i", 2)).to_bytes()]
)

VALUES: dict[str, tuple[int, bytes]] = {
    "double": (0x01, struct.pack("<d", 1.5)),
    "whole double": (0x01, struct.pack("<d", 5.0)),
    "minus zero": (0x01, struct.pack("<d", -0.0)),
    "large double": (0x01, struct.pack("<d", 1e300)),
    "NaN": (0x01, struct.pack("<d", float("nan"))),
    "infinity": (0x01, struct.pack("<d", float("-inf"))),
    "string": (0x02, _text(b"caf\xc3\xa9")),
    "empty string": (0x02, _text(b"")),
    "not UTF-8": (0x02, _text(b"caf\xe9 \xff")),
    "text like an id": (0x02, _text(b"65920080090dc4cfcb0320c3")),
    "text like a date": (0x02, _text(b"2026-01-01T00:00:00.000Z")),
    "object": (0x03, document_of([Element(0x12, b"x", struct.pack("<q", 7)).to_bytes()])),
    "empty object": (0x03, document_of([])),
    "dotted key": (0x03, document_of([Element(0x10, b"c.d", struct.pack("<i", 5)).to_bytes()])),
    "dollar key": (0x03, document_of([Element(0x10, b"$schema", struct.pack("<i", 5)).to_bytes()])),
    "empty key": (0x03, document_of([Element(0x10, b"", struct.pack("<i", 5)).to_bytes()])),
    "key twice": (0x03, _INNER),
    "key not UTF-8": (0x03, document_of([Element(0x10, b"k\xff", struct.pack("<i", 5)).to_bytes()])),
    "array": (0x04, document_of([Element(0x12, b"0", struct.pack("<q", 7)).to_bytes()])),
    "array with odd places": (0x04, document_of([Element(0x10, b"7", struct.pack("<i", 7)).to_bytes()])),
    "binary": (0x05, _binary(0, b"Hello\0\xff")),
    "binary of a user": (0x05, _binary(0x80, b"Hello")),
    "old binary": (0x05, _binary(2, struct.pack("<i", 3) + b"abc")),
    "old UUID": (0x05, _binary(3, bytes(range(16)))),
    "UUID": (0x05, _binary(4, bytes(range(16)))),
    "short UUID": (0x05, _binary(4, b"abc")),
    "undefined": (0x06, b""),
    "ObjectId": (0x07, bytes(range(12))),
    "true": (0x08, b"\1"),
    "false": (0x08, b"\0"),
    "date": (0x09, struct.pack("<q", 1772353800250)),
    "date before 1970": (0x09, struct.pack("<q", -1)),
    "date after 9999": (0x09, struct.pack("<q", 2**52)),
    "last date": (0x09, struct.pack("<q", 2**63 - 1)),
    "null": (0x0A, b""),
    "regex": (0x0B, b"^a\0im\0"),
    "DBPointer": (0x0C, _text(b"db.c") + bytes(range(12))),
    "code": (0x0D, _text(b"return 1")),
    "symbol": (0x0E, _text(b"sym")),
    "code with scope": (0x0F, struct.pack("<i", 4 + 4 + 2 + 5) + _text(b"f") + document_of([])),
    "int32": (0x10, struct.pack("<i", 5)),
    "timestamp": (0x11, struct.pack("<II", 2, 1)),
    "int64": (0x12, struct.pack("<q", 5)),
    "large int64": (0x12, struct.pack("<q", 2**63 - 1)),
    "decimal": (0x13, _decimal(0x303C000000000000, 2150)),
    "decimal with exponent": (0x13, _decimal(0x3046000000000000, 1)),
    "decimal minus zero": (0x13, _decimal(0xB040000000000000, 0)),
    "decimal NaN": (0x13, _decimal(0x7C00000000000000, 0)),
    "decimal infinity": (0x13, _decimal(0xF800000000000000, 0)),
    "MinKey": (0xFF, b""),
    "MaxKey": (0x7F, b""),
    "DBRef": (
        0x03,
        document_of([Element(0x02, b"$ref", _text(b"c")).to_bytes(), Element(0x10, b"$id", struct.pack("<i", 1)).to_bytes()]),
    ),
}  # fmt: skip
"""The type byte and the payload, by a name for people."""


def document_with(kind: int, payload: bytes, *, n: int = 1, number: int = 1) -> bytes:
    """Return a document that has a value at the top, in an object, and twice in an array, beside an int32 `n`."""

    def value(name: bytes) -> bytes:
        return Element(kind, name, payload).to_bytes()

    return document_of(
        [
            Element(0x10, b"_id", struct.pack("<i", number)).to_bytes(),
            value(b"v"),
            Element(0x03, b"o", document_of([value(b"v"), value(b"w")])).to_bytes(),
            Element(0x04, b"a", document_of([value(b"0"), value(b"1")])).to_bytes(),
            Element(0x10, b"n", struct.pack("<i", n)).to_bytes(),
            Element(0x02, b"last", _text(b"x")).to_bytes(),
        ]
    )
