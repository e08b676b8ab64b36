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
from time import perf_counter
from typing import Generic, TypeVar

from documents.database.deadline import Deadline
from documents.errors import DeadlineExceededError, Outcome, OverloadedError
from documents.telemetry import current

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")
R = TypeVar("R")


@dataclass(slots=True, eq=False)
class Waiter(Generic[T, R]):
    """One caller: what it brought, by when it wants its answer, and where the answer goes."""

    item: T = field(repr=False)  # a document has no place in a log
    size: int
    deadline: Deadline
    answer: "asyncio.Future[R]" = field(repr=False)
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
    task: "asyncio.Task[object] | None"

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
        self.batches = 0
        """Round trips until now, and the callers that they were for."""
        self.items = 0
        self._lanes: dict[K, _Lane[T, R]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._own_loop: asyncio.AbstractEventLoop | None = None
        self._asking: dict[Waiter[T, R], _Lane[T, R]] = {}
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_at = 0.0

    async def submit(self, key: K, item: T, *, size: int, deadline: Deadline) -> R:
        """Return the answer to `item`.

        Raises:
            OverloadedError: Too much is waiting already.
            DeadlineExceededError: The answer did not come in time.
        """
        lane = self._lanes.setdefault(key, _Lane())
        if lane.waiting_bytes + size > self._limits.waiting_bytes and lane.waiting:
            raise OverloadedError("Too many requests are waiting for this collection.", self._outcome)
        waiter: Waiter[T, R] = Waiter(item, size, deadline, self._loop.create_future())
        lane.waiting.append(waiter)
        lane.waiting_bytes += size
        self._schedule(key, lane)
        self._asking[waiter] = lane
        # One alarm for all: a time limit of its own would cost each caller a tenth of its time.
        if self._alarm is None or deadline.at < self._alarm_at:
            self._set_alarm(deadline)
        began = perf_counter()
        try:
            return await waiter.answer
        except asyncio.CancelledError:
            self._withdraw(lane, waiter)
            raise
        finally:
            del self._asking[waiter]
            observation = current()
            if observation is not None and not observation.depth:
                observation.database_seconds += perf_counter() - began

    @property
    def waiting(self) -> int:
        """Callers whose batch has not left."""
        return sum(len(lane.waiting) for lane in self._lanes.values())

    async def close(self) -> None:
        """Wait for the batches that are under way."""
        if self._alarm is not None:
            self._alarm.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def _loop(self) -> asyncio.AbstractEventLoop:
        """The one event loop that callers come from. Asking for it each time is a call of the kernel in Python 3.11."""
        if self._own_loop is None:
            self._own_loop = asyncio.get_running_loop()
        return self._own_loop

    def _set_alarm(self, deadline: Deadline) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm_at = deadline.at
        self._alarm = self._loop.call_later(max(deadline.remaining(), 0), self._ring)

    def _ring(self) -> None:
        """Tell those whose time is up, and wake again for the next."""
        self._alarm = None
        for waiter, lane in list(self._asking.items()):
            if waiter.deadline.remaining() <= 0:
                self._give_up(lane, waiter)
        left = [waiter.deadline for waiter in self._asking if not waiter.answer.done()]
        if left:
            self._set_alarm(min(left, key=lambda deadline: deadline.at))

    def _give_up(self, lane: _Lane[T, R], waiter: Waiter[T, R]) -> None:
        """Tell a caller that its time is up."""
        if waiter.answer.done():
            return
        is_unknown = self._outcome is not None and waiter.trip is not None
        waiter.fail(
            DeadlineExceededError("MongoDB did not answer in time.", "unknown" if is_unknown else self._outcome)
        )
        self._withdraw(lane, waiter)

    def _withdraw(self, lane: _Lane[T, R], waiter: Waiter[T, R]) -> None:
        """Take a waiter back; where its batch has left already, the trip goes on for the others."""
        if waiter.trip is not None:
            waiter.trip.leave()
        elif waiter in lane.waiting:  # unless its time was up just before its caller left
            lane.waiting.remove(waiter)
            lane.waiting_bytes -= waiter.size

    def _schedule(self, key: K, lane: _Lane[T, R]) -> None:
        if not lane.scheduled and lane.waiting and lane.in_flight < self._limits.in_flight:
            lane.scheduled = True
            # In a context of its own: the first caller's time limit must not become everybody's.
            task = self._loop.create_task(self._carry(key, lane), context=Context())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

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

    async def _carry(self, key: K, lane: _Lane[T, R]) -> None:
        # A task begins on the next turn of the loop: whoever else arrived in the same turn comes along.
        lane.scheduled = False
        batch = self._take(lane)
        if batch:  # unless all of them have gone in the meantime
            await self._travel(key, lane, batch)
        self._forget(key, lane)

    async def _travel(self, key: K, lane: _Lane[T, R], batch: list[Waiter[T, R]]) -> None:
        trip = _Trip(batch, asyncio.current_task(self._loop))
        for waiter in batch:
            waiter.trip = trip
        lane.in_flight += 1
        self.batches += 1
        self.items += len(batch)
        self._schedule(key, lane)
        try:
            await self._run(key, batch)
        except Exception as error:  # noqa: BLE001  # whatever it is, it is the callers' to hear
            for waiter in batch:
                waiter.fail(error)
        finally:
            lane.in_flight -= 1
            self._schedule(key, lane)

    def _forget(self, key: K, lane: _Lane[T, R]) -> None:
        """Drop a lane that nobody uses; whoever comes next gets a new one."""
        if not lane.waiting and not lane.in_flight and not lane.scheduled:
            self._lanes.pop(key, None)


def latest(batch: Sequence[Waiter[T, R]]) -> Deadline:
    """Return the last deadline in a batch: one caller's haste must not cost the others their answer."""
    return max((waiter.deadline for waiter in batch), key=lambda deadline: deadline.at)
