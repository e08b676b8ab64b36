"""Export: every document that a query selects, from one snapshot, as the bytes of a file.

Batches come raw from MongoDB, and the next one only once the last but one was taken: who takes slowly makes MongoDB
wait, and memory stays within two batches. They are written in a thread, a slice at a time, so that others are served.

All is read at one cluster time, also the columns of CSV and Parquet, which take a pass of their own. MongoDB keeps a
snapshot for `minSnapshotHistoryWindowInSeconds`, 300 unless it is told otherwise. What takes longer fails; it never
goes on from another moment.

Source:
    MongoDB manual, Read Concern "snapshot"; driver specifications, Snapshot Reads.
"""

import asyncio
import sys
import time
from collections.abc import AsyncGenerator, Callable, Collection, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, NamedTuple

import orjson
from bson.errors import BSONError

from documents.access.actions import Action
from documents.access.policy import Policy
from documents.access.rules import Feature
from documents.catalog.metadata import Kind
from documents.codec.compressed import Compression
from documents.codec.csv_writer import find_columns
from documents.codec.extras import MissingExtraError
from documents.codec.formats import WriteOptions, make_writer
from documents.codec.parquet import load_pyarrow
from documents.codec.parquet_columns import ColumnFinder
from documents.codec.parquet_writer import OtherDocumentsError
from documents.codec.records import Format
from documents.codec.stored import StoredBatch, split_batch
from documents.codec.writers import CompressingWriter, Exported, TooManyColumnsError, Writer, values_of
from documents.collections.operations import Find
from documents.collections.plan import Planner
from documents.collections.read import CountPlan, FindPlan
from documents.collections.services import Services
from documents.collections.snapshot import Query, Snapshot, open_snapshot
from documents.database.deadline import Deadline, Running
from documents.errors import DeadlineExceededError, Fault, InvalidParameterError, QueryRefusedError
from documents.mapping.escaping import unescape_key, with_keys
from documents.query.filter.filter import Filter
from documents.query.paging.sort import Sort
from documents.query.projection import ID, Projection
from documents.types import Document

MAX_COLUMNS: Final = 10_000
"""Columns of a table. Documents with keys that are data have no end of them."""

COUNT_SECONDS: Final = 2.0
PLAIN: Final = frozenset({Format.NDJSON, Format.JSON})
"""Formats of plain JSON."""

LINES: Final = frozenset({Format.NDJSON, Format.EJSON})
"""Formats that can have a trailer."""

TABLES: Final = frozenset({Format.CSV, Format.TSV})
_AS_STORED: Final = frozenset({Format.EJSON, Format.BSON})


@dataclass(frozen=True, slots=True)
class Export:
    """Write documents as a file.

    Args:
        find: Which, in what order, and which fields of them. Without a sort they come as MongoDB finds them, which is
            fastest. Of `limit`, documents at most, there is no largest; None is all. There are no pages.
        form: Of the file.
        compression: Of the whole file. Parquet has none: it is compressed inside.
        trailer: Add a last line `{"_sheaf":{"documents":N}}`, which says that the lines before it are all there are.
        guard_formulas: CSV: keep spreadsheets from running strings as formulas.
        unescape: NDJSON and JSON: give keys that a mapping has escaped their own form.
    """

    find: Find
    form: Format = Format.NDJSON
    compression: Compression | None = None
    trailer: bool = False
    guard_formulas: bool = False
    unescape: bool = False


class Piece(NamedTuple):
    """Some bytes of the file, and how many documents have been written with them. Joined, pieces are the file."""

    data: bytes
    documents: int


class UnescapingWriter:
    """Writes keys as they were before a mapping escaped them.

    Args:
        writer: Writes plain JSON.
    """

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    def start(self) -> bytes:
        """Return what comes before all documents."""
        return self._writer.start()

    def write(self, documents: Iterable[Exported]) -> bytes:
        """Return some documents more."""
        return self._writer.write([with_keys(values_of(document), unescape_key) for document in documents])

    def end(self) -> bytes:
        """Return what comes behind all documents."""
        return self._writer.end()


