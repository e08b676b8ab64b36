"""Jobs: what is loaded, from where, how, and in which state. A document each, with which any process can go on."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final
from uuid import uuid4

from bson.int64 import Int64
from pymongo import DESCENDING, IndexModel, ReturnDocument
from pymongo.errors import DuplicateKeyError

from documents.codec.options import ReadOptions
from documents.codec.records import Format
from documents.database.connection import Connection
from documents.errors import JobConflictError, JobNotFoundError
from documents.ingest.holder import Holder
from documents.types import SYSTEM_PREFIX, Document

JOBS: Final = f"{SYSTEM_PREFIX}jobs"
MAX_LISTED: Final = 1000


class Mode(StrEnum):
    """What a record does to the collection; all but `insert` go by a key."""

    INSERT = "insert"
    UPSERT = "upsert"
    REPLACE = "replace"
    MERGE = "merge"
    DELETE = "delete"


class State(StrEnum):
    """What has become of a job. `open` and `undoing` want somebody to work on them."""

    OPEN = "open"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    UNDOING = "undoing"
    UNDONE = "undone"


class Doing(StrEnum):
    """What is being done about an open job: more of its upload comes in, somebody works on it, or nobody does."""

    RECEIVING = "receiving"
    RUNNING = "running"
    WAITING = "waiting"


class Origin(StrEnum):
    """Where records come from. Only an upload is kept by Sheaf, so that any process can read it again."""

    FILE = "file"
    STREAM = "stream"
    URL = "url"
    UPLOAD = "upload"
    QUARANTINE = "quarantine"


@dataclass(frozen=True, slots=True)
class Cursor:
    """Which records of a source are new: those whose field is greater than in all loads of the same name before.

    Args:
        name: Of the loads.
        field: Dotted path.
        after: The greatest value before this load; None before the first one.
    """

    name: str
    field: str
    after: Any = None


@dataclass(frozen=True, slots=True)
class Load:
    """What is to be loaded.

    Args:
        collection: Where to.
        form: Of the records.
        mode: What they do.
        on: The key: `_id`, or fields under a unique index. Of no meaning for `insert`.
        options: How they are read; `start` and `limit` are not kept.
        origin: Where they come from.
        name: Of the source, for people.
        key: Under which it is loaded once; None to load it whatever was before.
        digest: Of the source's bytes, where they are known beforehand.
        size_bytes: Of the source, likewise.
        mapping: How documents are changed, as JSON; None where they are not. Before it is resolved, perhaps its name.
        hash_key_id: Which key its hashes are made with.
        max_bad: How many records may be put aside, as `100` or `1%`; None for any number.
        max_drift: In how many fields the first records may differ from what is there; None for any number.
        expect: What the records are expected to be (`Expectations`), in JSON.
        all_or_nothing: Whether records are staged, and moved into the collection once all of them are known.
        cursor: Which records are new; None for all.
    """

    collection: str
    form: Format
    mode: Mode = Mode.INSERT
    on: tuple[str, ...] = ("_id",)
    options: ReadOptions = field(default_factory=ReadOptions)
    origin: Origin = Origin.STREAM
    name: str | None = None
    key: str | None = None
    digest: str | None = None
    size_bytes: int | None = None
    max_bad: str | None = None
    max_drift: str | None = None
    expect: str | None = None
    all_or_nothing: bool = False
    mapping: str | None = None
    hash_key_id: str | None = None
    cursor: Cursor | None = None


@dataclass(frozen=True, slots=True)
class Upload:
    """How far an upload is.

    Args:
        is_complete: Whether all of it is here.
        size_bytes: Of it all, once it is complete.
        digest: Likewise.
        is_forgotten: Whether its bytes are gone, so that nobody can go on with it.
    """

    is_complete: bool = False
    size_bytes: int | None = None
    digest: str | None = None
    is_forgotten: bool = False


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a job was going when it was last looked at.

    Args:
        read_bytes: Of the source that were read, compressed if it is.
        total_bytes: Of the source, where that is known.
        rate: Records a second.
        eta_seconds: Until it is done; None where nobody can tell.
        waiting_for: Why it stands still; None while it does not.
    """

    read_bytes: int = 0
    total_bytes: int | None = None
    rate: float = 0.0
    eta_seconds: float | None = None
    waiting_for: str | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """A job as it is stored.

    Args:
        id: 24 hex digits.
        load: What it loads.
        state: In which state it is.
        by: Under which policy it was made.
        created: When, in UTC.
        finished: When it came to an end, in UTC.
        holder: Who works on it, if anybody does.
        is_cancelling: Whether somebody wants it to stop.
        upload: How far its upload is; None of other origins.
        pace: How fast it goes.
        error: Why it failed: `{"code", "detail"}`.
        undone: What was taken back: the members of `Undone`.
        force: Whether taking it back deletes documents that were changed since, too, or a replay writes over them.
        notes: What was done for it that nobody asked for in so many words.
        columns: Of CSV and TSV, each with its type, as soon as they are known.
        chosen: Of a replay, which records of the quarantine: the members of `Chosen`.
        totals: What its batches came to (`Books.to_totals`), so that they need not all be read again; None before its
            end, and where it came to another end than its own.
        makes_index: Whether its collection needs a unique index over its key, made with the first record that has one.
        findings: Of each expectation, whether it is met (`Finding.to_dict`), as soon as that is known.
        is_staging_gone: Whether its staged records are forgotten, so that nobody can go on with it.
    """

    id: str
    load: Load
    state: State
    by: str
    created: datetime
    finished: datetime | None = None
    holder: Holder | None = None
    is_cancelling: bool = False
    upload: Upload | None = None
    pace: Pace = field(default_factory=Pace)
    error: Mapping[str, str] | None = None
    undone: Mapping[str, int] | None = None
    force: bool = False
    notes: Sequence[str] = ()
    columns: Sequence[tuple[str, str]] = ()
    chosen: Mapping[str, Any] | None = None
    totals: Mapping[str, Any] | None = None
    makes_index: bool = False
    findings: Sequence[Mapping[str, Any]] = ()
    is_staging_gone: bool = False

    @property
    def is_forgotten(self) -> bool:
        """Whether what it had read is gone, so that nobody can go on with it."""
        return self.is_staging_gone or (self.upload is not None and self.upload.is_forgotten)


