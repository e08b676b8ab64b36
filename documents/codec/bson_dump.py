"""BSON dumps, as mongodump writes them: documents one behind the other, with nothing between.

A document that is damaged inside is one fault, as its length says where the next one begins. If the length itself
cannot be right, nothing does, and all that is left is one fault.
"""

import struct
from collections.abc import Iterator
from typing import Any, Final

import bson
from bson.binary import UuidRepresentation
from bson.codec_options import CodecOptions
from bson.errors import InvalidBSON

from documents.codec.encode import encode
from documents.codec.extended import decode_extended
from documents.codec.plain import CODEC_OPTIONS
from documents.codec.raw_bson import read_document
from documents.codec.records import Record, Rest, pieces_of
from documents.codec.strict import check_keys
from documents.codec.tree import is_deep
from documents.errors import Fault, InputError
from documents.types import MAX_DEPTH, Document

_LENGTH: Final = struct.Struct("<i")
_LEAST_BYTES: Final = 5
# Unlike a read, which must not fail for it, a load does not replace bytes that are not UTF-8.
_OPTIONS: Final = CODEC_OPTIONS.with_options(unicode_decode_error_handler="strict")


class _Watched(dict[str, Any]):
    """An object that is decoded, and does not take a key twice."""

    def __setitem__(self, key: str, value: object) -> None:
        if key in self:
            raise InvalidBSON("duplicate key")
        super().__setitem__(key, value)


_WATCHED_OPTIONS: Final = CodecOptions(
    document_class=_Watched,
    uuid_representation=UuidRepresentation.UNSPECIFIED,
    datetime_conversion=_OPTIONS.datetime_conversion,
)


class BsonReader:
    """Reads the documents of a dump. Their numbers stand for lines.

    Args:
        limit: Bytes of a document. No greater length can be right.
        start: Documents that begin before this byte are passed over, undecoded.

    Source:
        bsonspec.org, version 1.1.
    """

    def __init__(self, *, limit: int, start: int = 0, any_keys: bool = False) -> None:
        self._limit = limit
        self._start = start
        self._any_keys = any_keys
        self._pieces: list[bytes] = []
        self._pieces_bytes = 0
        self._needed_bytes = _LENGTH.size
        self._begin = 0  # of the document that is being read
        self._rest: Rest | None = None
        self.line = 0
        self.offset = 0

    def feed(self, chunk: bytes) -> Iterator[Record]:
        """Yield a record for each document that ends in this chunk."""
        for piece in pieces_of(chunk):
            self.offset += len(piece)
            if self._rest:
                self._rest.add(piece)
                continue
            self._pieces.append(piece)
            self._pieces_bytes += len(piece)
            if self._pieces_bytes >= self._needed_bytes:
                yield from self._read(b"".join(self._pieces))

    def end(self) -> Iterator[Record]:
        """Yield what is left over."""
        if not self._rest and self._pieces_bytes:
            self._give_up("The dump ends inside a document.", b"".join(self._pieces))
        if self._rest:
            yield self._rest.record()

    def _read(self, data: bytes) -> Iterator[Record]:
        """Yield the documents that `data` has whole, and keep what follows."""
        start = 0
        self._needed_bytes = _LENGTH.size
        while len(data) - start >= _LENGTH.size:
            length: int = _LENGTH.unpack_from(data, start)[0]
            if not _LEAST_BYTES <= length <= self._limit:
                self._give_up(f"A document begins with its length, and {length} cannot be one.", data[start:])
                return
            if len(data) - start < length:
                self._needed_bytes = length
                break
            self.line += 1
            if self._begin >= self._start:
                yield _record(self.line, self._begin, data[start : start + length], any_keys=self._any_keys)
            start += length
            self._begin += length
        self._keep(data[start:])

    def _keep(self, data: bytes) -> None:
        self._pieces = [data] if data else []
        self._pieces_bytes = len(data)

    def _give_up(self, detail: str, data: bytes) -> None:
        self._rest = Rest(self.line + 1, self._begin, Fault("", "malformed-bson", detail))
        self._rest.add(data)
        self._keep(b"")


def _record(line: int, offset: int, raw: bytes, *, any_keys: bool) -> Record:
    value = read_bson(raw, any_keys=any_keys)
    document, fault = (None, value) if isinstance(value, Fault) else (value, None)
    return Record(line, offset, offset + len(raw), raw, document, fault)


def read_bson(raw: bytes, *, any_keys: bool = False) -> Document | Fault:
    """Return what a document's BSON says, so that `encode` writes the same again, or what is wrong with it.

    Args:
        raw: The BSON.
        any_keys: Take keys that no document may have.
    """
    try:
        document = _decode(raw)
    except InvalidBSON as error:
        if "recursion" in str(error):  # `bson` has a limit of its own, some hundreds of levels
            return Fault("", "too-deep", f"Nothing may nest deeper than {MAX_DEPTH} levels.")
        return Fault("", "malformed-bson", f"The document is damaged: {error}.")
    if is_deep(document):
        return Fault("", "too-deep", f"Nothing may nest deeper than {MAX_DEPTH} levels.")
    refused = [] if any_keys else check_keys(document)
    if refused:
        return refused[0]
    return document if encode(document) == raw else _read_exactly(raw)


def _decode(raw: bytes) -> Document:
    try:
        return bson.decode(raw, _OPTIONS)  # pyright: ignore[reportUnknownMemberType]  # an overload takes `array`
    except InvalidBSON:
        # As for stored documents: a binary that is no UUID although it says so.
        options = _OPTIONS.with_options(uuid_representation=UuidRepresentation.UNSPECIFIED)
        return bson.decode(raw, options)  # pyright: ignore[reportUnknownMemberType]  # as above


def _read_exactly(raw: bytes) -> Document | Fault:
    """Return a document with types that `bson` decodes as others, or with a key twice."""
    try:
        bson.decode(raw, _WATCHED_OPTIONS)  # pyright: ignore[reportUnknownMemberType]  # as above
    except InvalidBSON:  # what else could be wrong was found before
        return Fault("", "duplicate-key", "An object has the same key twice; which of the two is meant?")
    try:
        return decode_extended(read_document(raw, canonical=True))
    except InputError as error:
        return error.faults[0] if error.faults else Fault("", error.code, error.detail)
