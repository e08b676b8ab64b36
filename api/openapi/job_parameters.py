"""Parameters of loads, jobs and the quarantine."""

from typing import Final

from api.loads.parse import DEFAULT_LISTED, MAX_IDS, MAX_LISTED, MAX_NAME, QUARANTINE_FORMATS
from api.openapi.jobs import FORMS, JOB_ID, RECORD_ID, STATES
from api.openapi.places import in_header, in_path, in_query
from api.openapi.schemas import Schema, ref
from documents.codec.csv_columns import CELLS
from documents.codec.dialect import SETTINGS
from documents.codec.formats import formats_with
from documents.ingest.jobs import Mode, State
from documents.types import COLLECTION_NAME

_NAME: Final[Schema] = {"type": "string", "minLength": 1, "maxLength": MAX_NAME}
_FLAG: Final[Schema] = {"type": "boolean", "default": False}
_COLUMN: Final = rf"[^,:\s]+:({'|'.join(CELLS)})"


def _forms(option: str) -> str:
    """Return the formats for which an option has a meaning, in words."""
    *others, last = formats_with(option)
    return f"{', '.join(others)} and {last}" if others else last


JOB_PARAMETERS: Final[dict[str, Schema]] = {
    "load-mode": in_query(
        "mode",
        "What a record does. `insert`: stored as a new document. `upsert`: replaces the one with its key, or is new. "
        "`replace`: replaces it. `merge`: changes it, as a merge patch, or is new. `delete`: deletes it.",
        {"enum": [*map(str, Mode)], "default": str(Mode.INSERT)},
    ),
    "load-on": in_query("on", "The key that all modes but `insert` go by: `_id`, or fields.", ref("FieldList")),
    "load-format": in_query(
        "format",
        "Of the body. Without it, what `Content-Type` says; where that says nothing, what the beginning looks like.",
        {"enum": FORMS},
    ),
    "header": in_query(
        "header",
        f"Of {_forms('header')}: the names of the columns, where the first row is data already.",
        {"type": "string"},
    ),
    "types": in_query(
        "types",
        "Of csv and tsv: types of columns. Others are strings.",
        {"type": "string", "pattern": f"^{_COLUMN}(,{_COLUMN})*$", "examples": ["price:decimal,when:date"]},
    ),
    "infer": in_query("infer", "Of csv and tsv: infer the types of the other columns from the first rows.", _FLAG),
    "nested": in_query("nested", f"Of {_forms('nested')}: dots in the names of columns mean objects.", _FLAG),
    "items": in_query(
        "items",
        "Of json: the member of an object whose array has the records, as `features` in GeoJSON.",
        {**_NAME, "examples": ["features"]},
    ),
    "mapping": in_query(
        "mapping",
        "How each record is changed before it is stored: a list of steps, or the name of a mapping of the project.",
        {"type": "string", "minLength": 1, "examples": ['[{"rename":{"nom":"name"}},{"drop":["note"]}]']},
    ),
    "sheet": in_query(
        "sheet",
        f"Of {_forms('sheet')}: the name of the sheet, or its number from 1. Without it, the first one.",
        {**_NAME, "examples": ["Prices"]},
    ),
    "max-bad": in_query(
        "max_bad",
        "How many records may be put aside, as `100`, or as a share of those received, `1%`. Then the load stops. A "
        "share is judged from 10,000 records on, and at the end.",
        {"type": "string", "pattern": "^[0-9]+(\\.[0-9]+)?%?$", "examples": ["1%"]},
    ),
    "max-drift": in_query(
        "max_drift",
        "In how many fields the first records may differ from the documents that are there, as `2`, or as a share of "
        "their fields, `10%`: fields that are new, gone, or of another type. Else nothing is written.",
        {"type": "string", "pattern": "^[0-9]+(\\.[0-9]+)?%?$", "examples": ["0"]},
    ),
    "expect": in_query(
        "expect",
        "What the records should be, in JSON. With `all_or_nothing` nothing is written unless they are; without, the "
        "report says what they are.",
        {"type": "string", "examples": ['{"rows": {"min": 1}, "fields": {"sku": {"unique": true}}}']},
    ),
    "all-or-nothing": in_query(
        "all_or_nothing",
        "Stage the records, and move them into the collection once all are known to fit. Unless `max_bad` says "
        "otherwise, none may be put aside.",
        _FLAG,
    ),
    **{
        name: in_query(
            name,
            f"Of {_forms(name)}: {setting.help}.",
            {"type": "string", "minLength": 1, "examples": [setting.example]},
        )
        for name, setting in SETTINGS.items()
    },
    "accept": in_query("accept", "Read a table as it seems to be, where that is not certain.", _FLAG),
    "source-name": in_query("name", "Of the source, for people.", _NAME),
    "load-key": in_query("key", "Under which this is loaded once, however often it is sent.", _NAME),
    "idempotency-key": in_header("Idempotency-Key", "The same as `key`.", {**_NAME, "pattern": '^[^" ]+$'}),
    "upload-offset": in_header(
        "Upload-Offset",
        "At which byte of the upload the body begins.",
        {"type": "integer", "minimum": 0, "maximum": 10**15 - 1},
        required=True,
    ),
    "upload-complete": in_header(
        "Upload-Complete",
        "`?0`: more is to follow behind this body, in a request of its own.",
        {"enum": ["?1", "?0"], "default": "?1"},
    ),
    "document-id": in_query(
        "id", "Of the document, as in its address.", {"type": "string", "minLength": 1}, required=True
    ),
    "job": in_query("job", "Only those of this load.", {"type": "string"}),
    "code": in_query("code", "Only those with this fault.", {"type": "string", "examples": ["wrong-type"]}),
    "quarantine-format": in_query(
        "format",
        "`raw`: all records as they came, with line feeds between, to be mended and sent again.",
        {"enum": list(QUARANTINE_FORMATS), "default": QUARANTINE_FORMATS[0]},
    ),
    "record-ids": in_query(
        "id",
        "Only these records.",
        {"type": "array", "items": {"type": "string", "pattern": "^[^,]*$"}, "minItems": 1, "maxItems": MAX_IDS},
        style="form",
        explode=False,
    ),
    "all": in_query("all", "Mean all of them.", _FLAG),
    "force": in_query("force", "Delete documents that were changed since, too.", _FLAG),
    "job-id": in_path("id", "Of the job.", JOB_ID),
    "record-id": in_path("id", "Of the record.", RECORD_ID),
    "job-collection": in_query(
        "collection", "Only those that load into it.", {"type": "string", "pattern": f"^{COLLECTION_NAME}$"}
    ),
    "job-state": in_query("state", "Only those in it.", {"enum": [*STATES, str(State.OPEN)]}),
    "job-key": in_query("key", "Only those with it.", {"type": "string"}),
    "limit-jobs": in_query(
        "limit", "Of a page.", {"type": "integer", "minimum": 1, "maximum": MAX_LISTED, "default": DEFAULT_LISTED}
    ),
    "cursor-jobs": in_query("cursor", "`next` of the page before.", {"type": "string"}),
    "cursor-quarantine": in_query("cursor", "`next` of the page before.", {"type": "string"}),
}
