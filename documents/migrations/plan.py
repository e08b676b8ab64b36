"""What an upgrade would do, and what it would cost. Writes nothing: no lock, no record, no collection."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from typing import Any, Final, cast

from documents.database.connection import Connection
from documents.database.deadline import Deadline, Running
from documents.errors import DeadlineExceededError
from documents.indexes.changes import Action
from documents.indexes.duplicates import find_duplicates
from documents.indexes.spec import to_json
from documents.migrations.compile import compile_operation
from documents.migrations.graph import PHASES, Phase, Revision, RevisionGraph
from documents.migrations.operations import CreateIndex, FieldOperation, Filter, IndexOperation, Operation, RemoveField
from documents.migrations.records import Record
from documents.migrations.remaining import count_matching
from documents.migrations.reversal import why_irreversible
from documents.migrations.state import read_state, refuse_unsound
from documents.migrations.steps import plan_index
from documents.migrations.wording import describe

PATIENCE: Final = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class OperationPlan:
    """What one operation would do now. One that builds on an earlier one may find more, or less, by then.

    Args:
        key: Of the operation inside its revision, such as `backfill/0`.
        phase: In which it runs.
        collection: Where.
        does: What it does, in words.
        size: About how many documents the collection has.
        documents: How many it would change; None of an index, and where counting took too long.
        scans: Whether finding them looks through the whole collection; None of an index.
        index: What becomes of the index; None of other operations.
        duplicates: Some groups of documents that stand in the way of a unique index.
        unconvertible: How many documents have values that stay as they are; None where nothing is converted.
        is_reversible: Whether there is a way back, as far as can be told before.
        notes: What else is worth knowing.
    """

    key: str
    phase: Phase
    collection: str
    does: str
    size: int
    documents: int | None = None
    scans: bool | None = None
    index: str | None = None
    duplicates: tuple[Mapping[str, Any], ...] = ()
    unconvertible: int | None = None
    is_reversible: bool = True
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the operation plan as JSON values."""
        return {
            **asdict(self),
            "phase": str(self.phase),
            "duplicates": [to_json(group) for group in self.duplicates],
            "notes": list(self.notes),
        }


@dataclass(frozen=True, slots=True)
class RevisionPlan:
    """What a revision would still do.

    Args:
        revision: Which one.
        state: How far it is: `pending`, or the state of its record.
        operations: Those that are left.
    """

    revision: Revision
    state: str
    operations: tuple[OperationPlan, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the revision plan as JSON values."""
        return {
            "revision": self.revision.id,
            "message": self.revision.message,
            "state": self.state,
            "operations": [operation.to_dict() for operation in self.operations],
        }


async def plan_upgrade(
    connection: Connection,
    graph: RevisionGraph,
    *,
    to: str | None = None,
    phase: Phase | None = None,
    patience: timedelta = PATIENCE,
) -> list[RevisionPlan]:
    """Return what `upgrade` would do, parents first. Writes nothing.

    Args:
        connection: Where.
        graph: The revisions.
        to: The beginning of the id of the last one; None for the head.
        phase: The last phase; None for all.
        patience: Longest for one count; what takes longer is not counted.

    Raises:
        SeveralHeadsError: There are several heads, and `to` names none.
        RevisionEditedError: A file is not what was run.
        RevisionMissingError: A file that was run is gone.
        StoreError: MongoDB cannot be reached.
    """
    state = await read_state(connection, graph)
    refuse_unsound(state)
    planner = _Planner(connection, patience.total_seconds())
    plans: list[RevisionPlan] = []
    for revision in graph.lineage(to):
        record = state.records.get(revision.id)
        left = [
            await planner.plan(where, key, operation)
            for where, key, operation in revision.steps()
            if _is_left(record, where, key, phase or Phase.CONTRACT)
        ]
        if left or record is None:
            plans.append(RevisionPlan(revision, str(record.state) if record else "pending", tuple(left)))
    return plans


def _is_left(record: Record | None, phase: Phase, key: str, until: Phase) -> bool:
    if PHASES.index(phase) > PHASES.index(until):
        return False
    if record is None:
        return True
    following = record.next_phase
    if following is None or PHASES.index(phase) < PHASES.index(following):
        return False
    return not record.counts.get(key, {}).get("is_done")


class _Planner:
    def __init__(self, connection: Connection, seconds: float) -> None:
        self._connection = connection
        self._seconds = seconds

    async def plan(self, phase: Phase, key: str, operation: Operation) -> OperationPlan:
        with Running(Deadline(self._seconds), writes=False):
            size = await self._connection.collection(operation.collection).estimated_document_count()
        found = OperationPlan(key, phase, operation.collection, describe(operation), size)
        if isinstance(operation, IndexOperation):
            more = await self._of_index(operation)
        else:
            more = await self._of_field(operation)
        return replace(found, **more)

    async def _of_index(self, operation: IndexOperation) -> dict[str, Any]:
        _, change = await plan_index(self._connection, operation)
        notes = [change.blocked or change.note or ""]
        duplicates: list[dict[str, Any]] = []
        spec = change.declared
        if isinstance(operation, CreateIndex) and spec and spec.is_unique and change.action is not Action.KEEP:
            try:
                with Running(Deadline(self._seconds), writes=False):
                    duplicates = await find_duplicates(self._connection.collection(operation.collection), spec)
            except DeadlineExceededError:
                notes.append("Looking for duplicates took too long, and was given up.")
        action = "blocked" if change.blocked else str(change.action)
        return {"index": action, "duplicates": tuple(duplicates), "notes": tuple(filter(None, notes))}

    async def _of_field(self, operation: FieldOperation) -> dict[str, Any]:
        change = compile_operation(operation)
        notes = ["What it takes away is lost."] if isinstance(operation, RemoveField) else []
        unconvertible = change.unconvertible and await self._count(operation.collection, change.unconvertible)
        return {
            "documents": await self._count(operation.collection, change.where),
            "scans": await self._scans(operation.collection, change.where),
            "unconvertible": unconvertible,
            "is_reversible": why_irreversible(operation) is None,
            "notes": tuple(notes),
        }

    async def _count(self, collection: str, where: Filter) -> int | None:
        return await count_matching(self._connection, collection, where, seconds=self._seconds)

    async def _scans(self, collection: str, where: Filter) -> bool:
        """Ask MongoDB whether it would look through the whole collection.

        Source:
            MongoDB manual, Explain Results: the stage COLLSCAN.
        """
        with Running(Deadline(self._seconds), writes=False):
            found: dict[str, Any] = await self._connection.database.command(
                "explain", {"find": collection, "filter": where}, verbosity="queryPlanner"
            )
        return _has_stage(found["queryPlanner"]["winningPlan"], "COLLSCAN")


def _has_stage(plan: object, name: str) -> bool:
    if isinstance(plan, Mapping):
        members = cast("Mapping[str, object]", plan)
        return members.get("stage") == name or any(_has_stage(part, name) for part in members.values())
    return isinstance(plan, list) and any(_has_stage(part, name) for part in cast("list[object]", plan))
