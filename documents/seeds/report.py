"""What becomes of seeds."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any


class Outcome(StrEnum):
    """What became of one seed."""

    INSERTED = "inserted"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    KEPT = "kept"
    """Someone else made or changed the document, so it stays as it is."""


@dataclass(frozen=True, slots=True)
class SeedEvent:
    """One seed was dealt with.

    Args:
        collection: Its collection.
        source: Its file and number.
        outcome: What became of it; on a dry run, what would have.
        done: Seeds dealt with so far.
        total: Seeds there are.
    """

    collection: str
    source: str
    outcome: Outcome
    done: int
    total: int

    def to_dict(self) -> dict[str, Any]:
        """Return the seed event as JSON values."""
        return asdict(self) | {"outcome": str(self.outcome)}


@dataclass(frozen=True, slots=True)
class SeedReport:
    """What became of all seeds.

    Args:
        counts: For each collection, how many seeds had which outcome.
        kept: Sources of the seeds whose documents someone else made or changed.
        dry_run: Whether nothing was written.
    """

    counts: dict[str, dict[Outcome, int]] = field(default_factory=dict[str, dict[Outcome, int]])
    kept: tuple[str, ...] = ()
    dry_run: bool = False

    @property
    def is_unchanged(self) -> bool:
        """Whether nothing was, or would be, written."""
        return not any(counts[outcome] for counts in self.counts.values() for outcome in counts if outcome in WRITTEN)

    def to_dict(self) -> dict[str, Any]:
        """Return the seed report as JSON values."""
        counts = {name: {str(outcome): count for outcome, count in of.items()} for name, of in self.counts.items()}
        return {"counts": counts, "kept": list(self.kept), "dry_run": self.dry_run}


@dataclass(frozen=True, slots=True)
class GeneratedReport:
    """What was generated.

    Args:
        counts: For each collection, how many documents were inserted, and how many were there already.
        random_seed: With which the same documents are made again.
        examples: Of a dry run: some documents of each collection, as plain JSON values.
        dry_run: Whether nothing was written.
    """

    counts: dict[str, dict[Outcome, int]]
    random_seed: int
    examples: dict[str, list[Any]]
    dry_run: bool

    def to_dict(self) -> dict[str, Any]:
        """Return the generated report as JSON values."""
        counts = {name: {str(outcome): count for outcome, count in of.items()} for name, of in self.counts.items()}
        examples = {"examples": self.examples} if self.dry_run else {}
        return {"counts": counts, "random_seed": self.random_seed, "dry_run": self.dry_run, **examples}


@dataclass(frozen=True, slots=True)
class GeneratedEvent:
    """Some documents were dealt with.

    Args:
        collection: Theirs.
        done: Documents dealt with so far, in all collections.
        total: Documents there are to be.
    """

    collection: str
    done: int
    total: int


WRITTEN = frozenset({Outcome.INSERTED, Outcome.UPDATED})


def summarise(events: Iterable[SeedEvent], *, dry_run: bool) -> SeedReport:
    """Return the report that events add up to."""
    counts: dict[str, Counter[Outcome]] = {}
    kept: list[str] = []
    for event in events:
        counts.setdefault(event.collection, Counter())[event.outcome] += 1
        if event.outcome is Outcome.KEPT:
            kept.append(event.source)
    return SeedReport({name: dict(counted) for name, counted in counts.items()}, tuple(kept), dry_run)