class TrailingWriter:
    """Adds a line behind all documents that says how many there are.

    Args:
        writer: Writes lines.
    """

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._count = 0

    def start(self) -> bytes:
        """Return what comes before all documents."""
        return self._writer.start()

    def write(self, documents: Iterable[Exported]) -> bytes:
        """Return some documents more."""
        several = list(documents)
        self._count += len(several)
        return self._writer.write(several)

    def end(self) -> bytes:
        """Return what comes behind all documents, and the trailer."""
        return self._writer.end() + orjson.dumps({"_sheaf": {"documents": self._count}}) + b"\n"


@dataclass(frozen=True, slots=True)
class ExportPlan:
    """Read a collection as a file."""

    services: Services
    collection: str
    filter: Filter
    sort: Sort | None
    projection: Projection
    limit: int | None
    operation: Export
    is_snapshot: bool = True

    async def estimate(self) -> int | None:
        """Return about how many documents it will be; None where counting them takes too long."""
        count = CountPlan(self.services, self.collection, self.filter, "estimated" if self.filter.is_empty else "exact")
        try:
            found = (await count.run(Deadline(COUNT_SECONDS))).count
        except DeadlineExceededError:
            return self.limit
        return found if self.limit is None else min(found, self.limit)

    async def run(self, *, seconds: float) -> AsyncGenerator[Piece]:
        """Yield the file, piece by piece; the first piece is empty, and says that MongoDB has begun to answer.

        Close it (`contextlib.aclosing`) where it is left before its end: it holds a session of MongoDB's.

        Args:
            seconds: Longest that MongoDB may take for one batch. Who takes the pieces may take any time.

        Raises:
            StoreError: MongoDB failed, now or in the middle. The pieces so far are not a whole file.
        """
        query = Query(
            self.filter.to_mongo(),
            self._fields,
            self.sort.to_mongo() if self.sort else None,
            self.limit or 0,
        )
        opening = open_snapshot(
            self.services.connection, self.collection, query, seconds=seconds, is_snapshot=self.is_snapshot
        )
        async with opening as snapshot, aclosing(self._write(snapshot)) as pieces:
            began = time.perf_counter()
            async for piece in pieces:
                if began:
                    self._note(time.perf_counter() - began)
                    began = 0
                    yield Piece(b"", 0)
                yield piece

    async def _write(self, snapshot: Snapshot) -> AsyncGenerator[Piece]:
        found = dict.fromkeys(self._named_columns)
        finder = ColumnFinder(dict.fromkeys(map(_top, found)), limit=MAX_COLUMNS)
        see = None
        if self.operation.form is Format.PARQUET:
            see = finder.see
        elif self.operation.form in TABLES and not found:
            see = partial(_add_columns, found)
        if see:
            async with aclosing(self._look(snapshot, see)) as looks:
                async for nothing in looks:
                    yield nothing
        options = WriteOptions(
            columns=[*found] or [ID],
            typed_columns=finder.columns(),
            guard_formulas=self.operation.guard_formulas,
        )
        writer = await asyncio.to_thread(self._make_writer, options)
        known = None if self.is_snapshot or not see else found.keys()
        head, written = writer.start(), 0
        async with aclosing(snapshot.slices()) as slices:
            async for part in slices:
                data, count = await asyncio.to_thread(_write_slice, writer, part, self.operation.form, known)
                written += count
                yield Piece(head + data, written)
                head = b""
        yield Piece(head + await asyncio.to_thread(writer.end), written)

    async def _look(self, snapshot: Snapshot, see: Callable[[Sequence[Document]], None]) -> AsyncGenerator[Piece]:
        """Show all documents, some at a time. Yield nothing in between."""
        async with aclosing(snapshot.slices()) as slices:
            async for part in slices:
                await asyncio.to_thread(_see_slice, see, part)
                yield Piece(b"", 0)

    def _note(self, seconds: float) -> None:
        keys = self.sort.keys if self.sort else ()
        self.services.shapes.note(self.collection, self.filter, keys, seconds=seconds)

    @property
    def _fields(self) -> dict[str, int] | None:
        fields = self.projection.to_mongo()
        named = self._named_columns
        if self.operation.form is Format.PARQUET and named and ID not in map(_top, named):
            return {**(fields or {}), ID: 0}  # columns are those that are named
        return fields

    @property
    def _named_columns(self) -> tuple[str, ...]:
        return () if self.projection.excludes else self.projection.fields

    def _make_writer(self, options: WriteOptions) -> Writer:
        writer = make_writer(self.operation.form, options)
        if self.operation.unescape:
            writer = UnescapingWriter(writer)
        if self.operation.trailer:
            writer = TrailingWriter(writer)
        return CompressingWriter(writer, self.operation.compression) if self.operation.compression else writer


