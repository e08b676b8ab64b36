"""What the API promises of documents, whatever holds them."""

import itertools
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.api.answers import all_collections, ids, items, refusal, stored

Client = httpx.AsyncClient
JSON_PATCH = {"Content-Type": "application/json-patch+json"}
UPDATE = {"Content-Type": "application/vnd.sheaf.update+json"}
MUG = {"sku": "MUG", "name": "Mug", "price": "9.90"}
BEFORE: dict[str, Any] = {"_id": "x", "a": 1, "b": {"c": [1, 2]}, "n": None}
VALUES: list[Any] = [3, 1.5, "b", "a", None, True, [2, 9], [], {"k": 1}, "ä", -1, False]


@pytest_asyncio.fixture
async def numbers(api: Client, collection: str) -> str:
    await stored(api, collection, *({"_id": n, "n": n, "even": n % 2 == 0} for n in range(10)))
    return collection


@pytest_asyncio.fixture
async def mug(api: Client) -> Any:
    await api.delete("/v1/products?filter={}")
    yield (await api.post("/v1/products", json=MUG)).headers["location"]
    await api.delete("/v1/products?filter={}")


class TestCreate:
    async def test_anonymous(self, api: Client, collection: str) -> None:
        created = await api.post(f"/v1/{collection}", json={"a": {"b": [1, None, "x", 1.5]}})
        assert created.status_code == 201
        read = await api.get(created.headers["location"])
        assert read.json() == created.json() == {"_id": created.json()["_id"], "a": {"b": [1, None, "x", 1.5]}}
        assert read.headers["etag"] == created.headers["etag"]

    async def test_same_id(self, api: Client, collection: str) -> None:
        await stored(api, collection, {"_id": "a", "n": 1})
        again = await api.post(f"/v1/{collection}", json={"_id": "a"})
        assert refusal(again, 409, "unique-violation")["fields"] == ["_id"]
        assert (await api.get(f"/v1/{collection}/a")).json() == {"_id": "a", "n": 1}

    async def test_several(self, api: Client, collection: str) -> None:
        await stored(api, collection, {"_id": 1})
        several = await api.post(f"/v1/{collection}", json=[{"_id": 2}, {"_id": 1}, {"_id": "x"}, {"_id": 3}])
        assert several.status_code == 207
        assert [item["status"] for item in items(several)] == [201, 409, 422, 201]
        assert ids(await api.get(f"/v1/{collection}")) == [1, 2, 3]

    @pytest.mark.parametrize(("first", "kind"), [({}, "objectid"), ({"_id": "a"}, "string"), ({"_id": 1}, "int")])
    async def test_id_type(self, api: Client, collection: str, first: dict[str, Any], kind: str) -> None:
        await stored(api, collection, first)
        found = {item["name"]: item["id_type"] for item in await all_collections(api)}
        assert found[collection] == kind


class TestReplace:
    async def test_creates_and_replaces(self, api: Client, collection: str) -> None:
        url = f"/v1/{collection}/a"
        assert (await api.put(url, json={"n": 1})).status_code == 201
        replaced = await api.put(url, json={"m": 2})
        assert (replaced.status_code, replaced.json()) == (200, {"_id": "a", "m": 2})
        assert (await api.get(url)).headers["etag"] == replaced.headers["etag"]

    async def test_only_if_new(self, api: Client, collection: str) -> None:
        url, header = f"/v1/{collection}/a", {"If-None-Match": "*"}
        assert (await api.put(url, json={"n": 1}, headers=header)).status_code == 201
        refusal(await api.put(url, json={"n": 2}, headers=header), 412, "precondition-failed")
        assert (await api.get(url)).json()["n"] == 1


