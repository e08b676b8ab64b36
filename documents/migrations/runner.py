"""Runs revisions. Whoever calls holds the lock; whatever ends it, running it again goes on where it was."""

from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import Final

from documents.database.connection import Connection
from documents.migrations.errors import LockLostError, RevisionUnfinishedError
from documents.migrations.events import Direction, EventState, MigrationEvent
from documents.migrations.graph import PHASES, Phase, Revision, RevisionGraph
from documents.migrations.journal import Journal
from documents.migrations.lock import MigrationLock
from documents.migrations.records import ENDED, Record, RecordState
from documents.migrations.remaining import refuse_remaining
from documents.migrations.reversal import find_reverted, refuse_irreversible
from documents.migrations.state import MigrationState, read_state, refuse_unsound
from documents.migrations.steps import Steps
from documents.migrations.throttle import FULL_SPEED, Throttle

BATCH: Final = 1000


async def upgrade(
    connection: Connection,
    graph: RevisionGraph,
    *,
    lock: MigrationLock,
    to: str | None = None,
    phase: Phase | None = None,
    throttle: Throttle = FULL_SPEED,
    batch_size: int = BATCH,
) -> AsyncGenerator[MigrationEvent]:
    """Run the revisions that are not applied yet, parents first, and yield what happens.

    A revision that an error ended is recorded as failed, with the error. It is gone on with when this is run again.

    Args:
        connection: Where.
        graph: The revisions.
        lock: Held by the caller.
        to: The beginning of the id of the last one to run; None for the head.
        phase: The last phase to run; None for all. `BACKFILL` of revisions whose backfill is done does it once more
            for what came in since.
        throttle: How fast backfills may go.
        batch_size: Most documents in one transaction, 1 or more.

    Raises:
        SeveralHeadsError: There are several heads, and `to` names none.
        RevisionEditedError: A file is not what was run. Nothing was changed.
        RevisionMissingError: A file that was run is gone. Nothing was changed.
        RevisionUnfinishedError: A way back was begun, and is not at its end. Nothing was changed.
        DocumentsRemainError: A revision cannot be contracted yet; what comes before that is done.
        LockLostError: Nothing was written since.
        MigrationFailedError: MongoDB refused a change.
        StoreError: MongoDB cannot be reached, or cannot build an index.
    """
    state = await read_state(connection, graph)
    refuse_unsound(state)
    _refuse_half_reverted(state)
    chosen = graph.lineage(to)
    steps = Steps(connection, lock, throttle, batch_size)
    for revision in chosen:
        run = _Upgrade(steps, revision, state.records.get(revision.id), phase or Phase.CONTRACT)
        async with aclosing(run.events()) as events:
            async for event in events:
                yield event


async def downgrade(
    connection: Connection,
    graph: RevisionGraph,
    *,
    lock: MigrationLock,
    to: str,
    throttle: Throttle = FULL_SPEED,
    batch_size: int = BATCH,
) -> AsyncGenerator[MigrationEvent]:
    """Take revisions back, children first, and yield what happens. Each is as if it had never been run.

    Args:
        connection: Where.
        graph: The revisions.
        lock: Held by the caller.
        to: The beginning of the id of the revision to go back to, which stays; `base` for none; or `-1` for the one
            before, `-2` for that before it.
        throttle: How fast backfills may go.
        batch_size: Most documents in one transaction, 1 or more.

    Raises:
        NotReversibleError: Something has no way back. Nothing was changed.
        RevisionEditedError: A file is not what was run. Nothing was changed.
        RevisionMissingError: A file that was run is gone. Nothing was changed.
        LockLostError: Nothing was written since.
        MigrationFailedError: MongoDB refused a change.
        StoreError: MongoDB cannot be reached, or cannot build an index.
    """
    state = await read_state(connection, graph)
    refuse_unsound(state)
    chosen = find_reverted(graph, state.records, to)
    refuse_irreversible(chosen, state.records)
    async with aclosing(_take_back(Steps(connection, lock, throttle, batch_size), chosen, state.records)) as events:
        async for event in events:
            yield event


async def resume(
    connection: Connection,
    graph: RevisionGraph,
    *,
    lock: MigrationLock,
    throttle: Throttle = FULL_SPEED,
    batch_size: int = BATCH,
) -> AsyncGenerator[MigrationEvent]:
    """Go on with what was interrupted or failed, forth or back as it was meant, and begin nothing else.

    Args:
        connection: Where.
        graph: The revisions.
        lock: Held by the caller.
        throttle: How fast backfills may go.
        batch_size: Most documents in one transaction, 1 or more.

    Raises:
        RevisionEditedError: A file is not what was run. Nothing was changed.
        RevisionMissingError: A file that was run is gone. Nothing was changed.
        NotReversibleError: Something has no way back. Nothing was changed.
        DocumentsRemainError: A revision cannot be contracted yet.
        LockLostError: Nothing was written since.
        MigrationFailedError: MongoDB refused a change.
        StoreError: MongoDB cannot be reached, or cannot build an index.
    """
    state = await read_state(connection, graph)
    refuse_unsound(state)
    steps = Steps(connection, lock, throttle, batch_size)
    unfinished = {each.id for each in (*state.failed, *state.interrupted)}
    back = [each for each in reversed(graph.revisions) if each.id in unfinished and state.records[each.id].is_reverting]
    refuse_irreversible(back, state.records)
    async with aclosing(_take_back(steps, back, state.records)) as events:
        async for event in events:
            yield event
    for revision in graph.revisions:
        record = state.records.get(revision.id)
        if record is not None and revision.id in unfinished and not record.is_reverting:
            async with aclosing(_Upgrade(steps, revision, record, record.until).events()) as events:
                async for event in events:
                    yield event


