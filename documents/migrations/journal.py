"""The record of the revision that is being run, kept up to date."""

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from documents.database.connection import Connection
from documents.migrations.checkpoints import forget_checkpoint
from documents.migrations.graph import Phase, Revision
from documents.migrations.lock import MigrationLock
from documents.migrations.operations import IndexOperation
from documents.migrations.records import (
    BEGUN,
    Record,
    RecordState,
    begin_record,
    delete_record,
    now,
    said,
    save_record,
    take_over,
)


class Journal:
    """Writes the record of one revision, and only while the lock is held.

    Args:
        connection: Where.
        lock: Held by the caller.
        revision: The revision.
        record: As it was left; None if it was not begun.
    """

    def __init__(self, connection: Connection, lock: MigrationLock, revision: Revision, record: Record | None) -> None:
        self._database = connection.database
        self._lock = lock
        self._revision = revision
        self._is_new = record is None
        self._since = time.monotonic()
        begun = begin_record(revision, token=lock.token)
        self.record = begun if record is None else take_over(record, token=lock.token)

    def count(self, key: str) -> Mapping[str, Any] | None:
        """Return what is known of an operation; None if it was not begun."""
        return self.record.counts.get(key)

    async def add_count(self, key: str, **found: object) -> None:
        """Write down more of what is known of an operation."""
        await self._save(self.record.with_count(key, **found))

    async def begin(self, phase: Phase, *, until: Phase) -> None:
        """Write down that a phase begins."""
        if self._is_new:
            # What an earlier way back left behind would have the backfills think that they are done.
            await self.forget_checkpoints()
            self._is_new = False
        await self._save(replace(self.record, state=BEGUN[phase], phase=phase, until=until, finished=None))

    async def begin_back(self) -> None:
        """Write down that the way back begins."""
        changes: dict[str, Any] = {"state": RecordState.REVERTING, "is_reverting": True, "finished": None}
        await self._save(replace(self.record, **changes))

    async def rest(self, state: RecordState, phase: Phase) -> None:
        """Write down that it came to rest."""
        await self._save(replace(self._timed(), state=state, phase=phase, error=None))

    async def fail(self, error: Exception) -> None:
        """Write down what went wrong. If that fails as well, the first error says so, and is not hidden by it."""
        told = {"rollback_error" if self.record.is_reverting else "error": said(error)}
        try:
            await self._save(replace(self._timed(), state=RecordState.FAILED, **told))
        except Exception as second:  # noqa: BLE001  # whatever it is, the first one is to be told
            error.add_note(f"This could not be recorded: {second}")

    async def erase(self) -> None:
        """Delete the record: the revision counts as not begun, and may be run anew."""
        await delete_record(self._database, self._revision.id, lock=self._lock)
        await self.forget_checkpoints()

    async def forget_checkpoints(self) -> None:
        """Forget how far its backfills are, forth and back."""
        for _, key, operation in self._revision.steps():
            if not isinstance(operation, IndexOperation):
                for name in (f"{self._revision.id}/{key}", f"{self._revision.id}/{key}/back"):
                    await forget_checkpoint(self._database, name, lock=self._lock)

    def _timed(self) -> Record:
        spent = round((time.monotonic() - self._since) * 1000)
        self._since = time.monotonic()
        return replace(self.record, finished=now(), duration_ms=self.record.duration_ms + spent)

    async def _save(self, record: Record) -> None:
        self.record = await save_record(self._database, record, lock=self._lock)
