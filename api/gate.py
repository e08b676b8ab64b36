"""The first thing every request meets: is it for this server, and can it be served in time?"""

from typing import Final
from urllib.parse import unquote_to_bytes

from starlette.types import ASGIApp, Receive, Scope, Send

from api.problems import BadRequestError, MisdirectedError, ProtocolError, respond
from api.slots import Slots, caller_of, kind_of

LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "[::1]", "::1"})
HEALTH: Final = "/health/"
REPLACEMENT: Final = "\ufffd"
"""What the server has put in the place of bytes in the path that are not UTF-8; it may also have been sent so."""


class Gate:
    """Refuses strangers' hosts, and more requests than can be served.

    Args:
        app: What is behind the gate.
        host: The address that the server listens on. On loopback, only requests to loopback names are let
            through: a web page elsewhere can make a browser call this server, but not under such a name.
        slots: For requests served at once; health is not counted.
    """

    def __init__(self, app: ASGIApp, *, host: str, slots: Slots) -> None:
        self._app = app
        self._hosts = LOOPBACK | {host} if host in LOOPBACK else None
        self._slots = slots

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it here."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        objection = self._objection(scope)
        if objection is not None:
            await respond(objection)(scope, receive, send)
        elif scope["path"].startswith(HEALTH):
            await self._app(scope, receive, send)
        else:
            await self._serve(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind, caller = kind_of(scope), caller_of(scope)
        objection = self._slots.objection(kind, caller)
        if objection is not None:
            await respond(objection)(scope, receive, send)
            return
        self._slots.take(kind, caller)
        try:
            await self._app(scope, receive, send)
        finally:
            self._slots.give_back(kind, caller)

    def _objection(self, scope: Scope) -> ProtocolError | None:
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        if len(hosts) != 1 and (hosts or scope["http_version"] != "1.0"):
            return BadRequestError("A request names its host, once.")
        if self._hosts is not None and any(_name(host.decode("latin-1")) not in self._hosts for host in hosts):
            return MisdirectedError("The Host header names another server than this one.")
        if REPLACEMENT in scope["path"] and not _is_utf8(unquote_to_bytes(scope["raw_path"])):
            return BadRequestError("The path is not percent-encoded UTF-8.")
        return None


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _name(host: str) -> str:
    """Return a Host header without its port."""
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0].lower()
