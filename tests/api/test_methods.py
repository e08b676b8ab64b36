"""Custom methods: query, count, aggregate."""

from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.api.answers import faults, ids, items, refusal, stored

Client = httpx.AsyncClient
SALES: list[dict[str, Any]] = [
    {"_id": 1, "city": "Paris", "sum": 10, "on": [1, 2]},
    {"_id": 2, "city": "Oslo", "sum": 5, "on": []},
    {"_id": 3, "city": "Paris", "sum": 2.5, "on": [2]},
    {"_id": 4, "city": None, "sum": 1},
]


@pytest_asyncio.fixture
async def sales(client: Client, collection: str) -> str:
    await stored(client, collection, *SALES)
    return collection


class TestQuery:
    async def test_anonymous(self, client: Client, sales: str) -> None:
        response = await client.post(f"/v1/{sales}:query", json={})
        assert response.json() == {"items": SALES, "next": None, "prev": None}

    @pytest.mark.parametrize(
        ("body", "expected"),
        [
            ({"filter": {"city": "Paris"}}, [1, 3]),
            ({"filter": {"sum": {"$gt": 2, "$lt": 6}}, "sort": "-sum"}, [2, 3]),
            ({"filter": {"$nor": [{"city": "Paris"}, {"city": None}]}}, [2]),
            ({"filter": {"city": {"$not": {"$regex": "^p", "$options": "i"}}}}, [2, 4]),
            ({"filter": {"sum": {"$mod": [5, 0]}}, "sort": {"_id": -1}, "limit": 1}, [2]),
            ({"filter": {"sum": {"$in": [1, {"$numberDouble": "2.5"}]}}, "sort": ["city", "-_id"]}, [4, 3]),
            ({"filter": {"city": {"$type": "null"}}}, [4]),
            ({"filter": {"on": {"$elemMatch": {"$gt": 1, "$lt": 3}}}}, [1, 3]),
            ({"sort": [{"city": -1}, {"sum": 1}]}, [3, 1, 2, 4]),
        ],
    )
    async def test_finds(self, client: Client, sales: str, body: dict[str, Any], expected: list[int]) -> None:
        assert ids(await client.post(f"/v1/{sales}:query", json=body)) == expected

    @pytest.mark.parametrize("fields", ["city", ["city"], {"city": 1}])
    async def test_fields(self, client: Client, sales: str, fields: object) -> None:
        response = await client.post(f"/v1/{sales}:query", json={"fields": fields, "limit": 1})
        assert items(response) == [{"_id": 1, "city": "Paris"}]

    async def test_counts_when_asked(self, client: Client, sales: str) -> None:
        body = {"filter": {"city": "Paris"}, "limit": 1}
        response = await client.post(f"/v1/{sales}:query", json=body, headers={"Prefer": "count=exact"})
        assert (response.json()["count"], response.json()["count_kind"]) == (2, "exact")

    @pytest.mark.parametrize(
        ("body", "status", "code", "pointer"),
        [
            ([], 422, "invalid-document", ""),
            ({"filters": {}}, 422, "invalid-document", "/filters"),
            ({"limit": "1"}, 422, "invalid-document", "/limit"),
            ({"limit": True}, 422, "invalid-document", "/limit"),
            ({"cursor": 1}, 422, "invalid-document", "/cursor"),
            ({"q": 1}, 422, "invalid-document", "/q"),
            ({"filter": []}, 400, "invalid-filter", ""),
            ({"filter": {"$where": "1"}}, 400, "invalid-filter", "/$where"),
            ({"filter": {"a": {"$gt": 1, "$x": 1}}}, 400, "invalid-filter", "/a/$x"),
            ({"filter": {"$jsonSchema": {}}}, 400, "invalid-filter", "/$jsonSchema"),
        ],
    )
    async def test_refuses(
        self, client: Client, sales: str, *, body: object, status: int, code: str, pointer: str
    ) -> None:
        response = await client.post(f"/v1/{sales}:query", json=body)
        refusal(response, status, code)
        assert {where for where, _ in faults(response)} == {pointer}

    async def test_no_collection(self, client: Client, collection: str) -> None:
        refusal(await client.post(f"/v1/{collection}:query", json={}), 404, "collection-not-found")


