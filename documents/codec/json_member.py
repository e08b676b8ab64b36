"""The documents of an array that is a member of one long JSON object, as the `features` of a GeoJSON file are.

The members before it are passed over, however long, and so is what comes behind it.
"""

import re
from collections.abc import Iterator
from typing import Final

import orjson

from documents.codec.batch import ParseBatch
from documents.codec.json_array import Item, JsonArrayReader
from documents.codec.lines import BOM
from documents.codec.records import WHITE, Record, pieces_of
from documents.errors import Fault

MAX_KEY_BYTES: Final = 64 * 1024
_MEMBER: Final = re.compile(
    rb'[ \t\r\n]*+("[^"\\]*+(?:\\.[^"\\]*+)*+")[ \t\r\n]*+:[ \t\r\n]*+(?=[^ \t\r\n])', re.DOTALL
)


class JsonMemberReader:
    """Reads a document from each item of the array that a member holds.

    Args:
        name: Of the member, at the top of the object.
        parse: What makes documents of items.
        limit: Bytes of an item. A longer one is one fault.
        start: Items that begin before this byte are passed over.
    """

    def __init__(self, name: str, parse: ParseBatch, *, limit: int, start: int = 0) -> None:
        self._name = name
        self._parse = parse
        self._limit = limit
        self._start = start
        self._head = b""  # read, and not understood yet
        self._offset = 0  # of the head
        self._line = 0  # lines before it
        self._is_begun = False
        self._skipped: Item | None = None
        self._array: JsonArrayReader | None = None
        self._fault: Fault | None = None

    @property
    def line(self) -> int:
        """How many lines have been read to their end."""
        return self._line + (self._array.line if self._array else self._head.count(b"\n"))

    @property
    def offset(self) -> int:
        """How many bytes have been read."""
        return self._offset + (self._array.offset if self._array else len(self._head))

    def feed(self, chunk: bytes) -> Iterator[Record]:
        """Yield the records that end in this chunk."""
        if self._array is not None:
            yield from self._placed(self._array.feed(chunk))
            return
        for piece in pieces_of(chunk):
            if self._array is not None:
                yield from self._placed(self._array.feed(piece))
                continue
            self._head += piece
            while self._fault is None and self._array is None and self._understand():
                pass
            if self._array is not None:
                array, self._head = self._head, b""
                yield from self._placed(self._array.feed(array))
            elif self._fault is not None:
                self._pass(len(self._head))

    def end(self) -> Iterator[Record]:
        """Yield what is left, and what is wrong with how the stream ends."""
        if self._array is not None:
            yield from self._placed(self._array.end())
            return
        place = self.offset
        fault = self._fault or Fault("", "malformed-json", f"The text ends, and no member {self._name!r} was in it.")
        yield Record(self.line + 1, place, place, b"", None, fault)

    def _placed(self, records: Iterator[Record]) -> Iterator[Record]:
        """Yield records of the array at their places in the whole."""
        for record in records:
            yield record._replace(
                line=record.line + self._line, offset=record.offset + self._offset, end=record.end + self._offset
            )

    def _understand(self) -> bool:
        """Take one step through the object, and say whether another may be possible."""
        if self._skipped is not None:
            return self._skip(self._skipped)
        if not self._is_begun:
            return self._begin()
        member = _MEMBER.match(self._head)
        if member is None:
            text = self._head.lstrip(WHITE)
            if text.startswith(b"}") or (text and not text.startswith(b'"')) or len(text) > MAX_KEY_BYTES:
                self._fault = Fault("", "malformed-json", f"The object has no member {self._name!r} at its top.")
            return False
        key = _key_of(member[1])
        self._pass(member.end())
        if key != self._name:
            self._skipped = Item(0, 0, 0)
        elif not self._head.startswith(b"["):
            self._fault = Fault("", "wrong-type", f"The member {self._name!r} is no array.")
        else:
            start = max(self._start - self._offset, 0)
            self._array = JsonArrayReader(self._parse, limit=self._limit, start=start, is_inside=True)
        return True

    def _begin(self) -> bool:
        text = self._head.removeprefix(BOM).lstrip(WHITE)
        if not text or (len(self._head) < len(BOM) and BOM.startswith(self._head)):
            return False
        if not text.startswith(b"{"):
            self._fault = Fault("", "malformed-json", f"To read {self._name!r}, the text must be an object.")
            return False
        self._is_begun = True
        self._pass(len(self._head) - len(text) + 1)
        return True

    def _skip(self, value: Item) -> bool:
        """Pass over a value, up to the comma behind it."""
        end = value.read(self._head, 0)
        is_whole = end < len(self._head)
        self._pass(end + is_whole)
        if is_whole:
            self._skipped = None
        return is_whole

    def _pass(self, size: int) -> None:
        self._line += self._head.count(b"\n", 0, size)
        self._offset += size
        self._head = self._head[size:]


def _key_of(text: bytes) -> str | None:
    """Return what a key says; None if it is no JSON, as one with a stray escape."""
    try:
        return str(orjson.loads(text))
    except orjson.JSONDecodeError:
        return None
