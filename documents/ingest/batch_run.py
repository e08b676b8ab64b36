"""Batches on their way: several are written side by side, and those with a key in common one after the other."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Hashable
from contextlib import aclosing
from typing import Final

from documents.ingest.batches import Outcome
from documents.ingest.claim import SLOTS, Claim, stop
from documents.ingest.meter import Meter, Progress
from documents.ingest.reading import Batch
from documents.ingest.width import Width
from documents.ingest.writing import BatchWriter

TELL_SECONDS: Final = 1.0
"""How often it is said how far a load is, when nothing comes of what is under way."""


class BatchRun:
    """Writes batches in the order in which they come.

    Args:
        claim: The job.
        writer: Writes one.
        meter: Counts them.
        width: How many are written side by side.
        before: Awaited with each batch before it is written.
        after: Awaited with what became of each, once it is committed.
        makes_index: Whether the collection needs a unique index, made with the first record that has a key.
        is_stoppable: Whether it ends when somebody wants the job to stop.
    """

    def __init__(
        self,
        claim: Claim,
        writer: BatchWriter,
        meter: Meter,
        *,
        width: Width,
        before: Callable[[Batch], Awaitable[None]],
        after: Callable[[Outcome], Awaitable[None]],
        makes_index: bool,
        is_stoppable: bool = True,
    ) -> None:
        self._claim = claim
        self._writer = writer
        self._meter = meter
        self._width = width
        self._before = before
        self._after = after
        self._needs_index = makes_index
        self._is_stoppable = is_stoppable
        self._running: dict[asyncio.Task[Outcome], int] = {}
        self._free = list(range(SLOTS))
        self._keys: dict[int, frozenset[Hashable]] = {}
        """The keys of the batch that each slot writes. No two have one in common, so that the file's order holds."""

    async def go(self, several: AsyncGenerator[Batch]) -> AsyncGenerator[Progress]:
        """Write batches, and yield how far it is after each. Close it where it is left before its end."""
        try:
            async with aclosing(several) as batches:
                async for batch in batches:
                    while len(self._running) >= self._width.value:
                        await self._next()
                        yield self._meter.read()
                    if self._is_stoppable and self._claim.is_cancelling:
                        break
                    if batch.is_empty:  # nothing more is there for now
                        while self._running:
                            await self._next()
                        yield self._meter.read()
                        continue
                    self._claim.check()
                    await self._before(batch)
                    keys = await self._keys_of(batch)
                    while any(not keys.isdisjoint(held) for held in self._keys.values()):
                        await self._next()
                        yield self._meter.read()
                    self._start(batch, keys)
                else:
                    self._meter.is_done = True
            while self._running:
                await self._next()
                yield self._meter.read()
        finally:
            await stop(self._running)

    async def _keys_of(self, batch: Batch) -> frozenset[Hashable]:
        keys = await self._writer.keys_of(batch)
        if self._needs_index and keys:
            await self._writer.make_index()
            self._needs_index = False
        return keys

    def _start(self, batch: Batch, keys: frozenset[Hashable]) -> None:
        slot = self._free.pop(0)
        self._keys[slot] = keys
        writing = self._writer.write(batch, slot, self._writer.reserve_ids(batch))
        self._running[asyncio.create_task(writing)] = slot

    async def _next(self) -> None:
        """Wait until a batch is committed, or a moment has passed."""
        finished, _ = await asyncio.wait(self._running, timeout=TELL_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        for task in finished:
            slot = self._running.pop(task)
            self._free.append(slot)
            del self._keys[slot]
            outcome = task.result()
            self._width.wrote(max(outcome.counts.received, outcome.counts.handled))
            self._meter.add(outcome.counts)
            await self._after(outcome)
