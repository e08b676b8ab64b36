"""Loads: a source read in batches, several of which are written side by side, until the job is done."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Hashable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

from pymongo.asynchronous.client_session import AsyncClientSession

from documents.codec.csv_columns import Column
from documents.collections.services import Services
from documents.database.deadline import Deadline, Running
from documents.errors import InvalidParameterError
from documents.ingest.batches import BatchStore, Counts, Outcome
from documents.ingest.claim import SLOTS, STEP_SECONDS, Claim, stop
from documents.ingest.gates import Budget, Gates, check_first
from documents.ingest.jobs import Job, JobStore, Pace, State
from documents.ingest.prepare import kept_form
from documents.ingest.profiles import LoadProfile
from documents.ingest.quarantine import QuarantineStore, Reject
from documents.ingest.reading import Batch, BatchReader, Done
from documents.ingest.sources import Source
from documents.ingest.uploads import UploadStore
from documents.ingest.width import Width
from documents.ingest.writing import BatchWriter

PATIENCE_SECONDS: Final = 600.0
"""How long a load waits for a database that is out of reach, unless it is told otherwise."""

TELL_SECONDS: Final = 1.0
"""How often it is said how far a load is, when nothing comes of what is under way."""

WINDOW: Final = 30
"""Batches over which the rate is taken."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a load is.

    Args:
        counts: Of all its records so far, those of earlier runs too.
        pace: How fast it goes.
        resumed: Records that were committed before this run.
        state: Of the job.
        columns: Of CSV and TSV, as soon as they are known.
    """

    counts: Counts
    pace: Pace
    resumed: int
    state: State = State.OPEN
    columns: Sequence[Column] = ()


@dataclass(frozen=True, slots=True)
class Stores:
    """Where a load keeps its books."""

    jobs: JobStore
    batches: BatchStore
    quarantine: QuarantineStore
    uploads: UploadStore


async def run_load(
    services: Services,
    stores: Stores,
    claim: Claim,
    source: Source,
    *,
    budget: Budget,
    patience_seconds: float = PATIENCE_SECONDS,
) -> AsyncGenerator[Progress]:
    """Load what a source has and is not committed yet, and yield how far it is, at least once.

    Close it (`contextlib.aclosing`) where it is left before its end: what is under way is then given up, as a whole,
    and the next run goes on behind what is committed.

    Args:
        services: What it stands on.
        stores: Where it keeps its books.
        claim: The job, held by the caller.
        source: The bytes, from the beginning.
        budget: What may be in quarantine.
        patience_seconds: How long to wait for a database that is out of reach.

    Raises:
        JobLostError: Another process has taken the job over.
        UnavailableError: The database was out of reach for too long. The job stays open.
        StoreError: It cannot be loaded. The job has failed.
    """
    with Running(Deadline(STEP_SECONDS), writes=True):
        await stores.batches.prepare()
        await stores.quarantine.prepare()
        earlier = await stores.batches.read(claim.job.id, faults=0)
        usage = await stores.quarantine.usage(claim.job.load.collection, claim.job.id)
    gates = Gates(claim.job.load, budget, *usage)
    done = Done(earlier.spans)
    meter = Meter(claim, source, earlier.counts)
    yield meter.read()
    if not done.is_all:
        run = _Run(services, stores, claim, meter=meter, done=done, gates=gates, patience_seconds=patience_seconds)
        async with aclosing(run.go(source)) as progresses:
            async for progress in progresses:
                yield progress
    state = State.CANCELLED if claim.is_cancelling and not meter.is_done else State.DONE
    await finish(stores, claim, state)
    if state is State.DONE:
        with Running(Deadline(STEP_SECONDS), writes=True):
            await stores.uploads.remove(claim.job.id)
    yield meter.read(state)


async def finish(stores: Stores, claim: Claim, state: State) -> None:
    """Write down that a job has come to its end, and what its batches came to."""
    with Running(Deadline(STEP_SECONDS), writes=False):
        books = await stores.batches.read(claim.job.id, faults=0)
    await claim.finish(state, totals=books.to_totals())


class _Run:
    """One run of a load."""

    def __init__(
        self,
        services: Services,
        stores: Stores,
        claim: Claim,
        *,
        meter: "Meter",
        done: Done,
        gates: Gates,
        patience_seconds: float,
    ) -> None:
        self._claim = claim
        self._meter = meter
        self._done = done
        self._gates = gates
        self._needs_index = claim.job.makes_index
        self._width = Width(SLOTS)
        self._has_columns = bool(claim.job.columns)
        self._stores = stores
        self._profile = LoadProfile(services.connection, claim.job.id, claim.job.load.collection)
        self._writer = BatchWriter(
            services,
            claim,
            claim.job.load,
            stores.batches,
            _Quarantine(stores.quarantine, claim.job),
            patience_seconds=patience_seconds,
            on_wait=self._wait,
            choose=self._profile.choose,
        )
        self._running: dict[asyncio.Task[Outcome], int] = {}
        self._free = list(range(SLOTS))
        self._keys: dict[int, frozenset[Hashable]] = {}
        """The keys of the batch that each slot writes. No two have one in common, so that the file's order holds."""

    async def go(self, source: Source) -> AsyncGenerator[Progress]:
        load = self._claim.job.load
        try:
            reader = BatchReader(load.form, load.options, self._done)
        except (ValueError, RuntimeError) as error:  # a header, a column's type, or pyarrow, as it says
            raise InvalidParameterError(str(error)) from error
        await self._profile.open(self._meter.received)
        try:
            async with aclosing(reader.batches(source)) as batches:
                async for batch in batches:
                    while len(self._running) >= self._width.value:
                        await self._next()
                        yield self._meter.read()
                    if self._claim.is_cancelling:
                        break
                    self._claim.check()
                    await self._note_columns(reader)
                    keys = await self._look_at(batch)
                    while any(not keys.isdisjoint(held) for held in self._keys.values()):
                        await self._next()
                        yield self._meter.read()
                    self._start(batch, keys)
                else:
                    self._meter.is_done = True
            while self._running:
                await self._next()
                yield self._meter.read()
            await self._profile.save(self._meter.received)
            self._gates.check(self._meter.counts, is_end=self._meter.is_done)
        finally:
            await stop(self._running)

    async def _note_columns(self, reader: BatchReader) -> None:
        if reader.columns is not None and not self._meter.columns:
            self._meter.columns = reader.columns
        if reader.columns is not None and not self._has_columns:
            self._has_columns = True
            columns = [(column.name, column.type) for column in reader.columns]
            with Running(Deadline(STEP_SECONDS), writes=True):
                await self._stores.jobs.set_columns(self._claim.job.id, columns)

    async def _look_at(self, batch: Batch) -> frozenset[Hashable]:
        """Return the keys of a batch. Stop before the first one if it shows that the load was told wrong things."""
        if not self._meter.received and not self._running:
            check_first(self._claim.job.load, batch)
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
            self._width.wrote(outcome.counts.received)
            self._meter.add(outcome.counts)
            self._gates.add(outcome.counts.quarantined, outcome.quarantined_bytes)
            self._gates.check(self._meter.counts)
            await self._profile.add(outcome.sample, self._meter.received)

    def _wait(self, reason: str | None) -> None:
        self._meter.wait(reason)
        if reason is not None:
            self._width.failed()


