"""The real `sheaf serve`, as a process of its own."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TextIO, cast

import httpx

from tests.shop import SHOP

PATIENCE_SECONDS: Final = 60.0
ADDRESS: Final = re.compile(r"API +(http://(127\.0\.0\.1):(\d+))/v1")


class Server:
    """A running `sheaf serve`.

    Args:
        process: The process, whose standard error is read here.
    """

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.base_url = ""
        self.host, self.port = "127.0.0.1", 0
        self.said: list[str] = []
        self._ready = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    def client(self, *, seconds: float = 15) -> httpx.Client:
        """Return a client of its own connections."""
        return httpx.Client(base_url=self.base_url, timeout=seconds, trust_env=False)

    def async_client(self, *, seconds: float = 15, connections: int = 100) -> httpx.AsyncClient:
        """Return a client for asynchronous tests."""
        limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
        return httpx.AsyncClient(base_url=self.base_url, timeout=seconds, trust_env=False, limits=limits)

    def wait_until_ready(self) -> None:
        """Wait for the addresses that it shows when it listens.

        Raises:
            RuntimeError: It ended instead, or did not come up in time.
        """
        if not self._ready.wait(PATIENCE_SECONDS) or not self.port:
            self.stop(signal.SIGKILL)
            raise RuntimeError("sheaf serve did not start:\n" + "".join(self.said))

    def stop(self, sign: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal, and return the exit code once the process is gone."""
        if self.process.poll() is None:
            self.process.send_signal(sign)
        code = self.process.wait(PATIENCE_SECONDS)
        self._reader.join(PATIENCE_SECONDS)
        return code

    def _read(self) -> None:
        with cast("TextIO", self.process.stderr) as lines:
            for line in lines:
                self.said.append(line)
                found = ADDRESS.search(line)
                if found is not None:
                    self.base_url, self.host, self.port = found[1], found[2], int(found[3])
                    self._ready.set()
        self._ready.set()


@contextmanager
def serve(folder: Path, *, uri: str | None, database: str = "sheaf", **settings: object) -> Generator[Server]:
    """Start `sheaf serve` on a free port, and stop it in the end.

    Args:
        folder: Where it runs, so that no `.env` of somebody else is read.
        uri: The MongoDB to use; None for an embedded one in `folder`.
        database: The database to serve.
        settings: Others, by the names that `Settings` has; durations in ISO 8601, such as `PT2S`. Unless they say
            otherwise the shop is served, and outside production it is planted, also on a MongoDB of the tests.
    """
    chosen = {"mongodb_uri": uri or "", "database": database, "port": 0, "data_dir": folder / "data"}
    chosen |= {"project": SHOP.root, "prepare": settings.get("environment") != "production", **settings}
    environ = {name: value for name, value in os.environ.items() if not name.startswith("SHEAF_")}
    environ |= {f"SHEAF_{name}".upper(): str(value) for name, value in chosen.items()}
    environ |= {"COLUMNS": "200", "NO_COLOR": "1"}
    process = subprocess.Popen(
        [Path(sys.executable).with_name("sheaf"), "serve"],
        cwd=folder,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    server = Server(process)
    try:
        server.wait_until_ready()
        yield server
    finally:
        server.stop()