class JobStore:
    """The jobs of a database. Await its methods inside `Running`.

    Args:
        connection: Where they are kept.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._is_ready = False

    @property
    def records(self) -> Any:  # noqa: ANN401  # a collection of dicts
        """Their documents."""
        return self._connection.collection(JOBS)

    async def create(
        self,
        load: Load,
        *,
        by: str,
        makes_index: bool = False,
        chosen: Mapping[str, Any] | None = None,
        force: bool = False,
    ) -> tuple[Job, bool]:
        """Return the job for a load, and whether it is new: one with the same key is gone on with.

        Raises:
            JobConflictError: The key was used for another load.
        """
        await self._prepare()
        more = {"makes_index": makes_index, "force": force, "chosen": None if chosen is None else dict(chosen)}
        record = _to_record(load, by=by) | more
        try:
            await self.records.insert_one(record)
        except DuplicateKeyError:
            found = await self.records.find_one({"key": load.key, "collection": load.collection})
            if found is None:  # it was undone at this moment, and so has given up its key
                return await self.create(load, by=by, makes_index=makes_index, chosen=chosen, force=force)
            return _same(_from_record(found), load), False
        return _from_record(record), True

    async def reopen(self, job_id: str) -> Job:
        """Return a job that goes on, if it was cancelled or has failed, and its bytes are not forgotten."""
        kept = {"upload.is_forgotten": {"$ne": True}, "is_staging_gone": {"$ne": True}}
        ended = {"_id": job_id, **_HAS_STOPPED, **kept}
        begun = {"state": State.OPEN, "finished": None, "error": None, "is_cancelling": False, "totals": None}
        await self.records.update_one(ended, {"$set": begun})
        return await self.get(job_id)

    async def get(self, job_id: str) -> Job:
        """Return a job.

        Raises:
            JobNotFoundError: There is none.
        """
        found = await self._shown([{"$match": {"_id": job_id}}])
        if not found:
            raise JobNotFoundError(job_id)
        return found[0]

    async def collections(self) -> list[str]:
        """Return the collections that some job loads into."""
        return await self.records.distinct("collection")

    async def find(
        self,
        *,
        collection: str | None = None,
        state: State | Doing | None = None,
        key: str | None = None,
        before: str | None = None,
        limit: int = 50,
        visible: Sequence[str] | None = None,
    ) -> list[Job]:
        """Return jobs, the newest first.

        Args:
            collection: Only those that load into it.
            state: Only those in it; of open ones also what is being done.
            key: Only those with it.
            before: Only those before this one; for the next page.
            limit: At most so many, up to 1000.
            visible: Only those that load into one of these; None for any.
        """
        wanted = {"collection": collection, "key": key}
        match: Document = {name: value for name, value in wanted.items() if value is not None}
        if state is not None:
            match |= _DOING[state] if isinstance(state, Doing) else {"state": state}
        if before is not None:
            match["_id"] = {"$lt": before}
        if visible is not None:
            match["$and"] = [{"collection": {"$in": list(visible)}}]
        return await self._shown(
            [{"$match": match}, {"$sort": {"_id": DESCENDING}}, {"$limit": min(limit, MAX_LISTED)}]
        )

    async def waiting(self) -> list[Job]:
        """Return the jobs that nobody works on and any process can: those whose source is in the database.

        Those of a process beside this one that is no more are among them, though its lease runs on.
        """
        is_open = {"state": State.OPEN}
        is_here = [{**is_open, "upload.is_complete": True}, {**is_open, "origin": Origin.QUARANTINE}]
        any_can = {"$or": [{"state": State.UNDOING}, *is_here]}
        jobs = await self._shown([{"$match": any_can}, {"$sort": {"_id": 1}}])
        return [job for job in jobs if job.holder is None or not job.holder.is_alive or job.holder.is_dead()]

    async def stalled(self, since: datetime) -> list[Job]:
        """Return the jobs whose upload began before a moment, in UTC, and is not complete."""
        return await self._shown(
            [{"$match": {"state": State.OPEN, "upload.is_complete": False, "created": {"$lt": since}}}]
        )

    async def give_up(self, job_id: str) -> bool:
        """Note of an open job that nobody works on that its upload is abandoned; tell whether that is so."""
        error = {"code": "upload-abandoned", "detail": "Nothing more of the upload has come for a day."}
        failed = {"state": State.FAILED, "finished": datetime.now(UTC), "error": error, "upload.is_forgotten": True}
        told = await self.records.update_one({"_id": job_id, "state": State.OPEN, "$expr": IS_FREE}, {"$set": failed})
        return bool(told.matched_count)

    async def stopped(self, since: datetime) -> list[Job]:
        """Return the jobs that were cancelled or failed before a moment, in UTC, and whose uploads are still here."""
        kept = {**_HAS_STOPPED, "finished": {"$lt": since}, "upload.is_complete": {"$exists": True}}
        return await self._shown([{"$match": {**kept, "upload.is_forgotten": {"$ne": True}}}])

    async def forget_upload(self, job_id: str) -> bool:
        """Note of a job that has stopped that nobody can go on with it; tell whether that is so."""
        told = await self.records.update_one({"_id": job_id, **_HAS_STOPPED}, {"$set": {"upload.is_forgotten": True}})
        return bool(told.matched_count)

    async def refuse(self, job_id: str, *, code: str, detail: str) -> None:
        """Note of an open job that it has failed, whoever works on it. Its key is free for another load."""
        failed = {"state": State.FAILED, "finished": "$$NOW", "error": {"code": code, "detail": {"$literal": detail}}}
        await self.records.update_one(
            {"_id": job_id, "state": State.OPEN}, [{"$set": {**failed, "former_key": "$key"}}, {"$unset": "key"}]
        )

    async def cancel(self, job_id: str) -> Job:
        """Ask for a job to stop; one that nobody works on has stopped with that.

        Raises:
            JobNotFoundError: There is none.
            JobConflictError: It is not open.
        """
        stopped = {"state": State.CANCELLED, "finished": "$$NOW", "is_cancelling": False}
        found = await self.records.find_one_and_update(
            {"_id": job_id, "state": State.OPEN},
            [{"$replaceWith": {"$mergeObjects": ["$$ROOT", {"$cond": [IS_FREE, stopped, {"is_cancelling": True}]}]}}],
            return_document=ReturnDocument.AFTER,
        )
        job = await self.get(job_id)
        if found is None and job.state is not State.CANCELLED:
            raise JobConflictError(f"The job is {job.state}, so there is nothing to cancel.")
        return job

    async def begin_undo(self, job_id: str, *, force: bool = False) -> Job:
        """Return a job that is to be taken back from now on. Its key is free for another load.

        Args:
            job_id: Whose.
            force: Delete documents that were changed since, too.

        Raises:
            JobNotFoundError: There is none.
            JobConflictError: Somebody works on it, or it is to be worked on.
        """
        ended = [State.DONE, State.FAILED, State.CANCELLED]
        await self.records.update_one(
            {"_id": job_id, "state": {"$in": ended}},
            [
                {"$set": {"state": State.UNDOING, "finished": None, "force": force, "former_key": "$key"}},
                {"$unset": "key"},
            ],
        )
        job = await self.get(job_id)
        if job.state is State.OPEN:
            raise JobConflictError("The job has not ended. Cancel it first.")
        return job

    async def finish(
        self, job_id: str, state: State, *, epoch: int, error: Mapping[str, str] | None = None, **more: object
    ) -> None:
        """Write down what became of a job, if the taking `epoch` is still the last one."""
        changes = {"state": state, "finished": datetime.now(UTC), "error": error, "is_cancelling": False, **more}
        await self.records.update_one({"_id": job_id, "epoch": epoch}, {"$set": changes})

    async def set_columns(self, job_id: str, columns: Sequence[tuple[str, str]]) -> None:
        """Note which columns a table has, so that its rows can be read one by one."""
        await self.records.update_one({"_id": job_id}, {"$set": {"columns": [list(column) for column in columns]}})

    async def note_index(self, job_id: str, note: str) -> None:
        """Note that a load's index is made."""
        made = {"$set": {"makes_index": False}, "$addToSet": {"notes": note}}
        await self.records.update_one({"_id": job_id}, made)

    async def set_limits(self, job_id: str, load: Load) -> Job:
        """Let a job that goes on bear other numbers of bad records and of fields that differ, and return it."""
        await self.records.update_one({"_id": job_id}, {"$set": _limits(load)})
        return await self.get(job_id)

    async def set_findings(self, job_id: str, findings: Sequence[Mapping[str, Any]]) -> None:
        """Note which expectations of a load are met."""
        await self.records.update_one({"_id": job_id}, {"$set": {"findings": list(findings)}})

    async def read_cursor(self, collection: str, cursor: Cursor) -> Cursor:
        """Return a cursor behind the loads of its name that are done.

        Raises:
            JobConflictError: They go by another field.
        """
        named: Document = {"collection": collection, "cursor.name": cursor.name, "state": State.DONE}
        other = await self.records.find_one({**named, "cursor.field": {"$ne": cursor.field}}, {"cursor": 1})
        if other is not None:
            detail = (
                f"Loads called {cursor.name} go by the field {other['cursor']['field']}, and not by {cursor.field}."
            )
            raise JobConflictError(detail)
        reached = {**named, "cursor.high": {"$exists": True}}
        last = await self.records.find_one(reached, {"cursor": 1}, sort=[("cursor.high", DESCENDING)])
        return cursor if last is None else replace(cursor, after=last["cursor"]["high"])

    async def staged(self, since: datetime) -> list[Job]:
        """Return the jobs that stopped before a moment, in UTC, and whose staged records are still here."""
        kept = {**_HAS_STOPPED, "finished": {"$lt": since}, "all_or_nothing": True}
        return await self._shown([{"$match": {**kept, "is_staging_gone": {"$ne": True}}}])

    async def forget_staging(self, job_id: str) -> bool:
        """Note of a job that has stopped that nobody can go on with it; tell whether that is so."""
        told = await self.records.update_one({"_id": job_id, **_HAS_STOPPED}, {"$set": {"is_staging_gone": True}})
        return bool(told.matched_count)

    async def complete_upload(self, job_id: str, *, size_bytes: int, digest: str) -> None:
        """Note that all of an upload is here."""
        upload = {"is_complete": True, "size_bytes": Int64(size_bytes), "digest": digest}
        await self.records.update_one({"_id": job_id}, {"$set": {"upload": upload}})

    async def _shown(self, pipeline: Sequence[Document]) -> list[Job]:
        # Whether its holder is alive is told by MongoDB's clock.
        alive = {"$addFields": {"is_held": {"$not": [IS_FREE]}}}
        cursor = await self.records.aggregate([*pipeline, alive])
        return [_from_record(record) async for record in cursor]

    async def _prepare(self) -> None:
        if not self._is_ready:
            one_key = IndexModel(
                [("key", 1), ("collection", 1)], unique=True, partialFilterExpression={"key": {"$exists": True}}
            )
            await self.records.create_indexes([one_key, IndexModel([("state", 1)])])
            self._is_ready = True


