"""A database that other programs filled: every kind of collection, ids and values of every BSON type, walked by all routes.

No row is lost or shown twice, no value changes its type, no byte changes that a patch does not name, and nothing answers
5xx. `SHEAF_TEST_WHOLE=1` walks with every sort and page size; without it some of them are tried.
"""

import json
import os
import struct
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

import httpx
import pytest
from bson.raw_bson import RawBSONDocument
from pymongo import ASCENDING, DESCENDING
from pymongo.collation import Collation

from documents.codec.elements import Element, document_of, elements_of
from documents.codec.stored import StoredDocument
from documents.lifecycle import Store
from tests.api.existing.test_exports import READERS
from tests.bson_values import VALUES

Client = httpx.AsyncClient
WHOLE: Final = bool(os.environ.get("SHEAF_TEST_WHOLE"))
SIZES: Final[Sequence[int]] = (1, 2, 3, 7, 50) if WHOLE else (2, 50)
SORTS: Final = ("_id", "-_id", "v", "-v", "w", "-w", "w,-v", "-w,n", "o.v") if WHOLE else ("-_id", "v", "-v", "w,-v")
AS_IDS: Final = (
    "double", "minus zero", "large double", "infinity", "string", "object", "dotted key", "binary", "binary of a user",
    "old UUID", "UUID", "ObjectId", "true", "false", "date", "date before 1970", "date after 9999", "null", "code",
    "symbol", "int32", "timestamp", "large int64", "decimal", "MinKey", "MaxKey", "text like a date", "empty string",
)  # fmt: skip
"""Values that serve as ids, too, no two of them equal."""

NOT_FOUND_BY_TEXT: Final = frozenset(
    {
        "binary",
        "binary of a user",
        "old binary",
        "old UUID",
        "short UUID",
        "code",
        "code with scope",
        "date after 9999",
        "decimal",
        "decimal with exponent",
        "decimal minus zero",
        "decimal NaN",
        "decimal infinity",
        "DBPointer",
        "infinity",
        "last date",
        "MinKey",
        "MaxKey",
        "NaN",
        "not UTF-8",
        "regex",
        "symbol",
        "timestamp",
        "undefined",
    }
)
"""Shown in plain JSON as what is not their plain form, or as a text that a filter takes for a text. Extended JSON finds
them."""

NOT_COMPARED: Final = frozenset({"code", "code with scope", "DBPointer", "regex", "symbol"})
"""Values that a filter does not compare with."""

NO_EXTENDED_JSON: Final = frozenset(
    {
        "short UUID",
        "not UTF-8",
        "key not UTF-8",
        "key twice",
        "array with odd places",
        "undefined",
        "dotted key",
        "dollar key",
        "empty key",
        "DBRef",
    }
)
"""Values without a form in Extended JSON, or with keys that a filter takes for operators and paths."""

NAMES: Final[Sequence[str]] = list(VALUES)
FORMATS: Final = ("ndjson", "json", "ejson", "csv", "tsv", "bson")


@dataclass(frozen=True)
class Kind:
    """A kind of collection.

    Args:
        options: Of `create_collection`.
        pipeline: Of a view of a plain collection.
        copies: Rows that a view makes of each document.
        has_id: Whether its rows have an `_id`.
        has_own_ids: Whether MongoDB sees to it that each row has an `_id`.
        without: Values that MongoDB itself does not sort there, or in no order.
        refuses: What MongoDB does not do there.
    """

    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    pipeline: Sequence[Mapping[str, Any]] | None = None
    copies: int = 1
    has_id: bool = True
    has_own_ids: bool = True
    without: frozenset[str] = frozenset()
    refuses: frozenset[str] = frozenset()


READ_ONLY: Final = frozenset({"put", "patch"})
KINDS: Final[Mapping[str, Kind]] = {
    "plain": Kind(),
    "clustered": Kind({"clusteredIndex": {"key": {"_id": 1}, "unique": True}}),
    "capped": Kind({"capped": True, "size": 1 << 20}),
    "collated": Kind({"collation": Collation("en", strength=2)}, without=frozenset({"symbol"})),
    "validated": Kind({"validator": {"$jsonSchema": {"required": ["n"]}}}),
    "series": Kind({"timeseries": {"timeField": "at", "metaField": "w"}}, has_own_ids=False, refuses=READ_ONLY),
    "view": Kind(pipeline=[{"$match": {"n": {"$gte": 0}}}], has_own_ids=False, refuses=READ_ONLY),
    "view without ids": Kind(pipeline=[{"$project": {"_id": 0}}], has_id=False, refuses=READ_ONLY),
    "view that repeats ids": Kind(
        pipeline=[{"$set": {"c": [1, 2]}}, {"$unwind": "$c"}],
        copies=2,
        without=frozenset({"key twice"}),
        refuses=READ_ONLY,
    ),
}


