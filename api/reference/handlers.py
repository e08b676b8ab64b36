"""What the API says of itself: the OpenAPI document, the page that shows it, and a page for each problem."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from hashlib import blake2b
from http import HTTPStatus
from importlib.resources import files
from typing import Final

import orjson
from fastapi import FastAPI
from starlette.responses import Response

from api.exchange import Exchange, path_parameter
from api.openapi.document import build_openapi
from api.openapi.pages import KINDS, problem_page, problems_page
from api.openapi.subjects import MAX_FLEXIBLE
from api.problems import NotFoundError
from documents.access.actions import Action
from documents.catalog.catalog import CollectionSummary
from documents.catalog.declared import DeclaredModel
from documents.codec.etag import parse_etags
from documents.database.deadline import Running
from documents.errors import Fault, InvalidParameterError

HTML: Final = "text/html; charset=utf-8"
SCRIPT: Final = "text/javascript; charset=utf-8"
STYLE: Final = "text/css; charset=utf-8"

ASSETS: Final[Mapping[str, tuple[str, str]]] = {
    "swagger-ui-bundle.js": ("swagger-ui/swagger-ui-bundle.js", SCRIPT),
    "swagger-ui.css": ("swagger-ui/swagger-ui.css", STYLE),
    "favicon-32x32.png": ("swagger-ui/favicon-32x32.png", "image/png"),
    "LICENSE": ("swagger-ui/LICENSE", "text/plain; charset=utf-8"),
    "docs.js": ("docs.js", SCRIPT),
    "problems.css": ("problems.css", STYLE),
}
"""What `/docs/{asset}` serves: where it is, and what it is. Nothing else is."""

REVALIDATE: Final = "no-cache"
FOR_AN_HOUR: Final = "public, max-age=3600"

POLICY: Final = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'"
)
"""Everything from here, nothing inline. Swagger UI's icons are `data:` images, and it calls the API."""

PAGE_HEADERS: Final = {"Content-Security-Policy": POLICY, "Referrer-Policy": "no-referrer"}


async def openapi(exchange: Exchange) -> Response:
    """Describe the declared collections and what all have in common; with `collections=all` the others, too."""
    catalog, policy = exchange.store.catalog, exchange.policy
    wanted = dict(exchange.parameters).get("collections", "declared")
    if wanted not in ("declared", "all"):
        detail = "collections is declared or all."
        raise InvalidParameterError(detail, [Fault("?collections", "invalid", detail)])
    known = await _flexible(exchange) if wanted == "all" else ()
    models = tuple(model for name, model in catalog.models.items() if policy.allows(name, Action.READ))
    app: FastAPI = exchange.app
    body = await asyncio.to_thread(_written, app, len(app.router.routes), models, known)
    return _cached(exchange, body, "application/json", REVALIDATE)


async def _flexible(exchange: Exchange) -> tuple[CollectionSummary, ...]:
    with Running(exchange.deadline, writes=False):
        summaries = await exchange.store.catalog.summaries(
            limit=MAX_FLEXIBLE + len(exchange.store.catalog.models),
            may_see=lambda name: exchange.policy.allows(name, Action.READ),
        )
    # Counts are in no part of it, so that a document stored does not make another one of it.
    return tuple(replace(summary, estimated_count=0, fault=None) for summary in summaries)


@lru_cache(maxsize=4)
def _written(
    app: FastAPI,
    _routes: int,  # a router that is added makes another document
    models: Sequence[DeclaredModel],
    summaries: Sequence[CollectionSummary],
) -> bytes:
    document = build_openapi(app.router.routes, models, summaries, title=app.title, version=app.version)
    return orjson.dumps(document)


async def docs(exchange: Exchange) -> Response:
    """Show the API to people."""
    return _cached(exchange, _asset("docs.html"), HTML, REVALIDATE, PAGE_HEADERS)


async def docs_asset(exchange: Exchange) -> Response:
    """Serve what the pages are made of."""
    found = ASSETS.get(path_parameter(exchange, "asset"))
    if found is None:
        raise NotFoundError("There is no such file.")
    path, media_type = found
    return _cached(exchange, _asset(path), media_type, FOR_AN_HOUR)


async def problems(exchange: Exchange) -> Response:
    """List the problems."""
    return _cached(exchange, problems_page().encode(), HTML, REVALIDATE, PAGE_HEADERS)


async def problem(exchange: Exchange) -> Response:
    """Explain one problem."""
    code = path_parameter(exchange, "code")
    if code not in KINDS:
        raise NotFoundError("There is no problem with this code.")
    return _cached(exchange, problem_page(code).encode(), HTML, REVALIDATE, PAGE_HEADERS)


@lru_cache
def _asset(path: str) -> bytes:
    return (files("api") / "assets" / path).read_bytes()


def _cached(
    exchange: Exchange, body: bytes, media_type: str, caching: str, headers: Mapping[str, str] | None = None
) -> Response:
    """Return the body, or 304 when the client has it already."""
    etag = f'"{blake2b(body, digest_size=12).hexdigest()}"'
    known = exchange.header(b"if-none-match")
    headers = {**(headers or {}), "ETag": etag, "Cache-Control": caching}
    if known is not None and parse_etags(known, header="If-None-Match").names(etag, weakly=True):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(body, headers={**headers, "Content-Type": media_type})
