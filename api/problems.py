"""Errors as HTTP answers: one table, and RFC 9457 problem documents made from it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import orjson
from starlette.responses import Response

from documents import errors
from documents.errors import Fault, InputError, OperationFailedError, StoreError, UnavailableError
from documents.telemetry import current

MEDIA_TYPE: Final = "application/problem+json"
RETRY_SECONDS: Final = 1
MAX_FAULTS: Final = 100


class ProtocolError(StoreError):
    """What is wrong with a request as HTTP, before any document is looked at."""

    def __init__(self, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.headers = dict(headers or {})


class NotFoundError(ProtocolError):
    """No such address. `GET /v1` lists the collections, `/docs` every route."""

    code = "not-found"


class MethodNotAllowedError(ProtocolError):
    """The address exists, but not with this method. The `Allow` header names those that do."""

    code = "method-not-allowed"


class UnsupportedMediaTypeError(ProtocolError):
    """The body's `Content-Type` is missing, not one the route reads, or the body is compressed."""

    code = "unsupported-media-type"


class NotAcceptableError(ProtocolError):
    """The `Accept` header asks for a form that Sheaf cannot give. It has `application/json` and `application/ejson`."""

    code = "not-acceptable"


class BodyTooLargeError(ProtocolError):
    """The body has more bytes, or more values, than one request may bring. Send it in parts."""

    code = "body-too-large"


class HeadersTooLargeError(ProtocolError):
    """The request's first line and headers together have more than 64 KB."""

    code = "headers-too-large"


class RequestTimeoutError(ProtocolError):
    """The headers or the body did not arrive in the time that a request has."""

    code = "request-timeout"


class TooManyRequestsError(ProtocolError):
    """One address asks for more at once than its share. Wait for answers, or for `Retry-After`, and ask again."""

    code = "too-many-requests"


class MisdirectedError(ProtocolError):
    """The `Host` header names another server. A server on loopback only answers to loopback names."""

    code = "misdirected-request"


class CrossOriginError(ProtocolError):
    """A page of another site asks for a change. `SHEAF_CORS_ORIGINS` names the sites whose pages may."""

    code = "cross-origin"


class BadRequestError(ProtocolError):
    """The request breaks the rules of HTTP."""

    code = "bad-request"


class InternalError(ProtocolError):
    """A fault of the server's own. Its log has the reason, under the id that the answer gives."""

    code = "internal-error"


@dataclass(frozen=True, slots=True)
class Problem:
    """How an error looks over HTTP."""

    status: HTTPStatus
    title: str


