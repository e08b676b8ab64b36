"""A replica set of three members, each a mongod of its own that may be frozen, killed and started again."""

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Self

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from documents.database.mongod import LOOPBACK, find_mongod, offer_ports

NAME: Final = "three"
SETTINGS: Final = {"electionTimeoutMillis": 2000, "heartbeatIntervalMillis": 500}
PATIENCE_SECONDS: Final = 60.0
Client = MongoClient[dict[str, Any]]


class Member:
    """One member.

    Args:
        folder: Of its data.
        port: Where it listens.
        door: Under which port the others know it.
    """

    def __init__(self, folder: Path, port: int, door: int) -> None:
        self.folder, self.port = folder, port
        self.address = f"{LOOPBACK}:{door}"
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def is_running(self) -> bool:
        """Whether its process lives, frozen or not."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it, if it does not run. It may take a moment until it answers."""
        if self.is_running:
            return
        options = {"--dbpath": self.folder, "--logpath": self.folder / "mongod.log", "--port": self.port}
        options |= {"--bind_ip": LOOPBACK, "--replSet": NAME, "--oplogSize": 64, "--wiredTigerCacheSizeGB": 0.25}
        self._process = subprocess.Popen(
            [
                find_mongod(),
                "--nounixsocket",
                "--noscripting",
                "--setParameter",
                "diagnosticDataCollectionEnabled=false",
            ]
            + [str(word) for option in options.items() for word in option],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env={**os.environ, "LC_ALL": "C"},
        )

    def signal(self, sign: signal.Signals) -> None:
        """Send it a signal; one that ends it is waited for."""
        if self._process is None or not self.is_running:
            return
        self._process.send_signal(sign)
        if sign in (signal.SIGKILL, signal.SIGTERM):
            self._process.wait(PATIENCE_SECONDS)

    def direct(self) -> Client:
        """Return a client of this member alone."""
        return Client(LOOPBACK, self.port, directConnection=True, serverSelectionTimeoutMS=1000, socketTimeoutMS=5000)

    def wait_until_up(self) -> None:
        """Wait until it answers."""
        with Client(LOOPBACK, self.port, directConnection=True, serverSelectionTimeoutMS=60_000) as client:
            client.admin.command("ping")

    def is_primary(self) -> bool:
        """Say whether it takes writes."""
        with self.direct() as client:
            try:
                return bool(client.admin.command("hello")["isWritablePrimary"])
            except PyMongoError:
                return False


class ReplicaSet:
    """Three members on ports of their own; as a context, started and in the end gone.

    Args:
        folder: Of their data.
        doors: Ports under which they are known, where those are not their own.
    """

    def __init__(self, folder: Path, *, doors: Sequence[int] | None = None) -> None:
        ports = [next(offer_ports(0)) for _ in range(3)]
        self.members = [
            Member(folder / str(number), port, door)
            for number, (port, door) in enumerate(zip(ports, doors or ports, strict=True))
        ]
        hosts = ",".join(member.address for member in self.members)
        self.uri = f"mongodb://{hosts}/?replicaSet={NAME}"

    def __enter__(self) -> Self:
        try:
            for member in self.members:
                member.start()
            for member in self.members:
                member.wait_until_up()
            self._initiate()
            self.wait_for_primary()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for member in self.members:
            member.signal(signal.SIGCONT)
            member.signal(signal.SIGKILL)

    def primary(self) -> Member | None:
        """Return the member that takes writes, if one does."""
        return next((member for member in self.members if member.is_running and member.is_primary()), None)

    def wait_for_primary(self) -> Member:
        """Return the primary, as soon as there is one."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (primary := self.primary()) is None:
            assert time.monotonic() < deadline, "nobody became primary"
            time.sleep(0.05)  # members tell nobody who has not asked
        return primary

    def _initiate(self) -> None:
        members = [{"_id": number, "host": member.address} for number, member in enumerate(self.members)]
        with Client(LOOPBACK, self.members[0].port, directConnection=True, serverSelectionTimeoutMS=30000) as client:
            client.admin.command({"replSetInitiate": {"_id": NAME, "members": members, "settings": SETTINGS}})
