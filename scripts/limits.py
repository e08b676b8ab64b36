"""Write docs/limits.md: every bound of the program, from its settings and constants.

Run it as `python -m scripts.limits` after one of them has changed.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from api import bodies, exchange, parse, preferences, problems, server
from api.loads import parse as parse_jobs
from api.loads import uploads
from documents import aside
from documents.catalog import ids
from documents.codec import json_patch, patch_shape
from documents.collections import plan, read
from documents.contracts import contract, grammar, rules
from documents.ingest import reading, runner
from documents.query import paths, projection, spot
from documents.query.filter import filter as filters
from documents.query.filter import operands, values
from documents.query.paging import cursor, sort
from documents.query.pipeline import aggregate
from documents.query.pipeline import loops as expression_loops
from documents.query.pipeline import spot as expression_spot
from documents.query.regex import pattern as regex
from documents.settings import Settings, describe_settings
from documents.types import MAX_DEPTH, MAX_DOCUMENT_BYTES

PAGE: Final = Path(__file__).parent.parent / "docs" / "limits.md"
TOLD: Final = {
    "request_timeout": "503 `deadline-exceeded`",
    "disk_reserve_bytes": "507 `disk-full`",
    "max_body_bytes": "413 `body-too-large`",
    "max_upload_bytes": "413 `body-too-large`",
    "quarantine_load_records": "409 `quarantine-full`",
    "quarantine_load_bytes": "409 `quarantine-full`",
    "quarantine_collection_records": "409 `quarantine-full`",
    "quarantine_collection_bytes": "409 `quarantine-full`",
    "max_array_position": "422 `invalid-document`",
    "max_concurrency": "503 `overloaded`",
    "max_exports": "503 `overloaded`",
    "max_uploads": "503 `overloaded`",
    "client_share": "429 `too-many-requests`",
    "max_connections": "503 `overloaded`",
    "max_unsent_bytes": "the connection ends",
    "min_bytes_per_second": "408 `request-timeout`, or the connection ends",
    "max_pool_size": "requests wait",
    "drain_timeout": "the connection ends",
}
"""How a client hears of each setting that is a bound."""


@dataclass(frozen=True, slots=True)
class Fixed:
    """A bound that no setting changes.

    Args:
        what: It bounds.
        most: The bound.
        unit: Behind the number.
        told: How a client hears of it.
    """

    what: str
    most: int
    unit: str
    told: str


_FILTER: Final = "400 `invalid-filter`"
_PARAMETER: Final = "400 `invalid-parameter`"
_PIPELINE: Final = "400 `invalid-pipeline`"
_CONTRACT: Final = "422 `invalid-contract`"
_LARGE: Final = "413 `body-too-large`"
FIXED: Final = (
    Fixed("First line and headers of a request", server.HEADER_BYTES, "bytes", "431 `headers-too-large`"),
    Fixed("Time for them", int(server.HEADER_SECONDS), "seconds", "408 `request-timeout`"),
    Fixed("Parameters in a URL", exchange.MAX_PARAMETERS, "", _PARAMETER),
    Fixed("Body of a load that is waited for", uploads.SMALL_BYTES, "bytes", "202, a job"),
    Fixed(f"Weight of a body of {bodies.AWAY_BYTES:,} bytes or more", bodies.MAX_WEIGHT, "", _LARGE),
    Fixed("Documents or operations in a request", bodies.MAX_OPERATIONS, "", _LARGE),
    Fixed("Operations in a transaction", parse.MAX_TRANSACTION, "", _LARGE),
    Fixed("Document", MAX_DOCUMENT_BYTES, "bytes as BSON", "413 `document-too-large`"),
    Fixed("Nesting of a document", MAX_DEPTH, "levels", "422 `invalid-document`"),
    Fixed("`_id` that is a string or binary", ids.MAX_ID_BYTES, "bytes", "422 `invalid-id`"),
    Fixed("Documents on a page, rows of an aggregation", plan.MAX_LIMIT, "", _PARAMETER),
    Fixed("Operators in a filter", spot.MAX_NODES, "", _FILTER),
    Fixed("Nesting of a filter", spot.MAX_DEPTH, "levels", _FILTER),
    Fixed("Values in a list of a filter", operands.MAX_LIST, "", _FILTER),
    Fixed("Values in a filter or pipeline", values.MAX_PARTS, "", _FILTER),
    Fixed("A filter or pipeline, compiled", values.MAX_COMPILED_BYTES, "bytes", _FILTER),
    Fixed("Regular expression", regex.MAX_LENGTH, "characters", _FILTER),
    Fixed("Search text in `q`", filters.MAX_SEARCH, "characters", _PARAMETER),
    Fixed("Sort keys", sort.MAX_KEYS, "", _PARAMETER),
    Fixed("Fields asked for or left out", projection.MAX_FIELDS, "", _PARAMETER),
    Fixed("Sort values at the end of a page", cursor.MAX_CURSOR_BYTES, "bytes", "422 `query-refused`"),
    Fixed("Names in a path", paths.MAX_SEGMENTS, "", _PARAMETER),
    Fixed("Fields in the key of an upsert", parse.MAX_KEYS, "", "422 `invalid-operation`"),
    Fixed("Operations in a JSON Patch", patch_shape.MAX_OPERATIONS, "", "400 `invalid-patch`"),
    Fixed("What the `copy` operations of one add", json_patch.MAX_COPIED, "bytes", "400 `invalid-patch`"),
    Fixed("Stages in a pipeline", aggregate.MAX_STAGES, "", _PIPELINE),
    Fixed("Nesting of an expression", expression_spot.MAX_DEPTH, "levels", _PIPELINE),
    Fixed("Parts of the expressions in a pipeline", expression_spot.MAX_NODES, "", _PIPELINE),
    Fixed("Loops inside one another in an expression", expression_loops.MAX_NESTED, "", _PIPELINE),
    Fixed("Documents that `$sample` takes", aggregate.MAX_SAMPLE, "", _PIPELINE),
    Fixed("Count of `Prefer: count=bounded`", read.BOUND, "", "`count_kind` is `at-least`"),
    Fixed("Documents that `max-affected` can allow", preferences.MAX_AFFECTED, "", _PARAMETER),
    Fixed("Schema of a contract", contract.MAX_BYTES, "bytes", _CONTRACT),
    Fixed("Schemas in a contract", grammar.MAX_WEIGHT, "", _CONTRACT),
    Fixed("Schemas that a value may be tried against", grammar.MAX_TRIES, "", _CONTRACT),
    Fixed("Arrays and objects in an `enum`", grammar.MAX_CHOICES, "", _CONTRACT),
    Fixed("Values of a document times schemas of its contract", rules.MAX_TRIALS, "", "422 `invalid-document`"),
    Fixed("Record of a load", reading.RECORD_BYTES, "bytes", "the record is put aside"),
    Fixed("Name or key of a load", parse_jobs.MAX_NAME, "characters", _PARAMETER),
    Fixed("Jobs, or records in quarantine, on a page", parse_jobs.MAX_LISTED, "", _PARAMETER),
    Fixed("Records that a replay names", parse_jobs.MAX_IDS, "", "422 `invalid-document`"),
    Fixed("Long jobs at once in a process", runner.AT_ONCE, "", "others wait"),
    Fixed("Short jobs at once in a process", runner.SHORT_AT_ONCE, "", "others wait"),
    Fixed("Document that is worked on without a thread", aside.LARGE_BYTES, "bytes", "nobody hears of it"),
    Fixed("Large values worked on at once in a process", aside.AT_ONCE, "", "others wait"),
    Fixed("Faults that an error lists", problems.MAX_FAULTS, "", "the others are left out"),
)
_INTRODUCTION: Final = """# Limits

Everything that a request may bring or take is bounded. `python -m scripts.limits` writes this page from the program.

## That settings change

| Setting | Default | What | Beyond it |
|---|---|---|---|
"""
_FIXED: Final = """
## That are fixed

| What | At most | Beyond it |
|---|---|---|
"""


def render() -> str:
    """Return the page."""
    described = {name: (default, meaning) for name, default, meaning in describe_settings()}
    variables = {f"SHEAF_{name}".upper(): TOLD[name] for name in Settings.model_fields if name in TOLD}
    settings = "".join(
        f"| `{name}` | `{described[name][0]}` | {described[name][1]} | {told} |\n" for name, told in variables.items()
    )
    fixed = "".join(f"| {each.what} | {f'{each.most:,} {each.unit}'.strip()} | {each.told} |\n" for each in FIXED)
    return f"{_INTRODUCTION}{settings}{_FIXED}{fixed}"


if __name__ == "__main__":
    PAGE.write_text(render(), "utf-8")
