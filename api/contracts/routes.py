"""Routes of the contract of a collection."""

from collections.abc import Sequence
from typing import Final

from api.contracts import handlers
from api.documents.routes import CONDITIONS, deleted
from api.media import Media
from api.openapi.problems import BODY, CONTRACT, STORE
from api.openapi.responses import answer
from api.openapi.schemas import ref
from api.openapi.subjects import Subject
from api.problems import NotAcceptableError
from api.record import COLLECTION, JSON_ONLY, Responses, Route
from documents import errors
from documents.access.actions import Action

PATH: Final = f"{COLLECTION}:contract"


def _contract(_: Subject) -> Responses:
    return {200: answer("The contract.", ref("Contract"), media=JSON_ONLY, headers=("ETag",))}


def _set(subject: Subject) -> Responses:
    new = answer("Set, where there was none.", ref("Contract"), media=JSON_ONLY, headers=("ETag",))
    return {**_contract(subject), 201: new}


ROUTES: Final[Sequence[Route]] = (
    Route(
        "GET", PATH, handlers.get_contract, (Action.READ,),
        name="getContractOf{many}", summary="Read the contract of {many}", answers=_contract,
        errors=(*STORE, errors.ContractNotFoundError, NotAcceptableError),
        parameters=("version",),
    ),
    Route(
        "PUT", PATH, handlers.put_contract, (Action.CONFIGURE,),
        name="setContractOf{many}", summary="Set the contract of {many}", answers=_set,
        errors=(
            *STORE, *BODY, *CONTRACT, errors.InvalidContractError, errors.WriteConflictError, NotAcceptableError,
        ),
        parameters=(*CONDITIONS, "prefer"), body=lambda _: {Media.JSON.value: ref("ContractInput")},
        description="What writes must keep to from now on. What is stored already stays as it is. A collection that a "
        "model declares has none.",
    ),
    Route(
        "DELETE", PATH, handlers.delete_contract, (Action.CONFIGURE,),
        name="removeContractOf{many}", summary="Take the contract of {many} off", answers=deleted,
        errors=(
            *STORE, *CONTRACT, errors.ContractNotFoundError, errors.WriteConflictError, NotAcceptableError,
        ),
        parameters=CONDITIONS,
    ),
)  # fmt: skip
