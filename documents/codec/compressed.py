"""gzip and zstd around a stream, known by their first bytes and never by a file's name."""

import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Final, Protocol

import zstandard

from documents.codec.csv_columns import Column
from documents.codec.records import PIECE_BYTES, Reader, Record
from documents.errors import Fault

STEP_BYTES: Final = 512
"""Compressed bytes that are taken at once, counted from the beginning of the stream, so that what is read of a damaged
one does not depend on its chunks. In zstd 4 bytes may stand for 128 KB, so this also bounds memory, to 16 MB."""

MAX_WINDOW_BYTES: Final = 128 * 1024 * 1024
"""Memory that a zstd frame may ask for: what `zstd` itself allows without being told otherwise."""

_GZIP_BITS: Final = 31


class Compression(StrEnum):
    """How a stream is compressed. Several gzip members, or zstd frames, may follow each other."""

    GZIP = "gzip"
    ZSTD = "zstd"


_MAGIC: Final[Mapping[bytes, Compression]] = {
    b"\x1f\x8b\x08": Compression.GZIP,
    b"\x28\xb5\x2f\xfd": Compression.ZSTD,
}
MAGIC_BYTES: Final = max(map(len, _MAGIC))
"""First bytes that tell the compression."""


class CompressionError(ValueError):
    """The compressed bytes are damaged."""


class _Gzip:
    """Decompresses gzip, as the zlib module does, in bounded memory."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(_GZIP_BITS)
        self.is_whole = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        while data:
            if self.is_whole:
                data = data.lstrip(b"\0")  # members may be padded
                if not data:
                    return
                self._member = zlib.decompressobj(_GZIP_BITS)
            try:
                yield from self._inflate(data)
            except zlib.error as error:
                raise CompressionError(str(error)) from None
            self.is_whole = self._member.eof
            data = self._member.unused_data

    def _inflate(self, data: bytes) -> Iterator[bytes]:
        piece = self._member.decompress(data, PIECE_BYTES)
        while piece:
            yield piece
            piece = self._member.decompress(self._member.unconsumed_tail, PIECE_BYTES)


class _Zstd:
    """Decompresses zstd likewise."""

    def __init__(self) -> None:
        self._context = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW_BYTES)
        self._frame = self._context.decompressobj()
        self.is_whole = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        while data:
            if self.is_whole:
                self._frame = self._context.decompressobj()
            try:
                piece = self._frame.decompress(data)
            except zstandard.ZstdError as error:
                raise CompressionError(str(error)) from None
            self.is_whole = self._frame.eof
            data = self._frame.unused_data
            yield piece


class _Inflater(Protocol):
    is_whole: bool

    def feed(self, data: bytes) -> Iterator[bytes]: ...


_INFLATERS: Final[Mapping[Compression, Callable[[], _Inflater]]] = {Compression.GZIP: _Gzip, Compression.ZSTD: _Zstd}


def compression_of(head: bytes) -> Compression | None:
    """Return how a stream that begins so is compressed, if it is."""
    return next((compression for magic, compression in _MAGIC.items() if head.startswith(magic)), None)


def inflate_head(head: bytes) -> bytes:
    """Return what can be read of the beginning of a stream, decompressed if need be."""
    compression = compression_of(head)
    if compression is None:
        return head
    plain = bytearray()
    inflater = _INFLATERS[compression]()
    try:
        for start in range(0, len(head), STEP_BYTES):
            for piece in inflater.feed(head[start : start + STEP_BYTES]):
                plain += piece[:PIECE_BYTES]
            if len(plain) >= PIECE_BYTES:
                break
    except CompressionError:
        pass  # what came before the damage is the head all the same
    return bytes(plain)


class DecompressingReader:
    """Reads the records of a stream that may be compressed. Places are those of the decompressed stream.

    Damage, an early end and too many bytes are one fault each, behind the records that could be read. The last of
    these has a fault as well if the stream broke off within or right behind it, since more of it may have followed.

    Args:
        reader: What reads the stream.
        max_bytes: Decompressed bytes at which reading stops; None for no limit. A stream that is not compressed has
            none.
    """

    def __init__(self, reader: Reader, *, max_bytes: int | None = None) -> None:
        self._reader = reader
        self._left_bytes = max_bytes
        self._max_bytes = max_bytes
        self._waiting: bytes = b""
        self._is_known = False
        self._inflater: _Inflater | None = None
        self._fault: Fault | None = None

    @property
    def columns(self) -> Sequence[Column] | None:
        """The columns of CSV and TSV, as soon as they are known."""
        return getattr(self._reader, "columns", None)

    @property
    def line(self) -> int:
        """How many lines have been read to their end."""
        return self._reader.line

    @property
    def offset(self) -> int:
        """How many bytes have been read, decompressed."""
        return self._reader.offset

    def feed(self, chunk: bytes) -> Iterator[Record]:
        """Yield the records that end in this chunk."""
        if not self._is_known:
            chunk = self._waiting + chunk
            self._waiting = chunk
            if len(chunk) < MAGIC_BYTES:
                return
            self._begin(chunk)
            self._waiting = b""
        if self._inflater is None:
            yield from self._reader.feed(chunk)
            return
        data = self._waiting + chunk
        whole = len(data) - len(data) % STEP_BYTES
        self._waiting = data[whole:]
        for start in range(0, whole, STEP_BYTES):
            yield from self._inflate(self._inflater, data[start : start + STEP_BYTES])

    def end(self) -> Iterator[Record]:
        """Yield what is left, and what is wrong with the compression."""
        if not self._is_known:
            self._begin(self._waiting)
        if self._inflater is None:
            yield from self._reader.feed(self._waiting)
        else:
            yield from self._inflate(self._inflater, self._waiting)
            if not (self._fault or self._inflater.is_whole):
                self._fault = Fault("", "compression-cut", "The compressed stream breaks off: its end is missing.")
        if self._fault is None:
            yield from self._reader.end()
            return
        place = self._reader.offset
        for record in self._reader.end():
            if record.document is None and place <= record.offset == record.end:
                continue  # it says that the end lacks, and so does ours, at the same place
            is_last = record.end >= place and record.document is not None
            yield record._replace(document=None, fault=self._fault) if is_last else record
        place = self._reader.offset
        yield Record(self._reader.line + 1, place, place, b"", None, self._fault)

    def _begin(self, head: bytes) -> None:
        self._is_known = True
        compression = compression_of(head)
        if compression:
            self._inflater = _INFLATERS[compression]()

    def _inflate(self, inflater: _Inflater, data: bytes) -> Iterator[Record]:
        if self._fault:
            return
        try:
            for piece in inflater.feed(data):
                yield from self._reader.feed(piece if self._left_bytes is None else piece[: self._left_bytes])
                if self._is_used_up(len(piece)):
                    return
        except CompressionError as error:
            self._fault = Fault("", "compression-damaged", f"The compressed stream is damaged: {error}.")

    def _is_used_up(self, size: int) -> bool:
        if self._left_bytes is None:
            return False
        if size > self._left_bytes:
            detail = f"The stream holds more than {self._max_bytes} bytes when decompressed, which is the limit."
            self._fault = Fault("", "stream-too-large", detail)
        self._left_bytes = max(self._left_bytes - size, 0)
        return self._fault is not None
