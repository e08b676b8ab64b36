"""What a contract says of one document: admitted, learned from and discarded from, or rejected."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal, TypeAlias

from documents.errors import Fault
from documents.types import Document

Aspect: TypeAlias = Literal["fields", "types", "required", "rules"]
"""What a misfit is about: a field that the schema does not name, a type, a field that lacks, or any other rule."""

UNKNOWN_FIELD: Final = "unknown-field"
WRONG_TYPE: Final = "wrong-type"
MISSING_FIELD: Final = "missing-field"
RULE_FAILED: Final = "rule-failed"
NOT_COERCIBLE: Final = "not-coercible"
TOO_MUCH: Final = "too-much-to-check"


class Mode(StrEnum):
    """What becomes of a document that does not fit."""

    EVOLVE = "evolve"
    FREEZE = "freeze"
    QUARANTINE = "quarantine"
    DISCARD = "discard-field"


@dataclass(frozen=True, slots=True)
class Misfit:
    """One thing in a document that its contract does not allow.

    Args:
        pointer: Where in the document.
        code: `unknown-field`, `wrong-type`, `missing-field`, `rule-failed`, `not-coercible` or
            `too-much-to-check`.
        detail: What is wrong, without any value of the document.
        aspect: What it is about.
        mode: What the contract says becomes of it: freeze or quarantine.
        rule: Where in the schema the rule stands, as a JSON pointer.
    """

    pointer: str
    code: str
    detail: str
    aspect: Aspect
    mode: Mode
    rule: str

    @property
    def fault(self) -> Fault:
        """The same for whoever sent the document."""
        return Fault(self.pointer, self.code, self.detail, self.rule)


@dataclass(frozen=True, slots=True)
class Lesson:
    """Something that a contract that evolves learns from a document.

    Args:
        kind: `field`: a new field. `type`: one more type of a field. `required`: a field that may lack.
        at: The tokens that lead to the schema it is about.
        name: Of the field; empty for a type.
        types: Names of BSON types that were seen.
    """

    kind: Literal["field", "type", "required"]
    at: tuple[str, ...]
    name: str = ""
    types: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Admitted:
    """A document that fits.

    Args:
        document: As it is to be stored: coerced, and without what was discarded.
        discarded: JSON pointers of what was left out.
        learned: What the contract has to learn before the document is stored.
    """

    document: Document
    discarded: tuple[str, ...] = ()
    learned: tuple[Lesson, ...] = ()


@dataclass(frozen=True, slots=True)
class Rejected:
    """A document that does not fit.

    Args:
        misfits: Why, the first hundred reasons; one at least.
    """

    misfits: tuple[Misfit, ...]

    @property
    def is_quarantined(self) -> bool:
        """Whether it is to be kept aside: everything wrong with it is of a kind that the contract quarantines."""
        return all(misfit.mode is Mode.QUARANTINE for misfit in self.misfits)

    @property
    def faults(self) -> list[Fault]:
        """The reasons for whoever sent the document."""
        return [misfit.fault for misfit in self.misfits]


@dataclass(frozen=True, slots=True)
class Modes:
    """What becomes of a document that does not fit, for each way not to."""

    fields: Mode = Mode.FREEZE
    types: Mode = Mode.FREEZE
    required: Mode = Mode.FREEZE

    @property
    def rules(self) -> Mode:
        """What becomes of one that breaks any other rule: there is nothing to learn from it, nor to leave out."""
        return Mode.QUARANTINE if self.types is Mode.QUARANTINE else Mode.FREEZE
