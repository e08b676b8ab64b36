"""Puts a new revision together, and writes its file and the snapshot that goes with it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from beanie import Document

from documents.database.connection import Connection
from documents.migrations.autogenerate import compare_snapshots
from documents.migrations.compile import compile_operation
from documents.migrations.graph import RevisionGraph
from documents.migrations.operations import AddField, IndexOperation
from documents.migrations.proposal import Proposal, Step
from documents.migrations.remaining import count_matching
from documents.migrations.render import file_name, new_id, render_operation, render_revision
from documents.migrations.snapshot import Snapshot, read_snapshot, take_snapshot, write_snapshot

SNAPSHOT: Final = "snapshot.json"
COUNT_SECONDS: Final = 10.0
"""Longest for one count."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A revision that is not written yet.

    Args:
        revision: Its id.
        path: The file that it will have.
        after: The ids of its parents.
        text: What the file will have; None if there is nothing to migrate, and so no file.
        proposal: What it does.
        snapshot: What is to be written beside it; None if the one that is there stays.
    """

    revision: str
    path: Path
    after: tuple[str, ...]
    text: str | None
    proposal: Proposal
    snapshot: Snapshot | None = None

    @property
    def snapshot_path(self) -> Path:
        """The file of the snapshot."""
        return self.path.with_name(SNAPSHOT)

    def to_dict(self) -> dict[str, object]:
        """Return the draft as JSON values."""
        return {
            "revision": None if self.text is None else self.revision,
            "path": None if self.text is None else str(self.path),
            "after": list(self.after),
            "snapshot": None if self.snapshot is None else str(self.snapshot_path),
            "operations": [_to_dict(step) for step in self.proposal.steps],
            "remarks": list(self.proposal.remarks),
        }


def choose_parents(graph: RevisionGraph, names: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the ids of the revisions that a new one comes after.

    Args:
        graph: The revisions that there are.
        names: The beginnings of their ids; none for the head.

    Raises:
        UnknownRevisionError: A name is of no revision, or could be of several.
        SeveralHeadsError: None was named, and there are several heads.
    """
    if names:
        return tuple(dict.fromkeys(graph.find(name).id for name in names))
    head = graph.get_head()
    return () if head is None else (head.id,)


def propose(folder: Path, models: Sequence[type[Document]], renames: Mapping[str, str]) -> tuple[Proposal, Snapshot]:
    """Return what the models ask for beyond the snapshot of a folder, and the snapshot of now. Writes nothing.

    Raises:
        SnapshotError: The folder's snapshot cannot be read, or none can be taken of the models.
        UnknownRenameError: A renaming is none of these models.
        InvalidIndexError: The indexes of a model contradict each other.
    """
    now = take_snapshot(models)
    return compare_snapshots(read_snapshot(folder / SNAPSHOT), now, renames), now


def draft_revision(
    folder: Path,
    graph: RevisionGraph,
    message: str,
    *,
    after: tuple[str, ...],
    proposal: Proposal,
    snapshot: Snapshot | None = None,
) -> Draft:
    """Return a new revision. Writes nothing.

    Args:
        folder: Where it will be.
        graph: The revisions that there are.
        message: What it is for.
        after: The ids of its parents.
        proposal: What it does.
        snapshot: The models as they are then; None for a revision by hand, which leaves the snapshot alone.

    Raises:
        InvalidMessageError: The message does not fit into one line.
    """
    revision = new_id(each.id for each in graph.revisions)
    is_known = snapshot is None or _text_of(folder / SNAPSHOT) == snapshot.to_text()
    text = render_revision(message, revision, after, proposal)
    is_needed = snapshot is None or not proposal.is_empty
    return Draft(
        revision,
        folder / file_name(revision, message),
        after,
        text if is_needed else None,
        proposal,
        None if is_known else snapshot,
    )


def write_draft(draft: Draft) -> None:
    """Write the file of a revision and the snapshot, both or neither.

    Killed between the two, it leaves the revision without its snapshot; the next comparison then finds the same again,
    rather than nothing.
    """
    draft.path.parent.mkdir(parents=True, exist_ok=True)
    revision, snapshot = _beside(draft.path), _beside(draft.snapshot_path)
    try:
        if draft.text is not None:
            revision.write_text(draft.text, encoding="utf-8", newline="\n")
        if draft.snapshot is not None:
            write_snapshot(snapshot, draft.snapshot)
        if draft.text is not None:
            revision.replace(draft.path)
        if draft.snapshot is not None:
            snapshot.replace(draft.snapshot_path)
    except BaseException:
        if draft.text is not None:
            draft.path.unlink(missing_ok=True)
        raise
    finally:
        revision.unlink(missing_ok=True)
        snapshot.unlink(missing_ok=True)


async def count_held_back(connection: Connection, proposal: Proposal) -> Proposal:
    """Return a proposal whose held back steps say how many documents they would touch now. Writes nothing.

    Raises:
        StoreError: MongoDB cannot be reached.
    """
    return replace(proposal, steps=tuple([await _counted(connection, step) for step in proposal.steps]))


async def _counted(connection: Connection, step: Step) -> Step:
    operation = step.operation
    if step.held_back is None or isinstance(operation, IndexOperation):
        return step
    # A value that is still to be chosen makes no difference to which documents are meant.
    known = replace(operation, value=None) if isinstance(operation, AddField) else operation
    where = compile_operation(known).where
    return replace(step, documents=await count_matching(connection, operation.collection, where, seconds=COUNT_SECONDS))


def _to_dict(step: Step) -> dict[str, object]:
    documents = step.documents
    return {
        "phase": str(step.phase),
        "operation": render_operation(step.operation),
        "held_back": step.held_back,
        "note": step.note,
        "documents": documents if isinstance(documents, int) else None,
    }


def _text_of(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.tmp")
