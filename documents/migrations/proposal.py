"""What a comparison of models proposes: operations, those that a person has to decide on, and remarks (pure)."""

from dataclasses import dataclass
from typing import Final

from documents.migrations.graph import Phase
from documents.migrations.operations import Operation
from documents.types import MISSING, Missing

CHOOSE: Final = ...
"""Stands in an operation for a value that a person has to choose. It cannot be run as long as it stands there."""


@dataclass(frozen=True, slots=True)
class Step:
    """One operation.

    Args:
        phase: Where it belongs.
        operation: What is done.
        held_back: Why a person has to decide; None if it is done without more ado.
        note: What else is worth knowing.
        documents: How many it would touch; None where counting took too long, MISSING where nobody counted.
    """

    phase: Phase
    operation: Operation
    held_back: str | None = None
    note: str | None = None
    documents: int | Missing | None = MISSING


@dataclass(frozen=True, slots=True)
class Proposal:
    """What would bring the data from one snapshot of the models to another.

    Args:
        steps: In the order in which they are to run, phase by phase.
        remarks: What no operation was made for, and why.
    """

    steps: tuple[Step, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do and nothing to say."""
        return not self.steps and not self.remarks

    @property
    def held_back(self) -> tuple[Step, ...]:
        """The steps that a person has to decide on."""
        return tuple(step for step in self.steps if step.held_back is not None)

    @property
    def expand(self) -> tuple[Operation, ...]:
        """What runs first, less what is held back."""
        return self._active(Phase.EXPAND)

    @property
    def backfill(self) -> tuple[Operation, ...]:
        """What runs then, less what is held back."""
        return self._active(Phase.BACKFILL)

    @property
    def contract(self) -> tuple[Operation, ...]:
        """What runs last, less what is held back."""
        return self._active(Phase.CONTRACT)

    def of(self, phase: Phase) -> tuple[Step, ...]:
        """Return the steps of a phase, those held back among them."""
        return tuple(step for step in self.steps if step.phase is phase)

    def _active(self, phase: Phase) -> tuple[Operation, ...]:
        return tuple(step.operation for step in self.of(phase) if step.held_back is None)
