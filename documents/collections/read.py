"""Reading: what a get, a find, a count and an aggregation do once they are planned."""

import time
from collections.abc import AsyncIterator, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, Literal, TypeAlias, cast

from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.command_cursor import AsyncRawBatchCommandCursor
from pymongo.asynchronous.cursor import AsyncRawBatchCursor

from documents.aside import LARGE_BYTES, aside
from documents.catalog.catalog import CollectionEntry
from documents.catalog.ids import Address
from documents.codec.stored import StoredBatch, StoredDocument
from documents.collections.addressed import find_at
from documents.collections.exact_values import packed, sendable
from documents.collections.operations import CountMode
from documents.collections.paging import PageRead, PageReader, Question, Source
from documents.collections.services import Services
from documents.collections.transactions import revocably
from documents.database.deadline import Deadline, Running
from documents.errors import DocumentNotFoundError
from documents.query.filter.filter import Filter
from documents.query.filter.query_shape import equal_paths
from documents.query.paging.cursor import Cursor, seal
from documents.query.paging.index_order import any_gives_order
from documents.query.paging.keyset_arrays import share_an_array
from documents.query.paging.order import EMPTY_ARRAY
from documents.query.paging.sort import Sort
from documents.query.projection import Projection
from documents.query.shapes import is_array
from documents.types import SYSTEM_PREFIX, Document

BOUND: Final = 10_000
"""Where a bounded count stops counting."""

WHOLE: Final = Projection()

ROW: Final = f"{SYSTEM_PREFIX[:-1]}_row"
"""The field that holds a whole row while rows are sorted by it."""

SCORE: Final = "_score"
"""The field that says how well a document matches `q`."""

RawCursor: TypeAlias = AsyncRawBatchCursor[Document] | AsyncRawBatchCommandCursor[Document]
CountKind: TypeAlias = Literal["exact", "estimated", "at-least"]


@dataclass(frozen=True, slots=True)
class Counted:
    """A number of documents, and what kind of number it is."""

    count: int
    kind: CountKind


@dataclass(frozen=True, slots=True)
class Page:
    """Some documents of a list, and the way to those before and after."""

    batch: StoredBatch
    next: str | None
    prev: str | None
    projection: Projection = WHOLE
    counted: Counted | None = None


@dataclass(frozen=True, slots=True)
class Rows:
    """What an aggregation gave; the batch has more when there was more than may be returned."""

    batch: StoredBatch


@dataclass(frozen=True, slots=True)
class GetPlan:
    """Read one document."""

    services: Services
    entry: CollectionEntry
    address: Address
    policy: str

    async def run(self, deadline: Deadline) -> StoredDocument:
        """Return the document.

        Raises:
            DocumentNotFoundError: There is none with this id.
        """
        found = await find_at(self.services, self.entry, self.address, policy=self.policy, deadline=deadline)
        if found is None:
            raise DocumentNotFoundError
        return found


@dataclass(frozen=True, slots=True)
class CountPlan:
    """Count documents."""

    services: Services
    collection: str
    filter: Filter
    mode: CountMode

    async def run(self, deadline: Deadline) -> Counted:
        """Return the count, as exact as the mode asks for and MongoDB can tell cheaply."""
        began = time.perf_counter()
        try:
            return await self._count(deadline)
        finally:  # a count that fails for want of time is what an index is wanted for
            self.services.shapes.note(self.collection, self.filter, seconds=time.perf_counter() - began)

    async def _count(self, deadline: Deadline) -> Counted:
        collection = self.services.connection.collection(self.collection)
        with Running(deadline, writes=False):
            if self.mode == "estimated" and self.filter.is_empty:
                return Counted(await collection.estimated_document_count(), "estimated")
            if self.mode == "exact":
                return Counted(await collection.count_documents(self.filter.to_mongo()), "exact")
            count = await collection.count_documents(self.filter.to_mongo(), limit=BOUND + 1)
        return Counted(BOUND, "at-least") if count > BOUND else Counted(count, "exact")


