"""Whatever becomes of MongoDB: the server serves again as soon as MongoDB does."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Final

import httpx
import pytest

from documents.database.embedded import EmbeddedMongo
from tests.faults import GROUP
from tests.server import Server, serve

pytestmark = [pytest.mark.xdist_group(GROUP), pytest.mark.alone]

WRITERS: Final = 50
HASTE: Final = {"Prefer": "wait=1"}

RETURN_SECONDS: Final = 2.0
"""After MongoDB's return, until requests succeed again."""


@asynccontextmanager
async def writing(server: Server, collection: str) -> AsyncGenerator[None]:
    """Have fifty writers insert all the time, and leave now and then before they have their answer."""

    async def write(client: httpx.AsyncClient, number: int) -> None:
        while True:
            with suppress(httpx.TransportError):
                patience = 0.7 if number % 5 == 0 else 5.0
                await client.post(f"/v1/{collection}", json={"n": number}, timeout=patience)
                await client.put(f"/v1/{collection}-put/k{number}", json={"n": number}, timeout=patience)
            await asyncio.sleep(0.05)  # what is measured is the server, not a machine that is busy

    async with server.async_client(seconds=30) as client:
        tasks = [asyncio.create_task(write(client, number)) for number in range(WRITERS)]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def come_back(server: Server, collection: str) -> float:
    """Return how long it takes until a write, a read and readiness are all well."""
    began = time.monotonic()

    async def repeat(method: str, path: str, body: object = None) -> None:
        while not (answer := await client.request(method, path, json=body, headers=HASTE)).is_success:
            assert time.monotonic() - began < 20, f"{method} {path} never comes back: {answer.text}"

    async with server.async_client(seconds=15) as client:
        write, read = repeat("PUT", f"/v1/{collection}-put/back", {}), repeat("GET", f"/v1/{collection}?limit=1")
        await asyncio.gather(write, read, repeat("GET", "/health/ready"))
    return time.monotonic() - began


async def test_a_pause_longer_than_the_deadline(
    failing_mongo: EmbeddedMongo, collection: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Such a pause cancels many operations at once, at every point where they can be."""
    folder = tmp_path_factory.mktemp("pauses")
    with serve(folder, uri=failing_mongo.uri, environment="production", request_timeout=1) as server:
        async with writing(server, collection):
            usual, returns = await come_back(server, collection), list[float]()
            for pause in (3.0, 1.5, 5.0):
                await asyncio.sleep(0.5)
                os.kill(failing_mongo.pid, signal.SIGSTOP)
                try:
                    await asyncio.sleep(pause)
                finally:
                    os.kill(failing_mongo.pid, signal.SIGCONT)
                returns.append(await come_back(server, collection))
            # What asking takes on this machine anyway is not the pause's doing; nor is it when one meets a busy moment.
            assert sorted(returns)[1] - usual < RETURN_SECONDS, (usual, returns)
        server.stop(signal.SIGTERM)
        assert "Lock is not acquired" not in "".join(server.said)
