"""Routes of collections and their documents."""

from collections.abc import Sequence
from typing import Final

from api.bodies import MAX_OPERATIONS
from api.documents import collections, handlers
from api.media import JSON_PATCH, MERGE_PATCH, UPDATE
from api.openapi.problems import BODY, CHANGING, MISSING, QUERY, SEVERAL, STORE, STORING
from api.openapi.responses import answer, json_body, mixed_outcomes, plain_answer
from api.openapi.schemas import ref
from api.openapi.shapes import list_of
from api.openapi.subjects import Subject
from api.problems import NotAcceptableError
from api.record import COLLECTION, DOCUMENT, JSON_ONLY, Bodies, Responses, Route
from documents import errors
from documents.access.actions import Action
from documents.errors import PreconditionFailedError

CONDITIONS: Final = ("if-match", "if-none-match")
EACH_HAS_AN_OUTCOME: Final = "Each operation has an outcome of its own, in the order in which they came."


def _document(subject: Subject) -> Bodies:
    return json_body(ref(f"{subject.one}Input"))


def _documents(subject: Subject) -> Bodies:
    one = ref(f"{subject.one}Input")
    return json_body({"oneOf": [one, list_of(one, maxItems=MAX_OPERATIONS)]})


def _change(subject: Subject) -> Bodies:
    patch = ref(f"{subject.one}Patch")
    return {MERGE_PATCH: patch, JSON_PATCH: ref("JsonPatch"), UPDATE: ref("Update"), **json_body(patch)}


def page(subject: Subject) -> Responses:
    """Return the response of a list."""
    headers = ("Link", "Preference-Applied", "Vary")
    return {200: answer("A page.", ref(f"{subject.one}Page"), headers=headers)}


def _inserted(subject: Subject) -> Responses:
    both = {"anyOf": [ref(subject.one), ref("Outcomes")]}
    headers = ("Location", "ETag", "Vary", "Preference-Applied", "Sheaf-Discarded")
    stored = answer("Stored: the document, or of several the outcomes.", both, headers=headers)
    return {201: stored, **mixed_outcomes()}


def _read(subject: Subject) -> Responses:
    return {
        200: answer("The document.", ref(subject.one), headers=("ETag", "Vary")),
        304: answer("The client has it already.", headers=("ETag", "Vary")),
    }


def _changed(subject: Subject) -> Responses:
    headers = ("ETag", "Content-Location", "Vary", "Preference-Applied", "Sheaf-Discarded")
    return {200: answer("The document as it is now.", ref(subject.one), headers=headers)}


def _put(subject: Subject) -> Responses:
    headers = ("ETag", "Location", "Vary", "Preference-Applied", "Sheaf-Discarded")
    return {**_changed(subject), 201: answer("Stored as a new document.", ref(subject.one), headers=headers)}


def _updated(_: Subject) -> Responses:
    return {200: answer("How many.", ref("Modified"), media=JSON_ONLY, headers=("Sheaf-Discarded",))}


def deleted(_: Subject) -> Responses:
    """Return the response without a body that deletions have."""
    return {204: answer("Deleted.")}


ROUTES: Final[Sequence[Route]] = (
    Route(
        "GET", DOCUMENT, handlers.get_document, (Action.READ,),
        name="get{one}", summary="Read one of the {many}", answers=_read,
        errors=(*STORE, *MISSING, PreconditionFailedError, NotAcceptableError),
        parameters=CONDITIONS,
    ),
    Route(
        "POST", COLLECTION, handlers.insert_documents, (Action.CREATE,),
        name="insert{many}", summary="Insert {one}", answers=_inserted,
        errors=(*STORE, *BODY, *STORING, NotAcceptableError),
        parameters=("prefer",), body=_documents,
        description=f"One as an object, or up to {MAX_OPERATIONS} as an array. {EACH_HAS_AN_OUTCOME}",
    ),
    Route(
        "GET", COLLECTION, handlers.list_documents, (Action.READ,),
        name="list{many}", summary="List {many}", answers=page,
        errors=(*STORE, *QUERY, errors.InvalidCursorError, NotAcceptableError),
        parameters=("sort", "fields", "limit", "cursor", "q", "field-filters", "filter", "prefer"),
    ),
    Route(
        "PATCH", DOCUMENT, handlers.patch_document, (Action.UPDATE,),
        name="patch{one}", summary="Change one of the {many}", answers=_changed,
        errors=(*STORE, *BODY, *MISSING, *CHANGING, PreconditionFailedError, NotAcceptableError),
        parameters=(*CONDITIONS, "prefer"), body=_change,
    ),
    Route(
        "PUT", DOCUMENT, handlers.put_document, (Action.CREATE, Action.UPDATE),
        name="put{one}", summary="Store one of the {many} under this id", answers=_put,
        errors=(*STORE, *BODY, *STORING, PreconditionFailedError, NotAcceptableError),
        parameters=(*CONDITIONS, "prefer"), body=_document,
    ),
    Route(
        "DELETE", DOCUMENT, handlers.delete_document, (Action.DELETE,),
        name="delete{one}", summary="Delete one of the {many}", answers=deleted,
        errors=(
            *STORE, *MISSING, PreconditionFailedError, errors.WriteConflictError, errors.QueryRefusedError,
        ),
        parameters=CONDITIONS,
    ),
    Route(
        "PATCH", COLLECTION, handlers.update_documents, (Action.UPDATE,),
        name="updateMany{many}", summary="Update {many} by filter", answers=_updated,
        errors=(*STORE, *BODY, *QUERY, *CHANGING, *SEVERAL),
        parameters=("filter-required", "prefer"), body=_change,
        description="All or none where a model or a contract has to agree, or `max-affected` is given.",
    ),
    Route(
        "DELETE", COLLECTION, handlers.delete_documents, (Action.DELETE,),
        name="deleteMany{many}", summary="Delete {many} by filter", answers=plain_answer("How many.", "Deleted"),
        errors=(*STORE, *QUERY, *SEVERAL),
        parameters=("filter-required", "prefer"), description="All or none if `max-affected` is given.",
    ),
    Route(
        "GET", "/v1", collections.list_collections,
        name="listCollections", summary="List the collections",
        answers=plain_answer("Those that the caller may see.", "Collections"),
        errors=(*STORE, errors.InvalidCursorError), parameters=("limit-collections", "cursor-collections"), tag="store",
    ),
)  # fmt: skip
