"""Indexes over HTTP: compared and changed, for flexible collections and for declared ones."""

import asyncio
import time
from collections.abc import AsyncGenerator
from typing import Any

import httpx
import orjson
import pytest
from pymongo import MongoClient

from api.app import create_app
from documents.database.embedded import EmbeddedMongo
from documents.lifecycle import Store
from documents.settings import Settings
from tests.api.answers import faults, refusal, stored
from tests.conftest import serving

Client = httpx.AsyncClient
CITY = {"keys": {"city": 1, "_id": 1}}


def actions(response: httpx.Response) -> list[tuple[str, str]]:
    assert response.is_success, response.text
    return [(change["action"], change["name"]) for change in response.json()["plan"]["changes"]]


REFUSED: list[tuple[Any, set[str] | None]] = [
    ([], {""}),
    (None, {""}),
    (5, {""}),
    ({}, {"/indexes"}),
    ({"indexes": {}}, {"/indexes"}),
    ({"indexes": [], "also": 1}, {"/also"}),
    ({"indexes": [1, {}]}, {"/indexes/0", "/indexes/1/keys"}),
    ({"indexes": [{"keys": {}}]}, {"/indexes/0/keys"}),
    ({"indexes": [{"keys": {"a": 2}}]}, {"/indexes/0/keys"}),
    ({"indexes": [{"keys": {"a": True}}]}, {"/indexes/0/keys"}),
    ({"indexes": [{"keys": {"a": []}}]}, {"/indexes/0/keys"}),
    ({"indexes": [{"keys": {"a": "magic"}}]}, {"/indexes/0/keys"}),
    (b'{"indexes": [{"keys": {"a": 1e400}}]}', None),
    ({"indexes": [{"keys": {"": 1}}]}, {"/indexes/0/keys"}),
    ({"indexes": [{"keys": {"a..b": 1}}]}, {"/indexes/0/keys"}),
    ({"indexes": [{"keys": {"a.$b": 1}}]}, {"/indexes/0/keys"}),
    ({"indexes": [{"keys": {"a\0": 1}}]}, None),
    ({"indexes": [{"keys": {f"f{n}": 1 for n in range(33)}}]}, {"/indexes/0/keys"}),
    ({"indexes": [{"keys": [["a", 1], ["a", -1]]}]}, {"/indexes/0/keys"}),
    ({"indexes": [{"keys": [["a"]]}]}, {"/indexes/0/keys"}),
    ({"indexes": [{"keys": {"a": "text", "b": 1, "c": "text"}}]}, {"/indexes/0/keys"}),
    ({"indexes": [{"keys": {"a": 1}, "uniqe": True}]}, {"/indexes/0/uniqe"}),
    ({"indexes": [{"keys": {"a": 1}, "unique": 1}]}, {"/indexes/0/unique"}),
    ({"indexes": [{"keys": {"a": 1}, "name": "_id_"}]}, {"/indexes/0/name"}),
    ({"indexes": [{"keys": {"a": 1}, "name": "x" * 128}]}, {"/indexes/0/name"}),
    ({"indexes": [{"keys": {"a": 1}, "expireAfterSeconds": -1}]}, {"/indexes/0/expireAfterSeconds"}),
    ({"indexes": [{"keys": {"a": 1}, "expireAfterSeconds": 2**40}]}, {"/indexes/0/expireAfterSeconds"}),
    ({"indexes": [{"keys": {"a": 1}, "collation": {}}]}, {"/indexes/0/collation"}),
    ({"indexes": [{"keys": {"a": 1}, "collation": {"locale": 1}}]}, {"/indexes/0/collation"}),
    ({"indexes": [{"keys": {"a": 1}, "collation": {"locale": "qq"}}]}, {"/indexes"}),
    ({"indexes": [{"keys": {"a": "text"}, "weights": {"a": 0}}]}, {"/indexes/0/weights"}),
    ({"indexes": [{"keys": {"a": 1}, "storageEngine": {}}]}, {"/indexes/0/storageEngine"}),
    ({"indexes": [{"keys": {"a": 1}, "prepareUnique": True}]}, {"/indexes/0/prepareUnique"}),
    (
        {"indexes": [{"keys": {"a": 1}, "partialFilterExpression": {"b": {"$where": "1"}}}]},
        {"/indexes/0/partialFilterExpression/b/$where"},
    ),
    ({"indexes": [{"keys": {"a": 1}, "partialFilterExpression": 7}]}, {"/indexes/0/partialFilterExpression"}),
    ({"indexes": [{"keys": {"a": 1}, "partialFilterExpression": {"b": {"$ne": 1}}}]}, {"/indexes"}),
    ({"indexes": [{"keys": {"a": 1}}, {"keys": {"a": 1}, "unique": True}]}, {"/indexes"}),
    ({"indexes": [{"keys": {"a": 1}, "name": "x"}, {"keys": {"b": 1}, "name": "x"}]}, {"/indexes"}),
    ({"indexes": [{"keys": {"$**": 1}, "unique": True}]}, {"/indexes"}),
    ({"indexes": [{"keys": {"a": 1}}] * 64}, {"/indexes"}),
    ({"indexes": [], "drop": "a_1"}, {"/drop"}),
    ({"indexes": [], "drop": [1]}, {"/drop"}),
    ({"indexes": [], "drop": ["nobody"]}, {"/drop/0"}),
    ({"indexes": [CITY], "drop": ["city_1__id_1"]}, {"/drop/0"}),
    ({"indexes": [], "rebuild": ["x", "y"], "hide": ["z"]}, {"/rebuild/0", "/rebuild/1", "/hide/0"}),
]


