"""The line that each request has in the log.

Most lines are written by hand: a logger would take a twentieth of the time of a small request.
"""

import time
from functools import lru_cache
from typing import Any, Final

import orjson
from starlette.types import Scope
from structlog.typing import FilteringBoundLogger

from api.observe.log_lines import Write
from documents.access.policy import Policy
from documents.lifecycle import Store
from documents.telemetry import Observation

GONE: Final = 499
"""What stands for a status where the client went away before there was one, as nginx has it."""

FAILED: Final = 500
UNAVAILABLE: Final = 503
UNROUTED: Final = "none"
LINE: Final = (
    '{"time":"%s.%03dZ","level":"info","event":"request","method":%s,"route":%s,"collection":%s,"status":%d,'
    '"principal":%s,"ms":%.2f,"processor_ms":%.2f,"database_ms":%.2f,"documents":%d,"bytes":%d,"request_id":%s%s}\n'
)


def route_of(scope: Scope) -> str:
    """Return the address of the route that served a request, with its parameters unfilled."""
    route = scope.get("route")
    address: str | None = getattr(route, "address", None) or getattr(route, "path", None)
    return address or UNROUTED


class AccessLog:
    """Writes a line for each request; without an access log, only for those that failed on the server's side.

    Neither addresses nor parameters are in it: ids and values of filters are content of documents.

    Args:
        logger: Where it goes.
        write: Where lines in JSON go; None where the logger writes all of them.
        is_complete: Whether requests that went well have a line.
    """

    def __init__(self, logger: FilteringBoundLogger, write: Write | None, *, is_complete: bool) -> None:
        self._logger = logger
        self._write = write
        self._is_complete = is_complete

    def __call__(self, scope: Scope, observation: Observation, seconds: float) -> None:
        """Write the line of a request."""
        status = observation.status or GONE
        if status >= FAILED or observation.code:
            if status >= FAILED or self._is_complete:
                self._log(scope, observation, status, seconds)
        elif self._is_complete:
            if self._write is None:
                self._log(scope, observation, status, seconds)
            else:
                self._write(_line(scope, observation, status, seconds).encode())

    def _log(self, scope: Scope, observation: Observation, status: int, seconds: float) -> None:
        logger = self._logger
        write = logger.info if status < FAILED else logger.warning if status == UNAVAILABLE else logger.error
        more = {name: value for name in ("code", "reason") if (value := getattr(observation, name))}
        write(
            "request",
            method=scope["method"],
            route=route_of(scope),
            collection=_collection_of(scope),
            status=status,
            principal=_principal_of(scope),
            ms=round(seconds * 1000, 2),
            processor_ms=round(observation.processor_seconds * 1000, 2),
            database_ms=round(observation.database_seconds * 1000, 2),
            documents=observation.documents,
            bytes=observation.sent_bytes,
            **more,
        )


def _line(scope: Scope, observation: Observation, status: int, seconds: float) -> str:
    now = time.time()
    trace = observation.trace_id
    return LINE % (
        _second(int(now)),
        now % 1 * 1000,
        _quoted(scope["method"]),
        _quoted(route_of(scope)),
        _quoted(_collection_of(scope)),
        status,
        _quoted(_principal_of(scope)),
        seconds * 1000,
        observation.processor_seconds * 1000,
        observation.database_seconds * 1000,
        observation.documents,
        observation.sent_bytes,
        f'"{observation.request_id}"',  # which has none but plain characters
        f',"trace_id":"{trace}"' if trace else "",
    )


@lru_cache(maxsize=8)
def _second(moment: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment))


@lru_cache(maxsize=4096)
def _quoted(text: str | None) -> str:
    return orjson.dumps(text).decode()


def _collection_of(scope: Scope) -> str | None:
    parameters: dict[str, Any] | None = scope.get("path_params")
    return parameters.get("collection") if parameters else None


def _principal_of(scope: Scope) -> str | None:
    policy: Policy | None = scope.get("policy")
    if policy is not None:
        return policy.name
    store: Store | None = scope["state"].get("store") if "state" in scope else None
    return None if store is None else store.policy.name
