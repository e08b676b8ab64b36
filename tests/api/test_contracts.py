"""Contracts over HTTP: set and read, and kept by every way to write."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import httpx
import pytest
from bson import Decimal128, ObjectId

from api.app import create_app
from documents.lifecycle import Store
from documents.settings import Settings
from tests.api.answers import all_collections, faults, items, refusal
from tests.conftest import serving

Client = httpx.AsyncClient
Json = dict[str, Any]

JSON_PATCH = {"Content-Type": "application/json-patch+json"}
UPDATE = {"Content-Type": "application/vnd.sheaf.update+json"}
SCHEMA: Json = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 10},
        "age": {"bsonType": "int", "minimum": 0},
        "at": {"bsonType": "date", "coerce": True},
        "lines": {"type": "array", "items": {"type": "object", "properties": {"sku": {"type": "string"}}}},
    },
    "required": ["name"],
}
ADA: Json = {"name": "Ada", "age": 36}


async def set_contract(client: Client, collection: str, schema: Json = SCHEMA, **members: Any) -> httpx.Response:
    response = await client.put(f"/v1/{collection}:contract", json={"schema": schema, **members})
    assert response.is_success, response.text
    return response


async def store_one(client: Client, collection: str, document: Json) -> str:
    response = await client.post(f"/v1/{collection}", json=document)
    assert response.status_code == 201, response.text
    return f"/v1/{collection}/{response.json()['_id']}"


@pytest.fixture
async def strict(client: Client, collection: str) -> str:
    await set_contract(client, collection)
    return collection


@pytest.fixture
async def discarding(client: Client, collection: str) -> str:
    await set_contract(client, collection, fields="discard-field", types="discard-field")
    return collection


@pytest.fixture
async def evolving(client: Client, collection: str) -> str:
    await set_contract(client, collection, fields="evolve", types="evolve", required="evolve", max_new_fields=3)
    return collection


@pytest.fixture
async def other(settings: Settings) -> AsyncGenerator[Client]:
    """Return a client of another process, as far as Sheaf is concerned."""
    async with serving(create_app(settings)) as opened:
        yield opened


class TestGet:
    async def test_anonymous(self, client: Client, strict: str) -> None:
        response = await client.get(f"/v1/{strict}:contract")
        body = response.json()
        assert (response.status_code, response.headers["etag"]) == (200, '"1"')
        assert body["contract"] == {
            "schema": SCHEMA,
            "fields": "freeze",
            "types": "freeze",
            "required": "freeze",
            "max_new_fields": 50,
            "mirror": False,
        }
        assert (body["version"], body["cause"], body["by"], body["discarded"]) == (1, "set", "full", {})

    async def test_none(self, client: Client, collection: str) -> None:
        refusal(await client.get(f"/v1/{collection}:contract"), 404, "contract-not-found")
        refusal(await client.get("/v1/products:contract"), 404, "contract-not-found")

    async def test_versions_stay(self, client: Client, strict: str) -> None:
        await set_contract(client, strict, {"properties": {"b": {}}})
        await client.delete(f"/v1/{strict}:contract")
        first = await client.get(f"/v1/{strict}:contract?version=1")
        assert first.json()["contract"]["schema"] == SCHEMA
        assert (await client.get(f"/v1/{strict}:contract?version=3")).json()["cause"] == "removed"
        refusal(await client.get(f"/v1/{strict}:contract?version=9"), 404, "contract-not-found")
        refusal(await client.get(f"/v1/{strict}:contract"), 404, "contract-not-found")

    @pytest.mark.parametrize("query", ["version=", "version=x", "version=-1", "version=1&version=2", "version=٣"])
    async def test_refuses_other_parameters(self, client: Client, strict: str, query: str) -> None:
        refusal(await client.get(f"/v1/{strict}:contract?{query}"), 400, "invalid-parameter")


class TestPut:
    async def test_anonymous(self, client: Client, collection: str) -> None:
        first = await set_contract(client, collection)
        second = await set_contract(client, collection, {}, fields="evolve")
        assert (first.status_code, first.headers["etag"]) == (201, '"1"')
        assert (second.status_code, second.headers["etag"]) == (200, '"2"')

    async def test_preconditions(self, client: Client, strict: str) -> None:
        body: Json = {"schema": {}}
        stale = await client.put(f"/v1/{strict}:contract", json=body, headers={"If-Match": '"7"'})
        assert refusal(stale, 412, "precondition-failed")
        assert stale.headers["etag"] == '"1"'
        there = await client.put(f"/v1/{strict}:contract", json=body, headers={"If-None-Match": "*"})
        refusal(there, 412, "precondition-failed")
        assert (await client.put(f"/v1/{strict}:contract", json=body, headers={"If-Match": '"1"'})).status_code == 200

    async def test_of_many_at_once_each_is_a_version(self, client: Client, collection: str) -> None:
        puts = [client.put(f"/v1/{collection}:contract", json={"schema": {"title": str(n)}}) for n in range(8)]
        answers = await asyncio.gather(*puts)
        assert sorted(int(answer.headers["etag"].strip('"')) for answer in answers) == [*range(1, 9)]
        assert sorted(answer.status_code for answer in answers) == [200] * 7 + [201]

    @pytest.mark.parametrize(
        ("contract", "expected"),
        [
            (5, ("", "wrong-type")),
            ({}, ("/schema", "missing")),
            ({"schema": {}, "fields": "open"}, ("/fields", "unknown-mode")),
            ({"schema": {}, "required": "discard-field"}, ("/required", "unknown-mode")),
            ({"schema": {}, "max_new_fields": 1.5}, ("/max_new_fields", "out-of-range")),
            ({"schema": {"properties": {"a": {"pattern": "(a+)+"}}}}, ("/schema/properties/a/pattern", "unsafe-regex")),
            ({"schema": {"$ref": "http://127.0.0.1/x"}}, ("/schema/$ref", "unknown-reference")),
            ({"schema": {"properties": {"a": {"type": "sting"}}}}, ("/schema/properties/a/type", "not-a-schema")),
            ({"schema": {"properties": {"a": {"format": "nope"}}}}, ("/schema/properties/a/format", "not-a-schema")),
            ({"schema": {"anyOf": [{"bsonType": "date"}]}}, ("/schema/anyOf/0/bsonType", "misplaced")),
            ({"schema": {"title": "x" * 70_000}}, ("/schema", "too-large")),
        ],
    )
    async def test_faults(self, client: Client, collection: str, contract: Any, expected: tuple[str, str]) -> None:
        response = await client.put(f"/v1/{collection}:contract", json=contract)
        refusal(response, 422, "invalid-contract")
        assert expected in faults(response)
        refusal(await client.get(f"/v1/{collection}:contract"), 404, "contract-not-found")

    async def test_bodies_that_are_none(self, client: Client, collection: str) -> None:
        url = f"/v1/{collection}:contract"
        refusal(await client.put(url, content=b"{"), 415, "unsupported-media-type")
        json = {"Content-Type": "application/json"}
        refusal(await client.put(url, content=b"{", headers=json), 400, "malformed-json")
        refusal(await client.put(url, content=b'{"schema": {}, "schema": {}}', headers=json), 422, "invalid-document")
        refusal(await client.put(url, content=b" " * 300_000, headers=json), 413, "body-too-large")

    async def test_a_declared_collection_has_its_model(self, client: Client) -> None:
        refusal(await client.put("/v1/products:contract", json={"schema": {}}), 409, "contract-conflict")
        refusal(await client.delete("/v1/products:contract"), 409, "contract-conflict")

    async def test_read_only(self, settings: Settings, collection: str) -> None:
        async with serving(create_app(settings.model_copy(update={"read_only": True}))) as reader:
            refusal(await reader.put(f"/v1/{collection}:contract", json={"schema": {}}), 403, "forbidden")
            refusal(await reader.delete(f"/v1/{collection}:contract"), 403, "forbidden")

    async def test_does_not_make_a_collection(self, client: Client, strict: str) -> None:
        listed = await all_collections(client)
        assert strict not in [item["name"] for item in listed]
        assert not [item for item in listed if "sheaf" in item["name"]]


class TestDelete:
    async def test_anonymous(self, client: Client, strict: str) -> None:
        assert (await client.delete(f"/v1/{strict}:contract")).status_code == 204
        refusal(await client.delete(f"/v1/{strict}:contract"), 404, "contract-not-found")
        assert await store_one(client, strict, {"anything": "goes"})

    async def test_if_match(self, client: Client, strict: str) -> None:
        stale = await client.delete(f"/v1/{strict}:contract", headers={"If-Match": '"2"'})
        refusal(stale, 412, "precondition-failed")


class TestEveryWrite:
    """Each way to write is refused what the contract refuses, and leaves what was there."""

    @pytest.mark.parametrize(
        ("document", "expected"),
        [
            ({**ADA, "colour": "red"}, ("/colour", "unknown-field")),
            ({**ADA, "age": "36"}, ("/age", "wrong-type")),
            ({**ADA, "age": 1.5}, ("/age", "wrong-type")),
            ({**ADA, "age": -1}, ("/age", "rule-failed")),
            ({**ADA, "at": "yesterday"}, ("/at", "not-coercible")),
            ({"age": 1}, ("/name", "missing-field")),
            ({**ADA, "lines": [{"sku": "A"}, {"sku": 5}]}, ("/lines/1/sku", "wrong-type")),
        ],
    )
    async def test_insert(self, client: Client, strict: str, document: Json, expected: tuple[str, str]) -> None:
        response = await client.post(f"/v1/{strict}", json=document)
        refusal(response, 422, "invalid-document")
        assert faults(response) == {expected}
        refusal(await client.get(f"/v1/{strict}"), 404, "collection-not-found")

    async def test_insert_many(self, client: Client, strict: str) -> None:
        response = await client.post(f"/v1/{strict}", json=[ADA, {**ADA, "x": 1}, ADA])
        assert [item["status"] for item in items(response)] == [201, 422, 201]

    async def test_put(self, client: Client, strict: str) -> None:
        url = f"/v1/{strict}/{ObjectId()}"
        refusal(await client.put(url, json={**ADA, "x": 1}), 422, "invalid-document")
        assert (await client.put(url, json=ADA)).status_code == 201
        etag = (await client.get(url)).headers["etag"]
        conditional = await client.put(url, json={"age": 1}, headers={"If-Match": etag})
        assert faults(conditional) == {("/name", "missing-field")}
        assert (await client.get(url)).headers["etag"] == etag

    @pytest.mark.parametrize(
        ("change", "headers"),
        [
            ({"x": 1}, {}),
            ({"name": None}, {}),
            ({"age": "x"}, {}),
            ([{"op": "add", "path": "/x", "value": 1}], JSON_PATCH),
            ([{"op": "remove", "path": "/name"}], JSON_PATCH),
            ({"$set": {"x": 1}}, UPDATE),
            ({"$set": {"lines.0.colour": 1}}, UPDATE),
            ({"$inc": {"age": -100}}, UPDATE),
            ({"$inc": {"age": 2**40}}, UPDATE),
            ({"$unset": {"name": ""}}, UPDATE),
            ({"$rename": {"name": "title"}}, UPDATE),
            ({"$push": {"lines": {"sku": 5}}}, UPDATE),
        ],
    )
    async def test_patch(self, client: Client, strict: str, change: Any, headers: Json) -> None:
        url = await store_one(client, strict, {**ADA, "lines": [{"sku": "A"}]})
        etag = (await client.get(url)).headers["etag"]
        refusal(await client.patch(url, json=change, headers=headers), 422, "invalid-document")
        refusal(await client.patch(url, json=change, headers={**headers, "If-Match": etag}), 422, "invalid-document")
        many = await client.patch(f"/v1/{strict}?age=36", json=change, headers=headers)
        refusal(many, 422, "invalid-document")
        assert (await client.get(url)).headers["etag"] == etag

    async def test_patches_that_fit(self, client: Client, strict: str) -> None:
        url = await store_one(client, strict, ADA)
        assert (await client.patch(url, json={"age": 1})).json()["age"] == 1
        assert (await client.patch(url, json={"$inc": {"age": 1}}, headers=UPDATE)).json()["age"] == 2
        many = await client.patch(f"/v1/{strict}?age=2", json={"$inc": {"age": 1}}, headers=UPDATE)
        assert many.json() == {"matched": 1, "modified": 1}

    async def test_bulk(self, client: Client, strict: str) -> None:
        url = await store_one(client, strict, {"_id": str(ObjectId()), **ADA})
        known = url.rsplit("/", 1)[1]
        bad: list[Json] = [
            {"op": "insert", "document": {**ADA, "x": 1}},
            {"op": "replace", "id": known, "document": {**ADA, "x": 1}},
            {"op": "patch", "id": known, "merge": {"x": 1}},
            {"op": "patch", "id": known, "json_patch": [{"op": "add", "path": "/x", "value": 1}]},
            {"op": "patch", "id": known, "update": {"$set": {"x": 1}}},
            {"op": "upsert", "document": {"_id": known, **ADA, "x": 1}},
            {"op": "upsert", "document": {"_id": str(ObjectId()), **ADA, "x": 1}},
            {"op": "merge", "document": {"_id": known, "x": 1}},
        ]
        for mode in ("unordered", "ordered"):
            answer = await client.post(f"/v1/{strict}:bulk?mode={mode}", json=bad)
            first = items(answer)[0]
            assert first["problem"]["faults"][0]["pointer"] == "/x"
        assert [item["status"] for item in items(await client.post(f"/v1/{strict}:bulk", json=bad))] == [422] * len(bad)
        for operation in bad:
            atomic = await client.post(f"/v1/{strict}:bulk?mode=atomic", json=[operation])
            assert refusal(atomic, 422, "operation-failed")["cause"]["code"] == "invalid-document"
            inside = {**operation, "collection": strict}
            transaction = await client.post("/v1:transaction", json={"operations": [inside]})
            refusal(transaction, 422, "operation-failed")
        assert (await client.get(url)).json() == {"_id": known, **ADA}
        assert len(items(await client.get(f"/v1/{strict}"))) == 1

    async def test_another_process_hears_of_it(
        self, client: Client, other: Client, collection: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await store_one(other, collection, {"x": 1})
        await set_contract(client, collection)
        monkeypatch.setattr("documents.contracts.store.FRESH_SECONDS", 0.0)  # as if a second had gone by
        response = await other.post(f"/v1/{collection}", json={"x": 1})
        assert faults(response) == {("/x", "unknown-field"), ("/name", "missing-field")}

    async def test_quarantine_refuses_a_request(self, client: Client, collection: str) -> None:
        modes = dict.fromkeys(("fields", "types", "required"), "quarantine")
        await set_contract(client, collection, **modes)
        response = await client.post(f"/v1/{collection}", json={"x": 1, "age": "x"})
        refusal(response, 422, "invalid-document")
        assert faults(response) == {("/x", "unknown-field"), ("/age", "wrong-type"), ("/name", "missing-field")}

    async def test_faults_show_no_stored_value(self, client: Client, strict: str) -> None:
        url = await store_one(client, strict, {"name": "Ada", "age": 123_456_789})
        response = await client.patch(url, json={"$mul": {"age": -1}}, headers=UPDATE)
        refusal(response, 422, "invalid-document")
        assert "123456789" not in response.text

    async def test_what_cannot_be_stored_fixes_nothing(self, client: Client, strict: str) -> None:
        refusal(await client.put(f"/v1/{strict}/a", json={"_id": "a", **ADA, "x": 1}), 422, "invalid-document")
        assert (await client.post(f"/v1/{strict}", json={**ADA, "_id": 7})).json()["_id"] == 7


class TestCoercion:
    async def test_of_the_key_of_an_upsert(self, client: Client, store: Store, strict: str) -> None:
        await store.connection.collection(strict).create_index([("at", 1)], unique=True)
        upsert: Json = {"op": "upsert", "document": {**ADA, "at": "2026-01-31T13:00:00+01:00"}}
        answers = [await client.post(f"/v1/{strict}:bulk?on=at", json=[upsert]) for _ in range(2)]
        assert [items(answer)[0]["outcome"] for answer in answers] == ["created", "unchanged"]

    async def test_dates(self, client: Client, store: Store, strict: str) -> None:
        moment = "2026-01-31T13:00:00.1239+01:00"
        url = await store_one(client, strict, {**ADA, "at": moment})
        assert (await client.get(url)).json()["at"] == "2026-01-31T12:00:00.123Z"
        for query in ("at=2026-01-31T12:00:00.123Z", "at[gt]=2026-01-01T00:00:00Z"):
            assert len(items(await client.get(f"/v1/{strict}?{query}"))) == 1
        changed = await client.patch(url, json={"$set": {"at": "2027-01-01T00:00:00Z"}}, headers=UPDATE)
        assert changed.json()["at"] == "2027-01-01T00:00:00.000Z"
        stored = await store.connection.collection(strict).find_one({"at": {"$type": "date"}})
        assert stored is not None

    async def test_only_where_the_contract_says_so(self, client: Client, store: Store, collection: str) -> None:
        schema = {"properties": {"a": {"bsonType": "decimal", "coerce": True, "minimum": 1}, "b": {}}}
        await set_contract(client, collection, schema)
        url = await store_one(client, collection, {"a": "19.90", "b": "19.90"})
        stored = await store.connection.collection(collection).find_one({})
        assert stored is not None
        assert (stored["a"], stored["b"]) == (Decimal128("19.90"), "19.90")
        assert faults(await client.patch(url, json={"a": "0.5"})) == {("/a", "rule-failed")}


class TestDiscard:
    async def test_is_reported_and_counted(self, client: Client, discarding: str) -> None:
        response = await client.post(f"/v1/{discarding}", json={**ADA, "x/y": 1, "ü": 2, "age": "x"})
        assert response.status_code == 201
        assert response.headers["sheaf-discarded"] == "/age, /x~1y, /%C3%BC"
        assert response.json() == {"_id": response.json()["_id"], "name": "Ada"}
        url = response.headers["location"]
        for change, headers in (({"x": 1}, {}), ([{"op": "add", "path": "/x", "value": 1}], JSON_PATCH),
                                ({"$set": {"x": 1}}, UPDATE)):  # fmt: skip
            patched = await client.patch(url, json=change, headers=headers)
            assert (patched.status_code, patched.headers["sheaf-discarded"]) == (200, "/x")
        replaced = await client.put(url, json={**ADA, "x": 1})
        assert replaced.headers["sheaf-discarded"] == "/x"
        many = await client.patch(f"/v1/{discarding}?name=Ada", json={"x": 1, "age": 3})
        assert (many.json(), many.headers["sheaf-discarded"]) == ({"matched": 1, "modified": 1}, "/x")
        counts = (await client.get(f"/v1/{discarding}:contract")).json()["discarded"]
        assert counts == {"/x": 5, "/age": 1, "/x~1y": 1, "/ü": 1}

    async def test_in_bulk_and_in_transactions(self, client: Client, discarding: str) -> None:
        insert: Json = {"op": "insert", "document": {**ADA, "lines": [{"sku": "A", "n": 1}, {"sku": "B", "n": 2}]}}
        wanted = ["/lines/0/n", "/lines/1/n"]
        assert items(await client.post(f"/v1/{discarding}:bulk", json=[insert]))[0]["discarded"] == wanted
        atomic = await client.post(f"/v1/{discarding}:bulk?mode=atomic", json=[insert])
        assert items(atomic)[0]["discarded"] == wanted
        inside = {"operations": [{**insert, "collection": discarding}]}
        assert items(await client.post("/v1:transaction", json=inside))[0]["discarded"] == wanted
        assert items(await client.post(f"/v1/{discarding}", json=[insert["document"]]))[0]["discarded"] == wanted
        counts = (await client.get(f"/v1/{discarding}:contract")).json()["discarded"]
        assert counts == {"/lines/*/n": 8}

    async def test_the_header_is_bounded(self, client: Client, discarding: str) -> None:
        many = {f"field-{number}": 1 for number in range(1000)}
        response = await client.post(f"/v1/{discarding}", json={**ADA, **many})
        header = response.headers["sheaf-discarded"]
        named, rest = header.split(", ")[:-1], header.split(", ")[-1]
        assert len(header) < 2100
        assert rest == f"+{1000 - len(named)}"

    async def test_what_was_there_before_stays(self, client: Client, collection: str) -> None:
        url = await store_one(client, collection, {"name": "Ada", "legacy": {"a": 1}, "age": "old"})
        await set_contract(client, collection, fields="discard-field", types="discard-field")
        patched = await client.patch(url, json={"name": "Bea"})
        assert "sheaf-discarded" not in patched.headers
        assert patched.json() == {"_id": url.rsplit("/", 1)[1], "name": "Bea", "legacy": {"a": 1}, "age": "old"}
        new = await client.put(url, json={"name": "Bea", "legacy": 1})
        assert new.headers["sheaf-discarded"] == "/legacy"


class TestEvolve:
    async def test_learns(self, client: Client, evolving: str) -> None:
        await store_one(client, evolving, {"name": "Ada", "tags": ["a"], "n": 5, "nothing": None})
        await store_one(client, evolving, {"age": "old"})
        found = (await client.get(f"/v1/{evolving}:contract")).json()
        schema = found["contract"]["schema"]
        assert schema["properties"]["tags"] == {"bsonType": "array"}
        assert schema["properties"]["n"] == {"bsonType": "long"}
        assert schema["properties"]["age"] == {"bsonType": ["int", "string"], "minimum": 0}
        assert "nothing" not in schema["properties"]
        assert schema["required"] == []
        assert (found["cause"], found["by"], found["learned_fields"]) == ("learned", "learning", 2)

    async def test_only_up_to_its_budget(self, client: Client, evolving: str) -> None:
        full = await client.post(f"/v1/{evolving}", json={"a": 1, "b": 1, "c": 1, "d": 1})
        assert faults(full) == {("/d", "unknown-field")}
        await store_one(client, evolving, {"a": 1, "b": 1, "c": 1})
        refusal(await client.post(f"/v1/{evolving}", json={"e": 1}), 422, "invalid-document")
        await set_contract(client, evolving, {}, fields="evolve", max_new_fields=1)
        await store_one(client, evolving, {"e": 1})

    @pytest.mark.parametrize("operation", ["merge", "json_patch", "update"])
    async def test_from_patches(self, client: Client, evolving: str, operation: str) -> None:
        url = await store_one(client, evolving, ADA)
        change: Any = {
            "merge": {"x": 1},
            "json_patch": [{"op": "add", "path": "/x", "value": 1}],
            "update": {"$set": {"x": 1}},
        }[operation]
        headers: Json = {"json_patch": JSON_PATCH, "update": UPDATE}.get(operation, {})
        assert (await client.patch(url, json=change, headers=headers)).json()["x"] == 1
        many = await client.patch(f"/v1/{evolving}?name=Ada", json={"y": "a"})
        assert many.json() == {"matched": 1, "modified": 1}
        properties = (await client.get(f"/v1/{evolving}:contract")).json()["contract"]["schema"]["properties"]
        assert (properties["x"], properties["y"]) == ({"bsonType": "long"}, {"bsonType": "string"})

    async def test_many_at_once_lose_nothing(self, client: Client, other: Client, collection: str) -> None:
        await set_contract(client, collection, {}, fields="evolve", max_new_fields=40)
        writes = [
            each.post(f"/v1/{collection}", json={f"{letter}{number}": 1})
            for number in range(20)
            for each, letter in ((client, "a"), (other, "b"))
        ]
        answers = await asyncio.gather(*writes)
        assert {answer.status_code for answer in answers} == {201}
        found = (await client.get(f"/v1/{collection}:contract")).json()
        assert len(found["contract"]["schema"]["properties"]) == 40
        assert found["learned_fields"] == 40

    async def test_in_a_transaction(self, client: Client, evolving: str) -> None:
        insert = {"op": "insert", "collection": evolving, "document": {"x": 1}}
        patch = {"op": "insert", "collection": evolving, "document": {"x": 2, "y": 1}}
        answer = await client.post("/v1:transaction", json={"operations": [insert, patch]})
        assert [item["status"] for item in items(answer)] == [201, 201]


class TestMirror:
    async def test_mongodb_refuses_too(self, client: Client, store: Store, collection: str) -> None:
        await set_contract(client, collection, mirror=True)
        await store_one(client, collection, {**ADA, "at": "2026-01-31T13:00:00Z", "lines": [{"sku": "A"}]})
        [info] = [each async for each in await store.connection.database.list_collections(filter={"name": collection})]
        mirrored = info["options"]["validator"]["$jsonSchema"]
        assert mirrored["required"] == ["name"]
        assert mirrored["additionalProperties"] is False
        await client.delete(f"/v1/{collection}:contract")
        [info] = [each async for each in await store.connection.database.list_collections(filter={"name": collection})]
        assert not info["options"].get("validator")

    async def test_a_foreign_validator_stays(self, client: Client, store: Store, collection: str) -> None:
        await store.connection.database.create_collection(collection, validator={"a": 1})
        contract: Json = {"schema": {}, "mirror": True}
        refusal(await client.put(f"/v1/{collection}:contract", json=contract), 409, "contract-conflict")
        refusal(await client.get(f"/v1/{collection}:contract"), 404, "contract-not-found")

    async def test_evolving_is_not_in_its_way(self, client: Client, collection: str) -> None:
        modes = dict.fromkeys(("fields", "types", "required"), "evolve")
        await set_contract(client, collection, mirror=True, **modes)
        await store_one(client, collection, {"new": 1, "age": "x"})
        transaction = {"operations": [{"op": "insert", "collection": collection, "document": {"newer": 1}}]}
        assert (await client.post("/v1:transaction", json=transaction)).status_code == 201