class TestPatch:
    @pytest.mark.parametrize(
        ("patch", "headers", "after"),
        [
            ({"a": None, "b": {"d": 2}}, {}, {"_id": "x", "b": {"c": [1, 2], "d": 2}, "n": None}),
            ([{"op": "add", "path": "/b/c/-", "value": 3}], JSON_PATCH, {**BEFORE, "b": {"c": [1, 2, 3]}}),
            ({"$set": {"b.d": 2}, "$inc": {"a": 4}}, UPDATE, {**BEFORE, "a": 5, "b": {"c": [1, 2], "d": 2}}),
            ({"$unset": {"n": ""}, "$push": {"b.c": 3}}, UPDATE, {"_id": "x", "a": 1, "b": {"c": [1, 2, 3]}}),
            ({"$addToSet": {"b.c": 2}, "$max": {"a": 7}}, UPDATE, {**BEFORE, "a": 7}),
            ({"$pull": {"b.c": 1}, "$rename": {"n": "m"}}, UPDATE, {"_id": "x", "a": 1, "b": {"c": [2]}, "m": None}),
            ({"$mul": {"a": 3}}, UPDATE, {**BEFORE, "a": 3}),
            ({"$min": {"a": 0}, "$pop": {"b.c": 1}}, UPDATE, {**BEFORE, "a": 0, "b": {"c": [1]}}),
        ],
        ids=["merge", "json-patch", "set", "unset", "addToSet", "pull", "mul", "min"],
    )
    async def test_dialects(
        self, api: Client, collection: str, patch: object, headers: dict[str, str], after: dict[str, Any]
    ) -> None:
        await stored(api, collection, BEFORE)
        changed = await api.patch(f"/v1/{collection}/x", json=patch, headers=headers)
        read = await api.get(f"/v1/{collection}/x")
        assert changed.json() == read.json() == after
        assert changed.headers["etag"] == read.headers["etag"]

    @pytest.mark.parametrize(
        ("patch", "headers"),
        [({"a": 2}, {}), ([{"op": "remove", "path": "/a"}], JSON_PATCH), ({"$inc": {"a": 1}}, UPDATE)],
        ids=["merge", "json-patch", "update"],
    )
    async def test_preconditions(self, api: Client, collection: str, patch: object, headers: dict[str, str]) -> None:
        await stored(api, collection, BEFORE)
        url = f"/v1/{collection}/x"
        etag = (await api.get(url)).headers["etag"]
        held = await api.patch(url, json=patch, headers={**headers, "If-Match": etag})
        assert held.status_code == 200
        stale = await api.patch(url, json=patch, headers={**headers, "If-Match": etag})
        refusal(stale, 412, "precondition-failed")
        assert stale.headers["etag"] == held.headers["etag"]

    @pytest.mark.parametrize("update", [{"$inc": {"b": 1}}, {"$push": {"a": 1}}, {"$set": {"a.b": 1}}], ids=str)
    async def test_misfits(self, api: Client, collection: str, update: object) -> None:
        await stored(api, collection, BEFORE)
        refusal(await api.patch(f"/v1/{collection}/x", json=update, headers=UPDATE), 409, "patch-conflict")
        assert (await api.get(f"/v1/{collection}/x")).json() == BEFORE

    async def test_unknown(self, api: Client, numbers: str) -> None:
        refusal(await api.patch(f"/v1/{numbers}/99", json={"a": 1}), 404, "document-not-found")


class TestDelete:
    async def test_once(self, api: Client, numbers: str) -> None:
        assert (await api.delete(f"/v1/{numbers}/3")).status_code == 204
        refusal(await api.delete(f"/v1/{numbers}/3"), 404, "document-not-found")
        assert len(ids(await api.get(f"/v1/{numbers}"))) == 9

    async def test_preconditions(self, api: Client, numbers: str) -> None:
        etag = (await api.get(f"/v1/{numbers}/3")).headers["etag"]
        header = {"If-Match": etag}
        refusal(await api.delete(f"/v1/{numbers}/4", headers=header), 412, "precondition-failed")
        assert (await api.delete(f"/v1/{numbers}/3", headers=header)).status_code == 204


