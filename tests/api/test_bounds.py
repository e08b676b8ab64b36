"""What is bounded before it is parsed or written."""

import asyncio
import time
from typing import Any, Final

import httpx
import orjson
import pytest

from api.bodies import MAX_OPERATIONS
from tests.api.answers import refusal, stored

Client = httpx.AsyncClient
NDJSON: Final = {"Content-Type": "application/x-ndjson"}
UPDATE: Final = "application/vnd.sheaf.update+json"
MERGE: Final = "application/merge-patch+json"
PATCH: Final = "application/json-patch+json"
POSITION: Final = 1_499_999
BODY_BYTES: Final = 16 * 1024 * 1024


@pytest.fixture
async def arrays(client: Client, collection: str) -> str:
    """Return the name of a collection of documents with small arrays."""
    await stored(client, collection, *({"_id": f"{number}", "a": [1]} for number in range(3)))
    return collection


async def test_lines_are_counted_before_they_are_parsed(client: Client, collection: str) -> None:
    body = b"1\n" * (BODY_BYTES // 2)
    began = time.monotonic()
    responses = await asyncio.gather(
        *(client.post(f"/v1/{collection}:bulk", content=body, headers=NDJSON) for _ in range(6))
    )
    assert time.monotonic() - began < 5
    for response in responses:
        refusal(response, 413, "body-too-large")


@pytest.mark.parametrize("blank", [b"", b" \t\r"])
async def test_blank_lines_do_not_count(client: Client, collection: str, blank: bytes) -> None:
    line = orjson.dumps({"op": "delete", "id": "nobody"})
    body = (blank + b"\n") * MAX_OPERATIONS + line + (b"\n" + blank) * MAX_OPERATIONS
    response = await client.post(f"/v1/{collection}:bulk", content=body, headers=NDJSON)
    assert response.status_code == 207
    assert len(response.json()["items"]) == 1


async def test_reading_a_body_ends_with_the_time_of_the_request(client: Client, collection: str) -> None:
    line = orjson.dumps([1] * 800)
    body = b"\n".join([line] * MAX_OPERATIONS)
    response = await client.post(f"/v1/{collection}:bulk", content=body, headers={**NDJSON, "Prefer": "wait=1"})
    assert response.status_code in (207, 503)
    # Its thread has ended, too: all threads of the process are free for others, whose bodies are parsed in them.
    small = orjson.dumps({"text": "x" * 64 * 1024})
    began = time.monotonic()
    inserted = await asyncio.gather(
        *(
            client.post(f"/v1/{collection}", content=small, headers={"Content-Type": "application/json"})
            for _ in range(8)
        )
    )
    assert {each.status_code for each in inserted} == {201}
    assert time.monotonic() - began < 3


@pytest.mark.parametrize(
    ("media", "change", "status", "code"),
    [
        (UPDATE, {"$set": {f"a.{POSITION}": 1}}, 422, "invalid-document"),
        (UPDATE, {"$push": {f"a.{POSITION}": 1}}, 422, "invalid-document"),
        (UPDATE, {"$inc": {f"b.c.{POSITION}.d": 1}}, 422, "invalid-document"),
        (UPDATE, {"$set": {f"a{number}.9999": 1 for number in range(300)}}, 422, "invalid-document"),
        (PATCH, [{"op": "add", "path": f"/a/{POSITION}", "value": 1}], 409, "patch-conflict"),
    ],
)
class TestPositions:
    async def test_of_one_document(
        self, client: Client, arrays: str, *, media: str, change: Any, status: int, code: str
    ) -> None:
        headers = {"Content-Type": media}
        response = await client.patch(f"/v1/{arrays}/1", content=orjson.dumps(change), headers=headers)
        refusal(response, status, code)
        assert (await client.get(f"/v1/{arrays}/1")).json() == {"_id": "1", "a": [1]}

    async def test_of_many_documents(
        self, client: Client, arrays: str, *, media: str, change: Any, status: int, code: str
    ) -> None:
        headers = {"Content-Type": media}
        response = await client.patch(f"/v1/{arrays}?a=1", content=orjson.dumps(change), headers=headers)
        refusal(response, status, code)
        items = (await client.get(f"/v1/{arrays}")).json()["items"]
        assert [item["a"] for item in items] == [[1]] * 3

    async def test_in_a_bulk_request(
        self, client: Client, arrays: str, *, media: str, change: Any, status: int, code: str
    ) -> None:
        member = "update" if media == UPDATE else "json_patch"
        operations = [{"op": "patch", "id": "1", member: change}]
        response = await client.post(f"/v1/{arrays}:bulk", json=operations)
        [item] = response.json()["items"]
        assert (item["status"], item["problem"]["code"]) == (status, code)


@pytest.mark.parametrize("op", ["upsert", "merge"])
async def test_numbers_in_merges_are_names(client: Client, arrays: str, op: str) -> None:
    member = {"a": {f"{POSITION}": 1}}
    operations = [{"op": op, "document": {"_id": "1", **member}}]
    assert (await client.post(f"/v1/{arrays}:bulk", json=operations)).status_code == 200
    await client.patch(f"/v1/{arrays}/2", content=orjson.dumps(member), headers={"Content-Type": MERGE})
    items = (await client.get(f"/v1/{arrays}")).json()["items"]
    assert [item["a"] for item in items] == [[1], member["a"], member["a"]]
