"""The shapes of queries, counted in memory and written down now and then, so that missing indexes can be advised."""

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any, Final

from pymongo import IndexModel, UpdateOne

from documents.collections.slow_queries import SlowQueries
from documents.database.connection import Connection
from documents.database.deadline import Deadline, Running
from documents.errors import StoreError
from documents.query.filter.filter import Filter
from documents.query.filter.query_shape import QueryShape, shapes_of, shapes_of_pipeline
from documents.types import SYSTEM_PREFIX, Document

SHAPES: Final = f"{SYSTEM_PREFIX}query_shapes"
SLOW_SECONDS: Final = 0.1
INTERVAL: Final = timedelta(minutes=1)
KEPT: Final = timedelta(days=30)
"""A shape that nobody asks for any more is forgotten after this time."""

EXACT: Final = 200
STRIDE: Final = 64
"""In each interval the first 200 queries are looked at, and then one in 64, which counts for all of them. So a query
costs a comparison of two numbers when there are many, and every shape is seen when there are few."""

MAX_SHAPES: Final = 1000
"""Shapes counted at once by a process."""

MAX_STORED: Final = 5000
FLUSH_SECONDS: Final = 5.0
_log = logging.getLogger("sheaf")


@dataclass(slots=True)
class _Tally:
    count: int = 0
    slow: int = 0
    seconds: float = 0.0


class ShapeLog:
    """Counts shapes of queries. Fields are noted, never values; gets by id are not noted at all.

    Args:
        slow: Writes lines for queries that took long; None writes none.
    """

    def __init__(self, slow: SlowQueries | None = None) -> None:
        self._slow = slow
        self._seen = 0
        self._tallies: dict[tuple[str, QueryShape], _Tally] = {}
        self._is_indexed = False
        self._connection: Connection | None = None
        self._flushing: asyncio.Task[None] | None = None

    def note(
        self, collection: str, selected: Filter, sort: Iterable[tuple[str, int]] = (), *, seconds: float = 0.0
    ) -> None:
        """Note a query, whether or not it succeeded. Costs next to nothing for most of them.

        Args:
            collection: That was asked.
            selected: The filter.
            sort: In what order.
            seconds: How long it took.
        """
        weight = self._weight(seconds)
        if weight:
            query, order = selected.to_mongo(), tuple(sort)
            shapes = shapes_of(query, order)
            self._add(collection, shapes, weight, seconds)
            if self._slow is not None and self._slow.is_slow(seconds):
                command: Document = {"find": collection, "filter": query} | {
                    name: dict(order) for name in ["sort"] if order
                }
                self._slow.report(collection, shapes, command, seconds=seconds)

    def note_pipeline(self, collection: str, pipeline: Sequence[Mapping[str, Any]], *, seconds: float) -> None:
        """Note an aggregation."""
        weight = self._weight(seconds)
        if weight:
            shapes = shapes_of_pipeline(pipeline)
            self._add(collection, shapes, weight, seconds)
            if self._slow is not None and self._slow.is_slow(seconds):
                command: Document = {"aggregate": collection, "pipeline": list(pipeline), "cursor": {}}
                self._slow.report(collection, shapes, command, seconds=seconds)

    def _weight(self, seconds: float) -> int:
        """Return for how many queries this one stands; 0 to pass it over."""
        self._seen += 1
        is_slow = seconds >= SLOW_SECONDS or (self._slow is not None and self._slow.is_slow(seconds))
        if self._seen <= EXACT or is_slow:
            return 1
        return 0 if self._seen % STRIDE else STRIDE

    def _add(self, collection: str, shapes: Sequence[QueryShape], weight: int, seconds: float) -> None:
        for shape in shapes:
            key = (collection, shape)
            tally = self._tallies.get(key)
            if tally is None:
                if len(self._tallies) >= MAX_SHAPES:
                    return
                tally = self._tallies[key] = _Tally()
            tally.count += weight
            tally.slow += seconds >= SLOW_SECONDS
            tally.seconds += seconds * weight

    def start(self, connection: Connection) -> None:
        """Write the counts down every minute from now on, and at the end; unless it is started, never."""
        self._connection = connection
        self._flushing = asyncio.create_task(self._keep_flushing(connection))

    async def close(self) -> None:
        """Write down what was counted last."""
        if self._slow is not None:
            await self._slow.close()
        if self._flushing is not None and self._connection is not None:
            self._flushing.cancel()
            await asyncio.wait({self._flushing})
            await self.flush(self._connection)

    async def _keep_flushing(self, connection: Connection) -> None:
        while True:
            await asyncio.sleep(INTERVAL.total_seconds())
            await self.flush(connection)

    async def flush(self, connection: Connection) -> None:
        """Write down what was counted since the last time. What cannot be written is logged and forgotten."""
        tallies, self._tallies, self._seen = self._tallies, {}, 0
        if not tallies:
            return
        try:
            with Running(Deadline(FLUSH_SECONDS), writes=True):
                await self._write(connection, tallies)
        except StoreError as error:
            _log.warning("The shapes of %d queries were not recorded: %s", len(tallies), error.detail)

    async def _write(self, connection: Connection, tallies: Mapping[tuple[str, QueryShape], _Tally]) -> None:
        shapes = connection.collection(SHAPES)
        if not self._is_indexed:
            await shapes.create_indexes([IndexModel([("last", 1)], expireAfterSeconds=int(KEPT.total_seconds()))])
            self._is_indexed = True
        is_full = await shapes.estimated_document_count() >= MAX_STORED
        now = datetime.now(UTC)
        updates = [
            UpdateOne(*_update(collection, shape, tally, now), upsert=not is_full)
            for (collection, shape), tally in tallies.items()
        ]
        await shapes.bulk_write(updates, ordered=False)


def _update(collection: str, shape: QueryShape, tally: _Tally, now: datetime) -> tuple[Document, Document]:
    key = blake2b(repr((collection, shape)).encode(), digest_size=16).hexdigest()
    described: Document = {
        "collection": collection,
        "equality": list(shape.equality),
        "range": list(shape.range),
        "sort": [list(way) for way in shape.sort],
        "since": now,
    }
    counted = {"count": tally.count, "slow": tally.slow, "seconds": tally.seconds}
    return {"_id": key}, {"$setOnInsert": described, "$inc": counted, "$max": {"last": now}}