IS_FREE: Final[Document] = {"$lte": [{"$ifNull": ["$expires", datetime(1970, 1, 1, tzinfo=UTC)]}, "$$NOW"]}
_HAS_STOPPED: Final[Document] = {"state": {"$in": [State.CANCELLED, State.FAILED]}}
_IS_WHOLE: Final[Document] = {"state": State.OPEN, "upload.is_complete": {"$ne": False}}
_DOING: Final[Mapping[Doing, Document]] = {
    Doing.RECEIVING: {"state": State.OPEN, "upload.is_complete": False},
    Doing.RUNNING: {**_IS_WHOLE, "$expr": {"$not": [IS_FREE]}},
    Doing.WAITING: {**_IS_WHOLE, "$expr": IS_FREE},
}


def new_id() -> str:
    """Return an id for a job, which is greater than those before it."""
    milliseconds = int(datetime.now(UTC).timestamp() * 1000)
    return f"{milliseconds:012x}{uuid4().hex[:12]}"


def _same(job: Job, load: Load) -> Job:
    """Return a job if it is of this load."""
    known = job.load
    if _described(known) != _described(load):
        raise JobConflictError("This key was used for another load: another mode, format or key of the documents.")
    if known.digest != load.digest:
        raise JobConflictError("This key was used for other data.")
    gates = (known.expect, known.all_or_nothing)
    if job.state not in (State.DONE, State.UNDOING) and gates != (load.expect, load.all_or_nothing):
        raise JobConflictError(
            f"Load {job.id} of this was begun with other expectations, or otherwise than all or nothing. Go on with it "
            "as it was begun, or take it back first."
        )
    return job


