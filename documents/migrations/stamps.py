"""Changes what is recorded of revisions, and runs nothing: for what was done by other means."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from documents.database.connection import Connection
from documents.migrations.errors import UnknownRevisionError
from documents.migrations.graph import Phase, RevisionGraph
from documents.migrations.lock import MigrationLock
from documents.migrations.records import (
    Record,
    RecordState,
    begin_record,
    delete_record,
    now,
    read_records,
    save_record,
    take_over,
)


async def stamp(
    connection: Connection, graph: RevisionGraph, *, lock: MigrationLock, to: str | None = None
) -> list[str]:
    """Record a revision and all before it as applied, without running them, and return the ids of those that were not.

    Args:
        connection: Where.
        graph: The revisions.
        lock: Held by the caller.
        to: The beginning of the id of the last one; None for the head.

    Raises:
        UnknownRevisionError: No revision is meant.
        SeveralHeadsError: There are several heads, and `to` names none.
    """
    records = await read_records(connection.database)
    stamped: list[str] = []
    for revision in graph.lineage(to):
        record = records.get(revision.id)
        if record is None or record.state is not RecordState.APPLIED:
            known = begin_record(revision, token=lock.token) if record is None else take_over(record, token=lock.token)
            applied = replace(known, state=RecordState.APPLIED, phase=Phase.CONTRACT, finished=now())
            applied = replace(applied, checksum=revision.checksum, is_stamped=True, is_reverting=False)
            await save_record(connection.database, applied, lock=lock)
            stamped.append(revision.id)
    return stamped


async def accept_edits(
    connection: Connection, graph: RevisionGraph, names: Iterable[str], *, lock: MigrationLock
) -> list[str]:
    """Record the files of revisions as they are now for what was run, and return the ids of those that were edited.

    Raises:
        UnknownRevisionError: No revision is meant, or it was not run.
    """
    records = await read_records(connection.database)
    meant = {name: graph.find(name) for name in names}
    _refuse_unknown({name: revision.id for name, revision in meant.items() if revision.id not in records})
    accepted: list[str] = []
    for revision in meant.values():
        record = records[revision.id]
        if record.checksum != revision.checksum:
            changed = replace(record, checksum=revision.checksum, file=revision.path.name, message=revision.message)
            await save_record(connection.database, changed, lock=lock)
            accepted.append(revision.id)
    return accepted


async def forget_revisions(connection: Connection, names: Iterable[str], *, lock: MigrationLock) -> list[str]:
    """Delete the records of revisions, whose files may be gone, and return their ids. What they did stays.

    Raises:
        UnknownRevisionError: No record is meant.
    """
    records = await read_records(connection.database)
    meant = {name: _find(records, name) for name in names}
    _refuse_unknown({name: found for name, found in meant.items() if found is None})
    forgotten = sorted({found for found in meant.values() if found is not None})
    for revision in forgotten:
        await delete_record(connection.database, revision, lock=lock)
    return forgotten


def _find(records: Mapping[str, Record], name: str) -> str | None:
    found = [revision for revision in records if name and revision.startswith(name)]
    return found[0] if len(found) == 1 else None


def _refuse_unknown(names: Mapping[str, object]) -> None:
    if names:
        raise UnknownRevisionError(f"Nothing is recorded of {', '.join(names)}, or of several that begin so.")
