"""Loads into collections with ids of several types: each address stays that of one document."""

import json
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from documents.lifecycle import Store
from tests.api.answers import items, refusal
from tests.api.existing.test_ids import HEX
from tests.api.loading import counts, ingest, ndjson

Client = httpx.AsyncClient
EJSON = {"content-type": "application/ejson"}
SHOWN: list[tuple[Any, str]] = [
    ({"$oid": HEX}, HEX),
    ("config", "config"),
    (7, "7"),
    ({"$date": "2026-01-31T12:00:00Z"}, "2026-01-31T12:00:00.000Z"),
    ({"$numberDecimal": "2.50"}, "2.50"),
    ({"a": 1, "b": "x"}, '{"a":1,"b":"x"}'),
]


async def mix(store: Store, collection: str) -> None:
    await store.connection.collection(collection).insert_many([{"_id": 5}, {"_id": "x"}])


async def test_who_wrote_what_is_shown(client: Client, store: Store, collection: str) -> None:
    await mix(store, collection)
    lines = b"\n".join(json.dumps({"_id": each}).encode() for each, _ in SHOWN)
    load = await ingest(client, collection, lines, headers=EJSON)
    assert counts(load, "inserted") == (len(SHOWN),)
    for _, text in SHOWN:
        found = items(await client.get(f"/v1/{collection}:loads?id={quote(text)}"))
        assert [(each["job"], each["inserted"]) for each in found] == [(load["id"], True)], text
    assert items(await client.get(f"/v1/{collection}:loads?id=5")) == []
    undone = await client.post(f"/jobs/{load['id']}:undo")
    assert undone.json()["undone"]["deleted"] == len(SHOWN), undone.text


@pytest.mark.parametrize("mode", ["insert", "upsert", "merge"])
async def test_no_two_share_an_address(client: Client, store: Store, collection: str, mode: str) -> None:
    await mix(store, collection)
    lines = ndjson({"_id": "5"}, {"_id": 6}, {"_id": "6"}, {"_id": "y"})
    load = await ingest(client, collection, lines, status=207, mode=mode)
    assert counts(load, "inserted", "quarantined", "duplicates") == (2, 2, 0)
    aside = items(await client.get(f"/v1/{collection}:quarantine"))
    assert [(each["pointer"], each["code"]) for each in aside] == [("/_id", "unique-violation")] * 2
    assert {each["_id"] async for each in store.connection.collection(collection).find()} == {5, "x", 6, "y"}


async def test_nor_by_bulk(client: Client, store: Store, collection: str) -> None:
    await mix(store, collection)
    operations = [{"op": "insert", "document": {"_id": "5"}}, {"op": "upsert", "document": {"_id": "5", "n": 1}}]
    answer = await client.post(f"/v1/{collection}:bulk?on=_id", json=operations)
    assert [each["problem"]["code"] for each in answer.json()["items"]] == ["unique-violation"] * 2, answer.text
    atomic = await client.post(f"/v1/{collection}:bulk?on=_id&mode=atomic", json=operations[1:])
    assert refusal(atomic, 409, "operation-failed")["cause"]["code"] == "unique-violation"
    assert await store.connection.collection(collection).count_documents({}) == 2
