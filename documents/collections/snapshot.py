"""Documents of one collection as they were at one moment, read as often as need be, in bounded memory."""

import asyncio
import struct
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Iterator
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Final, TypeVar, cast

from bson.errors import BSONError
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import OperationFailure, PyMongoError

from documents.database.connection import END_WORK_SECONDS, Connection
from documents.database.failures import translate
from documents.errors import DeadlineExceededError, QueryRefusedError, StoreError
from documents.types import Document

T = TypeVar("T")

BATCH: Final = 2000
"""Documents that are asked for at once. MongoDB sends fewer where they would take more than 16 MB."""

AHEAD_BYTES: Final = 2 * 1024 * 1024
"""Behind a batch up to this size the next one is fetched while it is used; behind a larger one not, for memory."""

SLICE_BYTES: Final = 512 * 1024
"""What is used at once: decoding it holds the interpreter for some milliseconds, and others wait so long."""

_LENGTH: Final = struct.Struct("<i")
_SNAPSHOT_TOO_OLD: Final = 239
_SNAPSHOT_UNAVAILABLE: Final = 246


@dataclass(frozen=True, slots=True)
class Query:
    """What is read, as MongoDB takes it. A limit of 0 is none."""

    filter: Document
    projection: dict[str, int] | None = None
    sort: list[tuple[str, int]] | None = None
    limit: int = 0


class Snapshot:
    """Reads a query's documents, always as they were when it was first read.

    Args:
        collection: Whose.
        query: Query that selects documents.
        session: One for snapshots, of its own.
        seconds: Longest that MongoDB may take for one batch.
    """

    def __init__(
        self, collection: AsyncCollection[Document], query: Query, session: AsyncClientSession, seconds: float
    ) -> None:
        self._collection = collection
        self._query = query
        self._session = session
        self._seconds = seconds

    async def slices(self) -> AsyncGenerator[bytes]:
        """Yield documents as BSON, one behind the other, about `SLICE_BYTES` at a time.

        The next batch is only asked for when the one before is being used, so who takes slowly makes MongoDB wait.

        Raises:
            StoreError: MongoDB failed, or has the snapshot no more.
        """
        async with aclosing(self._batches()) as batches:
            async for raw in batches:
                for part in slices_of(raw):
                    yield part

    async def _batches(self) -> AsyncGenerator[bytes]:
        query = self._query
        cursor = self._collection.find_raw_batches(
            query.filter,
            query.projection,
            sort=query.sort,
            limit=query.limit,
            batch_size=BATCH,
            allow_disk_use=False,
            session=self._session,
        )
        # PyMongo types what a raw cursor yields as documents; it is bytes, several documents long.
        batches = cast("AsyncIterator[bytes]", cursor)
        upcoming = asyncio.create_task(self._next(batches))
        try:
            while raw := await upcoming:
                if len(raw) <= AHEAD_BYTES:
                    upcoming = asyncio.create_task(self._next(batches))
                    yield raw
                else:
                    yield raw
                    upcoming = asyncio.create_task(self._next(batches))
        finally:
            upcoming.cancel()
            await asyncio.gather(upcoming, return_exceptions=True)
            # What cannot be closed now, MongoDB closes by itself.
            with suppress(PyMongoError, TimeoutError):
                async with asyncio.timeout(END_WORK_SECONDS):
                    await cursor.close()

    async def _next(self, batches: AsyncIterator[bytes]) -> bytes:
        return await _timed(anext(batches, b""), self._seconds)


@asynccontextmanager
async def open_snapshot(
    connection: Connection, collection: str, query: Query, *, seconds: float, is_snapshot: bool = True
) -> AsyncGenerator[Snapshot]:
    """Open a snapshot. When the caller fails, is cancelled or leaves, MongoDB gives up what it still does for it.

    Args:
        connection: To MongoDB.
        collection: Whose documents.
        query: Which of them.
        seconds: Longest that MongoDB may take for one batch.
        is_snapshot: Whether all is read as of one moment. MongoDB has no snapshots of capped collections before 8.
    """
    async with connection.client.start_session(snapshot=is_snapshot) as session:
        try:
            yield Snapshot(connection.collection(collection), query, session, seconds)
        except BaseException:
            await connection.end_work(session)
            raise


def slices_of(raw: bytes) -> Iterator[bytes]:
    """Yield a batch, documents one behind the other, in slices of about `SLICE_BYTES` that each end with a document."""
    if len(raw) <= SLICE_BYTES:
        yield raw
        return
    start = end = 0
    while end < len(raw):
        # A length that cannot be is left to whoever decodes the slice.
        rest = len(raw) - end
        end += max(_LENGTH.unpack_from(raw, end)[0], _LENGTH.size) if rest >= _LENGTH.size else rest
        if end - start >= SLICE_BYTES or end >= len(raw):
            yield raw[start:end]
            start = end


async def _timed(reply: Awaitable[T], seconds: float) -> T:
    """Return what MongoDB replies.

    The driver is not told of the time: it would have MongoDB count it for the whole cursor, and not for one batch.
    """
    try:
        async with asyncio.timeout(seconds):
            return await reply
    except TimeoutError:
        raise DeadlineExceededError("MongoDB did not send the next batch in time.") from None
    except OperationFailure as error:
        raise _of_failure(error) from error
    except (PyMongoError, BSONError) as error:
        raise translate(error, writes=False) from error


def _of_failure(error: OperationFailure) -> StoreError:
    if error.code == _SNAPSHOT_TOO_OLD:
        return QueryRefusedError(
            "This took longer than MongoDB keeps a snapshot, which is its minSnapshotHistoryWindowInSeconds."
        )
    if error.code == _SNAPSHOT_UNAVAILABLE:
        return QueryRefusedError(
            "MongoDB has no snapshot of this: neither views of capped collections have one before MongoDB 8, nor what "
            "was just made anew. Export the collection that the view is of, or try again."
        )
    return translate(error, writes=False)