class TestGet:
    async def test_anonymous(self, client: Client, collection: str) -> None:
        await stored(client, collection, {"a": 1})
        response = await client.get(f"/v1/{collection}:indexes")
        assert response.json() == {"declared": [], "actual": [], "plan": {"is_empty": True, "changes": []}}

    async def test_declared(self, client: Client) -> None:
        answer = (await client.get("/v1/products:indexes")).json()
        assert answer["plan"]["is_empty"]
        assert {"name": "price_1__id_1", "keys": {"price": 1, "_id": 1}} in answer["actual"]
        assert len(answer["declared"]) == len(answer["actual"])

    async def test_extra_ones(self, client: Client, store: Store, collection: str) -> None:
        await store.connection.collection(collection).create_index([("a", -1)], hidden=True)
        response = await client.get(f"/v1/{collection}:indexes")
        assert actions(response) == [("extra", "a_-1")]
        assert response.json()["actual"] == [{"name": "a_-1", "keys": {"a": -1}, "hidden": True}]

    async def test_no_collection(self, client: Client, collection: str) -> None:
        refusal(await client.get(f"/v1/{collection}:indexes"), 404, "collection-not-found")

    async def test_a_view(self, client: Client, store: Store, collection: str) -> None:
        await store.connection.database.command("create", collection, viewOn="other", pipeline=[])
        refusal(await client.get(f"/v1/{collection}:indexes"), 422, "invalid-index")


