"""Ids of every BSON type, in collections of every kind: what a list shows is the address of a document."""

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote
from uuid import UUID

import httpx
import pytest
from bson import Binary, Code, Decimal128, Int64, MaxKey, MinKey, ObjectId, Timestamp
from bson.datetime_ms import DatetimeMS

from documents.catalog.addresses import id_key
from documents.lifecycle import Store
from tests.api.answers import items, refusal

Client = httpx.AsyncClient
HEX = "6751f0c0a1b2c3d4e5f60718"
UUID4 = "8a8f0a5e-2b7c-4c2d-9a63-1f0e5d4c3b2a"
DAY = datetime(2026, 1, 31, 12, tzinfo=UTC)

IDS: dict[str, list[Any]] = {
    "objectid": [ObjectId(HEX), ObjectId()],
    "string": ["a", "a b/c", "{", "5", "true", HEX, UUID4, "ü", "YWJj", "2026-01-31T12:00:00.000Z", '{"$oid":"x"}'],
    "int": [0, -5, 2**31, Int64(7), 2**62],
    "double": [2.5, 3.0, 1e300, -0.25],
    "decimal": [Decimal128("0.1"), Decimal128("2.50"), Decimal128("1E+6000")],
    "uuid": [UUID(UUID4), UUID(int=1)],
    "binary": [b"abc", Binary(b"abcd", 128), Binary(bytes(16), 3), Binary(b"md5", 5)],
    "date": [DAY, DatetimeMS(-(2**60))],
    "bool": [True, False],
    "null": [None],
    "object": [{"a": 2.0, "b": "x"}, {"b": "x", "a": 2}, {"of": ObjectId(HEX), "at": DAY}, {}, {"a": {"b": [1, "2"]}}],
    "special": [float("nan"), Timestamp(1, 2), MinKey(), MaxKey(), Code("f()"), float("inf")],
    "mixed": ["config", "x", ObjectId(), 5, 2.5, Decimal128("0.1"), UUID(UUID4), True, None, DAY, {"a": 1}, b"abc"],
}
KINDS: dict[str, dict[str, Any]] = {
    "collection": {},
    "capped": {"capped": True, "size": 65536},
    "clustered": {"clusteredIndex": {"key": {"_id": 1}, "unique": True}},
    "collated": {"collation": {"locale": "en", "strength": 2}},
    "validated": {"validator": {"$jsonSchema": {"required": ["n"]}}},
}


def address(collection: str, shown: object) -> str:
    text = shown if isinstance(shown, str) else json.dumps(shown, separators=(",", ":"), ensure_ascii=False)
    return f"/v1/{collection}/{quote(text, safe='')}"


async def make(store: Store, name: str, options: dict[str, Any], ids: list[Any]) -> None:
    await store.connection.database.command("create", name, **options)
    await store.connection.collection(name).insert_many([{"_id": each, "n": n} for n, each in enumerate(ids)])


async def held(store: Store, name: str) -> dict[Any, int]:
    return {id_key(each["_id"]): each["n"] async for each in store.connection.collection(name).find()}


async def is_found(client: Client, collection: str, shown: object) -> None:
    """By a filter in each place that takes one; what it does not find is the rest."""
    text = shown if isinstance(shown, str) else json.dumps(shown, separators=(",", ":"), ensure_ascii=False)
    listed = [json.dumps(each["_id"]) for each in items(await client.get(f"/v1/{collection}"))]
    others = sorted(each for each in listed if each != json.dumps(shown))
    asked = [({"_id": text}, {"_id[ne]": text})]
    if not {",", '"'} & set(text):
        asked.append(({"_id[in]": f"{text},absent"}, {"_id[nin]": f"{text},absent"}))
    if not text.startswith('{"$'):
        conditions = [
            ({"_id": shown}, {"_id": {"$ne": shown}}),
            ({"_id": {"$in": [shown]}}, {"_id": {"$nin": [shown]}}),
        ]
        asked += [({"filter": json.dumps(same)}, {"filter": json.dumps(other)}) for same, other in conditions]
    for same, other in asked:
        assert [each["_id"] for each in items(await client.get(f"/v1/{collection}", params=same))] == [shown], same
        found = [json.dumps(each["_id"]) for each in items(await client.get(f"/v1/{collection}", params=other))]
        assert sorted(found) == others, other
    by_filter = await client.patch(f"/v1/{collection}", params={"_id": text}, json={"n": 5})
    if by_filter.status_code == 422:  # a capped collection takes no transaction
        refusal(by_filter, 422, "query-refused")
    else:
        assert (by_filter.status_code, by_filter.json()["matched"]) == (200, 1), by_filter.text


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ids", IDS)
async def test_what_is_shown_is_an_address(client: Client, store: Store, collection: str, kind: str, ids: str) -> None:
    await make(store, collection, KINDS[kind], IDS[ids])
    whole = await held(store, collection)
    shown = items(await client.get(f"/v1/{collection}?sort=n"))
    assert [each["n"] for each in shown] == list(range(len(IDS[ids])))
    for each in shown:
        at = address(collection, each["_id"])
        read = await client.get(at)
        assert (read.status_code, read.text) == (200, json_of(each)), at
        put = await client.put(at, content=read.content, headers={"Content-Type": "application/ejson"})
        assert (put.status_code, put.text) == (200, read.text), put.text
        conditional = {"If-Match": put.headers["etag"]}
        patched = await client.patch(at, json={"n": each["n"] + 100}, headers=conditional)
        assert (patched.status_code, patched.json()["n"]) == (200, each["n"] + 100), patched.text
        operators = {"Content-Type": "application/vnd.sheaf.update+json"}
        changed = await client.patch(at, content=b'{"$inc": {"n": 100}}', headers=operators)
        assert changed.status_code in (200, 415), changed.text
        await is_found(client, collection, each["_id"])
    assert (await held(store, collection)).keys() == whole.keys()
    exported = await client.get(f"/v1/{collection}:export")
    assert len(exported.text.splitlines()) == len(whole)
    for each in shown[1:]:
        at = address(collection, each["_id"])
        assert (await client.delete(at)).status_code == 204, at
        refusal(await client.get(at), 404, "document-not-found")
        refusal(await client.delete(at), 404, "document-not-found")
    assert (await held(store, collection)).keys() == {id_key(IDS[ids][0])}


def json_of(document: dict[str, Any]) -> str:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)
