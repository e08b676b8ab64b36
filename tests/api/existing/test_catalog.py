"""The list of collections of a database that other programs made: metadata is read, and no view is run."""

from typing import Any

import httpx
import pytest

from documents.catalog.metadata import Kind
from documents.lifecycle import Store
from tests.api.answers import all_collections, items, refusal

Client = httpx.AsyncClient
SLOW: list[dict[str, Any]] = [
    {"$lookup": {"from": "elsewhere", "pipeline": [{"$match": {"$expr": {"$gt": [1, "$n"]}}}], "as": "others"}},
    {"$project": {"_id": 0, "n": {"$divide": [1, 0]}}},
]
"""A pipeline that fails when it is run."""

OPTIONS: list[tuple[dict[str, Any], Kind]] = [
    ({}, Kind.COLLECTION),
    ({"viewOn": "elsewhere", "pipeline": [{"$project": {"_id": 0}}]}, Kind.VIEW),
    ({"viewOn": "elsewhere", "pipeline": SLOW}, Kind.VIEW),
    ({"timeseries": {"timeField": "at", "metaField": "of"}}, Kind.TIMESERIES),
    ({"capped": True, "size": 4096}, Kind.CAPPED),
    ({"clusteredIndex": {"key": {"_id": 1}, "unique": True}}, Kind.CLUSTERED),
    ({"collation": {"locale": "en", "strength": 2}}, Kind.COLLECTION),
    ({"validator": {"$jsonSchema": {"required": ["sku"]}}}, Kind.COLLECTION),
]


@pytest.mark.parametrize(("options", "kind"), OPTIONS)
async def test_each_kind_is_known(
    client: Client, store: Store, collection: str, options: dict[str, Any], kind: Kind
) -> None:
    await store.connection.collection("elsewhere").update_one({"_id": 1}, {"$set": {"n": 1}}, upsert=True)
    await store.connection.database.command("create", collection, **options)
    rows = [row for row in await all_collections(client) if row["name"] == collection]
    is_counted = kind not in (Kind.VIEW, Kind.TIMESERIES)
    id_type = "any" if kind is Kind.TIMESERIES else None
    assert rows == [
        {
            "name": collection,
            "declared": False,
            "id_type": id_type,
            "estimated_count": 0 if is_counted else None,
            **({} if kind is Kind.COLLECTION else {"kind": str(kind)}),
        }
    ]
    entry = await store.catalog.get(collection)
    assert entry.kind is kind
    assert (entry.collation or {}).get("strength") == options.get("collation", {}).get("strength")
    assert entry.metadata.has_validator is ("validator" in options)


async def test_a_view_is_not_run_to_be_listed(client: Client, store: Store, collection: str) -> None:
    database = store.connection.database
    await database.command("create", collection, viewOn=f"{collection}_base", pipeline=SLOW)
    await database[f"{collection}_base"].insert_one({"n": 1})
    refusal(await client.get(f"/v1/{collection}"), 422, "query-refused")  # it fails when it is run
    for path in ("/v1", "/openapi.json?collections=all"):
        assert (await client.get(path)).status_code == 200
    [row] = [row for row in await all_collections(client) if row["name"] == collection]
    assert (row["kind"], row["id_type"], row["estimated_count"]) == ("view", None, None)


async def test_views_without_ids_are_read(client: Client, store: Store, collection: str) -> None:
    database = store.connection.database
    await database[f"{collection}_base"].insert_many([{"n": n} for n in range(3)])
    await database.command("create", collection, viewOn=f"{collection}_base", pipeline=[{"$project": {"_id": 0}}])
    assert items(await client.get(f"/v1/{collection}?sort=n")) == [{"n": 0}, {"n": 1}, {"n": 2}]
    assert items(await client.post(f"/v1/{collection}:query", json={"filter": {"n": 1}})) == [{"n": 1}]
    assert (await client.post(f"/v1/{collection}:count", json={})).json()["count"] == 3
    summed = await client.post(
        f"/v1/{collection}:aggregate", json={"pipeline": [{"$group": {"_id": None, "n": {"$sum": "$n"}}}]}
    )
    assert items(summed) == [{"_id": None, "n": 3}]
    exported = await client.get(f"/v1/{collection}:export")
    assert len(exported.text.splitlines()) == 3
    refusal(await client.get(f"/v1/{collection}/1"), 404, "document-not-found")
