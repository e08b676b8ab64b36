"""What MongoDB refuses of a write is said in words, and where it can be told, with the field."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from documents.lifecycle import Store

Client = httpx.AsyncClient


NESTED = {
    "properties": {"n": {"bsonType": "number", "minimum": 3}, "o": {"required": ["s"], "additionalProperties": False}}
}
Index = tuple[list[tuple[str, Any]], dict[str, Any]]
REFUSED: dict[str, tuple[Index | None, dict[str, Any] | None, Any, set[tuple[str, str]]]] = {
    "language": (([("text", "text")], {}), None, {"text": "x", "language": "en-US"}, {("/language", "unknown-language")}),
    "language of another field": (
        ([("text", "text")], {"language_override": "lang"}), None, {"text": "x", "lang": "x"}, {("/lang", "unknown-language")}),
    "language that is no text": (
        ([("$**", "text")], {}), None, {"text": "x", "language": 5}, {("/language", "unknown-language")}),
    "parallel arrays": (
        ([("a", 1), ("b", 1)], {}), None, {"a": [1], "b": [2]}, {("/a", "parallel-arrays"), ("/b", "parallel-arrays")}),
    "geometry": (
        ([("p.at", "2dsphere")], {}), None, {"p": {"at": {"type": "Point", "coordinates": [500, 500]}}}, {("/p/at", "not-geometry")}),
    "no geometry": (([("at", "2dsphere")], {}), None, {"at": "here"}, {("/at", "not-geometry")}),
    "out of bounds": (([("at", "2d")], {}), None, {"at": [500, 500]}, {("/at", "not-geometry")}),
    "hashed array": (([("h.i", "hashed")], {}), None, {"h": {"i": [1]}}, {("/h/i", "array-under-hash")}),
    "ambiguous": (([("a.0", 1)], {}), None, {"a": [{"0": 1}]}, set()),
    "schema": (
        None, {"$jsonSchema": NESTED}, {"n": 1, "o": {"x": 1}},
        {("/n", "validator-failed"), ("/o/s", "validator-failed"), ("/o/x", "validator-failed")}),
    "query": (None, {"n.m": {"$gte": 3}}, {"n": {"m": 1}}, {("/n/m", "validator-failed")}),
    "several": (None, {"$and": [{"n": {"$gte": 3}}, {"s": {"$type": "string"}}]}, {"n": 1, "s": "x"}, {("/n", "validator-failed")}),
    "expression": (None, {"$expr": {"$gt": ["$n", 3]}}, {"n": 1}, {("", "validator-failed")}),
}  # fmt: skip
"""An index, or a validator; a document that it refuses; and where it is wrong."""


def _json_patch(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"op": "add", "path": f"/{name}", "value": value} for name, value in document.items()]


WAYS: dict[str, tuple[str, str, str, Callable[[dict[str, Any]], Any]]] = {
    "insert": ("POST", "", "json", lambda document: document | {"_id": 2}),
    "insert many": ("POST", "", "json", lambda document: [document | {"_id": 2}]),
    "bulk": ("POST", ":bulk", "json", lambda document: [{"op": "insert", "document": document | {"_id": 2}}]),
    "replace": ("PUT", "/1", "json", dict),
    "merge patch": ("PATCH", "/1", "merge-patch+json", dict),
    "json patch": ("PATCH", "/1", "json-patch+json", _json_patch),
    "update": ("PATCH", "/1", "vnd.sheaf.update+json", lambda document: {"$set": document}),
}
"""Method, the end of the address, media type, and the body."""


@pytest.mark.parametrize("name", REFUSED)
async def test_says_what_is_wrong_and_where(client: Client, store: Store, collection: str, name: str) -> None:
    index, validator, document, pointers = REFUSED[name]
    await store.connection.database.create_collection(collection)
    held = store.connection.collection(collection)
    await held.insert_one({"_id": 1})
    if index is not None:
        await held.create_index(index[0], **index[1])
    if validator is not None:
        await store.connection.database.command("collMod", collection, validator=validator)
    for way, (method, end, media, body) in WAYS.items():
        headers = {"Content-Type": f"application/{media}"}
        answered = await client.request(method, f"/v1/{collection}{end}", json=body(document), headers=headers)
        problem = answered.json()
        if "items" in problem:
            problem = problem["items"][0]["problem"]
        assert problem["code"] == "invalid-document", (way, answered.text)
        found = {(each["pointer"], each["code"]) for each in problem.get("faults", [])}
        assert found == pointers, (way, answered.text)
        assert "code" not in problem["detail"]
        assert "500" not in answered.text, "no value of the document"
    assert await held.find_one({}) == {"_id": 1}


async def test_a_date_that_python_has_not_is_a_duplicate_like_others(
    client: Client, store: Store, collection: str
) -> None:
    late = {"$date": {"$numberLong": str(2**63 - 1)}}
    await store.connection.collection(collection).create_index("u", unique=True)
    for status in (201, 409):
        headers = {"Content-Type": "application/ejson"}
        assert (await client.post(f"/v1/{collection}", json={"u": late}, headers=headers)).status_code == status


async def test_a_dotted_key_has_its_cell(client: Client, store: Store, collection: str) -> None:
    await store.connection.collection(collection).insert_one({"_id": 1, "a.b": 2, "sub": {"c.d": 5, "e": {"f": 6}}})
    for form, mark in (("csv", ","), ("tsv", "\t")):
        answered = await client.get(f"/v1/{collection}:export?format={form}")
        rows = [line.split(mark) for line in answered.text.splitlines()]
        assert rows == [["_id", "a.b", "sub.c.d", "sub.e.f"], ["1", "2", "5", "6"]]
