"""What the driver raises, as errors of ours. By class and time-out first, by code only where a code is what tells."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from bson.errors import BSONError
from pymongo.errors import (
    BulkWriteError,
    ConnectionFailure,
    DocumentTooLarge,
    DuplicateKeyError,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
    WaitQueueTimeoutError,
    WriteConcernError,
)

from documents.database.refusals import refused_document
from documents.errors import (
    DatabaseUnavailableError,
    DeadlineExceededError,
    DiskFullError,
    DocumentTooLargeError,
    IndexRequiredError,
    InvalidDocumentError,
    InvalidFilterError,
    InvalidParameterError,
    Outcome,
    PatchConflictError,
    QueryRefusedError,
    StoreError,
    UniqueViolationError,
    WriteConflictError,
)

DUPLICATE_KEY_CODES: Final = frozenset({11000, 11001, 12582})
UNAUTHORIZED: Final = 13
BAD_VALUE: Final = 2
_LOOP: Final = re.compile(r"\bloops?\b", re.IGNORECASE)
"""What MongoDB calls the line around a polygon, or around a hole in it, where it says that it cannot be one."""
VIEW_CODE: Final = 166
"""CommandNotSupportedOnView."""


def _too_large() -> StoreError:
    return DocumentTooLargeError("The document would take more than 16 MB.")


def _misfit() -> StoreError:
    return PatchConflictError("The update does not fit the document: a field holds another type than it needs.")


def _memory() -> StoreError:
    return QueryRefusedError("Sorting or grouping needs more memory than a query may use. Add an index or narrow it.")


BY_CODE: Final[Mapping[int, Callable[[], StoreError]]] = {
    27: lambda: IndexRequiredError("This needs a text index, or a geospatial one, and there is none."),
    112: WriteConflictError,
    20: lambda: QueryRefusedError("MongoDB does not do that with a collection of this kind."),
    72: lambda: QueryRefusedError("MongoDB does not do that with a collection of this kind, or with these options."),
    VIEW_CODE: lambda: QueryRefusedError("This is a view: it can be read, and not written to."),
    263: lambda: QueryRefusedError("MongoDB does not do that in a transaction with a collection of this kind."),
    201: lambda: QueryRefusedError("A field of the sort holds a symbol. MongoDB compares none by a collation."),
    291: lambda: IndexRequiredError("The query needs an index that is not there."),
    292: _memory,  # QueryExceededMemoryLimitNoDiskUseAllowed
    146: _memory,  # ExceededMemoryLimit
    14031: lambda: DiskFullError("The disk of MongoDB is full.", "not-applied"),
    10334: _too_large,
    17419: _too_large,
    17420: _too_large,
    34449: lambda: QueryRefusedError("An array or a text is too long for an expression. Filter first, or $unwind."),
    51156: lambda: QueryRefusedError("MongoDB gave this regular expression up: it takes too many steps on a text."),
    13548: lambda: QueryRefusedError("A text in an expression grows beyond what MongoDB can hold."),
    51091: lambda: QueryRefusedError("MongoDB does not accept this regular expression."),
}

MISFITS: Final = frozenset({2, 14, 28, 40})
"""BadValue, TypeMismatch, PathNotViable, ConflictingUpdateOperators: of an update, whose operators were checked
before, they say that it meets something else in the document than it needs."""

NOT_THE_REQUEST: Final = frozenset({13, 18, 8000})
"""Unauthorized, AuthenticationFailed, AtlasError: the deployment's fault, not the request's."""


INTERRUPTED: Final = 11601
"""Somebody has ended the operation, or the session that it ran in."""


def translate(error: PyMongoError | BSONError | OverflowError, *, writes: bool) -> StoreError:
    """Return the error of ours that says what `error` means to the caller.

    Args:
        error: Raised by the driver.
        writes: Whether the operation may have changed something.
    """
    lost: Outcome | None = "unknown" if writes else None
    if not writes and isinstance(error, BSONError | OverflowError):
        return InvalidParameterError("A value of the query has no BSON form.")
    for kind, make in _BY_CLASS:
        if isinstance(error, kind):
            return make(error, lost)
    if isinstance(error, PyMongoError) and error.timeout:
        return DeadlineExceededError("MongoDB did not answer in time.", lost)
    interrupted = isinstance(error, OperationFailure) and error.code == INTERRUPTED
    if isinstance(error, OperationFailure) and not interrupted and not _is_transient(error):
        if writes and error.code in MISFITS:
            return _misfit()
        return _of_refusal(error.code or 0, error.details or {}, writes=writes)
    said = "MongoDB interrupted the operation." if interrupted else "The connection to MongoDB was lost."
    return DatabaseUnavailableError(said, lost)


def of_code(code: int) -> StoreError:
    """Return the error for one that MongoDB gave a number."""
    if code in NOT_THE_REQUEST:
        return DatabaseUnavailableError("MongoDB does not let this server do that.", "not-applied")
    make = BY_CODE.get(code)
    return make() if make else QueryRefusedError(f"MongoDB refused the operation (code {code}).")


def _of_refusal(code: int, details: Mapping[str, Any], *, writes: bool) -> StoreError:
    refused = refused_document(code, details)
    if refused is None and not writes and code == BAD_VALUE and _LOOP.search(str(details.get("errmsg", ""))):
        return InvalidFilterError("The lines of a polygon cross or repeat, or a hole in it is not inside.")
    if refused is None:
        return of_code(code)
    return refused if writes else InvalidParameterError("MongoDB does not take a value of the query.")


def unique_violation(details: Mapping[str, Any]) -> UniqueViolationError:
    """Return the violation that a duplicate-key reply describes; the values stay behind."""
    return UniqueViolationError(list(details.get("keyPattern", {})))


def of_write_error(details: Mapping[str, Any]) -> StoreError:
    """Return the error for one entry of a bulk write's `writeErrors`."""
    code = int(details.get("code", 0))
    return unique_violation(details) if code in DUPLICATE_KEY_CODES else _of_refusal(code, details, writes=True)


