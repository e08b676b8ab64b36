"""Ways for a database to fail: its own fail points, signals, and a proxy that keeps replies to itself."""

import socket
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

import pytest
from pymongo import MongoClient
from pymongo.uri_parser import parse_uri

from documents.database.embedded import EmbeddedMongo, acquire

GROUP: Final = "faults"
"""The xdist group of the tests that share the mongod that fails."""

ALWAYS: Final = "alwaysOn"
MORE_BYTES: Final = 1 << 16


@pytest.fixture(scope="session")
def failing_mongo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedMongo]:
    """Return a mongod of this process alone, which may be made to fail in any way."""
    folder = tmp_path_factory.getbasetemp() / "failing-mongo"  # the same in every conftest that has this fixture
    with acquire(folder, cache_gb=0.25, parameters={"enableTestCommands": 1}) as lease:
        yield lease


class FailPoints:
    """Makes commands of clients with one application name fail.

    Args:
        mongo: Started with test commands.
        app_name: Whose commands.

    Source:
        MongoDB wiki, The failCommand Fail Point.
    """

    def __init__(self, mongo: EmbeddedMongo, app_name: str = "sheaf") -> None:
        self.client: MongoClient[dict[str, Any]] = MongoClient(mongo.admin_uri)
        self._app_name = app_name

    @contextmanager
    def failing(self, *commands: str, times: int | str = 1, **how: object) -> Generator[None]:
        """Make the next `times` of these commands fail, or all of them (`ALWAYS`), until the end of the context."""
        self._set({"times": times} if isinstance(times, int) else times, failCommands=[*commands], **how)
        try:
            yield
        finally:
            self._set("off")

    @contextmanager
    def hanging(self, point: str, namespace: str) -> Generator[None]:
        """Make operations on a namespace wait at a point of MongoDB's, where they can be interrupted.

        Args:
            point: `waitInFindBeforeMakingBatch`, `hangDuringBatchUpdate` or `hangDuringBatchRemove`.
            namespace: Database and collection.
        """
        command = {"configureFailPoint": point, "mode": ALWAYS}
        self.client.admin.command({**command, "data": {"nss": namespace, "shouldCheckForInterrupt": True}})
        try:
            yield
        finally:
            self.client.admin.command({**command, "mode": "off"})

    def hits(self) -> int:
        """Return how often a command has failed since mongod started."""
        found = self.client.admin.command({"getParameter": 1, "failpoint.failCommand": 1})
        return int(found["failpoint.failCommand"]["timesEntered"])

    def close(self) -> None:
        """Close the connection."""
        self.client.close()

    def _set(self, mode: object, **how: object) -> None:
        data = {"appName": self._app_name, **how}
        self.client.admin.command({"configureFailPoint": "failCommand", "mode": mode, "data": data})


class ReplyThief:
    """A proxy before a mongod, which lets a command through and then cuts the connection in place of the reply.

    Args:
        uri: Of the mongod.
    """

    def __init__(self, uri: str) -> None:
        parsed = parse_uri(uri)
        self._target: tuple[str, int] = parsed["nodelist"][0]
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._marker: bytes | None = None
        self._lock = threading.Lock()
        self.stolen = 0
        port = self._listener.getsockname()[1]
        credentials = f"{parsed['username']}:{parsed['password']}"
        self.uri = f"mongodb://{credentials}@127.0.0.1:{port}/?authSource=admin&directConnection=true"
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()

    def steal(self, command: str, collection: str) -> None:
        """Steal the reply to the next `command` on `collection`."""
        name = collection.encode()
        size = (len(name) + 1).to_bytes(4, "little")
        # As the command begins in BSON: a string element.
        self._marker = b"\x02" + command.encode() + b"\0" + size + name + b"\0"

    def close(self) -> None:
        """Take no more connections."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._acceptor.join()
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, socket.create_connection(self._target) as server:
            connection = _Connection(self, client, server)
            returning = threading.Thread(target=connection.bring_back, daemon=True)
            returning.start()
            connection.forward()
            returning.join()

    def wants(self, data: bytes) -> bool:
        """Say whether the reply to this is to be stolen; once for each time that it was asked for."""
        with self._lock:
            if self._marker is None or self._marker not in data:
                return False
            self._marker = None
            self.stolen += 1
            return True


class _Connection:
    def __init__(self, thief: ReplyThief, client: socket.socket, server: socket.socket) -> None:
        self._thief, self._client, self._server = thief, client, server
        self._stealing = threading.Event()

    def forward(self) -> None:
        with suppress(OSError):
            while data := self._client.recv(MORE_BYTES):
                if self._thief.wants(data):
                    self._stealing.set()
                self._server.sendall(data)
        self._end()

    def bring_back(self) -> None:
        with suppress(OSError):
            while data := self._server.recv(MORE_BYTES):
                if self._stealing.is_set():
                    break
                self._client.sendall(data)
        self._end()

    def _end(self) -> None:
        for end in (self._client, self._server):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
