"""What one caller may do. Every plan is made under a policy, so no surface can pass it by."""

from typing import Final

from documents.access.actions import Action, ServerAction
from documents.access.grants import EVERYTHING, READING, Rights, bind
from documents.access.principal import ANONYMOUS, SYSTEM, Principal
from documents.access.rules import NO_POLICIES, Feature, Policies
from documents.errors import ForbiddenError


class Policy:
    """The policies of a server, bound to one caller. What no rule names is denied.

    Args:
        principal: The caller.
        policies: Whose rules apply to its roles.
        read_only: Whether the server takes no writes, from nobody.
    """

    __slots__ = ("_policies", "_read_only", "_rights", "principal")

    def __init__(self, principal: Principal, policies: Policies = NO_POLICIES, *, read_only: bool = False) -> None:
        self.principal: Final = principal
        self._policies = policies
        self._read_only = read_only
        self._rights: dict[str, Rights] = {}

    @property
    def name(self) -> str:
        """Return who this is, for logs and records."""
        return self.principal.id

    def rights(self, collection: str) -> Rights:
        """Return what the caller may do with a collection. No I/O."""
        if self.principal.is_trusted:
            return READING if self._read_only else EVERYTHING
        known = self._rights.get(collection)
        if known is None:
            known = self._rights[collection] = bind(self._policies, self.principal, collection)
        return known

    def lane(self, collection: str) -> str:
        """Return what keeps apart reads and cursors of callers with different rights."""
        return self.rights(collection).fingerprint.hex()

    def allows(self, collection: str, action: Action) -> bool:
        """Return whether the caller may do it."""
        return action in self.rights(collection).grants and (action is Action.READ or not self._read_only)

    def require(self, collection: str, *actions: Action) -> None:
        """Return when all `actions` are allowed on a collection.

        Raises:
            ForbiddenError: One is not. The answer is the same whether or not the collection exists.
        """
        for action in actions:
            if not self.allows(collection, action):
                raise ForbiddenError(f"This caller may not {action} in this collection.")

    def require_on_server(self, action: ServerAction) -> None:
        """Return when something that concerns the whole server is allowed.

        Raises:
            ForbiddenError: It is not.
        """
        granted = (action in self._policies.server.get(role, ()) for role in self.principal.roles)
        if not self.principal.is_trusted and not any(granted):
            raise ForbiddenError(f"This caller may not read the {action} of this server.")

    def require_feature(self, collection: str, feature: Feature) -> None:
        """Return when one of the dearer routes is allowed on a collection.

        Raises:
            ForbiddenError: It is not.
        """
        if feature not in self.rights(collection).features:
            raise ForbiddenError(f"This caller may not {feature} in this collection.")

    def page_limit(self, collection: str, general: int) -> int:
        """Return how many documents a page may have."""
        own = self.rights(collection).page
        return general if own is None else min(own, general)

    @property
    def sees_everything(self) -> bool:
        """Whether no collection is closed to the caller."""
        return self.principal.is_trusted


FULL: Final = Policy(SYSTEM)
READ_ONLY: Final = Policy(SYSTEM, read_only=True)
CLOSED: Final = Policy(ANONYMOUS)
"""Denies everything."""
