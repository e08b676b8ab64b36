"""Trying again what is in quarantine: under the contract, and with the code, of now."""

from collections.abc import AsyncGenerator, Hashable, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Final

from pymongo.asynchronous.client_session import AsyncClientSession

from documents.codec.bson_dump import read_bson
from documents.codec.formats import ReadOptions, make_reader, parser_of
from documents.codec.records import Cut, Format, Record, too_large
from documents.collections.services import Services
from documents.database.deadline import Deadline, Running
from documents.errors import Fault
from documents.ingest.claim import STEP_SECONDS, Claim
from documents.ingest.effects import ReplayGuard
from documents.ingest.jobs import Job, State
from documents.ingest.load import PATIENCE_SECONDS, Stores, finish
from documents.ingest.meter import Meter, Progress
from documents.ingest.quarantine import Chosen, Quarantined, QuarantineStore, Reject
from documents.ingest.reading import RECORD_BYTES, Batch
from documents.ingest.writing import BatchWriter
from documents.types import Document

PAGE: Final = 100
SLOT: Final = 0


async def run_replay(services: Services, stores: Stores, claim: Claim) -> AsyncGenerator[Progress]:
    """Try records of the quarantine again, and yield how far it is, at least once.

    What can be written now is written as its load would have, in one transaction with its leaving the quarantine. What
    cannot stays there, with what is wrong with it now; so does what is a duplicate, and what would take the place of a
    document that was written since it was put aside, unless the job says `force`. Killed and run again, it goes on.

    Args:
        services: What it stands on.
        stores: Where loads keep their books.
        claim: The job of the replay, held by the caller.

    Raises:
        JobLostError: Another process has taken the job over.
        StoreError: MongoDB cannot be reached. The job stays open.
    """
    job = claim.job
    chosen = Chosen(**{**(job.chosen or {}), "untried_by": job.id})
    with Running(Deadline(STEP_SECONDS), writes=True):
        await stores.batches.prepare()
        earlier = await stores.batches.read(job.id, faults=0)
        left = await stores.quarantine.count(job.load.collection, chosen)
    meter = Meter(claim, _Nothing(), earlier.counts)
    yield meter.read()
    replay = _Replay(services, stores, claim, meter)
    place = earlier.spans[-1].end if earlier.spans else 0
    while left and not claim.is_cancelling:
        with Running(Deadline(STEP_SECONDS), writes=False):
            page = await stores.quarantine.find(job.load.collection, chosen, limit=PAGE)
        if not page:
            break
        for source, several in groupby(page, lambda each: each.job):
            records = [await stores.quarantine.completed(each) for each in several]
            place = await replay.run(source, records, place)
            yield meter.read()
    state = State.CANCELLED if claim.is_cancelling else State.DONE
    await finish(stores, claim, state)
    yield meter.read(state)


class _Replay:
    """One run of a replay."""

    def __init__(self, services: Services, stores: Stores, claim: Claim, meter: Meter) -> None:
        self._services = services
        self._stores = stores
        self._claim = claim
        self._meter = meter
        self._written: dict[Hashable, bytes] = {}

    async def run(self, source: str, records: Sequence[Quarantined], place: int) -> int:
        """Try records of one load again, and return the place behind them."""
        claim, stores = self._claim, self._stores
        with Running(Deadline(STEP_SECONDS), writes=False):
            origin = await stores.jobs.get(source)
        change = stores.mappings.open(origin.load)
        options = replace(_options_of(origin), any_keys=change is not None)
        parsed = [parse_again(each, options) for each in records]
        batch = Batch(place, parsed if change is None else list(map(change, parsed)), end=place + len(records))
        writer = BatchWriter(
            self._services,
            claim,
            replace(origin.load, collection=claim.job.load.collection),
            stores.batches,
            _StillThere(stores.quarantine, claim.job.id, {each.offset: each.id for each in records}),
            patience_seconds=PATIENCE_SECONDS,
            on_wait=self._meter.wait,
            guard=None if claim.job.force else self._guard_of(records),
            replayed=source,
        )
        self._meter.add((await writer.write(batch, SLOT, writer.reserve_ids(batch))).counts)
        return batch.end

    def _guard_of(self, records: Sequence[Quarantined]) -> ReplayGuard:
        return ReplayGuard({each.offset: each.stored for each in records}, self._written)


class _StillThere:
    """Takes what was written out of the quarantine, and notes of the rest that it was tried again."""

    def __init__(self, quarantine: QuarantineStore, job_id: str, ids: Mapping[int, str]) -> None:
        self._quarantine = quarantine
        self._job_id = job_id
        self._ids = ids

    async def settle(
        self, rejects: Sequence[Reject], duplicates: Sequence[Reject], session: AsyncClientSession
    ) -> None:
        stay = {self._ids[each.record.offset]: each for each in (*rejects, *duplicates)}
        for key, reject in stay.items():
            await self._quarantine.fail_again(reject, key, job=self._job_id, session=session)
        await self._quarantine.remove([key for key in self._ids.values() if key not in stay], session)


class _Nothing:
    """A source of no bytes."""

    read_bytes = 0
    total_bytes: int | None = None

    async def chunks(self) -> AsyncGenerator[bytes]:
        for nothing in ():
            yield nothing


def parse_again(quarantined: Quarantined, options: ReadOptions) -> Record:
    """Return a record as it is read now, at the place where it was read first.

    Args:
        quarantined: With all its bytes.
        options: How its load read it; of a table, with its columns.
    """
    raw, start = quarantined.raw, quarantined.offset
    if quarantined.is_cut:
        cut = Cut(raw, quarantined.size_bytes)
        fault = too_large(quarantined.size_bytes, RECORD_BYTES)
        return Record(quarantined.line, start, start + quarantined.size_bytes, cut, None, fault)
    found = _read_one(quarantined, options)
    document, fault = (None, found) if isinstance(found, Fault) else (found, None)
    return Record(quarantined.line, start, start + len(raw), raw, document, fault)


def _read_one(quarantined: Quarantined, options: ReadOptions) -> Document | Fault:
    form = quarantined.form
    if form in _JSON:
        return parser_of(form, options)([quarantined.raw])[0]
    if form is Format.BSON:
        return read_bson(quarantined.raw, any_keys=options.any_keys)
    return _read_row(quarantined, options)


def _read_row(quarantined: Quarantined, options: ReadOptions) -> Document | Fault:
    reader = make_reader(quarantined.form, options)
    records = [*reader.feed(quarantined.raw + b"\n"), *reader.end()]
    if len(records) != 1:
        return Fault("", quarantined.code, quarantined.detail)
    document, fault = records[0].document, records[0].fault
    return document if document is not None else fault or Fault("", quarantined.code, quarantined.detail)


def _options_of(job: Job) -> ReadOptions:
    if not job.columns:
        return job.load.options
    options, columns = job.load.options, dict(job.columns)
    inferred = [name for name in columns if name not in options.types] if options.infer else []
    dialect = replace(options.dialect, encoding=None, skip=None, first_row=None, fix_header=None, line_end=None)
    return replace(options, header=tuple(columns), types=columns, inferred=inferred, infer=False, dialect=dialect)


_JSON: Final = frozenset({Format.NDJSON, Format.JSON, Format.EJSON})