async def plan_export(planner: Planner, operation: Export, policy: Policy) -> ExportPlan:
    """Plan an export: what a list would show under the same policy, without its pages.

    Raises:
        InvalidParameterError: The limit is below 1, a cursor is given, or the format has no trailer, no compression, or
            is Parquet and pyarrow is not installed.
    """
    find = operation.find
    policy.require(find.collection, Action.READ)
    policy.require_feature(find.collection, Feature.EXPORT)
    if find.limit is not None and not 1 <= find.limit < 2**31:
        raise _invalid(f"{find.place}limit", "out-of-range", "limit is from 1 to 2147483647.")
    if find.cursor is not None:
        raise _invalid(f"{find.place}cursor", "not-allowed", "An export has no pages, so it takes no cursor.")
    if operation.trailer and operation.form not in LINES:
        raise _invalid(f"{find.place}trailer", "not-allowed", "Only ndjson and ejson can have a trailer.")
    if operation.unescape and operation.form not in PLAIN:
        raise _invalid(f"{find.place}unescape", "not-allowed", "Only ndjson and json can have such keys unescaped.")
    if operation.form is Format.PARQUET:
        await _check_parquet(operation)
    found = await planner.find(replace(find, limit=None, count=None), policy)
    sort = None if find.sort in (None, "") else await _order(found)
    entry = await found.services.catalog.get(found.collection)
    return ExportPlan(
        found.services,
        found.collection,
        found.filter,
        sort,
        found.projection,
        find.limit,
        operation,
        is_snapshot=entry.kind is not Kind.CAPPED,
    )


async def _order(found: FindPlan) -> Sort:
    """Return the order of an export: without `_id` where an index gives it, so that nothing has to be sorted."""
    with Running(Deadline(COUNT_SECONDS), writes=False):
        return found.sort.leading if await found.is_served() else found.sort


def _top(path: str) -> str:
    return path.partition(".")[0]


async def _check_parquet(operation: Export) -> None:
    place = operation.find.place
    if operation.compression:
        raise _invalid(
            f"{place}compress", "not-allowed", "Parquet is compressed inside, so it is not compressed again."
        )
    try:
        await asyncio.to_thread(load_pyarrow)  # which takes its time when it is first imported
    except MissingExtraError as error:
        raise _invalid(f"{place}format", "not-available", str(error)) from None


def _write_slice(writer: Writer, part: bytes, form: Format, known: Collection[str] | None) -> tuple[bytes, int]:
    try:
        documents: list[Exported] = [*(split_batch(part) if form in _AS_STORED else _decoded(part).documents)]
        is_whole = known is None or form not in TABLES or not set(find_columns(documents)).difference(known)
        data = writer.write(documents) if is_whole else b""
    except BSONError as error:
        raise _damaged() from error
    except OtherDocumentsError as error:
        raise QueryRefusedError(
            "MongoDB found other documents for the rows than for the columns before. Ask for an order with sort."
        ) from error
    if not is_whole:
        raise QueryRefusedError("Documents with new fields came in during the export. Name the columns with fields.")
    return data, len(documents)


def _see_slice(see: Callable[[Sequence[Document]], None], part: bytes) -> None:
    try:
        see(_decoded(part).documents)
    except BSONError as error:
        raise _damaged() from error
    except TooManyColumnsError:
        raise QueryRefusedError(
            f"The documents have more than {MAX_COLUMNS} fields; name those that are to be columns."
        ) from None


def _add_columns(columns: dict[str, None], documents: Sequence[Document]) -> None:
    columns.update(dict.fromkeys(find_columns(documents)))
    if len(columns) > MAX_COLUMNS:
        raise TooManyColumnsError


def _decoded(part: bytes) -> StoredBatch:
    return StoredBatch(part, limit=sys.maxsize, size_bytes=sys.maxsize)


def _damaged() -> QueryRefusedError:
    return QueryRefusedError("A stored document is damaged, so the export ends before it.")


def _invalid(pointer: str, code: str, detail: str) -> InvalidParameterError:
    return InvalidParameterError(detail, [Fault(pointer, code, detail)])
