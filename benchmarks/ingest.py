"""Loads beside a bare loop of inserts: `python -m benchmarks.ingest --documents 1000000`.

It starts a mongod of its own in a temporary folder, and writes a file of NDJSON, about 400 bytes a record. Each round
loads it into an empty collection, each time from a new process: with a bare loop (`orjson.loads` of each line, and
`insert_many(ordered=False)` of 1,000 at once), with `sheaf ingest`, through `POST :ingest` of a server with one worker,
and with mongoimport where that is installed. All write with majority and the journal. Peak memory is that of the
process, or of the server.
"""

import argparse
import asyncio
import http.client
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson
from pymongo import AsyncMongoClient, MongoClient
from pymongo.write_concern import WriteConcern

from benchmarks.dataset import make_fields
from benchmarks.process import BenchError, free_port
from documents.database.embedded import acquire

NAME: Final = "items"
DATABASE: Final = "bench_ingest"
BATCH: Final = 1000
KB: Final = 1024
READY_SECONDS: Final = 60.0
LOAD_SECONDS: Final = 1800.0
POLL_SECONDS: Final = 0.05
DURABLE: Final = WriteConcern(w="majority", j=True)
SHEAF: Final = (sys.executable, "-m", "scripts")


@dataclass(slots=True)
class Figures:
    """What was measured of one way to load: records a second, and peak memory in MB."""

    rates: list[float] = field(default_factory=list[float])
    peaks: list[float] = field(default_factory=list[float])


def write_file(path: Path, records: int) -> None:
    """Write the records, without ids."""
    with path.open("wb") as file:
        for number in range(records):
            file.write(orjson.dumps(make_fields(number)) + b"\n")


async def loop(uri: str, path: Path) -> None:
    """Load with nothing but the driver and orjson."""
    async with AsyncMongoClient[dict[str, Any]](uri) as client:
        items = client[DATABASE].get_collection(NAME, write_concern=DURABLE)
        with path.open("rb") as file:
            batch: list[dict[str, Any]] = []
            for line in file:
                batch.append(orjson.loads(line))
                if len(batch) == BATCH:
                    await items.insert_many(batch, ordered=False)
                    batch = []
            if batch:
                await items.insert_many(batch, ordered=False)


def run_child(command: list[str], uri: str) -> tuple[float, float]:
    """Return the seconds that a process took, and its peak memory in MB."""
    began = time.perf_counter()
    child = subprocess.Popen(command, env=_environment(uri), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise BenchError(f"{' '.join(command)} ended with {child.returncode}.")
    return time.perf_counter() - began, usage.ru_maxrss / KB


def run_loop(uri: str, path: Path) -> tuple[float, float]:
    """Load with the bare loop, in a process of its own."""
    return run_child([sys.executable, "-m", "benchmarks.ingest", "--loop", uri, str(path)], uri)


def run_command(uri: str, path: Path) -> tuple[float, float]:
    """Load with the command."""
    return run_child([*SHEAF, "ingest", str(path), "--into", NAME, "--again", "--yes"], uri)


def run_mongoimport(uri: str, path: Path) -> tuple[float, float]:
    """Load with mongoimport."""
    flags = ["--uri", uri, "--db", DATABASE, "--collection", NAME, "--file", str(path), "--quiet"]
    concern = '{"w": "majority", "j": true}'
    return run_child(["mongoimport", *flags, "--writeConcern", concern], uri)


def run_http(uri: str, path: Path) -> tuple[float, float]:
    """Load through a server, and wait until the job is done."""
    port = free_port()
    server = subprocess.Popen(
        [*SHEAF, "serve"],
        env=_environment(uri) | {"SHEAF_PORT": str(port)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _await_ready(port)
        began = time.perf_counter()
        job = _upload(port, path)
        while job["state"] in ("receiving", "running", "waiting"):
            if time.perf_counter() - began > LOAD_SECONDS:
                raise BenchError("The job does not end.")
            time.sleep(POLL_SECONDS)
            job = _ask(port, f"/jobs/{job['id']}")
        seconds = time.perf_counter() - began
        if job["state"] != "done":
            raise BenchError(f"The job is {job['state']}: {job['error']}.")
        return seconds, _peak_of(server.pid)
    finally:
        server.terminate()
        server.wait()


def _upload(port: int, path: Path) -> dict[str, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LOAD_SECONDS)
    with path.open("rb") as file:
        headers = {"Content-Type": "application/x-ndjson", "Content-Length": str(path.stat().st_size)}
        connection.request("POST", f"/v1/{NAME}:ingest", body=file, headers=headers)
        answer = connection.getresponse()
        body = answer.read()
    if answer.status not in (200, 202):
        raise BenchError(f"The upload was answered with {answer.status}: {body[:200]!r}")
    return json.loads(body)


def _ask(port: int, address: str) -> dict[str, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=READY_SECONDS)
    connection.request("GET", address)
    return json.loads(connection.getresponse().read())


def _await_ready(port: int) -> None:
    end = time.perf_counter() + READY_SECONDS
    while time.perf_counter() < end:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/health/ready")
            if connection.getresponse().status == http.HTTPStatus.OK:
                return
        except OSError:
            pass
        time.sleep(POLL_SECONDS)
    raise BenchError("The server does not become ready.")


def _peak_of(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / KB


def _environment(uri: str) -> dict[str, str]:
    others = {name: value for name, value in os.environ.items() if not name.startswith("SHEAF_")}
    return others | {"SHEAF_MONGODB_URI": uri, "SHEAF_DATABASE": DATABASE, "SHEAF_ENVIRONMENT": "production"}


def measure(records: int, rounds: int) -> dict[str, Figures]:
    """Return what was measured of each way."""
    ways: dict[str, Callable[[str, Path], tuple[float, float]]] = {
        "loop": run_loop,
        "command": run_command,
        "http": run_http,
    }
    if shutil.which("mongoimport"):
        ways["mongoimport"] = run_mongoimport
    figures = {name: Figures() for name in ways}
    with tempfile.TemporaryDirectory(prefix="sheaf-ingest-") as folder, acquire(Path(folder) / "mongo") as lease:
        path = Path(folder) / "items.ndjson"
        write_file(path, records)
        print(f"{records:,} records of {path.stat().st_size / records:.0f} bytes")
        with MongoClient[dict[str, Any]](lease.uri) as client:
            for number in range(rounds):
                for name in (*ways,) if number % 2 == 0 else (*reversed(ways),):
                    client.drop_database(DATABASE)
                    seconds, peak = ways[name](lease.uri, path)
                    found = client[DATABASE][NAME].count_documents({})
                    if found != records:
                        raise BenchError(f"After {name} there are {found} of {records} documents.")
                    figures[name].rates.append(records / seconds)
                    figures[name].peaks.append(peak)
                    print(f"round {number + 1}: {name} {records / seconds:,.0f}/s, {peak:.0f} MB", flush=True)
    return figures


def main() -> None:
    """Read the flags, and measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--documents", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--loop", nargs=2, metavar=("URI", "FILE"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.loop:
        asyncio.run(loop(arguments.loop[0], Path(arguments.loop[1])))
        return
    figures = measure(arguments.documents, arguments.rounds)
    base = statistics.median(figures["loop"].rates)
    for name, found in figures.items():
        rate = statistics.median(found.rates)
        print(f"{name:>12} {rate:>10,.0f} records/s {rate / base:>6.2f} x loop, peak {max(found.peaks):,.0f} MB")


if __name__ == "__main__":
    main()
