"""What a way back would take back, and whether there is one (pure)."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from documents.migrations.compile import compile_back
from documents.migrations.errors import NotReversibleError, SeveralHeadsError, UnknownRevisionError
from documents.migrations.graph import BASE, Revision, RevisionGraph
from documents.migrations.operations import AddField, IndexOperation, Operation
from documents.migrations.records import Record
from documents.migrations.wording import describe

BACK: Final = re.compile(r"-(?P<steps>[1-9][0-9]{0,3})")


def find_reverted(graph: RevisionGraph, records: Mapping[str, Record], to: str) -> list[Revision]:
    """Return the revisions to take back, children first.

    Args:
        graph: The revisions.
        records: What was begun.
        to: The revision to go back to, `base`, or `-1` and so on.

    Raises:
        UnknownRevisionError: No revision is meant, or one that was not begun.
        SeveralHeadsError: `-1` could be several.
    """
    back = BACK.fullmatch(to)
    if back:
        return _last(graph, records, int(back["steps"]))
    if to != BASE and graph.find(to).id not in records:
        raise UnknownRevisionError(f"{graph.find(to)} is not applied, so there is no way back to it.")
    later = graph.descendants(BASE if to == BASE else graph.find(to).id)
    return [each for each in reversed(later) if each.id in records]


def _last(graph: RevisionGraph, records: Mapping[str, Record], steps: int) -> list[Revision]:
    left = {each.id for each in graph.revisions if each.id in records}
    chosen: list[Revision] = []
    while left and len(chosen) < steps:
        leaf, *others = graph.leaves(left)
        if others:
            names = ", ".join(str(graph[each]) for each in (leaf, *others))
            raise SeveralHeadsError(f"Each of these could be taken back: {names}. Name the one to go back to.")
        chosen.append(graph[leaf])
        left.remove(leaf)
    return chosen


def refuse_irreversible(revisions: Iterable[Revision], records: Mapping[str, Record]) -> None:
    """Let nothing be taken back unless all of it can be.

    Raises:
        NotReversibleError: Names each operation that cannot, and why.
    """
    reasons = [f"{revision}: {reason}" for revision in revisions for reason in _reasons(revision, records[revision.id])]
    if reasons:
        raise NotReversibleError(f"There is no way back. Nothing was changed. {' '.join(reasons)}")


def _reasons(revision: Revision, record: Record) -> Iterator[str]:
    if record.is_stamped:
        yield f"it was stamped and not run; `sheaf migrate stamp --forget {revision.id}` takes the stamp away."
        return
    for _, key, operation in revision.steps():
        known = record.counts.get(key)
        if known is None:
            continue  # it was not begun
        reason = why_irreversible(operation)
        if reason:
            yield f"{key}, {operation.collection}: {describe(operation)}: {reason}."
        elif isinstance(operation, AddField) and known.get("had_it") is not False:
            yield (
                f"{key}, {operation.collection}: {describe(operation)}: some documents had the field before, and "
                "nobody knows which."
            )


def why_irreversible(operation: Operation) -> str | None:
    """Return why an operation can never be taken back; None if it can be, as far as can be told before it is run."""
    if isinstance(operation, IndexOperation) or compile_back(operation) is not None:
        return None
    return "it has no way back"