@dataclass(frozen=True, slots=True)
class FindPlan:
    """Read one page of a list.

    Args:
        services: What it stands on.
        collection: Whose documents.
        collation: How the collection compares text; None compares bytes.
        filter: Which of them.
        sort: In what order; always total, `_id` being the last key.
        projection: Which fields.
        limit: Documents on a page.
        cursor: Where the page begins; None for the first page.
        scope: What a cursor of this list is bound to.
        by_score: Whether the order is that of `SCORE`, which MongoDB has to compute first.
        count: Counts the whole list beside it.
    """

    services: Services
    collection: str
    collation: Mapping[str, Any] | None
    filter: Filter
    sort: Sort
    projection: Projection
    limit: int
    cursor: Cursor | None
    scope: bytes
    by_score: bool
    count: CountPlan | None

    async def run(self, deadline: Deadline) -> Page:
        """Return the page."""
        began = time.perf_counter()
        try:
            page = await self.services.finder.find(self._key, self._read, deadline=deadline)
        finally:
            sort = () if self.by_score else self._lead or self.sort.keys
            self.services.shapes.note(self.collection, self.filter, sort, seconds=time.perf_counter() - began)
        counted = await self.count.run(deadline) if self.count else None
        with Running(deadline, writes=False):
            return await self._page(page, counted)

    @property
    def _backwards(self) -> bool:
        return self.cursor is not None and self.cursor.backwards

    @property
    def _lead(self) -> tuple[tuple[str, int], ...]:
        return self.sort.leading.keys

    @property
    def _key(self) -> Hashable:
        return (self.scope, self.projection, self.limit, None if self.cursor is None else repr(self.cursor))

    async def _read(self) -> PageRead:
        return await revocably(self.services, self._read_in)

    async def _read_in(self, session: AsyncClientSession) -> PageRead:
        source = Source(
            partial(self._find, session),
            partial(self._count, session),
            partial(self._first, session) if self.collation else None,
        )
        order = self.sort.reversed() if self._backwards else self.sort
        reader = PageReader(source, order, self.limit, self.cursor)
        return await reader.read(by_index=await self.is_served())

    async def is_served(self) -> bool:
        """Return whether an index gives the order without `_id`, and none gives it with `_id`."""
        if self.by_score or not self._lead or share_an_array([path for path, _ in self._lead]):
            return False
        indexes = await self.services.catalog.sort_indexes.get(self.collection, self.collation)
        equal = equal_paths(self.filter.to_mongo())
        return any_gives_order(indexes, self._lead, equal) and not any_gives_order(indexes, self.sort.keys, equal)

    async def _find(self, session: AsyncClientSession, asked: Question) -> tuple[bytes, bool]:
        collection = self.services.connection.collection(self.collection)
        if self.by_score or asked.by_row:
            cursor = await collection.aggregate_raw_batches(
                self._pipeline(asked), session=session, batchSize=asked.size, allowDiskUse=False
            )
        else:
            cursor = collection.find_raw_batches(
                self._filter(asked.where),
                self.projection.to_mongo(self.sort),
                sort=asked.order.to_mongo(),
                limit=asked.size,
                batch_size=asked.size,
                allow_disk_use=False,
                session=session,
            )
        return await _first_reply(cursor)

    async def _count(self, session: AsyncClientSession, where: Document) -> int:
        collection = self.services.connection.collection(self.collection)
        return await collection.count_documents(self._filter(where), session=session)

    async def _first(
        self,
        session: AsyncClientSession,
        choices: Sequence[tuple[Any, ...]],
        order: Sort,
    ) -> int:
        rows: list[Document] = [
            sendable(
                {"n": n, "v": {"$literal": {f"k{at}": _wrapped(value) for at, value in enumerate(choice)}}}, choice
            )
            for n, choice in enumerate(choices)
        ]
        keys = {f"v.k{at}": way for at, (_, way) in enumerate(order.keys)}
        pipeline: list[Document] = [{"$documents": rows}, {"$sort": keys}, {"$limit": 1}]
        found = await self.services.connection.database.aggregate(pipeline, session=session, collation=self.collation)
        return (await found.to_list())[0]["n"]

    def _filter(self, where: Document | None) -> Document:
        if where is None:
            return self.filter.to_mongo()
        return where if self.filter.is_empty else {"$and": [self.filter.to_mongo(), where]}

    def _pipeline(self, asked: Question) -> list[Document]:
        projection = self.projection.to_mongo(self.sort)
        sort = dict(asked.order.to_mongo())
        return [
            {"$match": self.filter.to_mongo()},
            *([{"$set": {SCORE: {"$meta": "textScore"}}}] if self.by_score else []),
            *([{"$match": asked.where}] if asked.where else []),
            *([{"$set": {ROW: "$$ROOT"}}] if asked.by_row else []),
            {"$sort": {**sort, ROW: asked.order.keys[-1][1]} if asked.by_row else sort},
            *([{"$skip": asked.skip}] if asked.skip else []),
            {"$limit": asked.size},
            *([{"$unset": ROW}] if asked.by_row else []),
            *([{"$project": projection}] if projection else []),
        ]

    async def _page(self, page: PageRead, counted: Counted | None) -> Page:
        before, behind = (page.far, page.near) if self._backwards else (page.near, page.far)
        return Page(
            batch=page.batch,
            next=await self._seal(behind),
            prev=await self._seal(before),
            projection=self.projection if self.projection.is_widened_by(self.sort) else WHOLE,
            counted=counted,
        )

    async def _seal(self, cursor: Cursor | None) -> str | None:
        if cursor is None:
            return None
        cursor = replace(cursor, values=packed(cursor.values))
        return seal(cursor, secret=await self.services.cursor_secret.read(), scope=self.scope)


