"""The elements of BSON documents as bytes, for what must stay as it is stored, byte for byte.

Source:
    bsonspec.org, version 1.1.
"""

import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from documents.codec.encode import encode
from documents.codec.stored import StoredDocument

_LENGTH: Final = struct.Struct("<i")
DOCUMENT: Final = 0x03
_TIMESTAMP: Final = 0x11
_EMPTY_TIMESTAMP: Final = bytes(8)
ARRAY: Final = 0x04


class Element(NamedTuple):
    """One member of a document, or item of an array.

    Args:
        kind: The BSON type, a byte.
        name: As stored, which may not be UTF-8.
        payload: BSON of the value.
    """

    kind: int
    name: bytes
    payload: bytes

    @property
    def is_empty_timestamp(self) -> bool:
        """Whether it is a timestamp of zero, in whose place MongoDB may put the time."""
        return self.kind == _TIMESTAMP and self.payload == _EMPTY_TIMESTAMP

    def to_bytes(self, name: bytes | None = None) -> bytes:
        """Return the element, perhaps under another name."""
        return b"".join((bytes((self.kind,)), self.name if name is None else name, b"\0", self.payload))

    def decode(self) -> object:
        """Return the value as `StoredDocument.decode` gives it."""
        return StoredDocument(document_of([self.to_bytes(b"")])).decode()[""]


def elements_of(raw: bytes) -> Iterator[Element]:
    """Yield the elements of a document or array that `bson` can decode."""
    place = _LENGTH.size
    while kind := raw[place]:
        end = raw.index(0, place + 1)
        size = _SIZES[kind](raw, end + 1)
        yield Element(kind, raw[place + 1 : end], raw[end + 1 : end + 1 + size])
        place = end + 1 + size


def is_replaceable(raw: bytes) -> bool:
    """Tell whether MongoDB stores a document as it is when it replaces another.

    It reads a `$` at the beginning of a top-level key as that of an operator, and fills in empty timestamps there.
    """
    if b"$" not in raw and _EMPTY_TIMESTAMP not in raw:
        return True
    return not any(each.name.startswith(b"$") or each.is_empty_timestamp for each in elements_of(raw))


def element_of(name: str, value: object) -> bytes:
    """Return a value under a name as an element.

    Raises:
        InvalidDocumentError: BSON cannot hold the value.
    """
    return encode({name: value})[4:-1]


def document_of(elements: Iterable[bytes]) -> bytes:
    """Return the document, or array, of some elements."""
    body = b"".join(elements)
    return _LENGTH.pack(len(body) + 5) + body + b"\0"


def _fixed(size: int) -> Callable[[bytes, int], int]:
    return lambda _, __: size


def _sized(extra: int) -> Callable[[bytes, int], int]:
    return lambda raw, place: _LENGTH.unpack_from(raw, place)[0] + extra


def _regex(raw: bytes, place: int) -> int:
    return raw.index(0, raw.index(0, place) + 1) + 1 - place


_SIZES: Final[Mapping[int, Callable[[bytes, int], int]]] = {
    **dict.fromkeys((0x06, 0x0A, 0x7F, 0xFF), _fixed(0)),
    **dict.fromkeys((0x01, 0x09, 0x11, 0x12), _fixed(8)),
    **dict.fromkeys((0x02, 0x0D, 0x0E), _sized(4)),
    **dict.fromkeys((DOCUMENT, ARRAY, 0x0F), _sized(0)),
    0x05: _sized(5),
    0x07: _fixed(12),
    0x08: _fixed(1),
    0x0B: _regex,
    0x0C: _sized(16),
    0x10: _fixed(4),
    0x13: _fixed(16),
}
"""How many bytes a value of each type takes."""
