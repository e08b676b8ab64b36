"""What is told while revisions are run."""

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from documents.indexes.apply import IndexEvent
from documents.migrations.backfill import BackfillProgress
from documents.migrations.graph import Phase, Revision
from documents.migrations.operations import Operation
from documents.migrations.wording import describe


class Direction(StrEnum):
    """Forth or back."""

    UPGRADE = "upgrade"
    DOWNGRADE = "downgrade"


class EventState(StrEnum):
    """How far something is."""

    STARTED = "started"
    PROGRESS = "progress"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class MigrationEvent:
    """Something that happened to a revision, or to one of its operations.

    Args:
        direction: Forth or back.
        revision: Which one.
        state: How far it is.
        phase: Of the operation; None when the revision as a whole is meant.
        key: Of the operation inside its revision, such as `backfill/0`.
        operation: What is done.
        report: How far it is, when it is on its way.
    """

    direction: Direction
    revision: Revision
    state: EventState
    phase: Phase | None = None
    key: str | None = None
    operation: Operation | None = None
    report: BackfillProgress | IndexEvent | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the migration event as JSON values."""
        return {
            "direction": str(self.direction),
            "revision": self.revision.id,
            "message": self.revision.message,
            "state": str(self.state),
            "phase": self.phase and str(self.phase),
            "operation": self.key,
            "collection": self.operation and self.operation.collection,
            "does": self.operation and describe(self.operation),
            "report": self._report(),
        }

    def _report(self) -> dict[str, Any] | None:
        if isinstance(self.report, BackfillProgress):
            eta = self.report.eta
            return asdict(self.report) | {"eta": None if eta is None else eta.total_seconds()}
        return self.report.to_dict() if self.report else None
