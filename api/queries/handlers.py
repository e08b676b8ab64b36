"""Queries in a body: list, count, aggregate."""

from starlette.responses import Response

from api import render
from api.bodies import read_json
from api.exchange import Exchange, path_parameter
from api.parse import parse_aggregate, parse_count, parse_query, parse_selection
from documents.collections.operations import Count


async def query(exchange: Exchange) -> Response:
    """List documents by a filter in the body."""
    operation = parse_query(path_parameter(exchange, "collection"), await read_json(exchange), exchange.preferences)
    plan = await exchange.plan(exchange.store.planner.find, operation)
    return await render.page(exchange, await plan.run(exchange.deadline))


async def count_selected(exchange: Exchange) -> Response:
    """Count the documents that the URL selects."""
    selection = parse_selection(exchange, instead="a count is of all documents that are selected")
    operation = Count(path_parameter(exchange, "collection"), selection, exchange.preferences.count or "exact")
    return await _counted(exchange, operation)


async def count(exchange: Exchange) -> Response:
    """Count documents."""
    operation = parse_count(path_parameter(exchange, "collection"), await read_json(exchange), exchange.preferences)
    return await _counted(exchange, operation)


async def _counted(exchange: Exchange, operation: Count) -> Response:
    plan = await exchange.plan(exchange.store.planner.count, operation)
    return render.counted(await plan.run(exchange.deadline))


async def aggregate(exchange: Exchange) -> Response:
    """Run an aggregation pipeline that only reads."""
    operation = parse_aggregate(path_parameter(exchange, "collection"), await read_json(exchange))
    plan = await exchange.plan(exchange.store.planner.aggregate, operation)
    return await render.rows(exchange, await plan.run(exchange.deadline))