PROBLEMS: Final[Mapping[type[StoreError], Problem]] = {
    errors.MalformedJsonError: Problem(HTTPStatus.BAD_REQUEST, "Not JSON"),
    errors.InvalidParameterError: Problem(HTTPStatus.BAD_REQUEST, "Invalid parameter"),
    errors.UnknownParameterError: Problem(HTTPStatus.BAD_REQUEST, "Unknown parameter"),
    errors.InvalidFilterError: Problem(HTTPStatus.BAD_REQUEST, "Invalid filter"),
    errors.InvalidPipelineError: Problem(HTTPStatus.BAD_REQUEST, "Invalid pipeline"),
    errors.InvalidPatchError: Problem(HTTPStatus.BAD_REQUEST, "Invalid patch"),
    errors.InvalidCursorError: Problem(HTTPStatus.BAD_REQUEST, "Invalid cursor"),
    errors.FilterRequiredError: Problem(HTTPStatus.BAD_REQUEST, "A filter is required"),
    errors.InvalidOperationError: Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "Invalid operation"),
    errors.InvalidDocumentError: Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "Invalid document"),
    errors.InvalidIdError: Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "Invalid id"),
    errors.IndexRequiredError: Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "An index is required"),
    errors.SourceMisreadError: Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "Source misread"),
    errors.InvalidIndexError: Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "Invalid index"),
    errors.InvalidContractError: Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "Invalid contract"),
    errors.InvalidPolicyError: Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "Invalid policies"),
    errors.DuplicateValuesError: Problem(HTTPStatus.CONFLICT, "Duplicate values"),
    errors.IndexConflictError: Problem(HTTPStatus.CONFLICT, "Index conflict"),
    errors.QueryRefusedError: Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "Query refused"),
    errors.DocumentTooLargeError: Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "Document too large"),
    errors.CollectionNotFoundError: Problem(HTTPStatus.NOT_FOUND, "Collection not found"),
    errors.ContractNotFoundError: Problem(HTTPStatus.NOT_FOUND, "Contract not found"),
    errors.DocumentNotFoundError: Problem(HTTPStatus.NOT_FOUND, "Document not found"),
    errors.JobNotFoundError: Problem(HTTPStatus.NOT_FOUND, "Job not found"),
    errors.KeyNotFoundError: Problem(HTTPStatus.NOT_FOUND, "Key not found"),
    errors.QuarantinedNotFoundError: Problem(HTTPStatus.NOT_FOUND, "Not in quarantine"),
    errors.PreconditionFailedError: Problem(HTTPStatus.PRECONDITION_FAILED, "Precondition failed"),
    errors.UniqueViolationError: Problem(HTTPStatus.CONFLICT, "Unique violation"),
    errors.ContractConflictError: Problem(HTTPStatus.CONFLICT, "Contract conflict"),
    errors.PatchConflictError: Problem(HTTPStatus.CONFLICT, "Patch does not fit"),
    errors.MaxAffectedError: Problem(HTTPStatus.CONFLICT, "Too many documents affected"),
    errors.WriteConflictError: Problem(HTTPStatus.CONFLICT, "Write conflict"),
    errors.JobConflictError: Problem(HTTPStatus.CONFLICT, "Job conflict"),
    errors.JobFailedError: Problem(HTTPStatus.CONFLICT, "Job failed"),
    errors.NothingFitsError: Problem(HTTPStatus.CONFLICT, "Nothing fits"),
    errors.TooManyBadError: Problem(HTTPStatus.CONFLICT, "Too many bad records"),
    errors.QuarantineFullError: Problem(HTTPStatus.CONFLICT, "Quarantine full"),
    errors.DriftError: Problem(HTTPStatus.CONFLICT, "Unlike what is stored"),
    errors.ExpectationError: Problem(HTTPStatus.CONFLICT, "Not as expected"),
    errors.JobLostError: Problem(HTTPStatus.CONFLICT, "Job taken over"),
    errors.UploadConflictError: Problem(HTTPStatus.CONFLICT, "Upload conflict"),
    errors.OperationFailedError: Problem(HTTPStatus.CONFLICT, "An operation failed"),
    errors.UnauthenticatedError: Problem(HTTPStatus.UNAUTHORIZED, "Credentials needed"),
    errors.ForbiddenError: Problem(HTTPStatus.FORBIDDEN, "Forbidden"),
    errors.FieldForbiddenError: Problem(HTTPStatus.FORBIDDEN, "Field forbidden"),
    errors.DatabaseUnavailableError: Problem(HTTPStatus.SERVICE_UNAVAILABLE, "Database unavailable"),
    errors.DiskFullError: Problem(HTTPStatus.INSUFFICIENT_STORAGE, "Disk full"),
    errors.DeadlineExceededError: Problem(HTTPStatus.SERVICE_UNAVAILABLE, "Deadline exceeded"),
    errors.OverloadedError: Problem(HTTPStatus.SERVICE_UNAVAILABLE, "Overloaded"),
    NotFoundError: Problem(HTTPStatus.NOT_FOUND, "Not found"),
    MethodNotAllowedError: Problem(HTTPStatus.METHOD_NOT_ALLOWED, "Method not allowed"),
    UnsupportedMediaTypeError: Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Unsupported media type"),
    NotAcceptableError: Problem(HTTPStatus.NOT_ACCEPTABLE, "Not acceptable"),
    BodyTooLargeError: Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "Body too large"),
    HeadersTooLargeError: Problem(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "Headers too large"),
    RequestTimeoutError: Problem(HTTPStatus.REQUEST_TIMEOUT, "Request timeout"),
    CrossOriginError: Problem(HTTPStatus.FORBIDDEN, "Another site"),
    TooManyRequestsError: Problem(HTTPStatus.TOO_MANY_REQUESTS, "Too many requests"),
    MisdirectedError: Problem(HTTPStatus.MISDIRECTED_REQUEST, "Misdirected request"),
    BadRequestError: Problem(HTTPStatus.BAD_REQUEST, "Bad request"),
    InternalError: Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "Internal error"),
}
"""Each leaf of the error tree, and its answer. Tests hold it complete."""


