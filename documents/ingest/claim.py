"""A job while one process works on it: leased, renewed, and fenced.

Any process may take a job over once its lease has run out, or once its holder is known to be dead. What the earlier
holder still does then comes to nothing. The batches of a job are numbered, in as many rows as there are transactions
side by side, and MongoDB takes each number once: whoever takes the job over takes the next number of each row, with
which the transaction of an earlier holder can no more be committed, however late it wakes. So a fence costs a load
nothing, and its transactions do not wait for one another.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict
from typing import Any, Final, Never, TypeVar
from uuid import UUID

import pymongo
from bson.int64 import Int64
from pymongo import ReturnDocument
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import PyMongoError
from pymongo.read_concern import ReadConcern

from documents.codec.plain import CODEC_OPTIONS
from documents.database.connection import DURABLE, Connection
from documents.database.deadline import Deadline, Running
from documents.errors import JobConflictError, JobLostError, StoreError, UniqueViolationError
from documents.ingest.batches import BATCHES, batch_key
from documents.ingest.holder import Holder, this_process
from documents.ingest.jobs import IS_FREE, Job, JobStore, State
from documents.types import Document

SLOTS: Final = 4
"""Transactions of one job that may run side by side."""

LEASE_SECONDS: Final = 20.0
RENEW_SECONDS: Final = 2.0
STEP_SECONDS: Final = 30.0
RELEASE_SECONDS: Final = 0.4
"""Who stops a load need not wait longer for a database that is gone. What is not given back is found to be free."""

CLEAN_UP_SECONDS: Final = 0.2

T = TypeVar("T")
_log = logging.getLogger("sheaf")


class Claim:
    """A job that this process works on. `hold_job` gives it.

    Attributes:
        job: As it was when it was taken.
        jobs: Where it is kept.
        epoch: Number of this taking. Whoever took the job later has a greater one.
        pace: Written down with each renewal.
        is_cancelling: Whether somebody wants the job to stop.
    """

    def __init__(
        self, connection: Connection, jobs: JobStore, job: Job, epoch: int, sessions: list[AsyncClientSession]
    ) -> None:
        self.job = job
        self.epoch = epoch
        self.pace = job.pace
        self.is_cancelling = job.is_cancelling
        self._connection = connection
        self.jobs: Final = jobs
        self._sessions: list[AsyncClientSession] = sessions
        self._numbers = [0] * SLOTS
        self._is_lost = False

    def check(self) -> None:
        """Raise if the job was found to be another's. Asks nobody.

        Raises:
            JobLostError: It is.
        """
        if self._is_lost:
            raise JobLostError("Another process has taken the job over.")

    async def transact(self, slot: int, work: Callable[[AsyncClientSession], Awaitable[T]]) -> T:
        """Return what `work` gives inside a transaction, which is done again when it runs into another one.

        Await it inside `Running`; lets the driver's errors pass.

        Args:
            slot: Below `SLOTS`. One transaction at a time for each.
            work: What to do. Only if it writes down a batch (`number`) does it come to nothing once the job is lost.

        Raises:
            JobLostError: Another process has the job. Nothing was written.
        """
        self.check()
        session = self._sessions[slot]
        return await session.with_transaction(work, read_concern=ReadConcern("snapshot"), write_concern=DURABLE)

    def number(self, slot: int) -> int:
        """Return the number of the next batch of a row."""
        return self._numbers[slot]

    def committed(self, slot: int) -> None:
        """Note that this batch is committed."""
        self._numbers[slot] += 1

    def lose(self) -> Never:
        """Note that another process has the job.

        Raises:
            JobLostError: Always.
        """
        self._is_lost = True
        self.check()
        raise AssertionError("unreachable")

    async def open(self, earlier: Sequence[UUID]) -> None:
        """Shut out whoever had the job before, and whose sessions these are."""
        if earlier:
            await self._end_sessions([{"id": session} for session in earlier])
        batches = self._connection.collection(BATCHES)
        for slot in range(SLOTS):
            row = {"_id": {"$gte": f"{self.job.id}:{slot}:", "$lt": f"{self.job.id}:{slot};"}}
            while True:
                try:
                    with Running(Deadline(STEP_SECONDS), writes=True):
                        last = await batches.find_one(row, {"number": 1}, sort=[("_id", -1)])
                        number = 0 if last is None else last["number"] + 1
                        fence = {"_id": batch_key(self.job.id, slot, number), "job": self.job.id, "number": number}
                        await batches.insert_one(fence | {"epoch": Int64(self.epoch)})
                        break
                except UniqueViolationError:  # the earlier holder was faster, and has this number for its last one
                    continue
            self._numbers[slot] = number + 1

    async def _end_sessions(self, sessions: list[Document]) -> None:
        """End transactions that an earlier holder left open. What cannot be ended ends by itself within a minute.

        Source:
            MongoDB manual, killSessions: a user may end the sessions of its own.
        """
        with pymongo.timeout(STEP_SECONDS), suppress(PyMongoError):
            await self._connection.client.admin.command("killSessions", sessions, codec_options=CODEC_OPTIONS)

    async def keep(self) -> None:
        """Renew the lease, until the job is lost."""
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            try:
                with Running(Deadline(STEP_SECONDS), writes=True):
                    found = await self._renew()
            except StoreError as error:
                _log.warning("The lease of job %s was not renewed, which is tried again: %s", self.job.id, error.detail)
                continue
            if found is None:
                self._is_lost = True
                return
            self.is_cancelling = found.get("is_cancelling", False)

    async def _renew(self) -> Document | None:
        changes: Document = {"$set": {"expires": _from_now(LEASE_SECONDS), "pace": {"$literal": asdict(self.pace)}}}
        return await self.jobs.records.find_one_and_update(
            {"_id": self.job.id, "epoch": self.epoch}, [changes], return_document=ReturnDocument.AFTER
        )

    async def finish(self, state: State, *, error: StoreError | None = None, **more: object) -> None:
        """Write down what became of the job."""
        told = None if error is None else {"code": error.code, "detail": error.detail}
        with Running(Deadline(STEP_SECONDS), writes=True):
            await self.jobs.finish(self.job.id, state, epoch=self.epoch, error=told, pace=asdict(self.pace), **more)

    async def close(self) -> None:
        """Give the job back, so that whoever wants it next need not wait."""
        ending = [asyncio.create_task(_end(session)) for session in self._sessions]
        await asyncio.wait(ending, timeout=RELEASE_SECONDS)
        await stop(ending)
        try:
            with Running(Deadline(RELEASE_SECONDS), writes=True):
                freed = {"$unset": {"expires": 1, "holder": 1}}
                await self.jobs.records.update_one({"_id": self.job.id, "epoch": self.epoch}, freed)
        except StoreError as error:
            _log.warning("Job %s was not given back; its lease runs out by itself: %s", self.job.id, error.detail)


@asynccontextmanager
async def hold_job(
    connection: Connection, jobs: JobStore, job_id: str, *, states: tuple[State, ...] = (State.OPEN,)
) -> AsyncGenerator[Claim]:
    """Work on a job inside this.

    Raises:
        JobNotFoundError: There is none.
        JobConflictError: Another process works on it, or it is in none of these states.
    """
    sessions = [connection.client.start_session() for _ in range(SLOTS)]
    with Running(Deadline(STEP_SECONDS), writes=True):
        claim, earlier = await _take(connection, jobs, job_id, states, sessions)
    try:
        await claim.open(earlier)
        renewing = asyncio.create_task(claim.keep())
        try:
            yield claim
        finally:
            renewing.cancel()
            await asyncio.wait({renewing})
    finally:
        await claim.close()


async def stop(tasks: Collection[asyncio.Task[Any]]) -> None:
    """Cancel tasks, and return when they have ended. One that takes its time to clean up is cancelled again."""
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=CLEAN_UP_SECONDS)
    await asyncio.gather(*tasks, return_exceptions=True)


async def _end(session: AsyncClientSession) -> None:
    with pymongo.timeout(RELEASE_SECONDS), suppress(PyMongoError):
        await session.end_session()


async def _take(
    connection: Connection, jobs: JobStore, job_id: str, states: tuple[State, ...], sessions: list[AsyncClientSession]
) -> tuple[Claim, Sequence[UUID]]:
    """Return a job, taken, and the sessions of whoever had it before."""
    wanted: Document = {"_id": job_id, "state": {"$in": list(states)}}
    before = await jobs.records.find_one(wanted)
    is_free: Document = {"$expr": IS_FREE}
    if before is not None:
        # As it was seen, so that its sessions are those of the last holder.
        holder = before.get("holder")
        is_dead = holder is not None and Holder.from_record(holder, is_alive=True).is_dead()
        is_free = {"epoch": before["epoch"], **({} if is_dead else is_free)}
    changes = {
        "$set": {
            "expires": _from_now(LEASE_SECONDS),
            "epoch": {"$add": ["$epoch", Int64(1)]},
            "holder": {"$literal": this_process()},
            # They stay when the job is given back: a transaction whose commit was not heard of may still be open.
            "sessions": {"$literal": [session.session_id["id"] for session in sessions]},
        }
    }
    taken = await jobs.records.find_one_and_update(
        {**wanted, **is_free}, [changes], return_document=ReturnDocument.AFTER
    )
    job = await jobs.get(job_id)
    if taken is not None and before is not None:
        claim = Claim(connection, jobs, job, int(taken["epoch"]), sessions)
        # Of a job that has ended every commit was heard of, and its sessions may be in use for something else by now.
        is_at_work = before["state"] in (State.OPEN, State.UNDOING)
        return claim, before.get("sessions", ()) if is_at_work else ()
    if job.state not in states:
        raise JobConflictError(f"The job is {job.state}.")
    where = f"process {job.holder.pid} on {job.holder.host}" if job.holder else "another process"
    raise JobConflictError(f"The job is being worked on by {where}.")


def _from_now(seconds: float) -> Document:
    return {"$add": ["$$NOW", int(seconds * 1000)]}
