"""The indexes of a collection: compared, and changed."""

from starlette.responses import Response

from api import render
from api.bodies import read_json
from api.exchange import Exchange, path_parameter
from documents.indexes.planner import ReadIndexes, SetIndexes


async def get_indexes(exchange: Exchange) -> Response:
    """Compare the indexes that there are with those that are declared."""
    operation = ReadIndexes(path_parameter(exchange, "collection"))
    plan = await exchange.plan(exchange.store.indexes.read, operation)
    return render.indexes(await plan.run(exchange.deadline))


async def put_indexes(exchange: Exchange) -> Response:
    """Build what lacks, and change what differs."""
    operation = SetIndexes(path_parameter(exchange, "collection"))
    if exchange.has_body():
        operation = SetIndexes(operation.collection, await read_json(exchange))
    plan = await exchange.plan(exchange.store.indexes.set, operation)
    return render.indexes(await plan.run(exchange.deadline))
