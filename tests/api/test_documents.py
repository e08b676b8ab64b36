"""One document at a time, in a flexible collection."""

from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.api.answers import all_collections, faults, refusal, stored

Client = httpx.AsyncClient

WHOLE: dict[str, Any] = {
    "_id": "a",
    "text": "ünï — 💡",
    "zero": 0,
    "big": 2**63 - 1,
    "small": -(2**63),
    "float": 0.1,
    "whole_float": 2.0,
    "yes": True,
    "nothing": None,
    "list": [1, "1", [], {}, None],
    "nested": {"a": {"b": {"c": []}}},
}

REFUSED: list[tuple[str, int, str]] = [
    ("", 400, "malformed-json"),
    ("{", 400, "malformed-json"),
    ('{"a": NaN}', 400, "malformed-json"),
    ('{"a": -Infinity}', 400, "malformed-json"),
    ('{"a": 1e999}', 400, "malformed-json"),
    ('{"a": "\\ud800"}', 400, "malformed-json"),
    ("null", 422, "invalid-document"),
    ("7", 422, "invalid-document"),
    ('{"a": 1, "a": 2}', 422, "invalid-document"),
    ('{"a": 9223372036854775808}', 422, "invalid-document"),
    ('{"a": -9223372036854775809}', 422, "invalid-document"),
    ('{"$set": {"a": 1}}', 422, "invalid-document"),
    ('{"a": {"b.c": 1}}', 422, "invalid-document"),
    ('{"a": [{"": 1}]}', 422, "invalid-document"),
    ('{"a\\u0000": 1}', 422, "invalid-document"),
    ('{"a":' * 101 + "1" + "}" * 101, 422, "invalid-document"),
    ('{"_id": [1]}', 422, "invalid-id"),
    ('{"_id": null}', 422, "invalid-id"),
    ('{"_id": true}', 422, "invalid-id"),
    ('{"_id": "%s"}' % ("x" * 1025), 422, "invalid-id"),
]


def url(collection: str, document_id: object) -> str:
    return f"/v1/{collection}/{quote(str(document_id), safe='')}"


class TestListCollections:
    async def test_anonymous(self, client: Client) -> None:
        assert {item["name"] for item in await all_collections(client)} >= {"products", "customers", "orders", "carts"}

    async def test_tells_what_they_are(self, client: Client, collection: str) -> None:
        await stored(client, collection, {"_id": 1}, {"_id": 2})
        found = {item["name"]: item for item in await all_collections(client)}
        assert found[collection] == {"name": collection, "declared": False, "id_type": "int", "estimated_count": 2}
        assert found["products"]["declared"] is True
        assert found["products"]["id_type"] == "objectid"

    async def test_hides_what_is_ours(self, client: Client, collection: str) -> None:
        await stored(client, collection, {})
        assert not [item for item in await all_collections(client) if "." in item["name"] or "_sheaf" in item["name"]]

    async def test_pages(self, client: Client, collection: str) -> None:
        names = [f"z{collection}{number:02}" for number in range(25)]
        for name in reversed(names):
            await stored(client, name, {})
        seen: list[str] = []
        page: dict[str, Any] = {"next": f"z{collection}"}
        while page["next"]:
            page = (await client.get("/v1", params={"limit": 10, "cursor": page["next"]})).json()
            assert len(page["items"]) <= 10
            seen += [item["name"] for item in page["items"]]
        assert seen[: len(names)] == names
        assert len(set(seen)) == len(seen)

    @pytest.mark.parametrize(
        ("query", "code"),
        [
            ("limit=0", "invalid-parameter"),
            ("limit=1001", "invalid-parameter"),
            ("limit=x", "invalid-parameter"),
            ("limit=1&limit=2", "invalid-parameter"),
            ("cursor=a.b", "invalid-cursor"),
            ("sort=name", "unknown-parameter"),
        ],
    )
    async def test_refuses(self, client: Client, query: str, code: str) -> None:
        refusal(await client.get(f"/v1?{query}"), 400, code)

    @pytest.mark.parametrize("name", ["_sheaf.secrets", "system.users", "1st", "a.b", "a$b", "a" * 101, "a b", "ä"])
    @pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
    async def test_names_out_of_reach(self, client: Client, method: str, name: str) -> None:
        refusal(await client.request(method, f"/v1/{quote(name)}?filter={{}}", json={}), 404, "not-found")


