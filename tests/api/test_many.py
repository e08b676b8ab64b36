"""Several documents in one request: arrays, and updates and deletes by filter."""

import json
from typing import Any

import httpx
import pytest

from tests.api.answers import faults, ids, items, refusal, stored

Client = httpx.AsyncClient
JSON_PATCH = {"Content-Type": "application/json-patch+json"}
UPDATE = {"Content-Type": "application/vnd.sheaf.update+json"}
NUMBERS = [{"_id": n, "n": n, "even": n % 2 == 0} for n in range(10)]


class TestInsertDocuments:
    async def test_anonymous(self, client: Client, collection: str) -> None:
        response = await client.post(f"/v1/{collection}", json=[{"a": 1}, {"a": 2}])
        assert response.status_code == 201
        first, second = items(response)
        assert first == {"index": 0, "status": 201, "outcome": "created", "etag": first["etag"], "_id": first["_id"]}
        read = await client.get(f"/v1/{collection}/{second['_id']}")
        assert (read.json()["a"], read.headers["etag"]) == (2, second["etag"])

    async def test_each_has_its_outcome(self, client: Client, collection: str) -> None:
        await stored(client, collection, {"_id": 1})
        response = await client.post(f"/v1/{collection}", json=[{"_id": 2}, {"_id": 1}, 5, {"_id": "x"}, {"_id": 3}])
        assert response.status_code == 207
        assert [item["status"] for item in items(response)] == [201, 409, 422, 422, 201]
        assert [item["index"] for item in items(response)] == list(range(5))
        problems = [item["problem"] for item in items(response) if item["outcome"] == "failed"]
        assert [problem["code"] for problem in problems] == ["unique-violation", "invalid-document", "invalid-id"]
        assert problems[1]["faults"][0]["pointer"] == "/2"
        assert ids(await client.get(f"/v1/{collection}")) == [1, 2, 3]

    async def test_all_may_fail(self, client: Client, collection: str) -> None:
        await stored(client, collection, {"_id": 1})
        response = await client.post(f"/v1/{collection}", json=[{"_id": 1}, {"_id": 1}])
        assert [response.status_code, *(item["status"] for item in items(response))] == [207, 409, 409]

    async def test_none(self, client: Client, collection: str) -> None:
        response = await client.post(f"/v1/{collection}", json=[])
        assert (response.status_code, response.json()) == (200, {"items": []})

    async def test_the_first_fixes_the_id_type(self, client: Client, collection: str) -> None:
        several: list[dict[str, Any]] = [each for n in range(30) for each in ({"_id": f"s{n}"}, {"_id": n}, {})]
        response = await client.post(f"/v1/{collection}", json=several)
        assert [item["status"] for item in items(response)] == [201, 422, 422] * 30
        assert ids(await client.get(f"/v1/{collection}")) == sorted(f"s{n}" for n in range(30))

    async def test_ids_are_in_the_order_of_the_array(self, client: Client, collection: str) -> None:
        response = await client.post(f"/v1/{collection}", json=[{"n": n} for n in range(5000)])
        assert response.status_code == 201
        listed = items(await client.get(f"/v1/{collection}?sort=-_id&limit=1000"))
        assert [document["n"] for document in listed] == list(range(4999, 3999, -1))

    async def test_refuses_too_many(self, client: Client, collection: str) -> None:
        refusal(await client.post(f"/v1/{collection}", json=[{"a": 1}] * 10_001), 413, "body-too-large")

    @pytest.mark.parametrize("bad", [{"$a": 1}, {"a.b": 1}, {"": 1}])
    async def test_refuses_keys_wherever_they_are(self, client: Client, collection: str, bad: dict[str, Any]) -> None:
        response = await client.post(f"/v1/{collection}", json=[{"good": 1}, bad])
        refusal(response, 422, "invalid-document")
        assert {pointer.split("/")[1] for pointer, _ in faults(response)} == {"1"}
        refusal(await client.get(f"/v1/{collection}"), 404, "collection-not-found")


