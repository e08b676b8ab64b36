"""The server ends when it is told to, whatever state MongoDB is in, and leaves no process behind."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from documents.database.data_folder import DataFolder
from documents.database.embedded import acquire
from documents.database.lease import is_free
from tests.embedded import pid_of
from tests.server import Server, serve

pytestmark = [pytest.mark.alone, pytest.mark.timeout(300)]

REQUEST_SECONDS: Final = 3
DRAIN_SECONDS: Final = 6
DRAIN_DELAY_SECONDS: Final = 0.2
SLACK_SECONDS: Final = 2.0
"""What a process takes to end on a busy machine, beyond what it waits for."""

ORPHANED_SECONDS: Final = 5.0
PATIENCE_SECONDS: Final = 30.0


def embedded_pid(folder: DataFolder) -> int:
    pid = pid_of(folder.path)
    assert pid is not None
    return pid


@contextmanager
def well(_: DataFolder) -> Generator[None]:
    yield


@contextmanager
def frozen(folder: DataFolder) -> Generator[None]:
    pid = embedded_pid(folder)
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


@contextmanager
def dead(folder: DataFolder) -> Generator[None]:
    """Have it die, and somebody take its port, so that it cannot be started again."""
    endpoint = folder.load()
    assert endpoint is not None
    os.kill(embedded_pid(folder), signal.SIGKILL)
    with socket.socket() as squatter:
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        until(lambda: is_bound(squatter, endpoint.port))
        squatter.listen()
        yield


def is_bound(squatter: socket.socket, port: int) -> bool:
    try:
        squatter.bind(("127.0.0.1", port))
    except OSError:
        return False
    return True


def until(condition: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> float:
    """Return how long it takes until something is so that nobody tells."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds
        time.sleep(0.01)
    return time.monotonic() - began


@pytest.mark.parametrize(
    ("state", "workers"),
    [(well, 1), (well, 2), (frozen, 1), (frozen, 2), (dead, 1), (dead, 2)],
)
async def test_sigterm_ends_it_in_time(
    tmp_path: Path, state: Callable[[DataFolder], AbstractContextManager[None]], workers: int
) -> None:
    times: dict[str, Any] = {"request_timeout": REQUEST_SECONDS, "drain_timeout": DRAIN_SECONDS}
    times |= {"drain_delay": DRAIN_DELAY_SECONDS}
    folder = DataFolder(tmp_path / "data")
    with serve(tmp_path, uri=None, environment="production", workers=workers, **times) as server:
        async with server.async_client(seconds=30) as client:
            while not (await client.get("/health/ready")).is_success:  # noqa: ASYNC110  # of another process
                await asyncio.sleep(0.1)
            with state(folder):
                asking = [asyncio.create_task(client.put(f"/v1/things/{number}", json={})) for number in range(20)]
                await asyncio.sleep(0.2)
                server.process.send_signal(signal.SIGTERM)
                began = time.monotonic()
                code = await asyncio.to_thread(server.process.wait, PATIENCE_SECONDS)
                took = time.monotonic() - began
            answers = await asyncio.gather(*asking, return_exceptions=True)
    assert code == 0, "".join(server.said)
    assert took < DRAIN_DELAY_SECONDS + DRAIN_SECONDS + SLACK_SECONDS
    assert is_free(folder.running_lock)
    statuses = {answer.status_code for answer in answers if isinstance(answer, httpx.Response)}
    assert statuses <= {200, 201, 503}, answers
    assert len(answers) - sum(isinstance(answer, httpx.TransportError) for answer in answers) > 0


def children_of(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]


def is_gone(pid: int) -> bool:
    """Say whether a process has ended; one that nobody waits for stays as a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


@pytest.fixture
def orphans(tmp_path: Path) -> Iterator[tuple[Server, list[int]]]:
    with serve(tmp_path, uri=None, environment="production", workers=2) as server:
        with server.client(seconds=60) as client:
            assert client.get("/health/ready").is_success
        children = children_of(server.pid)
        yield server, children
    for pid in children:
        if not is_gone(pid):
            os.kill(pid, signal.SIGKILL)


@pytest.mark.skipif(sys.platform != "linux", reason="finds the processes in /proc")
def test_processes_end_with_the_one_that_started_them(tmp_path: Path, orphans: tuple[Server, list[int]]) -> None:
    server, children = orphans
    assert len(children) >= 2
    server.process.kill()
    server.process.wait()
    until(lambda: all(map(is_gone, children)), ORPHANED_SECONDS)
    with serve(tmp_path, uri=None, environment="production", port=server.port) as next_one, next_one.client() as client:
        assert next_one.port == server.port
        assert client.put("/v1/things/one", json={}).is_success


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_start_beside_a_frozen_mongodb_ends_when_it_is_told_to(tmp_path: Path, number: signal.Signals) -> None:
    data = tmp_path / "data"
    with acquire(data), frozen(DataFolder(data)):
        environ = {**os.environ, "SHEAF_DATA_DIR": str(data), "SHEAF_PORT": "0"}
        process = subprocess.Popen(
            [Path(sys.executable).with_name("sheaf"), "serve"],
            env=environ,
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert process.stdout is not None
        said = ""
        while "Joining" not in said:
            said += process.stdout.readline()
        process.send_signal(number)
        rest, _ = process.communicate(timeout=10)
    assert process.returncode in (0, 128 + number), said + rest
    assert "Traceback" not in said + rest
