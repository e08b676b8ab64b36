"""Requests about the indexes of one collection: planned under a policy, run within a deadline.

A build that takes longer than its request goes on, in MongoDB and here.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from documents.access.actions import Action
from documents.access.policy import Policy
from documents.catalog.catalog import Catalog, CollectionEntry
from documents.database.connection import Connection
from documents.database.deadline import Deadline, Running
from documents.errors import (
    Fault,
    IndexConflictError,
    InvalidIndexError,
    OverloadedError,
    StoreError,
)
from documents.indexes.actual import read_default_collation, read_indexes
from documents.indexes.apply import apply_plan
from documents.indexes.changes import IndexPlan, Permissions
from documents.indexes.declared import declared_indexes
from documents.indexes.expiry import hold_deletions
from documents.indexes.names import find_unknown
from documents.indexes.plan import NOTHING, plan_indexes
from documents.indexes.spec import IndexSpec
from documents.indexes.wanted import parse_wanted
from documents.types import MISSING

MAX_BUILDING: Final = 4
"""Collections whose indexes one process changes at once."""

SHARE: Final = 0.8
"""Of the time that is left, how much is waited for a build; the rest is for the answer."""

_log = logging.getLogger("sheaf")


@dataclass(frozen=True, slots=True)
class ReadIndexes:
    """Compare the indexes of a collection with those it should have."""

    collection: str


@dataclass(frozen=True, slots=True)
class SetIndexes:
    """Give a collection the indexes it should have.

    Args:
        collection: Name of the collection.
        wanted: For a flexible collection, what `parse_wanted` reads; MISSING where nothing was sent.
    """

    collection: str
    wanted: object = MISSING


@dataclass(frozen=True, slots=True)
class IndexReport:
    """The indexes of a collection.

    Args:
        declared: Those it should have: its model's, or those a request wants.
        actual: Those it has, without the one on `_id`.
        plan: What that takes, or still takes.
        is_done: Whether it is as planned; else MongoDB is building.
    """

    declared: tuple[IndexSpec, ...]
    actual: tuple[IndexSpec, ...]
    plan: IndexPlan
    is_done: bool = True

    def to_dict(self) -> dict[str, Any]:
        """Return the index report as JSON values."""
        return {
            "declared": [spec.to_dict() for spec in self.declared],
            "actual": [
                {**spec.to_dict(), "building": True} if spec.building else spec.to_dict() for spec in self.actual
            ],
            "plan": self.plan.to_dict(),
        }


class IndexPlanner:
    """Plans what is asked about indexes, and looks after builds that outlive their requests.

    Args:
        connection: To MongoDB.
        catalog: Says which collections are declared.
    """

    def __init__(self, connection: Connection, catalog: Catalog) -> None:
        self._connection = connection
        self._catalog = catalog
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def read(self, operation: ReadIndexes, policy: Policy) -> "ReadIndexesPlan":
        """Plan a comparison."""
        policy.require(operation.collection, Action.READ)
        entry = await self._catalog.get(operation.collection)
        return ReadIndexesPlan(self, entry.name, _declared(entry))

    async def set(self, operation: SetIndexes, policy: Policy) -> "SetIndexesPlan":
        """Plan a change.

        Raises:
            InvalidIndexError: What is wanted cannot be meant, or the collection's model decides.
        """
        policy.require(operation.collection, Action.CONFIGURE)
        name = operation.collection
        entry = await self._catalog.get_or_none(name) or CollectionEntry(name, None)
        if entry.model is None:
            wanted = parse_wanted({} if operation.wanted is MISSING else operation.wanted, entry.coerce)
            return SetIndexesPlan(self, name, wanted.specs, wanted.permissions)
        if operation.wanted is not MISSING:
            detail = "The model of this collection declares its indexes. Send no body to apply them."
            raise InvalidIndexError(detail, [Fault("", "not-allowed", detail)])
        return SetIndexesPlan(self, name, _declared(entry), NOTHING)

    async def close(self) -> None:
        """Leave the builds to MongoDB, which finishes them."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def compare(self, name: str, declared: Sequence[IndexSpec], permissions: Permissions) -> IndexReport:
        """Return the indexes of a collection beside those it should have."""
        collection = self._connection.collection(name)
        actual = await read_indexes(collection)
        default = await read_default_collation(collection)
        try:
            plan = plan_indexes(declared, actual, permissions=permissions, default_collation=default)
        except InvalidIndexError as error:
            raise _pointed(error) from error
        return IndexReport(tuple(declared), tuple(actual), await hold_deletions(collection, plan, permissions))

    async def carry_out(self, name: str, plan: IndexPlan, deadline: Deadline) -> bool:
        """Do what a plan says; False when the time ends first, and the rest is done without anybody waiting.

        Raises:
            IndexConflictError: The indexes of this collection are being changed already.
            OverloadedError: Those of too many collections are.
        """
        if name in self._tasks:
            raise IndexConflictError("The indexes of this collection are being built already. GET shows how far it is.")
        if len(self._tasks) >= MAX_BUILDING:
            raise OverloadedError("The indexes of other collections are being built.", "not-applied")
        task = self._tasks[name] = asyncio.create_task(self._apply(name, plan))
        task.add_done_callback(lambda _: self._tasks.pop(name, None))
        try:
            done, _ = await asyncio.wait({task}, timeout=max(deadline.remaining(), 0) * SHARE)
        except asyncio.CancelledError:
            task.add_done_callback(_log_failure)
            raise
        if not done:
            task.add_done_callback(_log_failure)
            return False
        try:
            await task
        except InvalidIndexError as error:
            raise _pointed(error) from error
        return True

    async def _apply(self, name: str, plan: IndexPlan) -> None:
        async for _ in apply_plan(self._connection.collection(name), plan, aborts=False):
            pass


