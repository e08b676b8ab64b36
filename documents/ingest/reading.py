"""From bytes to batches of records: those that are not committed yet, each batch small enough for a transaction."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any, Final

from documents.codec.csv_columns import Column
from documents.codec.formats import ReadOptions, make_reader
from documents.codec.records import Format, Record, size_of
from documents.ingest.batches import Span
from documents.ingest.since import SinceFilter
from documents.ingest.sources.source import Source

BATCH_RECORDS: Final = 2000
BATCH_BYTES: Final = 2 * 1024 * 1024
RECORD_BYTES: Final = 32 * 1024 * 1024
"""Bytes of text that a record may have: its BSON may be much shorter, and that is what counts in the end."""


@dataclass(slots=True)
class Batch:
    """Successive records.

    Args:
        start: Where the batch before it ended.
        records: Some of them may be at fault.
        size_bytes: Of them all.
        end: Of the first byte behind them.
        is_last: Whether nothing follows.
        skipped: Records among them that a cursor passed over.
        high: The greatest value of the field that it goes by, so far; None without one.
    """

    start: int
    records: list[Record] = field(default_factory=list[Record])
    size_bytes: int = 0
    end: int = 0
    is_last: bool = False
    skipped: int = 0
    high: Any = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing was read."""
        return not self.records and not self.skipped

    @property
    def span(self) -> Span:
        """Where it is."""
        return Span(self.start, self.end, self.is_last)

    def add(self, record: Record) -> bool:
        """Take one more record, and say whether that is enough."""
        self.records.append(record)
        self.size_bytes += size_of(record.raw)
        self.end = record.end
        return len(self.records) >= BATCH_RECORDS or self.size_bytes >= BATCH_BYTES


class Done:
    """Which parts of a source are committed.

    Args:
        spans: In their order.
    """

    def __init__(self, spans: Sequence[Span]) -> None:
        whole = 0
        while whole < len(spans) and spans[whole].start == (spans[whole - 1].end if whole else 0):
            whole += 1
        self.is_all: Final = bool(spans) and whole == len(spans) and spans[-1].is_last
        self.up_to: Final = spans[whole - 1].end if whole else 0
        """Everything before this byte is committed."""
        self._beyond = list(spans[whole:]) if not self.is_all else []
        self._last = spans[whole - 1] if whole and spans[whole - 1].is_last else None

    def find(self, offset: int) -> Span | None:
        """Return the committed batch that a record is in."""
        if self._last is not None:
            return self._last
        while self._beyond and not self._beyond[0].is_last and self._beyond[0].end <= offset:
            self._beyond.pop(0)
        return self._beyond[0] if self._beyond and self._beyond[0].start <= offset else None


class BatchReader:
    """Reads a source in batches.

    Args:
        form: Of its records.
        options: How they are read.
        done: What need not be read again.
        change: Changes each record that is read; None to leave them as they are.
        since: Passes over records that are not new; None to take all.

    Raises:
        HeaderError: A given header cannot be used.
        MissingExtraError: pyarrow is not installed.
        ValueError: An option cannot be meant.
    """

    def __init__(
        self,
        form: Format,
        options: ReadOptions,
        done: Done,
        change: Callable[[Record], Record] | None = None,
        *,
        since: SinceFilter | None = None,
    ) -> None:
        limit = None if form is Format.EJSON else RECORD_BYTES
        options = replace(options, any_keys=change is not None)
        self._reader = make_reader(form, replace(options, start=done.up_to, limit=options.limit or limit))
        self._change = change
        self._since = since
        self._done = done
        self._place = done.up_to

    @property
    def columns(self) -> Sequence[Column] | None:
        """The columns of CSV and TSV, as soon as they are known."""
        return self._reader.columns

    async def batches(self, source: Source) -> AsyncGenerator[Batch]:
        """Yield what is left of a source, in its order. Parsing is done in a thread.

        Where the source has nothing more for now, what has come so far is yielded, and an empty batch behind it.
        """
        batch = Batch(self._place)
        async with aclosing(source.chunks()) as chunks:
            async for chunk in chunks:
                records = self._reader.feed(chunk)
                while await asyncio.to_thread(self._fill, batch, records):
                    yield batch
                    batch = Batch(self._place)
                if not chunk:
                    if not batch.is_empty:
                        yield batch
                        batch = Batch(self._place)
                    yield Batch(self._place)
        records = self._reader.end()
        while await asyncio.to_thread(self._fill, batch, records):
            yield batch
            batch = Batch(self._place)
        if not batch.is_empty:
            batch.is_last = True
            yield batch

    def _fill(self, batch: Batch, records: Iterator[Record]) -> bool:
        """Fill a batch, and say whether it is to be written; if not, the records are used up."""
        for record in records:
            committed = self._done.find(record.offset)
            if committed is not None:
                self._place = committed.end
                if not batch.is_empty:
                    batch.end = committed.start
                    return True
                batch.start = committed.end
                continue
            self._place = record.end
            new = record if self._change is None else self._change(record)
            if self._since is not None:
                new, batch.high = self._since.judge(new), self._since.high
            if new is None:
                batch.skipped += 1
                batch.end = record.end
                continue
            full = batch.add(new)
            if full:
                return True
        return False
