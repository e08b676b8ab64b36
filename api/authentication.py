"""Who asks: credentials read from the Authorization header, for every address that is not public."""

from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from api.problems import respond
from documents.access.authenticator import Authenticator
from documents.access.policy import Policy
from documents.database.deadline import Deadline
from documents.errors import StoreError, UnauthenticatedError
from documents.lifecycle import Store

PUBLIC: Final = ("/health", "/docs", "/problems", "/openapi.json")
"""Addresses that need no credentials. The OpenAPI document shows only what its caller may read."""

SCHEME: Final = b"bearer "
POLICY: Final = "policy"
"""Where a request's policy is in its scope."""


class Authentication:
    """Puts the caller's policy into the scope of each request, or refuses the request.

    Args:
        app: What serves it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] == "http":
            store: Store = scope["state"]["store"]
            if store.authenticator is not None:
                try:
                    scope[POLICY] = await _policy_of(scope, store, store.authenticator)
                except StoreError as error:
                    await respond(error)(scope, receive, send)
                    return
        await self._app(scope, receive, send)


async def _policy_of(scope: Scope, store: Store, authenticator: Authenticator) -> Policy:
    given = [value for name, value in scope["headers"] if name == b"authorization"]
    if not given:
        if authenticator.anonymous is None and not _is_public(scope["path"]):
            raise UnauthenticatedError
        return authenticator.anonymous or store.policy
    token = _token(given)
    known = authenticator.get_known_or_none(token)
    if known is not None:
        return known
    return await authenticator.authenticate(token, deadline=Deadline(store.settings.request_timeout.total_seconds()))


def _is_public(path: str) -> bool:
    return any(path == public or path.startswith(f"{public}/") for public in PUBLIC)


def _token(given: list[bytes]) -> str:
    """Return what follows `Bearer` in the one header there may be."""
    if len(given) != 1 or given[0][: len(SCHEME)].lower() != SCHEME:
        raise UnauthenticatedError
    return given[0][len(SCHEME) :].strip().decode("latin-1")
