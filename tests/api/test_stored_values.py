"""Values that other programs stored are read, put back, patched beside, filtered by and exported: none of them changes.

What is compared are the stored bytes.
"""

import struct
from typing import Any

import httpx
import pytest
from bson.raw_bson import RawBSONDocument

from documents.codec.elements import Element, document_of
from documents.lifecycle import Store
from tests.api.answers import faults, ids
from tests.bson_values import VALUES, document_with

Client = httpx.AsyncClient
MERGE, JSON_PATCH, UPDATE = (
    "application/merge-patch+json",
    "application/json-patch+json",
    "application/vnd.sheaf.update+json",
)
PLAIN, EJSON = "application/json", "application/ejson"
each_value = pytest.mark.parametrize("name", VALUES)

LOSSY_AS_EJSON = {
    "short UUID",
    "not UTF-8",
    "key not UTF-8",
    "key twice",
    "array with odd places",
    "dotted key",
    "dollar key",
    "empty key",
}
"""What Extended JSON has no form for, or whose keys are refused in what a client sends."""


class Walk:
    """One stored document, its address and its bytes."""

    def __init__(self, client: Client, store: Store, collection: str) -> None:
        self.client, self.url, self.list = client, f"/v1/{collection}/1", f"/v1/{collection}"
        self._raw = store.connection.raw_collection(collection)

    async def store(self, raw: bytes) -> None:
        await self._raw.delete_many({})
        await self._raw.insert_one(RawBSONDocument(raw))

    async def now(self) -> bytes:
        found = await self._raw.find_one({"_id": 1})
        assert found is not None
        return bytes(found.raw)

    async def send(self, method: str, media: str, body: Any) -> httpx.Response:
        headers = {"Content-Type": media}
        content = body if isinstance(body, bytes) else None
        return await self.client.request(
            method, self.url, headers=headers, content=content, json=None if content is not None else body
        )


@pytest.fixture
def walk(client: Client, store: Store, collection: str) -> Walk:
    return Walk(client, store, collection)


@each_value
async def test_put_back_what_was_got(walk: Walk, name: str) -> None:
    raw = document_with(*VALUES[name])
    await walk.store(raw)
    got = await walk.client.get(walk.url)
    assert got.status_code == 200
    put = await walk.send("PUT", PLAIN, got.content)
    assert put.status_code == 200, put.text
    assert await walk.now() == raw
    assert put.headers["etag"] == got.headers["etag"]
    assert put.content == got.content


@each_value
async def test_put_back_in_extended_json(walk: Walk, name: str) -> None:
    raw = document_with(*VALUES[name])
    await walk.store(raw)
    got = await walk.client.get(walk.url, headers={"Accept": EJSON})
    put = await walk.send("PUT", EJSON, got.content)
    if name in LOSSY_AS_EJSON:
        assert put.status_code in (200, 422), put.text
    else:
        assert put.status_code == 200, put.text
        assert await walk.now() == raw


@each_value
@pytest.mark.parametrize(
    ("media", "body"),
    [
        (MERGE, {"n": 2}),
        (JSON_PATCH, [{"op": "replace", "path": "/n", "value": 2}]),
        (UPDATE, {"$set": {"n": 2}}),
        (MERGE, b"v"),
    ],
    ids=["merge", "json-patch", "update", "with-what-was-got"],
)
async def test_patch_another_field(walk: Walk, name: str, media: str, body: Any) -> None:
    await walk.store(document_with(*VALUES[name]))
    if body == b"v":
        body = {**(await walk.client.get(walk.url)).json(), "n": 2}
        body = {key: value for key, value in body.items() if value is not None}
        if name in ("null", "undefined"):
            return  # which remove, in a merge patch
    patched = await walk.send("PATCH", media, body)
    assert patched.status_code == 200, patched.text
    assert await walk.now() == document_with(*VALUES[name], n=2)
    assert patched.headers["etag"] == (await walk.client.get(walk.url)).headers["etag"]


@each_value
async def test_patch_by_filter_and_bulk(walk: Walk, name: str) -> None:
    await walk.store(document_with(*VALUES[name]))
    patched = await walk.client.patch(f"{walk.list}?n=1", json={"n": 2}, headers={"Content-Type": MERGE})
    assert patched.json() == {"matched": 1, "modified": 1}, patched.text
    assert await walk.now() == document_with(*VALUES[name], n=2)
    operations = [{"op": "merge", "document": {"_id": 1, "n": 3}}, {"op": "patch", "id": 1, "merge": {"n": 4}}]
    bulk = await walk.client.post(f"{walk.list}:bulk?mode=ordered", json=operations)
    assert [item["status"] for item in bulk.json()["items"]] == [200, 200], bulk.text
    assert await walk.now() == document_with(*VALUES[name], n=4)
    whole = {"operations": [{"op": "patch", "collection": walk.list[4:], "id": 1, "merge": {"n": 5}}]}
    assert (await walk.client.post("/v1:transaction", json=whole)).status_code == 200
    assert await walk.now() == document_with(*VALUES[name], n=5)


@each_value
async def test_an_item_is_taken_out(walk: Walk, name: str) -> None:
    await walk.store(document_with(*VALUES[name]))
    patched = await walk.send("PATCH", JSON_PATCH, [{"op": "remove", "path": "/a/0"}, {"op": "remove", "path": "/o/w"}])
    assert patched.status_code == 200, patched.text
    after = await walk.now()
    kind, payload = VALUES[name]
    whole = bytes([kind]) + b"0\0" + payload
    assert whole in after
    assert bytes([kind]) + b"1\0" + payload not in after
    assert bytes([kind]) + b"v\0" + payload in after