def int32(name: bytes, number: int) -> bytes:
    return Element(0x10, name, struct.pack("<i", number)).to_bytes()


def row(number: int, name: str, options: Mapping[str, Any]) -> bytes:
    """Return a document with one value of `VALUES`."""
    kind, payload = VALUES[name]
    at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=number)
    return document_of(
        [
            _id(number, name, with_collation="collation" in options),
            *(
                [Element(0x09, b"at", struct.pack("<q", int(at.timestamp() * 1000))).to_bytes()]
                if "timeseries" in options
                else []
            ),
            int32(b"w", number % 3),
            Element(kind, b"v", payload).to_bytes(),
            Element(0x03, b"o", document_of([Element(kind, b"v", payload).to_bytes()])).to_bytes(),
            int32(b"n", number),
        ]
    )


def _id(number: int, name: str, *, with_collation: bool = False) -> bytes:
    if name in AS_IDS and not (with_collation and name == "symbol"):  # which MongoDB cannot index with a collation
        kind, payload = VALUES[name]
        return Element(kind, b"_id", payload).to_bytes()
    return int32(b"_id", 1000 + number)


class Walk:
    """One collection as MongoDB has it, and as the API shows it."""

    def __init__(self, client: Client, store: Store, name: str, kind: Kind) -> None:
        self.client, self.store, self.name, self.kind = client, store, name, kind
        self.url = f"/v1/{name}"
        self.stored = store.connection.raw_collection(name)

    @property
    def numbers(self) -> list[int]:
        """The number of each row, in order."""
        kept = [number for number, name in enumerate(VALUES) if name not in self.kind.without]
        return sorted(kept * self.kind.copies)

    async def fill(self) -> None:
        database = self.store.connection.database
        base = self.name if self.kind.pipeline is None else f"{self.name}_base"
        await database.create_collection(base, **self.kind.options)
        documents = [
            RawBSONDocument(row(number, name, self.kind.options))
            for number, name in enumerate(VALUES)
            if name not in self.kind.without
        ]
        await self.store.connection.raw_collection(base).insert_many(documents)
        if self.kind.pipeline is not None:
            await database.create_collection(self.name, viewOn=base, pipeline=self.kind.pipeline)

    async def ask(self, method: str, url: str, **given: Any) -> httpx.Response:
        answer = await self.client.request(method, url, **given)
        assert answer.status_code < 500, (method, url, answer.text)
        return answer

    async def pages(self, query: str) -> AsyncIterator[dict[str, Any]]:
        """Yield the rows of a list, page after page."""
        url: str | None = f"{self.url}?{query}"
        for _ in range(2 * len(VALUES) + 1):
            if url is None:
                return
            answer = await self.ask("GET", url)
            assert answer.status_code == 200, answer.text
            for item in answer.json()["items"]:
                yield item
            url = answer.links.get("next", {}).get("url")
        pytest.fail(f"The list does not end: {query}")

    async def in_order(self, sort: str) -> list[int]:
        """Return the numbers of the rows as MongoDB sorts them."""
        keys = [(key.lstrip("-"), DESCENDING if key[0] == "-" else ASCENDING) for key in sort.split(",")]
        if all(name != "_id" for name, _ in keys):
            keys.append(("_id", keys[-1][1]))
        return [number_in(bytes(each.raw)) async for each in self.stored.find().sort(keys)]

    async def bytes_of(self, number: int) -> bytes:
        found = await self.stored.find_one({"n": number})
        assert found is not None
        return bytes(found.raw)


def number_in(raw: bytes) -> int:
    number: int = StoredDocument(raw).decode()["n"]
    return number


def address(shown: object) -> str:
    return quote(shown if isinstance(shown, str) else json.dumps(shown, separators=(",", ":")), safe="")


