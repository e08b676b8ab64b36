"""A database of its own for each test of migrations."""

from collections.abc import AsyncGenerator, AsyncIterable
from typing import TypeVar
from uuid import uuid4

import pytest

from documents.database.connection import Connection

T = TypeVar("T")


@pytest.fixture
async def connection(mongo_uri: str) -> AsyncGenerator[Connection]:
    """Return a connection to an empty database, which is dropped in the end."""
    opened = Connection(mongo_uri, database=f"m{uuid4().hex}", max_pool_size=10)
    yield opened
    await opened.client.drop_database(opened.database.name)
    await opened.close()


async def last_of(items: AsyncIterable[T]) -> T:
    """Return the last of what is yielded."""
    last = [item async for item in items][-1:]
    return last[0]
