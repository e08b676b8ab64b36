"""The documents of one long JSON array, without ever having the whole of it.

An item runs to the first comma, or to the `]` that ends the array, outside its strings and brackets. Brackets are
counted, not matched by kind; a string runs from quote to quote. So:

- an item that is no document, but closes what it opens, is one fault, and reading goes on behind its comma;
- an item in which a quote or a closing bracket is missing takes the rest with it, since nothing tells where the next
  one begins: one fault, whose `end` says how far;
- of a text that is no array, or what follows behind one, all is one fault;
- a text that is one object is one document.
"""

import re
from collections.abc import Iterator
from itertools import islice, takewhile
from typing import Final

from documents.codec.batch import BATCH, ParseBatch
from documents.codec.lines import BOM, records_of
from documents.codec.records import WHITE, Cut, Kept, Record, Rest, pieces_of
from documents.errors import Fault

_WHITE: Final = re.compile(rb"[ \t\r\n]*+")
_IN_STRING: Final = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
# Up to the next bracket, over whole strings.
_INSIDE: Final = re.compile(rb'[^"{}\[\]]*+(?:"[^"\\]*+(?:\\.[^"\\]*+)*+"[^"{}\[\]]*+)*+', re.DOTALL)
_OUTSIDE: Final = re.compile(rb'[^"{}\[\],]*+')
_RUN: Final = re.compile(rb'"|[{\[]++|[}\]]++')
_BETWEEN: Final = re.compile(rb"\}[ \t\r\n]*+,[ \t\r\n]*+(?=\{)")
_QUOTE, _COMMA, _END = b'",]'
_OPENING: Final = frozenset(b"{[")


class Item:
    """One item that is being read, over as many pieces as it takes."""

    __slots__ = ("_depth", "_escaped", "_in_string", "kept", "line", "offset")

    def __init__(self, line: int, offset: int, limit: int) -> None:
        self.line = line
        self.offset = offset
        self.kept = Kept(limit)
        self._depth = 0
        self._in_string = False
        self._escaped = False

    @property
    def is_open(self) -> bool:
        """Whether it lacks a quote or a closing bracket."""
        return self._in_string or self._depth > 0

    def read(self, piece: bytes, start: int) -> int:
        """Take what belongs to the item, and return where that ends: at a comma, a bracket, or with the piece."""
        end = self._find_end(piece, start)
        self.kept.add(piece[start:end])
        return end

    def _find_end(self, piece: bytes, place: int) -> int:
        size = len(piece)
        while place < size:
            if self._in_string:
                place = self._leave_string(piece, place)
            elif self._depth:
                place = _end_of(_INSIDE, piece, place)
                place += self._enter(piece, place)
            else:
                place = _end_of(_OUTSIDE, piece, place)
                if piece[place : place + 1] in {b",", b"]"}:
                    return place
                place += self._enter(piece, place)
        return size

    def _leave_string(self, piece: bytes, place: int) -> int:
        if self._escaped:
            self._escaped = False
            return place + 1
        place = _end_of(_IN_STRING, piece, place)
        if place < len(piece):
            # Else a backslash, with what it escapes in the next piece.
            self._in_string = piece[place] != _QUOTE
            self._escaped = self._in_string
            place += 1
        return place

    def _enter(self, piece: bytes, place: int) -> int:
        """Take the quote or the run of brackets at a place, if there is one, and return its bytes."""
        run = _RUN.match(piece, place)
        if run is None:
            return 0
        size = len(run[0])
        if run[0].startswith(b'"'):
            self._in_string = True
        elif run[0][0] in _OPENING:
            self._depth += size
        else:
            size = min(size, self._depth) or 1
            self._depth = max(self._depth - size, 0)
        return size