@each_value
async def test_found_by_what_is_shown(walk: Walk, name: str) -> None:
    await walk.store(document_with(*VALUES[name]))
    shown = (await walk.client.get(walk.url)).json()["v"]
    for path in ("v", "o.v", "a"):
        if isinstance(shown, str) and name in (
            "ObjectId",
            "UUID",
            "date",
            "date before 1970",
            "string",
            "text like an id",
            "text like a date",
        ):
            assert ids(await walk.client.get(walk.list, params={path: f'"{shown}"'})) == [1]
            assert ids(await walk.client.get(walk.list, params={f"{path}[gte]": shown, f"{path}[lte]": shown})) == [1]
        for operator in ("$eq", "$ne", "$gt", "$lte", "$in"):
            operand = [shown] if operator == "$in" else shown
            answered = await walk.client.post(f"{walk.list}:query", json={"filter": {path: {operator: operand}}})
            assert answered.status_code in (200, 400, 422), answered.text
            if answered.status_code != 200:
                assert faults(answered)


@each_value
@pytest.mark.parametrize("form", ["ndjson", "json", "ejson", "csv", "tsv", "bson", "parquet"])
async def test_exported(walk: Walk, name: str, form: str) -> None:
    raw = document_with(*VALUES[name])
    await walk.store(raw)
    answered = await walk.client.get(f"{walk.list}:export?format={form}")
    assert answered.status_code == 200, answered.text
    if form == "bson":
        assert answered.content == raw


async def test_a_key_twice_is_refused_when_named(walk: Walk) -> None:
    raw = document_with(*VALUES["key twice"])
    await walk.store(raw)
    patched = await walk.send("PATCH", MERGE, {"v": {"x": 3}})
    assert patched.status_code == 422
    assert faults(patched) == {("/v/x", "key-stands-twice")}
    assert await walk.now() == raw
    assert (await walk.send("PATCH", MERGE, {"v": None})).status_code == 200


async def test_top_level_dollar_keys(walk: Walk) -> None:
    def one(n: int) -> bytes:
        return document_of(
            [
                Element(0x10, b"_id", struct.pack("<i", 1)).to_bytes(),
                Element(0x10, b"$schema", struct.pack("<i", 7)).to_bytes(),
                Element(0x10, b"a.b", struct.pack("<i", 8)).to_bytes(),
                Element(0x10, b"n", struct.pack("<i", n)).to_bytes(),
            ]
        )

    await walk.store(one(1))
    assert (await walk.send("PATCH", MERGE, {"n": 2})).status_code == 200
    assert await walk.now() == one(2)
    got = (await walk.client.get(walk.url)).json()
    put = await walk.send("PUT", PLAIN, {**got, "n": 3})
    assert put.status_code == 200, put.text
    assert await walk.now() == one(3)
    changed = await walk.send("PATCH", MERGE, {"$schema": 9, "a.b": None})
    assert changed.status_code == 200, changed.text
    assert (await walk.client.get(walk.url)).json() == {"_id": 1, "$schema": 9, "n": 3}
    new = await walk.send("PATCH", MERGE, {"$new": 1})
    assert (new.status_code, faults(new)) == (422, {("/$new", "key-refused")})


NEW = [
    ("ObjectId", "65920080090dc4cfcb0320c3", 0x07),
    ("ObjectId", "no id", 0x02),
    ("UUID", "73ffd264-44b3-4c69-90e8-e7d1dfc035d4", 0x05),
    ("date", "2027-05-05T10:00:00+02:00", 0x09),
    ("date", "tomorrow", 0x02),
    ("decimal", "99.90", 0x13),
    ("decimal", "much", 0x02),
    ("binary of a user", "SGFsbG8=", 0x05),
    ("string", "2027-05-05T10:00:00Z", 0x02),
    ("int64", 6, 0x12),
    ("int64", 6.5, 0x01),
    ("int32", 6, 0x10),
    ("int32", 2**40, 0x12),
    ("double", 6, 0x01),
    ("double", 2**60 + 1, 0x12),
    ("null", "65920080090dc4cfcb0320c3", 0x02),
]


@pytest.mark.parametrize(("name", "sent", "kind"), NEW)
@pytest.mark.parametrize("how", ["put", "merge", "json-patch", "bulk", "literal", "ejson"])
async def test_a_new_value_is_of_the_stored_type(walk: Walk, name: str, sent: Any, kind: int, how: str) -> None:
    await walk.store(document_with(*VALUES[name]))
    merged = {"v": sent, "o": {"v": sent}, "a": [sent]}
    headers = {"Content-Type": MERGE}
    match how:
        case "put":
            answered = await walk.send("PUT", PLAIN, merged)
        case "merge":
            answered = await walk.send("PATCH", MERGE, merged)
        case "json-patch":
            operations = [{"op": "replace", "path": path, "value": sent} for path in ("/v", "/o/v", "/a/0")]
            answered = await walk.send("PATCH", JSON_PATCH, [*operations, {"op": "remove", "path": "/a/1"}])
        case "bulk":
            answered = await walk.client.post(
                f"{walk.list}:bulk", json=[{"op": "replace", "id": 1, "document": merged}]
            )
        case "literal":
            answered = await walk.client.patch(walk.url, json=merged, headers={**headers, "Prefer": "types=literal"})
        case _:
            answered = await walk.send("PATCH", EJSON, merged)
    assert answered.status_code == 200, answered.text
    after = await walk.now()
    if how in ("literal", "ejson"):
        kind = 0x02 if isinstance(sent, str) else 0x01 if isinstance(sent, float) else 0x10 if sent < 2**31 else 0x12
    assert bytes([kind]) + b"v\0" in after.split(b"o\0")[0]
    assert after.count(bytes([kind]) + b"v\0") == 2
    assert bytes([kind]) + b"0\0" in after
