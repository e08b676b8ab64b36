"""What MongoDB says when an index cannot be had, as errors of ours."""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

from pymongo.errors import OperationFailure, PyMongoError

from documents.database.failures import DUPLICATE_KEY_CODES, translate
from documents.errors import DuplicateValuesError, IndexConflictError, InvalidIndexError, StoreError


def _invalid(message: str) -> StoreError:
    return InvalidIndexError(f"MongoDB does not accept the index: {message}")


def _conflict(message: str) -> StoreError:
    return IndexConflictError(f"MongoDB has another index in this place; plan again. It says: {message}")


_BY_CODE: Final[Mapping[int, Callable[[str], StoreError]]] = {
    2: _invalid,  # BadValue
    9: _invalid,  # FailedToParse
    14: _invalid,  # TypeMismatch
    67: _invalid,  # CannotCreateIndex
    72: _invalid,  # InvalidOptions
    166: lambda _: InvalidIndexError("This is a view: it uses the indexes of the collection that it reads."),
    197: _invalid,  # InvalidIndexSpecificationOption
    27: lambda _: IndexConflictError("The index is gone; plan again."),
    85: _conflict,  # IndexOptionsConflict
    86: _conflict,  # IndexKeySpecsConflict
    276: lambda _: IndexConflictError("The build was aborted from elsewhere."),
}


@asynccontextmanager
async def translated(*, writes: bool = True) -> AsyncGenerator[None]:
    """Await commands on indexes inside this.

    Args:
        writes: Whether something may have been changed when an answer is lost.

    Raises:
        StoreError: In place of any error of the driver.
    """
    try:
        yield
    except OperationFailure as error:
        raise _of_failure(error, writes=writes) from error
    except PyMongoError as error:
        raise translate(error, writes=writes) from error


def _of_failure(error: OperationFailure, *, writes: bool) -> StoreError:
    details: Mapping[str, Any] = error.details or {}
    if error.code in DUPLICATE_KEY_CODES:
        return DuplicateValuesError({", ".join(details.get("keyPattern", {})): [{"key": details.get("keyValue", {})}]})
    make = _BY_CODE.get(error.code or 0)
    return make(str(details.get("errmsg", ""))) if make else translate(error, writes=writes)
