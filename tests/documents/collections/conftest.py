"""Connections whose commands the tests see."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from bson import ObjectId
from pymongo import AsyncMongoClient
from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

from documents.database.connection import Connection
from documents.database.embedded import EmbeddedMongo
from tests.faults import failing_mongo

__all__ = ["failing_mongo"]


@dataclass
class Commands(CommandListener):
    """The commands that a client has sent."""

    sent: list[tuple[str, Any]] = field(default_factory=list[tuple[str, Any]])

    def started(self, event: CommandStartedEvent) -> None:
        self.sent.append((event.command_name, event.command))

    def succeeded(self, event: CommandSucceededEvent) -> None:
        """Nothing to do."""

    def failed(self, event: CommandFailedEvent) -> None:
        """Nothing to do."""

    def of(self, name: str) -> list[Any]:
        return [command for each, command in self.sent if each == name]


@dataclass(frozen=True)
class Watched:
    """A connection, and what goes over it."""

    connection: Connection
    commands: Commands


@asynccontextmanager
async def watching(uri: str) -> AsyncGenerator[Watched]:
    """Connect to a database of its own, which is dropped in the end."""
    connection = Connection(uri, database=f"watched_{ObjectId()}", max_pool_size=20)
    commands = Commands()
    own = connection.database
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(uri, appname="sheaf", event_listeners=[commands])
    connection.database = client.get_database(own.name, own.codec_options, write_concern=own.write_concern)
    yield Watched(connection, commands)
    await client.drop_database(own.name)
    await client.close()
    await connection.close()


@pytest.fixture
async def watched(mongo_uri: str) -> AsyncGenerator[Watched]:
    async with watching(mongo_uri) as opened:
        yield opened


@pytest.fixture
async def failing(failing_mongo: EmbeddedMongo) -> AsyncGenerator[Watched]:
    """Return a connection to the mongod that may be made to fail."""
    async with watching(failing_mongo.uri) as opened:
        yield opened
