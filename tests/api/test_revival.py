"""An embedded MongoDB that has died is started again by whoever holds a lease on it, and nothing is lost."""

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from pymongo import AsyncMongoClient
from pymongo.errors import PyMongoError

from tests.embedded import pid_of, uri_of
from tests.server import Server, serve

pytestmark = [pytest.mark.alone, pytest.mark.timeout(300)]

KILLS: Final = {1: 10, 2: 3}
"""By the number of processes that serve."""

WRITERS: Final = 20
CONNECTIONS: Final = 6
"""So many answers in a row come from each of two processes, as good as surely."""

RETURN_SECONDS: Final = 2.0
"""After a bare client beside it can write again, until the server can."""

AT_ONCE_SECONDS: Final = 1.0
PATIENCE_SECONDS: Final = 30.0


@dataclass
class Ledger:
    """What writers were told."""

    acknowledged: set[str] = field(default_factory=set[str])
    unknown: set[str] = field(default_factory=set[str])
    refusals: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])
    """When a write began that was told `database-unavailable`, `not-applied`, and how long that took."""


@pytest.fixture(scope="module", params=[1, 2], ids=["one process", "two processes"])
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Server, Path, int]]:
    """Return a server, the folder of its MongoDB, and how often to kill that."""
    folder = tmp_path_factory.mktemp("revived")
    with serve(folder, uri=None, environment="production", workers=request.param) as server:
        yield server, folder / "data", KILLS[request.param]


async def write(client: httpx.AsyncClient, ledger: Ledger, name: str) -> None:
    for number in range(1_000_000):
        key, began = f"{name}-{number}", time.monotonic()
        answer = await client.post("/v1/kept", json={"_id": key})
        if answer.status_code == 201:
            ledger.acknowledged.add(key)
            await asyncio.sleep(0.02)
            continue
        problem = answer.json()
        assert answer.status_code == 503, problem
        if problem["outcome"] == "unknown":
            ledger.unknown.add(key)
        elif problem["code"] == "database-unavailable":
            ledger.refusals.append((began, time.monotonic() - began))
        await asyncio.sleep(0.1)


async def until_written(bare: AsyncMongoClient[dict[str, Any]]) -> float:
    """Return when a bare client can write again."""
    while True:
        try:
            await bare["bare"]["things"].insert_one({})
        except PyMongoError:
            await asyncio.sleep(0.02)
        else:
            return time.monotonic()


async def until_served(client: httpx.AsyncClient, began: float) -> float:
    """Return since when writes and readiness are well, whichever process answers."""
    well: list[float] = []
    while len(well) < CONNECTIONS:
        answers = await asyncio.gather(client.put("/v1/kept/back", json={}), client.get("/health/ready"))
        well = [*well, time.monotonic()] if all(answer.is_success for answer in answers) else []
        assert time.monotonic() - began < PATIENCE_SECONDS, answers[0].text
        await asyncio.sleep(0.02)
    return well[0]


async def test_mongod_killed_under_writers(served: tuple[Server, Path, int]) -> None:
    server, folder, times = served
    ledger, late, kills = Ledger(), list[float](), list[float]()
    pids = {pid_of(folder)}
    bare: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(uri_of(folder))
    async with server.async_client(seconds=30) as client, bare:
        writers = [asyncio.create_task(write(client, ledger, str(number))) for number in range(WRITERS)]
        await until_served(client, time.monotonic())
        for _ in range(times):
            pid = pid_of(folder)
            assert pid is not None
            await asyncio.sleep(0.3)
            kills.append(time.monotonic())
            os.kill(pid, signal.SIGKILL)
            written, well = await asyncio.gather(until_written(bare), until_served(client, kills[-1]))
            late.append(well - written)
            pids.add(pid_of(folder))
        for writer in writers:
            writer.cancel()
        ends = await asyncio.gather(*writers, return_exceptions=True)
        stored = [document["_id"] async for document in bare["sheaf"]["kept"].find()]
    assert all(isinstance(end, asyncio.CancelledError) for end in ends), ends
    assert len(pids) == times + 1, "each kill is one start"
    assert ledger.acknowledged <= {*stored}, "an acknowledged write is lost"
    strangers = {*stored} - ledger.acknowledged - ledger.unknown - {"back"}
    assert len(strangers) <= WRITERS, "a write that was not applied is there"  # those that were under way in the end
    assert sorted(late)[times // 2] < RETURN_SECONDS, late
    told = [seconds for began, seconds in ledger.refusals if min(abs(began - kill) for kill in kills) > 0.3]
    assert told
    assert sorted(told)[len(told) // 2] < AT_ONCE_SECONDS, told
    said = "".join(server.said)
    assert "has ended" in said
    assert "runs again" in said


async def test_readiness_tells(served: tuple[Server, Path, int]) -> None:
    server, folder, _ = served
    pid = pid_of(folder)
    assert pid is not None
    async with server.async_client() as client:
        await until_served(client, time.monotonic())  # of several processes some may still be starting
        os.kill(pid, signal.SIGKILL)
        began, states = time.monotonic(), list[str]()
        while not states or states[-1] == "ready" or "no-database" not in states:
            states.append((await client.get("/health/ready")).json()["status"])
            assert time.monotonic() - began < PATIENCE_SECONDS, states
        await until_served(client, began)
