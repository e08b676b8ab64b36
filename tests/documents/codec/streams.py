"""Streams for readers, cut into chunks."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from hypothesis import strategies as st

from documents.codec.compressed import DecompressingReader
from documents.codec.formats import ReadOptions, make_reader
from documents.codec.records import Format, Reader, Record

LIMIT = 64


def read(form: Format, data: bytes, options: ReadOptions | None = None, *, cuts: Sequence[int] = ()) -> list[Record]:
    """Return the records of a stream that comes in chunks, cut at these places."""
    return read_with(make_reader(form, options), data, cuts)


def read_with(reader: Reader | DecompressingReader, data: bytes, cuts: Sequence[int] = ()) -> list[Record]:
    places = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    records: list[Record] = []
    for start, end in pairwise(places):
        records.extend(reader.feed(data[start:end]))
    records.extend(reader.end())
    return records


def said(records: Sequence[Record]) -> list[tuple[int, Any]]:
    """Return, for each record, its line, and its document or the code of its fault."""
    return [(record.line, record.document if record.fault is None else record.fault.code) for record in records]


def check_places(records: Sequence[Record], data: bytes) -> None:
    """Check that each record lies where it says, and that none lies within another."""
    reached = 0
    for record in records:
        assert reached <= record.offset <= record.end <= len(data)
        assert data[record.offset : record.end].startswith(record.raw)
        assert (record.document is None) == (record.fault is not None)
        reached = record.end


CUTS = st.lists(st.integers(0, 200), max_size=6)
EVERY_BYTE = range(1, 3000)