@pytest.fixture(params=KINDS)
async def walk(request: pytest.FixtureRequest, client: Client, store: Store, collection: str) -> Walk:
    walk = Walk(client, store, collection, KINDS[request.param])
    await walk.fill()
    return walk


async def test_lists_show_every_row_once_and_in_order(walk: Walk) -> None:
    for sort in SORTS:
        if not walk.kind.has_id and "_id" in sort:
            continue
        expected = await walk.in_order(sort)
        assert len(expected) == len(walk.numbers)
        for size in SIZES:
            shown = [item["n"] async for item in walk.pages(f"sort={sort}&limit={size}")]
            assert sorted(shown) == sorted(expected), (sort, size)
            if walk.kind.has_id:
                assert shown == expected, (sort, size)


async def test_count_and_exports_have_every_row(walk: Walk) -> None:
    counted = await walk.ask("POST", f"{walk.url}:count", json={}, headers={"Prefer": "count=exact"})
    assert counted.json()["count"] == len(walk.numbers)
    for form in FORMATS:
        answer = await walk.ask("GET", f"{walk.url}:export?format={form}")
        if form == "bson":
            numbers = [number_in(each) for each in split(answer.content)]
        else:
            numbers = [number_of(each) for each in READERS[form](answer.content)]
        assert sorted(numbers) == walk.numbers, form


def split(content: bytes) -> list[bytes]:
    documents: list[bytes] = []
    while content:
        (size,) = struct.unpack_from("<i", content)
        documents.append(content[:size])
        content = content[size:]
    return documents


def name_of(number: int) -> str:
    return NAMES[number]


def number_of(shown: Mapping[str, Any]) -> int:
    number = shown["n"]
    return int(number["$numberInt"] if isinstance(number, dict) else number)  # pyright: ignore[reportUnknownArgumentType]


async def test_each_row_is_read_put_back_and_patched_at_its_address(walk: Walk) -> None:
    if not walk.kind.has_id or walk.kind.copies > 1:
        pytest.skip("its rows have no addresses of their own")
    for item in [item async for item in walk.pages("limit=50")]:
        name = name_of(item["n"])
        url = f"{walk.url}/{address(item['_id'])}"
        if item["_id"] is None and not walk.kind.has_own_ids:
            continue  # null finds every row that has no id
        before = await walk.bytes_of(item["n"])
        got = await walk.ask("GET", url)
        assert (got.status_code, got.json()) == (200, item), name
        put = await walk.ask("PUT", url, content=got.content, headers={"Content-Type": "application/json"})
        patched = await walk.ask("PATCH", url, json={"w": 7})
        if "put" in walk.kind.refuses:
            assert {put.status_code, patched.status_code} <= {403, 405, 409, 422}, put.text
            continue
        assert put.status_code == 200, (name, put.text)
        assert patched.status_code == 200, (name, patched.text)
        assert await walk.bytes_of(item["n"]) == with_w(before, 7), name


def with_w(raw: bytes, number: int) -> bytes:
    return document_of(
        [int32(b"w", number) if element.name == b"w" else element.to_bytes() for element in elements_of(raw)]
    )


async def test_each_shown_value_finds_its_row(walk: Walk) -> None:
    shown = {item["n"]: item["v"] async for item in walk.pages("limit=50")}
    lost: list[str] = []
    for number, value in shown.items():
        if name_of(number) in NOT_FOUND_BY_TEXT | NO_EXTENDED_JSON:
            continue
        condition = quote(json.dumps({"v": {"$eq": value}}))
        if number not in [each["n"] async for each in walk.pages(f"filter={condition}&limit=50")]:
            lost.append(name_of(number))
    assert not lost


async def test_each_value_shown_as_extended_json_finds_its_row(walk: Walk) -> None:
    listed = await walk.ask("GET", f"{walk.url}?limit=200", headers={"Accept": "application/ejson"})
    lost: list[str] = []
    for item in listed.json()["items"]:
        number = number_of(item)
        if name_of(number) in NO_EXTENDED_JSON | NOT_COMPARED:
            continue
        body = json.dumps({"filter": {"v": {"$eq": item["v"]}}})
        found = await walk.ask("POST", f"{walk.url}:query", content=body, headers={"Content-Type": "application/ejson"})
        if number not in [each["n"] for each in found.json().get("items", [])]:
            lost.append(name_of(number))
    assert not lost
