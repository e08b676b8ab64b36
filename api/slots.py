"""Who is served at once: budgets for each kind of request, and a share of each that one caller may take."""

from collections import Counter
from collections.abc import Mapping
from enum import Enum, auto
from typing import Final

from starlette.types import Scope

from api.problems import TooManyRequestsError
from documents.errors import OverloadedError, StoreError
from documents.settings import Settings


class Kind(Enum):
    """How long a request lasts, and on what that depends."""

    SHORT = auto()
    """As long as the server takes."""

    ANSWER = auto()
    """As long as the client takes to read a long answer."""

    UPLOAD = auto()
    """As long as the client takes to send a long body."""


UPLOADING: Final[tuple[tuple[str, str, str], ...]] = (("POST", "/v1/", ":ingest"), ("PATCH", "/jobs/", ""))
ANSWERING: Final = (":export", ":quarantine")


def kind_of(scope: Scope) -> Kind:
    """Return the kind of a request."""
    method, path = scope["method"], scope["path"]
    if any(method == of and path.startswith(start) and path.endswith(end) for of, start, end in UPLOADING):
        return Kind.UPLOAD
    return Kind.ANSWER if method == "GET" and path.endswith(ANSWERING) else Kind.SHORT


class Slots:
    """Counts the requests that are served, by kind and by caller.

    Args:
        budgets: Requests served at once, by kind.
        client_share: What part of a budget one address may take.
    """

    def __init__(self, budgets: Mapping[Kind, int], client_share: float) -> None:
        self._budgets = budgets
        self._shares = {kind: max(int(budget * client_share), 1) for kind, budget in budgets.items()}
        self._taken: Counter[Kind] = Counter()
        self._taken_by: Counter[tuple[Kind, str]] = Counter()

    @classmethod
    def of(cls, settings: Settings) -> "Slots":
        """Return the slots that the settings give."""
        budgets = {
            Kind.SHORT: settings.max_concurrency,
            Kind.ANSWER: settings.max_exports,
            Kind.UPLOAD: settings.max_uploads,
        }
        return cls(budgets, settings.client_share)

    def objection(self, kind: Kind, caller: str) -> StoreError | None:
        """Return why a request cannot be served now, None if it can."""
        if self._taken[kind] >= self._budgets[kind]:
            return OverloadedError("The server is busy.", "not-applied")
        if self._taken_by[kind, caller] >= self._shares[kind]:
            detail = "This address has as many requests of this kind under way as one may."
            return TooManyRequestsError(detail, {"Retry-After": "1"})
        return None

    @property
    def total(self) -> int:
        """How many are taken."""
        return self._taken.total()

    def take(self, kind: Kind, caller: str) -> None:
        """Take a slot."""
        self._taken[kind] += 1
        self._taken_by[kind, caller] += 1

    def give_back(self, kind: Kind, caller: str) -> None:
        """Give a slot back."""
        self._taken[kind] -= 1
        self._taken_by[kind, caller] -= 1
        if not self._taken_by[kind, caller]:
            del self._taken_by[kind, caller]


def caller_of(scope: Scope) -> str:
    """Return the address that a request comes from."""
    client: tuple[str, int] | None = scope.get("client")
    return client[0] if client else ""
