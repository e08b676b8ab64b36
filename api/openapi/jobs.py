"""Jobs and the quarantine as JSON Schema."""

from typing import Any, Final

from api.loads.parse import JOB, MAX_IDS, RECORD
from api.openapi.schemas import Schema, ref
from documents.codec.records import Format
from documents.ingest.jobs import Doing, Mode, Origin, State

_COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
_COUNT_OR_NULL: Final[Schema] = {"type": ["integer", "null"], "minimum": 0}
_TEXT: Final[Schema] = {"type": "string"}
_TEXT_OR_NULL: Final[Schema] = {"type": ["string", "null"]}
_AT: Final[Schema] = {"type": "string", "format": "date-time"}
_NEXT: Final[Schema] = {"type": ["string", "null"], "description": "Opaque; null where nothing follows."}
_POINTER: Final[Schema] = {"type": "string", "description": "Where in the record (RFC 6901)."}

JOB_ID: Final[Schema] = {"type": "string", "pattern": f"^{JOB}$"}
RECORD_ID: Final[Schema] = {"type": "string", "pattern": f"^{RECORD}$"}
STATES: Final = [*map(str, (*Doing, *(state for state in State if state is not State.OPEN)))]
FORMS: Final = [*map(str, Format)]


def _record(members: dict[str, Any], description: str) -> Schema:
    return {
        "type": "object",
        "description": description,
        "properties": members,
        "required": list(members),
        "additionalProperties": False,
    }


def _list(item: str, description: str) -> Schema:
    return _record({"items": {"type": "array", "items": ref(item)}, "next": _NEXT}, description)


_FAULT: Final = _record(
    {
        "line": {"type": "integer", "minimum": 0, "description": "Where the record begins, from 1."},
        "offset": {**_COUNT, "description": "Of its first byte, from 0, decompressed."},
        "code": _TEXT,
        "pointer": _POINTER,
        "detail": _TEXT,
    },
    "What is wrong with one record.",
)
_JOB: Final[dict[str, Any]] = {
    "id": JOB_ID,
    "collection": _TEXT,
    "state": {"enum": STATES},
    "mode": {"enum": [*map(str, Mode)]},
    "on": {"type": ["array", "null"], "items": _TEXT, "description": "The key; null of inserts."},
    "format": {"enum": FORMS},
    "origin": {"enum": [*map(str, Origin)]},
    "source": _TEXT_OR_NULL,
    "key": _TEXT_OR_NULL,
    "created": _AT,
    "finished": {"type": ["string", "null"], "format": "date-time"},
    "received": {**_COUNT, "description": "Always `written`, `duplicates` and `quarantined` together."},
    "valid": _COUNT,
    "written": {**_COUNT, "description": "`inserted`, `updated`, `unchanged` and `deleted` together."},
    "inserted": _COUNT,
    "updated": _COUNT,
    "unchanged": _COUNT,
    "deleted": _COUNT,
    "duplicates": _COUNT,
    "quarantined": _COUNT,
    "skipped": {**_COUNT, "description": "Records that a cursor passed over, which do not count as received."},
    "discarded": {
        "type": "object",
        "description": "How often each path was left out, as the contract says.",
        "additionalProperties": _COUNT,
    },
    "bytes": {**_COUNT, "description": "That were read so far."},
    "total_bytes": _COUNT_OR_NULL,
    "upload_offset": {**_COUNT_OR_NULL, "description": "Bytes of the upload that are here; null once it is loaded."},
    "rate": {**_COUNT, "description": "Records a second."},
    "eta_seconds": _COUNT_OR_NULL,
    "waiting_for": {**_TEXT_OR_NULL, "description": "Why it stands still, if it does."},
    "faults": {
        "type": "array",
        "items": ref("RecordFault"),
        "description": "What is wrong with records, the first of them. The records are in quarantine.",
    },
    "error": {
        "anyOf": [_record({"code": _TEXT, "detail": _TEXT}, "Why it failed."), {"type": "null"}],
    },
    "undone": {
        "anyOf": [
            _record({"inserted": _COUNT, "deleted": _COUNT, "kept": _COUNT, "absent": _COUNT}, "What was taken back."),
            {"type": "null"},
        ],
    },
    "notes": {"type": "array", "items": _TEXT},
    "expectations": {
        "type": "array",
        "items": _record(
            {"expected": _TEXT, "met": {"type": "boolean"}, "found": _TEXT}, "Whether an expectation is met."
        ),
    },
    "cursor": {
        "anyOf": [_record({"name": _TEXT, "field": _TEXT}, "Which records are new."), {"type": "null"}],
    },
    "mapping": {"type": ["array", "object", "null"], "description": "How its records are changed."},
}
_QUARANTINED: Final = _record(
    {
        "id": RECORD_ID,
        "job": JOB_ID,
        "source": _TEXT_OR_NULL,
        "format": {"enum": FORMS, "description": "Of its bytes."},
        "line": {"type": "integer", "minimum": 0},
        "offset": _COUNT,
        "size_bytes": _COUNT,
        "code": _TEXT,
        "pointer": _POINTER,
        "detail": _TEXT,
        "rule": {**_TEXT_OR_NULL, "description": "Where in the contract the rule stands that it breaks."},
        "contract_version": _COUNT_OR_NULL,
        "attempts": {**_COUNT, "description": "How often it was tried again."},
        "at": _AT,
        "raw_is_cut": {"type": "boolean", "description": "Whether there is more of it than is shown."},
    },
    "A record that could not be loaded, as it came: `raw`, or `raw_base64` if it is not UTF-8.",
)
_QUARANTINED["properties"] |= {"raw": _TEXT, "raw_base64": {"type": "string", "contentEncoding": "base64"}}
_REPLAY: Final[Schema] = {
    "type": "object",
    "description": "Which records to try again: those for which every member holds. Without any, say `all`.",
    "properties": {
        "ids": {"type": "array", "items": _TEXT, "maxItems": MAX_IDS},
        "job": _TEXT,
        "code": _TEXT,
        "all": {"type": "boolean", "default": False},
        "force": {
            "type": "boolean",
            "default": False,
            "description": "Write also over documents that were written since a record was put aside.",
        },
    },
    "additionalProperties": False,
    "minProperties": 1,
    "examples": [{"code": "wrong-type"}],
}
_LOAD: Final = _record(
    {
        "job": JOB_ID,
        "inserted": {"type": "boolean", "description": "Whether it inserted the document, or changed it."},
        "mode": {"enum": [*map(str, Mode)]},
        "source": _TEXT_OR_NULL,
        "key": _TEXT_OR_NULL,
        "created": _AT,
    },
    "A load that wrote a document.",
)

JOB_SCHEMAS: Final[dict[str, Schema]] = {
    "RecordFault": _FAULT,
    "JobReport": _record(_JOB, "A job, how far it is, and what became of its records."),
    "JobReports": _list("JobReport", "A page of jobs, the newest first."),
    "QuarantinedRecord": _QUARANTINED,
    "QuarantinedRecords": _list("QuarantinedRecord", "A page of records, of each its first 2 KB."),
    "QuarantineDiscarded": _record({"discarded": _COUNT}, "How many records were discarded."),
    "QuarantineReplay": _REPLAY,
    "DocumentLoad": _LOAD,
    "DocumentLoads": _record(
        {"items": {"type": "array", "items": ref("DocumentLoad")}}, "The loads that wrote a document, the first first."
    ),
}
