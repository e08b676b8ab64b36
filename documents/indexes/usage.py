"""How the indexes of a collection are used, and what it is asked: what MongoDB has counted, and what Sheaf has."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import OperationFailure

from documents.database.failures import UNAUTHORIZED
from documents.indexes.failures import translated
from documents.query.filter.query_shape import QueryShape
from documents.types import SYSTEM_PREFIX, Document

SHAPES: Final = f"{SYSTEM_PREFIX}query_shapes"
_log = logging.getLogger("sheaf")


@dataclass(frozen=True, slots=True)
class IndexUse:
    """How often queries have used an index.

    Args:
        count: Queries, on the member that was asked, or on all shards together.
        since: From when on they were counted: the index was built, unhidden, or its MongoDB started then.
    """

    count: int
    since: datetime


@dataclass(frozen=True, slots=True)
class AskedShape:
    """What was asked of a collection.

    Args:
        shape: Without values.
        count: How often; where there was much to count, estimated from a sample.
        slow: How many took a tenth of a second or longer.
        since: When it was seen first.
    """

    shape: QueryShape
    count: int
    slow: int
    since: datetime


@dataclass(frozen=True, slots=True)
class Usage:
    """What is known about the use of one collection.

    Args:
        documents: Estimated.
        uses: By the name of the index.
        shapes: What was asked.
    """

    documents: int
    uses: Mapping[str, IndexUse]
    shapes: tuple[AskedShape, ...]


async def read_usage(collection: AsyncCollection[Document]) -> Usage:
    """Return how a collection is used. Changes nothing.

    Raises:
        StoreError: MongoDB cannot be asked.
    """
    async with translated(writes=False):
        return Usage(
            await collection.estimated_document_count(),
            await _read_uses(collection),
            await _read_shapes(collection.database, collection.name),
        )


async def _read_uses(collection: AsyncCollection[Document]) -> dict[str, IndexUse]:
    """Add up what several shards report.

    Source:
        MongoDB manual, $indexStats.
    """
    uses: dict[str, IndexUse] = {}
    for entry in await _read_statistics(collection):
        counted: Mapping[str, Any] = entry["accesses"]
        use = IndexUse(int(counted["ops"]), _aware(counted["since"]))
        other = uses.get(entry["name"])
        uses[entry["name"]] = IndexUse(use.count + other.count, max(use.since, other.since)) if other else use
    return uses


async def _read_statistics(collection: AsyncCollection[Document]) -> list[Document]:
    """Return what MongoDB has counted; nothing, and a warning, where its user may not read it."""
    try:
        return await (await collection.aggregate([{"$indexStats": {}}])).to_list()
    except OperationFailure as error:
        if error.code != UNAUTHORIZED:
            raise
    _log.warning(
        "%s: MongoDB does not let this user read how indexes are used, so none is called unused. "
        "The role clusterMonitor lets it.",
        collection.name,
    )
    return []


async def _read_shapes(database: AsyncDatabase[Document], collection: str) -> tuple[AskedShape, ...]:
    cursor = database[SHAPES].find({"collection": collection}, sort=[("count", -1)])
    return tuple([_parse(entry) async for entry in cursor])


def _parse(entry: Document) -> AskedShape:
    shape = QueryShape(
        tuple(entry["equality"]), tuple(entry["range"]), tuple((path, way) for path, way in entry["sort"])
    )
    return AskedShape(shape, int(entry["count"]), int(entry["slow"]), _aware(entry["since"]))


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
