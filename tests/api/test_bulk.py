"""Several writes in one request: bulk and transaction."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import httpx
import pytest

from documents.access.policy import FULL
from documents.collections.many import CHUNK
from documents.collections.operations import Bulk
from documents.collections.write import Written
from documents.database.deadline import Deadline
from documents.lifecycle import Store
from tests.api.answers import ids, items, refusal, stored

Client = httpx.AsyncClient
NDJSON = {"Content-Type": "application/x-ndjson"}
OTHER = '"0123456789abcdef01234567"'

MIXED: list[dict[str, Any]] = [
    {"op": "insert", "document": {"_id": "new", "n": 1}},
    {"op": "replace", "id": "a", "document": {"n": 2}},
    {"op": "patch", "id": "b", "merge": {"x": None, "y": 1}},
    {"op": "patch", "id": "c", "json_patch": [{"op": "remove", "path": "/x"}]},
    {"op": "patch", "id": "d", "update": {"$inc": {"x": 5}}},
    {"op": "delete", "id": "e"},
    {"op": "upsert", "document": {"_id": "f", "n": 3}},
    {"op": "upsert", "document": {"_id": "g", "n": 3}},
    {"op": "merge", "document": {"_id": "h", "n": 4}},
]
AFTER: dict[str, dict[str, int]] = {
    "a": {"n": 2},
    "b": {"y": 1},
    "c": {},
    "d": {"x": 6},
    "f": {"n": 3},
    "g": {"n": 3},
    "h": {"x": 1, "n": 4},
    "new": {"n": 1},
}
REFUSED: list[tuple[Any, str]] = [
    ({}, "invalid-document"),
    ([], "invalid-document"),
    ({"operations": []}, "invalid-document"),
    ({"operations": {}}, "invalid-document"),
    ({"operations": [{}]}, "invalid-operation"),
    ({"operations": [{"op": "insert", "document": {}}]}, "invalid-operation"),
    ({"operations": [{"op": "insert", "collection": 5, "document": {}}]}, "invalid-operation"),
    ({"operations": [{"op": "insert", "collection": "a", "document": {}}], "more": 1}, "invalid-document"),
    (
        {"operations": [{"op": "patch", "collection": "a", "id": 1, "merge": {}, "update": {}}]},
        "invalid-operation",
    ),
]
BAD: list[dict[str, Any]] = [*MIXED[:2], {"op": "delete", "id": "nobody"}, *MIXED[2:]]


async def contents(client: Client, collection: str) -> dict[Any, dict[str, Any]]:
    listed = items(await client.get(f"/v1/{collection}?limit=1000"))
    return {document.pop("_id"): document for document in listed}


class TestBulk:
    async def test_anonymous(self, client: Client, collection: str) -> None:
        response = await client.post(f"/v1/{collection}:bulk", json=[{"op": "insert", "document": {"a": 1}}])
        assert response.status_code == 201
        [outcome] = items(response)
        assert (outcome["status"], outcome["outcome"]) == (201, "created")

    @pytest.mark.parametrize("mode", ["", "?mode=unordered", "?mode=ordered", "?mode=atomic"])
    @pytest.mark.parametrize("lines", [True, False])
    async def test_mixed(self, client: Client, collection: str, mode: str, *, lines: bool) -> None:
        await stored(client, collection, *({"_id": name, "x": 1} for name in "abcdefh"))
        body = "\n".join(map(json.dumps, MIXED)) if lines else json.dumps(MIXED)
        headers = NDJSON if lines else {"Content-Type": "application/json"}
        response = await client.post(f"/v1/{collection}:bulk{mode}", content=body, headers=headers)
        assert response.status_code == 200, response.text
        assert [(item["index"], item["status"], item["outcome"]) for item in items(response)] == [
            (0, 201, "created"),
            (1, 200, "replaced"),
            (2, 200, "updated"),
            (3, 200, "updated"),
            (4, 200, "updated"),
            (5, 204, "deleted"),
            (6, 200, "replaced"),
            (7, 201, "created"),
            (8, 200, "updated"),
        ]
        assert await contents(client, collection) == AFTER
        for item in items(response):
            if item["outcome"] != "deleted":
                read = await client.get(f"/v1/{collection}/{item['_id']}")
                assert read.headers["etag"] == item["etag"]

    async def test_unordered_goes_on(self, client: Client, collection: str) -> None:
        await stored(client, collection, *({"_id": name, "x": 1} for name in "abcdefh"))
        response = await client.post(f"/v1/{collection}:bulk", json=BAD)
        assert response.status_code == 207
        assert [item["status"] for item in items(response)] == [201, 200, 404, 200, 200, 200, 204, 200, 201, 200]
        assert items(response)[2]["problem"]["code"] == "document-not-found"
        assert await contents(client, collection) == AFTER

    async def test_ordered_stops(self, client: Client, collection: str) -> None:
        await stored(client, collection, *({"_id": name, "x": 1} for name in "abcdefh"))
        response = await client.post(f"/v1/{collection}:bulk?mode=ordered", json=BAD)
        assert response.status_code == 207
        assert [item["status"] for item in items(response)] == [201, 200, 404] + [424] * 7
        assert {item["outcome"] for item in items(response)[3:]} == {"not-attempted"}
        left = await contents(client, collection)
        assert (left["new"], left["a"], left["b"]) == ({"n": 1}, {"n": 2}, {"x": 1})

    async def test_ordered_keeps_order(self, client: Client, collection: str) -> None:
        operations: list[Any] = [{"op": "insert", "document": {"_id": 1, "log": []}}]
        operations += [{"op": "patch", "id": 1, "update": {"$push": {"log": n}}} for n in range(20)]
        await client.post(f"/v1/{collection}:bulk?mode=ordered", json=operations)
        assert (await contents(client, collection))[1]["log"] == list(range(20))

    async def test_atomic_does_all_or_nothing(self, client: Client, collection: str) -> None:
        await stored(client, collection, *({"_id": name, "x": 1} for name in "abcdefh"))
        before = await contents(client, collection)
        response = await client.post(f"/v1/{collection}:bulk?mode=atomic", json=BAD)
        problem = refusal(response, 404, "operation-failed")
        assert (problem["index"], problem["cause"]["code"]) == (2, "document-not-found")
        assert await contents(client, collection) == before

    @pytest.mark.parametrize("mode", ["unordered", "ordered", "atomic"])
    async def test_preconditions(self, client: Client, collection: str, mode: str) -> None:
        await stored(client, collection, {"_id": "a"}, {"_id": "b"})
        etag = (await client.get(f"/v1/{collection}/a")).headers["etag"]
        good: list[Any] = [
            {"op": "patch", "id": "a", "merge": {"n": 1}, "if_match": etag},
            {"op": "replace", "id": "c", "document": {}, "if_none_match": "*"},
        ]
        assert (await client.post(f"/v1/{collection}:bulk?mode={mode}", json=good)).status_code == 200
        bad = [{"op": "delete", "id": "b", "if_match": OTHER}]
        response = await client.post(f"/v1/{collection}:bulk?mode={mode}", json=bad)
        if mode == "atomic":
            refusal(response, 412, "operation-failed")
        else:
            assert [item["status"] for item in items(response)] == [412]
        assert set(await contents(client, collection)) == {"a", "b", "c"}

    async def test_what_cannot_be_read_is_an_outcome(self, client: Client, collection: str) -> None:
        lines = ['{"op":"insert","document":{"_id":1}}', "{", '{"op":"fly"}', '{"op":"insert"}', "5", ""]
        lines += ['{"op":"insert","document":{"_id":2,"$x":1}}', '{"op":"patch","id":1}', '{"op":"delete","id":1.5}']
        lines += ['{"op":"delete","id":1,"extra":1}', '{"op":"insert","document":{"_id":3}}']
        response = await client.post(f"/v1/{collection}:bulk", content="\n".join(lines), headers=NDJSON)
        assert [item["status"] for item in items(response)] == [201, 400, 422, 422, 422, 422, 422, 422, 422, 201]
        assert ids(await client.get(f"/v1/{collection}")) == [1, 3]

    @pytest.mark.parametrize("query", ["?mode=fast", "?mode=ordered&mode=atomic"])
    async def test_refuses_parameters(self, client: Client, collection: str, query: str) -> None:
        refusal(await client.post(f"/v1/{collection}:bulk{query}", json=[]), 400, "invalid-parameter")

    async def test_none(self, client: Client, collection: str) -> None:
        for mode in ("unordered", "ordered", "atomic"):
            response = await client.post(f"/v1/{collection}:bulk?mode={mode}", json=[])
            assert (response.status_code, items(response)) == (200, [])


class TestUpsert:
    async def test_anonymous(self, client: Client, store: Store, collection: str) -> None:
        await store.connection.collection(collection).create_index([("isbn", 1)], unique=True)
        lines = [{"op": "upsert", "document": {"isbn": n % 10, "n": n}} for n in range(20)]
        response = await client.post(f"/v1/{collection}:bulk?on=isbn&mode=ordered", json=lines)
        assert [item["outcome"] for item in items(response)] == ["created"] * 10 + ["replaced"] * 10
        found = await contents(client, collection)
        assert sorted((document["isbn"], document["n"]) for document in found.values()) == [
            (n, n + 10) for n in range(10)
        ]
        again = await client.post(f"/v1/{collection}:bulk?on=isbn", json=lines[10:])
        assert {item["outcome"] for item in items(again)} == {"unchanged"}

    async def test_merge_keeps_the_rest(self, client: Client, store: Store, collection: str) -> None:
        await store.connection.collection(collection).create_index([("a", 1), ("b.c", 1)], unique=True)
        await stored(client, collection, {"a": 1, "b": {"c": 2}, "kept": True})
        merge = [{"op": "merge", "document": {"a": 1, "b": {"c": 2}, "x": 1}, "on": ["a", "b.c"]}]
        assert (await client.post(f"/v1/{collection}:bulk", json=merge)).status_code == 200
        [document] = (await contents(client, collection)).values()
        assert document == {"a": 1, "b": {"c": 2}, "kept": True, "x": 1}

    @pytest.mark.parametrize("mode", ["unordered", "atomic"])
    async def test_needs_a_unique_index(self, client: Client, collection: str, mode: str) -> None:
        await stored(client, collection, {"isbn": 1})
        operations = [{"op": "upsert", "document": {"isbn": 1}}]
        response = await client.post(f"/v1/{collection}:bulk?on=isbn&mode={mode}", json=operations)
        if mode == "atomic":
            refusal(response, 422, "operation-failed")
        else:
            assert items(response)[0]["problem"]["code"] == "index-required"

    @pytest.mark.parametrize("document", [{}, {"isbn": [1]}, {"isbn": {"a": 1}}])
    async def test_needs_the_key(self, client: Client, store: Store, collection: str, document: dict[str, Any]) -> None:
        await store.connection.collection(collection).create_index([("isbn", 1)], unique=True)
        response = await client.post(f"/v1/{collection}:bulk?on=isbn", json=[{"op": "upsert", "document": document}])
        assert items(response)[0]["status"] == 422

    @pytest.mark.parametrize("on", [[], [1], "", "$x", ["a"] * 9, {}])
    async def test_refuses_keys(self, client: Client, collection: str, on: object) -> None:
        response = await client.post(f"/v1/{collection}:bulk", json=[{"op": "upsert", "document": {}, "on": on}])
        assert items(response)[0]["problem"]["code"] == "invalid-operation"

    async def test_refuses_another_id(self, client: Client, store: Store, collection: str) -> None:
        await store.connection.collection(collection).create_index([("isbn", 1)], unique=True)
        await stored(client, collection, {"_id": "a", "isbn": 1})
        operations = [{"op": "upsert", "document": {"_id": "b", "isbn": 1}}]
        response = await client.post(f"/v1/{collection}:bulk?on=isbn", json=operations)
        assert items(response)[0]["problem"]["faults"][0]["code"] == "immutable"


class TestTransaction:
    @staticmethod
    def body(collection: str, *, patched: str = "a", **more: Any) -> dict[str, Any]:
        return {
            "operations": [
                {"op": "insert", "collection": f"{collection}x", "document": {"_id": 1}},
                {"op": "patch", "collection": collection, "id": patched, "merge": {"n": 2}, **more},
                {"op": "delete", "collection": collection, "id": "b"},
            ]
        }

    async def test_anonymous(self, client: Client, collection: str) -> None:
        await stored(client, collection, {"_id": "a"}, {"_id": "b"})
        response = await client.post("/v1:transaction", json=self.body(collection))
        assert response.status_code == 200, response.text
        assert [(item["index"], item["outcome"]) for item in items(response)] == [
            (0, "created"),
            (1, "updated"),
            (2, "deleted"),
        ]
        assert await contents(client, collection) == {"a": {"n": 2}}
        assert await contents(client, f"{collection}x") == {1: {}}

    async def test_if_match(self, client: Client, collection: str) -> None:
        await stored(client, collection, {"_id": "a"}, {"_id": "b"})
        etag = (await client.get(f"/v1/{collection}/a")).headers["etag"]
        failed = await client.post("/v1:transaction", json=self.body(collection, if_match=OTHER))
        problem = refusal(failed, 412, "operation-failed")
        assert (problem["index"], problem["cause"]["code"]) == (1, "precondition-failed")
        assert failed.headers["etag"] == etag
        assert set(await contents(client, collection)) == {"a", "b"}
        assert (await client.post("/v1:transaction", json=self.body(collection, if_match=etag))).status_code == 200

    async def test_rolls_back(self, client: Client, collection: str) -> None:
        await stored(client, collection, {"_id": "a"}, {"_id": "b"})
        failed = await client.post("/v1:transaction", json=self.body(collection, patched="nobody"))
        refusal(failed, 404, "operation-failed")
        assert await contents(client, collection) == {"a": {}, "b": {}}

    async def test_that_failed_leaves_nothing_behind(self, client: Client, collection: str) -> None:
        insert = {"op": "insert", "collection": collection, "document": {"_id": "text"}}
        failed = await client.post("/v1:transaction", json={"operations": [insert, insert]})
        refusal(failed, 409, "operation-failed")
        refusal(await client.get(f"/v1/{collection}"), 404, "collection-not-found")
        assert (await client.post(f"/v1/{collection}", json={"_id": 5})).status_code == 201

    async def test_sees_what_it_has_written(self, client: Client, collection: str) -> None:
        operations: list[dict[str, Any]] = [{"op": "insert", "document": {"_id": 1, "n": 0}}]
        operations += [{"op": "patch", "id": 1, "update": {"$inc": {"n": 1}}}] * 3
        operations += [{"op": "patch", "id": 1, "merge": {"m": 1}}, {"op": "upsert", "document": {"_id": 2}}]
        operations += [{"op": "delete", "id": 2}]
        body = {"operations": [{"collection": collection, **operation} for operation in operations]}
        assert (await client.post("/v1:transaction", json=body)).status_code == 200
        assert await contents(client, collection) == {1: {"n": 3, "m": 1}}

    @pytest.mark.parametrize(("body", "code"), REFUSED)
    async def test_refuses(self, client: Client, body: object, code: str) -> None:
        refusal(await client.post("/v1:transaction", json=body), 422, code)

    @pytest.mark.parametrize("name", ["_sheaf.secrets", "system.users", "a.b", "", "x" * 101, "a\n"])
    async def test_names_out_of_reach(self, client: Client, name: str) -> None:
        operations: list[dict[str, Any]] = [{"op": "insert", "document": {}}, {"op": "delete", "id": "cursor"}]
        for operation in operations:
            body = {"operations": [{**operation, "collection": name}]}
            problem = refusal(await client.post("/v1:transaction", json=body), 404, "operation-failed")
            assert problem["cause"]["code"] == "collection-not-found"


class TestContractSetMeanwhile:
    @pytest.mark.parametrize(("mode", "in_flight"), [("ordered", 1), ("unordered", CHUNK)])
    async def test_the_rest_of_a_bulk_request_obeys_it(
        self, client: Client, store: Store, collection: str, mode: str, in_flight: int
    ) -> None:
        documents = store.connection.collection(collection)
        inserts = [{"op": "insert", "document": {"_id": number}} for number in range(3000)]
        bulk = asyncio.create_task(client.post(f"/v1/{collection}:bulk?mode={mode}", json=inserts))
        while not await documents.estimated_document_count():
            assert not bulk.done(), bulk.result().text
        response = await client.put(f"/v1/{collection}:contract", json={"schema": {"required": ["name"]}})
        assert response.status_code == 201, response.text
        stored_by_then = await documents.count_documents({})
        statuses = [item["status"] for item in items(await bulk)]
        created = statuses.count(201)
        assert await documents.count_documents({}) == created
        assert 0 < created <= stored_by_then + in_flight < len(inserts)
        rest = statuses[created:] if mode == "ordered" else [status for status in statuses if status != 201]
        assert rest == ([422, *[424] * (len(rest) - 1)] if mode == "ordered" else [422] * len(rest))


async def test_without_time_for_the_rest_the_outcomes_so_far_are_told(store: Store, collection: str) -> None:
    async def write_in_the_last_moment(deadline: Deadline, _: object) -> Written:
        await asyncio.sleep(max(deadline.remaining(), 0))
        return Written("created", 1)

    writes = [write_in_the_last_moment] * (2 * CHUNK + 1)
    empty = await store.planner.bulk(Bulk(collection, [], "unordered"), FULL)
    plan = replace(empty, items=writes, concurrent=[True] * len(writes))
    outcomes = await plan.run(Deadline(1))
    assert [type(outcome) for outcome in outcomes[:CHUNK]] == [Written] * CHUNK
    assert {getattr(outcome, "outcome", None) for outcome in outcomes[CHUNK:]} == {"not-applied"}
    assert len(outcomes) == len(writes)
