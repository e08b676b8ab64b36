"""What can be asked about loads and jobs, planned under a policy; and the running of jobs."""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import asdict, replace
from functools import partial
from typing import Final

from documents.access.actions import Action
from documents.access.policy import Policy
from documents.access.rules import Feature
from documents.catalog.catalog import CollectionEntry
from documents.catalog.ids import read_address
from documents.catalog.metadata import Deed
from documents.collections.services import Services
from documents.contracts.expectations import to_json
from documents.database.deadline import Deadline, Running
from documents.errors import (
    IndexRequiredError,
    JobConflictError,
    JobFailedError,
    JobLostError,
    JobNotFoundError,
    StoreError,
    UnavailableError,
    UploadConflictError,
)
from documents.ingest.batches import BatchStore, Books
from documents.ingest.claim import Claim, hold_job
from documents.ingest.gates import Budget
from documents.ingest.job_report import JobReport
from documents.ingest.jobs import Job, JobStore, Load, Mode, Origin, State
from documents.ingest.load import PATIENCE_SECONDS, Stores, run_load
from documents.ingest.load_check import check_load
from documents.ingest.mapped import Mappings
from documents.ingest.meter import Progress
from documents.ingest.plans import Plan
from documents.ingest.preview import Preview, preview_load, typed
from documents.ingest.quarantine import QuarantineStore
from documents.ingest.quarantine_plans import QuarantinePlans
from documents.ingest.replay import run_replay
from documents.ingest.requests import ContinueUpload, FindJobs, FindLoads, UndoJob
from documents.ingest.sources.source import Source, SourceChangedError, SourceError
from documents.ingest.staging import Staging
from documents.ingest.undo import Undone, undo_load
from documents.ingest.uploads import Receiver, UploadPausedError, UploadSource, UploadStore

PREVIEW_SECONDS: Final = 30.0
PAUSE_SECONDS: Final = 10.0
MAX_FAULTS: Final = 100
_ACTIONS: Final[Mapping[Mode, tuple[Action, ...]]] = {
    Mode.INSERT: (Action.CREATE,),
    Mode.UPSERT: (Action.CREATE, Action.UPDATE),
    Mode.REPLACE: (Action.UPDATE,),
    Mode.MERGE: (Action.CREATE, Action.UPDATE),
    Mode.DELETE: (Action.DELETE,),
}


_WHOLE: Final = frozenset({Mode.INSERT, Mode.UPSERT, Mode.REPLACE})
"""Modes whose records are whole documents, which alone a contract expects something of."""


