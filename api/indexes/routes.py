"""Routes of the indexes of a collection."""

from collections.abc import Sequence
from typing import Final

from api.indexes import handlers
from api.openapi.problems import BODY, INDEXES, STORE
from api.openapi.responses import answer, json_body, plain_answer
from api.openapi.schemas import ref
from api.openapi.subjects import Subject
from api.record import COLLECTION, JSON_ONLY, Bodies, Responses, Route
from documents import errors
from documents.access.actions import Action

PATH: Final = f"{COLLECTION}:indexes"


def _wanted(subject: Subject) -> Bodies:
    return {} if subject.is_declared else json_body(ref("IndexesInput"))


def _set(_: Subject) -> Responses:
    return {
        200: answer("The indexes as they are now.", ref("Indexes"), media=JSON_ONLY),
        202: answer("What is to be done. MongoDB goes on building.", ref("Indexes"), media=JSON_ONLY),
    }


ROUTES: Final[Sequence[Route]] = (
    Route(
        "GET", PATH, handlers.get_indexes, (Action.READ,),
        name="getIndexesOf{many}", summary="Compare the indexes of {many}",
        answers=plain_answer("The indexes, and what would have to be done.", "Indexes"),
        errors=(*STORE, *INDEXES, errors.CollectionNotFoundError),
    ),
    Route(
        "PUT", PATH, handlers.put_indexes, (Action.CONFIGURE,),
        name="setIndexesOf{many}", summary="Give {many} their indexes", answers=_set,
        errors=(*STORE, *BODY, *INDEXES, errors.IndexConflictError, errors.DuplicateValuesError),
        parameters=("prefer",), body=_wanted,
        description="A model's are built as it declares them, and nothing is sent. Of another collection, those that "
        "are sent are built. Others stay, unless `drop` names them.",
    ),
)  # fmt: skip
