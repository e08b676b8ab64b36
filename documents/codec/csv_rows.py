"""Rows out of delimited text: where each ends, and which cells it has.

A cell may be quoted as RFC 4180 has it, and then hold delimiters, quotes (doubled) and line breaks. A quote inside a
cell that does not begin with one is an ordinary character. A row whose quotes are wrong is at fault with its first line
only, since a stray quote would else take good rows with it: reading goes on at the next line. Where the quotes are
right, the row is what they say, over however many lines.

Source:
    RFC 4180, section 2.
"""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from documents.codec.lines import Lines
from documents.codec.records import Cut, pieces_of, size_of


class Row(NamedTuple):
    """One row as it lies in the stream.

    Args:
        line: Where it begins, from 1.
        offset: Of its first byte.
        raw: Its bytes without the line end; a Cut if it is too large.
        is_quoted_well: Whether each quoted cell ends, and ends at a delimiter.
    """

    line: int
    offset: int
    raw: bytes
    is_quoted_well: bool


_NEVER: Final = b"\0" * 16
"""Stands for a mark that there is none of."""


class Quoting:
    """How cells are told apart.

    Args:
        delimiter: One ASCII character, neither a quote nor a line break. A space stands for any number of them.
        quote: What encloses cells: one ASCII character, or none if it is empty.
        escape: What takes the meaning of the character behind it; none if it is empty.
    """

    def __init__(self, delimiter: str, quote: str = '"', escape: str = "") -> None:
        self.delimiter: Final = delimiter
        self.quote: Final = quote.encode()
        self._quote = quote
        self._quote_byte: Final = quote.encode() or _NEVER
        self._escape_byte: Final = escape.encode() or _NEVER
        self._escape: Final = escape or _NEVER.decode()
        self._is_padded = delimiter == " "
        mark, end, out = re.escape(delimiter), re.escape(quote), re.escape(escape)
        skipped = f"{out}[\\s\\S]" if escape else "(?!)"
        quoted = f"{end}[^{end}{out}]*+(?:(?:{end}{end}|{skipped})[^{end}{out}]*+)*+" if quote else "(?!)"
        plain = f"(?:[^{end}{mark}{out}]|{skipped})(?:[^{mark}{out}]|{skipped})*+"
        self._cells: Final = re.compile(f"(?:{quoted}{end}|{plain}|){mark}")
        cells = f"(?:(?:{quoted}{end}|{plain}|){mark})*+"
        self._whole: Final = re.compile(f"{cells}(?:{quoted}{end}|{plain}|)".encode())
        self._open: Final = re.compile(f"{cells}{quoted}".encode())
        self._escaped: Final = re.compile(f"{out}([\\s\\S])") if escape else None

    def has_marks(self, raw: bytes) -> bool:
        """Tell whether a row has more to it than cells and delimiters."""
        return self._quote_byte in raw or self._escape_byte in raw

    def is_whole(self, raw: bytes) -> bool:
        """Tell whether each quoted cell of a row ends, and ends at a delimiter."""
        return not self.has_marks(raw) or self._whole.fullmatch(raw) is not None

    def is_open(self, raw: bytes) -> bool:
        """Tell whether a row ends inside a quoted cell."""
        return self.has_marks(raw) and self._open.fullmatch(raw) is not None

    def split(self, text: str) -> list[str]:
        """Return the cells of a row that is whole, unquoted."""
        if (self._quote or self._escape) not in text and self._escape not in text:
            return text.split() if self._is_padded else text.split(self.delimiter)
        cells = [match[0][:-1] for match in self._cells.finditer(text + self.delimiter)]
        if self._is_padded:
            cells = [cell for cell in cells if cell]
        return [self._unquoted(cell) for cell in cells]

    def _unquoted(self, cell: str) -> str:
        if self._quote and cell.startswith(self._quote):
            cell = cell[1:-1].replace(self._quote * 2, self._quote)
        return self._escaped.sub(r"\1", cell) if self._escaped else cell


class Rows:
    """Cuts a stream into rows. Blank lines are skipped, but counted.

    Args:
        quoting: How cells are told apart.
        limit: Bytes of a row; what is longer is a Cut, and one row.
        line_end: The byte that ends a line.
    """

    def __init__(self, quoting: Quoting, limit: int, line_end: bytes = b"\n") -> None:
        self._quoting = quoting
        self._limit = limit
        self._line_end = line_end
        self._lines = Lines(limit, line_end)
        self._offset = 0
        self._open: list[bytes] = []  # lines of a row that has not ended yet
        self._open_bytes = 0
        self.line = 0

    @property
    def offset(self) -> int:
        """How many bytes have been read."""
        return self._offset + self._open_bytes + self._lines.kept_bytes

    def feed(self, chunk: bytes) -> Iterator[Row]:
        """Yield the rows that end in this chunk."""
        for piece in pieces_of(chunk):
            for line in self._lines.feed(piece):
                yield from self._add(line)

    def end(self) -> Iterator[Row]:
        """Yield what is left."""
        lines = self._lines.end()
        for line in lines:
            yield from self._add(line)
        while self._open:
            yield from self._give_up()
        self._offset -= len(lines)  # each was counted with a line feed

    def _add(self, line: bytes) -> Iterator[Row]:
        if not self._open:
            if not isinstance(line, Cut) and self._quoting.is_open(line):
                self._open, self._open_bytes = [line], len(line) + 1
            else:
                yield from self._close(line, 1)
            return
        self._open.append(line)
        self._open_bytes += size_of(line) + 1
        if isinstance(line, Cut) or self._open_bytes > self._limit:
            yield from self._give_up()
        elif self._quoting.quote in line and not self._quoting.is_open(self._quoting.quote + line):
            if self._quoting.is_whole(self._quoting.quote + line.removesuffix(b"\r")):
                lines = self._take()
                yield from self._close(self._line_end.join(lines), len(lines))
            else:
                yield from self._give_up()

    def _give_up(self) -> Iterator[Row]:
        """Yield the first of the open lines alone, and read the others anew."""
        first, *others = self._take()
        yield from self._close(first, 1)
        for line in others:
            yield from self._add(line)

    def _take(self) -> list[bytes]:
        lines = self._open
        self._open, self._open_bytes = [], 0
        return lines

    def _close(self, raw: bytes, lines: int) -> Iterator[Row]:
        if not self.line:
            self._offset += self._lines.bom_bytes
        text = raw if isinstance(raw, Cut) else raw.removesuffix(b"\r")
        if text:
            is_well = isinstance(text, Cut) or self._quoting.is_whole(text)
            yield Row(self.line + 1, self._offset, text, is_well)
        self.line += lines
        self._offset += size_of(raw) + 1
