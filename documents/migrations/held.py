"""The lock of migrations while it is held: renewed, and written by the transactions of its holder.

Two things keep a process from writing that lost the lock without noticing. It stops by its own clock, which it reads
before it asks for a renewal, and so never later than the lock is free. And its transactions write the lock's document,
which fails as soon as another's token stands there, however long the process was suspended in between.
"""

import asyncio
import logging
import os
import socket
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar, cast

from bson.int64 import Int64
from pymongo import ReturnDocument
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import ConnectionFailure, PyMongoError
from pymongo.read_concern import ReadConcern

from documents.database.connection import DURABLE
from documents.database.deadline import Deadline, Running
from documents.errors import StoreError
from documents.migrations.errors import LockLostError
from documents.types import SYSTEM_PREFIX, Document

LOCKS: Final = f"{SYSTEM_PREFIX}locks"
MIGRATIONS: Final = "migrations"
STEP_SECONDS: Final = 30.0
"""Longest that one read, write or transaction may take."""

RELEASE_SECONDS: Final = 5.0
RETRY_SECONDS: Final = 0.05
NEVER: Final = datetime(1970, 1, 1, tzinfo=UTC)
UNKNOWN_COMMIT: Final = "UnknownTransactionCommitResult"
TRANSIENT: Final = "TransientTransactionError"

T = TypeVar("T")
_log = logging.getLogger("sheaf")


def is_transient(error: Exception) -> bool:
    """Say whether a transaction that failed so may succeed when it is done again."""
    if not isinstance(error, PyMongoError):
        return False
    labelled = error.has_error_label(TRANSIENT) or error.has_error_label(UNKNOWN_COMMIT)
    return labelled or error.timeout or isinstance(error, ConnectionFailure)


