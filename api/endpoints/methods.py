"""Custom methods of a collection: query, count, aggregate, bulk; and the transaction."""

import asyncio

from starlette.responses import Response

from api import render
from api.bodies import read_json, read_lines
from api.exchange import Exchange, path_parameter
from api.parse import parse_aggregate, parse_bulk, parse_count, parse_query, parse_transaction


async def query(exchange: Exchange) -> Response:
    """List documents by a filter in the body."""
    operation = parse_query(path_parameter(exchange, "collection"), await read_json(exchange), exchange.preferences)
    plan = await exchange.plan(exchange.store.planner.find, operation)
    return await render.page(exchange, await plan.run(exchange.deadline))


async def count(exchange: Exchange) -> Response:
    """Count documents."""
    operation = parse_count(path_parameter(exchange, "collection"), await read_json(exchange), exchange.preferences)
    plan = await exchange.plan(exchange.store.planner.count, operation)
    return render.counted(await plan.run(exchange.deadline))


async def aggregate(exchange: Exchange) -> Response:
    """Run an aggregation pipeline that only reads."""
    operation = parse_aggregate(path_parameter(exchange, "collection"), await read_json(exchange))
    plan = await exchange.plan(exchange.store.planner.aggregate, operation)
    return await render.rows(exchange, await plan.run(exchange.deadline))


async def bulk(exchange: Exchange) -> Response:
    """Carry out mixed writes, each with its own outcome."""
    collection = path_parameter(exchange, "collection")
    # In a thread, since ten thousand operations take a while to read and others are waiting.
    items = await read_lines(exchange)
    operation = await asyncio.to_thread(
        parse_bulk, collection, items, exchange.parameters, exchange.deadline, literal=exchange.is_literal
    )
    plan = await exchange.plan(exchange.store.planner.bulk, operation)
    return await render.outcomes(exchange, await plan.run(exchange.deadline))


async def transaction(exchange: Exchange) -> Response:
    """Carry out writes to several collections, all or none."""
    operation = parse_transaction(await read_json(exchange), literal=exchange.is_literal)
    plan = await exchange.plan(exchange.store.planner.transaction, operation)
    return await render.outcomes(exchange, await plan.run(exchange.deadline))