class TestCount:
    async def test_anonymous(self, client: Client, sales: str) -> None:
        response = await client.post(f"/v1/{sales}:count", json={})
        assert response.json() == {"count": 4, "count_kind": "exact"}

    @pytest.mark.parametrize(
        ("query", "prefer", "counted"),
        [
            ("", "", {"count": 4, "count_kind": "exact"}),
            ("?city=Paris", "", {"count": 2, "count_kind": "exact"}),
            ("?city=Rome&sum[gt]=0", "", {"count": 0, "count_kind": "exact"}),
            ('?filter={"sum":{"$gt":1}}', "count=bounded", {"count": 3, "count_kind": "exact"}),
            ("", "count=estimated", {"count": 4, "count_kind": "estimated"}),
        ],
    )
    async def test_counts_by_url(
        self, client: Client, sales: str, query: str, prefer: str, counted: dict[str, object]
    ) -> None:
        response = await client.get(f"/v1/{sales}:count{query}", headers={"Prefer": prefer})
        assert response.json() == counted
        assert not (await client.head(f"/v1/{sales}:count{query}")).content

    @pytest.mark.parametrize("name", ["sort", "fields", "limit", "cursor"])
    async def test_refuses_what_only_lists_have(self, client: Client, sales: str, name: str) -> None:
        problem = refusal(await client.get(f"/v1/{sales}:count?{name}=1"), 400, "invalid-parameter")
        assert problem["faults"][0]["parameter"] == name

    @pytest.mark.parametrize(
        ("body", "prefer", "expected"),
        [
            ({"filter": {"city": "Paris"}}, "", {"count": 2, "count_kind": "exact"}),
            ({"filter": {"city": "Rome"}}, "count=exact", {"count": 0, "count_kind": "exact"}),
            ({}, "count=estimated", {"count": 4, "count_kind": "estimated"}),
            ({"filter": {"sum": {"$gt": 1}}}, "count=bounded", {"count": 3, "count_kind": "exact"}),
        ],
    )
    async def test_counts(
        self, client: Client, sales: str, body: dict[str, Any], prefer: str, expected: dict[str, Any]
    ) -> None:
        response = await client.post(f"/v1/{sales}:count", json=body, headers={"Prefer": prefer})
        assert response.json() == expected

    async def test_bounded_stops(self, client: Client, collection: str) -> None:
        for _ in range(2):
            await client.post(f"/v1/{collection}", json=[{"a": 1}] * 6000)
        bodies: list[Any] = [{}, {"filter": {"nothing": None}}]
        for body in bodies:
            response = await client.post(f"/v1/{collection}:count", json=body, headers={"Prefer": "count=bounded"})
            assert response.json() == {"count": 10_000, "count_kind": "at-least"}

    async def test_refuses(self, client: Client, sales: str) -> None:
        refusal(await client.post(f"/v1/{sales}:count", json={"sort": "a"}), 422, "invalid-document")
        refusal(await client.post(f"/v1/{sales}:count", json={"filter": {"$where": ""}}), 400, "invalid-filter")


