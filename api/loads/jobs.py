"""Jobs: loads that go on by themselves, looked at, continued, stopped and taken back."""

from http import HTTPStatus

from starlette.responses import Response

from api.exchange import Exchange, path_parameter
from api.loads import reports
from api.loads.ingest import await_job, report_of
from api.loads.parse import parse_find_jobs, parse_undo, parse_upload_complete, parse_upload_offset
from api.loads.uploads import Arrival, complete, keep
from api.media import content_type
from documents.ingest.jobs import State
from documents.ingest.requests import ContinueUpload

PARTIAL = "application/partial-upload"
BYTES = "application/octet-stream"


async def list_jobs(exchange: Exchange) -> Response:
    """List jobs, the newest first."""
    operation = parse_find_jobs(exchange)
    plan = await exchange.plan(exchange.store.ingestion.jobs, operation)
    return reports.jobs(await plan.run(exchange.deadline), operation.limit - 1)


async def get_job(exchange: Exchange) -> Response:
    """Read one job."""
    plan = await exchange.plan(exchange.store.ingestion.job, path_parameter(exchange, "id"))
    return reports.job(await plan.run(exchange.deadline))


async def patch_job(exchange: Exchange) -> Response:
    """Go on with an upload.

    Source:
        draft-ietf-httpbis-resumable-upload, upload append.
    """
    offset, is_whole = parse_upload_offset(exchange), parse_upload_complete(exchange)
    if exchange.has_body():  # there may be nothing left to send but that this was all
        content_type(exchange.header(b"content-type"), PARTIAL, BYTES)
    arrival = Arrival(exchange, exchange.store.settings.max_upload_bytes)
    job_id = path_parameter(exchange, "id")
    operation = ContinueUpload(job_id, offset, exchange.renew)
    plan = await exchange.plan(exchange.store.ingestion.upload, operation)
    receiver = await plan.run(exchange.deadline)
    arrival.follow(receiver.offset)
    await keep(exchange, arrival, receiver, job_id, on_kept=lambda: exchange.runner.start(job_id))
    if not is_whole:
        await receiver.flush()
        exchange.end_reading()
        headers = {"Upload-Offset": str(receiver.offset), "Upload-Complete": "?0"}
        return Response(status_code=HTTPStatus.NO_CONTENT, headers=headers)
    await complete(exchange, receiver)
    exchange.runner.start(job_id)
    headers = {"Upload-Offset": str(receiver.offset), "Upload-Complete": "?1"}
    return reports.accepted(exchange, await report_of(exchange, job_id), **headers)


async def cancel_job(exchange: Exchange) -> Response:
    """Stop a job. What it has written stays."""
    exchange.ignore_body()
    plan = await exchange.plan(exchange.store.ingestion.cancel, path_parameter(exchange, "id"))
    report = await plan.run(exchange.deadline)
    return reports.job(report) if report.job.state is State.CANCELLED else reports.accepted(exchange, report)


async def undo_job(exchange: Exchange) -> Response:
    """Take a load back: what it inserted, and nobody has changed since."""
    exchange.ignore_body()
    operation = parse_undo(exchange)
    plan = await exchange.plan(exchange.store.ingestion.undo, operation)
    await plan.run(exchange.deadline)
    report = await await_job(exchange, operation.id, is_short=True)  # uploads that dawdle shall not hold it up
    return reports.accepted(exchange, report) if report.is_open else reports.job(report)
