"""The quarantine: records that could not be loaded, looked at, tried again and discarded."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from http import HTTPStatus

from starlette.responses import Response

from api.bodies import read_json
from api.exchange import Exchange, path_parameter
from api.export.handlers import FileStream
from api.loads import reports
from api.loads.ingest import await_job
from api.loads.parse import parse_discard, parse_find_quarantined, parse_replay
from documents.codec.records import Format
from documents.collections.export import Piece
from documents.database.deadline import Running
from documents.errors import QuarantinedNotFoundError
from documents.ingest.quarantine import Chosen, Quarantined
from documents.ingest.requests import ChangeQuarantine, FindQuarantined, ReadQuarantined


async def list_quarantined(exchange: Exchange) -> Response:
    """List records, or write them all as they came."""
    operation, is_raw = parse_find_quarantined(exchange)
    if is_raw:
        return await _as_they_came(exchange, operation)
    plan = await exchange.plan(exchange.store.ingestion.quarantined, operation)
    return reports.quarantine(await plan.run(exchange.deadline), operation.limit - 1)


async def get_quarantined(exchange: Exchange) -> Response:
    """Read one record, whole."""
    operation = ReadQuarantined(path_parameter(exchange, "collection"), path_parameter(exchange, "id"))
    plan = await exchange.plan(exchange.store.ingestion.quarantined_one, operation)
    return reports.quarantined(await plan.run(exchange.deadline))


async def discard_quarantined(exchange: Exchange) -> Response:
    """Discard records for good."""
    exchange.ignore_body()
    plan = await exchange.plan(exchange.store.ingestion.discard, parse_discard(exchange))
    return reports.discarded(await plan.run(exchange.deadline))


async def discard_one(exchange: Exchange) -> Response:
    """Discard one record for good."""
    exchange.ignore_body()
    key = path_parameter(exchange, "id")
    operation = ChangeQuarantine(path_parameter(exchange, "collection"), Chosen(ids=[key]))
    plan = await exchange.plan(exchange.store.ingestion.discard, operation)
    if not await plan.run(exchange.deadline):
        raise QuarantinedNotFoundError(key)
    return Response(status_code=HTTPStatus.NO_CONTENT)


async def replay(exchange: Exchange) -> Response:
    """Try records again, under the contract of now."""
    operation = parse_replay(path_parameter(exchange, "collection"), await read_json(exchange))
    plan = await exchange.plan(exchange.store.ingestion.replay, operation)
    job = await plan.run(exchange.deadline)
    return reports.loaded(exchange, await await_job(exchange, job.id))


async def _as_they_came(exchange: Exchange, operation: FindQuarantined) -> Response:
    headers = {
        "Content-Type": "application/octet-stream",
        "Content-Disposition": f'attachment; filename="{operation.collection}-quarantine"',
    }
    with Running(exchange.deadline, writes=False):
        plan = await exchange.store.ingestion.quarantined_all(operation, exchange.policy)
    records = plan.run(seconds=exchange.store.settings.request_timeout.total_seconds())
    pieces = _pieces(records)
    await anext(pieces)  # MongoDB answers; what it refuses is still a problem document
    return FileStream(pieces, headers)


async def _pieces(records: AsyncGenerator[Quarantined]) -> AsyncGenerator[Piece]:
    """Yield a piece of nothing once MongoDB answers, and then one record after the other, those that are whole."""
    written = 0
    is_asked = False
    async with aclosing(records) as found:
        async for record in found:
            if not is_asked:
                is_asked = True
                yield Piece(b"", 0)
            if not record.is_cut:
                written += 1
                yield Piece(record.raw + (b"" if record.form is Format.BSON else b"\n"), written)
    if not is_asked:
        yield Piece(b"", 0)
