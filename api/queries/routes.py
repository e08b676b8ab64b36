"""Routes of queries in a body."""

from collections.abc import Sequence
from typing import Final

from api.documents.routes import page
from api.openapi.problems import BODY, QUERY, STORE
from api.openapi.responses import answer, json_body, plain_answer
from api.openapi.schemas import Schema, nullable, ref
from api.openapi.shapes import record
from api.problems import NotAcceptableError
from api.queries import handlers
from api.record import COLLECTION, Route
from documents import errors
from documents.access.actions import Action
from documents.collections.selected import MAX_LIMIT

_SELECTION: Final[dict[str, Schema]] = {
    "filter": nullable(ref("Filter")),
    "q": {"type": ["string", "null"], "minLength": 1, "maxLength": 1000, "pattern": r"\S"},
}
_LIMIT: Final[Schema] = {"type": ["integer", "null"], "minimum": 1, "maximum": MAX_LIMIT}
_QUERY: Final = record(
    {},
    {
        **_SELECTION,
        "sort": nullable(ref("Sort")),
        "fields": nullable(ref("Fields")),
        "limit": _LIMIT,
        "cursor": {"type": ["string", "null"], "description": "`next` or `prev` of another page of the same list."},
    },
)
_COUNT: Final = record({}, _SELECTION)
_AGGREGATE: Final = record({"pipeline": ref("Pipeline")}, {"limit": _LIMIT})

ROUTES: Final[Sequence[Route]] = (
    Route(
        "POST", f"{COLLECTION}:query", handlers.query, (Action.READ,),
        name="query{many}", summary="List {many}, asked for in a body", answers=page,
        errors=(*STORE, *BODY, *QUERY, errors.InvalidCursorError, NotAcceptableError),
        parameters=("prefer",), body=lambda _: json_body(_QUERY),
    ),
    Route(
        "GET", f"{COLLECTION}:count", handlers.count_selected, (Action.READ,),
        name="countSelected{many}", summary="Count {many} by filters in the URL",
        answers=plain_answer("The count.", "Count"),
        errors=(*STORE, *QUERY), parameters=("q", "field-filters", "filter", "prefer"),
    ),
    Route(
        "POST", f"{COLLECTION}:count", handlers.count, (Action.READ,),
        name="count{many}", summary="Count {many}", answers=plain_answer("The count.", "Count"),
        errors=(*STORE, *BODY, *QUERY),
        parameters=("prefer",), body=lambda _: json_body(_COUNT),
    ),
    Route(
        "POST", f"{COLLECTION}:aggregate", handlers.aggregate, (Action.READ,),
        name="aggregate{many}", summary="Aggregate {many}",
        answers=lambda _: {200: answer("What came out.", ref("Rows"), headers=("Vary",))},
        errors=(*STORE, *BODY, *QUERY, errors.InvalidPipelineError, NotAcceptableError),
        parameters=("prefer",), body=lambda _: json_body(_AGGREGATE),
    ),
)  # fmt: skip
