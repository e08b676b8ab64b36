"""Loads: a source read in batches, several of which are written side by side, until the job is done."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

from pymongo.asynchronous.client_session import AsyncClientSession

from documents.collections.services import Services
from documents.contracts.expectations import Expectations
from documents.database.deadline import Deadline, Running
from documents.errors import InvalidParameterError
from documents.ingest.batch_run import BatchRun
from documents.ingest.batches import BatchStore, Outcome
from documents.ingest.claim import SLOTS, STEP_SECONDS, Claim
from documents.ingest.drift import check_drift
from documents.ingest.gates import Budget, Gates, check_encoding, check_first
from documents.ingest.jobs import Job, JobStore, State
from documents.ingest.mapped import Mappings
from documents.ingest.meter import Meter, Progress
from documents.ingest.prepare import kept_form
from documents.ingest.profiles import LoadProfile
from documents.ingest.quarantine import QuarantineStore, Reject
from documents.ingest.reading import Batch, BatchReader, Done
from documents.ingest.since import SinceFilter
from documents.ingest.sources.source import Source
from documents.ingest.staged import Check, StagingWriter, judge, move
from documents.ingest.staging import Staging
from documents.ingest.uploads import UploadStore
from documents.ingest.width import Width
from documents.ingest.writing import BatchWriter

PATIENCE_SECONDS: Final = 600.0
"""How long a load waits for a database that is out of reach, unless it is told otherwise."""


@dataclass(frozen=True, slots=True)
class Stores:
    """Where a load keeps its books."""

    jobs: JobStore
    batches: BatchStore
    quarantine: QuarantineStore
    uploads: UploadStore
    mappings: Mappings


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
        StoreError: It cannot be loaded, or was stopped by one of its gates. The job has failed.
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
    run = _Run(services, stores, claim, meter=meter, gates=gates, patience_seconds=patience_seconds)
    if not done.is_all:
        async with aclosing(run.go(source, done)) as progresses:
            async for progress in progresses:
                yield progress
    state = State.CANCELLED if claim.is_cancelling and not meter.is_done else State.DONE
    if state is State.DONE:
        async with aclosing(run.end()) as progresses:
            async for progress in progresses:
                yield progress
    await finish(stores, claim, state)
    if state is State.DONE:
        with Running(Deadline(STEP_SECONDS), writes=True):
            await stores.uploads.remove(claim.job.id)
    yield meter.read(state)


async def finish(stores: Stores, claim: Claim, state: State) -> None:
    """Write down that a job has come to its end, what its batches came to, and how far its cursor is."""
    cursor, reached = claim.job.load.cursor, {}
    with Running(Deadline(STEP_SECONDS), writes=False):
        books = await stores.batches.read(claim.job.id, faults=0)
        if cursor is not None:
            high = await stores.batches.highest(claim.job.id)
            reached = {"cursor.high": cursor.after if high is None else high}
    await claim.finish(state, totals=books.to_totals(), **reached)


class _Run:
    """One run of a load."""

    def __init__(
        self,
        services: Services,
        stores: Stores,
        claim: Claim,
        *,
        meter: Meter,
        gates: Gates,
        patience_seconds: float,
    ) -> None:
        self._services = services
        self._stores = stores
        self._claim = claim
        self._meter = meter
        self._gates = gates
        self._patience_seconds = patience_seconds
        self._has_columns = bool(claim.job.columns)
        self._has_begun = bool(meter.received)
        self._load = claim.job.load
        self._expectations = None if self._load.expect is None else Expectations.parse(self._load.expect)
        self._staging = Staging(services.connection, claim.job.id) if self._load.all_or_nothing else None
        self._profile = LoadProfile(services.connection, claim.job.id, self._load.collection)
        self._aside = _Quarantine(stores.quarantine, claim.job)
        self._width = Width(SLOTS)
        self._reader: BatchReader | None = None

    async def go(self, source: Source, done: Done) -> AsyncGenerator[Progress]:
        """Write what is left of the source, or stage it."""
        load, claim = self._load, self._claim
        try:
            change = self._stores.mappings.open(load)
            since = None if load.cursor is None else SinceFilter(load.cursor)
            reader = self._reader = BatchReader(load.form, load.options, done, change, since=since)
        except (ValueError, RuntimeError) as error:  # a header, a column's type, or pyarrow, as it says
            raise InvalidParameterError(str(error)) from error
        await self._profile.open(self._meter.received)
        if self._staging is not None:
            await self._staging.prepare()
        run = BatchRun(
            claim,
            self._writer(),
            self._meter,
            width=self._width,
            before=self._look_at,
            after=self._count,
            makes_index=claim.job.makes_index and self._staging is None,
        )
        async with aclosing(run.go(reader.batches(source))) as progresses:
            async for progress in progresses:
                yield progress
        await self._profile.save(self._meter.received)
        self._gates.check(self._meter.counts, is_end=self._meter.is_done)

    async def end(self) -> AsyncGenerator[Progress]:
        """Judge what was read, and move what is staged."""
        stores, claim = self._stores, self._claim
        if self._expectations is not None:
            await judge(stores.jobs, stores.batches, claim, self._expectations, self._meter.counts)
        if self._staging is None:
            return
        self._gates.check(self._meter.counts, is_end=True)
        moving = move(claim, stores.batches, self._staging, self._meter, gates=self._gates, make=self._moving_writer)
        async with aclosing(moving) as progresses:
            async for progress in progresses:
                yield progress

    def _writer(self) -> BatchWriter:
        """Return what writes the records that are read, or stages them."""
        services, claim, batches = self._services, self._claim, self._stores.batches
        patience, choose, expected = self._patience_seconds, self._profile.choose, self._expectations
        if self._staging is None:
            return BatchWriter(
                services,
                claim,
                self._load,
                batches,
                self._aside,
                patience_seconds=patience,
                on_wait=self._wait,
                choose=choose,
                expectations=expected,
            )
        return StagingWriter(
            services,
            claim,
            batches,
            self._aside,
            self._staging,
            patience_seconds=patience,
            on_wait=self._wait,
            choose=choose,
            expectations=expected,
        )

    def _moving_writer(self, check: Check) -> BatchWriter:
        return BatchWriter(
            self._services,
            self._claim,
            self._load,
            self._stores.batches,
            self._aside,
            patience_seconds=self._patience_seconds,
            on_wait=self._wait,
            is_move=True,
            check=check,
        )

    async def _look_at(self, batch: Batch) -> None:
        """Stop before the first batch if it shows that the load was told wrong things, or is unlike what is there."""
        await self._note_columns()
        check_encoding(self._load, batch)
        if not self._has_begun and batch.records:
            check_first(self._load, batch)
            await check_drift(self._services, self._load, batch)
            self._has_begun = True

    async def _note_columns(self) -> None:
        columns = None if self._reader is None else self._reader.columns
        if columns is None:
            return
        if not self._meter.columns:
            self._meter.columns = columns
        if not self._has_columns:
            self._has_columns = True
            told = [(column.name, column.type) for column in columns]
            with Running(Deadline(STEP_SECONDS), writes=True):
                await self._stores.jobs.set_columns(self._claim.job.id, told)

    async def _count(self, outcome: Outcome) -> None:
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
