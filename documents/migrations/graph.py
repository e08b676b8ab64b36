"""Revisions as values, and the graph that they make by naming their parents (pure)."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Final

from documents.migrations.errors import InvalidRevisionError, SeveralHeadsError, UnknownRevisionError
from documents.migrations.operations import Operation

BASE: Final = "base"
"""What is before the first revision."""


class Phase(StrEnum):
    """The parts of a revision, in the order in which they run."""

    EXPAND = "expand"
    """What the application of today does not mind: indexes, and other small things."""

    BACKFILL = "backfill"
    """What brings documents up to date, while applications old and new are running."""

    CONTRACT = "contract"
    """What only the old application needs, taken away."""


PHASES: Final = tuple(Phase)


@dataclass(frozen=True, slots=True)
class Revision:
    """One step from a state of the data to the next, as its file has it.

    Args:
        id: 12 hex digits.
        after: Ids of its parents; several in a merge, none in a first one.
        message: The first line of the file's docstring.
        path: The file.
        checksum: SHA-256 of its text, in hex; trailing white space makes no difference.
        expand: Operations of the first phase.
        backfill: Operations of the second.
        contract: Operations of the third.
    """

    id: str
    after: tuple[str, ...]
    message: str
    path: Path
    checksum: str
    expand: tuple[Operation, ...] = ()
    backfill: tuple[Operation, ...] = ()
    contract: tuple[Operation, ...] = ()

    def operations(self, phase: Phase) -> tuple[Operation, ...]:
        """Return the operations of a phase."""
        return {Phase.EXPAND: self.expand, Phase.BACKFILL: self.backfill, Phase.CONTRACT: self.contract}[phase]

    def steps(self) -> Iterator[tuple[Phase, str, Operation]]:
        """Yield each operation with its phase and its key, such as `backfill/0`, in the order in which they run."""
        for phase in PHASES:
            for position, operation in enumerate(self.operations(phase)):
                yield phase, f"{phase}/{position}", operation

    def __str__(self) -> str:
        return f"{self.id} ({self.message})"


class RevisionGraph:
    """Revisions and their order. It has no cycle, and every parent is there.

    Args:
        revisions: In any order.

    Raises:
        InvalidRevisionError: Two have one id, a parent is not there, or some wait for one another.
    """

    def __init__(self, revisions: Iterable[Revision] = ()) -> None:
        self._by_id = _by_id(revisions)
        self.revisions: tuple[Revision, ...] = tuple(self._by_id[each] for each in _order(self._by_id))
        parents = {parent for revision in self.revisions for parent in revision.after}
        self.heads: tuple[str, ...] = tuple(each.id for each in self.revisions if each.id not in parents)

    def __contains__(self, revision: str) -> bool:
        return revision in self._by_id

    def __getitem__(self, revision: str) -> Revision:
        return self._by_id[revision]

    def find(self, name: str) -> Revision:
        """Return the revision whose id begins so.

        Raises:
            UnknownRevisionError: None does, or several.
        """
        found = [each for each in self.revisions if name and each.id.startswith(name)]
        if len(found) == 1:
            return found[0]
        if found:
            raise UnknownRevisionError(f"{name} could be {', '.join(each.id for each in found)}. Give more digits.")
        raise UnknownRevisionError(f"There is no revision {name!r}. `sheaf migrate history` lists them.")

    def get_head(self) -> Revision | None:
        """Return the last revision; None when there are none at all.

        Raises:
            SeveralHeadsError: There are several last ones.
        """
        if len(self.heads) > 1:
            names = "; ".join(f"{self[head]} in {self[head].path.name}" for head in self.heads)
            raise SeveralHeadsError(
                f"There are {len(self.heads)} heads: {names}. Join them with `sheaf migrate merge`, or choose one "
                "with --to."
            )
        return self[self.heads[0]] if self.heads else None

    def lineage(self, name: str | None = None) -> tuple[Revision, ...]:
        """Return a revision and all that come before it, parents first.

        Args:
            name: The beginning of its id; None for the head.

        Raises:
            UnknownRevisionError: No revision is meant.
            SeveralHeadsError: None was named, and there are several heads.
        """
        target = self.get_head() if name is None else self.find(name)
        wanted = self._reach([target.id] if target else [], {each.id: each.after for each in self.revisions})
        return tuple(each for each in self.revisions if each.id in wanted)

    def descendants(self, revision: str) -> tuple[Revision, ...]:
        """Return all that come after a revision, parents first; all there are after `BASE`."""
        if revision == BASE:
            return self.revisions
        children: dict[str, list[str]] = {each.id: [] for each in self.revisions}
        for each in self.revisions:
            for parent in each.after:
                children[parent].append(each.id)
        wanted = self._reach([revision], children) - {revision}
        return tuple(each for each in self.revisions if each.id in wanted)

    def leaves(self, among: Iterable[str]) -> tuple[str, ...]:
        """Return those of some revisions that no other of them comes after."""
        chosen = set(among)
        parents = {parent for each in self.revisions if each.id in chosen for parent in each.after}
        return tuple(each.id for each in self.revisions if each.id in chosen - parents)

    @staticmethod
    def _reach(begin: Iterable[str], edges: Mapping[str, Iterable[str]]) -> set[str]:
        reached: set[str] = set()
        waiting = list(begin)
        while waiting:
            one = waiting.pop()
            if one not in reached:
                reached.add(one)
                waiting.extend(edges[one])
        return reached


def _by_id(revisions: Iterable[Revision]) -> dict[str, Revision]:
    by_id: dict[str, Revision] = {}
    for revision in sorted(revisions, key=lambda each: each.path.name):
        other = by_id.setdefault(revision.id, revision)
        if other is not revision:
            raise InvalidRevisionError(revision.path, f"it has the same id as {other.path.name}: {revision.id}.")
    for revision in by_id.values():
        for parent in revision.after:
            if parent not in by_id:
                raise InvalidRevisionError(revision.path, f"it comes after {parent}, and there is no such revision.")
    return by_id


def _order(by_id: Mapping[str, Revision]) -> Iterator[str]:
    """Yield the ids, parents first and else by file name, so that the order is the same everywhere."""
    sorter = TopologicalSorter({revision.id: revision.after for revision in by_id.values()})
    try:
        sorter.prepare()
    except CycleError as error:
        around: list[str] = error.args[1]
        files = " after ".join(by_id[each].path.name for each in reversed(around))
        raise InvalidRevisionError(by_id[around[0]].path, f"it waits for itself: {files}.") from None
    while sorter.is_active():
        ready = sorted(sorter.get_ready(), key=lambda each: by_id[each].path.name)
        yield from ready
        sorter.done(*ready)
