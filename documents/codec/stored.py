"""A document as MongoDB sends it, decoded only when somebody looks into it."""

import struct
from collections.abc import Callable, Mapping
from hashlib import blake2b
from typing import Any, Final

import bson
from bson.binary import UuidRepresentation
from bson.errors import InvalidBSON
from bson.objectid import ObjectId

from documents.codec.plain import CODEC_OPTIONS, dump
from documents.types import MAX_DOCUMENT_BYTES, MISSING, Document

_LENGTH: Final = struct.Struct("<i")
_LEAST_BYTES: Final = 5
PIECE_BYTES: Final = 1024 * 1024
_ETAG_BYTES: Final = 12
_OBJECTID_FIRST: Final = b"\x07_id\0"
_ID_NAME: Final = b"_id\0"
_ID_START: Final = len(_OBJECTID_FIRST) + _LENGTH.size
_STRICT_OPTIONS: Final = CODEC_OPTIONS.with_options(unicode_decode_error_handler="strict")
_LENIENT_OPTIONS: Final = CODEC_OPTIONS.with_options(uuid_representation=UuidRepresentation.UNSPECIFIED)


def _sized(extra: int) -> Callable[[bytes], int]:
    return lambda raw: _LENGTH.unpack_from(raw, _ID_START)[0] + extra


# Bytes that the value of an `_id` takes, for the types that ids mostly have: string, binary, ObjectId, int32, int64.
_ID_BYTES: Final[Mapping[int, Callable[[bytes], int]]] = {
    0x02: _sized(4),
    0x05: _sized(5),
    0x07: lambda _: 12,
    0x10: lambda _: 4,
    0x12: lambda _: 8,
}


class StoredDocument:
    """One stored document.

    Args:
        raw: Its BSON, as stored.
    """

    __slots__ = ("_etag", "raw")

    def __init__(self, raw: bytes) -> None:
        self.raw: Final = raw
        self._etag: str | None = None

    def __repr__(self) -> str:
        return f"StoredDocument({len(self.raw)} bytes)"

    @property
    def etag(self) -> str:
        """The strong entity tag, with its quotes."""
        if self._etag is None:
            self._etag = etag_of(self.raw)
        return self._etag

    @property
    def id(self) -> Any:  # noqa: ANN401  # ids are of any BSON type but array
        """The `_id`, read without the rest if it comes first, as in collections it does; MISSING if projected away."""
        raw = self.raw
        if raw.startswith(_OBJECTID_FIRST, 4):
            return ObjectId(raw[_ID_START : _ID_START + 12])
        if raw.startswith(_ID_NAME, 5) and raw[4] in _ID_BYTES:
            first = raw[4 : _ID_START + _ID_BYTES[raw[4]](raw)]
            raw = _LENGTH.pack(len(first) + _LEAST_BYTES) + first + b"\0"
        return _decode(raw).get("_id", MISSING)

    def decode(self) -> Document:
        """Return the document as Python values, a new one each time.

        Raises:
            bson.errors.InvalidBSON: The bytes are damaged.
        """
        return _decode(self.raw)


