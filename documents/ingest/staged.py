"""Loads of all or nothing: records are staged as they are read, judged when all are known, and then moved.

Each phase has its own batches in the books, so a job that goes on knows what is staged and what is moved. What is
moved at once, up to `MOVE_RECORDS`, is one transaction: readers see none of it or all. More is moved batch by batch,
in the order of the source, by the same writer as any load.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Hashable, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Final

from pymongo.asynchronous.client_session import AsyncClientSession

from documents.catalog.catalog import CollectionEntry
from documents.codec.records import Record
from documents.collections.services import Services
from documents.contracts.expectations import Expectations
from documents.database.deadline import Deadline, Running
from documents.errors import ExpectationError, InputError, JobFailedError
from documents.ingest.batch_run import BatchRun
from documents.ingest.batches import BatchStore, Counts, Outcome
from documents.ingest.claim import SLOTS, STEP_SECONDS, Claim
from documents.ingest.effects import Effects
from documents.ingest.gates import Gates
from documents.ingest.jobs import JobStore
from documents.ingest.meter import Meter, Progress
from documents.ingest.prepare import IdRange, ObjectIds, Prepared, first_type_of, reject_of
from documents.ingest.reading import Batch
from documents.ingest.rehearsal import rehearse
from documents.ingest.staging import Staging, packed
from documents.ingest.width import Width
from documents.ingest.writing import Aside, BatchWriter, Choose, Wait
from documents.types import IdType

MOVE_RECORDS: Final = 10_000
MOVE_BYTES: Final = 16 * 1024 * 1024
"""What is moved in one transaction, at most."""

NAMED: Final = 5

Check = Callable[[Outcome], None]


class StagingWriter(BatchWriter):
    """Stages the batches of one job: judged as they would be written, with nothing learned and nothing made.

    Args:
        services: What it stands on.
        claim: The job.
        batches: Where they are written down.
        aside: Where records are put aside.
        staging: Where records are staged.
        patience_seconds: How long to wait for a database that is out of reach.
        on_wait: Told why it stands still, and None when it goes on.
        choose: Returns those of some successive records whose documents are to be looked at.
        expectations: What the records are expected to be.
    """

    def __init__(  # noqa: PLR0913  # each is a part of its own
        self,
        services: Services,
        claim: Claim,
        batches: BatchStore,
        aside: Aside,
        staging: Staging,
        *,
        patience_seconds: float,
        on_wait: Wait,
        choose: Choose,
        expectations: Expectations | None,
    ) -> None:
        super().__init__(
            services,
            claim,
            claim.job.load,
            batches,
            aside,
            patience_seconds=patience_seconds,
            on_wait=on_wait,
            choose=choose,
            expectations=expectations,
        )
        self._staging = staging
        self._id_type: IdType | None = None

    async def keys_of(self, batch: Batch) -> frozenset[Hashable]:
        """Return no keys: batches are staged in any order."""
        if self._id_type is None:  # which the first record gives to all
            entry = await self._patiently(lambda _: self._entry(batch.records))
            self._id_type = entry.id_type or first_type_of(entry, batch.records)
        return frozenset()

    async def _entry(self, records: Sequence[Record]) -> CollectionEntry:  # noqa: ARG002  # nothing is fixed by them
        with Running(Deadline(STEP_SECONDS), writes=False):
            return await self._services.catalog.get_or_new(self._load.collection)

    async def _prepare(self, entry: CollectionEntry, records: Sequence[Record], ids: IdRange) -> Prepared:  # noqa: ARG002
        return await asyncio.to_thread(self._rehearse, entry, records)

    def _rehearse(self, entry: CollectionEntry, records: Sequence[Record]) -> Prepared:
        if entry.id_type is None and self._id_type is not None:
            entry = replace(entry, id_type=self._id_type)
        entry, prepared = rehearse(entry, records, self._load, ObjectIds())
        prepared.lessons.clear()
        prepared.discarded.clear()
        self._pack(entry, records, prepared)
        self._tally(prepared)
        return prepared

    def _pack(self, entry: CollectionEntry, records: Sequence[Record], prepared: Prepared) -> None:
        gone = {reject.record.offset for reject in prepared.rejects}
        for record in records:
            if record.offset not in gone:
                try:
                    prepared.packed[record.offset] = packed(record)
                except InputError as error:  # a key and a patch, which need not fit as a document before
                    prepared.rejects.append(reject_of(entry, record, error))

    async def _carry_out(
        self,
        entry: CollectionEntry,  # noqa: ARG002
        prepared: Prepared,
        batch: Batch,
        session: AsyncClientSession,
    ) -> Effects:
        gone = {reject.record.offset for reject in prepared.rejects}
        kept = [data for offset, data in prepared.packed.items() if offset not in gone]
        await self._staging.add(batch.span, kept, session)
        return Effects()


async def judge(jobs: JobStore, batches: BatchStore, claim: Claim, expectations: Expectations, counts: Counts) -> None:
    """Note which expectations the records of a load meet.

    Raises:
        ExpectationError: They do not meet all, and were to be written all or not at all.
    """
    with Running(Deadline(STEP_SECONDS), writes=True):
        tallies = await batches.tallies(claim.job.id)
        findings = await asyncio.to_thread(expectations.judge, counts.valid, tallies)
        await jobs.set_findings(claim.job.id, [finding.to_dict() for finding in findings])
    unmet = [f"{finding.expected}: {finding.detail}" for finding in findings if not finding.is_met]
    if unmet and claim.job.load.all_or_nothing:
        more = "" if len(unmet) <= NAMED else f"; and {len(unmet) - NAMED} more"
        raise ExpectationError(f"{'; '.join(unmet[:NAMED])}{more}. Nothing was written.")


async def move(
    claim: Claim,
    batches: BatchStore,
    staging: Staging,
    meter: Meter,
    *,
    gates: Gates,
    make: Callable[[Check], BatchWriter],
) -> AsyncGenerator[Progress]:
    """Move what is staged into its collection, and yield how far it is.

    Args:
        claim: The job.
        batches: Its books.
        staging: Where its records are.
        meter: Counts them.
        gates: Asked in the transaction where that is one; what several put aside stays aside.
        make: Makes the writer, which calls the check that it is given.

    Raises:
        TooManyBadError: Records turned out not to fit what is stored. Nothing was written.
        JobFailedError: What was staged is not there.
    """
    size = await staging.size()
    as_one = size.records <= MOVE_RECORDS and size.bytes <= MOVE_BYTES
    with Running(Deadline(STEP_SECONDS), writes=False):
        books = await batches.read(claim.job.id, faults=0)

    def check(outcome: Outcome) -> None:
        counts = Counts()
        counts.add(meter.counts)
        counts.add(outcome.counts)
        gates.check(counts, is_end=True)

    run = BatchRun(
        claim,
        make(check if as_one else lambda _: None),
        meter,
        width=Width(1 if as_one else SLOTS),
        before=_nothing,
        after=_nothing,
        makes_index=claim.job.makes_index,
        is_stoppable=False,
    )
    moved = {span.start for span in books.moved}
    async with aclosing(run.go(staging.batches(moved, as_one=as_one))) as progresses:
        async for progress in progresses:
            yield progress
    if meter.counts.handled != meter.counts.received:
        raise JobFailedError("What was staged of the load is not there any more. Undo it, and load it again.")
    await staging.drop()


async def _nothing(_: object) -> None:
    return
