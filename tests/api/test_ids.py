"""The type of a collection's ids: fixed by its first document, or by what was there before."""

import json
from typing import Any
from urllib.parse import quote
from uuid import UUID

import httpx
import pytest
from bson import ObjectId

from documents.lifecycle import Store
from tests.api.answers import all_collections, ids, items, refusal, stored

Client = httpx.AsyncClient
EJSON = {"Content-Type": "application/ejson"}
HEX = "6751f0c0a1b2c3d4e5f60718"
UUID4 = "8a8f0a5e-2b7c-4c2d-9a63-1f0e5d4c3b2a"


async def id_type(client: Client, collection: str) -> str | None:
    return next(item["id_type"] for item in await all_collections(client) if item["name"] == collection)


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        ("{}", "objectid"),
        (f'{{"_id": "{HEX}"}}', "objectid"),
        ('{"_id": "a"}', "string"),
        ('{"_id": "12"}', "string"),
        ('{"_id": 12}', "int"),
        (f'{{"_id": {{"$oid": "{HEX}"}}}}', "objectid"),
        ('{"_id": {"$numberLong": "12"}}', "int"),
        (f'{{"_id": {{"$uuid": "{UUID4}"}}}}', "uuid"),
        ('{"_id": {"$numberDouble": "1.5"}}', "any"),
        ('{"_id": {"$date": {"$numberLong": "0"}}}', "any"),
        ('{"_id": {"part": 1, "of": "two"}}', "any"),
    ],
)
async def test_first_document_fixes_the_type(client: Client, collection: str, first: str, expected: str) -> None:
    created = await client.post(f"/v1/{collection}", content=first, headers=EJSON)
    assert created.status_code == 201, created.text
    assert await id_type(client, collection) == expected
    there = await client.get(created.headers["location"])
    assert there.json() == created.json()
    assert (await client.delete(created.headers["location"])).status_code == 204
    assert await id_type(client, collection) == expected  # also when nothing is left


@pytest.mark.parametrize(
    ("first", "good", "bad"),
    [
        ({}, [HEX.upper(), None], ["x", 1, "6751f0c0a1b2c3d4e5f6071", {"a": 1}]),
        ({"_id": "a"}, [HEX, "", "a/b", "a b", "{", '{"$oid":"x"}', "ü/?#%", ".x"], [1, None, {"a": 1}]),
        ({"_id": 1}, [0, -5, 2**63 - 1], ["1", 1.5, None, {"a": 1}]),
    ],
)
async def test_later_documents_keep_to_it(
    client: Client, collection: str, first: dict[str, Any], good: list[Any], bad: list[Any]
) -> None:
    await stored(client, collection, first)
    for value in good:
        created = await client.post(f"/v1/{collection}", json={} if value is None else {"_id": value})
        assert created.status_code == 201, (value, created.text)
        assert (await client.get(created.headers["location"])).json() == created.json(), value
    for value in bad:
        refusal(await client.post(f"/v1/{collection}", json={} if value is None else {"_id": value}), 422, "invalid-id")


async def test_uuids(client: Client, collection: str) -> None:
    await client.post(f"/v1/{collection}", content=f'{{"_id": {{"$uuid": "{UUID4}"}}}}', headers=EJSON)
    made = await client.post(f"/v1/{collection}", json={})
    assert UUID(made.json()["_id"]).version == 4
    given = await client.post(f"/v1/{collection}", json={"_id": "8A8F0A5E-2B7C-4C2D-9A63-1F0E5D4C3B2B"})
    assert given.json()["_id"] == "8a8f0a5e-2b7c-4c2d-9a63-1f0e5d4c3b2b"
    for document_id in (UUID4, made.json()["_id"], given.json()["_id"]):
        assert (await client.get(f"/v1/{collection}/{document_id}")).json() == {"_id": document_id}
    refusal(await client.get(f"/v1/{collection}/x"), 404, "document-not-found")


