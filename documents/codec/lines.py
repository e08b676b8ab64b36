"""Lines out of chunks, and records that take a line each: NDJSON, and Extended JSON in lines."""

from collections.abc import Iterator, Sequence
from typing import Final

from documents.codec.batch import BATCH, ParseBatch
from documents.codec.records import Cut, Kept, Record, pieces_of, size_of, too_large
from documents.errors import Fault

BOM: Final = b"\xef\xbb\xbf"


class Lines:
    """Cuts a stream into lines.

    Args:
        limit: Bytes of a line; of a longer one only the beginning is kept, as a Cut.
        line_end: The byte that ends a line.
    """

    def __init__(self, limit: int, line_end: bytes = b"\n") -> None:
        self._kept = Kept(limit)
        self._line_end = line_end
        self._limit = limit
        self._is_first = True
        self.bom_bytes = 0
        """Bytes of the byte order mark that the first line is without."""

    @property
    def kept_bytes(self) -> int:
        """Bytes of the line that has not ended yet."""
        return self._kept.size

    def feed(self, piece: bytes) -> list[bytes]:
        """Return the lines that end in this piece, without their line ends."""
        head, line_feed, rest = piece.partition(self._line_end)
        self._kept.add(head)
        if not line_feed:
            return []
        first = self._take()
        lines = rest.split(self._line_end)
        self._kept.add(lines.pop())
        if len(rest) > self._limit:
            lines = [self._cut(line) for line in lines]
        return [first, *lines]

    def end(self) -> list[bytes]:
        """Return the last line, if it goes without a line feed."""
        return [self._take()] if self._kept.size else []

    def _take(self) -> bytes:
        line = self._kept.take()
        if self._is_first:
            self._is_first = False
            if line.startswith(BOM):
                self.bom_bytes = len(BOM)
                line = Cut(line[len(BOM) :], line.size - len(BOM)) if isinstance(line, Cut) else line[len(BOM) :]
        return line

    def _cut(self, line: bytes) -> bytes:
        if len(line) <= self._limit:
            return line
        kept = Kept(self._limit)
        kept.add(line)
        return kept.take()


class LineReader:
    """Reads a document from each line.

    Blank lines are skipped but counted. Lines end in LF or CRLF; the last may go without. The first may begin with a
    byte order mark.

    Args:
        parse: What makes documents of lines.
        limit: Bytes of a line. A longer one is one fault.
        start: Lines that begin before this byte are passed over, unparsed.

    Source:
        NDJSON specification 1.0.0, section 3.
    """

    def __init__(self, parse: ParseBatch, *, limit: int, start: int = 0) -> None:
        self._parse = parse
        self._limit = limit
        self._start = start
        self._lines = Lines(limit)
        self._offset = 0
        self.line = 0

    @property
    def offset(self) -> int:
        """How many bytes have been read."""
        return self._offset + self._lines.kept_bytes

    def feed(self, chunk: bytes) -> Iterator[Record]:
        """Yield a record for each line that ends in this chunk."""
        for piece in pieces_of(chunk):
            lines = self._lines.feed(piece)
            for start in range(0, len(lines), BATCH):
                yield from self._read(lines[start : start + BATCH])

    def end(self) -> Iterator[Record]:
        """Yield the last line, if it goes without a line feed."""
        lines = self._lines.end()
        yield from self._read(lines)
        self._offset -= len(lines)  # each was counted with a line feed

    def _read(self, lines: Sequence[bytes]) -> list[Record]:
        if not self.line:
            self._offset += self._lines.bom_bytes
        line, offset = self.line, self._offset
        texts: list[bytes] = []
        places: list[tuple[int, int]] = []
        for raw in lines:
            line += 1
            text = raw if type(raw) is Cut else raw.rstrip(b" \t\r")
            if text and offset >= self._start:
                texts.append(text)
                places.append((line, offset))
            offset += size_of(raw) + 1
        self.line, self._offset = line, offset
        return records_of(places, texts, self._parse, self._limit)


def records_of(
    places: Sequence[tuple[int, int]], texts: Sequence[bytes], parse: ParseBatch, limit: int
) -> list[Record]:
    """Return the records of some texts.

    Args:
        places: Line and offset of each text.
        texts: Bytes as they lie in the stream; those that are too large are a Cut.
        parse: What makes documents of them.
        limit: Bytes allowed, for the message.
    """
    if not texts:
        return []
    if Cut in set(map(type, texts)):
        values = [too_large(text.size, limit) if isinstance(text, Cut) else parse([text])[0] for text in texts]
    else:
        values = parse(texts)
    return [
        Record(line, offset, offset + size_of(text), text, None, value)
        if isinstance(value, Fault)
        else Record(line, offset, offset + len(text), text, value, None)
        for (line, offset), text, value in zip(places, texts, values, strict=True)
    ]
