"""What other clients notice of a hostile one: loads that want to take everything, each beside a client with manners.

Run it as `python -m benchmarks.hostile`. It starts a server with its own MongoDB, on loopback, and takes two minutes.
"""

import argparse
import asyncio
import gzip
import os
import socket
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import orjson

from benchmarks.process import Child, free_port, resident_bytes, run
from benchmarks.result import percentile

ATTACKER: Final = "127.0.0.2"
CLIENT: Final = "127.0.0.1"
SECONDS: Final = 8.0
PAUSE_SECONDS: Final = 0.01
START_SECONDS: Final = 60.0
NDJSON: Final = "application/x-ndjson"
UPDATE: Final = "application/vnd.sheaf.update+json"
PAGE: Final = b"GET /v1/large?limit=1000 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
EXPORT: Final = b"GET /v1/large:export HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


def post(
    path: str, body: bytes, media_type: str = "application/json", *, method: str = "POST", length: int = 0
) -> bytes:
    """Return a request as it goes over the wire, which may announce more than it has."""
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {media_type}\r\n"
    return f"{head}Content-Length: {length or len(body)}\r\n\r\n".encode() + body


@dataclass(frozen=True)
class HostileLoad:
    """What one hostile client does.

    Args:
        name: What it is.
        connections: How many it opens at once.
        request: What it sends over each.
        reads: Whether it takes the answer, and then asks again.
        drip: What it sends every three seconds, if it reads nothing.
    """

    name: str
    connections: int
    request: bytes
    reads: bool = True
    drip: bytes = b""


LOADS: Final[Sequence[HostileLoad]] = (
    HostileLoad("nothing", 0, b""),
    HostileLoad("256 uploads of a byte every 3 s", 256, post("/v1/slow:ingest", b"{", NDJSON, length=10**6),
                reads=False, drip=b" "),
    HostileLoad("256 exports that nobody reads", 256, EXPORT, reads=False),
    HostileLoad("450 pages of 4 MB that nobody reads", 450, PAGE, reads=False),
    HostileLoad("1,100 connections that say nothing", 1100, b"", reads=False),
    HostileLoad("6 :bulk of 16 MB of lines that say 1", 6, post("/v1/bulk:bulk", b"1\n" * (8 * 2**20), NDJSON)),
    HostileLoad("6 refused bodies of 16 MB", 6, post("/v1/refused", b'"' * (16 * 2**20))),
    HostileLoad("4 KB of gzip that are 2,000,000 bad records", 2,
                post("/v1/bomb:ingest", gzip.compress(gzip.compress(b"1\n" * 2_000_000)), "application/gzip")),
    HostileLoad("an array position of 1,499,999 in 300 documents", 6,
                post("/v1/small?filter=%7B%7D", orjson.dumps({"$set": {"a.1499999": 1}}), UPDATE, method="PATCH")),
    HostileLoad("patterns over texts of 1.5 MB", 32,
                post("/v1/long:query", orjson.dumps({"filter": {"s": {"$regex": "^(?:x|xx)*y"}}}))),
    HostileLoad("64 gets of pages of 4 MB", 64, PAGE),
)  # fmt: skip


@dataclass
class Noticed:
    """What the client with manners noticed, in seconds, and the server's memory."""

    gets: list[float] = field(default_factory=list[float])
    lives: list[float] = field(default_factory=list[float])
    memory_bytes: int = 0
    refused: int = 0


async def main(only: str) -> None:
    """Run each load, and print a row for it."""
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        environment = {**os.environ, "SHEAF_PORT": str(port), "SHEAF_DATA_DIR": f"{folder}/data", "SHEAF_OPEN": "true"}
        command = [Path(sys.executable).with_name("sheaf"), "serve"]
        with run("sheaf", command, log=Path(folder) / "log", environment=environment) as server:
            server.wait_until(lambda: _listens(port), seconds=START_SECONDS)
            await _fill(port)
            print("| load | get p50, p99 | live p99 | worst | refused | memory |\n|---|---|---|---|---|---|")
            for load in LOADS:
                if only in load.name:
                    print(_row(load, await _beside(load, server, port)), flush=True)


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection((CLIENT, port), timeout=1):
        return True
    return False


