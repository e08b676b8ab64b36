"""Changes every document of a collection, in transactions that each know how far it is.

A transaction moves the checkpoint and changes the documents up to it, or does neither. So each document is changed
once, whenever the process is killed, and also by an update that must not be done twice.
"""

import asyncio
import random
import time
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

import pymongo
from bson.errors import BSONError
from bson.raw_bson import RawBSONDocument
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import OperationFailure, PyMongoError

from documents.catalog.metadata import REFUSALS, Deed, list_metadata
from documents.database.connection import Connection
from documents.database.deadline import Deadline, Running
from documents.database.failures import NOT_THE_REQUEST, translate
from documents.errors import StoreError
from documents.migrations.batch import change_batch, said_by, try_out
from documents.migrations.checkpoints import Checkpoint, CheckpointMovedError, claim_checkpoint, move_checkpoint
from documents.migrations.compile import Change
from documents.migrations.errors import DocumentFailedError, LagUnknownError, MigrationFailedError
from documents.migrations.held import STEP_SECONDS, MigrationLock, is_transient
from documents.migrations.throttle import FULL_SPEED, Throttle, is_paused, read_lag
from documents.migrations.walk import find_ids_after, find_matching, value_of

SWEEPS: Final = 3
"""Most walks for what came in behind the first one."""

SLOW_SECONDS: Final = 1.0
"""A transaction that takes longer is in the way of others, and makes the next one smaller."""

PATIENCE_SECONDS: Final = 60.0
"""How long one batch is tried again and again, while others write the same documents or MongoDB is out of reach."""

BACKOFF_SECONDS: Final = 0.02
LONGEST_BACKOFF_SECONDS: Final = 2.0
WINDOW: Final = 20
"""Batches over which the rate is measured."""


@dataclass(frozen=True, slots=True)
class BackfillProgress:
    """How far a backfill is.

    Args:
        done: Documents that were walked past, those of earlier runs too.
        matched: Those of them that the change was for.
        modified: Those that it changed.
        total: About how many there are; None where that cannot be known.
        rate: Documents a second, lately.
        eta: Time left at this rate; None while that says nothing.
        waiting_for: Why it stands still; None while it does not.
    """

    done: int
    matched: int
    modified: int
    total: int | None
    rate: float
    eta: timedelta | None
    waiting_for: str | None


async def run_backfill(
    connection: Connection,
    change: Change,
    *,
    key: str,
    lock: MigrationLock,
    throttle: Throttle = FULL_SPEED,
    batch_size: int = 1000,
) -> AsyncGenerator[BackfillProgress]:
    """Change the documents of a collection, and yield how far it is, at least once.

    It goes on where it was when it is run again, and does nothing once it is complete (see `forget_checkpoint`).
    Whatever others write meanwhile stays.

    Args:
        connection: Where.
        change: Change to make.
        key: Of its checkpoint, which belongs to this change alone.
        lock: Held by the caller.
        throttle: How fast it may go.
        batch_size: Most documents in one transaction, 1 or more.

    Raises:
        DocumentFailedError: One cannot be changed. Those before it are.
        MigrationFailedError: The change is none that MongoDB accepts, or none for this kind of collection.
        OperationEditedError: It began as another one.
        LagUnknownError: The throttle has a limit of the lag, which may not be read.
        LockLostError: Nothing was written since.
        StoreError: MongoDB cannot be reached, or others kept writing the same documents for a minute.
    """
    await _check_kind(connection, change.collection)
    checkpoint = await claim_checkpoint(connection.database, key, fingerprint=change.fingerprint, lock=lock)
    if not checkpoint.is_complete:
        await try_out(connection, change)
    meter = _Meter(checkpoint, await _estimate(connection, change.collection))
    yield meter.read(checkpoint)
    backfill = _Backfill(connection, change, key, lock, throttle.limit(batch_size))
    brake = _Brake(connection, throttle)
    while not checkpoint.is_complete:
        while (reason := await brake.reason()) is not None:
            lock.check()
            yield meter.read(checkpoint, waiting_for=reason)
            meter.restart()
            await asyncio.sleep(throttle.poll.total_seconds())
        began, done = time.monotonic(), checkpoint.done
        checkpoint = await backfill.go_on(checkpoint)
        await asyncio.sleep(throttle.seconds_ahead(checkpoint.done - done, time.monotonic() - began))
        yield meter.read(checkpoint)