class TestPut:
    async def test_anonymous(self, client: Client, collection: str) -> None:
        response = await client.put(f"/v1/{collection}:indexes", json={"indexes": [CITY]})
        assert actions(response) == [("keep", "city_1__id_1")]
        assert response.json()["actual"] == [{"name": "city_1__id_1", **CITY}]

    async def test_a_second_time_nothing_is_done(self, client: Client, collection: str) -> None:
        body = {"indexes": [CITY, {"keys": {"email": 1}, "unique": True, "collation": {"locale": "en", "strength": 2}}]}
        first = await client.put(f"/v1/{collection}:indexes", json=body)
        assert (await client.put(f"/v1/{collection}:indexes", json=body)).json() == first.json()

    async def test_what_is_shown_can_be_put_back(self, client: Client, store: Store, collection: str) -> None:
        await store.connection.collection(collection).create_index([("b", "text"), ("a", "text")], weights={"a": 3})
        await store.connection.collection(collection).create_index([("$**", 1)], wildcardProjection={"a": 0})
        shown = (await client.get(f"/v1/{collection}:indexes")).json()["actual"]
        assert len(shown) == 2
        response = await client.put(f"/v1/{collection}:indexes", json={"indexes": shown})
        assert [action for action, _ in actions(response)] == ["keep", "keep"]

    @pytest.mark.parametrize(
        ("index", "shown"),
        [
            ({"keys": [["b", -1], ["a", 1]]}, {"name": "b_-1_a_1", "keys": {"b": -1, "a": 1}}),
            ({"keys": {"a": 1.0}, "name": "mine"}, {"name": "mine", "keys": {"a": 1}}),
            ({"keys": {"$**": 1}}, {"name": "$**_1", "keys": {"$**": 1}}),
            ({"keys": {"a.$**": 1}}, {"name": "a.$**_1", "keys": {"a.$**": 1}}),
            ({"keys": {"place": "2dsphere"}}, {"name": "place_2dsphere", "keys": {"place": "2dsphere"}}),
            (
                {"keys": {"at": 1}, "expireAfterSeconds": 60},
                {"name": "at_1", "keys": {"at": 1}, "expireAfterSeconds": 60},
            ),
            (
                {"keys": {"a": 1}, "partialFilterExpression": {"b": {"$gt": {"$date": "2026-01-01T00:00:00Z"}}}},
                {
                    "name": "a_1",
                    "keys": {"a": 1},
                    "partialFilterExpression": {"b": {"$gt": {"$date": "2026-01-01T00:00:00Z"}}},
                },
            ),
        ],
    )
    async def test_kinds(self, client: Client, collection: str, index: dict[str, Any], shown: dict[str, Any]) -> None:
        response = await client.put(f"/v1/{collection}:indexes", json={"indexes": [index]})
        assert response.status_code == 200, response.text
        assert response.json()["actual"] == [shown]
        assert response.json()["plan"]["is_empty"]

    async def test_changes_in_place_but_rebuilds_and_drops_only_what_is_named(
        self, client: Client, collection: str
    ) -> None:
        address = f"/v1/{collection}:indexes"
        await client.put(address, json={"indexes": [{"keys": {"a": 1}}, {"keys": {"b": 1}}, CITY]})
        wanted = [{"keys": {"a": 1}, "hidden": True}, {"keys": {"b": 1}, "sparse": True}]
        response = await client.put(address, json={"indexes": wanted})
        assert actions(response) == [("keep", "a_1"), ("rebuild", "b_1"), ("extra", "city_1__id_1")]
        change = response.json()["plan"]["changes"][1]
        assert (change["needs"], change["blocked"] is None) == (["rebuild"], False)
        body = {"indexes": wanted, "rebuild": ["b_1"], "drop": ["city_1__id_1"]}
        response = await client.put(address, json=body)
        assert actions(response) == [("keep", "a_1"), ("keep", "b_1_2")]
        assert response.json()["plan"]["is_empty"]

    async def test_hides_and_shows_again(self, client: Client, collection: str) -> None:
        address = f"/v1/{collection}:indexes"
        await client.put(address, json={"indexes": [CITY]})
        for member, hidden in (("hide", True), ("unhide", False)):
            response = await client.put(address, json={"indexes": [], member: ["city_1__id_1"]})
            assert response.json()["actual"][0].get("hidden", False) is hidden, response.text

    async def test_shortening_deletes_only_when_allowed(self, client: Client, collection: str) -> None:
        address = f"/v1/{collection}:indexes"
        await client.put(address, json={"indexes": [{"keys": {"at": 1}, "expireAfterSeconds": 90}]})
        body: dict[str, Any] = {"indexes": [{"keys": {"at": 1}, "expireAfterSeconds": 60}]}
        response = await client.put(address, json=body)
        assert response.json()["actual"][0]["expireAfterSeconds"] == 90
        assert response.json()["plan"]["changes"][0]["needs"] == ["shorten_ttl"]
        response = await client.put(address, json={**body, "shorten_ttl": ["at_1"]})
        assert response.json()["actual"][0]["expireAfterSeconds"] == 60

    async def test_duplicates(self, client: Client, collection: str) -> None:
        await stored(client, collection, {"a": "secret"}, {"a": "secret"})
        body = {"indexes": [{"keys": {"b": 1}}, {"keys": {"a": 1}, "unique": True}]}
        problem = refusal(await client.put(f"/v1/{collection}:indexes", json=body), 409, "duplicate-values")
        assert "a_1" in problem["detail"]
        assert "secret" not in str(problem)
        assert (await client.get(f"/v1/{collection}:indexes")).json()["actual"] == []

    @pytest.mark.parametrize(("body", "pointers"), REFUSED)
    async def test_refuses(self, client: Client, collection: str, body: Any, pointers: set[str] | None) -> None:
        response = await client.put(
            f"/v1/{collection}:indexes",
            content=body if isinstance(body, bytes) else orjson.dumps(body),
            headers={"Content-Type": "application/json"},
        )
        assert response.status_code in (400, 422), response.text
        if pointers is not None:
            refusal(response, 422, "invalid-index")
            assert {where for where, _ in faults(response)} == pointers, response.text
        refusal(await client.get(f"/v1/{collection}:indexes"), 404, "collection-not-found")

    async def test_unknown_names_are_told_the_known_ones(self, client: Client, collection: str) -> None:
        await client.put(f"/v1/{collection}:indexes", json={"indexes": [CITY]})
        body = {"indexes": [], "drop": ["city_1"]}
        problem = refusal(await client.put(f"/v1/{collection}:indexes", json=body), 422, "invalid-index")
        assert "city_1__id_1" in problem["faults"][0]["detail"]

    async def test_a_model_decides(self, client: Client, store: Store) -> None:
        carts = store.connection.collection("carts")
        await carts.drop_index("expires_at_1")
        assert actions(await client.get("/v1/carts:indexes")) == [("create", "expires_at_1")]
        response = await client.put("/v1/carts:indexes", json={"indexes": []})
        refusal(response, 422, "invalid-index")
        assert faults(response) == {("", "not-allowed")}
        assert actions(await client.put("/v1/carts:indexes")) == [("keep", "expires_at_1")]

    async def test_a_body_is_json(self, client: Client, collection: str) -> None:
        refusal(await client.put(f"/v1/{collection}:indexes", content=b"{}"), 415, "unsupported-media-type")
        headers = {"Content-Type": "application/json"}
        response = await client.put(f"/v1/{collection}:indexes", content=b"{", headers=headers)
        refusal(response, 400, "malformed-json")
        refusal(await client.put(f"/v1/{collection}:indexes"), 422, "invalid-index")

    async def test_read_only(self, settings: Settings, collection: str) -> None:
        async with serving(create_app(settings.model_copy(update={"read_only": True}))) as reader:
            refusal(await reader.put(f"/v1/{collection}:indexes", json={"indexes": [CITY]}), 403, "forbidden")
            refusal(await reader.put("/v1/products:indexes"), 403, "forbidden")
            assert (await reader.get("/v1/products:indexes")).status_code == 200


