"""The connection to MongoDB: one client for requests, a small one for health."""

from contextlib import suppress
from functools import lru_cache
from typing import Any, Final, cast

import pymongo
from bson.raw_bson import RawBSONDocument
from pymongo import AsyncMongoClient
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import PyMongoError
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from documents.codec.plain import CODEC_OPTIONS, RAW_OPTIONS
from documents.types import Document

DURABLE: Final = WriteConcern(w="majority", j=True)
"""Acknowledged is durable. Neither a client nor the URI can lower it."""


def as_bson(raw: bytes) -> RawBSONDocument:
    """Return a document for the driver to send as it is, also with dates that Python cannot hold."""
    return RawBSONDocument(raw, RAW_OPTIONS)


END_WORK_SECONDS: Final = 1.0
KEPT_COLLECTIONS: Final = 256


class Connection:
    """Clients of one deployment and one of its databases.

    Args:
        uri: As MongoDB's drivers read it.
        database: Name of the database to serve.
        max_pool_size: Connections for requests; health has two of its own.
    """

    def __init__(self, uri: str, *, database: str, max_pool_size: int) -> None:
        self.client: AsyncMongoClient[Document] = _client(uri, max_pool_size)
        self._health: AsyncMongoClient[Document] = _client(uri, 2)
        self.database: AsyncDatabase[Document] = self.client.get_database(
            database, codec_options=CODEC_OPTIONS, write_concern=DURABLE, read_concern=ReadConcern("local")
        )
        # PyMongo makes one anew each time it is asked, which took a fiftieth of a get.
        self._collections = lru_cache(maxsize=KEPT_COLLECTIONS)(self._make_collection)

    def collection(self, name: str) -> AsyncCollection[Document]:
        """Return the collection, its documents as dicts."""
        return self._collections(name)

    def _make_collection(self, name: str) -> AsyncCollection[Document]:
        return self.database[name]

    def raw_collection(self, name: str) -> AsyncCollection[RawBSONDocument]:
        """Return the collection, its documents as the bytes they are."""
        return cast("AsyncCollection[RawBSONDocument]", self.database.get_collection(name, codec_options=RAW_OPTIONS))

    async def ping(self) -> Document:
        """Ask the deployment who it is, over a connection that no request can use up."""
        return await self._health.admin.command("hello")

    async def end_work(self, session: AsyncClientSession) -> None:
        """End whatever the server does in a session.

        Source:
            MongoDB manual, killSessions: a user may end the sessions of its own.
        """
        with pymongo.timeout(END_WORK_SECONDS), suppress(PyMongoError):  # it ends by its time limit in any case
            await self._health.admin.command("killSessions", [session.session_id])

    async def server_version(self) -> str:
        """Return the server's version, such as `6.0.5`."""
        return str((await self.client.server_info())["version"])

    async def close(self) -> None:
        """Close every socket."""
        await self.client.close()
        await self._health.close()


def _client(uri: str, max_pool_size: int) -> AsyncMongoClient[Any]:
    return AsyncMongoClient(
        uri,
        appname="sheaf",
        maxPoolSize=max_pool_size,
        connectTimeoutMS=5000,
        serverSelectionTimeoutMS=30000,  # the request's deadline is shorter and wins
        retryWrites=True,
        retryReads=True,
    )
