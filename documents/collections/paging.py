"""One page of a list, read by the order that was asked for; `_id` settles ties afterwards.

Three ways lead to the same rows, and a cursor that one of them made is good for the others:

- **By index.** Where an index gives the order without `_id`, MongoDB is asked for just that and reads a page of keys.
  Documents of the page that are equal in it are put in the order of `_id` here. When the page's edge cuts a group of
  equals, the group is read by its own key in the order of `_id`, as far as the page goes, and the cursor says that the
  next page goes on inside.
- **Ranked.** Where no index gives the order, MongoDB keeps the first documents by all keys and `_id`: one sort.
- **By row.** Where `_id` repeats (a view that unwinds an array), or a page ends at a regular expression, which MongoDB
  sorts but does not compare, the order of whole rows settles what is left, and the cursor counts those already shown.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeAlias

from documents.aside import LARGE_BYTES, aside
from documents.codec.stored import StoredBatch, split_batch
from documents.collections.exact_values import exact_rows, sendable
from documents.query.paging.cursor import Cursor
from documents.query.paging.keyset import after, level
from documents.query.paging.sort import Sort
from documents.query.paging.sort_values import places, sort_values
from documents.query.paging.ties import are_tied, has_text, is_counted, place_key, place_of, settled
from documents.types import Document

PAGE_BYTES: Final = 4 * 1024 * 1024
"""Where a page ends even if it could have more documents: decoding more at once would keep others waiting."""


@dataclass(frozen=True, slots=True)
class Question:
    """What MongoDB is asked for, within the list's own filter.

    Args:
        where: Which documents; None for all.
        order: In what order.
        size: Documents at most.
        skip: Documents that are passed over first.
        by_row: Whether whole rows settle what `order` leaves open.
    """

    where: Document | None
    order: Sort
    size: int
    skip: int = 0
    by_row: bool = False


Find: TypeAlias = Callable[[Question], Awaitable[tuple[bytes, bool]]]
"""Returns documents as BSON, one behind the other, and whether MongoDB has more of them."""

Count: TypeAlias = Callable[[Document], Awaitable[int]]
First: TypeAlias = Callable[[Sequence[tuple[Any, ...]], Sort], Awaitable[int]]
"""Returns which of several lists of sort values comes first."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where pages are read.

    Args:
        find: Asks for documents.
        count: Counts those that match.
        first: Compares values by the collection's collation; None where text is compared by its bytes.
    """

    find: Find
    count: Count
    first: First | None


@dataclass(frozen=True, slots=True)
class PageRead:
    """Documents of one page.

    Args:
        batch: The documents.
        near: Goes back from the first that was read; None where there is none.
        far: Goes on from the last that was read, if the batch has more.
    """

    batch: StoredBatch
    near: Cursor | None
    far: Cursor | None


class PageReader:
    """Reads one page.

    Args:
        source: Where.
        order: Of the list, in the direction of reading.
        limit: Documents on a page.
        cursor: Where the page begins; None for the first page.
    """

    def __init__(self, source: Source, order: Sort, limit: int, cursor: Cursor | None) -> None:
        self._source = source
        self._order = order
        self._limit = limit
        self._cursor = cursor
        self._backwards = cursor is not None and cursor.backwards

    async def read(self, *, by_index: bool) -> PageRead:
        """Return the page.

        Args:
            by_index: Whether an index gives the order without `_id`. If it does not after all, this costs a sort.
        """
        if self._cursor is None or not self._cursor.skip:
            page = await self._by_index() if by_index and self._order.leading.keys else None
            page = page or await self._ranked()
            if self._begins_where_it_ended(page.batch):
                self._cursor = self._cursor and _skipping(self._cursor, 1)
            elif not self._repeats(page.batch, page.far):
                return page
        return await self._by_row()

    def _begins_where_it_ended(self, batch: StoredBatch) -> bool:
        """Say whether the first document is the one that the page before ended with, which MongoDB finds after itself.

        It does so in pipelines, as of views and time series, where an object has a key twice.
        """
        return self._cursor is not None and bool(batch.read) and self._is_at(batch.read[0], self._cursor)

    async def _ranked(self) -> PageRead:
        beyond = None if self._cursor is None else self._after(self._order, self._cursor.values)
        batch = await self._ask(beyond, self._order, self._limit + 1)
        return await self._page(batch, tied=self._source.first is not None or self._cuts_a_tie(batch))

    async def _by_index(self) -> PageRead | None:
        """Return the page, or None where only MongoDB can tell which of its documents are equal."""
        head, is_full = await self._rest_of_the_tie()
        if is_full:
            return await self._page(head, tied=True)
        lead = self._order.leading
        beyond = None if self._cursor is None else self._after(lead, self._cursor.values[: len(lead.keys)])
        shown = len(head.read)
        raw, more = await self._source.find(Question(beyond, lead, self._limit + 1 - shown))
        batch = await self._batch(head.raw + raw, more=more)
        if self._source.first is not None and has_text(batch.read, self._order):
            return None
        if len(batch.documents) <= shown:
            return await self._page(batch, tied=len(batch.documents) < shown)
        return await self._settle(batch)

    async def _rest_of_the_tie(self) -> tuple[StoredBatch, bool]:
        """Return what the page before left of its last group of equals, and whether that fills this page."""
        cursor = self._cursor
        if cursor is None or not cursor.tied or len(cursor.values) < len(self._order.keys):
            return await self._batch(b"", more=False), False
        batch = await self._ask(self._tie(cursor.values, beyond=True), self._order.tie_break, self._limit + 1)
        return batch, batch.has_more

    async def _settle(self, batch: StoredBatch) -> PageRead:
        """Put documents that are equal in the order of `_id`; where the edge cuts a group of them, read the group."""
        rows = batch.read[: len(batch.documents)]
        order = settled(rows, self._order)
        cut = self._cuts_a_tie(batch)
        if not cut and order == sorted(order):
            return await self._page(batch, tied=False)
        if cut and self._repeats(batch, await self._edge(rows[-1], tied=True)):
            return await self._page(batch, tied=True)
        raw = split_batch(batch.raw)
        kept = self._before_the_last_tie(rows) if cut else len(raw)
        sorted_raw = b"".join(raw[at].raw for at in (*order[:kept], *range(len(order), kept)))
        if not cut:
            return await self._page(await self._batch(sorted_raw, more=batch.has_more), tied=False)
        tie = self._tie(sort_values(rows[-1], self._order), beyond=False)
        group, more = await self._source.find(Question(tie, self._order.tie_break, self._limit + 1 - kept))
        whole = await self._batch(sorted_raw + group, more=True)
        return await self._page(whole, tied=more or len(whole.read) > len(whole.documents))

    def _before_the_last_tie(self, rows: Sequence[Document]) -> int:
        at = len(rows) - 1
        while at > 0 and are_tied(rows[at - 1], rows[at], self._order.leading):
            at -= 1
        return at

    async def _by_row(self) -> PageRead:
        cursor = self._cursor
        where = None if cursor is None else self._after(self._order, cursor.values)
        skip = cursor.skip if cursor else 0
        if cursor and skip:
            where = {"$or": [self._level(self._order, cursor.values), where]}
        batch = await self._ask(where, self._order, self._limit + 1, skip=skip, by_row=True)
        page = await self._page(batch, tied=True)
        return PageRead(batch, await self._turned(page.near), self._counted(batch, page.far))

    def _counted(self, batch: StoredBatch, far: Cursor | None) -> Cursor | None:
        """Return the cursor with the number of rows at its place that were shown, if more of them are to come."""
        if far is None or not self._repeats(batch, far):
            return far
        shown = 0
        for document in reversed(batch.read[: len(batch.documents)]):
            if not self._is_at(document, far):
                return _skipping(far, shown)
            shown += 1
        cursor = self._cursor
        at_cursor = cursor is not None and place_key(cursor.values) == place_key(far.values)
        return _skipping(far, shown + (cursor.skip if cursor and at_cursor else 0))

    async def _turned(self, near: Cursor | None) -> Cursor | None:
        """Return the cursor back, which passes over those rows at its place that come after the page."""
        cursor = self._cursor
        if near is None or cursor is None or not cursor.skip or place_key(cursor.values) != place_key(near.values):
            return near
        return _skipping(near, max(await self._source.count(self._level(self._order, cursor.values)) - cursor.skip, 0))

    def _repeats(self, batch: StoredBatch, far: Cursor | None) -> bool:
        """Say whether the document after the page stands at the very place where the page ends."""
        shown = len(batch.documents)
        if far is None or not shown or len(batch.read) == shown:
            return False
        if are_tied(batch.read[shown - 1], batch.read[shown], self._order):
            return True
        return is_counted(far.values) and self._is_at(batch.read[shown], far)

    def _is_at(self, document: Document, cursor: Cursor) -> bool:
        return place_key(place_of(sort_values(document, self._order))) == place_key(cursor.values)

    def _cuts_a_tie(self, batch: StoredBatch) -> bool:
        shown = len(batch.documents)
        if not batch.has_more or not shown:
            return False
        # A reply that ends with the page leaves it open.
        return len(batch.read) == shown or are_tied(batch.read[shown - 1], batch.read[shown], self._order.leading)

    async def _page(self, batch: StoredBatch, *, tied: bool) -> PageRead:
        shown = batch.read[: len(batch.documents)]
        if not shown:
            return PageRead(batch, None, None)
        near = None
        if self._cursor is not None:
            begins_inside = self._cursor.tied and self._begins_at(shown[0], self._cursor)
            near = await self._edge(shown[0], tied=begins_inside, turned=True)
        return PageRead(batch, near, await self._edge(shown[-1], tied=tied) if batch.has_more else None)

    def _begins_at(self, document: Document, cursor: Cursor) -> bool:
        if self._source.first is not None and has_text([document], self._order):
            return True
        lead = len(self._order.keys) - 1
        values = sort_values(document, self._order)[:lead]
        return place_key(place_of(values)) == place_key(cursor.values[:lead])

    async def _edge(self, document: Document, *, tied: bool, turned: bool = False) -> Cursor:
        place = place_of(await self._values(document))
        return Cursor(place, self._backwards != turned, tied and not is_counted(place))

    async def _values(self, document: Document) -> Sequence[Any]:
        if self._source.first is not None and has_text([document], self._order):
            choices = places(document, self._order)
            return choices[await self._source.first(choices, self._order) if len(choices) > 1 else 0]
        return sort_values(document, self._order)

    def _tie(self, values: Sequence[Any], *, beyond: bool) -> Document:
        """Return the predicate of the group of equals at `values`: the whole, or what is beyond them by `_id`."""
        group = self._level(self._order.leading, values[:-1])
        return {"$and": [group, self._after(self._order.tie_break, values[-1:])]} if beyond else group

    def _after(self, order: Sort, values: Sequence[Any]) -> Document:
        # Others may have stored ids of other types. Not to rely on the catalog costs a page a tenth of a millisecond.
        return sendable(after(order, values, id_type_is_uniform=False), values)

    def _level(self, order: Sort, values: Sequence[Any]) -> Document:
        return sendable(level(order, values), values)

    async def _ask(self, where: Document | None, order: Sort, size: int, **more: Any) -> StoredBatch:  # noqa: ANN401
        raw, has_more = await self._source.find(Question(where, order, size, **more))
        return await self._batch(raw, more=has_more)

    async def _batch(self, raw: bytes, *, more: bool) -> StoredBatch:
        return await aside(partial(self._decode, raw, more=more), large=len(raw) > LARGE_BYTES)

    def _decode(self, raw: bytes, *, more: bool) -> StoredBatch:
        batch = StoredBatch(raw, limit=self._limit, backwards=self._backwards, more=more, size_bytes=PAGE_BYTES)
        batch.read = exact_rows(batch, self._order)
        return batch


def _skipping(cursor: Cursor, skip: int) -> Cursor:
    return Cursor(cursor.values, cursor.backwards, tied=False, skip=skip)
