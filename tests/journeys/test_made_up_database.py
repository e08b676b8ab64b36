"""Whatever others left in a database: no row is lost or doubled, no byte changes unasked, nothing is an error of ours.

`ANY_DATABASES=40 pytest tests/journeys/test_made_up_database.py` walks forty made-up databases instead of one.
"""

import itertools
import os
import random
import re
from collections.abc import AsyncGenerator, Iterator
from typing import Any, Final

import httpx
import orjson
import pytest
from pymongo import MongoClient

from api.app import create_app
from documents.codec.plain import dump
from documents.codec.stored import StoredDocument
from documents.settings import Settings
from tests.conftest import serving
from tests.journeys.made_up import KINDS, VIEWS, AnyDatabase, make_any

DATABASES: Final = int(os.environ.get("ANY_DATABASES", "0"))
FIRST: Final = int(os.environ.get("ANY_FIRST", "1"))
SEEDS: Final = range(FIRST, FIRST + (DATABASES or 1))
SIZE: Final = 24 if DATABASES else 16
SORTS: Final = ("", "-_id", "v", "-v", "v,-w", "-t,v", "o.v", "-o.v,t", "a", "-a,t", "name", "-name,v", "w,-_id")
LIMITS: Final = (1, 2, 3, 5, 7, 11, 50)
WHOLE: Final = 500
READABLE: Final = tuple(kind for kind in KINDS if kind != "failing")
WITHOUT_ORDER: Final = VIEWS | {"series"}
"""Kinds in which ids may repeat, so that MongoDB leaves open what follows by them."""

Client = httpx.AsyncClient


@pytest.fixture(scope="module", params=SEEDS)
def made(request: pytest.FixtureRequest, mongo_uri: str, worker_id: str) -> Iterator[AnyDatabase]:
    lenient: dict[str, Any] = {"datetime_conversion": "DATETIME_AUTO", "unicode_decode_error_handler": "replace"}
    with MongoClient[Any](mongo_uri, **lenient) as client:
        name = f"any_{worker_id}_{request.param}"
        client.drop_database(name)
        yield make_any(client, name, seed=request.param, size=SIZE)
        client.drop_database(name)


@pytest.fixture(scope="module")
async def api(made: AnyDatabase, settings: Settings) -> AsyncGenerator[Client]:
    there = settings.model_copy(update={"database": made.database.name, "prepare": False})
    async with serving(create_app(there)) as client:
        yield client


async def pages(api: Client, url: str) -> list[list[dict[str, Any]]]:
    """Return each page of a list, and find the same on the way back unless arrays are sorted by their other end there."""
    found: list[list[dict[str, Any]]] = []
    cursor: str | None = None
    while True:
        answer = await get(api, url, cursor)
        found.append(answer["items"])
        assert len(found) < WHOLE, f"{url} has no end"
        cursor = answer["next"]
        if cursor is None:
            break
    if re.search(r"[=,-](a|o\.v)\b", url):
        return found
    back = found[-1]
    while (cursor := answer["prev"]) is not None:
        answer = await get(api, url, cursor)
        back = [*answer["items"], *back]
        assert len(back) < WHOLE, f"{url} has no beginning"
    assert sorted(map(repr, back)) == sorted(map(repr, itertools.chain(*found))), f"{url} differs on the way back"
    return found


async def get(api: Client, url: str, cursor: str | None = None) -> Any:
    answer = await api.get(url if cursor is None else str(httpx.URL(url).copy_merge_params({"cursor": cursor})))
    assert answer.status_code == 200, (url, answer.text)
    return answer.json()


def shown(raws: list[bytes]) -> list[dict[str, Any]]:
    return [orjson.loads(dump(StoredDocument(raw).decode())) for raw in raws]


def keys_of(sort: str) -> list[tuple[str, int]]:
    keys = [(key.lstrip("-"), -1 if key[0] == "-" else 1) for key in sort.split(",") if key]
    return keys if keys and keys[-1][0] == "_id" else [*keys, ("_id", keys[-1][1] if keys else 1)]


@pytest.mark.parametrize("kind", READABLE)
async def test_lists(api: Client, made: AnyDatabase, kind: str) -> None:
    rng = random.Random(f"{made.database.name[-2:]} {kind}")
    for sort in SORTS:
        expected = shown(made.rows(kind, keys_of(sort)))
        for limit in LIMITS if DATABASES else rng.sample(LIMITS, 1):
            url = f"/v1/{kind}?limit={limit}&sort={sort}"
            there = list(itertools.chain(*await pages(api, url)))
            if kind in WITHOUT_ORDER:
                assert sorted(map(repr, there)) == sorted(map(repr, expected)), url
            else:
                assert [each["n"] for each in there] == [each["n"] for each in expected], url
