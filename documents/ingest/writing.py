"""Writing one batch: a transaction of its documents, what is put aside of it, and its checkpoint."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Collection, Hashable, Mapping, Sequence
from functools import partial
from typing import Any, Final, Protocol, TypeVar

from pymongo import IndexModel
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import CollectionInvalid, OperationFailure

from documents.catalog.addresses import address_of, id_key, twins_of
from documents.catalog.catalog import CollectionEntry
from documents.codec.encode import encode
from documents.codec.records import Record
from documents.codec.stored import StoredDocument
from documents.collections.selectors import BINARY
from documents.collections.services import Services
from documents.contracts.counts import Discarded, path_of
from documents.contracts.expectations import Expectations
from documents.database.deadline import Deadline, Running
from documents.errors import (
    Fault,
    InputError,
    UnavailableError,
    UniqueViolationError,
    WriteConflictError,
)
from documents.ingest.batches import MAX_FAULTS, BatchStore, Outcome, RecordFault
from documents.ingest.claim import Claim
from documents.ingest.effects import Effects, KeyedBatch, RefusedError, ReplayGuard, insert_all, keys_of, token_of
from documents.ingest.jobs import Load, Mode
from documents.ingest.prepare import (
    IdRange,
    ObjectIds,
    Prepared,
    first_type_of,
    prepare,
    reject_of,
    with_bytes,
)
from documents.ingest.quarantine import Reject
from documents.ingest.reading import Batch
from documents.query.paths import value_at
from documents.types import MISSING, Document, IdType

STEP_SECONDS: Final = 30.0
"""Longest that one transaction may take."""

INDEX_SECONDS: Final = 60.0
BACKOFF_SECONDS: Final = 0.1
LONGEST_BACKOFF_SECONDS: Final = 5.0
EXISTS: Final = 48

T = TypeVar("T")
Wait = Callable[[str | None], None]
Choose = Callable[[Sequence[Any]], Sequence[Any]]


class Aside(Protocol):
    """Where a load puts the records that cannot be written."""

    async def settle(
        self, rejects: Sequence[Reject], duplicates: Sequence[Reject], session: AsyncClientSession
    ) -> None:
        """Keep what is to be kept of a batch, in its transaction."""
        ...


class _LessonsError(Exception):
    """The contract has to learn something before the batch can be written. Nothing of it is."""

    def __init__(self, effects: Effects) -> None:
        super().__init__()
        self.effects = effects


class BatchWriter:
    """Writes the batches of one job.

    Args:
        services: What it stands on.
        claim: The job.
        load: What is loaded.
        batches: Where they are written down.
        aside: Where records are put aside.
        patience_seconds: How long to wait for a database that is out of reach.
        on_wait: Told why it stands still, and None when it goes on.
        expectations: What the records are expected to be; None counts nothing.
        is_move: Whether the records were staged, and so are counted as received already.
        check: Called with what becomes of a batch before it is committed; what it raises gives the batch up.
        choose: Returns those of some successive records whose documents are to be looked at; None looks at none.
        guard: Of a replay, unless it is to write in any case.
        replayed: Of a replay, the job whose records these are.
    """

    def __init__(  # noqa: PLR0913  # each is a part of its own
        self,
        services: Services,
        claim: Claim,
        load: Load,
        batches: BatchStore,
        aside: Aside,
        *,
        patience_seconds: float,
        on_wait: Wait,
        choose: Choose | None = None,
        guard: ReplayGuard | None = None,
        replayed: str | None = None,
        expectations: Expectations | None = None,
        is_move: bool = False,
        check: Callable[[Outcome], None] = lambda _: None,
    ) -> None:
        self._expectations = expectations
        self._is_move = is_move
        self._check = check
        self._guard = guard
        self._replayed = replayed
        self._services = services
        self._claim = claim
        self._batches = batches
        self._aside = aside
        self._patience_seconds = patience_seconds
        self._on_wait = on_wait
        self._choose: Choose = choose or (lambda _: ())
        self._load = load
        self._object_ids = ObjectIds()
        self._has_collection = False
        self._looks_first = False  # for documents that are there, once some were

    def reserve_ids(self, batch: Batch) -> IdRange:
        """Return ids for the documents of a batch. Called in the order of the file, they rise with it."""
        return self._object_ids.reserve(len(batch.records))

    async def keys_of(self, batch: Batch) -> frozenset[Hashable]:
        """Return the keys that a batch's records go by; none of inserts.

        Batches with a key in common are to be written one after the other.
        """
        if self._load.mode is Mode.INSERT:
            return frozenset()

        async def find(_: int) -> frozenset[Hashable]:
            entry = await self._entry(batch.records)
            return await asyncio.to_thread(keys_of, entry, batch.records, self._load.on)

        return await self._patiently(find)

    async def make_index(self) -> None:
        """Make the unique index over the key of a load into an empty collection, and note that with the job."""
        jobs, load = self._claim.jobs, self._load

        async def make(_: int) -> None:
            with Running(Deadline(INDEX_SECONDS), writes=True):
                collection = self._services.connection.collection(load.collection)
                await collection.create_indexes([IndexModel([(path, 1) for path in load.on], unique=True)])
                note = f"The empty collection got a unique index over {', '.join(load.on)}."
                await jobs.note_index(self._claim.job.id, note)

        await self._patiently(make)

    async def write(self, batch: Batch, slot: int, ids: IdRange) -> Outcome:
        """Return what became of a batch, once it is committed, durably.

        Raises:
            JobLostError: Another process has taken the job over.
            UnavailableError: The database was out of reach for too long. The batch is committed or not, as a whole.
            StoreError: MongoDB refuses to write there at all.
        """

        async def attempt(failures: int) -> Outcome:
            committed = await self._find_committed(batch, slot) if failures else None
            if committed is None:
                self._services.connection.check_room()
            return committed or await self._write(batch, slot, ids)

        outcome = await self._patiently(attempt)
        self._claim.committed(slot)
        return outcome

    async def _patiently(self, work: Callable[[int], Awaitable[T]]) -> T:
        """Return what `work` gives, which is told how often it has failed. Wait for a database that is out of reach."""
        deadline, failures = Deadline(self._patience_seconds), 0
        while True:
            try:
                found = await work(failures)
            except (UnavailableError, WriteConflictError) as error:
                self._claim.check()
                if deadline.remaining() <= 0:
                    raise
                self._on_wait(error.detail)
                failures += 1
                longest = min(LONGEST_BACKOFF_SECONDS, BACKOFF_SECONDS * 2 ** min(failures, 10))
                await asyncio.sleep(random.uniform(longest / 2, longest))  # noqa: S311  # keeps two apart
            else:
                if failures:
                    self._on_wait(None)
                return found

    async def _find_committed(self, batch: Batch, slot: int) -> Outcome | None:
        claim = self._claim
        with Running(Deadline(STEP_SECONDS), writes=False):
            return await self._batches.find(claim.job.id, batch.span, slot=slot, number=claim.number(slot))

    async def _write(self, batch: Batch, slot: int, ids: IdRange) -> Outcome:
        entry = await self._entry(batch.records)
        prepared = await self._prepare(entry, batch.records, ids)
        if self._looks_first:
            await self._leave_out_duplicates(prepared)
        if entry.id_type is IdType.ANY:
            await self._leave_out_twins(prepared)
        while True:
            try:
                with Running(Deadline(STEP_SECONDS), writes=True):
                    done = await self._claim.transact(slot, partial(self._commit, entry, prepared, batch, slot))
            except RefusedError as refused:
                await self._leave_out(refused, entry, prepared)
            except _LessonsError as lessons:
                with Running(Deadline(STEP_SECONDS), writes=True):
                    entry = await self._services.catalog.learn(entry, tuple(lessons.effects.lessons))
            else:
                done.sample = self._chosen(prepared)
                if done.discarded:
                    pointers = tuple(done.discarded.elements())
                    await self._services.catalog.contracts.discards.add([Discarded(entry.name, pointers)])
                return done

    def _chosen(self, prepared: Prepared) -> list[bytes]:
        """Return the documents that are to be looked at, as they are stored, or of other modes as they came."""
        if self._load.mode is Mode.INSERT:
            return [item.raw for item in self._choose(prepared.items)]
        return [encode(each.document) for each in self._choose(prepared.keyed)]

    async def _entry(self, records: Sequence[Record]) -> CollectionEntry:
        catalog, name = self._services.catalog, self._load.collection
        with Running(Deadline(STEP_SECONDS), writes=True):
            entry = await catalog.get_or_new(name)
            if entry.id_type is None and (id_type := first_type_of(entry, records)) is not None:
                await catalog.fix_id_type(name, id_type)
                entry = await catalog.get_or_new(name)
            if not self._has_collection and entry.id_type is not None:
                await self._make_collection()
        return entry

    async def _make_collection(self) -> None:
        # Two transactions that make the same collection run into each other, time and again.
        try:
            await self._services.connection.database.create_collection(self._load.collection)
        except CollectionInvalid:
            pass
        except OperationFailure as error:
            if error.code != EXISTS:
                raise
        self._has_collection = True

    async def _prepare(self, entry: CollectionEntry, records: Sequence[Record], ids: IdRange) -> Prepared:
        load = self._load
        while True:
            prepared = await asyncio.to_thread(prepare, entry, records, load.mode, load.on, ids)
            if not prepared.lessons:
                await asyncio.to_thread(self._tally, prepared)
                return prepared
            with Running(Deadline(STEP_SECONDS), writes=True):
                entry = await self._services.catalog.learn(entry, tuple(prepared.lessons))

    def _tally(self, prepared: Prepared) -> None:
        if self._expectations is not None:
            prepared.tally = self._expectations.tally(
                [
                    *((item.record.line, StoredDocument(item.raw).decode()) for item in prepared.items),
                    *((each.record.line, each.document) for each in prepared.keyed),
                ]
            )

    async def _commit(
        self, entry: CollectionEntry, prepared: Prepared, batch: Batch, slot: int, session: AsyncClientSession
    ) -> Outcome:
        """Write a batch inside a transaction."""
        effects = await self._carry_out(entry, prepared, batch, session)
        rejects = [with_bytes(reject) for reject in (*prepared.rejects, *effects.rejects)]
        outcome = _outcome(batch, prepared, effects, rejects, is_move=self._is_move)
        outcome.replayed = self._replayed
        self._check(outcome)
        await self._aside.settle(rejects, prepared.duplicates, session)
        claim = self._claim
        try:
            await self._batches.write(
                claim.job.id, entry.name, outcome, slot=slot, number=claim.number(slot), session=session
            )
        except UniqueViolationError:
            claim.lose()
        return outcome

    async def _carry_out(
        self,
        entry: CollectionEntry,
        prepared: Prepared,
        batch: Batch,  # noqa: ARG002  # for whoever does something else with it
        session: AsyncClientSession,
    ) -> Effects:
        """Do with a batch what the load's mode says."""
        load, collection = self._load, self._services.connection.raw_collection(entry.name)
        if load.mode is Mode.INSERT:
            return await insert_all(prepared.items, collection, session)
        keyed = KeyedBatch(
            entry, load.mode, load.on, prepared.keyed, is_stepwise=prepared.is_stepwise, guard=self._guard
        )
        effects = await keyed.carry_out(collection, session)
        if effects.lessons:
            raise _LessonsError(effects)
        return effects

    async def _leave_out(self, refused: RefusedError, entry: CollectionEntry, prepared: Prepared) -> None:
        """Take a record out of a batch that MongoDB refused for its sake."""
        error = refused.error
        if prepared.keyed and not prepared.is_stepwise:  # the write may have been that of several records
            prepared.is_stepwise = True
            return
        _take_out(prepared, {refused.record.offset})
        if isinstance(error, UniqueViolationError) and self._load.mode is not Mode.INSERT:
            prepared.rejects.append(_duplicate(refused.record, error))
        elif isinstance(error, UniqueViolationError):
            prepared.duplicates.append(_duplicate(refused.record, error))
            self._looks_first = True
            await self._leave_out_duplicates(prepared)
        elif isinstance(error, InputError):
            prepared.rejects.append(reject_of(entry, refused.record, error))
        else:
            prepared.rejects.append(Reject(refused.record, Fault("", error.code, error.detail)))

    async def _leave_out_duplicates(self, prepared: Prepared) -> None:
        """Take out, all at once, the new documents whose unique values are there already, or come twice.

        MongoDB would name them one by one, and each time undo the whole batch. Those that only it can tell, for an
        index that has a filter or a collation, are left to it.
        """
        if not prepared.items:
            return
        with Running(Deadline(STEP_SECONDS), writes=False):
            keys = [("_id",), *map(sorted, await self._services.catalog.unique_keys(self._load.collection))]
            for key in keys:
                taken = await self._find_taken(prepared, tuple(key))
                error = UniqueViolationError(tuple(key))
                prepared.duplicates += [_duplicate(record, error) for record in taken.values()]
                _take_out(prepared, set(taken))

    async def _leave_out_twins(self, prepared: Prepared) -> None:
        """Put aside the records whose new ids lists would show as they show others: each address is one document's."""
        new = [(item.record, item.id) for item in prepared.items]
        new += [(each.record, each.document["_id"]) for each in prepared.keyed if "_id" in each.document]
        if not new:
            return
        ids = [each for _, own in new for each in (own, *twins_of(own))]
        collection = self._services.connection.collection(self._load.collection)
        with Running(Deadline(STEP_SECONDS), writes=False):
            stored = {id_key(found["_id"]) async for found in collection.find({"_id": {"$in": ids}}, {"_id": 1})}
        twins = _twins_among(new, stored)
        prepared.rejects += [_duplicate(record, UniqueViolationError(("_id",))) for record in twins]
        _take_out(prepared, {record.offset for record in twins})

    async def _find_taken(self, prepared: Prepared, key: tuple[str, ...]) -> Mapping[int, Record]:
        """Return, by their offsets, the records whose values in `key` are taken."""
        first: dict[Hashable, Record] = {}
        taken: dict[int, Record] = {}
        selectors: list[Document] = []
        for item in prepared.items:
            document = {"_id": item.id} if key == ("_id",) else StoredDocument(item.raw).decode()
            values = [value_at(document, path) for path in key]
            if any(isinstance(value, list) for value in values) or all(value in (None, MISSING) for value in values):
                continue
            if first.setdefault(token_of(values), item.record) is not item.record:
                taken[item.record.offset] = item.record
            else:
                present = [None if value is MISSING else value for value in values]
                selectors.append({path: {"$eq": value} for path, value in zip(key, present, strict=True)})
        if not selectors:
            return taken
        where: Document = (
            {key[0]: {"$in": [selector[key[0]]["$eq"] for selector in selectors]}}
            if len(key) == 1
            else {"$or": selectors}
        )
        collection = self._services.connection.collection(self._load.collection)
        async for found in collection.find(where, dict.fromkeys(("_id", *key), 1), collation=BINARY):
            record = first.get(token_of([value_at(found, path) for path in key]))
            if record is not None:
                taken[record.offset] = record
        return taken