def _wrapped(value: object) -> object:
    """Return a sort value as a field that is sorted by it: an array is a value only as an element of another one."""
    if value is EMPTY_ARRAY:
        return []
    return [value] if is_array(value) else value


@dataclass(frozen=True, slots=True)
class AggregatePlan:
    """Run a pipeline that only reads, to at most `limit` rows."""

    services: Services
    collection: str
    pipeline: Sequence[Document]
    limit: int

    async def run(self, deadline: Deadline) -> Rows:
        """Return the rows."""
        began = time.perf_counter()
        try:
            return await self._aggregate(deadline)
        finally:
            self.services.shapes.note_pipeline(self.collection, self.pipeline, seconds=time.perf_counter() - began)

    async def _aggregate(self, deadline: Deadline) -> Rows:
        collection = self.services.connection.collection(self.collection)
        with Running(deadline, writes=False):
            cursor = await collection.aggregate_raw_batches(
                [*self.pipeline, {"$limit": self.limit + 1}], allowDiskUse=False, batchSize=self.limit + 1
            )
            raw, more = await _first_reply(cursor)
        decode = partial(StoredBatch, raw, limit=self.limit, more=more)
        return Rows(await aside(decode, large=len(raw) > LARGE_BYTES))


async def _first_reply(
    cursor: AsyncRawBatchCursor[Document] | AsyncRawBatchCommandCursor[Document],
) -> tuple[bytes, bool]:
    """Return the documents of a cursor's first reply, and whether it has more.

    MongoDB ends a reply at 16 MB; a page ends there at the latest, and the next one begins with another query. So
    nothing is ever asked of a cursor twice, which the driver could not repeat if the connection were lost.
    """
    try:
        # PyMongo types what a raw cursor yields as documents; it is bytes, several documents long.
        async for data in cast("AsyncIterator[bytes]", cursor):
            return data, cursor.alive
        return b"", False
    finally:
        await cursor.close()