class Ingestion(QuarantinePlans):
    """Plans what is asked about loads, and runs them.

    Args:
        services: What it stands on.
        budget: What may be in quarantine.
        mappings: That loads can name, and the key of hashes.
    """

    def __init__(self, services: Services, budget: Budget, mappings: Mappings | None = None) -> None:
        connection = services.connection
        stores = Stores(
            JobStore(connection),
            BatchStore(connection),
            QuarantineStore(connection),
            UploadStore(connection),
            mappings or Mappings(),
        )
        super().__init__(services, stores)
        self._budget = budget
        self._connection = connection

    async def load(self, operation: Load, policy: Policy) -> Plan[tuple[Job, bool]]:
        """Plan to make a job, or to go on with the one that has the same key. Gives it, and whether it is new.

        Raises:
            IndexRequiredError: The mode goes by a key that no unique index is over.
            InvalidParameterError: An option cannot be meant.
            QueryRefusedError: The collection is a view.
        """
        policy.require(operation.collection, *_ACTIONS[operation.mode])
        policy.require_feature(operation.collection, Feature.INGEST)
        operation = self.stores.mappings.resolve(operation)
        check_load(operation)
        entry = await self._services.catalog.get_or_new(operation.collection)
        entry.check_kind(Deed.LOAD)
        needs_index = operation.mode is not Mode.INSERT and not await self._has_index(operation)
        if needs_index and (entry.model is not None or await self._has_documents(operation.collection)):
            raise IndexRequiredError(
                f"To {operation.mode} by {', '.join(operation.on)}, the collection needs a unique index over it. "
                f"PUT /v1/{operation.collection}:indexes makes one."
            )
        operation = _as_expected(typed(operation, entry), entry)
        if operation.all_or_nothing and operation.max_bad is None:
            operation = replace(operation, max_bad="0")
        return Plan(partial(self._create, operation, policy.name, makes_index=needs_index), writes=True)

    async def preview(self, operation: Load, source: Source, policy: Policy) -> AsyncGenerator[Preview]:
        """Read a source as `load` and `run` would, and yield what is known so far. Writes nothing, and takes no job.

        Close it (`contextlib.aclosing`) where it is left before its end.

        Raises:
            IndexRequiredError: The mode goes by a key that no unique index is over.
            InvalidParameterError: An option cannot be meant.
        """
        with Running(Deadline(PREVIEW_SECONDS), writes=False):
            await self.load(operation, policy)
            operation = await self._with_cursor(operation)
        operation = self.stores.mappings.resolve(operation)
        async with aclosing(preview_load(self._services, operation, source, self.stores.mappings)) as previews:
            async for preview in previews:
                yield preview

    async def upload(self, operation: ContinueUpload, policy: Policy) -> Plan[Receiver]:
        """Plan to go on with an upload. Gives what takes the rest of it in.

        Raises:
            JobNotFoundError: There is no such job.
            JobConflictError: It has no upload, or none that goes on.
        """
        job = await self._visible(operation.id, policy)
        policy.require(job.load.collection, *_ACTIONS[job.load.mode])
        if job.upload is None:
            raise JobConflictError("The job has no upload.")
        if job.state is not State.OPEN:
            raise JobConflictError(f"The job is {job.state}, so its upload does not go on.")
        if job.upload.is_complete:
            raise JobConflictError("The upload is complete.")
        return Plan(partial(self._find_place, operation))

    async def job(self, operation: str, policy: Policy) -> Plan[JobReport]:
        """Plan to read a job, by its id."""
        await self._visible(operation, policy)
        return Plan(partial(self.report, operation))

    async def _visible(self, job_id: str, policy: Policy) -> Job:
        """Return a job; one of a collection that is closed to the caller is not there for it, unless it may load there.

        Raises:
            JobNotFoundError: There is none.
        """
        job = await self.stores.jobs.get(job_id)
        collection, mode = job.load.collection, job.load.mode
        if not any(policy.allows(collection, action) for action in (Action.READ, *_ACTIONS[mode])):
            raise JobNotFoundError(job_id)
        return job

    async def jobs(self, operation: FindJobs, policy: Policy) -> Plan[list[JobReport]]:
        """Plan to read jobs: of one collection, or of those that the caller may read."""
        if operation.collection is not None:
            policy.require(operation.collection, Action.READ)
        return Plan(partial(self._find_jobs, operation, policy))

    async def loads_of(self, operation: FindLoads, policy: Policy) -> Plan[list[tuple[Job, bool]]]:
        """Plan to read which loads wrote a document, be it still there or not; each with whether it inserted it.

        Raises:
            CollectionNotFoundError: There is no such collection.
        """
        policy.require(operation.collection, Action.READ)
        entry = await self._services.catalog.get(operation.collection)
        ids = read_address(operation.id, entry.id_type).ids()
        return Plan(partial(self._find_loads, operation.collection, ids))

    async def cancel(self, operation: str, policy: Policy) -> Plan[JobReport]:
        """Plan to stop a job, by its id."""
        load = (await self._visible(operation, policy)).load
        policy.require(load.collection, *_ACTIONS[load.mode])
        return Plan(partial(self._cancel, operation), writes=True)

    async def undo(self, operation: UndoJob, policy: Policy) -> Plan[JobReport]:
        """Plan to have a load taken back; `run` does it."""
        policy.require((await self._visible(operation.id, policy)).load.collection, Action.DELETE)
        return Plan(partial(self._begin_undo, operation), writes=True)

    async def report(self, job_id: str) -> JobReport:
        """Return a job with its numbers. Await it inside `Running`."""
        job = await self.stores.jobs.get(job_id)
        books = await self.stores.batches.read(job_id, faults=MAX_FAULTS)
        offset = (await self.stores.uploads.offset(job_id))[0] if job.upload and job.state is State.OPEN else None
        return JobReport(job, books, offset)

    def receiver(self, job_id: str, *, on_chunk: Callable[[], None] = lambda: None) -> Receiver:
        """Return what takes in the upload of a job. It calls `on_chunk` for each chunk that was read or kept."""
        return Receiver(self.stores.uploads, self.stores.jobs, job_id, on_chunk=on_chunk)

    def staging(self, job_id: str) -> Staging:
        """Return where the records of a job are staged."""
        return Staging(self._connection, job_id)

    async def refuse(self, job_id: str, error: StoreError) -> None:
        """Give a job up whose upload cannot be taken, and forget what has come of it. Await it inside `Running`."""
        await self.stores.jobs.refuse(job_id, code=error.code, detail=error.detail)
        await self.stores.uploads.remove(job_id)

    async def run(
        self,
        job_id: str,
        source: Source | None = None,
        *,
        patience_seconds: float = PATIENCE_SECONDS,
        is_wanted: Callable[[], bool] = lambda: False,
    ) -> AsyncGenerator[Progress]:
        """Work on an open job until it has ended, and yield how far it is.

        Close it (`contextlib.aclosing`) where it is left before its end. Any process can then go on with it.

        Args:
            job_id: Id of the job.
            source: What it loads; None of one whose source is in the database.
            patience_seconds: How long to wait for a database that is out of reach.
            is_wanted: Tells whether other jobs wait for this one to make room, as it does while its upload dawdles.

        Raises:
            JobConflictError: Another process works on it, or it has ended.
            JobLostError: Another process has taken it over.
            UnavailableError: The database was out of reach for too long. The job stays open.
            SourceError: The source cannot be read. The job stays open, unless the source has changed.
            StoreError: The job has failed.
        """
        stores = self.stores
        async with hold_job(self._connection, stores.jobs, job_id) as claim:
            if claim.job.load.origin is Origin.QUARANTINE:
                running = run_replay(self._services, stores, claim)
            else:
                source = source or UploadSource(stores.uploads, stores.jobs, job_id, is_wanted=is_wanted)
                running = run_load(
                    self._services, stores, claim, source, budget=self._budget, patience_seconds=patience_seconds
                )
            try:
                async with aclosing(running) as progresses:
                    async for progress in progresses:
                        yield progress
            except UploadPausedError:
                await self._pause(claim)
            except SourceChangedError:  # so nobody can read the rest of what it was
                await claim.finish(State.CANCELLED)
                raise
            except (UnavailableError, JobLostError, SourceError):
                raise
            except StoreError as error:
                await claim.finish(State.FAILED, error=error)
                raise
            except Exception:
                # A fault of ours, which would only come again if somebody went on with it.
                await claim.finish(State.FAILED, error=JobFailedError())
                raise

    async def _pause(self, claim: Claim) -> None:
        """Leave a job open whose upload has stopped, unless somebody wants an end to it."""
        with Running(Deadline(PAUSE_SECONDS), writes=False):
            job = await self.stores.jobs.get(claim.job.id)
        if job.is_cancelling and job.state is State.OPEN:
            await claim.finish(State.CANCELLED)

    async def take_back(self, job_id: str) -> AsyncGenerator[Undone]:
        """Work on a job that is to be taken back, and yield how far it is.

        Raises:
            JobConflictError: Another process works on it, or it is not to be taken back.
            StoreError: MongoDB cannot be reached. Run it again, and it goes on.
        """
        holding = hold_job(self._connection, self.stores.jobs, job_id, states=(State.UNDOING,))
        stores = self.stores
        async with (
            holding as claim,
            aclosing(undo_load(self._services, stores.batches, stores.quarantine, claim)) as undones,
        ):
            async for undone in undones:
                yield undone
            with Running(Deadline(PAUSE_SECONDS), writes=True):
                await self.stores.uploads.remove(job_id)

    async def _with_cursor(self, load: Load) -> Load:
        """Return a load whose cursor is behind the loads of its name that are done."""
        if load.cursor is None:
            return load
        return replace(load, cursor=await self.stores.jobs.read_cursor(load.collection, load.cursor))

    async def _create(self, load: Load, by: str, *, makes_index: bool) -> tuple[Job, bool]:
        load = await self._with_cursor(load)
        job, is_new = await self.stores.jobs.create(load, by=by, makes_index=makes_index)
        if job.state in (State.CANCELLED, State.FAILED):
            job = await self.stores.jobs.reopen(job.id)
        if job.state is State.OPEN and (job.load.max_bad, job.load.max_drift) != (load.max_bad, load.max_drift):
            job = await self.stores.jobs.set_limits(job.id, load)
        if job.is_forgotten:
            # So nobody could say whether this is the same.
            what = "what it had staged" if job.is_staging_gone else "its upload"
            detail = f"Job {job.id} stopped half-way, and {what} is forgotten. Undo it, and its key is free again."
            raise JobConflictError(detail)
        return job, is_new

    async def _find_place(self, operation: ContinueUpload) -> Receiver:
        receiver = self.receiver(operation.id, on_chunk=operation.on_chunk)
        offset = await receiver.skip()
        if offset != operation.offset:
            raise UploadConflictError(offset)
        return receiver

    async def _has_index(self, load: Load) -> bool:
        if load.on == ("_id",):
            return True
        keys = await self._services.catalog.unique_keys(load.collection)
        return any(key <= set(load.on) for key in keys)

    async def _has_documents(self, collection: str) -> bool:
        return await self._connection.collection(collection).find_one({}, {"_id": 1}) is not None

    async def _find_jobs(self, operation: FindJobs, policy: Policy) -> list[JobReport]:
        visible = None
        if operation.collection is None and not policy.sees_everything:
            loaded = await self.stores.jobs.collections()
            visible = [collection for collection in loaded if policy.allows(collection, Action.READ)]
        jobs = await self.stores.jobs.find(**asdict(operation), visible=visible)
        return [JobReport(job, await self._books_of(job)) for job in jobs]

    async def _books_of(self, job: Job) -> Books:
        if job.totals is not None:
            return Books.from_totals(job.totals)
        return await self.stores.batches.read(job.id, faults=0)

    async def _find_loads(self, collection: str, ids: Sequence[object]) -> list[tuple[Job, bool]]:
        found = await self.stores.batches.find_loads(collection, ids)
        return [(await self.stores.jobs.get(job), is_new) for job, is_new in found]

    async def _cancel(self, job_id: str) -> JobReport:
        await self.stores.jobs.cancel(job_id)
        return await self.report(job_id)

    async def _begin_undo(self, operation: UndoJob) -> JobReport:
        await self.stores.jobs.begin_undo(operation.id, force=operation.force)
        return await self.report(operation.id)


def _as_expected(load: Load, entry: CollectionEntry) -> Load:
    """Return a load that expects what the contract does, unless it says so itself."""
    contract = entry.contract
    if load.expect is not None or load.mode not in _WHOLE or contract is None or contract.expect is None:
        return load
    return replace(load, expect=to_json(contract.expect))