async def _fill(port: int) -> None:
    for _ in range(4):
        await _ask(CLIENT, port, post("/v1/large", orjson.dumps([{"text": "x" * 4000}] * 1000)))
    await _ask(CLIENT, port, post("/v1/small", orjson.dumps([{"_id": str(number)} for number in range(300)])))
    await _ask(CLIENT, port, post("/v1/long", orjson.dumps({"_id": "x", "s": "x" * 1_500_000})))


async def _beside(load: HostileLoad, server: Child, port: int) -> Noticed:
    noticed = Noticed()
    attackers = [asyncio.create_task(_attack(load, port)) for _ in range(load.connections)]
    await asyncio.sleep(1)
    try:
        async with asyncio.timeout(SECONDS):
            await asyncio.gather(
                _notice(port, b"/v1/small/1", noticed.gets, noticed),
                _notice(port, b"/health/live", noticed.lives, noticed),
                _watch(server, noticed),
            )
    except TimeoutError:
        pass
    for attacker in attackers:
        attacker.cancel()
    await asyncio.gather(*attackers, return_exceptions=True)
    return noticed


async def _watch(server: Child, noticed: Noticed) -> None:
    while True:
        noticed.memory_bytes = max(noticed.memory_bytes, resident_bytes(server.process.pid))
        await asyncio.sleep(PAUSE_SECONDS)


async def _notice(port: int, path: bytes, times: list[float], noticed: Noticed) -> None:
    reader, writer = await _connect(CLIENT, port)
    while True:
        began = time.perf_counter()
        writer.write(b"GET " + path + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        try:
            status = await _answer(reader)
        finally:  # one that was not answered until the end took that long, too
            times.append(time.perf_counter() - began)
        noticed.refused += status != 200  # noqa: PLR2004  # as HTTP has it
        await asyncio.sleep(PAUSE_SECONDS)


async def _attack(load: HostileLoad, port: int) -> None:
    while True:
        with suppress(OSError, EOFError):
            if load.reads:
                await _ask(ATTACKER, port, load.request)
                continue
            await _dawdle(load, port)
        await asyncio.sleep(PAUSE_SECONDS)


async def _dawdle(load: HostileLoad, port: int) -> None:
    """Send a request and read nothing; begin anew when the server has ended the connection."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.bind((ATTACKER, 0))
    connection.setblocking(False)
    loop = asyncio.get_running_loop()
    with connection:
        await loop.sock_connect(connection, (CLIENT, port))
        await loop.sock_sendall(connection, load.request)
        while True:
            await asyncio.sleep(3)
            await loop.sock_sendall(connection, load.drip)


async def _connect(own: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection(CLIENT, port, local_addr=(own, 0))


async def _ask(own: str, port: int, request: bytes) -> int:
    reader, writer = await _connect(own, port)
    try:
        writer.write(request)
        return await _answer(reader)
    finally:
        writer.close()


async def _answer(reader: asyncio.StreamReader) -> int:
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    length = next((int(line[15:]) for line in lines if line.startswith(b"content-length:")), 0)
    await reader.readexactly(length)
    return int(head.split()[1])


def _row(load: HostileLoad, noticed: Noticed) -> str:
    gets, lives = sorted(noticed.gets), sorted(noticed.lives)
    cells = [
        load.name,
        f"{percentile(gets, 50) * 1000:.0f}, {percentile(gets, 99) * 1000:.0f} ms",
        f"{percentile(lives, 99) * 1000:.0f} ms",
        f"{max(gets + lives) * 1000:.0f} ms",
        f"{noticed.refused}",
        f"{noticed.memory_bytes / 2**20:.0f} MB",
    ]
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="Loads whose name has this in it.")
    asyncio.run(main(parser.parse_args().only))
