"""Routes of the profile of a collection."""

from collections.abc import Sequence
from typing import Final

from api.openapi.problems import QUERY, STORE
from api.openapi.responses import answer
from api.openapi.schemas import ref
from api.openapi.subjects import Subject
from api.record import COLLECTION, JSON_ONLY, Responses, Route
from api.schema import handlers
from documents.access.actions import Action

HTML: Final = "text/html"


def _profile(_: Subject) -> Responses:
    shapes = {"anyOf": [ref("Profile"), ref("SchemaDocument")]}
    response = answer("What the documents look like.", shapes, media=JSON_ONLY)
    response["content"][HTML] = {"schema": {"type": "string"}}
    return {200: response}


ROUTES: Final[Sequence[Route]] = (
    Route(
        "GET", f"{COLLECTION}:schema", handlers.get_schema, (Action.READ,),
        name="getSchemaOf{many}", summary="Say what {many} look like", answers=_profile,
        errors=(*STORE, *QUERY),
        parameters=("schema-format", "sample", "examples", "q", "field-filters", "filter", "prefer"),
        description="Of all of them, or of a random sample. The answer says how many were looked at, and what that "
        "cannot tell. Fields that have the name of a parameter are filtered through `filter`.",
    ),
)  # fmt: skip