def describe(error: StoreError) -> dict[str, Any]:
    """Return an error as a problem document.

    Source:
        RFC 9457, section 3.
    """
    if isinstance(error, OperationFailedError):
        return {**_members(error), "index": error.index, "cause": describe(error.cause)}
    return _members(error) | _extensions(error)


def _members(error: StoreError) -> dict[str, Any]:
    return {
        "type": f"/problems/{error.code}",
        "title": PROBLEMS[type(error)].title,
        "status": status_of(error).value,
        "code": error.code,
        "detail": error.detail,
    }


def status_of(error: StoreError) -> HTTPStatus:
    """Return the status of an error; an operation that failed has the status of what it failed of."""
    return status_of(error.cause) if isinstance(error, OperationFailedError) else PROBLEMS[type(error)].status


def respond(error: StoreError) -> Response:
    """Return the answer to a request that ends in an error, and note the error for its line in the log."""
    status = status_of(error).value
    observation = current()
    if observation is not None:
        observation.fail(error.code, _reason(error) if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "")
    return Response(orjson.dumps(describe(error)), status, headers=_headers(error), media_type=MEDIA_TYPE)


def _reason(error: StoreError) -> str:
    """Return why the server could not answer. The driver's own text is left out: it may have values of documents."""
    cause = error.__cause__
    return error.detail if cause is None else f"{error.detail} ({type(cause).__name__})"


def _extensions(error: StoreError) -> dict[str, Any]:
    match error:
        case InputError() if error.faults:
            return {"faults": faults_of(error.faults)}
        case errors.UniqueViolationError():
            return {"fields": error.fields}
        case UnavailableError() if error.outcome:
            return {"outcome": error.outcome}
        case _:
            return {}


def faults_of(faults: Sequence[Fault]) -> list[dict[str, str]]:
    """Return faults as JSON, the first hundred of them."""
    return [
        {
            "parameter" if fault.pointer.startswith("?") else "pointer": fault.pointer.removeprefix("?"),
            "code": fault.code,
            "detail": fault.detail,
        }
        for fault in faults[:MAX_FAULTS]
    ]


def _headers(error: StoreError) -> dict[str, str]:
    match error:
        case ProtocolError():
            return error.headers
        case OperationFailedError():
            return _headers(error.cause)
        case _:
            kind = next((kind for kind in type(error).__mro__ if kind in _HEADERS), None)
            return {} if kind is None else _HEADERS[kind](error)


_HEADERS: Final[Mapping[type, Callable[[Any], dict[str, str]]]] = {
    errors.PreconditionFailedError: lambda error: {"ETag": error.etag} if error.etag else {},
    errors.UnauthenticatedError: lambda _: {"WWW-Authenticate": 'Bearer realm="sheaf"'},
    errors.UploadConflictError: lambda error: {"Upload-Offset": str(error.offset)},
    UnavailableError: lambda _: {"Retry-After": str(RETRY_SECONDS)},
}