def _of_bulk(error: BulkWriteError, lost: Outcome | None) -> StoreError:
    failures = (error.details or {}).get("writeErrors", [])
    return of_write_error(failures[0]) if failures else _unconfirmed(error, lost)


def _unconfirmed(_: Exception, lost: Outcome | None) -> StoreError:
    return DatabaseUnavailableError("MongoDB did not confirm the write.", lost)


def _out_of_reach(_: Exception, lost: Outcome | None) -> StoreError:
    return DatabaseUnavailableError("MongoDB cannot be reached.", "not-applied" if lost else None)


def _no_connection(_: Exception, lost: Outcome | None) -> StoreError:
    # The driver may have waited for it to send a write once more, of which the first answer was lost.
    return DatabaseUnavailableError("No connection to MongoDB was free in time.", lost)


def _of_duplicate(error: DuplicateKeyError, _: Outcome | None) -> StoreError:
    return unique_violation(error.details or {})


def _is_transient(error: PyMongoError) -> bool:
    return isinstance(error, ConnectionFailure) or error.has_error_label("RetryableWriteError")


_BY_CLASS: Final[Sequence[tuple[type[Exception], Callable[[Any, Outcome | None], StoreError]]]] = (
    (BSONError, lambda _, __: InvalidDocumentError("A value has no BSON form.")),
    (OverflowError, lambda _, __: InvalidDocumentError("An integer does not fit into 64 bits.")),
    (DuplicateKeyError, _of_duplicate),
    (BulkWriteError, _of_bulk),
    (DocumentTooLarge, lambda _, __: _too_large()),
    (ServerSelectionTimeoutError, _out_of_reach),
    (WaitQueueTimeoutError, _no_connection),
    (WriteConcernError, _unconfirmed),
)
"""Tried in this order, before time-outs and codes."""
