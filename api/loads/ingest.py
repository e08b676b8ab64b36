"""Loads: a body of records, whatever form they have, read into a collection."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from starlette.responses import Response

from api.exchange import Exchange, path_parameter
from api.loads import reports
from api.loads.parse import LoadRequest, own_parameters, parse_load, parse_upload_complete, refuse
from api.loads.uploads import SMALL_BYTES, Arrival, complete, hash_body, keep
from api.media import charset_of, content_type
from api.problems import UnsupportedMediaTypeError
from documents.codec.csv_reader import HeaderError
from documents.codec.dialect import SETTINGS
from documents.codec.formats import FORMATS
from documents.codec.records import Format
from documents.codec.sniff import HEAD_BYTES, sniff
from documents.codec.table_look import look_at_table
from documents.database.deadline import Deadline, Running
from documents.errors import Fault, InvalidParameterError, JobConflictError
from documents.ingest.job_report import JobReport
from documents.ingest.jobs import Job, Load
from documents.ingest.requests import FindLoads

MEDIA_TYPES: Final[Mapping[str, Format]] = {entry.media_type: form for form, entry in FORMATS.items()}
"""What media types say of a body."""

SNIFFED: Final = ("application/gzip", "application/zstd", "application/octet-stream")
"""These say nothing of what is in it, so that is told from its beginning."""

POLL_SECONDS: Final = 0.2
RESERVE_SECONDS: Final = 1.0
"""What is left of a request's time to tell of a job that is not done by then."""


async def ingest(exchange: Exchange) -> Response:
    """Load the records of the body."""
    settings = exchange.store.settings
    arrival = Arrival(exchange, settings.max_upload_bytes)
    request, is_whole = parse_load(exchange), parse_upload_complete(exchange)
    form = await _form(exchange, request, arrival)
    load = await _looked_at(exchange, request, request.to_load(form, max_bytes=settings.max_upload_bytes), arrival)
    plan = await exchange.plan(exchange.store.ingestion.load, load)
    job, _ = await plan.run(exchange.deadline)
    if job.upload is not None and job.upload.is_complete:
        return await _recognised(exchange, job, await hash_body(exchange, arrival))
    receiver = exchange.store.ingestion.receiver(job.id, on_chunk=exchange.renew)
    await keep(exchange, arrival, receiver, job.id, on_kept=lambda: exchange.runner.start(job.id))
    if not is_whole:
        await receiver.flush()
        exchange.end_reading()
        return reports.accepted(exchange, await report_of(exchange, job.id))
    await complete(exchange, receiver)
    if arrival.size_bytes > SMALL_BYTES or exchange.preferences.is_impatient:
        exchange.runner.start(job.id)
        return reports.accepted(exchange, await report_of(exchange, job.id))
    return reports.loaded(exchange, await await_job(exchange, job.id, is_short=True))


async def get_loads(exchange: Exchange) -> Response:
    """Say which loads wrote a document."""
    own = own_parameters(exchange)
    if "id" not in own:
        refuse("id", "missing", "id says of which document: as in its address.")
    operation = FindLoads(path_parameter(exchange, "collection"), own["id"])
    plan = await exchange.plan(exchange.store.ingestion.loads_of, operation)
    return reports.loads(await plan.run(exchange.deadline))


async def await_job(exchange: Exchange, job_id: str, *, is_short: bool = False) -> JobReport:
    """Have a job done, and return its report when it is, or when the client has waited long enough.

    Args:
        exchange: The request. What it asks for goes on without it, too.
        job_id: Id of the job.
        is_short: Whether all it loads is here, and little.
    """
    task = exchange.runner.start(job_id, is_short=is_short)
    if exchange.preferences.is_impatient:
        return await report_of(exchange, job_id)
    left = exchange.deadline.remaining()
    until = Deadline(left - min(RESERVE_SECONDS, left / 2))
    await asyncio.wait({task}, timeout=until.remaining())  # cancels nothing
    report = await report_of(exchange, job_id)
    while report.is_open and until.remaining() > 0:  # another process has it, which tells nobody here of it
        await asyncio.sleep(POLL_SECONDS)
        report = await report_of(exchange, job_id)
    return report


async def report_of(exchange: Exchange, job_id: str) -> JobReport:
    """Return the report of a job to whoever has made it."""
    with Running(exchange.deadline, writes=False):
        return await exchange.store.ingestion.report(job_id)


async def _recognised(exchange: Exchange, job: Job, digest: str) -> Response:
    """Answer a request that was made before, and was whole."""
    if job.upload is None or job.upload.digest != digest:
        raise JobConflictError("This key was used for other data.")
    return reports.loaded(exchange, await await_job(exchange, job.id))


async def _looked_at(exchange: Exchange, request: LoadRequest, load: Load, arrival: Arrival) -> Load:
    """Return the load of a table with the dialect that its beginning shows; other loads as they are."""
    delimiter = FORMATS[load.form].delimiter
    if delimiter is None:
        return load
    options, charset = load.options, charset_of(exchange.header(b"content-type"))
    if charset is not None and options.dialect.encoding is None:
        options = replace(options, dialect=replace(options.dialect, encoding=_encoding(charset)))
    head = await arrival.head(HEAD_BYTES)
    try:
        look = await asyncio.to_thread(look_at_table, head[:HEAD_BYTES], options, delimiter)
    except HeaderError as error:
        refuse("header", "header-refused" if options.header is None else "invalid", str(error))
    except ValueError as error:
        refuse("format", "invalid", str(error))
    if look.doubts and not request.accept:
        faults = [Fault(f"?{doubt.setting}", "ambiguous", doubt.detail) for doubt in look.doubts]
        names = ", ".join(dict.fromkeys(doubt.setting for doubt in look.doubts))
        detail = f"It is not certain how to read this table. Say {names}, or accept=true to have it read as it seems."
        raise InvalidParameterError(detail, faults)
    return replace(load, options=look.options)


def _encoding(charset: str) -> str:
    try:
        return SETTINGS["encoding"].parse(charset)
    except ValueError as error:
        raise UnsupportedMediaTypeError(str(error), {"Accept": ", ".join(MEDIA_TYPES)}) from None


async def _form(exchange: Exchange, request: LoadRequest, arrival: Arrival) -> Format:
    """Return the form of the records: as the parameter says, or the media type, or the first bytes."""
    header = exchange.header(b"content-type")
    said = header is not None or exchange.has_body()
    tables = [media for media, form in MEDIA_TYPES.items() if FORMATS[form].delimiter]
    kind = content_type(header, *MEDIA_TYPES, *SNIFFED, in_any_charset=tables) if said else ""
    form = request.form or MEDIA_TYPES.get(kind)
    if form is not None:
        return form
    head = await arrival.head(HEAD_BYTES)
    found = await asyncio.to_thread(sniff, head[:HEAD_BYTES], request.name)
    if found.alien:
        detail = f"The body is {found.alien}, which is not loaded."
        raise UnsupportedMediaTypeError(detail, {"Accept": ", ".join(MEDIA_TYPES)})
    if found.format is not None:
        return found.format
    if head:
        detail = "What is in the body cannot be told from its beginning. Content-Type or format= can say it."
        raise UnsupportedMediaTypeError(detail, {"Accept": ", ".join(MEDIA_TYPES)})
    return Format.NDJSON
