"""Many at once: nothing lost, nothing doubled, one winner."""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncGenerator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from api.app import create_app
from documents.settings import Settings
from tests.api.answers import ids, items, stored
from tests.conftest import serving

Client = httpx.AsyncClient
WRITERS = 50
UPDATE = {"Content-Type": "application/vnd.sheaf.update+json"}
JSON_PATCH = {"Content-Type": "application/json-patch+json"}


@pytest_asyncio.fixture(scope="module")
async def neighbour(settings: Settings) -> AsyncGenerator[Client]:
    """Return a client of a second server on the same database."""
    async with serving(create_app(settings)) as opened:
        yield opened


class TestPreconditions:
    @pytest.mark.parametrize("dialect", ["put", "merge", "json-patch", "update"])
    async def test_one_winner_a_round(self, client: Client, neighbour: Client, collection: str, dialect: str) -> None:
        await stored(client, collection, {"_id": "x", "n": 0})
        url = f"/v1/{collection}/x"
        wins = 0
        for _ in range(4):
            read = await client.get(url)
            condition = {"If-Match": read.headers["etag"]}
            count = read.json()["n"] + 1

            def attempt(writer: int, *, count: int = count, condition: dict[str, str] = condition) -> Any:
                server = client if writer % 2 else neighbour
                match dialect:
                    case "put":
                        return server.put(url, json={"n": count, "by": writer}, headers=condition)
                    case "merge":
                        return server.patch(url, json={"n": count, "by": writer}, headers=condition)
                    case "json-patch":
                        patch = [{"op": "replace", "path": "/n", "value": count}]
                        return server.patch(url, json=patch, headers={**condition, **JSON_PATCH})
                    case _:
                        return server.patch(url, json={"$inc": {"n": 1}}, headers={**condition, **UPDATE})

            answers: list[httpx.Response] = await asyncio.gather(*map(attempt, range(WRITERS)))
            statuses = Counter(answer.status_code for answer in answers)
            assert statuses == {200: 1, 412: WRITERS - 1}
            wins += statuses[200]
        assert (await client.get(url)).json()["n"] == wins

    async def test_one_creator(self, client: Client, neighbour: Client, collection: str) -> None:
        puts = (
            (client if n % 2 else neighbour).put(f"/v1/{collection}/x", json={"n": n}, headers={"If-None-Match": "*"})
            for n in range(WRITERS)
        )
        answers = await asyncio.gather(*puts)
        [winner] = [answer.json() for answer in answers if answer.status_code == 201]
        assert Counter(answer.status_code for answer in answers) == {201: 1, 412: WRITERS - 1}
        assert (await client.get(f"/v1/{collection}/x")).json() == winner

    async def test_one_deleter(self, client: Client, neighbour: Client, collection: str) -> None:
        await stored(client, collection, {"_id": "x"})
        etag = (await client.get(f"/v1/{collection}/x")).headers["etag"]
        deletes = (
            (client if n % 2 else neighbour).delete(f"/v1/{collection}/x", headers={"If-Match": etag})
            for n in range(WRITERS)
        )
        answers = await asyncio.gather(*deletes)
        assert Counter(answer.status_code for answer in answers) == {204: 1, 412: WRITERS - 1}