class TestList:
    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ("n[gte]=3&n[lt]=5", [3, 4]),
            ("even=true&n[ne]=4", [0, 2, 6, 8]),
            ("n[in]=1,7,77", [1, 7]),
            ("n[nin]=0,1,2,3,4,5,6,7", [8, 9]),
            ("x[exists]=false&n[lte]=1", [0, 1]),
            ('filter={"$or":[{"n":1},{"n":{"$gt":8}}]}', [1, 9]),
            ('filter={"n":{"$not":{"$gt":0}}}', [0]),
            ("sort=-n&limit=2", [9, 8]),
            ("sort=even,-n&limit=3", [9, 7, 5]),
        ],
    )
    async def test_filters(self, api: Client, numbers: str, query: str, expected: list[int]) -> None:
        assert ids(await api.get(f"/v1/{numbers}?{query}")) == expected

    async def test_fields(self, api: Client, numbers: str) -> None:
        assert items(await api.get(f"/v1/{numbers}?n=3&fields=even")) == [{"_id": 3, "even": False}]
        assert items(await api.get(f"/v1/{numbers}?n=3&fields=-even")) == [{"_id": 3, "n": 3}]

    @pytest.mark.parametrize("sort", ["", "-_id", "n", "-even,n"])
    async def test_pages(self, api: Client, numbers: str, sort: str) -> None:
        whole = ids(await api.get(f"/v1/{numbers}?sort={sort}"))
        assert await _paged(api, f"/v1/{numbers}?limit=3&sort={sort}") == whole
        assert sorted(whole) == list(range(10))

    @pytest.mark.parametrize("sort", ["v", "-v"])
    async def test_pages_of_mixed_values(self, api: Client, collection: str, sort: str) -> None:
        documents = [{"_id": n, "v": value} for n, value in enumerate(VALUES)] + [{"_id": 99}]
        await stored(api, collection, *documents)
        whole = ids(await api.get(f"/v1/{collection}?sort={sort}"))
        assert await _paged(api, f"/v1/{collection}?limit=2&sort={sort}") == whole
        ascending = [7, 4, 99, 10, 1, 6, 0, 3, 2, 9, 8, 11, 5]
        descending = [5, 11, 8, 9, 2, 3, 6, 0, 1, 10, 99, 4, 7]
        assert whole == (ascending if sort == "v" else descending)

    async def test_counts(self, api: Client, numbers: str) -> None:
        counted = await api.post(f"/v1/{numbers}:count", json={"filter": {"even": True}})
        assert counted.json() == {"count": 5, "count_kind": "exact"}
        listed = await api.get(f"/v1/{numbers}?limit=1", headers={"Prefer": "count=exact"})
        assert listed.json()["count"] == 10


class TestMany:
    async def test_update_by_operators(self, api: Client, numbers: str) -> None:
        changed = await api.patch(f"/v1/{numbers}?even=true", json={"$inc": {"n": 100}}, headers=UPDATE)
        assert changed.json() == {"matched": 5, "modified": 5}
        assert ids(await api.get(f"/v1/{numbers}?n[gte]=100")) == [0, 2, 4, 6, 8]

    async def test_update_by_merge(self, api: Client, numbers: str) -> None:
        changed = await api.patch(f"/v1/{numbers}?n[lt]=2", json={"even": None})
        assert changed.json() == {"matched": 2, "modified": 2}

    async def test_delete(self, api: Client, numbers: str) -> None:
        assert (await api.delete(f"/v1/{numbers}?even=true")).json() == {"matched": 5, "deleted": 5}
        assert ids(await api.get(f"/v1/{numbers}")) == [1, 3, 5, 7, 9]

    async def test_max_affected(self, api: Client, numbers: str) -> None:
        header = {"Prefer": "max-affected=4"}
        refusal(await api.delete(f"/v1/{numbers}?even=true", headers=header), 409, "max-affected-exceeded")


class TestBulk:
    MIXED = (
        {"op": "insert", "document": {"_id": 100}},
        {"op": "patch", "id": 1, "merge": {"n": "one"}},
        {"op": "patch", "id": 2, "update": {"$set": {"n": "two"}}},
        {"op": "replace", "id": 3, "document": {"n": "three"}},
        {"op": "delete", "id": 4},
        {"op": "delete", "id": 400},
        {"op": "upsert", "document": {"_id": 5, "n": "five"}},
        {"op": "merge", "document": {"_id": 6, "n": "six"}},
    )

    async def test_unordered(self, api: Client, numbers: str) -> None:
        response = await api.post(f"/v1/{numbers}:bulk", json=list(self.MIXED))
        assert [item["status"] for item in items(response)] == [201, 200, 200, 200, 204, 404, 200, 200]
        after = {item["_id"]: item for item in items(await api.get(f"/v1/{numbers}?n[regex]=.|100"))}
        assert [after[n]["n"] for n in (1, 2, 3, 5, 6)] == ["one", "two", "three", "five", "six"]
        assert ["even" in after[n] for n in (1, 2, 3, 5, 6)] == [True, True, False, False, True]

    async def test_ordered(self, api: Client, numbers: str) -> None:
        response = await api.post(f"/v1/{numbers}:bulk?mode=ordered", json=list(self.MIXED))
        assert [item["status"] for item in items(response)] == [201, 200, 200, 200, 204, 404, 424, 424]

    async def test_atomic(self, api: Client, numbers: str) -> None:
        before = items(await api.get(f"/v1/{numbers}"))
        refusal(await api.post(f"/v1/{numbers}:bulk?mode=atomic", json=list(self.MIXED)), 404, "operation-failed")
        assert items(await api.get(f"/v1/{numbers}")) == before