class TestAggregate:
    async def test_anonymous(self, client: Client, sales: str) -> None:
        response = await client.post(f"/v1/{sales}:aggregate", json={"pipeline": [{"$sort": {"_id": 1}}]})
        assert response.json() == {"items": SALES, "truncated": False}

    @pytest.mark.parametrize(
        ("pipeline", "expected"),
        [
            (
                [{"$match": {"city": "Paris"}}, {"$project": {"sum": 1}}, {"$sort": {"_id": 1}}],
                [{"_id": 1, "sum": 10}, {"_id": 3, "sum": 2.5}],
            ),
            (
                [{"$group": {"_id": "$city", "n": {"$sum": 1}, "sum": {"$sum": "$sum"}}}, {"$sort": {"sum": -1}}],
                [
                    {"_id": "Paris", "n": 2, "sum": 12.5},
                    {"_id": "Oslo", "n": 1, "sum": 5},
                    {"_id": None, "n": 1, "sum": 1},
                ],
            ),
            (
                [{"$unwind": "$on"}, {"$group": {"_id": "$on", "n": {"$sum": 1}}}, {"$sort": {"_id": 1}}],
                [{"_id": 1, "n": 1}, {"_id": 2, "n": 2}],
            ),
            ([{"$sort": {"sum": 1}}, {"$limit": 1}, {"$set": {"twice": {"$multiply": ["$sum", 2]}}}],
             [{"_id": 4, "city": None, "sum": 1, "twice": 2}]),
            ([{"$count": "n"}], [{"n": 4}]),
        ],
    )  # fmt: skip
    async def test_computes(
        self, client: Client, sales: str, pipeline: list[Any], expected: list[dict[str, Any]]
    ) -> None:
        assert items(await client.post(f"/v1/{sales}:aggregate", json={"pipeline": pipeline})) == expected

    async def test_tells_when_there_is_more(self, client: Client, sales: str) -> None:
        response = await client.post(f"/v1/{sales}:aggregate", json={"pipeline": [], "limit": 2})
        assert (len(items(response)), response.json()["truncated"]) == (2, True)
        response = await client.post(f"/v1/{sales}:aggregate", json={"pipeline": [], "limit": 4})
        assert (len(items(response)), response.json()["truncated"]) == (4, False)

    @pytest.mark.parametrize(
        "stage",
        [
            {"$out": "stolen"},
            {"$merge": {"into": "stolen"}},
            {"$function": {}},
            {"$match": {"$where": "1"}},
            {"$project": {"x": {"$function": {"body": "f", "args": [], "lang": "js"}}}},
            {"$group": {"_id": None, "x": {"$accumulator": {}}}},
            {"$lookup": {"from": "_sheaf.secrets", "localField": "a", "foreignField": "b", "as": "c"}},
            {"$unionWith": "system.users"},
            {"$currentOp": {}},
            {"$collStats": {}},
            {"$indexStats": {}},
            {"$changeStream": {}},
            {"$listSessions": {}},
            {},
            {"$match": {}, "$limit": 1},
            "$match",
            None,
        ],
    )
    async def test_refuses(self, client: Client, sales: str, stage: object) -> None:
        response = await client.post(f"/v1/{sales}:aggregate", json={"pipeline": [{"$limit": 1}, stage]})
        assert response.json()["code"] in ("invalid-pipeline", "invalid-filter"), response.text
        refusal(response, 400, response.json()["code"])
        assert all("/1" in where for where, _ in faults(response))

    @pytest.mark.parametrize(
        ("body", "status", "code"),
        [
            ({}, 422, "invalid-document"),
            ({"pipeline": {}}, 400, "invalid-pipeline"),
            ({"pipeline": [], "explain": True}, 422, "invalid-document"),
            ({"pipeline": [], "limit": 1001}, 400, "invalid-parameter"),
            ({"pipeline": [{"$limit": 1}] * 1000}, 400, "invalid-pipeline"),
        ],
    )
    async def test_refuses_bodies(
        self, client: Client, sales: str, body: dict[str, Any], status: int, code: str
    ) -> None:
        refusal(await client.post(f"/v1/{sales}:aggregate", json=body), status, code)

    async def test_a_failing_expression_is_the_clients(self, client: Client, sales: str) -> None:
        pipeline = [{"$project": {"x": {"$divide": ["$sum", 0]}}}]
        refusal(await client.post(f"/v1/{sales}:aggregate", json={"pipeline": pipeline}), 422, "query-refused")