def _limits(load: Load) -> Document:
    return {"max_bad": load.max_bad, "max_drift": load.max_drift}


def _described(load: Load) -> tuple[Any, ...]:
    cursor = None if load.cursor is None else (load.cursor.name, load.cursor.field)
    how = (load.options.described(), load.mapping, load.hash_key_id)
    return (load.mode, load.on, load.form, load.origin, *how, cursor)


def _to_record(load: Load, *, by: str) -> Document:
    return {
        "_id": new_id(),
        "collection": load.collection,
        "form": load.form,
        "mode": load.mode,
        "on": list(load.on),
        "options": load.options.to_record(),
        "origin": load.origin,
        "name": load.name,
        **({} if load.key is None else {"key": load.key}),
        "digest": load.digest,
        "size_bytes": load.size_bytes,
        "state": State.OPEN,
        "by": by,
        "created": datetime.now(UTC).replace(tzinfo=None),
        "upload": {"is_complete": False} if load.origin is Origin.UPLOAD else None,
        "epoch": Int64(0),
        "notes": [],
        "expect": load.expect,
        "all_or_nothing": load.all_or_nothing,
        "mapping": load.mapping,
        "hash_key_id": load.hash_key_id,
        **({} if load.cursor is None else {"cursor": asdict(load.cursor)}),
        **_limits(load),
    }