class TestDeclared:
    async def test_coerces_and_fills_in(self, api: Client, mug: str) -> None:
        read = (await api.get(mug)).json()
        assert read == {"_id": read["_id"], **MUG, "description": "", "tags": [], "stock": 0, "attributes": {}}

    async def test_refuses(self, api: Client, mug: str) -> None:
        refusal(await api.post("/v1/products", json={**MUG, "sku": "B", "price": "x"}), 422, "invalid-document")
        refusal(await api.patch(mug, json={"stock": -1}), 422, "invalid-document")
        refusal(await api.put(mug, json={"sku": "MUG"}), 422, "invalid-document")

    async def test_unique(self, api: Client, mug: str) -> None:
        assert refusal(await api.post("/v1/products", json=MUG), 409, "unique-violation")["fields"] == ["sku"]
        assert ids(await api.get("/v1/products")) == [mug.rsplit("/", 1)[1]]

    async def test_upserts_by_key(self, api: Client, mug: str) -> None:
        operations = [
            {"op": "merge", "document": {"sku": "MUG", "stock": 7}},
            {"op": "upsert", "document": {**MUG, "sku": "B"}},
        ]
        response = await api.post("/v1/products:bulk?on=sku", json=operations)
        assert [item["outcome"] for item in items(response)] == ["updated", "created"]
        assert (await api.get(mug)).json()["stock"] == 7

    async def test_filters_by_decimal(self, api: Client, mug: str) -> None:
        assert ids(await api.get("/v1/products?price[lt]=9.91&price[gt]=9.89")) == [mug.rsplit("/", 1)[1]]

    @pytest.mark.parametrize("update", [{"$inc": {"stock": 2}}, {"$set": {"stock": 2}}], ids=str)
    async def test_validates_operators(self, api: Client, mug: str, update: object) -> None:
        assert (await api.patch(mug, json=update, headers=UPDATE)).json()["stock"] == 2
        refusal(await api.patch(mug, json={"$set": {"stock": -2}}, headers=UPDATE), 422, "invalid-document")


class TestEtags:
    async def test_tell_numbers_apart(self, api: Client, collection: str) -> None:
        url = f"/v1/{collection}/a"
        one = (await api.put(url, json={"n": 1})).headers["etag"]
        kept = (await api.put(url, json={"n": 1.0})).headers["etag"]
        assert kept == one
        other = (await api.put(url, json={"n": 1.0}, headers={"Prefer": "types=literal"})).headers["etag"]
        assert one != other
        refusal(await api.put(url, json={}, headers={"If-Match": one}), 412, "precondition-failed")

    async def test_not_modified(self, api: Client, numbers: str) -> None:
        etag = (await api.get(f"/v1/{numbers}/1")).headers["etag"]
        assert (await api.get(f"/v1/{numbers}/1", headers={"If-None-Match": etag})).status_code == 304


class TestAggregate:
    async def test_groups(self, api: Client, numbers: str) -> None:
        pipeline = [{"$group": {"_id": "$even", "sum": {"$sum": "$n"}}}, {"$sort": {"_id": 1}}]
        response = await api.post(f"/v1/{numbers}:aggregate", json={"pipeline": pipeline})
        assert items(response) == [{"_id": False, "sum": 25}, {"_id": True, "sum": 20}]


class TestTransaction:
    async def test_all_or_none(self, api: Client, numbers: str) -> None:
        operations = [
            {"op": "delete", "collection": numbers, "id": 1},
            {"op": "delete", "collection": numbers, "id": 400},
        ]
        refusal(await api.post("/v1:transaction", json={"operations": operations}), 404, "operation-failed")
        assert len(ids(await api.get(f"/v1/{numbers}"))) == 10


async def _paged(api: Client, url: str) -> list[Any]:
    pages: list[list[Any]] = []
    address: str | None = url
    while address:
        response = await api.get(address)
        pages.append(ids(response))
        address = response.links.get("next", {}).get("url")
    return list(itertools.chain(*pages))
