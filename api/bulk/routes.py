"""Routes of many writes in one request."""

from collections.abc import Sequence
from typing import Final

from api.bodies import MAX_OPERATIONS
from api.bulk import handlers
from api.documents.routes import EACH_HAS_AN_OUTCOME
from api.media import NDJSON
from api.openapi.problems import BODY, STORE
from api.openapi.responses import answer, json_body, mixed_outcomes
from api.openapi.schemas import Schema, ref
from api.openapi.shapes import list_of, record
from api.openapi.subjects import Subject
from api.parse import MAX_TRANSACTION
from api.problems import NotAcceptableError
from api.record import COLLECTION, Bodies, Responses, Route
from documents import errors
from documents.errors import OperationFailedError

_TRANSACTION: Final = record({"operations": list_of(ref("TransactionOperation"), minItems=1, maxItems=MAX_TRANSACTION)})


def _bulk(subject: Subject) -> Bodies:
    operations = list_of(ref(f"{subject.one}Operation"), maxItems=MAX_OPERATIONS)
    example = '{"op": "insert", "document": {}}\n{"op": "delete", "id": "65a1f0c2d4b5e6f708192a3b"}\n'
    lines: Schema = {"type": "string", "description": "An operation a line, as NDJSON.", "examples": [example]}
    return {**json_body(operations), NDJSON: lines}


def _atomic(_: Subject) -> Responses:
    outcomes = ref("Outcomes")
    return {200: answer("Done: the outcomes.", outcomes), 201: answer("All of them new: the outcomes.", outcomes)}


ROUTES: Final[Sequence[Route]] = (
    Route(
        "POST", f"{COLLECTION}:bulk", handlers.bulk,
        name="bulk{many}", summary="Write several of the {many}",
        answers=lambda subject: {**_atomic(subject), **mixed_outcomes()},
        errors=(*STORE, *BODY, OperationFailedError, NotAcceptableError),
        parameters=("mode", "on", "prefer"), body=_bulk, description=EACH_HAS_AN_OUTCOME,
    ),
    Route(
        "POST", "/v1:transaction", handlers.transaction,
        name="runTransaction", summary="Write to several collections, all or none", answers=_atomic,
        errors=(*STORE, *BODY, errors.InvalidOperationError, OperationFailedError, NotAcceptableError),
        parameters=("prefer",), body=lambda _: json_body(_TRANSACTION), tag="store",
    ),
)  # fmt: skip
