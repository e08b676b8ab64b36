"""Reading: what a get, a find, a count and an aggregation do once they are planned."""

import time
from collections.abc import AsyncIterator, Hashable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, cast

from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.command_cursor import AsyncRawBatchCommandCursor
from pymongo.asynchronous.cursor import AsyncRawBatchCursor

from documents.catalog.catalog import CollectionEntry
from documents.catalog.ids import Address
from documents.codec.stored import StoredBatch, StoredDocument
from documents.collections.addressed import find_at
from documents.collections.operations import CountMode
from documents.collections.services import Services
from documents.collections.transactions import revocably
from documents.database.deadline import Deadline, Running
from documents.errors import DocumentNotFoundError
from documents.query.cursor import Cursor, seal
from documents.query.filter import Filter
from documents.query.keyset import after
from documents.query.projection import Projection
from documents.query.sort import Sort
from documents.query.sort_values import sort_values
from documents.types import Document

PAGE_BYTES: Final = 4 * 1024 * 1024
"""Where a page ends even if it could have more documents: decoding more at once would keep others waiting."""

BOUND: Final = 10_000
"""Where a bounded count stops counting."""

WHOLE: Final = Projection()

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
            batch = await self.services.finder.find(self._key, self._read, deadline=deadline)
        finally:
            sort = () if self.by_score else self.sort.keys
            self.services.shapes.note(self.collection, self.filter, sort, seconds=time.perf_counter() - began)
        counted = await self.count.run(deadline) if self.count else None
        with Running(deadline, writes=False):
            return await self._page(batch, counted)

    @property
    def _backwards(self) -> bool:
        return self.cursor is not None and self.cursor.backwards

    @property
    def _order(self) -> Sort:
        return self.sort.reversed() if self._backwards else self.sort

    @property
    def _key(self) -> Hashable:
        return (self.scope, self.projection, self.limit, None if self.cursor is None else repr(self.cursor))

    async def _read(self) -> StoredBatch:
        return await revocably(self.services, self._read_in)

    async def _read_in(self, session: AsyncClientSession) -> StoredBatch:
        collection = self.services.connection.collection(self.collection)
        size = self.limit + 1
        if self.by_score:
            cursor = await collection.aggregate_raw_batches(
                self._pipeline(size), session=session, batchSize=size, allowDiskUse=False
            )
        else:
            cursor = collection.find_raw_batches(
                self._filter(),
                self.projection.to_mongo(self.sort),
                sort=self._order.to_mongo(),
                limit=size,
                batch_size=size,
                allow_disk_use=False,
                session=session,
            )
        raw, more = await _first_reply(cursor)
        return StoredBatch(raw, limit=self.limit, backwards=self._backwards, more=more, size_bytes=PAGE_BYTES)

    def _after(self) -> Document | None:
        if self.cursor is None:
            return None
        # Others may have stored ids of other types. Not to rely on the catalog costs a page a tenth of a millisecond.
        return after(self.sort, self.cursor.values, backwards=self.cursor.backwards, id_type_is_uniform=False)

    def _filter(self) -> Document:
        beyond = self._after()
        if beyond is None:
            return self.filter.to_mongo()
        return beyond if self.filter.is_empty else {"$and": [self.filter.to_mongo(), beyond]}

    def _pipeline(self, size: int) -> list[Document]:
        beyond = self._after()
        projection = self.projection.to_mongo(self.sort)
        return [
            {"$match": self.filter.to_mongo()},
            {"$set": {SCORE: {"$meta": "textScore"}}},
            *([{"$match": beyond}] if beyond else []),
            {"$sort": dict(self._order.to_mongo())},
            {"$limit": size},
            *([{"$project": projection}] if projection else []),
        ]

    async def _page(self, batch: StoredBatch, counted: Counted | None) -> Page:
        page, more, began = batch.documents, batch.has_more, self.cursor is not None
        return Page(
            batch=batch,
            next=await self._seal(page[-1:], backwards=False) if (began if self._backwards else more) else None,
            prev=await self._seal(page[:1], backwards=True) if (more if self._backwards else began) else None,
            projection=self.projection if self.projection.is_widened_by(self.sort) else WHOLE,
            counted=counted,
        )

    async def _seal(self, edge: Sequence[Document], *, backwards: bool) -> str | None:
        if not edge:
            return None
        values = sort_values(edge[0], self._order)
        return seal(Cursor(tuple(values), backwards), secret=await self.services.cursor_secret.read(), scope=self.scope)


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
        return Rows(StoredBatch(raw, limit=self.limit, more=more))


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