class JsonArrayReader:
    """Reads a document from each item of an array.

    Args:
        parse: What makes documents of items.
        limit: Bytes of an item. A longer one is one fault.
        start: Items that begin before this byte are passed over, unparsed.
        is_inside: Whether the array lies within something else, which goes on behind it and is no concern of this.
    """

    def __init__(self, parse: ParseBatch, *, limit: int, start: int = 0, is_inside: bool = False) -> None:
        self._is_inside = is_inside
        self._is_single = False
        self._parse = parse
        self._limit = limit
        self._start = start
        self._line = 1
        self._offset = 0  # of the piece that is being read
        self._counted = 0  # up to where its lines are in `_line`
        self._kept_bom = b""
        self._item: Item | None = None
        self._rest: Rest | None = None
        self._is_begun = False
        self._is_ended = False
        self._needs_item = False
        self._careful = 0  # items to go before the next leap
        self._ready: list[tuple[int, int]] = []
        self._texts: list[bytes] = []

    @property
    def line(self) -> int:
        """How many lines have been read to their end."""
        return self._line - 1

    @property
    def offset(self) -> int:
        """How many bytes have been read."""
        return self._offset

    def feed(self, chunk: bytes) -> Iterator[Record]:
        """Yield a record for each item that ends in this chunk."""
        for piece in pieces_of(chunk):
            self._counted = 0
            place = 0
            while place < len(piece):
                if self._may_leap(piece, place):
                    yield from self._flush()
                    records, place = self._leap(piece, place)
                    yield from records
                if place < len(piece):
                    place = self._step(piece, place)
                if len(self._texts) >= BATCH:
                    yield from self._flush()
            yield from self._flush()
            self._count_lines(piece, len(piece))
            self._offset += len(piece)

    def end(self) -> Iterator[Record]:
        """Yield what is left of the last item, and whether the array ended."""
        if self._item:
            yield from self._end_item()
        elif not self._is_ended and not self._rest:
            detail = "The array does not end: the text may have been cut." if self._is_begun else "There is no array."
            yield Record(self._line, self._offset, self._offset, b"", None, Fault("", "malformed-json", detail))
        if self._rest:
            yield self._rest.record()

    def _may_leap(self, piece: bytes, place: int) -> bool:
        between = self._needs_item and not (self._item or self._rest or self._careful)
        return between and self._offset + place >= self._start and len(piece) <= self._limit

    def _leap(self, piece: bytes, place: int) -> tuple[list[Record], int]:
        """Return the records of the items that are followed by another, and where they end.

        Each text up to `},{` is taken for an item, which it is if it parses: no beginning of an object is an object.
        From the first on that does not, the items are to be read with care.
        """
        start = _end_of(_WHITE, piece, place)
        ends: list[int] = []
        texts: list[bytes] = []
        places: list[tuple[int, int]] = []
        for match in islice(_BETWEEN.finditer(piece, start), BATCH):
            self._count_lines(piece, start)
            places.append((self._line, self._offset + start))
            texts.append(piece[start : match.start() + 1])
            start = match.end()
            ends.append(start)
        records = records_of(places, texts, self._parse, self._limit)
        whole = list(takewhile(lambda record: record.fault is None, records))
        if len(whole) < len(records):
            self._careful = BATCH
        end = ends[len(whole) - 1] if whole else place
        if end < self._counted:
            self._line -= piece.count(b"\n", end, self._counted)
            self._counted = end
        return whole, end

    def _step(self, piece: bytes, place: int) -> int:
        """Read on until something ends, and return where."""
        if self._rest:
            self._rest.add(piece[place:])
            return len(piece)
        if self._item:
            return self._read_item(self._item, piece, place)
        place = _end_of(_WHITE, piece, place)
        if place < len(piece):
            self._count_lines(piece, place)
            place = self._begin(piece, place)
        return place

    def _begin(self, piece: bytes, place: int) -> int:
        """Decide what begins at a byte that is no white space."""
        if not self._is_begun:
            return self._begin_array(piece, place)
        if self._is_ended:
            if self._is_inside:
                return len(piece)
            self._give_up(place, "Something follows behind the array.")
            return place
        if piece[place] == _END and not self._needs_item:
            self._is_ended = True
            return place + 1
        self._careful = max(self._careful - 1, 0)
        self._item = Item(self._line, self._offset + place, self._limit)
        return place

    def _begin_array(self, piece: bytes, place: int) -> int:
        mark = self._kept_bom + piece[place : place + 1]
        if self._offset + place < len(BOM) and BOM.startswith(mark):
            self._kept_bom = mark
            return place + 1
        if piece[place] == ord("["):
            self._is_begun = True
            return place + 1
        if piece[place] == ord("{"):
            self._is_begun = self._is_single = True
            self._item = Item(self._line, self._offset + place, self._limit)
            return place
        self._give_up(place, "A JSON array must begin with [, and a single document with {.")
        return place

    def _give_up(self, place: int, detail: str) -> None:
        self._rest = Rest(self._line, self._offset + place, Fault("", "malformed-json", detail))

    def _read_item(self, item: Item, piece: bytes, place: int) -> int:
        end = item.read(piece, place)
        if end == len(piece):
            return end
        self._needs_item = piece[end] == _COMMA
        self._is_ended = not self._needs_item
        self._finish(item)
        if self._is_single:
            self._is_ended = True
            return end  # and what is there follows behind the document
        return end + 1

    def _finish(self, item: Item) -> None:
        self._item = None
        if item.offset >= self._start:
            text = item.kept.take()
            self._ready.append((item.line, item.offset))
            self._texts.append(text if isinstance(text, Cut) else text.rstrip(WHITE))

    def _flush(self) -> list[Record]:
        places, texts = self._ready, self._texts
        if not texts:
            return []
        self._ready, self._texts = [], []
        return [
            record if record.raw else record._replace(fault=Fault("", "malformed-json", "There is a comma too many."))
            for record in records_of(places, texts, self._parse, self._limit)
        ]

    def _end_item(self) -> Iterator[Record]:
        item = self._item
        if item is None:
            return
        self._finish(item)
        detail = "The array does not end: the text may have been cut."
        if item.is_open:
            detail = "This item does not end: a quote or a bracket is missing in it, or the text was cut."
        fault = Fault("", "malformed-json", detail)
        records = self._flush()
        if item.is_open:
            yield from (record._replace(fault=fault) for record in records)
            return
        yield from records
        if self._is_single:
            return
        # An item that is at fault itself may have taken the end of the array for its own.
        if not any(record.fault for record in records):
            yield Record(self._line, self._offset, self._offset, b"", None, fault)

    def _count_lines(self, piece: bytes, end: int) -> None:
        self._line += piece.count(b"\n", self._counted, end)
        self._counted = end


def _end_of(pattern: re.Pattern[bytes], piece: bytes, place: int) -> int:
    """Return where the match ends of a pattern that matches anywhere, if only nothing."""
    match = pattern.match(piece, place)
    return match.end() if match else place