class StoredBatch:
    """Up to `limit` documents that MongoDB sent one behind the other, decoded together: half the work of one by one.

    `read` holds what is meant in the order in which it was sent, and the document behind it if that was sent, too;
    `sent` begins with the bytes of the same. `is_odd` tells that not all of it is what MongoDB has: some text is not
    UTF-8, or some UUID not of 16 bytes.

    Args:
        raw: Their BSON.
        limit: How many are meant.
        backwards: Whether the last of them is the first that is meant.
        more: Whether MongoDB has more of them.
        size_bytes: What is meant ends before this size, but has one document at least.
    """

    __slots__ = ("_json", "_limit", "_step", "documents", "has_more", "is_odd", "raw", "read", "sent")

    def __init__(
        self,
        raw: bytes,
        *,
        limit: int,
        backwards: bool = False,
        more: bool = False,
        size_bytes: int = MAX_DOCUMENT_BYTES,
    ) -> None:
        self.sent: Final = raw
        behind = b""
        if len(raw) > size_bytes:
            raw, more = _cut(raw, size_bytes)
            end = len(raw)
            behind = self.sent[end : end + _read_length(self.sent, end)] if more else behind
        decoded, is_odd = _decode_all(raw)
        following, is_odd_behind = _decode_all(behind)
        self.is_odd: Final = is_odd or is_odd_behind
        self.raw: Final = raw
        self._limit: Final = limit
        self._step: Final = -1 if backwards else 1
        self.has_more: Final = more or len(decoded) > limit
        self.read = decoded + following
        self.documents: Final[list[Document]] = decoded[:limit][:: self._step]
        self._json: bytes | None = None

    def to_json(self) -> bytes:
        """Return the documents as an array in plain JSON. Many may ask for it; it is written once."""
        if self._json is None:
            self._json = dump(self.documents)
        return self._json

    def split(self) -> list[StoredDocument]:
        """Return the documents as they are stored."""
        return split_batch(self.raw)[: self._limit][:: self._step]


def etag_of(raw: bytes) -> str:
    """Return the strong entity tag of a stored document, with its quotes.

    Two documents have the same one only if every byte is the same: also the order of fields, and 1 is not 1.0.

    Source:
        RFC 9110, section 8.8.3.
    """
    return f'"{blake2b(raw, digest_size=_ETAG_BYTES).hexdigest()}"'


def split_batch(data: bytes) -> list[StoredDocument]:
    """Return the documents of a batch, as `find_raw_batches` gives them: one behind the other.

    Raises:
        bson.errors.InvalidBSON: The lengths do not add up.
    """
    documents: list[StoredDocument] = []
    start = 0
    while start < len(data):
        end = start + _read_length(data, start)
        documents.append(StoredDocument(data[start:end]))
        start = end
    return documents


def _cut(data: bytes, size_bytes: int) -> tuple[bytes, bool]:
    """Return the documents that fit into so many bytes, one at least, and whether any were left out."""
    end = _read_length(data, 0)
    while end < len(data) and end + _read_length(data, end) <= size_bytes:
        end += _read_length(data, end)
    return data[:end], end < len(data)


def _pieces_of(data: bytes) -> list[bytes]:
    """Return a batch in pieces of about `PIECE_BYTES`: decoding is one call, during which no other thread runs."""
    pieces: list[bytes] = []
    begin = end = 0
    while end < len(data):
        length = _read_length(data, end)
        if end > begin and end + length - begin > PIECE_BYTES:
            pieces.append(data[begin:end])
            begin = end
        end += length
    return [*pieces, data[begin:]]


def _read_length(data: bytes, start: int) -> int:
    rest = len(data) - start
    length = _LENGTH.unpack_from(data, start)[0] if rest >= _LEAST_BYTES else 0
    if not _LEAST_BYTES <= length <= rest:
        raise InvalidBSON(f"no document begins at byte {start} of the batch")
    return length


def _decode_all(raw: bytes) -> tuple[list[Document], bool]:
    """Return the documents of a batch, and whether something in them cannot be read as it is."""
    decoded: list[Document] = []
    is_odd = False
    for piece in _pieces_of(raw) if len(raw) > PIECE_BYTES else [raw]:
        try:
            decoded += bson.decode_all(piece, _STRICT_OPTIONS)  # pyright: ignore[reportUnknownMemberType]  # an overload takes `array`
        except InvalidBSON:
            decoded += [document.decode() for document in split_batch(piece)]
            is_odd = True
    return decoded, is_odd


def _decode(raw: bytes) -> Document:
    try:
        return bson.decode(raw, CODEC_OPTIONS)  # pyright: ignore[reportUnknownMemberType]  # an overload takes `array`
    except InvalidBSON:
        # Some writers store, as UUIDs, binaries that are not 16 bytes long. They must not make a document unreadable.
        return bson.decode(raw, _LENIENT_OPTIONS)  # pyright: ignore[reportUnknownMemberType]  # as above
