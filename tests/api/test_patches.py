"""The three dialects of PATCH on one document of a flexible collection."""

from typing import Any

import httpx
import pytest

from tests.api.answers import faults, refusal, stored

Client = httpx.AsyncClient
MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
UPDATE = "application/vnd.sheaf.update+json"

BEFORE: dict[str, Any] = {"_id": "x", "a": 1, "b": {"c": [1, 2], "d": "e"}, "n": None}

# Media type, patch, and what becomes of BEFORE.
PATCHES: list[tuple[str, Any, dict[str, Any]]] = [
    (MERGE, {"a": 2}, {**BEFORE, "a": 2}),
    (MERGE, {"a": None, "b": {"d": None, "f": {}}}, {"_id": "x", "b": {"c": [1, 2], "f": {}}, "n": None}),
    (MERGE, {"b": [1]}, {**BEFORE, "b": [1]}),
    (MERGE, {"_id": "x", "z": 1}, {**BEFORE, "z": 1}),
    ("application/json", {"a": 2}, {**BEFORE, "a": 2}),
    (JSON_PATCH, [{"op": "add", "path": "/b/c/-", "value": 3}], {**BEFORE, "b": {"c": [1, 2, 3], "d": "e"}}),
    (
        JSON_PATCH,
        [{"op": "test", "path": "/a", "value": 1}, {"op": "move", "from": "/a", "path": "/z"}],
        {"_id": "x", "b": BEFORE["b"], "n": None, "z": 1},
    ),
    (JSON_PATCH, [{"op": "remove", "path": "/n"}], {"_id": "x", "a": 1, "b": BEFORE["b"]}),
    (JSON_PATCH, [{"op": "copy", "from": "/b/d", "path": "/a"}], {**BEFORE, "a": "e"}),
    (UPDATE, {"$inc": {"a": 2}, "$set": {"b.d": 0}}, {**BEFORE, "a": 3, "b": {"c": [1, 2], "d": 0}}),
    (UPDATE, {"$unset": {"n": ""}, "$push": {"b.c": 3}}, {"_id": "x", "a": 1, "b": {"c": [1, 2, 3], "d": "e"}}),
    (UPDATE, {"$pull": {"b.c": 1}, "$addToSet": {"b.d2": 1}}, {**BEFORE, "b": {"c": [2], "d": "e", "d2": [1]}}),
    (UPDATE, {"$push": {"b.c": {"$each": [4, 0], "$sort": 1, "$slice": 2}}}, {**BEFORE, "b": {"c": [0, 1], "d": "e"}}),
    (UPDATE, {"$rename": {"a": "z"}, "$mul": {"q": 2}}, {"_id": "x", "b": BEFORE["b"], "n": None, "q": 0, "z": 1}),
]

REFUSED: list[tuple[str, Any, int, str]] = [
    (MERGE, [], 400, "invalid-patch"),
    (MERGE, {"_id": "y"}, 422, "invalid-document"),
    (MERGE, {"$set": {"a": 1}}, 422, "invalid-document"),
    (MERGE, {"b": {"x.y": 1}}, 422, "invalid-document"),
    (JSON_PATCH, {}, 400, "invalid-patch"),
    (JSON_PATCH, [{"op": "add", "path": "/b"}], 400, "invalid-patch"),
    (JSON_PATCH, [{"op": "nothing", "path": "/b"}], 400, "invalid-patch"),
    (JSON_PATCH, [{"op": "replace", "path": "/_id", "value": "y"}], 400, "invalid-patch"),
    (JSON_PATCH, [{"op": "remove", "path": "/zz"}], 409, "patch-conflict"),
    (JSON_PATCH, [{"op": "test", "path": "/a", "value": 2}], 409, "patch-conflict"),
    (JSON_PATCH, [{"op": "add", "path": "/$where", "value": 1}], 400, "invalid-patch"),
    (UPDATE, {}, 400, "invalid-patch"),
    (UPDATE, {"a": 1}, 400, "invalid-patch"),
    (UPDATE, [{"$set": {"a": 1}}], 400, "invalid-patch"),
    (UPDATE, {"$set": {"_id": "y"}}, 400, "invalid-patch"),
    (UPDATE, {"$where": {"a": 1}}, 400, "invalid-patch"),
    (UPDATE, {"$set": {"a": 1}, "$inc": {"a": 1}}, 400, "invalid-patch"),
    (UPDATE, {"$set": {"b.$evil": 1}}, 400, "invalid-patch"),
    (UPDATE, {"$inc": {"b": 1}}, 409, "patch-conflict"),
    (UPDATE, {"$push": {"a": 1}}, 409, "patch-conflict"),
    (UPDATE, {"$set": {"a.b": 1}}, 409, "patch-conflict"),
]


