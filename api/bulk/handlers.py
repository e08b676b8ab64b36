"""Many writes in one request: `:bulk` on one collection, a transaction on several."""

import asyncio

from starlette.responses import Response

from api import render
from api.bodies import read_json, read_lines
from api.exchange import Exchange, path_parameter
from api.parse import parse_bulk, parse_transaction


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
