"""Lists of collections that other programs made: each row once, whatever they hold and however they compare."""

import itertools
from typing import Any

import httpx
import pytest
from bson import Code, Decimal128, Regex

from documents.lifecycle import Store
from tests.api.answers import items
from tests.api.test_paging import walk

Client = httpx.AsyncClient

VIEWS: list[tuple[str, list[dict[str, Any]]]] = [
    ("repeated ids", [{"$unwind": "$tags"}]),
    ("one id for all", [{"$set": {"_id": 1, "tags": "t"}}]),
    ("equal rows", [{"$project": {"_id": "1", "s": 1}}]),
    ("unwound twice", [{"$unwind": "$tags"}, {"$set": {"copies": [1, 2, 1]}}, {"$unwind": "$copies"}]),
]


async def _back(client: Client, url: str) -> list[dict[str, Any]]:
    """Return what is before the last page, in the order of the list."""
    last = url
    while "next" in (links := (await client.get(last)).links):
        last = links["next"]["url"]
    pages = await walk(client, last, "prev")
    return list(itertools.chain(*pages[::-1]))


@pytest.mark.parametrize(("name", "pipeline"), VIEWS, ids=[name for name, _ in VIEWS])
@pytest.mark.parametrize("sort", ["", "s", "-s,tags"])
@pytest.mark.parametrize("limit", [1, 2, 5, 50])
async def test_views_show_each_row_once(
    client: Client, store: Store, collection: str, *, name: str, pipeline: list[dict[str, Any]], sort: str, limit: int
) -> None:
    stored = store.connection.collection(collection)
    await stored.insert_many([{"_id": n, "s": n % 2, "tags": ["a", "b", "a"]} for n in range(4)])
    await store.connection.database.create_collection(f"{collection}v", viewOn=collection, pipeline=pipeline)
    whole = await (await stored.aggregate(pipeline)).to_list()
    url = f"/v1/{collection}v?limit={limit}&sort={sort}"
    there = list(itertools.chain(*await walk(client, url)))
    assert sorted(map(repr, there)) == sorted(map(repr, whole)), name
    assert await _back(client, url) == there


@pytest.mark.parametrize("sort", ["a", "-a", "b", "-b,a", "name"])
@pytest.mark.parametrize("limit", [1, 2, 4])
@pytest.mark.parametrize("indexed", [False, True])
async def test_a_collation_decides_and_each_row_is_shown_once(
    client: Client, store: Store, collection: str, sort: str, limit: int, *, indexed: bool
) -> None:
    stored = await store.connection.database.create_collection(collection, collation={"locale": "en", "strength": 2})
    arrays: list[Any] = [["b", "C"], ["B", "a"], ["c", "A"], [], ["Z"], ["a", "Z", "m"], "M", None]
    await stored.insert_many([
        {"_id": f"{'xX'[n % 2]}{n}", "a": value, "b": n // 2, "name": ["Bob", "bob", "ada", "Ada"][n % 4]}
        for n, value in enumerate(arrays)
    ])  # fmt: skip
    if indexed:
        for field in ("a", "b", "name"):
            await stored.create_index(field)
    keys = [(key.lstrip("-"), -1 if key[0] == "-" else 1) for key in sort.split(",")]
    whole = await stored.find().sort([*keys, ("_id", keys[-1][1])]).to_list()
    there = list(itertools.chain(*await walk(client, f"/v1/{collection}?limit={limit}&sort={sort}")))
    assert [each["_id"] for each in there] == [each["_id"] for each in whole]


@pytest.mark.parametrize("sort", ["a", "-a", "a,-n", "-a,n"])
@pytest.mark.parametrize("limit", [1, 2, 3, 7])
@pytest.mark.parametrize("indexed", [False, True])
async def test_code_and_regular_expressions_are_paged(
    client: Client, store: Store, collection: str, sort: str, limit: int, *, indexed: bool
) -> None:
    stored = store.connection.collection(collection)
    values: list[Any] = [
        Regex("b"), Regex("a"), Regex("a"), [Regex("z"), Regex("a")], Code("y"), Code("x"), Code("x"), Code("x", {"s": 1}),
        1, 1.0, Decimal128("1"), None, "x", [], [Code("a"), 3],
    ]  # fmt: skip
    await stored.insert_many([{"_id": n, "a": value, "n": n % 3} for n, value in enumerate(values)])
    if indexed:
        await stored.create_index("a")
    keys = [(key.lstrip("-"), -1 if key[0] == "-" else 1) for key in sort.split(",")]
    whole = await stored.find().sort([*keys, ("_id", keys[-1][1])]).to_list()
    url = f"/v1/{collection}?limit={limit}&sort={sort}"
    there = list(itertools.chain(*await walk(client, url)))
    assert [each["_id"] for each in there] == [each["_id"] for each in whole]


async def test_regular_expressions_are_paged_backwards(client: Client, store: Store, collection: str) -> None:
    await store.connection.collection(collection).insert_many(
        [{"_id": n, "a": Regex("ab"[n % 2]) if n % 5 else n} for n in range(20)]
    )
    url = f"/v1/{collection}?limit=3&sort=a"
    assert await _back(client, url) == list(itertools.chain(*await walk(client, url)))


async def test_an_index_that_goes_or_comes_on_the_way_changes_no_page(
    client: Client, store: Store, collection: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("documents.catalog.sort_indexes.FRESH_SECONDS", 0.0)
    stored = store.connection.collection(collection)
    await stored.insert_many([{"_id": n, "a": n % 4} for n in range(40)])
    address: str | None = f"/v1/{collection}?limit=3&sort=-a"
    seen: list[Any] = []
    for turn in itertools.count():
        await (stored.create_index("a") if turn % 2 else stored.drop_indexes())
        response = await client.get(address)
        seen += [each["_id"] for each in items(response)]
        address = response.links.get("next", {}).get("url")
        if address is None:
            break
    assert seen == [n for a in (3, 2, 1, 0) for n in range(39, -1, -1) if n % 4 == a]


async def test_a_page_that_ends_by_its_size_goes_on_inside_equal_keys(
    client: Client, store: Store, collection: str
) -> None:
    stored = store.connection.collection(collection)
    await stored.insert_many([{"_id": 9 - n, "a": n // 5, "blob": "x" * 900_000} for n in range(10)])
    await stored.create_index("a")
    pages = await walk(client, f"/v1/{collection}?limit=100&sort=a&fields=a,blob")
    assert [each["_id"] for each in itertools.chain(*pages)] == [5, 6, 7, 8, 9, 0, 1, 2, 3, 4]
    assert len(pages) > 1
