"""Health checks and metrics."""

from http import HTTPStatus
from typing import Any, Final

import orjson
from starlette.responses import Response

from api.exchange import Exchange
from documents.access.actions import ServerAction
from documents.database.deadline import Deadline, Running
from documents.errors import UnavailableError

PROBE_SECONDS: Final = 1.5
CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


async def metrics(exchange: Exchange) -> Response:
    """Show numbers to Prometheus, where the caller may see them."""
    exchange.policy.require_on_server(ServerAction.METRICS)
    body = await exchange.scope["state"]["metrics"].expose(exchange.store)
    return Response(body, headers={"Cache-Control": "no-store"}, media_type=CONTENT_TYPE)


async def live(_: Exchange) -> Response:
    """Say that the process runs. Asks nobody."""
    return _answer(HTTPStatus.OK, {"status": "live"})


async def startup(_: Exchange) -> Response:
    """Say that the process has started: no request is served before models and policies are read and MongoDB answered.

    Asks nobody.
    """
    return _answer(HTTPStatus.OK, {"status": "started"})


async def ready(exchange: Exchange) -> Response:
    """Say whether requests would be served now: MongoDB has a primary, and the server is not stopping.

    It asks through the client that requests use, so a client that is of no use shows.
    """
    if exchange.scope["state"]["draining"].begun:
        return _answer(HTTPStatus.SERVICE_UNAVAILABLE, {"status": "stopping"})
    connection, deadline = exchange.store.connection, Deadline(min(PROBE_SECONDS, exchange.deadline.remaining()))
    try:
        await connection.reach(deadline, writes=True)
        with Running(deadline, writes=False):
            hello = await connection.ping()
    except UnavailableError:
        status = "no-primary" if connection.lacks_primary else "no-database"
        return _answer(HTTPStatus.SERVICE_UNAVAILABLE, {"status": status})
    if not hello.get("isWritablePrimary"):
        return _answer(HTTPStatus.SERVICE_UNAVAILABLE, {"status": "no-primary"})
    reasons = {"reasons": ["disk-full"]} if connection.shortage else {}
    return _answer(HTTPStatus.OK, {"status": "ready", **reasons})


def _answer(status: HTTPStatus, body: dict[str, Any]) -> Response:
    return Response(orjson.dumps(body), status, {"Cache-Control": "no-store"}, "application/json")
