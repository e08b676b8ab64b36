"""Batches are let go by the tests, so nothing here depends on time; the deadlines that pass have passed already."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import pytest

from documents.collections.coalescer import Coalescer, Limits, Waiter, latest
from documents.database.deadline import Deadline
from documents.errors import DeadlineExceededError, Outcome, OverloadedError, StoreError

LIMITS = Limits(in_flight=1, items=8, size_bytes=100, waiting_bytes=400)


class RefusedItemError(StoreError):
    """The answer of one caller alone."""

    code = "refused-item"


@dataclass
class Journey:
    """A batch on its way. It ends when the test says so."""

    key: str
    waiters: Sequence[Waiter[int, str]]
    end: asyncio.Event = field(default_factory=asyncio.Event)
    error: Exception | None = None

    @property
    def items(self) -> list[int]:
        return [waiter.item for waiter in self.waiters]

    def finish(self, error: Exception | None = None) -> None:
        self.error = error
        self.end.set()


class Station:
    """A coalescer, with a look at each batch that leaves."""

    def __init__(self, limits: Limits = LIMITS, outcome: Outcome | None = None) -> None:
        self.coalescer: Coalescer[str, int, str] = Coalescer(self._run, limits=limits, outcome=outcome)
        self.journeys: list[Journey] = []
        self._left = asyncio.Condition()

    async def _run(self, key: str, waiters: Sequence[Waiter[int, str]]) -> None:
        journey = Journey(key, waiters)
        self.journeys.append(journey)
        async with self._left:
            self._left.notify_all()
        await journey.end.wait()
        if journey.error is not None:
            raise journey.error
        for waiter in waiters:
            waiter.resolve(f"{key}-{waiter.item}")

    def submit(self, item: int, *, key: str = "a", size: int = 1, seconds: float = 60) -> "asyncio.Task[str]":
        submitted: Coroutine[Any, Any, str] = self.coalescer.submit(key, item, size=size, deadline=Deadline(seconds))
        return asyncio.ensure_future(submitted)

    async def departure(self, number: int) -> Journey:
        """Return the batch that leaves as the first (1), second, ..."""
        async with self._left:
            await self._left.wait_for(lambda: len(self.journeys) >= number)
        return self.journeys[number - 1]

    def finish_all(self) -> None:
        for journey in self.journeys:
            journey.finish()


@pytest.fixture
async def station() -> AsyncIterator[Station]:
    opened = Station()
    yield opened
    opened.finish_all()
    await opened.coalescer.close()


async def settle() -> None:
    """Let everything that can run now run."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_lone_caller_leaves_at_once(station: Station) -> None:
    answer = station.submit(1)
    (await station.departure(1)).finish()
    assert await answer == "a-1"


async def test_callers_of_one_turn_travel_together(station: Station) -> None:
    answers = [station.submit(item) for item in range(5)]
    journey = await station.departure(1)
    assert journey.items == [0, 1, 2, 3, 4]
    journey.finish()
    assert await asyncio.gather(*answers) == [f"a-{item}" for item in range(5)]


async def test_who_comes_while_all_are_away_leaves_together_afterwards(station: Station) -> None:
    first = station.submit(0)
    journey = await station.departure(1)
    later = [station.submit(item) for item in (1, 2, 3)]
    await settle()
    assert len(station.journeys) == 1, "a batch that has left takes nobody in, so a caller sees what was written before"
    journey.finish()
    second = await station.departure(2)
    assert second.items == [1, 2, 3]
    second.finish()
    assert await asyncio.gather(first, *later) == ["a-0", "a-1", "a-2", "a-3"]


async def test_no_more_than_the_limit_are_under_way() -> None:
    station = Station(Limits(in_flight=2, items=1, size_bytes=100, waiting_bytes=400))
    answers = [station.submit(item) for item in range(5)]
    await station.departure(2)
    await settle()
    assert len(station.journeys) == 2
    for number in range(1, 6):
        (await station.departure(number)).finish()
    assert await asyncio.gather(*answers) == [f"a-{item}" for item in range(5)]


