"""Who may do what. Every plan is made under a policy, so no surface can pass it by."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from documents.errors import ForbiddenError


class Action(StrEnum):
    """What can be done to a collection and its documents."""

    READ = "read"
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    CONFIGURE = "configure"
    """Change what belongs to no document, such as indexes."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What its holder may do; whatever is not named is denied.

    Args:
        name: For logs, and to keep apart what is read under different policies.
        actions: Allowed on every collection.
    """

    name: str
    actions: frozenset[Action]

    def require(self, *actions: Action) -> None:
        """Return when all `actions` are allowed.

        Raises:
            ForbiddenError: One is not.
        """
        for action in actions:
            if action not in self.actions:
                raise ForbiddenError(f"This caller may not {action}.")


FULL: Final = Policy("full", frozenset(Action))
READ_ONLY: Final = Policy("read-only", frozenset({Action.READ}))