@dataclass(frozen=True, slots=True)
class ReadIndexesPlan:
    """Compare indexes."""

    planner: IndexPlanner
    collection: str
    declared: Sequence[IndexSpec]

    async def run(self, deadline: Deadline) -> IndexReport:
        """Return what there is, what there should be, and what that would take."""
        with Running(deadline, writes=False):
            return await self.planner.compare(self.collection, self.declared, NOTHING)


@dataclass(frozen=True, slots=True)
class SetIndexesPlan:
    """Change indexes."""

    planner: IndexPlanner
    collection: str
    declared: Sequence[IndexSpec]
    permissions: Permissions

    async def run(self, deadline: Deadline) -> IndexReport:
        """Return what there is then and, where builds take longer than the deadline, what is being done.

        Raises:
            DuplicateValuesError: Documents stand in the way of a unique index; nothing was changed.
            InvalidIndexError: A name is unknown, or MongoDB does not accept an index.
        """
        with Running(deadline, writes=False):
            before = await self.planner.compare(self.collection, self.declared, self.permissions)
        unknown = find_unknown(before.plan, self.permissions)
        if unknown:
            raise InvalidIndexError("Indexes are named that there are none of.", unknown)
        if not before.plan.pending:
            return before
        if not await self.planner.carry_out(self.collection, before.plan, deadline):
            return IndexReport(before.declared, before.actual, before.plan, is_done=False)
        with Running(deadline, writes=False):
            return await self.planner.compare(self.collection, self.declared, self.permissions)


def _declared(entry: CollectionEntry) -> tuple[IndexSpec, ...]:
    return tuple(declared_indexes(entry.model.model)) if entry.model else ()


def _pointed(error: InvalidIndexError) -> InvalidIndexError:
    """Return an error that says where the fault lies, as far as it can be known."""
    return (
        error if error.faults else InvalidIndexError(error.detail, [Fault("/indexes", "invalid-index", error.detail)])
    )


def _log_failure(task: asyncio.Task[None]) -> None:
    error = None if task.cancelled() else task.exception()
    if error is not None:
        detail = error.detail if isinstance(error, StoreError) else repr(error)
        _log.warning("A build of indexes that a request had begun ended in an error: %s", detail)