class MigrationLock:
    """The lock, while this process holds it. `hold_lock` gives it.

    Attributes:
        token: Of this taking. Whoever took the lock later has a greater one.
    """

    def __init__(
        self, locks: AsyncCollection[Document], session: AsyncClientSession, *, holder: str, ttl: timedelta
    ) -> None:
        self.token = 0
        self._locks = locks
        self._session = session
        self._holder = holder
        self._seconds = ttl.total_seconds()
        self._deadline = 0.0
        self._may_be_held = False
        self._trouble: Exception | None = None
        self._lost: LockLostError | None = None
        self._body: asyncio.Task[Any] | None = None
        self._cancelling = 0
        self._was_cancelled = False

    def check(self) -> None:
        """Raise unless the lock is held for certain. Asks nobody.

        Raises:
            LockLostError: The local deadline has passed, or a renewal or a transaction found another holder.
        """
        if self._lost is None and time.monotonic() >= self._deadline:
            self._lose("It was not renewed in time.")
        if self._lost is not None:
            raise self._lost

    async def transact(self, work: Callable[[AsyncClientSession], Awaitable[T]]) -> T:
        """Return what `work` gives inside a transaction, which is committed only while the lock is held.

        It is done again when it runs into another transaction. One at a time: they share a session.

        Raises:
            LockLostError: Nothing was written.
            StoreError: MongoDB refused, or did not answer in 30 seconds.
        """
        deadline = Deadline(STEP_SECONDS)
        with Running(deadline, writes=True):
            while True:
                try:
                    return await self.attempt(work)
                except PyMongoError as error:
                    if not error.has_error_label(TRANSIENT) or deadline.remaining() < RETRY_SECONDS:
                        raise
                await asyncio.sleep(RETRY_SECONDS)

    async def attempt(self, work: Callable[[AsyncClientSession], Awaitable[T]]) -> T:
        """Do as `transact` does, once, and let the driver's errors pass. Await it inside `pymongo.timeout`."""
        self.check()
        session = self._session
        await session.start_transaction(ReadConcern("snapshot"), DURABLE)
        try:
            result = await work(session)
            await self._fence(session)
        except BaseException:
            await session.abort_transaction()
            raise
        await self._commit(session)
        return result

    async def _fence(self, session: AsyncClientSession) -> None:
        """Write the lock's document, so that this transaction and the taking by another cannot both be.

        It comes last, as a renewal has to wait for it.
        """
        written = await self._locks.update_one(self._own(), {"$inc": {"commits": Int64(1)}}, session=session)
        if not written.matched_count:
            self._lose("Another process took it.")
            self.check()

    async def _commit(self, session: AsyncClientSession) -> None:
        while True:
            try:
                return await session.commit_transaction()
            except PyMongoError as error:
                if error.timeout or not error.has_error_label(UNKNOWN_COMMIT):
                    raise
                _log.warning("The commit of a transaction is unknown, and is asked for again: %s", error)
            await asyncio.sleep(RETRY_SECONDS)

    def _own(self) -> Document:
        return {"_id": MIGRATIONS, "holder": self._holder, "token": self.token}

    async def take(self, purpose: str) -> Document:
        """Take the lock if it is free, and return its document as it is then.

        Source:
            MongoDB manual, Aggregation Variables: `$$NOW` is the server's time, and the same in a whole update.
        """
        sent = time.monotonic()
        wanted = _wanted(self._holder, purpose, self._seconds, self._session)
        self._may_be_held = True  # until an answer says that it is not
        with Running(Deadline(STEP_SECONDS), writes=True):
            # Its own too: the answer to an earlier attempt may have been lost.
            is_own = {"$eq": ["$holder", self._holder]}
            is_free = {"$lte": [{"$ifNull": ["$expires", NEVER]}, "$$NOW"]}
            found: Document = await cast("Any", self._locks).find_one_and_update(
                {"_id": MIGRATIONS},
                [{"$replaceWith": {"$cond": [{"$or": [is_free, is_own]}, wanted, "$$ROOT"]}}],
                upsert=True,
                return_document=ReturnDocument.AFTER,
            )
        self._may_be_held = found.get("holder") == self._holder
        if self._may_be_held:
            self.token = int(found["token"])
            self._deadline = sent + self._seconds
        return found

    async def keep(self) -> None:
        """Renew the lock at thirds of its time, until it is lost."""
        pause = self._seconds / 3
        while True:
            await asyncio.sleep(max(0.0, min(pause, self._deadline - time.monotonic())))
            sent = time.monotonic()
            if sent >= self._deadline:
                return self._lose("It could not be renewed in time.")
            try:
                is_own = await self._renew(self._deadline - sent)
            except (StoreError, TimeoutError) as error:
                _log.warning("The lock of migrations was not renewed, which is tried again: %s", error)
                self._trouble, pause = error, self._seconds / 10
                continue
            if not is_own:
                return self._lose("Another process took it.")
            self._deadline, pause = sent + self._seconds, self._seconds / 3

    async def _renew(self, seconds: float) -> bool:
        """Say whether it was renewed; if not, another has it."""
        async with asyncio.timeout(seconds):
            with Running(Deadline(seconds), writes=True):
                expires = {"$set": {"expires": _from_now(self._seconds)}}
                return bool((await self._locks.update_one(self._own(), [expires])).matched_count)

    async def release(self) -> None:
        """Free the lock, if it is still this one's. The token stays, for the next one to count on from."""
        self._lost = self._lost or LockLostError("The lock was given up.")
        if not self._may_be_held:
            return
        try:
            with Running(Deadline(RELEASE_SECONDS), writes=True):
                await self._locks.update_one({"_id": MIGRATIONS, "holder": self._holder}, FREED)
        except StoreError as error:  # what was done under it stays done
            _log.warning("The lock of migrations could not be freed, and will expire by itself: %s", error)

    def _lose(self, reason: str) -> None:
        if self._lost is not None:
            return
        self._lost = LockLostError(f"The lock of migrations was lost. {reason} Run it again to go on.")
        self._lost.__cause__ = self._trouble
        if self._body is not None and self._body is not asyncio.current_task():
            self._was_cancelled = self._body.cancel()

    def ended(self, renewing: asyncio.Task[None]) -> None:
        """See to it that nobody works on when the renewing ended by an error."""
        if not renewing.cancelled() and (error := renewing.exception()) is not None:
            self._trouble = error if isinstance(error, Exception) else self._trouble
            self._lose("Its renewing failed.")

    @asynccontextmanager
    async def guarding(self) -> AsyncGenerator[None]:
        """Cancel what is inside when the lock is lost, and raise the loss in its place, as `asyncio.timeout` does."""
        body = asyncio.current_task()
        if body is None:
            raise RuntimeError("A lock is held by a task.")
        self._body, self._cancelling = body, body.cancelling()
        try:
            yield
        except BaseException as error:
            self._body = None
            if self._is_only_ours(body) and isinstance(error, asyncio.CancelledError):
                self.check()
            raise
        self._body = None
        self._is_only_ours(body)
        if self._lost is not None:
            raise self._lost

    def _is_only_ours(self, body: asyncio.Task[Any]) -> bool:
        """Take back the cancelling of the lock's, and say whether there was that and no other."""
        return self._was_cancelled and body.uncancel() <= self._cancelling


def _wanted(holder: str, purpose: str, seconds: float, session: AsyncClientSession) -> Document:
    known = {"holder": holder, "host": socket.gethostname(), "pid": os.getpid(), "purpose": purpose}
    return {
        "_id": MIGRATIONS,
        **{name: {"$literal": value} for name, value in known.items()},
        "session": {"$literal": session.session_id["id"]},
        "since": "$$NOW",
        "expires": _from_now(seconds),
        "token": {"$add": [{"$ifNull": ["$token", Int64(0)]}, Int64(1)]},
        "commits": Int64(0),
    }


def _from_now(seconds: float) -> Document:
    return {"$add": ["$$NOW", int(seconds * 1000)]}


FREED: Final[list[Mapping[str, Any]]] = [{"$project": {"token": 1}}]