@pytest.mark.parametrize(
    ("first", "second"),
    [({"_id": HEX}, {"_id": UUID4}), ({"_id": "a"}, {"_id": "b"}), ({"_id": 7}, {"_id": 8})],
)
async def test_filters_read_ids_as_the_collection_does(
    client: Client, collection: str, first: dict[str, Any], second: dict[str, Any]
) -> None:
    if first["_id"] == HEX:
        second = {"_id": HEX[::-1]}
    await stored(client, collection, first, second)
    for query in (f"_id={first['_id']}", f"_id[in]={first['_id']},{HEX}"):
        assert ids(await client.get(f"/v1/{collection}?{query}")) == [first["_id"]]
    for found in (first["_id"], {"$in": [first["_id"]]}):
        asked = await client.post(f"/v1/{collection}:query", json={"filter": {"_id": found}})
        assert ids(asked) == [first["_id"]]
        filtered = await client.get(f"/v1/{collection}?filter={quote(json.dumps({'_id': found}))}")
        assert ids(filtered) == [first["_id"]]


class TestPreexisting:
    """Collections that others wrote, behind our back."""

    @pytest.mark.parametrize(
        ("found", "expected"),
        [
            ([ObjectId(HEX), ObjectId()], "objectid"),
            (["a", HEX], "string"),
            ([1, 2**40], "int"),
            ([UUID(UUID4)], "uuid"),
            ([1, "a"], "any"),
            ([1.5, 2.5], "any"),
            ([None], "any"),
        ],
    )
    async def test_has_the_type_it_holds(
        self, client: Client, store: Store, collection: str, found: list[Any], expected: str
    ) -> None:
        await store.connection.collection(collection).insert_many([{"_id": each} for each in found])
        assert await id_type(client, collection) == expected
        listed = ids(await client.get(f"/v1/{collection}"))
        assert len(listed) == len(found)

    async def test_of_mixed_ids_is_served(self, client: Client, store: Store, collection: str) -> None:
        mixed: list[Any] = ["a", "5", 5, 2.5, True, ObjectId(HEX), UUID(UUID4), {"x": "y"}]
        await store.connection.collection(collection).insert_many(
            [{"_id": each, "n": n} for n, each in enumerate(mixed)]
        )
        for n, _ in enumerate(mixed):
            one = await client.get(f"/v1/{collection}?n={n}", headers={"Accept": "application/ejson"})
            [document] = items(one)
            wrapped = document["_id"] if isinstance(document["_id"], str) else json.dumps(document["_id"])
            if mixed[n] is True:
                continue  # a boolean has no wrapper, so no address of its own
            response = await client.get(f"/v1/{collection}/{quote(wrapped, safe='')}")
            assert (response.status_code, response.json()["n"]) == (200, n)

    async def test_empty_is_not_fixed(self, client: Client, store: Store, collection: str) -> None:
        await store.connection.database.create_collection(collection)
        assert await id_type(client, collection) is None
        assert ids(await client.get(f"/v1/{collection}")) == []
        refusal(await client.get(f"/v1/{collection}/a"), 404, "document-not-found")
        refusal(await client.patch(f"/v1/{collection}/a", json={}), 404, "document-not-found")
        refusal(await client.delete(f"/v1/{collection}/a"), 404, "document-not-found")
        await stored(client, collection, {"_id": 4})
        assert await id_type(client, collection) == "int"

    async def test_etags_and_preconditions_work(self, client: Client, store: Store, collection: str) -> None:
        await store.connection.collection(collection).insert_one({"b": 1, "_id": "late", "odd.key": 2})
        read = await client.get(f"/v1/{collection}/late")
        assert read.json() == {"_id": "late", "b": 1, "odd.key": 2}
        await store.connection.collection(collection).update_one({"_id": "late"}, {"$set": {"b": 2}})
        stale = await client.patch(f"/v1/{collection}/late", json={"b": 3}, headers={"If-Match": read.headers["etag"]})
        refusal(stale, 412, "precondition-failed")
        fresh = await client.patch(f"/v1/{collection}/late", json={"b": 3}, headers={"If-Match": stale.headers["etag"]})
        assert fresh.json() == {"_id": "late", "b": 3, "odd.key": 2}

    async def test_paging_shows_ids_of_a_type_that_came_later(
        self, client: Client, store: Store, collection: str
    ) -> None:
        await stored(client, collection, *({"_id": name} for name in "abc"))
        await store.connection.collection(collection).insert_many([{"_id": ObjectId()}, {"_id": 1}, {"_id": True}])
        seen: list[Any] = []
        address: str | None = f"/v1/{collection}?limit=1"
        while address:
            page = await client.get(address)
            seen += ids(page)
            address = page.links.get("next", {}).get("url")
        assert len(seen) == 6