async def test_keys_never_share_a_batch_nor_wait_for_each_other(station: Station) -> None:
    answers = [station.submit(item, key="ab"[item % 2]) for item in range(6)]
    await station.departure(2)
    assert {journey.key: journey.items for journey in station.journeys} == {"a": [0, 2, 4], "b": [1, 3, 5]}
    station.finish_all()
    assert await asyncio.gather(*answers) == ["a-0", "b-1", "a-2", "b-3", "a-4", "b-5"]


async def test_a_batch_has_a_limit_of_items(station: Station) -> None:
    answers = [station.submit(item) for item in range(20)]
    for number in (1, 2, 3):
        (await station.departure(number)).finish()
    await asyncio.gather(*answers)
    assert [len(journey.items) for journey in station.journeys] == [8, 8, 4]


async def test_a_batch_has_a_limit_of_bytes_that_only_a_single_item_may_pass(station: Station) -> None:
    sizes = [60, 30, 30, 150, 60, 60]
    answers = [station.submit(item, size=size) for item, size in enumerate(sizes)]
    for number in (1, 2, 3, 4, 5):
        (await station.departure(number)).finish()
    await asyncio.gather(*answers)
    assert [journey.items for journey in station.journeys] == [[0, 1], [2], [3], [4], [5]]


@pytest.mark.parametrize("outcome", [None, "not-applied"])
async def test_beyond_what_may_wait_callers_are_refused_at_once(outcome: Outcome | None) -> None:
    station = Station(outcome=outcome)
    away = station.submit(0)
    journey = await station.departure(1)
    waiting = [station.submit(item, size=100) for item in range(1, 5)]
    await settle()
    with pytest.raises(OverloadedError) as refusal:
        await station.submit(5)
    assert refusal.value.outcome == outcome
    journey.finish()
    for number in range(2, 6):
        (await station.departure(number)).finish()
    await asyncio.gather(away, *waiting)
    again = station.submit(6, size=400)
    (await station.departure(6)).finish()
    assert await again == "a-6", "what has left no longer counts"


async def test_an_item_larger_than_what_may_wait_travels_when_nobody_waits(station: Station) -> None:
    answer = station.submit(1, size=1000)
    (await station.departure(1)).finish()
    assert await answer == "a-1"


async def test_a_caller_that_goes_before_its_batch_leaves_is_left_out(station: Station) -> None:
    away = station.submit(0)
    journey = await station.departure(1)
    staying, going = station.submit(1, size=200), station.submit(2, size=200)
    await settle()
    going.cancel()
    with pytest.raises(asyncio.CancelledError):
        await going
    replacing = station.submit(3, size=200)
    journey.finish()
    second = await station.departure(2)
    assert second.items == [1], "and the bytes of the one that left no longer count"
    second.finish()
    (await station.departure(3)).finish()
    assert await asyncio.gather(away, staying, replacing) == ["a-0", "a-1", "a-3"]


async def test_a_caller_that_goes_on_the_way_takes_nothing_from_the_others(station: Station) -> None:
    staying, going = station.submit(1), station.submit(2)
    journey = await station.departure(1)
    going.cancel()
    with pytest.raises(asyncio.CancelledError):
        await going
    journey.finish()
    assert await staying == "a-1"


async def test_a_batch_that_nobody_waits_for_any_more_is_called_off(station: Station) -> None:
    one, other = station.submit(1), station.submit(2)
    await station.departure(1)
    next_one = station.submit(3)
    one.cancel()
    await settle()
    assert len(station.journeys) == 1, "somebody waits for the batch, and there is one slot"
    other.cancel()
    (await station.departure(2)).finish()
    assert await next_one == "a-3"


async def test_a_short_deadline_ends_one_wait_and_harms_nobody_else() -> None:
    station = Station(outcome="not-applied")
    away = station.submit(0)
    journey = await station.departure(1)
    hasty, patient = station.submit(1, seconds=0), station.submit(2)
    with pytest.raises(DeadlineExceededError) as late:
        await hasty
    assert late.value.outcome == "not-applied", "it never left"
    journey.finish()
    second = await station.departure(2)
    assert second.items == [2]
    second.finish()
    assert await asyncio.gather(away, patient) == ["a-0", "a-2"]