class _Upgrade:
    """Runs one revision, from where it is to the end of a phase."""

    def __init__(self, steps: Steps, revision: Revision, record: Record | None, until: Phase) -> None:
        self._steps = steps
        self._revision = revision
        self._until = until
        self._phases = tuple(_phases(revision, record, until))
        self._is_sweep = _is_sweep(record, until)
        self._journal = Journal(steps.connection, steps.lock, revision, record)

    async def events(self) -> AsyncGenerator[MigrationEvent]:
        if not self._phases:
            return
        yield self._event(EventState.STARTED)
        for phase in self._phases:
            if phase is Phase.CONTRACT and self._revision.contract:
                await refuse_remaining(self._steps.connection, self._revision)
            try:
                async with aclosing(self._run(phase)) as events:
                    async for event in events:
                        yield event
            except LockLostError:
                raise  # whoever has it now writes the record
            except Exception as error:
                await self._journal.fail(error)
                raise
        yield self._event(EventState.DONE)

    async def _run(self, phase: Phase) -> AsyncGenerator[MigrationEvent]:
        operations = self._revision.operations(phase)
        if operations and not self._is_sweep:
            await self._journal.begin(phase, until=self._until)
        for position, operation in enumerate(operations):
            key = f"{phase}/{position}"
            event = replace(self._event(EventState.STARTED), phase=phase, key=key, operation=operation)
            yield event
            run = self._steps.sweep if self._is_sweep else self._steps.forth
            async with aclosing(run(self._journal, key, operation)) as reports:
                async for report in reports:
                    yield replace(event, state=EventState.PROGRESS, report=report)
            yield replace(event, state=EventState.DONE)
        if operations or phase is self._phases[-1]:
            await self._journal.rest(self._state_after(phase), phase)

    def _state_after(self, phase: Phase) -> RecordState:
        later = PHASES[PHASES.index(phase) + 1 :]
        return ENDED[phase] if any(map(self._revision.operations, later)) else RecordState.APPLIED

    def _event(self, state: EventState) -> MigrationEvent:
        return MigrationEvent(Direction.UPGRADE, self._revision, state)


def _phases(revision: Revision, record: Record | None, until: Phase) -> Iterator[Phase]:
    """Yield the phases to run. A revision without operations in them is not begun, unless it is to be run whole."""
    following = Phase.EXPAND if record is None else record.next_phase
    if following is None:
        return
    first = PHASES.index(Phase.BACKFILL if _is_sweep(record, until) else following)
    chosen = PHASES[first : PHASES.index(until) + 1]
    if until is Phase.CONTRACT or any(map(revision.operations, chosen)):
        yield from chosen


def _is_sweep(record: Record | None, until: Phase) -> bool:
    return record is not None and record.state is RecordState.BACKFILLED and until is Phase.BACKFILL


async def _take_back(
    steps: Steps, revisions: Iterable[Revision], records: Mapping[str, Record]
) -> AsyncGenerator[MigrationEvent]:
    for revision in revisions:
        journal = Journal(steps.connection, steps.lock, revision, records[revision.id])
        event = MigrationEvent(Direction.DOWNGRADE, revision, EventState.STARTED)
        yield event
        try:
            async with aclosing(_take_back_one(steps, journal, event)) as events:
                async for one in events:
                    yield one
        except LockLostError:
            raise  # whoever has it now writes the record
        except Exception as error:
            await journal.fail(error)
            raise
        yield replace(event, state=EventState.DONE)


async def _take_back_one(steps: Steps, journal: Journal, event: MigrationEvent) -> AsyncGenerator[MigrationEvent]:
    await journal.begin_back()
    for phase, key, operation in reversed(tuple(event.revision.steps())):
        if journal.count(key) is None:
            continue
        begun = replace(event, phase=phase, key=key, operation=operation)
        yield begun
        async with aclosing(steps.back(journal, key, operation)) as reports:
            async for report in reports:
                yield replace(begun, state=EventState.PROGRESS, report=report)
        yield replace(begun, state=EventState.DONE)
    await journal.erase()


def _refuse_half_reverted(state: MigrationState) -> None:
    half = [str(each) for each in (*state.failed, *state.interrupted) if state.records[each.id].is_reverting]
    if half:
        raise RevisionUnfinishedError(
            f"The way back of {', '.join(half)} was begun, and is not at its end. Nothing was changed. "
            "First finish it: sheaf migrate resume"
        )
