"""The lock of migrations: one document, which expires by MongoDB's clock, and a token that grows with each taking."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, timedelta
from typing import Final
from uuid import uuid4

import pymongo
from bson.int64 import Int64
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import OperationFailure, PyMongoError

from documents.codec.plain import CODEC_OPTIONS
from documents.database.deadline import Deadline, Running
from documents.database.failures import translate
from documents.migrations.errors import LockHeldError, LockHolder
from documents.migrations.held import FREED, LOCKS, MIGRATIONS, STEP_SECONDS, MigrationLock
from documents.types import Document

__all__ = ["LockHolder", "MigrationLock", "break_lock", "hold_lock", "read_holder"]

TTL: Final = timedelta(seconds=30)
AT_ONCE: Final = timedelta(0)
POLL_SECONDS: Final = 0.5
UNAUTHORIZED: Final = 13

_log = logging.getLogger("sheaf")


@asynccontextmanager
async def hold_lock(
    database: AsyncDatabase[Document], *, purpose: str, wait: timedelta = AT_ONCE, ttl: timedelta = TTL
) -> AsyncGenerator[MigrationLock]:
    """Hold the lock inside this, renewing it. When it is lost, what is inside is cancelled.

    Args:
        database: Whose documents are migrated.
        purpose: What for, told to others who want it.
        wait: Longest to wait for another holder.
        ttl: Time after which it is free when the holder is gone.

    Raises:
        LockHeldError: Another holds it.
        LockLostError: It was lost meanwhile.
        StoreError: MongoDB cannot be reached.
    """
    locks = database[LOCKS]
    async with database.client.start_session() as session:
        lock = MigrationLock(locks, session, holder=uuid4().hex, ttl=ttl)
        try:
            await _await_turn(lock, locks, purpose, Deadline(wait.total_seconds()))
            renewing = asyncio.create_task(lock.keep())
            renewing.add_done_callback(lock.ended)
            try:
                async with lock.guarding():
                    yield lock
            finally:
                renewing.cancel()
                await asyncio.wait({renewing})
        finally:
            await lock.release()


async def _await_turn(lock: MigrationLock, locks: AsyncCollection[Document], purpose: str, deadline: Deadline) -> None:
    while True:
        await _end_expired(locks)
        found = await lock.take(purpose)
        if lock.token:
            return
        if deadline.remaining() <= 0:
            raise LockHeldError(_read(found))
        await asyncio.sleep(min(POLL_SECONDS, max(0.0, deadline.remaining())))


async def _end_expired(locks: AsyncCollection[Document]) -> None:
    """End the transaction that a suspended holder left open, which would keep the lock's document from being taken."""
    is_expired = {"$expr": {"$lte": ["$expires", "$$NOW"]}}
    with Running(Deadline(STEP_SECONDS), writes=False):
        found = await locks.find_one({"_id": MIGRATIONS, "session": {"$exists": True}, **is_expired})
    if found is not None:
        await _end_session(locks, found)


async def _end_session(locks: AsyncCollection[Document], found: Document) -> None:
    """End a holder's transaction, if one is open.

    Source:
        MongoDB manual, killSessions: a user may end the sessions of its own.
    """
    try:
        with pymongo.timeout(STEP_SECONDS):
            sessions = [{"id": found["session"]}]
            await locks.database.client.admin.command("killSessions", sessions, codec_options=CODEC_OPTIONS)
    except OperationFailure as error:
        if error.code != UNAUTHORIZED:
            raise translate(error, writes=False) from error
        # Another user's. MongoDB ends it by itself after transactionLifetimeLimitSeconds.
        _log.warning("The session of an earlier holder belongs to another user, and may have to be waited for.")
    except PyMongoError as error:
        raise translate(error, writes=False) from error


async def read_holder(database: AsyncDatabase[Document]) -> LockHolder | None:
    """Return who holds the lock; None when it is free, or has expired. Writes nothing."""
    with Running(Deadline(STEP_SECONDS), writes=False):
        found = await database[LOCKS].find_one({"_id": MIGRATIONS, "$expr": {"$gt": ["$expires", "$$NOW"]}})
    return None if found is None else _read(found)


async def break_lock(database: AsyncDatabase[Document]) -> LockHolder | None:
    """Free the lock, whoever has it, and return who had it. If that process still runs, it writes nothing more."""
    locks = database[LOCKS]
    with Running(Deadline(STEP_SECONDS), writes=False):
        found = await locks.find_one({"_id": MIGRATIONS, "holder": {"$exists": True}})
    if found is None:
        return None
    await _end_session(locks, found)
    grown = {"$set": {"token": {"$add": ["$token", Int64(1)]}}}
    with Running(Deadline(STEP_SECONDS), writes=True):
        await locks.update_one({"_id": MIGRATIONS, "holder": found["holder"]}, [*FREED, grown])
    return _read(found)


def _read(found: Document) -> LockHolder:
    return LockHolder(
        holder=found["holder"],
        host=found["host"],
        pid=found["pid"],
        purpose=found["purpose"],
        since=found["since"].replace(tzinfo=UTC),
        expires=found["expires"].replace(tzinfo=UTC),
        token=int(found["token"]),
    )
