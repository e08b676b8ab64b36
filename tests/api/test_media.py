"""Plain and Extended JSON, in and out, and what a body and an answer may be."""

import json
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import pytest_asyncio
from bson import Binary, Code, DBRef, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp

from documents.codec.etag import representation_tag
from documents.lifecycle import Store
from tests.api.answers import items, refusal, stored

Client = httpx.AsyncClient
EJSON = {"Content-Type": "application/ejson", "Accept": "application/ejson"}
HEX = "6751f0c0a1b2c3d4e5f60718"

# What is stored, as plain JSON, and as canonical Extended JSON.
TYPES: dict[str, tuple[Any, Any, Any]] = {
    "objectid": (ObjectId(HEX), HEX, {"$oid": HEX}),
    "string": ("a", "a", "a"),
    "int32": (5, 5, {"$numberInt": "5"}),
    "int64": (Int64(5), 5, {"$numberLong": "5"}),
    "double": (1.5, 1.5, {"$numberDouble": "1.5"}),
    "whole": (2.0, 2.0, {"$numberDouble": "2.0"}),
    "nan": (float("nan"), {"$numberDouble": "NaN"}, {"$numberDouble": "NaN"}),
    "inf": (float("-inf"), {"$numberDouble": "-Infinity"}, {"$numberDouble": "-Infinity"}),
    "decimal": (Decimal128("1.10"), "1.10", {"$numberDecimal": "1.10"}),
    "date": (datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02T00:00:00.000Z", {"$date": {"$numberLong": "1767312000000"}}),
    "binary": (b"\0\xff", "AP8=", {"$binary": {"base64": "AP8=", "subType": "00"}}),
    "custom": (Binary(b"a", 128), "YQ==", {"$binary": {"base64": "YQ==", "subType": "80"}}),
    "uuid": (
        Binary(b"\x01" * 16, 4),
        "01010101-0101-0101-0101-010101010101",
        {"$binary": {"base64": "AQEBAQEBAQEBAQEBAQEBAQ==", "subType": "04"}},
    ),
    "bool": (True, True, True),
    "null": (None, None, None),
    "regex": (
        Regex("^a", "i"),
        {"$regularExpression": {"pattern": "^a", "options": "i"}},
        {"$regularExpression": {"pattern": "^a", "options": "i"}},
    ),
    "code": (Code("f()"), {"$code": "f()"}, {"$code": "f()"}),
    "timestamp": (Timestamp(5, 6), {"$timestamp": {"t": 5, "i": 6}}, {"$timestamp": {"t": 5, "i": 6}}),
    "minkey": (MinKey(), {"$minKey": 1}, {"$minKey": 1}),
    "maxkey": (MaxKey(), {"$maxKey": 1}, {"$maxKey": 1}),
    "dbref": (DBRef("c", ObjectId(HEX)), {"$ref": "c", "$id": HEX}, {"$ref": "c", "$id": {"$oid": HEX}}),
    "array": ([Int64(1), [2]], [1, [2]], [{"$numberLong": "1"}, [{"$numberInt": "2"}]]),
    "object": ({"b": {"c": 1.0}}, {"b": {"c": 1.0}}, {"b": {"c": {"$numberDouble": "1.0"}}}),
}


class TestTypes:
    @pytest.mark.parametrize("name", TYPES)
    async def test_every_type_both_ways(self, client: Client, store: Store, collection: str, name: str) -> None:
        value, plain, extended = TYPES[name]
        await store.connection.collection(collection).insert_one({"_id": "a", "v": value})
        url = f"/v1/{collection}/a"
        read = await client.get(url)
        assert read.json() == {"_id": "a", "v": plain}
        wrapped = await client.get(url, headers={"Accept": "application/ejson"})
        assert wrapped.headers["content-type"] == "application/ejson"
        assert wrapped.json() == {"_id": "a", "v": extended}
        assert wrapped.headers["etag"] == representation_tag(read.headers["etag"], "ejson")
        # Sent back, it is the same to the last byte.
        again = await client.put(f"/v1/{collection}/a", content=wrapped.content, headers=EJSON)
        assert again.headers["etag"] == wrapped.headers["etag"]
        listed = await client.get(f"/v1/{collection}", headers={"Accept": "application/ejson"})
        assert items(listed) == [wrapped.json()]

    async def test_plain_json_is_never_guessed(self, client: Client, store: Store, collection: str) -> None:
        sent = {
            "_id": "a",
            "date": "2026-01-02T00:00:00Z",
            "hex": HEX,
            "decimal": "1.10",
            "number": "5",
            "true": "true",
        }
        await stored(client, collection, sent)
        assert await store.connection.collection(collection).find_one() == sent

    async def test_wrappers_are_nothing_in_plain_json(self, client: Client, collection: str) -> None:
        refusal(await client.post(f"/v1/{collection}", json={"d": {"$numberDecimal": "1"}}), 422, "invalid-document")

    @pytest.mark.parametrize(
        "value",
        ['{"$oid":"x"}', '{"$numberInt":"x"}', '{"$numberLong":"9223372036854775808"}', '{"$date":"soon"}',
         '{"$binary":"x"}', f'{{"$oid":"{HEX}","x":1}}', '{"$unknown":1}', '{"a.b":1}'],
    )  # fmt: skip
    async def test_refuses_bad_wrappers(self, client: Client, collection: str, value: str) -> None:
        response = await client.post(f"/v1/{collection}", content=f'{{"a":{value}}}', headers=EJSON)
        refusal(response, 422, "invalid-document")

    async def test_filters_and_patches_speak_it(self, client: Client, store: Store, collection: str) -> None:
        await store.connection.collection(collection).insert_one({"_id": "a", "d": Decimal128("1.5")})
        filter_ = json.dumps({"d": {"$numberDecimal": "1.5"}})
        assert len(items(await client.get(f"/v1/{collection}", params={"filter": filter_}))) == 1
        patch = await client.patch(f"/v1/{collection}/a", content='{"d":{"$numberDecimal":"2"}}', headers=EJSON)
        assert patch.json() == {"_id": "a", "d": {"$numberDecimal": "2"}}
        update = {"Content-Type": "application/vnd.sheaf.update+json"}
        body = json.dumps({"$set": {"d": {"$oid": HEX}}})
        assert (await client.patch(f"/v1/{collection}/a", content=body, headers=update)).json()["d"] == HEX
        bulk = [{"op": "insert", "document": {"_id": "b", "d": {"$numberLong": "7"}}}]
        assert (await client.post(f"/v1/{collection}:bulk", json=bulk)).status_code == 201

    async def test_writes_answer_in_the_form_asked_for(self, client: Client, collection: str) -> None:
        created = await client.post(f"/v1/{collection}", json={"n": 1}, headers={"Accept": "application/ejson"})
        assert created.json()["n"] == {"$numberInt": "1"}
        assert "$oid" in created.json()["_id"]
        outcome = await client.post(f"/v1/{collection}", json=[{}], headers={"Accept": "application/ejson"})
        assert "$oid" in items(outcome)[0]["_id"]


@pytest_asyncio.fixture
async def document(client: Client, collection: str) -> str:
    await stored(client, collection, {"_id": "a", "n": 1})
    return f"/v1/{collection}/a"


class TestAccept:
    async def test_anonymous(self, client: Client, document: str) -> None:
        assert (await client.get(document)).headers["content-type"] == "application/json"

    @pytest.mark.parametrize(
        ("accept", "expected"),
        [
            ("*/*", "application/json"),
            ("application/*", "application/json"),
            ("", "application/json"),
            ("application/ejson", "application/ejson"),
            ("application/ejson, application/json;q=0.5", "application/ejson"),
            ("application/ejson;q=0.4, application/json;q=0.5", "application/json"),
            ("text/html, */*;q=0.1", "application/json"),
            ("APPLICATION/EJSON", "application/ejson"),
            ("text/html,application/ejson;q=0.9,*/*;q=0.8", "application/ejson"),
            ("application/json;q=0, application/ejson;q=0.1", "application/ejson"),
        ],
    )
    async def test_negotiates(self, client: Client, document: str, accept: str, expected: str) -> None:
        assert (await client.get(document, headers={"Accept": accept})).headers["content-type"] == expected

    @pytest.mark.parametrize("accept", ["text/html", "application/xml", "application/json;q=0", "x"])
    async def test_refuses(self, client: Client, document: str, accept: str) -> None:
        refusal(await client.get(document, headers={"Accept": accept}), 406, "not-acceptable")

    async def test_a_write_that_cannot_be_answered_is_not_done(self, client: Client, document: str) -> None:
        collection = document.removesuffix("/a")
        headers = {"Accept": "text/html"}
        refusal(await client.post(collection, json={"_id": "b"}, headers=headers), 406, "not-acceptable")
        refusal(await client.put(f"{collection}/b", json={}, headers=headers), 406, "not-acceptable")
        refusal(await client.patch(document, json={"n": 2}, headers=headers), 406, "not-acceptable")
        bulk = [{"op": "insert", "document": {"_id": "b"}}]
        refusal(await client.post(f"{collection}:bulk", json=bulk, headers=headers), 406, "not-acceptable")
        assert items(await client.get(collection)) == [{"_id": "a", "n": 1}]


class TestContentType:
    @pytest.mark.parametrize(
        "kind", ["application/json", "application/json; charset=utf-8", 'Application/JSON;charset="UTF-8"']
    )
    async def test_anonymous(self, client: Client, collection: str, kind: str) -> None:
        response = await client.post(f"/v1/{collection}", content="{}", headers={"Content-Type": kind})
        assert response.status_code == 201

    @pytest.mark.parametrize("kind", ["text/plain", "application/xml", "", "application/json; charset=latin-1", "json"])
    @pytest.mark.parametrize(
        ("method", "path"), [("POST", ""), ("PUT", "/a"), ("PATCH", "/a"), ("POST", ":query"), ("POST", ":bulk")]
    )
    async def test_refuses(self, client: Client, collection: str, kind: str, method: str, path: str) -> None:
        headers = {"Content-Type": kind}
        response = await client.request(method, f"/v1/{collection}{path}", content="{}", headers=headers)
        refusal(response, 415, "unsupported-media-type")
        assert "application/json" in response.headers["accept"]

    async def test_refuses_compressed_bodies(self, client: Client, collection: str) -> None:
        headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
        refusal(await client.post(f"/v1/{collection}", content=b"x", headers=headers), 415, "unsupported-media-type")

    async def test_refuses_a_large_body(self, client: Client, collection: str) -> None:
        body = b'{"a":"' + b"x" * (16 * 1024 * 1024) + b'"}'
        headers = {"Content-Type": "application/json"}
        refusal(await client.post(f"/v1/{collection}", content=body, headers=headers), 413, "body-too-large")


class TestPrefer:
    async def test_anonymous(self, client: Client, collection: str) -> None:
        headers = {"Prefer": "return=minimal"}
        created = await client.post(f"/v1/{collection}", json={"_id": "a", "n": 1}, headers=headers)
        assert (created.status_code, created.json()) == (201, {"_id": "a"})
        assert created.headers["preference-applied"] == "return=minimal"
        assert created.headers["location"] == f"/v1/{collection}/a"
        assert created.headers["etag"] == (await client.get(created.headers["location"])).headers["etag"]

    @pytest.mark.parametrize(("method", "body"), [("PUT", {"n": 2}), ("PATCH", {"n": 2})])
    async def test_minimal(self, client: Client, document: str, method: str, body: dict[str, Any]) -> None:
        response = await client.request(method, document, json=body, headers={"Prefer": "return=minimal, wait=5"})
        assert (response.status_code, response.json()) == (200, {"_id": "a"})
        assert response.headers["etag"] == (await client.get(document)).headers["etag"]

    async def test_representation(self, client: Client, document: str) -> None:
        response = await client.patch(document, json={"n": 2}, headers={"Prefer": "return=representation"})
        assert response.json() == {"_id": "a", "n": 2}
