"""How a database stands to the revisions of a folder."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from documents.database.connection import Connection
from documents.migrations.errors import RevisionEditedError, RevisionMissingError
from documents.migrations.graph import Revision, RevisionGraph
from documents.migrations.lock import LockHolder, read_holder
from documents.migrations.records import AT_REST, Record, RecordState, read_records


@dataclass(frozen=True, slots=True)
class MigrationState:
    """Where a database is, and what is the matter with it. Each is in the order in which revisions run.

    Args:
        current: The last applied revisions: ids that no other applied one comes after.
        heads: Ids of the last revisions that there are.
        pending: Those that were not begun.
        partial: Those that rest between two phases.
        interrupted: Those that were begun, and that nobody works on any more.
        running: Those that the holder of the lock works on.
        failed: Those that an error ended.
        edited: Those whose file is not what was run.
        missing: Records whose file is not there.
        records: Everything that was begun, by id.
        holder: Who migrates now.
    """

    current: tuple[str, ...]
    heads: tuple[str, ...]
    pending: tuple[Revision, ...]
    partial: tuple[Revision, ...]
    interrupted: tuple[Revision, ...]
    running: tuple[Revision, ...]
    failed: tuple[Revision, ...]
    edited: tuple[Revision, ...]
    missing: tuple[Record, ...]
    records: Mapping[str, Record]
    holder: LockHolder | None

    @property
    def is_current(self) -> bool:
        """Whether every revision is applied, as its file has it now."""
        return not list(self.troubles())

    def troubles(self) -> Iterator[tuple[str, str, str]]:
        """Yield what is not as it should be: a word, the revision, and the command that mends it."""
        for record in self.missing:
            mend = f"bring back {record.file}, or: sheaf migrate stamp --forget {record.revision}"
            yield "missing", f"{record.revision} ({record.message})", mend
        for revision in self.edited:
            mend = f"restore {revision.path.name}, or: sheaf migrate stamp --accept {revision.id}"
            yield "edited", str(revision), mend
        for revision in self.failed:
            yield "failed", str(revision), "mend the cause, then: sheaf migrate resume"
        for revision in self.interrupted:
            yield "interrupted", str(revision), "sheaf migrate resume"
        for revision in self.running:
            yield "running", str(revision), "wait for it"
        for revision in self.partial:
            record = self.records[revision.id]
            yield str(record.state), str(revision), "sheaf migrate upgrade"
        for revision in self.pending:
            yield "pending", str(revision), "sheaf migrate upgrade"

    def to_dict(self) -> dict[str, Any]:
        """Return the migration state as JSON values."""
        return {
            "is_current": self.is_current,
            "current": list(self.current),
            "heads": list(self.heads),
            "troubles": [
                {"state": word, "revision": revision.partition(" ")[0], "message": revision, "mend": mend}
                for word, revision, mend in self.troubles()
            ],
        }


async def read_state(connection: Connection, graph: RevisionGraph) -> MigrationState:
    """Read how a database stands to some revisions. Writes nothing.

    Raises:
        StoreError: MongoDB cannot be reached.
    """
    holder = await read_holder(connection.database)
    return state_of(graph, await read_records(connection.database), holder)


def state_of(graph: RevisionGraph, records: Mapping[str, Record], holder: LockHolder | None = None) -> MigrationState:
    """Return how records stand to revisions (pure)."""

    def those_in(*states: RecordState) -> tuple[Revision, ...]:
        return tuple(each for each in graph.revisions if each.id in records and records[each.id].state in states)

    under_way = [state for state in RecordState if state not in {*AT_REST, RecordState.FAILED}]
    # One that another has left behind is not worked on by whoever holds the lock now, until it takes it over.
    running = tuple(each for each in those_in(*under_way) if holder and records[each.id].token == holder.token)
    return MigrationState(
        current=graph.leaves(each.id for each in those_in(RecordState.APPLIED)),
        heads=graph.heads,
        pending=tuple(each for each in graph.revisions if each.id not in records),
        partial=those_in(RecordState.EXPANDED, RecordState.BACKFILLED),
        interrupted=tuple(each for each in those_in(*under_way) if each not in running),
        running=running,
        failed=those_in(RecordState.FAILED),
        edited=tuple(
            each for each in graph.revisions if each.id in records and records[each.id].checksum != each.checksum
        ),
        missing=tuple(record for record in records.values() if record.revision not in graph),
        records=records,
        holder=holder,
    )


def refuse_unsound(state: MigrationState) -> None:
    """Let nothing be migrated while files and records contradict each other.

    Raises:
        RevisionEditedError: Files are not what was run. Names them, and says what to do.
        RevisionMissingError: Files are gone, likewise.
    """
    if state.missing:
        files = ", ".join(record.file for record in state.missing)
        ids = " ".join(f"--forget {record.revision}" for record in state.missing)
        raise RevisionMissingError(
            f"These were run, and their files are gone: {files}. Nothing was changed. Bring them back; "
            f"or, if what they did is to stay without them: sheaf migrate stamp {ids}"
        )
    if state.edited:
        files = ", ".join(str(revision.path) for revision in state.edited)
        ids = " ".join(f"--accept {revision.id}" for revision in state.edited)
        raise RevisionEditedError(
            f"These were edited after they were run: {files}. Nothing was changed. Restore them and put the change "
            f"into a new revision; or, if it makes no difference: sheaf migrate stamp {ids}"
        )