class TestUpdateDocuments:
    async def test_anonymous(self, client: Client, collection: str) -> None:
        await stored(client, collection, *NUMBERS)
        response = await client.patch(f"/v1/{collection}?even=true", json={"seen": True})
        assert (response.status_code, response.json()) == (200, {"matched": 5, "modified": 5})
        assert ids(await client.get(f"/v1/{collection}?seen=true")) == [0, 2, 4, 6, 8]

    @pytest.mark.parametrize(
        ("patch", "headers", "query", "matched", "modified"),
        [
            ({"even": True}, {}, "n[lt]=4", 4, 2),
            ({"even": None}, {}, "n=5", 1, 1),
            ([{"op": "add", "path": "/even", "value": True}], JSON_PATCH, "filter={}", 10, 5),
            ({"$set": {"even": True}}, UPDATE, "n[gte]=4", 6, 3),
            ({"$inc": {"n": 100}}, UPDATE, "n[in]=1,2,30", 2, 2),
            ({"$inc": {"n": 100}}, UPDATE, "n=99", 0, 0),
            ({"even": True}, {}, "n=99", 0, 0),
        ],
    )
    async def test_changes(
        self,
        client: Client,
        collection: str,
        *,
        patch: object,
        headers: dict[str, str],
        query: str,
        matched: int,
        modified: int,
    ) -> None:
        await stored(client, collection, *NUMBERS)
        response = await client.patch(f"/v1/{collection}?{query}", json=patch, headers=headers)
        assert response.json() == {"matched": matched, "modified": modified}
        after = items(await client.get(f"/v1/{collection}"))
        assert sum(after[n] != NUMBERS[n] for n in range(10)) == modified

    async def test_is_all_or_none(self, client: Client, collection: str) -> None:
        await stored(client, collection, *NUMBERS, {"_id": 10, "n": "text"})
        patch = [{"op": "remove", "path": "/even"}]
        response = await client.patch(f"/v1/{collection}?filter={{}}", json=patch, headers=JSON_PATCH)
        refusal(response, 409, "patch-conflict")
        assert items(await client.get(f"/v1/{collection}?n[lt]=99")) == NUMBERS

    @pytest.mark.parametrize(("limit", "status"), [(4, 409), (5, 200), (0, 409)])
    @pytest.mark.parametrize("patch", [({"n": 0}, {}), ({"$set": {"n": 0}}, UPDATE)])
    async def test_max_affected(
        self, client: Client, collection: str, patch: tuple[Any, dict[str, str]], limit: int, status: int
    ) -> None:
        await stored(client, collection, *NUMBERS)
        headers = {**patch[1], "Prefer": f"max-affected={limit}"}
        response = await client.patch(f"/v1/{collection}?even=true", json=patch[0], headers=headers)
        assert response.status_code == status
        if status == 409:
            refusal(response, 409, "max-affected-exceeded")
            assert items(await client.get(f"/v1/{collection}")) == NUMBERS

    @pytest.mark.parametrize("query", ["", "?"])
    async def test_needs_a_filter(self, client: Client, collection: str, query: str) -> None:
        await stored(client, collection, *NUMBERS)
        refusal(await client.patch(f"/v1/{collection}{query}", json={"n": 0}), 400, "filter-required")
        assert items(await client.get(f"/v1/{collection}")) == NUMBERS

    @pytest.mark.parametrize("name", ["sort", "fields", "limit", "cursor"])
    async def test_refuses_what_only_a_list_knows(self, client: Client, collection: str, name: str) -> None:
        await stored(client, collection, *NUMBERS)
        response = await client.patch(f"/v1/{collection}?filter={{}}&{name}=1", json={"n": 0})
        refusal(response, 400, "invalid-parameter")
        assert faults(response) == {(f"?{name}", "not-allowed")}

    async def test_never_changes_ids(self, client: Client, collection: str) -> None:
        await stored(client, collection, *NUMBERS)
        refusal(await client.patch(f"/v1/{collection}?n=1", json={"_id": 77}), 422, "invalid-document")
        update = await client.patch(f"/v1/{collection}?n=1", json={"$set": {"_id": 77}}, headers=UPDATE)
        refusal(update, 400, "invalid-patch")

    @pytest.mark.parametrize(("patch", "headers"), [([{"op": "fly"}], JSON_PATCH), ({"$fly": {"a": 1}}, UPDATE)])
    @pytest.mark.parametrize("query", ["n=99", "n=1"])
    async def test_refuses_patches_even_for_nothing(
        self, client: Client, collection: str, query: str, *, patch: object, headers: dict[str, str]
    ) -> None:
        await stored(client, collection, *NUMBERS)
        for name in (collection, "products"):
            response = await client.patch(f"/v1/{name}?{query.replace('n=', 'stock=')}", json=patch, headers=headers)
            refusal(response, 400, "invalid-patch")

    async def test_no_collection(self, client: Client, collection: str) -> None:
        refusal(await client.patch(f"/v1/{collection}?filter={{}}", json={}), 404, "collection-not-found")


class TestDeleteDocuments:
    async def test_anonymous(self, client: Client, collection: str) -> None:
        await stored(client, collection, *NUMBERS)
        response = await client.delete(f"/v1/{collection}?even=true")
        assert (response.status_code, response.json()) == (200, {"matched": 5, "deleted": 5})
        assert ids(await client.get(f"/v1/{collection}")) == [1, 3, 5, 7, 9]

    async def test_all(self, client: Client, collection: str) -> None:
        await stored(client, collection, *NUMBERS)
        assert (await client.delete(f"/v1/{collection}?filter={{}}")).json() == {"matched": 10, "deleted": 10}
        assert ids(await client.get(f"/v1/{collection}")) == []

    @pytest.mark.parametrize(("limit", "deleted"), [(4, 0), (5, 5), (6, 5)])
    async def test_max_affected(self, client: Client, collection: str, limit: int, deleted: int) -> None:
        await stored(client, collection, *NUMBERS)
        headers = {"Prefer": f"max-affected={limit}"}
        response = await client.delete(f"/v1/{collection}?even=true", headers=headers)
        if not deleted:
            refusal(response, 409, "max-affected-exceeded")
        assert len(ids(await client.get(f"/v1/{collection}"))) == 10 - deleted

    async def test_by_json(self, client: Client, collection: str) -> None:
        await stored(client, collection, *NUMBERS)
        chosen = json.dumps({"$or": [{"n": 1}, {"n": {"$gte": 8}}]})
        response = await client.delete(f"/v1/{collection}", params={"filter": chosen, "even": "false"})
        assert response.json() == {"matched": 2, "deleted": 2}

    @pytest.mark.parametrize(
        "filter_", ["{", "[]", "1", '{"$where": "1"}', '{"n": {"$function": {}}}', '{"$expr": {}}']
    )
    async def test_refuses_filters(self, client: Client, collection: str, filter_: str) -> None:
        await stored(client, collection, *NUMBERS)
        refusal(await client.delete(f"/v1/{collection}", params={"filter": filter_}), 400, "invalid-filter")
        assert len(ids(await client.get(f"/v1/{collection}"))) == 10

    async def test_needs_a_filter(self, client: Client, collection: str) -> None:
        await stored(client, collection, *NUMBERS)
        refusal(await client.delete(f"/v1/{collection}"), 400, "filter-required")

    async def test_no_collection(self, client: Client, collection: str) -> None:
        refusal(await client.delete(f"/v1/{collection}?filter={{}}"), 404, "collection-not-found")
