"""What Schemathesis has to be told: our media types, what cannot be made up, and what JSON Schema cannot say."""

import json
from collections.abc import Iterator
from typing import Any, Final, TypeAlias, cast
from zlib import crc32

import schemathesis
from schemathesis import Case as AnyCase
from schemathesis import HookContext, SerializationContext
from schemathesis.core.transport import Response
from schemathesis.generation.meta import TestPhase

Case: TypeAlias = AnyCase[Any]

MOST_ITEMS: Final = 500
"""Items of one body: more are slow to send, and show nothing that fewer do not."""

ONE_IN: Final = 40
"""Of the cases of the coverage phase on bodies with filters or operations, which are tens of thousands."""


@schemathesis.serializer("application/ejson")
def write_extended(_: SerializationContext, value: Any) -> bytes:
    return json.dumps(value).encode()


@schemathesis.serializer(
    "application/x-ndjson",
    "text/csv",
    "text/tab-separated-values",
    "application/bson",
    "application/vnd.apache.parquet",
    "application/gzip",
    "application/zstd",
    "application/partial-upload",
)
def write_lines(_: SerializationContext, value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode(errors="replace")


@schemathesis.deserializer("application/ejson")
def read_extended(_: object, response: Response) -> Any:
    return json.loads(response.content)


@schemathesis.hook  # pyright: ignore[reportUnknownMemberType]  # untyped in Schemathesis
def filter_case(_: HookContext, case: Case) -> bool:
    """Tell whether a case is worth its time, and one of which the schema can know the answer."""
    if isinstance(case.body, list) and len(cast("list[Any]", case.body)) > MOST_ITEMS:
        return False
    if _is_of_coverage(case) and ":" in case.path:
        text = json.dumps(case.body, default=str) + str(case.query)
        if crc32(text.encode(errors="replace")) % ONE_IN:
            return False
    # To JSON Schema a whole number is an integer, and those are bounded; a double of that size can be stored.
    return _is_positive(case) or not any(abs(number) >= 2**63 for number in _floats(case.body))


@schemathesis.hook  # pyright: ignore[reportUnknownMemberType]  # untyped in Schemathesis
def before_call(_: HookContext, case: Case, __: dict[str, Any]) -> None:
    """Leave out what cannot be made up: cursors are signed, and the `_id` of a document is that of its address."""
    if not _is_positive(case):
        return
    query, body = cast("Any", case.query), cast("Any", case.body)
    if isinstance(query, dict):
        query = cast("dict[str, Any]", query)
        query.pop("cursor", None)
        if query.get("filter") == '"{}"':
            query["filter"] = "{}"  # an example of JSON in a parameter is written as JSON twice
    if isinstance(body, dict):
        cast("dict[str, Any]", body).pop("_id" if case.method == "PUT" else "cursor", None)


def _is_positive(case: Case) -> bool:
    return case.meta is None or case.meta.generation.mode.is_positive


def _is_of_coverage(case: Case) -> bool:
    return case.meta is not None and case.meta.phase.name == TestPhase.COVERAGE


def _floats(value: Any) -> Iterator[float]:
    if isinstance(value, float):
        yield value
    elif isinstance(value, dict | list):
        members = cast("dict[str, Any]", value).values() if isinstance(value, dict) else cast("list[Any]", value)
        for member in members:
            yield from _floats(member)
