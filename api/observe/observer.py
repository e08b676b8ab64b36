"""The outermost layer: gives each request an id, and notes what becomes of it."""

import re
import secrets
from collections.abc import Callable, Sequence
from itertools import count
from time import perf_counter
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.draining import Draining
from api.observe.timed import Timed
from api.problems import respond
from api.route import unexpected
from documents.telemetry import CURRENT, Observation

HEADERS: Final = ((b"x-content-type-options", b"nosniff"),)
CLOSE: Final = (b"connection", b"close")
REQUEST_ID: Final = b"x-request-id"
TRACEPARENT: Final = b"traceparent"
PREFER: Final = b"prefer"
VALID_ID: Final = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._~:/+=@-]{0,127}\Z")
VALID_TRACE: Final = re.compile(rb"[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
TIMING: Final = re.compile(rb"(?:^|[,;])\s*timing\s*(?:$|[,;=])", re.IGNORECASE)

_PREFIX: Final = secrets.token_hex(6)
_NUMBERS: Final = count(1)

Finished = Callable[[Scope, Observation, float], None]


class Observer:
    """Observes each request, and completes the headers of its answer.

    Args:
        app: What serves it.
        finished: Told of each request once it has been answered, with the seconds that it took.
        draining: Set when the server is stopping; clients are asked to leave then.
    """

    def __init__(self, app: ASGIApp, finished: Sequence[Finished], draining: Draining) -> None:
        self._app = app
        self._finished = finished
        self._draining = draining

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        observation, shows_times = _observe(scope)
        given_id = (REQUEST_ID, observation.request_id.encode())

        async def observed(message: Message) -> None:
            if message["type"] == "http.response.start":
                observation.status = message["status"]
                headers = [*message.get("headers", ()), *HEADERS, given_id]
                if self._draining.begun:
                    headers.append(CLOSE)
                if shows_times:
                    headers.append((b"server-timing", _timing(observation)))
                message["headers"] = headers
            else:
                observation.sent_bytes += len(message.get("body", b""))
                observation.is_answered = not message.get("more_body")
            await send(message)

        token = CURRENT.set(observation)
        try:
            await Timed(self._serve(scope, receive, observed, observation), observation)
        finally:
            seconds = perf_counter() - observation.began
            for finished in self._finished:
                finished(scope, observation, seconds)
            CURRENT.reset(token)

    async def _serve(self, scope: Scope, receive: Receive, send: Send, observation: Observation) -> None:
        try:
            await self._app(scope, receive, send)
        except Exception:
            if observation.is_answered:  # Starlette raises an error again that a handler has logged and answered
                return
            error = unexpected(scope)
            if observation.status:  # a part of the answer has been sent: closing the connection is all that is left
                raise
            await respond(error)(scope, receive, send)


def _observe(scope: Scope) -> tuple[Observation, bool]:
    """Return the observation of a request, and whether the client wants to see times."""
    request_id = trace_id = ""
    shows_times = False
    for name, value in scope["headers"]:
        if name == REQUEST_ID:
            if VALID_ID.match(value):
                request_id = value.decode("ascii")
        elif name == TRACEPARENT:
            match = VALID_TRACE.match(value)
            trace_id = match[1].decode("ascii") if match else ""
        elif name == PREFER:
            shows_times = shows_times or TIMING.search(value) is not None
    return Observation(request_id or f"{_PREFIX}-{next(_NUMBERS):x}", trace_id), shows_times


def _timing(observation: Observation) -> bytes:
    """Return the times until now, in milliseconds.

    Source:
        W3C, Server Timing.
    """
    total = perf_counter() - observation.began
    return b"db;dur=%.2f, total;dur=%.2f" % (observation.database_seconds * 1000, total * 1000)
