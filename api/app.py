"""The application: routes, and what surrounds them."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.routing import Match
from starlette.types import ASGIApp, Lifespan

from api.authentication import Authentication
from api.compression import Compression
from api.cors import with_cors
from api.draining import Draining
from api.gate import Gate
from api.lane import FastLane
from api.observe.access_log import AccessLog
from api.observe.log_lines import LineWriter, make_logger, send_records, writes_json
from api.observe.metrics import Metrics
from api.observe.observer import Observer
from api.problems import BadRequestError, MethodNotAllowedError, NotFoundError, respond
from api.project_routes import add_project_routes
from api.route import unexpected
from api.routes import document_routes
from api.sites import Sites
from api.slots import Slots
from documents.errors import StoreError
from documents.ingest.runner import running_jobs
from documents.lifecycle import open_store, read_policies
from documents.settings import Settings, load_settings
from documents.version import VERSION


class Application(FastAPI):
    """A FastAPI application whose document routes take the fast lane.

    Routers and middleware can be added to it as to any other; middleware sees every request.
    """

    def __init__(
        self, settings: Settings, draining: Draining, writer: LineWriter, *, lifespan: Lifespan[FastAPI]
    ) -> None:
        super().__init__(
            title="Sheaf",
            version=VERSION,
            lifespan=lifespan,
            openapi_url=None,  # a route of ours serves it, live
            docs_url=None,
            redoc_url=None,
            # Asking whether telemetry is configured took a twelfth of a small request, even with none.
            telemetry={"tracing": False, "metrics": False, "logs": False},
            redirect_slashes=False,  # a redirect would be built from the Host header
            exception_handlers={
                StoreError: _on_store_error,
                HTTPException: _on_http_exception,
                Exception: _on_exception,
            },
        )
        self._settings = settings
        self._draining = draining
        self._document_routes = document_routes()
        logger = make_logger(settings, writer.write)
        write = writer.gather if writes_json(settings) else None
        self._slots = Slots.of(settings)
        self.metrics: Final = Metrics(self._slots)
        self._finished = (AccessLog(logger, write, is_complete=settings.access_log), self.metrics)
        self.router.routes.extend(self._document_routes)

    def build_middleware_stack(self) -> ASGIApp:
        """Put the gate first, then what was added, then the fast lane beside the framework's own stack."""
        added, self.user_middleware = self.user_middleware, []
        app: ASGIApp = FastLane(self._document_routes, super().build_middleware_stack())
        app = Compression(app)
        self.user_middleware = added
        for middleware, arguments, keywords in reversed(added):
            app = middleware(app, *arguments, **keywords)
        gate = Gate(
            with_cors(Sites(Authentication(app), allowed=self._settings.cors_origins), self._settings.cors_origins),
            host=self._settings.host,
            slots=self._slots,
        )
        return Observer(gate, self._finished, self._draining)


def create_app(settings: Settings | None = None) -> FastAPI:
    """Return the application; it opens the store when it starts and closes it when it stops.

    Args:
        settings: Those of the environment, if None.
    """
    configured = settings or load_settings()
    draining = Draining()
    writer = LineWriter()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[dict[str, Any]]:
        send_records(configured, writer.write)
        async with (
            open_store(
                configured,
                prepares=configured.prepares,
                counts_queries=not configured.read_only,
                policies=read_policies(configured),
            ) as store,
            running_jobs(store.ingestion, is_idle=configured.read_only) as runner,
            app.metrics.sampling(store),
        ):
            yield {"store": store, "runner": runner, "draining": draining, "metrics": app.metrics}
            writer.flush()

    app = Application(configured, draining, writer, lifespan=lifespan)
    add_project_routes(app, configured)
    return app


async def _on_store_error(request: Request, error: Exception) -> Response:
    if isinstance(error, MethodNotAllowedError):
        error.headers["Allow"] = ", ".join(_methods_at(request))
    return respond(error if isinstance(error, StoreError) else unexpected(request.scope))


async def _on_http_exception(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        return await _on_store_error(request, MethodNotAllowedError("This address does not know the method."))
    if status == HTTPStatus.NOT_FOUND:
        return respond(NotFoundError("There is nothing at this address."))
    return respond(BadRequestError("The request cannot be understood."))


async def _on_exception(request: Request, _: Exception) -> Response:
    return respond(unexpected(request.scope))


def _methods_at(request: Request) -> list[str]:
    """Return every method that some route knows at the request's address."""
    methods: set[str] = set()
    for route in request.app.router.routes:
        if route.matches(request.scope)[0] is not Match.NONE:
            methods |= getattr(route, "methods", None) or set()
    return sorted(methods)
