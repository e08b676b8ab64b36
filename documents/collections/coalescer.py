"""Turns work that waits at the same moment into one round trip. The loader and the committer stand on it.

There is no timer. A batch leaves as soon as there is a free slot, so a lone caller waits for nothing; what
arrives while all slots are taken leaves together when the first one is back. A caller only ever joins a
batch that leaves after it arrived, so it sees every write that was acknowledged to it before.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from contextvars import Context
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from documents.database.deadline import Deadline
from documents.errors import DeadlineExceededError, Outcome, OverloadedError

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")
R = TypeVar("R")


@dataclass(slots=True, eq=False)
class Waiter(Generic[T, R]):
    """One caller: what it brought, by when it wants its answer, and where the answer goes."""

    item: T
    size: int
    deadline: Deadline
    answer: "asyncio.Future[R]"
    trip: "_Trip[T, R] | None" = None

    def resolve(self, result: R) -> None:
        """Answer, unless the caller has gone."""
        if not self.answer.done():
            self.answer.set_result(result)

    def fail(self, error: Exception) -> None:
        """Answer with an error, unless the caller has gone."""
        if not self.answer.done():
            self.answer.set_exception(error)


@dataclass(frozen=True, slots=True)
class Limits:
    """How much may wait and travel.

    Args:
        in_flight: Batches of one key that are under way at once.
        items: Callers in one batch.
        size_bytes: Bytes in one batch, unless a single item is larger.
        waiting_bytes: Bytes that may wait for one key; beyond that callers are refused at once.
    """

    in_flight: int
    items: int
    size_bytes: int
    waiting_bytes: int


@dataclass(slots=True, eq=False)
class _Trip(Generic[T, R]):
    """A batch that has left."""

    batch: "Sequence[Waiter[T, R]]"
    task: "asyncio.Task[None] | None" = None

    def leave(self) -> None:
        """Call the trip off when nobody waits for it any more."""
        if self.task is not None and all(waiter.answer.done() for waiter in self.batch):
            self.task.cancel()


@dataclass(slots=True)
class _Lane(Generic[T, R]):
    waiting: "deque[Waiter[T, R]]" = field(default_factory=deque["Waiter[T, R]"])
    waiting_bytes: int = 0
    in_flight: int = 0
    scheduled: bool = False


class Coalescer(Generic[K, T, R]):
    """Runs batches of what callers submit, a lane for each key.

    Args:
        run: Answers every waiter of one batch. What it raises goes to all that have no answer yet.
        limits: Bounds of one lane.
        outcome: What became of an item that was still waiting when its caller's time was up.
    """

    def __init__(
        self,
        run: Callable[[K, Sequence[Waiter[T, R]]], Awaitable[None]],
        *,
        limits: Limits,
        outcome: Outcome | None = None,
    ) -> None:
        self._run = run
        self._limits = limits
        self._outcome: Outcome | None = outcome
        self._lanes: dict[K, _Lane[T, R]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def submit(self, key: K, item: T, *, size: int, deadline: Deadline) -> R:
        """Return the answer to `item`.

        Raises:
            OverloadedError: Too much is waiting already.
            DeadlineExceededError: The answer did not come in time.
        """
        loop = asyncio.get_running_loop()
        lane = self._lanes.setdefault(key, _Lane())
        if lane.waiting_bytes + size > self._limits.waiting_bytes and lane.waiting:
            raise OverloadedError("Too many requests are waiting for this collection.", self._outcome)
        waiter: Waiter[T, R] = Waiter(item, size, deadline, loop.create_future())
        lane.waiting.append(waiter)
        lane.waiting_bytes += size
        self._schedule(key, lane)
        try:
            async with asyncio.timeout(max(deadline.remaining(), 0)):
                return await waiter.answer
        except TimeoutError:
            still_here = self._withdraw(lane, waiter)
            raise DeadlineExceededError(
                "MongoDB did not answer in time.", self._outcome if still_here or not self._outcome else "unknown"
            ) from None
        except asyncio.CancelledError:
            self._withdraw(lane, waiter)
            raise

    async def close(self) -> None:
        """Wait for the batches that are under way."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _withdraw(self, lane: _Lane[T, R], waiter: Waiter[T, R]) -> bool:
        """Take a waiter back; False when its batch has left already."""
        if waiter.trip is not None:
            waiter.trip.leave()
            return False
        lane.waiting.remove(waiter)
        lane.waiting_bytes -= waiter.size
        return True

    def _schedule(self, key: K, lane: _Lane[T, R]) -> None:
        # At the end of this turn of the loop: whoever else arrives in the same turn comes along.
        if not lane.scheduled and lane.waiting and lane.in_flight < self._limits.in_flight:
            lane.scheduled = True
            asyncio.get_running_loop().call_soon(self._depart, key, lane)

    def _depart(self, key: K, lane: _Lane[T, R]) -> None:
        lane.scheduled = False
        batch = self._take(lane)
        if not batch:  # all of them have gone in the meantime
            self._forget(key, lane)
            return
        lane.in_flight += 1
        trip = _Trip(batch)
        for waiter in batch:
            waiter.trip = trip
        # In a context of its own: the first caller's time limit must not become everybody's.
        trip.task = asyncio.get_running_loop().create_task(self._carry(key, lane, batch), context=Context())
        self._tasks.add(trip.task)
        trip.task.add_done_callback(self._tasks.discard)
        self._schedule(key, lane)

    def _take(self, lane: _Lane[T, R]) -> list[Waiter[T, R]]:
        batch: list[Waiter[T, R]] = []
        size = 0
        while lane.waiting and len(batch) < self._limits.items:
            if batch and size + lane.waiting[0].size > self._limits.size_bytes:
                break
            waiter = lane.waiting.popleft()
            size += waiter.size
            batch.append(waiter)
        lane.waiting_bytes -= size
        return batch

    async def _carry(self, key: K, lane: _Lane[T, R], batch: list[Waiter[T, R]]) -> None:
        try:
            await self._run(key, batch)
        except Exception as error:  # noqa: BLE001  # whatever it is, it is the callers' to hear
            for waiter in batch:
                waiter.fail(error)
        finally:
            lane.in_flight -= 1
            self._schedule(key, lane)
            self._forget(key, lane)

    def _forget(self, key: K, lane: _Lane[T, R]) -> None:
        """Drop a lane that nobody uses; whoever comes next gets a new one."""
        if not lane.waiting and not lane.in_flight and not lane.scheduled:
            self._lanes.pop(key, None)


def latest(batch: Sequence[Waiter[T, R]]) -> Deadline:
    """Return the last deadline in a batch: one caller's haste must not cost the others their answer."""
    return max((waiter.deadline for waiter in batch), key=lambda deadline: deadline.at)
