"""Who may migrate, and what becomes of one who may no more."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from pymongo.asynchronous.client_session import AsyncClientSession

from documents.database.connection import Connection
from documents.errors import DatabaseUnavailableError
from documents.migrations.errors import LockHeldError, LockLostError
from documents.migrations.held import LOCKS, MIGRATIONS, MigrationLock
from documents.migrations.lock import break_lock, hold_lock, read_holder

SHORT = timedelta(seconds=1.5)
LONG = timedelta(minutes=5)


async def expire(connection: Connection) -> None:
    """Make the lock expire, as when its holder was suspended for long."""
    moved = [{"$set": {"expires": {"$subtract": ["$$NOW", 1]}}}]
    await connection.database[LOCKS].update_one({"_id": MIGRATIONS}, moved)


async def test_the_holder_is_known_and_the_token_grows(connection: Connection) -> None:
    assert await read_holder(connection.database) is None
    tokens: list[int] = []
    for purpose in ("first", "$second"):
        async with hold_lock(connection.database, purpose=purpose) as lock:
            holder = await read_holder(connection.database)
            assert holder is not None
            assert (holder.purpose, holder.pid, holder.token) == (purpose, os.getpid(), lock.token)
            assert holder.expires - holder.since == timedelta(seconds=30)
            tokens.append(lock.token)
        assert await read_holder(connection.database) is None
        with pytest.raises(LockLostError, match="given up"):
            lock.check()
    assert tokens == [1, 2]


async def test_looking_writes_nothing(connection: Connection) -> None:
    assert await read_holder(connection.database) is None
    assert await break_lock(connection.database) is None
    assert await connection.database.list_collection_names() == []


async def test_another_is_told_who_holds_it(connection: Connection) -> None:
    async with hold_lock(connection.database, purpose="upgrade to 3f9c2a7b10de") as lock:
        with pytest.raises(LockHeldError, match="upgrade to 3f9c2a7b10de") as refused:
            async with hold_lock(connection.database, purpose="another"):
                pytest.fail("it is held")
        assert refused.value.holder.token == lock.token
        lock.check()
        assert await read_holder(connection.database) == refused.value.holder


async def test_another_waits_for_it(connection: Connection) -> None:
    order: list[str] = []

    async def wait() -> int:
        async with hold_lock(connection.database, purpose="second", wait=LONG) as second:
            order.append("second")
            return second.token

    async with hold_lock(connection.database, purpose="first") as first:
        waiting = asyncio.create_task(wait())
        await asyncio.wait({waiting}, timeout=0.2)  # whether it asked already changes nothing
        order.append("first")
    assert await waiting == first.token + 1
    assert order == ["first", "second"]


async def test_an_expired_lock_is_taken_and_its_holder_writes_nothing_more(connection: Connection) -> None:
    async def write(session: AsyncClientSession) -> None:
        await connection.collection("things").insert_one({}, session=session)

    with pytest.raises(LockLostError):  # noqa: PT012  # the loss arises in what is inside
        async with hold_lock(connection.database, purpose="first", ttl=LONG) as first:
            await first.transact(write)
            await expire(connection)
            async with hold_lock(connection.database, purpose="second") as second:
                assert second.token == first.token + 1
                with pytest.raises(LockLostError, match="Another process"):
                    await first.transact(write)
                await second.transact(write)
    assert await connection.collection("things").count_documents({}) == 2


async def take_over(connection: Connection) -> None:
    async with hold_lock(connection.database, purpose="second"):
        pass


@pytest.mark.parametrize("end", [take_over, break_lock])
async def test_an_open_transaction_of_an_expired_holder_is_ended(
    connection: Connection, end: Callable[[Any], Awaitable[Any]]
) -> None:
    is_open, go_on = asyncio.Event(), asyncio.Event()

    async def suspended(session: AsyncClientSession) -> None:
        await connection.collection("things").insert_one({}, session=session)
        # From now on MongoDB lets nobody else write the lock's document, until the transaction ends.
        mine = {"_id": MIGRATIONS, "token": first.token}
        await connection.database[LOCKS].update_one(mine, {"$inc": {"commits": 1}}, session=session)
        is_open.set()
        await go_on.wait()

    with pytest.raises(LockLostError):  # noqa: PT012  # the loss arises in what is inside
        async with hold_lock(connection.database, purpose="first", ttl=LONG) as first:
            await expire(connection)
            writing = asyncio.create_task(first.transact(suspended))
            await is_open.wait()
            await end(connection if end is take_over else connection.database)
            go_on.set()
            await writing
    assert await connection.collection("things").count_documents({}) == 0


async def test_who_loses_the_lock_is_cancelled(connection: Connection) -> None:
    with pytest.raises(LockLostError) as lost:  # noqa: PT012  # the loss arises in what is inside
        async with hold_lock(connection.database, purpose="first", ttl=SHORT):
            broken = await break_lock(connection.database)
            assert broken is not None
            assert broken.purpose == "first"
            await asyncio.Event().wait()
    assert "Another process" in lost.value.detail or "in time" in lost.value.detail
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    async with hold_lock(connection.database, purpose="second") as second:
        assert second.token == 3  # of the first, of the breaking, and this one


async def test_a_lock_that_cannot_be_renewed_is_lost_with_the_reason(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_: MigrationLock, __: float) -> bool:
        raise DatabaseUnavailableError("MongoDB cannot be reached.")

    monkeypatch.setattr(MigrationLock, "_renew", fail)
    with pytest.raises(LockLostError, match="in time") as lost:
        async with hold_lock(connection.database, purpose="first", ttl=SHORT):
            await asyncio.Event().wait()
    assert isinstance(lost.value.__cause__, DatabaseUnavailableError)


async def test_an_error_in_the_renewing_is_not_hidden(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(_: MigrationLock, __: float) -> bool:
        raise ZeroDivisionError

    monkeypatch.setattr(MigrationLock, "_renew", fail)
    with pytest.raises(LockLostError) as lost:
        async with hold_lock(connection.database, purpose="first", ttl=SHORT):
            await asyncio.Event().wait()
    assert isinstance(lost.value.__cause__, ZeroDivisionError)


async def test_the_lock_is_renewed(connection: Connection) -> None:
    async with hold_lock(connection.database, purpose="first", ttl=timedelta(seconds=2)) as lock:
        first = await read_holder(connection.database)
        assert first is not None
        renewed = first
        while renewed.expires == first.expires:
            await asyncio.sleep(0.02)
            lock.check()
            found = await read_holder(connection.database)
            assert found is not None
            renewed = found
        assert renewed.token == first.token
        lock.check()


async def test_the_cancelling_of_others_stays_one(connection: Connection) -> None:
    is_held = asyncio.Event()

    async def hold() -> None:
        async with hold_lock(connection.database, purpose="first"):
            is_held.set()
            await asyncio.Event().wait()

    holding = asyncio.create_task(hold())
    await is_held.wait()
    holding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await holding
    assert await read_holder(connection.database) is None


async def test_an_error_passes_and_the_lock_is_free(connection: Connection) -> None:
    with pytest.raises(ZeroDivisionError):
        async with hold_lock(connection.database, purpose="first"):
            raise ZeroDivisionError
    assert await read_holder(connection.database) is None
