"""Extended JSON in files: a document a line, or all in one array, as mongoexport writes either."""

from collections.abc import Iterator

from documents.codec.batch import ParseBatch
from documents.codec.json_array import JsonArrayReader
from documents.codec.lines import BOM, LineReader
from documents.codec.records import WHITE, Reader, Record


class ExtendedReader:
    """Reads an array if the first byte that is no white space is `[`, and else lines.

    Args:
        parse: What makes documents of texts.
        limit: Bytes of a document's text.
        start: Documents that begin before this byte are passed over.
    """

    def __init__(self, parse: ParseBatch, *, limit: int, start: int = 0) -> None:
        self._parse = parse
        self._limit = limit
        self._start = start
        self._head = b""
        self._reader: Reader | None = None

    @property
    def line(self) -> int:
        """How many lines have been read to their end."""
        return self._reader.line if self._reader else 0

    @property
    def offset(self) -> int:
        """How many bytes have been read."""
        return self._reader.offset if self._reader else 0

    def feed(self, chunk: bytes) -> Iterator[Record]:
        """Yield the records that end in this chunk."""
        if self._reader is None:
            self._head += chunk
            text = self._head.removeprefix(BOM).lstrip(WHITE)
            if not text or (len(self._head) < len(BOM) and BOM.startswith(self._head)):
                return
            self._reader, chunk = self._choose(text), self._head
            self._head = b""
        yield from self._reader.feed(chunk)

    def end(self) -> Iterator[Record]:
        """Yield what is left."""
        if self._reader is None:
            self._reader = self._choose(b"")
            yield from self._reader.feed(self._head)
        yield from self._reader.end()

    def _choose(self, text: bytes) -> Reader:
        make = JsonArrayReader if text.startswith(b"[") else LineReader
        return make(self._parse, limit=self._limit, start=self._start)
