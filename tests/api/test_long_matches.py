"""What MongoDB cannot interrupt is small: after each attack others are answered, and MongoDB comes to rest."""

import asyncio
import os
import time
from collections.abc import AsyncGenerator, Iterator
from typing import Any, Final

import httpx
import pytest

from tests.api.hostile.witness import Ledger
from tests.server import Server, serve

DATABASE: Final = f"long_matches_{os.environ.get('PYTEST_XDIST_WORKER', '')}"
"""Of each worker its own: they share a MongoDB."""

WAIT: Final = {"Prefer": "wait=1"}
GET_SECONDS: Final = 1.0
REST_SECONDS: Final = 20.0
"""For all that was sent, on a machine that is busy."""

LONG: Final = "x" * 1_500_000
DOUBLING: Final = [{"$set": {"t": {"$concat": ["$t", "$t"]}}}] * 22
ROUNDS: Final = {"$range": [0, 100_000]}


def _query(pattern: str) -> tuple[str, Any]:
    return "/v1/texts:query", {"filter": {"s": {"$regex": pattern}}}


def _aggregate(*stages: dict[str, Any]) -> tuple[str, Any]:
    return "/v1/texts:aggregate", {"pipeline": stages}


ATTACKS: Final[dict[str, tuple[int, tuple[str, Any]]]] = {
    "x*y1, 135 times": (135, _query("x*y1")),
    "x*x*y": (1, _query("x*x*y")),
    "foo.*bar": (1, _query("x.*y1")),
    "many steps": (1, _query("(?:[w-z]x){300}y")),
    "a match of what was doubled": (
        1, _aggregate(*DOUBLING, {"$set": {"a": {"$regexMatch": {"input": "$t", "regex": "<[^>]*>"}}}})
    ),
    "$regexFindAll": (1, _aggregate({"$set": {"a": {"$regexFindAll": {"input": "$s", "regex": "x*x*y"}}}})),
    "$map over a range": (1, _aggregate({"$set": {"a": {"$map": {"input": ROUNDS, "in": {"$strLenCP": "$s"}}}}})),
    "$reduce that concatenates": (
        1,
        _aggregate(
            {"$set": {"a": {"$reduce": {"input": ROUNDS, "initialValue": "", "in": {"$concat": ["$$value", "$t"]}}}}}
        ),
    ),
    "a search for a long text": (1, _aggregate({"$set": {"a": {"$indexOfBytes": ["$s", {"$concat": ["$t", "y"]}]}}})),
}  # fmt: skip


@pytest.fixture(scope="module")
def served(mongo_uri: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("long")
    with serve(folder, uri=mongo_uri, database=DATABASE, environment="production", client_share=1.0) as server:
        with server.client() as client:
            texts = [{"_id": "long", "s": LONG, "t": "<" * 1000}, {"_id": "short", "s": "x", "t": "y"}]
            assert client.post("/v1/texts", json=texts).status_code == 201
        yield server


@pytest.fixture
async def attacker(served: Server) -> AsyncGenerator[httpx.AsyncClient]:
    async with served.async_client(connections=150) as client:
        yield client


@pytest.fixture(scope="module")
def ledger(mongo_uri: str) -> Iterator[Ledger]:
    ledger = Ledger(mongo_uri, DATABASE)
    yield ledger
    ledger.close()


@pytest.mark.parametrize("name", ATTACKS)
async def test_others_are_answered_and_mongodb_rests(
    name: str, attacker: httpx.AsyncClient, served: Server, ledger: Ledger
) -> None:
    times, (path, body) = ATTACKS[name]
    answers = await asyncio.gather(*(attacker.post(path, json=body, headers=WAIT) for _ in range(times)))
    assert {answer.status_code for answer in answers} <= {200, 400, 422, 503}
    ended = time.monotonic()
    with served.client() as other:
        assert other.get("/v1/texts/short").status_code == 200
    assert time.monotonic() - ended < GET_SECONDS
    while any(operation.get("active") for operation in ledger.operations("texts")):
        assert time.monotonic() - ended < REST_SECONDS
        await asyncio.sleep(0.1)
