"""The route class of our routes: an `APIRoute` that goes straight to its handler.

FastAPI's own handling solves dependencies and parses the body for each request; these handlers have no
dependencies and read their bodies themselves, so that every byte passes the same checks.
"""

import asyncio
import logging
import re
from typing import Final
from uuid import uuid4

from fastapi.routing import APIRoute
from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.exchange import Exchange
from api.guard import Ending, Guard
from api.known_parameters import refuse_unknown
from api.openapi.parameters import query_names
from api.problems import InternalError, MethodNotAllowedError, RequestTimeoutError, respond
from api.record import Handler, Route
from documents.errors import DeadlineExceededError, StoreError
from documents.telemetry import current
from documents.types import COLLECTION_NAME

_log = logging.getLogger("sheaf")


class _CollectionConvertor(Convertor[str]):
    regex = COLLECTION_NAME

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


class _JobConvertor(_CollectionConvertor):
    regex = "[^/:]+"  # behind a colon comes what is to be done with it


register_url_convertor("collection", _CollectionConvertor())
register_url_convertor("job", _JobConvertor())


class DocumentRoute(APIRoute):
    """Serves a route of ours.

    Args:
        record: The route.
    """

    def __init__(self, record: Route) -> None:
        super().__init__(record.path, record.handler, methods=record.methods)
        self.record: Final = record
        self.address: Final = record.address
        self.known: Final = query_names(record.parameters) if record.is_described else None
        """The URL parameters that it reads; None where any name may be a field, or a page ignores them."""
        # `$` would also match before a line feed at the end, and `.` would not match one: an id may have either.
        self.path_regex = re.compile(self.path_regex.pattern.removesuffix("$") + r"\Z", re.DOTALL)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["method"] not in (self.methods or ()):
            raise MethodNotAllowedError("This address does not know the method.")
        exchange = Exchange(scope, receive, send)
        is_checked = self.known is not None and scope["query_string"]
        response = await serve(exchange, self._checked if is_checked else self.record.handler)
        if response is not None:
            await response(scope, receive, send)

    async def _checked(self, exchange: Exchange) -> Response:
        refuse_unknown(exchange.parameters, self.known or ())
        return await self.record.handler(exchange)


async def serve(exchange: Exchange, handler: Handler) -> Response | None:
    """Return the handler's response, or the problem that it ends in; None when nobody is left to read it."""
    guard = Guard(exchange)
    try:
        return await handler(exchange)
    except StoreError as error:
        forget_frames(error)
        return respond(error)
    except ClientDisconnect:
        return None
    except asyncio.CancelledError:
        if not guard.claims(asyncio.current_task()):
            raise
        return _cut_short(guard, exchange)
    except Exception:  # noqa: BLE001  # logged with its traceback; the client learns only where to look
        return respond(unexpected(exchange.scope))
    finally:
        guard.stop()


def forget_frames(error: BaseException | None) -> None:
    """Let an error that is answered hold nothing of where it was raised.

    Frames hold bodies. Where one of them also holds the error, as who awaits a future does, all of it would stay until
    a garbage collection, which is rare here: a refused body of 16 MB would be kept for minutes.
    """
    while error is not None:
        error.__traceback__ = None
        error = error.__context__


def unexpected(scope: Scope) -> InternalError:
    """Log the exception that is being handled, and return an error that names only its place in the log."""
    observation = current()
    reference = uuid4().hex if observation is None else observation.request_id
    _log.exception("Request failed: %s, reference %s", scope["method"], reference)
    return InternalError(f"The server failed. Its log has the reason, under {reference}.")


def _cut_short(guard: Guard, exchange: Exchange) -> Response | None:
    if guard.ending is Ending.GONE:
        return None
    if guard.ending is Ending.UNSENT:
        return respond(RequestTimeoutError("The body did not arrive in time.", {"Connection": "close"}))
    outcome = None if exchange.only_reads else "unknown"
    return respond(DeadlineExceededError("The request took longer than it may.", outcome))
