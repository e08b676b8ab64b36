"""Health: whether the process lives, and whether it can serve."""

from http import HTTPStatus
from typing import Any, Final

import orjson
from starlette.responses import Response

from api.exchange import Exchange
from documents.database.deadline import Deadline, Running
from documents.errors import UnavailableError

PROBE_SECONDS: Final = 2.0


async def live(_: Exchange) -> Response:
    """Say that the process runs. Asks nobody."""
    return _answer(HTTPStatus.OK, {"status": "live"})


async def ready(exchange: Exchange) -> Response:
    """Say whether requests would be served now: MongoDB has a primary, and the server is not stopping."""
    if exchange.scope["state"]["draining"].begun:
        return _answer(HTTPStatus.SERVICE_UNAVAILABLE, {"status": "stopping"})
    try:
        with Running(Deadline(PROBE_SECONDS), writes=False):
            hello = await exchange.store.connection.ping()
    except UnavailableError:
        return _answer(HTTPStatus.SERVICE_UNAVAILABLE, {"status": "no-database"})
    if not hello.get("isWritablePrimary"):
        return _answer(HTTPStatus.SERVICE_UNAVAILABLE, {"status": "no-primary"})
    return _answer(HTTPStatus.OK, {"status": "ready"})


def _answer(status: HTTPStatus, body: dict[str, Any]) -> Response:
    return Response(orjson.dumps(body), status, {"Cache-Control": "no-store"}, "application/json")
