"""Runs one operation of a revision, forth or back."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, cast

from bson import json_util
from pymongo import IndexModel

from documents.database.connection import Connection
from documents.database.deadline import Deadline, Running
from documents.errors import DeadlineExceededError
from documents.indexes.apply import IndexEvent, apply_plan
from documents.indexes.changes import Action, IndexChange, IndexPlan, Permissions
from documents.indexes.compare import compare_indexes
from documents.indexes.declared import parse_declared
from documents.indexes.spec import IndexSpec, parse_index
from documents.migrations.backfill import BackfillProgress, run_backfill
from documents.migrations.checkpoints import forget_checkpoint
from documents.migrations.compile import Change, compile_back, compile_operation
from documents.migrations.errors import IndexBlockedError, NotReversibleError
from documents.migrations.journal import Journal
from documents.migrations.lock import MigrationLock
from documents.migrations.operations import (
    AddField,
    CreateIndex,
    DropIndex,
    FieldOperation,
    IndexOperation,
    Operation,
)
from documents.migrations.throttle import Throttle
from documents.types import Document

Report: TypeAlias = BackfillProgress | IndexEvent
SCAN_SECONDS: Final = 3600.0
"""Longest that a look through a whole collection may take."""


@dataclass(frozen=True, slots=True)
class Steps:
    """Runs operations.

    Args:
        connection: Where.
        lock: Held by the caller.
        throttle: How fast backfills may go.
        batch_size: Most documents in one transaction.
    """

    connection: Connection
    lock: MigrationLock
    throttle: Throttle
    batch_size: int

    async def forth(self, journal: Journal, key: str, operation: Operation) -> AsyncGenerator[Report]:
        """Do an operation, or go on with it; one that was done is left alone."""
        self.lock.check()
        known = journal.count(key)
        if known is not None and known.get("is_done"):
            return
        if isinstance(operation, IndexOperation):
            reports = self._index_forth(journal, key, operation)
        else:
            reports = self._field_forth(journal, key, operation)
        async with aclosing(reports):
            async for report in reports:
                yield report
        await journal.add_count(key, is_done=True)

    async def sweep(self, journal: Journal, key: str, operation: Operation) -> AsyncGenerator[Report]:
        """Do an operation once more, for what came in since; one that must not be done twice is left alone."""
        if isinstance(operation, IndexOperation):
            return
        change = compile_operation(operation)
        if change.is_idempotent and await find_first(self.connection, change.collection, change.where) is not None:
            checkpoint = f"{journal.record.revision}/{key}"
            await forget_checkpoint(self.connection.database, checkpoint, lock=self.lock)
            async with aclosing(self._backfill(journal, f"{key}/sweep", change, checkpoint)) as reports:
                async for report in reports:
                    yield report

    async def back(self, journal: Journal, key: str, operation: Operation) -> AsyncGenerator[Report]:
        """Take an operation back, as far as it was done."""
        self.lock.check()
        known = journal.count(key)
        if known is None or known.get("is_reverted"):
            return
        if isinstance(operation, IndexOperation):
            reports = self._index_back(journal, key, operation)
        else:
            reports = self._field_back(journal, key, operation)
        async with aclosing(reports):
            async for report in reports:
                yield report
        await journal.add_count(key, is_reverted=True)

    async def _field_forth(self, journal: Journal, key: str, operation: FieldOperation) -> AsyncGenerator[Report]:
        if journal.count(key) is None:
            # Written down before anything is done: afterwards nobody can tell any more.
            await journal.add_count(key, matched=0, modified=0, **await self._before(operation))
        change = compile_operation(operation)
        async with aclosing(self._backfill(journal, key, change, f"{journal.record.revision}/{key}")) as reports:
            async for report in reports:
                yield report

    async def _field_back(self, journal: Journal, key: str, operation: FieldOperation) -> AsyncGenerator[Report]:
        change = compile_back(operation)
        if change is None:
            raise NotReversibleError(f"The operation {key} of {journal.record.file} has no way back.")
        checkpoint = f"{journal.record.revision}/{key}/back"
        async with aclosing(self._backfill(journal, f"{key}/back", change, checkpoint)) as reports:
            async for report in reports:
                yield report

    async def _backfill(self, journal: Journal, key: str, change: Change, checkpoint: str) -> AsyncGenerator[Report]:
        last: BackfillProgress | None = None
        backfill = run_backfill(
            self.connection,
            change,
            key=checkpoint,
            lock=self.lock,
            throttle=self.throttle,
            batch_size=self.batch_size,
        )
        async with aclosing(backfill) as reports:
            async for last in reports:
                yield last
        if last is not None:
            await journal.add_count(key, matched=last.matched, modified=last.modified)

    async def _before(self, operation: FieldOperation) -> Document:
        """Return what has to be known before an operation, so that it can be taken back."""
        taken_back = compile_back(operation)
        if not isinstance(operation, AddField) or taken_back is None:
            return {}
        try:
            found = await find_first(self.connection, operation.collection, taken_back.where)
        except DeadlineExceededError:
            return {"had_it": None}
        return {"had_it": found is not None}

    async def _index_forth(self, journal: Journal, key: str, operation: IndexOperation) -> AsyncGenerator[Report]:
        plan, change = await plan_index(self.connection, operation)
        if change.blocked is not None:
            raise IndexBlockedError(
                f"{operation.collection} has an index like {change.declared}: {change.actual}. {change.blocked} "
                "Put a DropIndex of the one that is there before it."
            )
        if journal.count(key) is None:
            before = change.actual.to_document() if change.actual else None
            text = None if before is None else json_util.dumps(before)
            does = str(change.action) if change.is_pending else None
            await journal.add_count(key, action=does, before=text)
        async with aclosing(self._apply(operation.collection, plan)) as reports:
            async for report in reports:
                yield report

    async def _index_back(self, journal: Journal, key: str, operation: IndexOperation) -> AsyncGenerator[Report]:
        known = journal.count(key) or {}
        if known.get("action") is None:
            return  # it was there, or gone, before
        if known["before"] is None:
            plan, _ = await plan_index(self.connection, DropIndex(operation.collection, *_parts(operation)))
        else:
            plan = await self._plan_before(operation.collection, parse_index(json_util.loads(known["before"])))
        async with aclosing(self._apply(operation.collection, plan)) as reports:
            async for report in reports:
                yield report

    async def _plan_before(self, collection: str, before: IndexSpec) -> IndexPlan:
        now = (await compare_indexes(self.connection.collection(collection), [before])).changes[0]
        names = {before.name, now.name}
        permissions = Permissions(rebuild=names, shorten_ttl=names)
        return await compare_indexes(self.connection.collection(collection), [before], permissions=permissions)

    async def _apply(self, collection: str, plan: IndexPlan) -> AsyncGenerator[Report]:
        async with aclosing(apply_plan(self.connection.collection(collection), plan)) as events:
            async for event in events:
                yield event


async def plan_index(connection: Connection, operation: IndexOperation) -> tuple[IndexPlan, IndexChange]:
    """Return what it takes to do an index operation, and the change of its index. Changes nothing.

    Raises:
        StoreError: MongoDB cannot be asked.
    """
    collection = connection.collection(operation.collection)
    [spec] = parse_declared([IndexModel(*_parts(operation)[:1], **operation.options)])
    if isinstance(operation, CreateIndex):
        # Whoever writes an expiry into a revision means it.
        permissions = Permissions(shorten_ttl={spec.name})
        plan = await compare_indexes(collection, [spec], permissions=permissions)
        return plan, plan.changes[0]
    found = (await compare_indexes(collection, [spec])).changes[0].actual
    if found is None:
        return IndexPlan(), IndexChange(Action.KEEP, spec)
    plan = await compare_indexes(collection, (), permissions=Permissions(drop={found.name}))
    dropped = [change for change in plan.changes if change.action is Action.DROP]
    return IndexPlan(tuple(dropped)), dropped[0]


async def find_first(connection: Connection, collection: str, where: object) -> Document | None:
    """Return the `_id` of some document that matches; None if none does. May look through the whole collection.

    Raises:
        StoreError: MongoDB cannot be reached, or it takes longer than an hour.
    """
    with Running(Deadline(SCAN_SECONDS), writes=False):
        return await connection.collection(collection).find_one(cast("Any", where), {"_id": 1})


def _parts(operation: IndexOperation) -> tuple[list[tuple[str, int | str]], Any]:
    return list(operation.keys), operation.options
