"""A project's own routes: ordinary FastAPI routers, one in each module of its `routes/`."""

from collections.abc import Iterator
from types import ModuleType
from typing import Annotated, Final

from fastapi import APIRouter, Depends, FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.requests import Request

from api.sites import SAFE_METHODS
from documents.access.policy import Policy
from documents.access.principal import Principal
from documents.errors import ForbiddenError, UnauthenticatedError
from documents.lifecycle import Store
from documents.project.models import load_routes
from documents.project.project import ProjectError, find_project
from documents.settings import Settings

OURS: Final = ("/v1", "/jobs", "/keys", "/health", "/metrics", "/docs", "/openapi.json", "/problems")
"""Beginnings of addresses that Sheaf serves. Some of them need no credentials, so no other route may have them."""


async def caller_of(request: Request) -> Principal:
    """Return who asks. Every route of a project depends on it, so none is open where Sheaf's own are not.

    Raises:
        UnauthenticatedError: Callers need credentials here, and this one has none.
        ForbiddenError: The server takes no writes, and the method is not a safe one.
    """
    store: Store = request.state.store
    policy: Policy = request.scope.get("policy") or store.policy
    authenticator = store.authenticator
    # An address with a wildcard also matches the public ones; those are let through without credentials.
    if authenticator is not None and authenticator.anonymous is None and policy is store.policy:
        raise UnauthenticatedError
    if store.settings.read_only and request.method not in SAFE_METHODS:
        raise ForbiddenError("The server is read-only.")
    return policy.principal


Caller = Annotated[Principal, Depends(caller_of)]
"""A parameter of a project's route: who asks, with `id`, `roles` and `variables`."""


def add_project_routes(app: FastAPI, settings: Settings) -> None:
    """Add the router of each module in the project's `routes/`.

    Raises:
        ModelError: A module fails to import.
        ProjectError: A `router` is none, or has an address that Sheaf serves itself.
    """
    for router in project_routers(settings):
        app.include_router(router, dependencies=[Depends(caller_of)])


def project_routers(settings: Settings) -> Iterator[APIRouter]:
    """Yield the router of each module in the project's `routes/`, checked.

    Raises:
        ModelError: A module fails to import.
        ProjectError: A `router` is none, or has an address that Sheaf serves itself.
    """
    for module in load_routes(find_project(settings)):
        if hasattr(module, "router"):
            yield _checked(module)


def _checked(module: ModuleType) -> APIRouter:
    router = module.router
    if not isinstance(router, APIRouter):
        raise ProjectError(f"{module.__file__}: `router` is not an APIRouter of FastAPI.")
    for route in iter_route_contexts(router.routes):
        if not isinstance(route.original_route, APIRoute):
            # A mounted application, a WebSocket or a plain route has no dependencies, so nothing would ask who calls.
            raise ProjectError(f"{module.__file__}: {route.path} is not a path operation of FastAPI.")
        if (route.path or "").startswith(OURS):
            raise ProjectError(f"{module.__file__}: {route.path} begins like an address of Sheaf. Choose another one.")
    return router