class TestInsertDocument:
    async def test_anonymous(self, client: Client, collection: str) -> None:
        response = await client.post(f"/v1/{collection}", json={"a": 1})
        assert response.status_code == 201
        assert response.json() == {"_id": response.json()["_id"], "a": 1}
        assert response.headers["location"] == url(collection, response.json()["_id"])
        again = await client.get(response.headers["location"])
        assert (again.json(), again.headers["etag"]) == (response.json(), response.headers["etag"])

    async def test_comes_back_as_it_went_in(self, client: Client, collection: str) -> None:
        response = await client.post(f"/v1/{collection}", json=WHOLE)
        read = (await client.get(url(collection, "a"))).json()
        assert response.json() == read == WHOLE
        assert list(read) == list(WHOLE)
        assert {name: type(value) for name, value in read.items()} == {k: type(v) for k, v in WHOLE.items()}

    async def test_puts_the_id_first(self, client: Client, collection: str) -> None:
        response = await client.post(f"/v1/{collection}", json={"b": 1, "_id": "x", "a": 2})
        assert list(response.json()) == ["_id", "b", "a"]

    @pytest.mark.parametrize(("body", "status", "code"), REFUSED)
    async def test_refuses(self, client: Client, collection: str, body: str, status: int, code: str) -> None:
        json = {"Content-Type": "application/json"}
        refusal(await client.post(f"/v1/{collection}", content=body, headers=json), status, code)
        # Nothing was stored, and nothing fixed: the first document that is good decides.
        refusal(await client.get(f"/v1/{collection}"), 404, "collection-not-found")
        assert (await client.post(f"/v1/{collection}", json={})).status_code == 201

    async def test_points_at_what_is_wrong(self, client: Client, collection: str) -> None:
        response = await client.post(f"/v1/{collection}", json={"a": [0, {"b/c": {"$d": 1}}], "e.f": 2})
        assert faults(response) == {("/a/1/b~1c/$d", "key-refused"), ("/e.f", "key-refused")}

    async def test_refuses_a_second_one(self, client: Client, collection: str) -> None:
        await stored(client, collection, {"_id": "a", "secret": 1})
        response = await client.post(f"/v1/{collection}", json={"_id": "a"})
        assert refusal(response, 409, "unique-violation")["fields"] == ["_id"]
        assert (await client.get(url(collection, "a"))).json() == {"_id": "a", "secret": 1}

    async def test_refuses_what_is_too_large(self, client: Client, collection: str) -> None:
        # A digit and a comma are two bytes of JSON, and twelve or so of BSON.
        body = b'{"a":[' + b"1," * 150_000 + b'"' + b"x" * 15_900_000 + b'"]}'
        json = {"Content-Type": "application/json"}
        refusal(await client.post(f"/v1/{collection}", content=body, headers=json), 413, "document-too-large")


class TestGetDocument:
    async def test_anonymous(self, client: Client, collection: str) -> None:
        [document_id] = await stored(client, collection, {"a": 1})
        response = await client.get(url(collection, document_id))
        assert response.status_code == 200
        assert response.json() == {"_id": document_id, "a": 1}
        assert response.headers["content-type"] == "application/json"
        assert response.headers["vary"] == "Accept"
        assert response.headers["etag"].startswith('"')

    async def test_head(self, client: Client, collection: str) -> None:
        [document_id] = await stored(client, collection, {"a": 1})
        got, head = await client.get(url(collection, document_id)), await client.head(url(collection, document_id))
        for answer in (got, head):
            del answer.headers["x-request-id"]  # each has its own
        assert (head.status_code, head.headers) == (got.status_code, got.headers)

    @pytest.mark.parametrize(
        "bad", ["x", "0", "6751f0c0a1b2c3d4e5f60718", "null", "%00", "{", '{"$oid":"x"}', "a/b", ""]
    )
    async def test_unknown(self, client: Client, collection: str, bad: str) -> None:
        await stored(client, collection, {"a": 1})
        refusal(await client.get(url(collection, bad)), 404, "document-not-found")

    async def test_no_collection(self, client: Client, collection: str) -> None:
        refusal(await client.get(url(collection, "a")), 404, "collection-not-found")


