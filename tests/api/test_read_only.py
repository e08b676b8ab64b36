"""A server that was told to write nothing."""

from collections.abc import AsyncGenerator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from api.app import create_app
from documents.settings import Settings
from tests.api.answers import items, refusal, stored
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
    response = await reader.post(f"/v1/{collection}:bulk?mode={mode}", json=operations)
    if mode == "atomic":
        refusal(response, 403, "operation-failed")
    else:
        assert items(response)[0]["problem"]["code"] == "forbidden"
    assert items(await client.get(f"/v1/{collection}")) == [{"_id": "a"}]


async def test_refuses_transactions(client: Client, reader: Client, collection: str) -> None:
    await stored(client, collection, {"_id": "a"})
    body = {"operations": [{"op": "delete", "collection": collection, "id": "a"}]}
    refusal(await reader.post("/v1:transaction", json=body), 403, "operation-failed")
    assert items(await client.get(f"/v1/{collection}")) == [{"_id": "a"}]


async def test_refuses_before_it_makes_a_collection(reader: Client, collection: str) -> None:
    refusal(await reader.post(f"/v1/{collection}", json={}), 403, "forbidden")
    assert items(await reader.post(f"/v1/{collection}", json=[{}]))[0]["problem"]["code"] == "forbidden"
    refusal(await reader.get(f"/v1/{collection}"), 404, "collection-not-found")
