"""Refusals of a document for the sake of an index, with the fields that the index reads: MongoDB does not tell them."""

from collections.abc import Awaitable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final, TypeVar

from pymongo.errors import OperationFailure

from documents.collections.services import Services
from documents.database.refusals import NOT_GEOMETRY, UNKNOWN_LANGUAGE, refused_document
from documents.errors import Fault, InvalidDocumentError
from documents.types import child

T = TypeVar("T")

_GEO: Final = ("2dsphere", "2d")
_LANGUAGE: Final = "language"


async def pointed(services: Services, collection: str, write: Awaitable[T]) -> T:
    """Return what a write of one document gives.

    Args:
        services: To ask for the indexes, where one of them is why the document is refused.
        collection: Of the document.
        write: The write.

    Raises:
        InvalidDocumentError: With a fault for each field that a refusal may be about.
    """
    try:
        return await write
    except (InvalidDocumentError, OperationFailure) as error:
        refused = error if isinstance(error, InvalidDocumentError) else _of_driver(error)
        if refused is None or not any(map(_is_open, refused.faults)):
            raise
        indexes = await services.connection.collection(collection).index_information()
        faults = [each for fault in refused.faults for each in _spread(fault, indexes)]
        raise InvalidDocumentError(refused.detail, faults) from error


def _of_driver(error: OperationFailure) -> InvalidDocumentError | None:
    return refused_document(error.code or 0, error.details or {})


def _is_open(fault: Fault) -> bool:
    return not fault.pointer and fault.code in (NOT_GEOMETRY, UNKNOWN_LANGUAGE)


def _spread(fault: Fault, indexes: Mapping[str, Any]) -> list[Fault]:
    if not _is_open(fault):
        return [fault]
    read = _geo_paths if fault.code == NOT_GEOMETRY else _language_paths
    paths = sorted({path for index in indexes.values() for path in read(index)})
    return [replace(fault, pointer=child("", *path.split("."))) for path in paths] or [fault]


def _geo_paths(index: Mapping[str, Any]) -> Iterator[str]:
    yield from (path for path, kind in index["key"] if kind in _GEO)


def _language_paths(index: Mapping[str, Any]) -> Iterator[str]:
    if any(kind == "text" for _, kind in index["key"]):
        yield index.get("language_override", _LANGUAGE)
