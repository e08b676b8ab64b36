"""The connection to MongoDB: one client for requests, a small one to end what requests leave behind."""

import asyncio
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
from pymongo.topology_description import TopologyDescription
from pymongo.write_concern import WriteConcern

from documents.codec.plain import CODEC_OPTIONS, RAW_OPTIONS
from documents.database.deadline import Deadline
from documents.database.driver_wait import mend_driver_wait
from documents.database.pool_watch import PoolWatch
from documents.errors import DatabaseUnavailableError, DiskFullError
from documents.types import Document

DURABLE: Final = WriteConcern(w="majority", j=True)
"""Acknowledged is durable. Neither a client nor the URI can lower it."""


def as_bson(raw: bytes) -> RawBSONDocument:
    """Return a document for the driver to send as it is, also with dates that Python cannot hold."""
    return RawBSONDocument(raw, RAW_OPTIONS)


END_WORK_SECONDS: Final = 1.0
CLOSE_SECONDS: Final = 0.5
SEEK_SECONDS: Final = 5.0
SEEK_PAUSE_SECONDS: Final = 0.05
"""Between two attempts that fail at once, as of a server that is found and closes the connection."""
ANSWER_SHARE: Final = 0.1
ANSWER_SECONDS: Final = 0.25
"""What of its time a request keeps for its answer when no server is there: a share, and at most so much."""

KEPT_COLLECTIONS: Final = 256


class Connection:
    """Clients of one deployment and one of its databases.

    Args:
        uri: As MongoDB's drivers read it.
        database: Name of the database to serve.
        max_pool_size: Connections for requests; to end their work there are two more.
    """

    def __init__(self, uri: str, *, database: str, max_pool_size: int) -> None:
        self.pool: Final = PoolWatch()
        self.client: AsyncMongoClient[Document] = _client(uri, max_pool_size, self.pool)
        self._ending: AsyncMongoClient[Document] = _client(uri, 2)
        self.database: AsyncDatabase[Document] = self.client.get_database(
            database, codec_options=CODEC_OPTIONS, write_concern=DURABLE, read_concern=ReadConcern("local")
        )
        self.outage: str | None = None
        """Why nothing can be asked of MongoDB now, where that is known better than the driver can."""
        self.shortage: str | None = None
        """Why nothing may be added now."""
        self._usable: TopologyDescription | None = None
        self._seeking: asyncio.Task[None] | None = None
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
        """Ask the primary who it is, over a connection such as every request uses."""
        return await self.client.admin.command("hello")

    @property
    def lacks_primary(self) -> bool:
        """Whether members of the deployment answer, but none of them takes writes. No I/O."""
        topology = self.client.topology_description
        return self.outage is None and topology.has_known_servers and not topology.has_writable_server()

    def is_reachable(self, *, writes: bool) -> bool:
        """Say whether a server for this is known. No I/O."""
        topology = self.client.topology_description
        if self.outage is not None:
            return False
        if topology is self._usable:  # the driver makes a new one whenever something changes
            return True
        if topology.has_writable_server():
            self._usable = topology
            return True
        return not writes and topology.has_readable_server(self.client.read_preference)

    async def reach(self, deadline: Deadline, *, writes: bool) -> None:
        """Wait until a server for this is known.

        Raises:
            DatabaseUnavailableError: None is in time. Nothing was sent.
        """
        remaining = deadline.remaining()
        until = Deadline(remaining - min(remaining * ANSWER_SHARE, ANSWER_SECONDS))
        while not self.is_reachable(writes=writes):
            if until.remaining() <= 0 or self.outage is not None:
                raise DatabaseUnavailableError(self._describe_outage(), "not-applied" if writes else None)
            # One looks for all: the driver tells nobody else when it has found a server.
            if self._seeking is None or self._seeking.done():
                self._seeking = asyncio.create_task(self._seek())
            await asyncio.wait({self._seeking}, timeout=until.remaining())  # cancels nothing

    def check_room(self) -> None:
        """Raise where nothing may be added now. No I/O.

        Raises:
            DiskFullError: The disk has too little room left.
        """
        if self.shortage is not None:
            raise DiskFullError(self.shortage, "not-applied")

    def fail(self, outage: str) -> None:
        """Answer every request with this at once, until `restore`."""
        self.outage = outage
        if self._seeking is not None:
            self._seeking.cancel()

    def restore(self) -> None:
        """Ask MongoDB again."""
        self.outage = None

    async def _seek(self) -> None:
        with suppress(PyMongoError), pymongo.timeout(SEEK_SECONDS):
            await self.ping()
            return
        await asyncio.sleep(SEEK_PAUSE_SECONDS)

    def _describe_outage(self) -> str:
        if self.outage is not None:
            return self.outage
        return "MongoDB has no primary at the moment." if self.lacks_primary else "MongoDB cannot be reached."

    async def end_work(self, session: AsyncClientSession) -> None:
        """End whatever the server does in a session.

        Source:
            MongoDB manual, killSessions: a user may end the sessions of its own.
        """
        with pymongo.timeout(END_WORK_SECONDS), suppress(PyMongoError):  # it ends by its time limit in any case
            await self._ending.admin.command("killSessions", [session.session_id])

    async def server_version(self) -> str:
        """Return the server's version, such as `6.0.5`."""
        return str((await self.client.server_info())["version"])

    async def close(self) -> None:
        """Close every socket."""
        if self._seeking is not None:
            self._seeking.cancel()
        with pymongo.timeout(CLOSE_SECONDS):  # else it would look for a server to tell, for as long as any request
            await asyncio.gather(self.client.close(), self._ending.close())


def _client(uri: str, max_pool_size: int, *listeners: PoolWatch) -> AsyncMongoClient[Any]:
    mend_driver_wait()
    return AsyncMongoClient(
        uri,
        appname="sheaf",
        maxPoolSize=max_pool_size,
        connectTimeoutMS=5000,
        serverSelectionTimeoutMS=30000,  # the request's deadline is shorter and wins
        retryWrites=True,
        retryReads=True,
        event_listeners=listeners,
    )
