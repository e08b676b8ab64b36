"""A server that was told to write nothing."""

from collections.abc import AsyncGenerator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from api.app import create_app
from documents.settings import Settings
from tests.api.answers import items, refusal, stored
from tests.api.loading import NDJSON, ingest
from tests.conftest import serving

Client = httpx.AsyncClient


@pytest_asyncio.fixture(scope="module")
async def reader(settings: Settings) -> AsyncGenerator[Client]:
    async with serving(create_app(settings.model_copy(update={"read_only": True}))) as opened:
        yield opened


READS = [("GET", ""), ("HEAD", ""), ("GET", "/a"), ("HEAD", "/a"), ("POST", ":query"), ("POST", ":count")]
WRITES: list[tuple[str, str, dict[str, Any] | None]] = [
    ("POST", "", {}),
    ("PUT", "/a", {}),
    ("PATCH", "/a", {}),
    ("DELETE", "/a", None),
    ("PATCH", "?filter={}", {}),
    ("DELETE", "?filter={}", None),
]


@pytest.mark.parametrize(("method", "path"), READS)
async def test_anonymous(client: Client, reader: Client, collection: str, method: str, path: str) -> None:
    await stored(client, collection, {"_id": "a"})
    body: dict[str, str] | None = {} if method == "POST" else None
    assert (await reader.request(method, f"/v1/{collection}{path}", json=body)).status_code == 200


@pytest.mark.parametrize(("method", "path", "body"), WRITES)
async def test_refuses_writes(
    client: Client, reader: Client, collection: str, *, method: str, path: str, body: dict[str, Any] | None
) -> None:
    await stored(client, collection, {"_id": "a"})
    refusal(await reader.request(method, f"/v1/{collection}{path}", json=body), 403, "forbidden")
    assert items(await client.get(f"/v1/{collection}")) == [{"_id": "a"}]


@pytest.mark.parametrize("mode", ["unordered", "ordered", "atomic"])
async def test_refuses_bulk(client: Client, reader: Client, collection: str, mode: str) -> None:
    await stored(client, collection, {"_id": "a"})
    operations = [{"op": "delete", "id": "a"}, {"op": "upsert", "document": {"_id": "b"}}]
    refusal(await reader.post(f"/v1/{collection}:bulk?mode={mode}", json=operations), 403, "forbidden")
    assert items(await client.get(f"/v1/{collection}")) == [{"_id": "a"}]


async def test_refuses_transactions(client: Client, reader: Client, collection: str) -> None:
    await stored(client, collection, {"_id": "a"})
    body = {"operations": [{"op": "delete", "collection": collection, "id": "a"}]}
    refusal(await reader.post("/v1:transaction", json=body), 403, "operation-failed")
    assert items(await client.get(f"/v1/{collection}")) == [{"_id": "a"}]


async def test_refuses_before_it_makes_a_collection(reader: Client, collection: str) -> None:
    refusal(await reader.post(f"/v1/{collection}", json={}), 403, "forbidden")
    refusal(await reader.post(f"/v1/{collection}", json=[{}]), 403, "forbidden")
    refusal(await reader.get(f"/v1/{collection}"), 404, "collection-not-found")


async def test_refuses_loads(client: Client, reader: Client, collection: str) -> None:
    made = await ingest(client, collection, b'{"_id": "a"}\n{', status=207)
    [held] = items(await reader.get(f"/v1/{collection}:quarantine"))
    base, job = f"/v1/{collection}", f"/jobs/{made['id']}"
    for query in ("", "?mode=upsert", "?mode=merge", "?mode=replace", "?mode=delete"):
        refusal(await reader.post(f"{base}:ingest{query}", content=b"{}", headers=NDJSON), 403, "forbidden")
    headers = {"content-type": "application/partial-upload", "upload-offset": "0"}
    refusal(await reader.patch(job, content=b"{}", headers=headers), 403, "forbidden")
    for request in (f"{job}:cancel", f"{job}:undo"):
        refusal(await reader.post(request), 403, "forbidden")
    refusal(await reader.post(f"{base}:replay", json={"all": True}), 403, "forbidden")
    refusal(await reader.delete(f"{base}:quarantine?all=true"), 403, "forbidden")
    refusal(await reader.delete(f"{base}:quarantine/{held['id']}"), 403, "forbidden")
    assert (await reader.get(job)).json()["state"] == "done"
    assert (await reader.get(f"/jobs?collection={collection}")).json()["items"][0]["id"] == made["id"]
    assert items(await reader.get(f"{base}:loads?id=a"))[0]["job"] == made["id"]
    assert (await reader.get(f"{base}:quarantine/{held['id']}")).json()["raw"] == "{"
