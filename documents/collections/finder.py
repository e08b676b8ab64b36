"""Shared reads: equal lists that are asked for at the same moment are read once."""

from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Final, TypeAlias

from documents.collections.coalescer import Coalescer, Limits, Waiter, latest
from documents.collections.paging import PageRead
from documents.database.deadline import Deadline, Running

Read: TypeAlias = Callable[[], Awaitable[PageRead]]

LIMITS: Final = Limits(in_flight=1, items=1000, size_bytes=1000, waiting_bytes=10_000)
"""Every caller counts for one byte: what travels is the query, once. Who asks for a list that is on its way waits for
it to be back, and is then read for together with all who have asked meanwhile."""


class Finder:
    """Reads lists, and those that are equal in every respect together."""

    def __init__(self) -> None:
        self.coalescer: Coalescer[Hashable, Read, PageRead] = Coalescer(self._find, limits=LIMITS)

    async def find(self, key: Hashable, read: Read, *, deadline: Deadline) -> PageRead:
        """Return what `read` gives.

        Args:
            key: Equal for reads that are the same: collection, policy, filter, order, fields, limit and place.
            read: Asks MongoDB. Of those that wait under one key, one is called for all.
            deadline: The caller's own.
        """
        return await self.coalescer.submit(key, read, size=1, deadline=deadline)

    async def close(self) -> None:
        """Wait for what is under way."""
        await self.coalescer.close()

    async def _find(self, _: Hashable, batch: Sequence[Waiter[Read, PageRead]]) -> None:
        with Running(latest(batch), writes=False):
            found = await batch[0].item()
        for waiter in batch:
            waiter.resolve(found)
