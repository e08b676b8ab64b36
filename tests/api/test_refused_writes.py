"""What MongoDB refuses of a write is said in words, and where it can be told, with the field."""

from typing import Any

import httpx
import pytest

from documents.lifecycle import Store
from tests.api.answers import faults, refusal

Client = httpx.AsyncClient


NOWHERE: set[tuple[str, str]] = set()
CASES: list[tuple[Any, Any]] = [
    ([("text", "text")], ({"text": "x", "language": "en-US"}, {("/language", "unknown-language")})),
    ([("a", 1), ("b", 1)], ({"a": [1], "b": [2]}, NOWHERE)),
    ([("place", "2dsphere")], ({"place": {"type": "Point", "coordinates": [500, 500]}}, NOWHERE)),
]


@pytest.mark.parametrize(("index", "case"), CASES)
async def test_says_what_is_wrong(
    client: Client, store: Store, collection: str, index: Any, case: tuple[dict[str, Any], set[tuple[str, str]]]
) -> None:
    document, pointers = case
    await store.connection.collection(collection).create_index(index)
    answered = await client.post(f"/v1/{collection}", json=document)
    problem = refusal(answered, 422, "invalid-document")
    assert "code" not in problem["detail"]
    assert faults(answered) == pointers


async def test_a_dotted_key_has_its_cell(client: Client, store: Store, collection: str) -> None:
    await store.connection.collection(collection).insert_one({"_id": 1, "a.b": 2, "sub": {"c.d": 5, "e": {"f": 6}}})
    for form, mark in (("csv", ","), ("tsv", "\t")):
        answered = await client.get(f"/v1/{collection}:export?format={form}")
        rows = [line.split(mark) for line in answered.text.splitlines()]
        assert rows == [["_id", "a.b", "sub.c.d", "sub.e.f"], ["1", "2", "5", "6"]]
