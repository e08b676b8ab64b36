"""Errors that routes have in common, and the responses that are made of a route's errors."""

from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any, Final

from api.openapi.schemas import ref
from api.problems import (
    MEDIA_TYPE,
    PROBLEMS,
    BadRequestError,
    BodyTooLargeError,
    CrossOriginError,
    HeadersTooLargeError,
    MisdirectedError,
    NotAcceptableError,
    NotFoundError,
    RequestTimeoutError,
    TooManyRequestsError,
    UnsupportedMediaTypeError,
)
from documents import errors
from documents.errors import OperationFailedError, PreconditionFailedError, StoreError, UnavailableError

Errors = tuple[type[StoreError], ...]

ANYWHERE: Final[Errors] = (MisdirectedError, BadRequestError, HeadersTooLargeError, RequestTimeoutError)
STORE: Final[Errors] = (
    *ANYWHERE,
    TooManyRequestsError,
    NotFoundError,
    errors.InvalidParameterError,
    errors.UnknownParameterError,
    errors.UnauthenticatedError,
    errors.ForbiddenError,
    errors.FieldForbiddenError,
    errors.OverloadedError,
    errors.DatabaseUnavailableError,
    errors.DeadlineExceededError,
)
BODY: Final[Errors] = (
    errors.MalformedJsonError,
    errors.InvalidDocumentError,
    UnsupportedMediaTypeError,
    BodyTooLargeError,
)
QUERY: Final[Errors] = (
    errors.CollectionNotFoundError,
    errors.InvalidFilterError,
    errors.IndexRequiredError,
    errors.QueryRefusedError,
)
MISSING: Final[Errors] = (errors.CollectionNotFoundError, errors.DocumentNotFoundError)
STORING: Final[Errors] = (
    errors.InvalidDocumentError,
    errors.InvalidIdError,
    errors.DocumentTooLargeError,
    errors.UniqueViolationError,
    errors.WriteConflictError,
    errors.QueryRefusedError,
)
CHANGING: Final[Errors] = (*STORING, errors.InvalidPatchError, errors.PatchConflictError)
SEVERAL: Final[Errors] = (errors.FilterRequiredError, errors.MaxAffectedError, errors.WriteConflictError)
INDEXES: Final[Errors] = (errors.InvalidIndexError, errors.QueryRefusedError, NotAcceptableError)
CONTRACT: Final[Errors] = (PreconditionFailedError, errors.ContractConflictError, errors.QueryRefusedError)
UPLOAD: Final[Errors] = (
    UnsupportedMediaTypeError,
    BodyTooLargeError,
    errors.JobConflictError,
    errors.UploadConflictError,
    errors.QueryRefusedError,
    NotAcceptableError,
)
JOB: Final[Errors] = (errors.JobNotFoundError, errors.QueryRefusedError, NotAcceptableError)
QUARANTINE: Final[Errors] = (errors.QueryRefusedError, NotAcceptableError)
WRITE: Final[Errors] = (
    *CHANGING,
    *MISSING,
    PreconditionFailedError,
    errors.InvalidOperationError,
    errors.IndexRequiredError,
    errors.MalformedJsonError,
)
"""What one operation of a bulk request or a transaction can fail of."""

CROSSING: Final[Errors] = (CrossOriginError, UnsupportedMediaTypeError, errors.DiskFullError)
"""What every request can fail of that is not safe: the site of its page, a body without a media type, a full disk."""


def problem_responses(declared: Errors) -> dict[str, Any]:
    """Return the responses for the problems of one operation, by status."""
    pairs = sorted({(status, error.code) for error in declared for status in _statuses(error)})
    by_status = groupby(pairs, key=lambda pair: pair[0])
    kinds = {error.code: error for error in declared}
    return {str(status): _response([kinds[code] for _, code in group]) for status, group in by_status}


def _statuses(error: type[StoreError]) -> set[int]:
    if error is OperationFailedError:  # answers with the status of what it failed of
        return {PROBLEMS[cause].status.value for cause in WRITE}
    return {PROBLEMS[error].status.value}


def _response(kinds: Iterable[type[StoreError]]) -> dict[str, Any]:
    kinds = list(kinds)
    lines = [f"`{kind.code}`: {PROBLEMS[kind].title}." for kind in kinds]
    headers = {name: ref_header(name) for kind in kinds for name in _headers(kind)}
    return {
        "description": "\n\n".join(lines),
        **({"headers": headers} if headers else {}),
        "content": {MEDIA_TYPE: {"schema": ref("Problem"), "example": _example(kinds[0])}},
    }


def _example(kind: type[StoreError]) -> dict[str, Any]:
    problem = PROBLEMS[kind]
    return {
        "type": f"/problems/{kind.code}",
        "title": problem.title,
        "status": problem.status.value,
        "code": kind.code,
        "detail": "What is wrong, in a sentence.",
    }


def _headers(kind: type[StoreError]) -> tuple[str, ...]:
    return next((names for base, names in _HEADERS.items() if issubclass(kind, base)), ())


def ref_header(name: str) -> dict[str, str]:
    """Return a reference to a response header."""
    return {"$ref": f"#/components/headers/{name}"}


_HEADERS: Final[Mapping[type[StoreError], tuple[str, ...]]] = {
    UnavailableError: ("Retry-After",),
    PreconditionFailedError: ("ETag",),
    UnsupportedMediaTypeError: ("Accept",),
    errors.UploadConflictError: ("Upload-Offset",),
}