def _twins_among(new: Sequence[tuple[Record, object]], stored: Collection[Hashable]) -> list[Record]:
    """Return the records with a new id that is shown as one that is stored, or that a record before has."""
    twins: list[Record] = []
    shown: dict[str, Hashable] = {}
    for record, own in new:
        key = id_key(own)
        first = shown.setdefault(address_of(own), key)
        if key not in stored and (first != key or any(id_key(each) in stored for each in twins_of(own))):
            twins.append(record)
    return twins


def _outcome(
    batch: Batch, prepared: Prepared, effects: Effects, rejects: Sequence[Reject], *, is_move: bool
) -> Outcome:
    outcome = Outcome(batch.span, effects.counts, effects.inserted, effects.changed)
    outcome.tally, outcome.is_move = prepared.tally, is_move
    outcome.quarantined_bytes = sum(len(each.record.raw) for each in rejects)
    counts = outcome.counts
    counts.received = 0 if is_move else len(batch.records)
    counts.skipped = 0 if is_move else batch.skipped
    outcome.high = batch.high
    counts.duplicates = len(prepared.duplicates)
    counts.quarantined = len(rejects)
    counts.valid = counts.received - counts.quarantined
    for pointer, count in (prepared.discarded + effects.discarded).items():
        outcome.discarded[path_of(pointer)] += count
    faults = [
        RecordFault(each.record.line, each.record.offset, each.fault) for each in (*rejects, *prepared.duplicates)
    ]
    outcome.faults = sorted(faults, key=lambda fault: fault.offset)[:MAX_FAULTS]
    return outcome


def _duplicate(record: Record, error: UniqueViolationError) -> Reject:
    pointer = "".join(f"/{path.replace('.', '/')}" for path in error.fields[:1])
    return Reject(record, Fault(pointer, error.code, error.detail))


def _take_out(prepared: Prepared, offsets: set[int]) -> None:
    if offsets:
        prepared.items = [item for item in prepared.items if item.record.offset not in offsets]
        prepared.keyed = [each for each in prepared.keyed if each.record.offset not in offsets]
