"""The fast lane: requests for the document routes go to them directly.

The framework's own stack - error pages, telemetry, exit stacks, a router that tries one route after the other - costs
more than such a request does. These routes answer every error themselves, so they need none of it.
"""

from collections.abc import Sequence
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from api.route import DocumentRoute

Matchers = dict[str, list[DocumentRoute]]


class FastLane:
    """Sends what a document route serves to that route, and everything else on.

    Args:
        routes: In the order in which they are tried.
        app: What serves the rest.
    """

    def __init__(self, routes: Sequence[DocumentRoute], app: ASGIApp) -> None:
        self._app: Final = app
        self._routes: Final[Matchers] = {}
        for route in routes:
            for method in route.methods or ():
                self._routes.setdefault(method, []).append(route)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] == "http":
            path = scope["path"]
            for route in self._routes.get(scope["method"], ()):
                match = route.path_regex.match(path)
                if match:
                    scope["path_params"] = match.groupdict()
                    scope["route"] = route
                    await route.handle(scope, receive, send)
                    return
        await self._app(scope, receive, send)
