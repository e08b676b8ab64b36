"""The profile of a collection: read, and rendered as a table's worth of JSON, as schemas, or as a page."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

import orjson
from starlette.responses import Response

from api.exchange import Exchange
from api.media import Media
from api.parse import parse_profile
from api.reference.handlers import HTML
from documents.database.deadline import Running
from documents.profile.html import CONTENT_SECURITY_POLICY, render_page
from documents.profile.report import Report
from documents.profile.schema import to_contract, to_json_schema, to_mongo_schema
from documents.profile.table import report_to_dict

PAGE_HEADERS: Final = {
    "Content-Security-Policy": f"{CONTENT_SECURITY_POLICY}; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}

_JSON: Final[Mapping[str, Callable[[Report, str], object]]] = {
    "profile": lambda report, name: {"collection": name, **report_to_dict(report)},
    "json-schema": lambda report, name: to_json_schema(report, title=name),
    "mongo": lambda report, _: {"$jsonSchema": to_mongo_schema(report)},
    "contract": lambda report, _: to_contract(report),
}


async def get_schema(exchange: Exchange) -> Response:
    """Say what the documents of a collection look like. The parameter decides on the form, whatever `Accept` says."""
    operation, form = parse_profile(exchange)
    with Running(exchange.deadline, writes=False):
        plan = await exchange.store.planner.profile(operation, exchange.policy)
    report = await plan.run(exchange.deadline)
    if form in _JSON:
        body = await asyncio.to_thread(_dump, _JSON[form], report, operation.collection)
        return Response(body, headers={"Cache-Control": "no-store"}, media_type=Media.JSON.value)
    page = await asyncio.to_thread(render_page, report, title=operation.collection)
    headers = {**PAGE_HEADERS, "Cache-Control": "no-store", "Content-Type": HTML}
    return Response(page.encode(), headers=headers)


def _dump(form: Callable[[Report, str], object], report: Report, name: str) -> bytes:
    return orjson.dumps(form(report, name))
