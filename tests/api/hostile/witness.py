"""Who sees what a request does beside answering: the database, and a client that asks whether the server lives."""

import socket
import threading
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pymongo import MongoClient

from documents.collections.shapes import SHAPES

LIVE: Final = b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
ALIVE: Final = b'{"status":"live"}'
PAUSE_SECONDS: Final = 0.002
CONNECTING_SECONDS: Final = 60.0
OWN: Final = Path("/proc/thread-self/schedstat")


class Ledger:
    """Looks at the served database past the server.

    Args:
        uri: Of the MongoDB.
        database: The served one.
    """

    def __init__(self, uri: str, database: str) -> None:
        self.client: MongoClient[dict[str, Any]] = MongoClient(uri)
        self.database = self.client[database]

    def state(self) -> Mapping[str, str]:
        """Return a hash of every collection of the served database, Sheaf's own among them.

        Without the count of what queries look like, which is written every minute.
        """
        collections: dict[str, str] = self.database.command("dbHash")["collections"]
        return {name: digest for name, digest in collections.items() if name != SHAPES}

    def state_of_users(self) -> Mapping[str, str]:
        """Return the same without Sheaf's own collections: a load that is refused leaves its report."""
        return {name: digest for name, digest in self.state().items() if not name.startswith("_sheaf.")}

    def databases(self) -> set[str]:
        """Return the names of all databases."""
        return set(self.client.list_database_names())

    def operations(self, comment: str = "") -> list[dict[str, Any]]:
        """Return what MongoDB does in the served database at the moment, idle cursors included."""
        found = self.client.admin.aggregate(
            [
                {"$currentOp": {"allUsers": False, "idleCursors": True, "localOps": False}},
                {"$match": {"ns": {"$regex": f"^{self.database.name}\\."}, "appName": "sheaf"}},
            ]
        )
        return [operation for operation in found if comment in str(operation)]

    def close(self) -> None:
        """Close the connection."""
        self.client.close()


@dataclass(frozen=True)
class Beat:
    """One answer of /health/live.

    Args:
        began: When it was asked for.
        ended: When it was there.
        waited: How long, of that, the server or the asker was ready to run and had no processor.
    """

    began: float
    ended: float
    waited: float

    @property
    def stall(self) -> float:
        """How long the answer took by the server's own doing, in seconds."""
        return max(self.ended - self.began - self.waited, 0.0)


class Pulse(threading.Thread):
    """Asks the server all the time, over one connection, whether it lives.

    Where the machine is busy, an answer can be late because nobody had a processor for it. Linux counts that time for
    each thread, so it can be told from the time in which the server's event loop was at something else. The latter is
    what is measured; a thread of the server that holds the interpreter counts, too, without the time in which that
    thread had no processor.

    Args:
        connection: To the server.
        pid: The process that holds its other end, whose first thread runs the event loop.
    """

    def __init__(self, connection: socket.socket, pid: int) -> None:
        super().__init__(daemon=True)
        self._connection = connection
        self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._loop_thread = pid
        self._threads = Path(f"/proc/{pid}/task")
        self._delays = self._read_delays()
        self._stopping = threading.Event()
        self._beaten = threading.Condition()
        self._beats: list[Beat] = []

    def run(self) -> None:
        """Ask until told to stop."""
        while not self._stopping.wait(PAUSE_SECONDS):
            beat = self._ask()
            with self._beaten:
                self._beats.append(beat)
                self._beaten.notify_all()

    def stop(self) -> None:
        """Stop asking."""
        self._stopping.set()
        self.join()
        self._connection.close()

    def longest_stall(self, since: float) -> float:
        """Return the longest stall of any answer that was outstanding after `since`, up to one asked for now."""
        now = time.monotonic()
        with self._beaten:
            seen = self._beaten.wait_for(lambda: bool(self._beats) and self._beats[-1].began >= now, timeout=60)
            assert seen, "the server does not answer"
            stalls = [beat.stall for beat in self._beats if beat.ended >= since]
            del self._beats[:-1]
        return max(stalls)

    def _ask(self) -> Beat:
        own, began = _run_delay(OWN), time.monotonic()
        self._connection.sendall(LIVE)
        received = b""
        while not received.endswith(ALIVE):
            received += self._connection.recv(4096)
        ended = time.monotonic()
        own = _run_delay(OWN) - own
        before, self._delays = self._delays, self._read_delays()
        waited = {thread: delay - before.get(thread, 0.0) for thread, delay in self._delays.items()}
        return Beat(began, ended, own + waited.pop(self._loop_thread, 0.0) + max(waited.values(), default=0.0))

    def _read_delays(self) -> dict[int, float]:
        return {int(each.name): _run_delay(each / "schedstat") for each in self._threads.iterdir()}


def connect_to_each(port: int, pids: Collection[int]) -> dict[int, socket.socket]:
    """Return a connection to each of several processes that listen on one port.

    Which process accepts a connection is up to the kernel, so it is tried until each has. The others are closed.
    """
    found: dict[int, socket.socket] = {}
    until = time.monotonic() + CONNECTING_SECONDS
    while len(found) < len(pids):
        assert time.monotonic() < until, f"of {pids} only {list(found)} accept connections"
        connection = socket.create_connection(("127.0.0.1", port), timeout=60)
        connection.sendall(LIVE)
        assert connection.recv(4096)
        pid = next(pid for pid in pids if _holds(pid, port, connection.getsockname()[1]))
        if pid in found:
            connection.close()
        else:
            found[pid] = connection
    return found


def _holds(pid: int, port: int, peer: int) -> bool:
    """Tell whether a process holds the server's end of a connection.

    Source:
        Linux, proc_pid_fd(5) and proc_net(5): addresses are in hexadecimal, and the tenth column is the inode.
    """
    rows = [line.split() for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]]
    inode = next(row[9] for row in rows if row[1].endswith(f":{port:04X}") and row[2].endswith(f":{peer:04X}"))
    return any(f"socket:[{inode}]" == _target(each) for each in Path(f"/proc/{pid}/fd").iterdir())


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except FileNotFoundError:  # closed meanwhile
        return ""


def _run_delay(path: Path) -> float:
    """Return how many seconds a thread has waited for a processor; 0 where the system does not say.

    Source:
        Linux, Documentation/scheduler/sched-stats.rst, /proc/<pid>/schedstat.
    """
    try:
        return int(path.read_text(encoding="ascii").split()[1]) / 1e9
    except OSError:
        return 0.0
