"""The indexes that can give lists of a collection their order."""

import time
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from pymongo.errors import OperationFailure

from documents.database.connection import Connection

FRESH_SECONDS: Final = 30.0
MORE_THAN_ALL: Final = 1000
"""A collection has 64 indexes at most, so this batch holds them all."""

UNAUTHORIZED: Final = 13
NAMESPACE_NOT_FOUND: Final = 26
COMMAND_NOT_SUPPORTED_ON_VIEW: Final = 166
_NO_INDEXES: Final = frozenset({UNAUTHORIZED, NAMESPACE_NOT_FOUND, COMMAND_NOT_SUPPORTED_ON_VIEW})
_PARTIAL: Final = ("partialFilterExpression", "sparse", "hidden", "buildUUID")

Keys: TypeAlias = tuple[tuple[str, object], ...]


class SortIndexes:
    """Looks indexes up and remembers them for half a minute: what they are good for is speed, and nothing else.

    Args:
        connection: Where the collections are.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._cache: dict[str, tuple[float, tuple[Keys, ...]]] = {}

    async def get(self, collection: str, collation: Mapping[str, Any] | None) -> tuple[Keys, ...]:
        """Return fields and directions of each index that holds every document and compares as the collection does.

        Args:
            collection: Its name; a view has no indexes of its own.
            collation: Its default collation.
        """
        cached = self._cache.get(collection)
        if cached is None or cached[0] < time.monotonic():
            found = tuple(
                tuple(index["key"].items())
                for index in await self._list(collection)
                if not any(index.get(name) for name in _PARTIAL) and _is_same(index.get("collation"), collation)
            )
            cached = self._cache[collection] = (time.monotonic() + FRESH_SECONDS, found)
        return cached[1]

    async def _list(self, collection: str) -> list[dict[str, Any]]:
        try:
            reply = await self._connection.database.command(
                {"listIndexes": collection, "cursor": {"batchSize": MORE_THAN_ALL}, "includeBuildUUIDs": True}
            )
        except OperationFailure as error:
            if error.code in _NO_INDEXES:
                return []
            raise
        return reply["cursor"]["firstBatch"]


def _is_same(one: Mapping[str, Any] | None, other: Mapping[str, Any] | None) -> bool:
    return (one or None) == (other or None)
