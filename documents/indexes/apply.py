"""Carries a plan out, and yields what happens."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from dataclasses import asdict, dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final

from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import OperationFailure

from documents.errors import DuplicateValuesError
from documents.indexes.build import build_indexes, drop_indexes
from documents.indexes.changes import Action, IndexChange, IndexPlan
from documents.indexes.duplicates import find_duplicates
from documents.indexes.failures import translated
from documents.indexes.spec import IndexSpec
from documents.types import Document

CANNOT_CONVERT_TO_UNIQUE: Final = 359


class State(StrEnum):
    """How far a change is."""

    BLOCKED = "blocked"
    STARTED = "started"
    PROGRESS = "progress"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class IndexEvent:
    """Something that happened while a plan was carried out.

    Args:
        action: What is being done.
        names: To which indexes; those built together come together.
        state: How far it is.
        detail: Why it is blocked, or the phase of a build in MongoDB's words.
        done: Of a build, how much of the phase is done.
        total: Of a build, how much there is.
    """

    action: Action
    names: tuple[str, ...]
    state: State
    detail: str | None = None
    done: int | None = None
    total: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the index event as JSON values."""
        return asdict(self) | {"action": str(self.action), "names": list(self.names), "state": str(self.state)}


async def apply_plan(
    collection: AsyncCollection[Document],
    plan: IndexPlan,
    *,
    poll: timedelta = timedelta(seconds=1),
    aborts: bool = True,
) -> AsyncGenerator[IndexEvent]:
    """Do what a plan says, creating first and dropping last, and yield what happens.

    It can be stopped at any moment and begun anew with a new plan. To stop it, cancel the task or close the
    iterator: a build under way is then aborted, unless `aborts` is False.

    Args:
        collection: The one that was planned for.
        plan: Blocked changes are reported and left out.
        poll: Time between two reports on a build.
        aborts: Whether a build ends in MongoDB, too, when this is stopped; else MongoDB finishes it.

    Raises:
        DuplicateValuesError: Documents stand in the way of a unique index. Found before anything is changed.
        IndexConflictError: The indexes are no longer as they were when the plan was made.
        InvalidIndexError: MongoDB does not accept an index.
    """
    for change in plan.blocked:
        yield IndexEvent(change.action, (change.name,), State.BLOCKED, change.blocked)
    await _refuse_duplicates(collection, plan)
    for step in _steps(plan):
        yield IndexEvent(step.action, step.names, State.STARTED)
        if step.modifies:
            await _modify(collection, step.modifies)
        if step.drops_first:
            await drop_indexes(collection, step.drops_first)
        if step.builds:
            async with aclosing(build_indexes(collection, step.builds, poll=poll, aborts=aborts)) as reports:
                async for report in reports:
                    yield IndexEvent(step.action, step.names, State.PROGRESS, report.phase, report.done, report.total)
        if step.hides is not None:
            await _coll_mod(collection, *step.names, hidden=step.hides)
        if step.drops_last:
            await drop_indexes(collection, step.drops_last)
        yield IndexEvent(step.action, step.names, State.DONE)


@dataclass(frozen=True, slots=True)
class _Step:
    """What is started and done as one, in the order of the fields."""

    action: Action
    names: tuple[str, ...]
    modifies: IndexChange | None = None
    drops_first: tuple[str, ...] = ()
    builds: tuple[IndexSpec, ...] = ()
    hides: bool | None = None
    drops_last: tuple[str, ...] = ()


def _steps(plan: IndexPlan) -> Iterator[_Step]:
    for change in plan.of(Action.MODIFY):
        yield _Step(change.action, (change.name,), modifies=change)
    together = tuple(change.declared for change in plan.of(Action.CREATE) if change.declared)
    if together:
        yield _Step(Action.CREATE, tuple(spec.name for spec in together), builds=together)
    for change in plan.of(Action.REBUILD):
        old, new = (change.name,), tuple(spec for spec in (change.declared,) if spec)
        if change.side_by_side:
            yield _Step(change.action, old, builds=new, drops_last=old)
        else:
            yield _Step(change.action, old, drops_first=old, builds=new)
    for action in (Action.HIDE, Action.UNHIDE):
        for change in plan.of(action):
            yield _Step(action, (change.name,), hides=action is Action.HIDE)
    for change in plan.of(Action.DROP):
        yield _Step(change.action, (change.name,), drops_last=(change.name,))


async def _refuse_duplicates(collection: AsyncCollection[Document], plan: IndexPlan) -> None:
    groups: dict[str, list[Document]] = {}
    for change in plan.pending:
        if change.declared and change.declared.is_unique and not (change.actual and change.actual.is_unique):
            groups[change.declared.name] = await find_duplicates(collection, change.declared)
    violated = {name: found for name, found in groups.items() if found}
    if violated:
        raise DuplicateValuesError(violated)


async def _modify(collection: AsyncCollection[Document], change: IndexChange) -> None:
    wanted = {difference.option: difference.declared for difference in change.differences}
    settings: dict[str, object] = {}
    if "expireAfterSeconds" in wanted:
        settings["expireAfterSeconds"] = wanted["expireAfterSeconds"]
    if "hidden" in wanted:
        settings["hidden"] = bool(wanted["hidden"])
    if settings:
        await _coll_mod(collection, change.name, **settings)
    if wanted.get("unique"):
        await _make_unique(collection, change)
    elif "prepareUnique" in wanted:
        await _coll_mod(collection, change.name, prepareUnique=False)


async def _make_unique(collection: AsyncCollection[Document], change: IndexChange) -> None:
    """Convert an index in two steps: the first keeps new duplicates out, the second looks for old ones.

    Source:
        MongoDB manual, "Convert an Existing Index to a Unique Index".
    """
    await _coll_mod(collection, change.name, prepareUnique=True)
    try:
        await _coll_mod(collection, change.name, unique=True)
    except (DuplicateValuesError, asyncio.CancelledError):
        await asyncio.shield(_coll_mod(collection, change.name, prepareUnique=False))
        raise


async def _coll_mod(collection: AsyncCollection[Document], name: str, **settings: object) -> None:
    async with translated():
        try:
            await collection.database.command("collMod", collection.name, index={"name": name, **settings})
        except OperationFailure as error:
            if error.code == CANNOT_CONVERT_TO_UNIQUE and error.details:
                raise DuplicateValuesError({name: error.details["violations"]}) from error
            raise