def _from_record(record: Document) -> Job:
    cursor = record.get("cursor")
    load = Load(
        collection=record["collection"],
        form=Format(record["form"]),
        mode=Mode(record["mode"]),
        on=tuple(record["on"]),
        options=ReadOptions.from_record(record["options"]),
        origin=Origin(record["origin"]),
        name=record["name"],
        key=record.get("key"),
        digest=record["digest"],
        size_bytes=record["size_bytes"],
        max_bad=record.get("max_bad"),
        max_drift=record.get("max_drift"),
        expect=record.get("expect"),
        all_or_nothing=record.get("all_or_nothing", False),
        mapping=record.get("mapping"),
        hash_key_id=record.get("hash_key_id"),
        cursor=None if cursor is None else Cursor(cursor["name"], cursor["field"], cursor["after"]),
    )
    holder = record.get("holder")
    upload = record["upload"]
    return Job(
        id=record["_id"],
        load=load,
        state=State(record["state"]),
        by=record["by"],
        created=record["created"],
        finished=record.get("finished"),
        holder=Holder.from_record(holder, is_alive=record.get("is_held", False)) if holder else None,
        is_cancelling=record.get("is_cancelling", False),
        upload=Upload(**upload) if upload is not None else None,
        pace=Pace(**record.get("pace", {})),
        error=record.get("error"),
        undone=record.get("undone"),
        force=record.get("force", False),
        notes=tuple(record["notes"]),
        columns=tuple((name, kind) for name, kind in record.get("columns", ())),
        chosen=record["chosen"],
        totals=record.get("totals"),
        makes_index=record.get("makes_index", False),
        findings=tuple(record.get("findings", ())),
        is_staging_gone=record.get("is_staging_gone", False),
    )
