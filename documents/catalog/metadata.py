"""What MongoDB's own metadata says of a collection. Read by `listCollections`; no view is ever run for it."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from documents.database.connection import Connection
from documents.types import EMPTY

SIMPLE: Final = "simple"


class Kind(StrEnum):
    """What sort of collection MongoDB holds under a name."""

    COLLECTION = "collection"
    VIEW = "view"
    TIMESERIES = "timeseries"
    CAPPED = "capped"
    CLUSTERED = "clustered"


class Deed(StrEnum):
    """What MongoDB does with collections of some kinds and not with those of others."""

    INSERT = "insert"
    CHANGE_ONE = "change-one"
    CHANGE_MANY = "change-many"
    TRANSACTION = "transaction"
    LOAD = "load"
    CONTRACT = "contract"
    MIRROR = "mirror"


_IS_VIEW: Final = "This is a view: it can be read, and not written to."
REFUSALS: Final[Mapping[tuple[Kind, Deed], str]] = {
    **{(Kind.VIEW, deed): _IS_VIEW for deed in Deed},
    (Kind.TIMESERIES, Deed.CHANGE_ONE): "This is a time series: MongoDB adds documents to it, and changes or deletes "
    "them by a filter on its meta field only.",
    (Kind.TIMESERIES, Deed.TRANSACTION): "This is a time series: MongoDB does not write to it in a transaction, so "
    "not all or none.",
    (Kind.TIMESERIES, Deed.LOAD): "This is a time series: MongoDB does not write to it in a transaction, so a load "
    "could not see to it that each record is stored once. Send the documents to :bulk.",
    (Kind.CAPPED, Deed.TRANSACTION): "This collection is capped: MongoDB does not write to it in a transaction, so "
    "not all or none.",
    (Kind.CAPPED, Deed.LOAD): "This collection is capped: MongoDB does not write to it in a transaction, so a load "
    "could not see to it that each record is stored once. Send the documents to :bulk.",
    (Kind.TIMESERIES, Deed.MIRROR): "This is a time series: MongoDB has no validators for it, so a contract has no "
    "mirror there.",
}
"""Why MongoDB does not do something with a collection of a kind. What is not here, it does."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """A collection as `listCollections` describes it.

    Args:
        kind: What sort it is.
        collation: Its default collation, with every option spelled out; None where strings compare byte by byte.
        time_field: Of a time series, the field that holds the time.
        has_validator: Whether MongoDB checks what is written to it.
    """

    kind: Kind = Kind.COLLECTION
    collation: Mapping[str, Any] | None = field(default=None, hash=False)
    time_field: str | None = None
    has_validator: bool = False


PLAIN: Final = Metadata()
"""What a collection is that Sheaf makes."""


async def list_metadata(connection: Connection, **only: object) -> AsyncIterator[tuple[str, Metadata]]:
    """Yield the name and the metadata of each collection.

    Args:
        connection: To MongoDB.
        only: What its description has to match, such as `name="orders"`.
    """
    async for found in await connection.database.list_collections(filter=only):
        yield found["name"], _read(found)


def _read(found: Mapping[str, Any]) -> Metadata:
    options: Mapping[str, Any] = found.get("options", EMPTY)
    collation = options.get("collation")
    return Metadata(
        kind=_kind_of(found.get("type"), options),
        collation=None if not collation or collation.get("locale") == SIMPLE else collation,
        time_field=options.get("timeseries", EMPTY).get("timeField"),
        has_validator=bool(options.get("validator")),
    )


def _kind_of(kind: object, options: Mapping[str, Any]) -> Kind:
    if kind in (Kind.VIEW, Kind.TIMESERIES):
        return Kind(str(kind))
    marks = {Kind.CAPPED: options.get("capped"), Kind.CLUSTERED: options.get("clusteredIndex")}
    return next((each for each, is_so in marks.items() if is_so), Kind.COLLECTION)
