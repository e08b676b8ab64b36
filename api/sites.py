"""Requests that a browser sends for a page: which sites may change something here."""

import re
from collections.abc import Collection
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from api.problems import CrossOriginError, respond

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
OWN: Final = frozenset({b"same-origin", b"none"})
"""What `Sec-Fetch-Site` says of requests of our own pages, and of those that a person makes."""

DEFAULT_PORTS: Final = {b"http": b":80", b"https": b":443"}
PORT: Final = re.compile(rb":[0-9]+\Z")


class Sites:
    """Refuses requests that change something and come from a page of another site.

    A browser sends such a request without asking first if a form could have sent it. It says where the page is from,
    in headers that no page can set. Whoever sends neither header is no browser.

    Args:
        app: What serves the rest.
        allowed: Origins whose pages may do it, such as `https://app.example`.

    Source:
        Go's net/http, CrossOriginProtection, which decides the same way.
    """

    def __init__(self, app: ASGIApp, *, allowed: Collection[str]) -> None:
        self._app = app
        self._allowed = frozenset(allowed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or refuse it."""
        if scope["type"] != "http" or scope["method"] in SAFE_METHODS or self._may_change(scope):
            await self._app(scope, receive, send)
            return
        detail = "A page of another site may change nothing here. SHEAF_CORS_ORIGINS names the sites that may."
        await respond(CrossOriginError(detail))(scope, receive, send)

    def _may_change(self, scope: Scope) -> bool:
        origins = {value for name, value in scope["headers"] if name == b"origin"}
        sites = {value for name, value in scope["headers"] if name == b"sec-fetch-site"}
        if not origins and not sites:
            return True
        if origins and all(origin.decode("latin-1").lower() in self._allowed for origin in origins):
            return True
        return sites <= OWN if sites else all(_is_own(origin, scope) for origin in origins)


def _is_own(origin: bytes, scope: Scope) -> bool:
    """Whether an origin is the host that the request asks for. Its scheme may be that of a proxy."""
    hosts = [value for name, value in scope["headers"] if name == b"host"]
    scheme, _, page = origin.partition(b"://")
    port = DEFAULT_PORTS.get(scheme.lower())
    return port is not None and all(_with_port(host, port) == _with_port(page, port) for host in hosts)


def _with_port(host: bytes, port: bytes) -> bytes:
    host = host.lower()
    return host if PORT.search(host) else host + port
