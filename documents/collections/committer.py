"""Group commit: single inserts that wait at the same moment become one unordered `insert_many`.

Each caller has its own outcome and its own acknowledgement, majority and journaled. Only inserts are
grouped: the reply to an update or a delete counts all of a batch together, and each caller needs its own.
"""

from collections.abc import Sequence
from typing import Any, Final, TypeAlias

from pymongo.errors import BulkWriteError

from documents.collections.coalescer import Coalescer, Limits, Waiter, latest
from documents.database.connection import Connection, as_bson
from documents.database.deadline import Deadline, Running
from documents.database.failures import of_write_error
from documents.errors import DatabaseUnavailableError

_Waiter: TypeAlias = Waiter[bytes, None]

MIB: Final = 1024 * 1024
LIMITS: Final = Limits(in_flight=2, items=1000, size_bytes=8 * MIB, waiting_bytes=128 * MIB)


class Committer:
    """Inserts documents, many callers in one round trip.

    Args:
        connection: Where they go.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.coalescer: Coalescer[str, bytes, None] = Coalescer(self._insert, limits=LIMITS, outcome="not-applied")

    async def insert(self, collection: str, raw: bytes, *, deadline: Deadline) -> None:
        """Return when the document is stored, durably.

        Raises:
            UniqueViolationError: Another document has the same id, or the same values under a unique index.
            UnavailableError: Its `outcome` says whether the document may have been stored all the same.
        """
        await self.coalescer.submit(collection, raw, size=len(raw), deadline=deadline)

    async def close(self) -> None:
        """Wait for what is under way."""
        await self.coalescer.close()

    async def _insert(self, collection: str, batch: Sequence[_Waiter]) -> None:
        target = self._connection.raw_collection(collection)
        with Running(latest(batch), writes=True):
            try:
                await target.insert_many([as_bson(waiter.item) for waiter in batch], ordered=False)
            except BulkWriteError as error:
                details = error.details or {}
                failures: Sequence[dict[str, Any]] = details.get("writeErrors", [])
                for failure in failures:
                    batch[int(failure["index"])].fail(of_write_error(failure))
                if details.get("writeConcernErrors") or not failures:
                    # What was refused stays refused; of the rest nobody knows whether it will last.
                    raise DatabaseUnavailableError("MongoDB did not confirm the write.", "unknown") from error
        for waiter in batch:
            waiter.resolve(None)
