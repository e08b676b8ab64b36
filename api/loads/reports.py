"""Reports of jobs, and records of the quarantine, as responses."""

import codecs
from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Any

import orjson
from starlette.responses import Response

from api.exchange import Exchange
from api.media import Media
from documents.errors import STOPS, JobConflictError, JobFailedError
from documents.ingest.job_report import JobReport
from documents.ingest.jobs import Doing, Job, State
from documents.ingest.quarantine import Quarantined


def job(report: JobReport, status: HTTPStatus = HTTPStatus.OK, **headers: str) -> Response:
    """A job. While its upload comes in, the headers say how far that is."""
    if report.state == Doing.RECEIVING:
        headers |= {"Upload-Offset": str(report.upload_offset or 0), "Upload-Complete": "?0"}
    return _json(report.to_dict(), status, headers)


def loaded(exchange: Exchange, report: JobReport) -> Response:
    """What became of a load; 202 if it is not done yet.

    Raises:
        JobFailedError: It has failed.
        JobConflictError: Somebody has cancelled it.
    """
    if report.is_open:
        return accepted(exchange, report)
    if report.job.error is not None:
        where = f"GET {_address(report)} has the report."
        stopped = STOPS.get(report.job.error["code"])
        if stopped is not None:
            raise stopped(f"{report.job.error['detail']} {where}")
        raise JobFailedError(f"{report.job.error['detail']} {where}")
    if report.job.state is State.CANCELLED:
        raise JobConflictError(f"Job {report.job.id} was cancelled.")
    counts = report.books.counts
    return job(report, HTTPStatus.MULTI_STATUS if counts.quarantined or counts.duplicates else HTTPStatus.OK)


def accepted(exchange: Exchange, report: JobReport, **headers: str) -> Response:
    """A job that goes on by itself."""
    applied = {"Preference-Applied": "respond-async"} if exchange.preferences.respond_async else {}
    return job(report, HTTPStatus.ACCEPTED, Location=_address(report), **applied, **headers)


def jobs(reports: Sequence[JobReport], limit: int) -> Response:
    """A page of jobs, of which there may be one more than belongs to it."""
    shown = reports[:limit]
    following = shown[-1].job.id if len(reports) > limit else None
    return _json({"items": [report.to_dict() for report in shown], "next": following})


def loads(found: Sequence[tuple[Job, bool]]) -> Response:
    """The loads that wrote a document."""
    items = [
        {
            "job": each.id,
            "inserted": is_new,
            "mode": each.load.mode,
            "source": each.load.name,
            "key": each.load.key,
            "created": moment(each.created),
        }
        for each, is_new in found
    ]
    return _json({"items": items})


def quarantine(records: Sequence[Quarantined], limit: int) -> Response:
    """A page of records, of which there may be one more than belongs to it."""
    shown = records[:limit]
    following = shown[-1].id if len(records) > limit else None
    return _json({"items": [to_dict(record) for record in shown], "next": following})


def quarantined(record: Quarantined) -> Response:
    """One record."""
    return _json(to_dict(record))


def discarded(count: int) -> Response:
    """How many records were discarded."""
    return _json({"discarded": count})


def to_dict(record: Quarantined) -> dict[str, Any]:
    """Return a record for JSON, with as much of its bytes as it has here."""
    is_cut = len(record.raw) < record.size_bytes
    text = _text_of(record.raw, is_cut=is_cut)
    return {
        "id": record.id,
        "job": record.job,
        "source": record.source,
        "format": record.form,
        "line": record.line,
        "offset": record.offset,
        "size_bytes": record.size_bytes,
        "code": record.code,
        "pointer": record.pointer,
        "detail": record.detail,
        "rule": record.rule,
        "contract_version": record.contract_version,
        "attempts": record.attempts,
        "at": moment(record.at),
        **({"raw_base64": b64encode(record.raw).decode()} if text is None else {"raw": text}),
        "raw_is_cut": is_cut,
    }


def moment(at: datetime) -> str:
    """Return a time in UTC as JSON has it."""
    return f"{at.replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"


def _text_of(raw: bytes, *, is_cut: bool) -> str | None:
    """Return bytes as text if they are any; a character that is cut through at the end is left out."""
    try:
        return codecs.getincrementaldecoder("utf-8")().decode(raw, final=not is_cut)
    except UnicodeDecodeError:
        return None


def _address(report: JobReport) -> str:
    return f"/jobs/{report.job.id}"


def _json(
    members: Mapping[str, Any], status: HTTPStatus = HTTPStatus.OK, headers: Mapping[str, str] | None = None
) -> Response:
    return Response(
        orjson.dumps(members),
        status,
        headers={"Cache-Control": "no-store", **(headers or {})},
        media_type=Media.JSON.value,
    )
