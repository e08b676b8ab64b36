"""What is known of each revision that was begun: one document each, written only while the lock is held."""

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.database import AsyncDatabase

from documents.database.deadline import Deadline, Running
from documents.migrations.graph import PHASES, Phase, Revision
from documents.migrations.lock import MigrationLock
from documents.types import SYSTEM_PREFIX, Document
from documents.version import VERSION

RECORDS: Final = f"{SYSTEM_PREFIX}migrations"
READ_SECONDS: Final = 30.0
MAX_ERROR: Final = 10_000
"""Characters of an error that are kept."""


class RecordState(StrEnum):
    """How far a revision is. One that has no record was not begun."""

    EXPANDING = "expanding"
    EXPANDED = "expanded"
    BACKFILLING = "backfilling"
    BACKFILLED = "backfilled"
    CONTRACTING = "contracting"
    APPLIED = "applied"
    FAILED = "failed"
    REVERTING = "reverting"


BEGUN: Final[Mapping[Phase, RecordState]] = {
    Phase.EXPAND: RecordState.EXPANDING,
    Phase.BACKFILL: RecordState.BACKFILLING,
    Phase.CONTRACT: RecordState.CONTRACTING,
}
ENDED: Final[Mapping[Phase, RecordState]] = {
    Phase.EXPAND: RecordState.EXPANDED,
    Phase.BACKFILL: RecordState.BACKFILLED,
    Phase.CONTRACT: RecordState.APPLIED,
}
AT_REST: Final = frozenset(ENDED.values())
"""States in which a revision may stay for a while, and nothing has gone wrong."""


@dataclass(frozen=True, slots=True)
class Record:
    """What is known of one revision.

    Args:
        revision: Its id.
        state: How far it is.
        phase: The last phase that was begun.
        until: The phase after which it was to rest.
        checksum: Of the file that was run.
        file: Name of the file.
        message: What it is for.
        version: Of Sheaf.
        host: Name of the machine that ran it last.
        pid: Process id there.
        token: Of the lock that was held.
        started: When it was begun, in UTC.
        finished: When it came to rest; None while it runs.
        duration_ms: Time that it took; of several runs, all but those that were killed or interrupted.
        counts: For each operation that was begun, by its key: `matched`, `modified`, and what its way back needs.
        error: What kept it from being applied; None if nothing did.
        rollback_error: What kept it from being taken back; it does not replace `error`.
        is_stamped: Whether somebody said that it was applied, and it was not run.
        is_reverting: Whether its way back was begun.
    """

    revision: str
    state: RecordState
    phase: Phase
    until: Phase
    checksum: str
    file: str
    message: str
    version: str
    host: str
    pid: int
    token: int
    started: datetime
    finished: datetime | None = None
    duration_ms: int = 0
    counts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    error: str | None = None
    rollback_error: str | None = None
    is_stamped: bool = False
    is_reverting: bool = False

    @property
    def next_phase(self) -> Phase | None:
        """The phase with which to go on; None when all are done."""
        if self.state is RecordState.APPLIED:
            return None
        if self.state in AT_REST:
            return PHASES[PHASES.index(self.phase) + 1]
        return self.phase

    def with_count(self, key: str, **found: object) -> "Record":
        """Return the record with more known of one operation."""
        return replace(self, counts={**self.counts, key: {**self.counts.get(key, {}), **found}})

    def to_dict(self) -> dict[str, Any]:
        """Return the record as JSON values."""
        return {**_plain(self), "started": _text(self.started), "finished": _text(self.finished)}


def begin_record(revision: Revision, *, token: int) -> Record:
    """Return the record of a revision that is about to be run by this process."""
    return Record(
        revision=revision.id,
        state=RecordState.EXPANDING,
        phase=Phase.EXPAND,
        until=Phase.CONTRACT,
        checksum=revision.checksum,
        file=revision.path.name,
        message=revision.message,
        version=VERSION,
        host=socket.gethostname(),
        pid=os.getpid(),
        token=token,
        started=now(),
    )


def take_over(record: Record, *, token: int) -> Record:
    """Return a record with which this process goes on."""
    return replace(record, version=VERSION, host=socket.gethostname(), pid=os.getpid(), token=token)


def now() -> datetime:
    """Return the time in UTC, as exact as MongoDB keeps it."""
    moment = datetime.now(UTC)
    return moment - timedelta(microseconds=moment.microsecond % 1000)


def said(error: Exception) -> str:
    """Return what a record keeps of an error."""
    return f"{type(error).__name__}: {error}"[:MAX_ERROR]


async def read_records(database: AsyncDatabase[Document]) -> dict[str, Record]:
    """Return every record, by the id of its revision. Writes nothing.

    Raises:
        StoreError: MongoDB cannot be reached.
    """
    with Running(Deadline(READ_SECONDS), writes=False):
        return {found["_id"]: _read(found) async for found in database[RECORDS].find(sort={"started": 1, "_id": 1})}


async def save_record(database: AsyncDatabase[Document], record: Record, *, lock: MigrationLock) -> Record:
    """Write a record in place of the one before, and return it.

    Raises:
        LockLostError: Another has the lock. Nothing was written.
        StoreError: MongoDB cannot be reached.
    """
    document = _plain(record)
    document = {"_id": document.pop("revision"), **document}

    async def save(session: AsyncClientSession) -> None:
        await database[RECORDS].replace_one({"_id": record.revision}, document, upsert=True, session=session)

    await lock.transact(save)
    return record


async def delete_record(database: AsyncDatabase[Document], revision: str, *, lock: MigrationLock) -> None:
    """Delete a record, so that its revision counts as not begun.

    Raises:
        LockLostError: Another has the lock. Nothing was written.
        StoreError: MongoDB cannot be reached.
    """

    async def delete(session: AsyncClientSession) -> None:
        await database[RECORDS].delete_one({"_id": revision}, session=session)

    await lock.transact(delete)


def _plain(record: Record) -> Document:
    values = {each.name: getattr(record, each.name) for each in fields(record)}
    return {**values, "state": str(record.state), "phase": str(record.phase), "until": str(record.until)}


def _read(found: Document) -> Record:
    known = {each.name for each in fields(Record)}
    values: Document = {name: value for name, value in found.items() if name in known}
    values |= {name: _aware(found[name]) for name in ("started", "finished")}
    values |= {"state": RecordState(found["state"]), "phase": Phase(found["phase"]), "until": Phase(found["until"])}
    return Record(revision=found["_id"], **values)


def _aware(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.replace(tzinfo=UTC)


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
