"""Pages: to the end and back, in any order, with values of any type."""

import itertools
from typing import Any

import httpx
import pytest

from documents.query.paging.sort import parse_sort
from documents.query.paging.sort_values import sort_key, sort_values
from tests.api.answers import ids, items, refusal, stored

Client = httpx.AsyncClient

VALUES: list[Any] = [
    None, True, False, 0, -1, 1, 1.5, 2**60, -0.5, "", "a", "B", "ä", "10", [], [1], [5, -5], ["a", None], [[]],
    {}, {"a": 1}, {"a": None}, {"b": {"c": 1}}, [{"a": 3}, {"a": 1}], [{}],
]  # fmt: skip
DOCUMENTS = [
    {"_id": n, **({} if n % 7 == 3 else {"v": value}), "w": other, "s": n % 3}
    for n, (value, other) in enumerate(zip(VALUES * 2, reversed(VALUES * 2), strict=True))
]


async def walk(client: Client, url: str, relation: str = "next") -> list[list[dict[str, Any]]]:
    """Return each page, going by the link of one relation."""
    pages: list[list[dict[str, Any]]] = []
    address: str | None = url
    while address:
        response = await client.get(address)
        pages.append(items(response))
        address = response.links.get(relation, {}).get("url")
        assert len(pages) < 200
    return pages


class TestPages:
    async def test_anonymous(self, client: Client, collection: str) -> None:
        await stored(client, collection, *({"_id": n} for n in range(5)))
        first = await client.get(f"/v1/{collection}?limit=2")
        assert ids(first) == [0, 1]
        assert first.json()["prev"] is None
        second = await client.get(f"/v1/{collection}?limit=2&cursor={first.json()['next']}")
        assert ids(second) == [2, 3]
        last = await client.get(f"/v1/{collection}?limit=2&cursor={second.json()['next']}")
        assert (ids(last), last.json()["next"]) == ([4], None)
        back = await client.get(f"/v1/{collection}?limit=2&cursor={last.json()['prev']}")
        assert back.json() == {**second.json(), "next": back.json()["next"], "prev": back.json()["prev"]}
        start = await client.get(f"/v1/{collection}?limit=2&cursor={back.json()['prev']}")
        assert (ids(start), start.json()["prev"]) == ([0, 1], None)

    @pytest.mark.parametrize("sort", ["", "-_id", "v", "-v", "v,-w", "-s,v", "v.a", "-v.a,w", "s,-_id"])
    async def test_there_and_back(self, client: Client, collection: str, sort: str) -> None:
        await stored(client, collection, *DOCUMENTS)
        order = parse_sort(sort)
        expected = sorted(DOCUMENTS, key=lambda document: sort_key(sort_values(document, order), order))
        pages = await walk(client, f"/v1/{collection}?limit=7&sort={sort}")
        assert list(itertools.chain(*pages)) == expected
        response = await client.get(f"/v1/{collection}?limit=1000&sort={sort}")
        assert items(response) == expected

    @pytest.mark.parametrize("sort", ["", "-_id", "s", "-s", "s,w.b", "-scalar,s"])
    async def test_back_shows_the_same_pages(self, client: Client, collection: str, sort: str) -> None:
        scalars = [value for value in VALUES if not isinstance(value, list)]
        await stored(client, collection, *({"_id": n, "scalar": v, "s": n % 3} for n, v in enumerate(scalars * 2)))
        url = f"/v1/{collection}?limit=4&sort={sort}"
        forward = await walk(client, url)
        last = url
        while "next" in (links := (await client.get(last)).links):
            last = links["next"]["url"]
        backward = await walk(client, last, "prev")
        assert backward == forward[::-1]

    @pytest.mark.parametrize("sort", ["v", "-v,w", "-s"])
    async def test_with_a_filter_and_fields(self, client: Client, collection: str, sort: str) -> None:
        await stored(client, collection, *DOCUMENTS)
        pages = await walk(client, f"/v1/{collection}?limit=3&sort={sort}&s[in]=0,2&fields=s")
        seen = list(itertools.chain(*pages))
        assert sorted(item["_id"] for item in seen) == [each["_id"] for each in DOCUMENTS if each["s"] != 1]
        assert {frozenset(item) for item in seen} == {frozenset({"_id", "s"})}

    async def test_a_full_last_page_is_the_last(self, client: Client, collection: str) -> None:
        await stored(client, collection, *({"_id": n} for n in range(4)))
        assert [len(page) for page in await walk(client, f"/v1/{collection}?limit=2")] == [2, 2]

    async def test_limit_may_change_on_the_way(self, client: Client, collection: str) -> None:
        await stored(client, collection, *({"_id": n} for n in range(9)))
        cursor = (await client.get(f"/v1/{collection}?limit=2")).json()["next"]
        assert ids(await client.get(f"/v1/{collection}?limit=5&cursor={cursor}")) == [2, 3, 4, 5, 6]

    async def test_by_body(self, client: Client, collection: str) -> None:
        await stored(client, collection, *({"_id": n, "a": n % 2} for n in range(6)))
        asked: dict[str, Any] = {"filter": {"_id": {"$gt": 0}}, "sort": {"a": -1}, "limit": 2}
        first = await client.post(f"/v1/{collection}:query", json=asked)
        assert "link" not in first.headers
        second = await client.post(f"/v1/{collection}:query", json={**asked, "cursor": first.json()["next"]})
        assert [ids(first), ids(second)] == [[5, 3], [1, 4]]

    async def test_the_document_at_the_edge_may_go(self, client: Client, collection: str) -> None:
        await stored(client, collection, *({"_id": n} for n in range(5)))
        first = await client.get(f"/v1/{collection}?limit=2")
        await client.delete(f"/v1/{collection}/1")
        assert ids(await client.get(first.links["next"]["url"])) == [2, 3]


class TestCursors:
    @pytest.mark.parametrize("change", ["sort=a", "b=1", 'filter={"b":1}'])
    async def test_belongs_to_its_list(self, client: Client, collection: str, change: str) -> None:
        await stored(client, collection, {"a": 1}, {"a": 2}, {"a": 3})
        cursor = (await client.get(f"/v1/{collection}?limit=1&sort=-a")).json()["next"]
        refusal(await client.get(f"/v1/{collection}?limit=1&cursor={cursor}&{change}"), 400, "invalid-cursor")

    async def test_belongs_to_its_collection(self, client: Client, collection: str) -> None:
        await stored(client, collection, {}, {})
        await stored(client, f"{collection}b", {}, {})
        cursor = (await client.get(f"/v1/{collection}?limit=1")).json()["next"]
        refusal(await client.get(f"/v1/{collection}b?limit=1&cursor={cursor}"), 400, "invalid-cursor")

    async def test_is_signed(self, client: Client, collection: str) -> None:
        await stored(client, collection, {}, {})
        cursor: str = (await client.get(f"/v1/{collection}?limit=1")).json()["next"]
        for place in range(0, len(cursor), 5):
            forged = cursor[:place] + ("A" if cursor[place] != "A" else "B") + cursor[place + 1 :]
            refusal(await client.get(f"/v1/{collection}?limit=1&cursor={forged}"), 400, "invalid-cursor")


async def test_no_link_over_two_kilobytes(client: Client, collection: str) -> None:
    await stored(client, collection, *({"_id": n} for n in range(3)))
    short = await client.get(f"/v1/{collection}?limit=1&text[ne]=x")
    assert "next" in short.headers["link"]
    long = await client.get(f"/v1/{collection}?limit=1&text[ne]={'x' * 2000}")
    assert "link" not in long.headers
    assert long.json()["next"]