class TestUpdates:
    async def test_increments_all_count(self, client: Client, neighbour: Client, collection: str) -> None:
        await stored(client, collection, {"_id": "x", "n": 0})
        answers = await asyncio.gather(
            *(
                (client if n % 2 else neighbour).patch(f"/v1/{collection}/x", json={"$inc": {"n": 1}}, headers=UPDATE)
                for n in range(WRITERS)
            )
        )
        assert sorted(answer.json()["n"] for answer in answers) == list(range(1, WRITERS + 1))

    async def test_increments_of_a_declared_document_all_count(self, client: Client, products: str) -> None:
        created = await client.post(f"/v1/{products}", json={"sku": "MUG", "name": "Mug", "price": "9.90"})
        url = created.headers["location"]
        answers = await asyncio.gather(
            *(client.patch(url, json={"$inc": {"stock": 1}}, headers=UPDATE) for _ in range(WRITERS))
        )
        assert Counter(answer.status_code for answer in answers) == {200: WRITERS}
        assert (await client.get(url)).json()["stock"] == WRITERS

    async def test_merge_patches_of_different_fields_all_count(
        self, client: Client, neighbour: Client, collection: str
    ) -> None:
        await stored(client, collection, {"_id": "x"})
        answers = await asyncio.gather(
            *((client if n % 2 else neighbour).patch(f"/v1/{collection}/x", json={f"f{n}": n}) for n in range(WRITERS))
        )
        assert {answer.status_code for answer in answers} == {200}
        assert (await client.get(f"/v1/{collection}/x")).json() == {"_id": "x", **{f"f{n}": n for n in range(WRITERS)}}

    async def test_transfers_keep_the_sum(self, client: Client, neighbour: Client, collection: str) -> None:
        await stored(client, collection, *({"_id": n, "sum": 100} for n in range(4)))

        def transfer(number: int) -> Any:
            source, target = number % 4, (number + 1 + number // 4 % 3) % 4
            operations = [
                {"op": "patch", "collection": collection, "id": source, "update": {"$inc": {"sum": -number}}},
                {"op": "patch", "collection": collection, "id": target, "update": {"$inc": {"sum": number}}},
            ]
            return (client if number % 2 else neighbour).post("/v1:transaction", json={"operations": operations})

        answers: list[httpx.Response] = await asyncio.gather(*map(transfer, range(20)))
        assert Counter(answer.status_code for answer in answers) == {200: 20}, [answer.text for answer in answers]
        assert sum(item["sum"] for item in items(await client.get(f"/v1/{collection}"))) == 400


class TestFirstDocuments:
    @pytest.mark.parametrize("shape", ["single", "array", "put"])
    async def test_leave_one_id_type(self, client: Client, neighbour: Client, collection: str, shape: str) -> None:
        bodies: list[dict[str, Any]] = [[{}, {"_id": f"s{n}"}, {"_id": n}][n % 3] for n in range(30)]

        def post(number: int) -> Any:
            server, body = (client if number % 2 else neighbour), bodies[number]
            if shape == "put" and "_id" in body:
                return server.put(f"/v1/{collection}/{body['_id']}", json=body)
            return server.post(f"/v1/{collection}", json=[body] if shape == "array" else body)

        answers: list[httpx.Response] = await asyncio.gather(*map(post, range(30)))
        statuses = {answer.status_code for answer in answers}
        assert statuses <= ({201, 207} if shape == "array" else {201, 422}), [answer.text for answer in answers]
        found = ids(await client.get(f"/v1/{collection}?limit=1000"))
        assert found
        kinds = {"objectid" if len(str(value)) == 24 else type(value).__name__ for value in found}
        assert len(kinds) == 1
        assert len(found) == sum(answer.status_code == 201 for answer in answers)


class TestPaging:
    # A document with several values in a sort field stands elsewhere on the way back, so that way is not tried.
    @pytest.mark.parametrize(
        ("relation", "sort"),
        [("next", ""), ("next", "-rank"), ("next", "rank,-_id"), ("next", "-tags"), ("prev", "-_id"), ("prev", "rank")],
    )
    async def test_while_others_write(self, client: Client, collection: str, relation: str, sort: str) -> None:
        lasting = [{"_id": n * 10, "rank": n % 7, "tags": [n % 5, n % 3], "lasting": True} for n in range(200)]
        await stored(client, collection, *lasting)
        url = f"/v1/{collection}?limit=9&sort={sort}"
        start = url if relation == "next" else await _last_page(client, url)
        done = asyncio.Event()
        churn = asyncio.create_task(_churn(client, collection, done))
        seen: list[Any] = []
        try:
            address: str | None = start
            while address:
                page = await client.get(address)
                seen += [item["_id"] for item in items(page) if item.get("lasting")]
                address = page.links.get(relation, {}).get("url")
        finally:
            done.set()
            assert await churn > 0
        assert Counter(seen) == Counter(document["_id"] for document in lasting)


async def _last_page(client: Client, url: str) -> str:
    while following := (await client.get(url)).links.get("next"):
        url = following["url"]
    return url


async def _churn(client: Client, collection: str, done: asyncio.Event) -> int:
    """Insert and delete documents everywhere until told to stop, and return how often."""
    rounds = itertools.count()
    for number in rounds:
        passing = {"_id": number * 37 % 2000 * 10 + 5, "rank": number % 9 - 1, "tags": [number % 6]}
        await client.put(f"/v1/{collection}/{passing['_id']}", json=passing)
        if number % 3:
            await client.delete(f"/v1/{collection}/{(number - 1) * 37 % 2000 * 10 + 5}")
        if done.is_set():
            return number + 1
    raise AssertionError("unreachable")
