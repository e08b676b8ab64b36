"""While the disk of MongoDB has too little room, nothing is added, and everything else goes on."""

import os
import subprocess
import time
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.app import create_app
from documents import lifecycle
from documents.database.connect import connect
from documents.database.connection import Connection
from documents.lifecycle import Store
from documents.settings import Settings
from tests.api.answers import refusal
from tests.conftest import serving
from tests.server import serve

Client = httpx.AsyncClient
NDJSON = {"Content-Type": "application/x-ndjson"}
MERGE = {"Content-Type": "application/merge-patch+json"}


@pytest.fixture
async def short(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Client]:
    """A client of a server that has been told of the shortage."""

    async def connect_short(*args: Any, **options: Any) -> Connection:
        connection = await connect(*args, **options)
        connection.shortage = "The disk has 1 byte left."
        return connection

    monkeypatch.setattr(lifecycle, "connect", connect_short)
    async with serving(create_app(settings)) as client:
        yield client


async def test_nothing_is_added(short: Client, store: Store, collection: str) -> None:
    client = short
    await store.connection.collection(collection).insert_many([{"_id": "a"}, {"_id": "b"}])
    url = f"/v1/{collection}"
    insert: dict[str, Any] = {"op": "insert", "document": {}}
    for answer in (
        await client.post(url, json={}),
        await client.put(f"{url}/c", json={}),
        await client.patch(f"{url}/a", json={"n": 1}, headers=MERGE),
        await client.patch(f"{url}?_id=a", json={"n": 1}, headers=MERGE),
        await client.post(f"{url}:bulk", json=[insert]),
        await client.post("/v1:transaction", json={"operations": [{**insert, "collection": collection}]}),
        await client.post(f"{url}:ingest", content=b"{}\n", headers=NDJSON),
    ):
        assert refusal(answer, 507, "disk-full")["outcome"] == "not-applied"
        assert "Retry-After" in answer.headers
    assert (await client.get(f"{url}/a")).json() == {"_id": "a"}
    assert (await client.post(f"{url}:count", json={})).json()["count"] == 2
    assert (await client.delete(f"{url}/a")).status_code == 204
    assert (await client.delete(f"{url}?_id=b")).json() == {"matched": 1, "deleted": 1}


async def test_readiness_says_it(short: Client) -> None:
    answer = await short.get("/health/ready")
    assert (answer.status_code, answer.json()) == (200, {"status": "ready", "reasons": ["disk-full"]})


async def test_a_server_that_answers_has_started(client: Client) -> None:
    answer = await client.get("/health/startup")
    assert (answer.status_code, answer.json()) == (200, {"status": "started"})


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 700 MB that is memory."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=700m", "tmpfs", str(folder)]
    if os.getuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no disk can be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.alone
def test_a_disk_that_fills_up(small_disk: Path, tmp_path: Path) -> None:
    with serve(tmp_path, uri=None, data_dir=small_disk / "data") as server, server.client() as client:
        assert client.post("/v1/things", json={"_id": 1}).status_code == 201
        filler = small_disk / "filler"
        with filler.open("wb") as file:
            while _free(small_disk) > 60 * 1024 * 1024:
                file.write(bytes(4 * 1024 * 1024))
                file.flush()
        until(client, 507)
        assert client.get("/v1/things/1").status_code == 200
        assert client.get("/health/ready").json() == {"status": "ready", "reasons": ["disk-full"]}
        filler.unlink()
        until(client, 201)
        assert client.get("/health/ready").json() == {"status": "ready"}
    # Each request that was refused has a line with the reason; besides that it is said once.
    assert sum("bytes left" in line and '"event":"request"' not in line for line in server.said) == 1


def _free(folder: Path) -> int:
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


def until(client: httpx.Client, status: int) -> None:
    deadline = time.monotonic() + 10
    while (answer := client.post("/v1/more", json={})).status_code != status:
        assert time.monotonic() < deadline, answer.text
        time.sleep(0.05)