class _Quarantine:
    """Keeps what cannot be written in quarantine; of duplicates, only the number."""

    def __init__(self, quarantine: QuarantineStore, job: Job) -> None:
        self._quarantine = quarantine
        self._job = job

    async def settle(
        self,
        rejects: Sequence[Reject],
        duplicates: Sequence[Reject],  # noqa: ARG002  # only their number is kept
        session: AsyncClientSession,
    ) -> None:
        load = self._job.load
        await self._quarantine.add(
            rejects,
            collection=load.collection,
            job=self._job.id,
            source=load.name,
            form=kept_form(load.form),
            session=session,
        )


class Meter:
    """Counts, and tells how long it will take."""

    def __init__(self, claim: Claim, source: Source, before: Counts) -> None:
        self._claim = claim
        self._source = source
        self._counts = Counts()
        self._counts.add(before)
        self._resumed = before.received
        self._seen: deque[tuple[float, int, int]] = deque([(time.monotonic(), 0, 0)], maxlen=WINDOW)
        self._received = 0
        self._waiting_for: str | None = None
        self.is_done = False
        self.columns: Sequence[Column] = ()

    def wait(self, reason: str | None) -> None:
        """Note why it stands still; None when it goes on."""
        self._waiting_for = reason

    @property
    def counts(self) -> Counts:
        """What is committed, of earlier runs too."""
        return self._counts

    @property
    def received(self) -> int:
        """Records that are committed."""
        return self._counts.received

    def add(self, counts: Counts) -> None:
        """Count a batch."""
        self._counts.add(counts)
        self._received += counts.received
        self._seen.append((time.monotonic(), self._received, self._source.read_bytes))

    def read(self, state: State = State.OPEN) -> Progress:
        """Return how far it is, and have it written down with the next renewal."""
        (began, before, at), (now, received, read) = self._seen[0], self._seen[-1]
        seconds, total = now - began, self._source.total_bytes
        eta = (total - read) * seconds / (read - at) if total and read > at else None
        pace = Pace(
            read_bytes=self._source.read_bytes,
            total_bytes=total,
            rate=(received - before) / seconds if seconds > 0 else 0.0,
            eta_seconds=eta,
            waiting_for=self._waiting_for,
        )
        self._claim.pace = pace
        counts = Counts()
        counts.add(self._counts)
        return Progress(counts, pace, self._resumed, state, self.columns)
