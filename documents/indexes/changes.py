"""The changes that a plan consists of, as plain values."""

from collections.abc import Collection
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from documents.indexes.spec import IndexSpec, to_json


class Action(StrEnum):
    """What becomes of one index."""

    CREATE = "create"
    MODIFY = "modify"
    """Changed in place, with collMod."""
    REBUILD = "rebuild"
    HIDE = "hide"
    """Not declared; it stays, but no query uses it any more. Takes no time, and neither does the way back."""
    UNHIDE = "unhide"
    DROP = "drop"
    KEEP = "keep"
    EXTRA = "extra"
    """Not declared; it is reported and stays."""


PENDING: Final = frozenset({Action.CREATE, Action.MODIFY, Action.REBUILD, Action.HIDE, Action.UNHIDE, Action.DROP})


class Permission(StrEnum):
    """What has to be allowed by the name of an index, since it could hurt. Also a flag, and a member over HTTP."""

    DROP = "drop"
    REBUILD = "rebuild"
    SHORTEN_TTL = "shorten_ttl"
    HIDE = "hide"
    UNHIDE = "unhide"


@dataclass(frozen=True, slots=True)
class Difference:
    """One option that is not as declared. None stands for MongoDB's default."""

    option: str
    declared: object
    actual: object

    def to_dict(self) -> dict[str, Any]:
        """Return the difference as JSON values."""
        return {"option": self.option, "declared": to_json(self.declared), "actual": to_json(self.actual)}


@dataclass(frozen=True, slots=True)
class IndexChange:
    """What is to be done about one index.

    Args:
        action: What is done to the index.
        declared: As the model wants it, under the name that it will have; None when it is not declared.
        actual: As the collection has it; None when it has it not.
        differences: Why, when both are there.
        blocked: Why it will not be done, and how it could be; None when it will be.
        note: What else is worth knowing.
        side_by_side: Whether, in a rebuild, the new one can be built before the old one is dropped.
        needs: The permissions that are lacking when it is blocked.
    """

    action: Action
    declared: IndexSpec | None = None
    actual: IndexSpec | None = None
    differences: tuple[Difference, ...] = ()
    blocked: str | None = None
    note: str | None = None
    side_by_side: bool = False
    needs: tuple[Permission, ...] = ()

    @property
    def name(self) -> str:
        """The name of the index in MongoDB, now or, if it is not there yet, later."""
        spec = self.actual or self.declared
        return spec.name if spec else ""

    @property
    def is_pending(self) -> bool:
        """Whether applying the plan would do something here."""
        return self.action in PENDING and self.blocked is None

    def to_dict(self) -> dict[str, Any]:
        """Return the index change as JSON values."""
        return {
            "action": str(self.action),
            "name": self.name,
            "declared": self.declared.to_dict() if self.declared else None,
            "actual": self.actual.to_dict() if self.actual else None,
            "differences": [difference.to_dict() for difference in self.differences],
            "blocked": self.blocked,
            "needs": [str(permission) for permission in self.needs],
            "note": self.note,
        }


@dataclass(frozen=True, slots=True)
class IndexPlan:
    """What is to be done about the indexes of one collection, declared ones first."""

    changes: tuple[IndexChange, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether everything declared is there as declared, and nothing is to be dropped."""
        return not any(change.action in PENDING for change in self.changes)

    @property
    def pending(self) -> tuple[IndexChange, ...]:
        """What applying would do."""
        return tuple(change for change in self.changes if change.is_pending)

    @property
    def blocked(self) -> tuple[IndexChange, ...]:
        """What would need doing and will not be done."""
        return tuple(change for change in self.changes if change.blocked is not None)

    def of(self, action: Action) -> tuple[IndexChange, ...]:
        """Return the pending changes of one kind; of `keep` and `extra`, all."""
        return tuple(change for change in self.changes if change.action is action and change.blocked is None)

    def to_dict(self) -> dict[str, Any]:
        """Return the index plan as JSON values."""
        return {"is_empty": self.is_empty, "changes": [change.to_dict() for change in self.changes]}


@dataclass(frozen=True, slots=True)
class Permissions:
    """What a plan may do that could hurt. Each is a set of index names.

    Args:
        drop: Undeclared indexes to drop.
        rebuild: Indexes that may be dropped and built again.
        shorten_ttl: Indexes that may expire documents sooner than they do, which deletes data at once.
        hide: Undeclared indexes to hide from queries.
        unhide: Undeclared indexes to let queries use again.
    """

    drop: Collection[str] = field(default_factory=frozenset[str])
    rebuild: Collection[str] = field(default_factory=frozenset[str])
    shorten_ttl: Collection[str] = field(default_factory=frozenset[str])
    hide: Collection[str] = field(default_factory=frozenset[str])
    unhide: Collection[str] = field(default_factory=frozenset[str])

    def of(self, permission: Permission) -> Collection[str]:
        """Return the names that a permission is given to."""
        names: Collection[str] = getattr(self, permission)
        return names