@pytest.mark.parametrize(("configured", "told"), [("not-applied", "unknown"), (None, None)])
async def test_who_is_late_on_the_way_cannot_know_what_became_of_it(
    configured: Outcome | None, told: Outcome | None
) -> None:
    station = Station(outcome=configured)
    hasty, patient = station.submit(1, seconds=0.01), station.submit(2)
    journey = await station.departure(1)
    with pytest.raises(DeadlineExceededError) as late:
        await hasty
    assert late.value.outcome == told
    assert latest(journey.waiters).remaining() > 1, "a batch has the time of its most patient caller"
    journey.finish()
    assert await patient == "a-2"


async def test_an_error_reaches_all_that_have_no_answer_yet_and_nobody_else(station: Station) -> None:
    answers = [station.submit(item) for item in range(3)]
    journey = await station.departure(1)
    journey.waiters[0].resolve("early")
    journey.waiters[1].fail(RefusedItemError("alone"))
    other = station.submit(9, key="b")
    (await station.departure(2)).finish()
    journey.finish(OverloadedError("everybody else"))
    outcomes = await asyncio.gather(*answers, other, return_exceptions=True)
    assert outcomes[0] == "early"
    assert isinstance(outcomes[1], RefusedItemError)
    assert isinstance(outcomes[2], OverloadedError)
    assert outcomes[3] == "b-9"


async def test_the_lane_goes_on_after_an_error(station: Station) -> None:
    failing = station.submit(1)
    (await station.departure(1)).finish(OverloadedError("this once"))
    with pytest.raises(OverloadedError):
        await failing
    answer = station.submit(2)
    (await station.departure(2)).finish()
    assert await answer == "a-2"


async def test_a_batch_inherits_nothing_from_its_first_caller() -> None:
    mine: ContextVar[str] = ContextVar("mine", default="nobody's")
    seen: list[str] = []

    async def run(_: str, waiters: Sequence[Waiter[int, None]]) -> None:
        seen.append(mine.get())
        for waiter in waiters:
            waiter.resolve(None)

    coalescer: Coalescer[str, int, None] = Coalescer(run, limits=LIMITS)
    mine.set("the first caller's")
    await coalescer.submit("a", 1, size=1, deadline=Deadline(60))
    assert seen == ["nobody's"]


async def test_closing_waits_for_what_is_under_way(station: Station) -> None:
    answer = station.submit(1)
    journey = await station.departure(1)
    closing = asyncio.ensure_future(station.coalescer.close())
    await settle()
    assert not closing.done()
    journey.finish()
    await closing
    assert await answer == "a-1"


async def test_nothing_is_kept_of_a_key_that_nobody_uses(station: Station) -> None:
    answer = station.submit(1)
    journey = await station.departure(1)
    going = station.submit(2)
    await settle()
    journey.finish()
    going.cancel()  # while the lane makes ready for it
    await settle()
    assert await answer == "a-1"
    assert not station.coalescer._lanes  # pyright: ignore[reportPrivateUsage]  # it leaves no other trace


async def test_a_caller_that_leaves_as_its_time_is_up() -> None:
    """Its time is up, and before it runs again it is cancelled: there is nothing left to take back."""
    release = asyncio.Event()

    async def run(_: str, batch: Sequence[Waiter[bytes, None]]) -> None:
        await release.wait()
        for waiter in batch:
            waiter.resolve(None)

    coalescer: Coalescer[str, bytes, None] = Coalescer(run, limits=Limits(1, 10, 100, 1000), outcome="not-applied")
    first = asyncio.create_task(coalescer.submit("a", b"first", size=1, deadline=Deadline(10)))
    await asyncio.sleep(0.01)
    late = asyncio.create_task(coalescer.submit("a", b"a document", size=1, deadline=Deadline(0)))
    await asyncio.sleep(0)
    coalescer._ring()  # pyright: ignore[reportPrivateUsage]  # the alarm, at the very moment before
    late.cancel()
    with pytest.raises(asyncio.CancelledError):
        await late
    release.set()
    await first
