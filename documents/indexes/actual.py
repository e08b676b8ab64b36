"""The indexes that a collection has."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import OperationFailure

from documents.indexes.failures import translated
from documents.indexes.spec import ID_KEYS, IndexSpec, fill_collation, parse_index
from documents.types import Document

NAMESPACE_NOT_FOUND: Final = 26
MORE_THAN_ALL: Final = 1000
"""A collection has 64 indexes at most, so this batch holds them all."""


def parse_actual(listed: Iterable[Mapping[str, Any]]) -> list[IndexSpec]:
    """Return the documents of `listIndexes` as indexes, less the one on `_id`."""
    specs = [
        parse_index(entry["spec"], building=True) if "buildUUID" in entry else parse_index(entry) for entry in listed
    ]
    return [spec for spec in specs if spec.keys != ID_KEYS]


async def read_indexes(collection: AsyncCollection[Document]) -> list[IndexSpec]:
    """Return the indexes of a collection, those still being built included; none when it does not exist.

    Raises:
        StoreError: MongoDB cannot be asked, or the collection is a view.

    Source:
        MongoDB manual, listIndexes. `includeBuildUUIDs` tells the finished from the unfinished.
    """
    async with translated(writes=False):
        try:
            reply = await collection.database.command(
                "listIndexes", collection.name, cursor={"batchSize": MORE_THAN_ALL}, includeBuildUUIDs=True
            )
        except OperationFailure as error:
            if error.code == NAMESPACE_NOT_FOUND:
                return []
            raise
    return parse_actual(reply["cursor"]["firstBatch"])


async def read_default_collation(collection: AsyncCollection[Document]) -> dict[str, Any] | None:
    """Return the collation that the collection's indexes have when they name none; None compares bytes.

    Raises:
        StoreError: MongoDB cannot be asked.
    """
    async with translated(writes=False):
        collation = (await collection.options()).get("collation")
    return fill_collation(collation) if collation else None
