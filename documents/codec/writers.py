"""Documents out into files: NDJSON, a JSON array, Extended JSON, BSON. Tables have modules of their own."""

import zlib
from collections.abc import Callable, Iterable
from typing import Any, Final, Protocol, TypeAlias

import zstandard

from documents.codec.compressed import Compression
from documents.codec.encode import encode
from documents.codec.extended import dump_extended
from documents.codec.plain import dump
from documents.codec.stored import StoredDocument
from documents.types import Document

Exported: TypeAlias = Document | StoredDocument
"""A document to write: as Python values, or better as it is stored, which keeps every type."""

_GZIP_BITS: Final = 31
_GZIP_LEVEL: Final = 6


class TooManyColumnsError(ValueError):
    """The documents have more fields than a table may have columns."""


class Writer(Protocol):
    """Makes the bytes of a file, some documents at a time. What `start`, `write` and `end` return makes the file."""

    def start(self) -> bytes:
        """Return what comes before all documents."""
        ...

    def write(self, documents: Iterable[Exported]) -> bytes:
        """Return some documents more.

        Raises:
            InvalidDocumentError: A document given as Python values cannot be stored.
            bson.errors.InvalidBSON: A stored one is damaged.
        """
        ...

    def end(self) -> bytes:
        """Return what comes behind all documents."""
        ...


def raw_of(document: Exported) -> bytes:
    """Return a document's BSON."""
    return document.raw if isinstance(document, StoredDocument) else encode(document)


def values_of(document: Exported) -> Document:
    """Return a document as Python values."""
    return document.decode() if isinstance(document, StoredDocument) else document


class LineWriter:
    """Writes a document a line.

    Args:
        dump: What makes a line of a document.
    """

    def __init__(self, dump: Callable[[Exported], bytes]) -> None:
        self._dump = dump

    def start(self) -> bytes:
        """Return nothing."""
        return b""

    def write(self, documents: Iterable[Exported]) -> bytes:
        """Return the lines of some documents."""
        return b"".join([self._dump(document) + b"\n" for document in documents])

    def end(self) -> bytes:
        """Return nothing."""
        return b""


class JsonArrayWriter:
    """Writes one array in plain JSON, a document a line."""

    def __init__(self) -> None:
        self._before = b"\n"

    def start(self) -> bytes:
        """Return what opens the array."""
        return b"["

    def write(self, documents: Iterable[Exported]) -> bytes:
        """Return some items."""
        items = b",\n".join(map(dump_plain, documents))
        if not items:
            return b""
        before, self._before = self._before, b",\n"
        return before + items

    def end(self) -> bytes:
        """Return what closes the array."""
        return b"\n]\n"


class BsonWriter:
    """Writes documents one behind the other, as mongodump does and mongorestore reads."""

    def start(self) -> bytes:
        """Return nothing."""
        return b""

    def write(self, documents: Iterable[Exported]) -> bytes:
        """Return the BSON of some documents."""
        return b"".join(map(raw_of, documents))

    def end(self) -> bytes:
        """Return nothing."""
        return b""


class CompressingWriter:
    """Compresses what another writer writes. The same documents, written alike, make the same bytes.

    Args:
        writer: The other.
        compression: How.
    """

    def __init__(self, writer: Writer, compression: Compression) -> None:
        self._writer = writer
        self._stream: Any = (
            zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP_BITS)
            if compression is Compression.GZIP
            else zstandard.ZstdCompressor().compressobj()
        )

    def start(self) -> bytes:
        """Return what comes before all documents, as far as it is ready."""
        return self._stream.compress(self._writer.start())

    def write(self, documents: Iterable[Exported]) -> bytes:
        """Return what is ready by now."""
        return self._stream.compress(self._writer.write(documents))

    def end(self) -> bytes:
        """Return all that is left."""
        return self._stream.compress(self._writer.end()) + self._stream.flush()


def dump_plain(document: Exported) -> bytes:
    """Return a document in plain JSON."""
    return dump(values_of(document))


def dump_canonical(document: Exported) -> bytes:
    """Return a document in canonical Extended JSON, in which no type is lost."""
    return dump_extended(raw_of(document), canonical=True)
