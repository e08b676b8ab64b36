"""What readers make of a stream: records, each with its place, and either a document or what is wrong with it."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Final, NamedTuple, Protocol, Self

from documents.errors import Fault
from documents.types import MAX_DOCUMENT_BYTES, Document

HEAD_BYTES: Final = 64 * 1024
"""What is kept of a record that is too large."""

PIECE_BYTES: Final = 256 * 1024
"""Bytes that a reader works on at once, however long the chunk is that it was fed."""

WHITE: Final = b" \t\r\n"
"""JSON's white space."""


class Format(StrEnum):
    """How records lie in a file. `ejson` is Extended JSON, a document a line or as an array."""

    NDJSON = "ndjson"
    JSON = "json"
    EJSON = "ejson"
    CSV = "csv"
    TSV = "tsv"
    BSON = "bson"
    PARQUET = "parquet"
    AVRO = "avro"
    XLSX = "xlsx"


class Record(NamedTuple):
    """One record as it lies in the stream: a line, an item of an array, a row, a document of a dump.

    Args:
        line: Where it begins, from 1. In BSON and Parquet, which have no lines, its number.
        offset: Of its first byte in the stream, decompressed. In Parquet, the number of its row from 0.
        end: Of the first byte behind it; line ends and commas are not part of it. `end - offset` is its true length.
        raw: The bytes themselves, or the first 64 KB (`HEAD_BYTES`) of a record that is too large. Parquet has none of
            its own, so there a row as Python shows it if it has a fault.
        document: What the record says; None if it has a fault.
        fault: What is wrong with it, the first thing if there are several.
    """

    line: int
    offset: int
    end: int
    raw: bytes
    document: Document | None
    fault: Fault | None


class Reader(Protocol):
    """Reads records from chunks that are pushed into it, as files, pipes and requests have them.

    How the stream is cut into chunks makes no difference to the records. Memory stays within a small multiple of one
    record. Nothing is raised for what the stream holds.
    """

    @property
    def line(self) -> int:
        """How many lines, or records where there are no lines, have been read to their end."""
        ...

    @property
    def offset(self) -> int:
        """How many bytes have been read."""
        ...

    def feed(self, chunk: bytes) -> Iterator[Record]:
        """Yield the records that end in this chunk. Exhaust this before more is fed."""
        ...

    def end(self) -> Iterator[Record]:
        """Yield what is left, and what is wrong with how the stream ends. To be called once, at the end of it."""
        ...


class Cut(bytes):
    """The beginning of something too large to keep.

    Args:
        head: Its first bytes.
        size: Bytes that it had.
    """

    size: int

    def __new__(cls, head: bytes, size: int) -> Self:
        """Return it with its true size."""
        cut = super().__new__(cls, head)
        cut.size = size
        return cut


def size_of(raw: bytes) -> int:
    """Return how many bytes something had in the stream."""
    return raw.size if isinstance(raw, Cut) else len(raw)


class Kept:
    """Bytes that are gathered until something ends, of which only the beginning is kept if they become too many."""

    __slots__ = ("_limit", "_pieces", "size")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._pieces: list[bytes] = []
        self.size = 0

    def add(self, piece: bytes) -> None:
        """Gather some more."""
        was_large = self.size > self._limit
        self.size += len(piece)
        if self.size <= self._limit:
            self._pieces.append(piece)
        elif not was_large:
            head_bytes = min(HEAD_BYTES, self._limit)
            self._pieces = [b"".join([*self._pieces, piece[:head_bytes]])[:head_bytes]]

    def take(self) -> bytes:
        """Return all, or a Cut, and begin anew."""
        raw = b"".join(self._pieces)
        if self.size > self._limit:
            raw = Cut(raw, self.size)
        self._pieces, self.size = [], 0
        return raw


class Rest:
    """What is left of a stream in which records cannot be told apart any more: one fault for all of it.

    Args:
        line: Where it begins.
        offset: Likewise.
        fault: Why.
    """

    def __init__(self, line: int, offset: int, fault: Fault) -> None:
        self.line = line
        self.offset = offset
        self._fault = fault
        self._kept = Kept(HEAD_BYTES)

    def add(self, piece: bytes) -> None:
        """Count some more of it."""
        self._kept.add(piece)

    def record(self) -> Record:
        """Return the one record that accounts for it."""
        size = self._kept.size
        detail = f"{self._fault.detail} The {size} bytes from here on were not read."
        fault = Fault(self._fault.pointer, self._fault.code, detail)
        return Record(self.line, self.offset, self.offset + size, bytes(self._kept.take()), None, fault)


def pieces_of(chunk: bytes) -> Iterator[bytes]:
    """Yield a chunk in pieces of at most `PIECE_BYTES`."""
    if len(chunk) <= PIECE_BYTES:
        yield chunk
        return
    for start in range(0, len(chunk), PIECE_BYTES):
        yield chunk[start : start + PIECE_BYTES]


def too_large(size: int, limit: int = MAX_DOCUMENT_BYTES) -> Fault:
    """Return the fault of a record of so many bytes."""
    return Fault("", "document-too-large", f"The record takes {size} bytes; {limit} are allowed.")