class TestPatchDocument:
    async def test_anonymous(self, client: Client, collection: str) -> None:
        await stored(client, collection, BEFORE)
        response = await client.patch(f"/v1/{collection}/x", json={"a": 2})
        assert (response.status_code, response.json()) == (200, {**BEFORE, "a": 2})
        assert response.headers["content-location"] == f"/v1/{collection}/x"

    @pytest.mark.parametrize(("media", "patch", "after"), PATCHES)
    async def test_changes(
        self, client: Client, collection: str, media: str, patch: object, after: dict[str, Any]
    ) -> None:
        await stored(client, collection, BEFORE, {"_id": "other"})
        response = await client.patch(f"/v1/{collection}/x", json=patch, headers={"Content-Type": media})
        read = await client.get(f"/v1/{collection}/x")
        assert response.json() == read.json() == after
        assert response.headers["etag"] == read.headers["etag"]
        assert (await client.get(f"/v1/{collection}/other")).json() == {"_id": "other"}

    @pytest.mark.parametrize(("media", "patch", "status", "code"), REFUSED)
    async def test_refuses(
        self, client: Client, collection: str, *, media: str, patch: object, status: int, code: str
    ) -> None:
        await stored(client, collection, BEFORE)
        etag = (await client.get(f"/v1/{collection}/x")).headers["etag"]
        response = await client.patch(f"/v1/{collection}/x", json=patch, headers={"Content-Type": media})
        refusal(response, status, code)
        assert (await client.get(f"/v1/{collection}/x")).headers["etag"] == etag

    async def test_points_at_what_is_wrong(self, client: Client, collection: str) -> None:
        await stored(client, collection, BEFORE)
        patch = [{"op": "remove", "path": "/a"}, {"op": "add", "path": "b", "value": 1}]
        response = await client.patch(f"/v1/{collection}/x", json=patch, headers={"Content-Type": JSON_PATCH})
        assert {pointer for pointer, _ in faults(response)} == {"/1/path"}

    @pytest.mark.parametrize(("media", "patch"), [(MERGE, {"a": 1}), (JSON_PATCH, []), (UPDATE, {"$set": {"a": 1}})])
    async def test_that_changes_nothing_keeps_the_etag(
        self, client: Client, collection: str, media: str, patch: object
    ) -> None:
        await stored(client, collection, BEFORE)
        etag = (await client.get(f"/v1/{collection}/x")).headers["etag"]
        response = await client.patch(f"/v1/{collection}/x", json=patch, headers={"Content-Type": media})
        assert (response.status_code, response.headers["etag"]) == (200, etag)

    @pytest.mark.parametrize(("media", "patch"), [(MERGE, {}), (JSON_PATCH, []), (UPDATE, {"$set": {"a": 1}})])
    async def test_unknown(self, client: Client, collection: str, media: str, patch: object) -> None:
        header = {"Content-Type": media}
        refusal(await client.patch(f"/v1/{collection}/x", json=patch, headers=header), 404, "collection-not-found")
        await stored(client, collection, {"_id": "other"})
        refusal(await client.patch(f"/v1/{collection}/x", json=patch, headers=header), 404, "document-not-found")
        refusal(await client.get(f"/v1/{collection}/x"), 404, "document-not-found")
