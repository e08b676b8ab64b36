"""The condition that PyMongo's pool waits on survives every way of leaving it."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from pymongo import lock as driver

from documents.database.connection import Connection


@pytest.fixture(autouse=True)
async def mended() -> None:
    """Make what a server makes: the mending is done where the clients are made."""
    await Connection("mongodb://127.0.0.1:1/", database="none", max_pool_size=1).close()


async def _turns() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def _cancel(task: "asyncio.Task[None]") -> None:
    task.cancel()


async def _cancel_twice(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()


async def _cancel_often(task: "asyncio.Task[None]") -> None:
    for _ in range(10):
        task.cancel()
        await asyncio.sleep(0)


async def _let_time_out(_: "asyncio.Task[None]") -> None:
    await asyncio.sleep(0.02)


async def _let_time_out_and_cancel(task: "asyncio.Task[None]") -> None:
    await asyncio.sleep(0.02)
    task.cancel()


ENDS = [_cancel, _cancel_twice, _cancel_often, _let_time_out, _let_time_out_and_cancel]


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("held", [False, True], ids=["free", "held by another"])
async def test_nobody_leaves_the_wait_without_the_lock(
    end: Callable[["asyncio.Task[None]"], Awaitable[None]],
    held: bool,  # noqa: FBT001  # pytest passes it by name
) -> None:
    lock = driver._async_create_lock()  # pyright: ignore[reportPrivateUsage]  # what the pool calls
    condition = driver._async_create_condition(lock)  # pyright: ignore[reportPrivateUsage]  # what the pool calls

    seconds = 0.01 if end in (_let_time_out, _let_time_out_and_cancel) else 30.0

    async def wait() -> None:
        async with condition:
            await driver._async_cond_wait(condition, seconds)  # pyright: ignore[reportPrivateUsage]  # likewise

    waiting = asyncio.create_task(wait())
    await _turns()
    assert not lock.locked(), "it waits"
    if held:
        await lock.acquire()
    await end(waiting)
    if held:
        await _turns()
        assert not waiting.done(), "it released a lock that another holds"
        lock.release()
    result = (await asyncio.gather(waiting, return_exceptions=True))[0]
    assert result is None or isinstance(result, asyncio.CancelledError), result
    await _turns()
    assert not lock.locked(), "the lock is lost for good"