class TestLongBuilds:
    pytestmark = pytest.mark.xdist_group("faults")

    @pytest.fixture
    async def slow(self, failing_mongo: EmbeddedMongo, settings: Settings, collection: str) -> AsyncGenerator[Client]:
        chosen = settings.model_copy(update={"mongodb_uri": None, "data_dir": failing_mongo.data_dir})
        async with serving(create_app(chosen)) as opened:
            await stored(opened, collection, {"a": 1})
            yield opened

    async def test_a_build_outlives_its_request(
        self, failing_mongo: EmbeddedMongo, slow: Client, collection: str
    ) -> None:
        address, body = f"/v1/{collection}:indexes", {"indexes": [{"keys": {"a": 1}}]}
        with MongoClient[dict[str, Any]](failing_mongo.admin_uri) as admin:
            admin.admin.command("configureFailPoint", "hangAfterStartingIndexBuild", mode="alwaysOn")
            try:
                response = await slow.put(address, json=body, headers={"Prefer": "wait=1"})
                assert response.status_code == 202, response.text
                assert actions(response) == [("create", "a_1")]
                refusal(await slow.put(address, json=body), 409, "index-conflict")
                shown = (await slow.get(address)).json()["actual"]
                assert shown == [{"name": "a_1", "keys": {"a": 1}, "building": True}]
            finally:
                admin.admin.command("configureFailPoint", "hangAfterStartingIndexBuild", mode="off")
        until = time.monotonic() + 60
        while (await slow.get(address)).json()["actual"][0].get("building") and time.monotonic() < until:  # noqa: ASYNC110  # MongoDB offers no event for this
            await asyncio.sleep(0.02)
        assert (await slow.get(address)).json()["actual"] == [{"name": "a_1", "keys": {"a": 1}}]