class TestPutDocument:
    async def test_anonymous(self, client: Client, collection: str) -> None:
        response = await client.put(url(collection, "a"), json={"x": 1})
        assert (response.status_code, response.json()) == (201, {"_id": "a", "x": 1})
        assert response.headers["location"] == url(collection, "a")

    async def test_replaces(self, client: Client, collection: str) -> None:
        await stored(client, collection, {"_id": "a", "old": 1})
        response = await client.put(url(collection, "a"), json={"new": 1})
        assert (response.status_code, response.json()) == (200, {"_id": "a", "new": 1})
        assert response.headers["content-location"] == url(collection, "a")
        again = await client.get(url(collection, "a"))
        assert (again.json(), again.headers["etag"]) == (response.json(), response.headers["etag"])

    async def test_may_repeat_the_id(self, client: Client, collection: str) -> None:
        response = await client.put(url(collection, "a"), json={"x": 1, "_id": "a"})
        assert list(response.json()) == ["_id", "x"]

    async def test_refuses_another_id(self, client: Client, collection: str) -> None:
        await stored(client, collection, {"_id": "a"})
        response = await client.put(url(collection, "a"), json={"_id": "b"})
        refusal(response, 422, "invalid-document")
        assert faults(response) == {("/_id", "immutable")}

    async def test_refuses_an_id_of_another_type(self, client: Client, collection: str) -> None:
        await stored(client, collection, {"_id": 1})
        refusal(await client.put(url(collection, "one"), json={}), 422, "invalid-id")

    @pytest.mark.parametrize("body", ["[]", "[{}]", "1", "null", '"a"'])
    async def test_refuses_what_is_no_document(self, client: Client, collection: str, body: str) -> None:
        json = {"Content-Type": "application/json"}
        response = await client.put(url(collection, "a"), content=body, headers=json)
        refusal(response, 422, "invalid-document")


class TestDeleteDocument:
    async def test_anonymous(self, client: Client, collection: str) -> None:
        await stored(client, collection, {"_id": "a"}, {"_id": "b"})
        response = await client.delete(url(collection, "a"))
        assert (response.status_code, response.content) == (204, b"")
        refusal(await client.get(url(collection, "a")), 404, "document-not-found")
        assert (await client.get(url(collection, "b"))).status_code == 200

    async def test_twice(self, client: Client, collection: str) -> None:
        await stored(client, collection, {"_id": "a"})
        await client.delete(url(collection, "a"))
        refusal(await client.delete(url(collection, "a")), 404, "document-not-found")

    async def test_no_collection(self, client: Client, collection: str) -> None:
        refusal(await client.delete(url(collection, "a")), 404, "collection-not-found")


class TestAddresses:
    @pytest.mark.parametrize(
        ("method", "path", "allow"),
        [
            ("PUT", "/v1", {"GET", "HEAD"}),
            ("PUT", "/v1/c", {"GET", "HEAD", "POST", "PATCH", "DELETE"}),
            ("POST", "/v1/c/1", {"GET", "HEAD", "PUT", "PATCH", "DELETE"}),
            ("GET", "/v1/c:query", {"POST"}),
            ("DELETE", "/v1/c:bulk", {"POST"}),
            ("GET", "/v1:transaction", {"POST"}),
            ("POST", "/health/live", {"GET", "HEAD"}),
            ("TRACE", "/v1/c", {"GET", "HEAD", "POST", "PATCH", "DELETE"}),
        ],
    )
    async def test_405_names_what_is_allowed(self, client: Client, method: str, path: str, allow: set[str]) -> None:
        response = await client.request(method, path)
        refusal(response, 405, "method-not-allowed")
        assert set(response.headers["allow"].split(", ")) == allow

    @pytest.mark.parametrize("path", ["/", "/v2", "/v1/c:nothing", "/v1:nothing", "/v1/c:query/x", "/v1//", "/v1/c%0A"])
    async def test_404(self, client: Client, path: str) -> None:
        refusal(await client.get(path), 404, "not-found")

    async def test_a_trailing_line_feed_is_part_of_the_id(self, client: Client, collection: str) -> None:
        await stored(client, collection, {"_id": "a"})
        refusal(await client.delete(f"/v1/{collection}/a%0A"), 404, "document-not-found")
        assert (await client.put(f"/v1/{collection}/a%0A", json={})).json() == {"_id": "a\n"}
        assert (await client.get(f"/v1/{collection}/a")).json() == {"_id": "a"}
