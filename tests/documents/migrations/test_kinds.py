"""Backfills of collections of every kind: they work, or are refused before anything is written."""

from collections.abc import Mapping
from typing import Any

import pytest

from documents.database.connection import Connection
from documents.migrations.checkpoints import CHECKPOINTS
from documents.migrations.errors import MigrationFailedError
from documents.migrations.lock import MigrationLock
from tests.documents.migrations.test_backfill import COUNT, NAME, lock, run, times

__all__ = ["lock"]

KINDS: list[tuple[Mapping[str, Any], str | None]] = [
    ({"viewOn": "elsewhere", "pipeline": []}, "view"),
    ({"timeseries": {"timeField": "at"}}, "time series"),
    ({"capped": True, "size": 4096}, "capped"),
    ({"clusteredIndex": {"key": {"_id": 1}, "unique": True}}, None),
    ({"collation": {"locale": "en", "strength": 2}}, None),
]


@pytest.mark.parametrize(("options", "refused"), KINDS)
async def test_works_or_is_refused_up_front(
    connection: Connection, lock: MigrationLock, options: Mapping[str, Any], refused: str | None
) -> None:
    database = connection.database
    await database.create_collection(NAME, **options)
    if refused is None:
        await database[NAME].insert_many([{"_id": "a"}, {"_id": "B"}, {"_id": 3}])
        assert (await run(connection, lock, COUNT)).modified == 3
        assert await times(connection) == [1, 1, 1]
    else:
        with pytest.raises(MigrationFailedError, match=refused):
            await run(connection, lock, COUNT)
        assert await database[CHECKPOINTS].count_documents({}) == 0
