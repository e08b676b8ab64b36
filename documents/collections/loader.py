"""Read coalescing: gets by id that wait at the same moment become one `$in` find."""

from collections.abc import AsyncIterator, Sequence
from typing import Final, TypeAlias, cast

from documents.catalog.addresses import id_key
from documents.codec.stored import StoredDocument, split_batch
from documents.collections.coalescer import Coalescer, Limits, Waiter, latest
from documents.collections.selectors import by_ids
from documents.database.connection import Connection
from documents.database.deadline import Deadline, Running

Lane: TypeAlias = tuple[str, str]
"""A collection, and the policy under which it is read: what different policies may see never mixes."""

_Waiter: TypeAlias = Waiter[object, StoredDocument | None]

TYPICAL_BYTES: Final = 4096
LIMITS: Final = Limits(in_flight=2, items=128, size_bytes=16 * 1024 * 1024, waiting_bytes=256 * 1024 * 1024)


class Loader:
    """Reads documents by id, many callers in one round trip.

    Args:
        connection: Where the documents are.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._typical: dict[str, int] = {}
        self.coalescer: Coalescer[Lane, object, StoredDocument | None] = Coalescer(self._find, limits=LIMITS)

    async def load(
        self, collection: str, document_id: object, *, policy: str, deadline: Deadline
    ) -> StoredDocument | None:
        """Return the document, or None when no document has this id.

        Every write that was acknowledged before this call is seen.
        """
        size = self._typical.get(collection, TYPICAL_BYTES)
        return await self.coalescer.submit((collection, policy), document_id, size=size, deadline=deadline)

    async def close(self) -> None:
        """Wait for what is under way."""
        await self.coalescer.close()

    async def _find(self, lane: Lane, batch: Sequence[_Waiter]) -> None:
        collection, _ = lane
        wanted: dict[object, list[_Waiter]] = {}
        for waiter in batch:
            wanted.setdefault(id_key(waiter.item), []).append(waiter)
        ids = [waiters[0].item for waiters in wanted.values()]
        with Running(latest(batch), writes=False):
            found = self._connection.collection(collection).find_raw_batches(by_ids(ids), batch_size=len(ids) + 1)
            # PyMongo types what a raw cursor yields as documents; it is bytes, several documents long.
            cursor = cast("AsyncIterator[bytes]", found)
            async for data in cursor:
                self._answer(collection, wanted, split_batch(data))
        for waiters in wanted.values():
            for waiter in waiters:
                waiter.resolve(None)

    def _answer(
        self, collection: str, wanted: dict[object, list[_Waiter]], documents: Sequence[StoredDocument]
    ) -> None:
        for document in documents:
            for waiter in wanted.pop(id_key(document.id), ()):
                waiter.resolve(document)
        if documents:
            self._typical[collection] = max(len(document.raw) for document in documents)