async def _check_kind(connection: Connection, collection: str) -> None:
    with Running(Deadline(STEP_SECONDS), writes=False):
        kinds = [found.kind async for _, found in list_metadata(connection, name=collection)]
    for refusal in (REFUSALS.get((kind, Deed.TRANSACTION)) for kind in kinds):
        if refusal is not None:
            raise MigrationFailedError(f"{collection} cannot be changed by a migration. {refusal}")


class _Backfill:
    def __init__(self, connection: Connection, change: Change, key: str, lock: MigrationLock, limit: int) -> None:
        self._connection = connection
        self._change = change
        self._key = key
        self._lock = lock
        self._limit = limit
        self._size = limit

    async def go_on(self, checkpoint: Checkpoint) -> Checkpoint:
        """Do one more batch, and return how far it is then."""
        deadline, failures = Deadline(PATIENCE_SECONDS), 0
        while True:
            self._lock.check()
            ids: Sequence[RawBSONDocument] = ()
            try:
                with pymongo.timeout(STEP_SECONDS):
                    ids = await find_ids_after(self._connection, self._change.collection, checkpoint.after, self._size)
                    if ids and checkpoint.sweep and not (ids := await self._matching(last := ids)):
                        # Not written down: a sweep that is killed begins anew where it last changed something.
                        return replace(checkpoint, after=last[-1])
                    return await self._commit(checkpoint, ids)
            except CheckpointMovedError:
                fingerprint = self._change.fingerprint
                return await claim_checkpoint(
                    self._connection.database, self._key, fingerprint=fingerprint, lock=self._lock
                )
            except (PyMongoError, BSONError, OverflowError, DocumentFailedError) as error:
                self._weigh(error, ids, deadline)
                failures += is_transient(error)
            await asyncio.sleep(_backoff(failures))

    async def _matching(self, ids: Sequence[RawBSONDocument]) -> Sequence[RawBSONDocument]:
        collection = self._connection.raw_collection(self._change.collection)
        return await find_matching(collection, ids, self._change.where)

    async def _commit(self, checkpoint: Checkpoint, ids: Sequence[RawBSONDocument]) -> Checkpoint:
        began = time.monotonic()
        moved = await self._lock.attempt(lambda session: self._write(checkpoint, ids, session))
        is_slow = time.monotonic() - began > SLOW_SECONDS
        self._size = max(1, len(ids) // 2) if is_slow else min(self._limit, self._size * 2)
        return moved

    async def _write(
        self, checkpoint: Checkpoint, ids: Sequence[RawBSONDocument], session: AsyncClientSession
    ) -> Checkpoint:
        to = _after_walk(checkpoint, self._change) if not ids else await self._change_batch(checkpoint, ids, session)
        to = replace(to, step=checkpoint.step + 1)
        await move_checkpoint(self._connection.database, session, self._key, token=self._lock.token, to=to)
        return to

    async def _change_batch(
        self, checkpoint: Checkpoint, ids: Sequence[RawBSONDocument], session: AsyncClientSession
    ) -> Checkpoint:
        written = await change_batch(self._connection, self._change, ids, session)
        is_sweep = checkpoint.sweep > 0
        return replace(
            checkpoint,
            after=ids[-1],
            swept=checkpoint.swept + written.modified if is_sweep else 0,
            done=checkpoint.done + (0 if is_sweep else len(ids)),
            matched=checkpoint.matched + (written.modified if is_sweep else written.matched),
            modified=checkpoint.modified + written.modified,
        )

    def _weigh(self, error: Exception, ids: Sequence[RawBSONDocument], deadline: Deadline) -> None:
        """Raise if it is of no use to try again. Otherwise a smaller batch is tried, down to the one that fails."""
        is_alone = len(ids) <= 1
        self._size = max(1, len(ids) // 2)
        if is_transient(error):
            if deadline.remaining() <= 0:
                raise _translated(error) from error
        elif isinstance(error, OperationFailure) and error.code in NOT_THE_REQUEST:
            raise _translated(error) from error
        elif is_alone and (isinstance(error, DocumentFailedError) or not ids):
            raise _translated(error)
        elif is_alone:
            raise DocumentFailedError(self._change.collection, value_of(ids[0]), _said(error)) from error


def _after_walk(checkpoint: Checkpoint, change: Change) -> Checkpoint:
    """Return what follows the end of a walk: another for what came in behind it, or nothing."""
    is_first = checkpoint.sweep == 0
    if change.is_idempotent and (is_first or (checkpoint.swept and checkpoint.sweep < SWEEPS)):
        return replace(checkpoint, after=None, sweep=checkpoint.sweep + 1, swept=0)
    return replace(checkpoint, is_complete=True)


def _backoff(failures: int) -> float:
    longest = min(LONGEST_BACKOFF_SECONDS, BACKOFF_SECONDS * 2 ** min(failures, 10))
    return random.uniform(0, longest) if failures else 0.0  # noqa: S311  # keeps two apart, and hides nothing


def _translated(error: Exception) -> Exception:
    if isinstance(error, PyMongoError | BSONError | OverflowError):
        return translate(error, writes=True)
    return error


def _said(error: Exception) -> str:
    """Return what is wrong with a document, in our words and in MongoDB's."""
    translated = _translated(error)
    detail = translated.detail if isinstance(translated, StoreError) else str(translated)
    return f"{detail} MongoDB says: {said_by(error)}" if isinstance(error, OperationFailure) else detail


async def _estimate(connection: Connection, collection: str) -> int:
    with Running(Deadline(STEP_SECONDS), writes=False):
        return await connection.collection(collection).estimated_document_count()


class _Meter:
    def __init__(self, checkpoint: Checkpoint, total: int) -> None:
        self._total = total
        self._seen: deque[tuple[float, int]] = deque(maxlen=WINDOW)
        self._seen.append((time.monotonic(), checkpoint.done))

    def restart(self) -> None:
        """Forget how fast it was: the time that it stands still says nothing."""
        self._seen.clear()

    def read(self, checkpoint: Checkpoint, *, waiting_for: str | None = None) -> BackfillProgress:
        """Return how far it is now."""
        done, total = checkpoint.done, max(self._total, checkpoint.done)
        self._seen.append((time.monotonic(), done))
        (began, before), (now, _) = self._seen[0], self._seen[-1]
        rate = (done - before) / (now - began) if now > began else 0.0
        eta = timedelta(seconds=(total - done) / rate) if rate else None
        return BackfillProgress(done, checkpoint.matched, checkpoint.modified, total, rate, eta, waiting_for)


class _Brake:
    """Tells why to stand still, and asks MongoDB about it no more often than the throttle says."""

    def __init__(self, connection: Connection, throttle: Throttle) -> None:
        self._connection = connection
        self._throttle = throttle
        self._asked: float | None = None
        self._is_waiting = False

    async def reason(self) -> str | None:
        """Return why to stand still; None if nothing speaks against going on."""
        now = time.monotonic()
        is_fresh = self._asked is not None and now - self._asked < self._throttle.poll.total_seconds()
        if is_fresh and not self._is_waiting:
            return None
        reason = await self._ask()
        self._asked, self._is_waiting = now, reason is not None
        return reason

    async def _ask(self) -> str | None:
        if await is_paused(self._connection.database):
            return "an operator, who paused it"
        most = self._throttle.max_lag
        if most is None:
            return None
        lag = await read_lag(self._connection)
        if lag is None:
            raise LagUnknownError("The replication lag cannot be read: this user lacks the role clusterMonitor.")
        if lag > most:
            return f"replication, which is {lag.total_seconds():.0f} s behind"
        return None
