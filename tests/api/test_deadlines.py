"""Faults of the database and of clients: each request is answered within its time, and truthfully."""

import asyncio
import os
import re
import signal
import socket
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from documents.database.data_folder import DataFolder
from documents.database.embedded import EmbeddedMongo, acquire
from documents.database.lease import is_free
from tests.api.hostile.attack import as_json
from tests.api.hostile.witness import Ledger
from tests.faults import ALWAYS, GROUP, FailPoints, ReplyThief
from tests.server import Server, serve

pytestmark = [pytest.mark.xdist_group(GROUP), pytest.mark.alone]

DATABASE: Final = "faulty"
PLAIN: Final[dict[str, str]] = {"database": DATABASE, "environment": "production"}
"""For servers that need no sample shop, and so start sooner."""

WAIT: Final = {"Prefer": "wait=1"}
LATE_SECONDS: Final = 2.0
"""A deadline of one second, and what a busy machine may add."""

UPDATE: Final = {"Content-Type": "application/vnd.sheaf.update+json"}

# Thousands of millions of rows: MongoDB is busy with it until somebody stops it.
ENDLESS: Final = [
    {"$set": {"a": {"$range": [0, 100_000]}, "b": {"$range": [0, 100_000]}}},
    {"$unwind": "$a"},
    {"$unwind": "$b"},
    {"$group": {"_id": None, "sum": {"$sum": {"$multiply": ["$a", "$b"]}}}},
]


@pytest.fixture(scope="module")
def faults(failing_mongo: EmbeddedMongo) -> Iterator[FailPoints]:
    opened = FailPoints(failing_mongo)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def server(failing_mongo: EmbeddedMongo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serve(tmp_path_factory.mktemp("faulty"), uri=failing_mongo.uri, database=DATABASE) as started:
        yield started


@pytest.fixture
def client(server: Server) -> Iterator[httpx.Client]:
    with server.client() as opened:
        yield opened


@pytest.fixture(scope="module")
def ledger(failing_mongo: EmbeddedMongo) -> Iterator[Ledger]:
    opened = Ledger(failing_mongo.uri, DATABASE)
    yield opened
    opened.close()


@pytest.fixture
def filled(client: httpx.Client, collection: str) -> str:
    """Return a collection of ten documents."""
    documents = [{"_id": f"k{number}", "n": 0} for number in range(10)]
    assert client.post(f"/v1/{collection}", json=documents).status_code == 201
    return collection


def check_unavailable(response: httpx.Response, code: str, outcome: str | None = None) -> None:
    """See that a response is a 503 that says what a client needs to know."""
    assert response.status_code == 503, response.text
    problem = response.json()
    assert (problem["code"], problem.get("outcome")) == (code, outcome)
    assert int(response.headers["retry-after"]) >= 1


@contextmanager
def within(seconds: float) -> Generator[None]:
    """Fail when it takes longer."""
    began = time.monotonic()
    yield
    assert time.monotonic() - began <= seconds


def until(holds: Callable[[], bool], *, seconds: float) -> float:
    """Return how long it took until something held; fail when that is longer than it may be."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < seconds, "it did not come to be in time"
        time.sleep(0.01)  # MongoDB tells nobody of what it is doing
    return time.monotonic() - began


READS: Final[dict[str, tuple[str, str, Any]]] = {
    "get": ("GET", "/k1", None),
    "list": ("GET", "", None),
    "query": ("POST", ":query", {"filter": {"n": 0}}),
}
WRITES: Final[dict[str, tuple[str, str, Any, str]]] = {
    "insert": ("POST", "", {"_id": "new", "n": 0}, "insert"),
    "replace": ("PUT", "/k1", {"n": 1}, "update"),
    "merge patch": ("PATCH", "/k1", {"n": 1}, "findAndModify"),
    "delete": ("DELETE", "/k1", None, "delete"),
}


@pytest.mark.parametrize("read", READS)
def test_a_read_that_takes_too_long_ends_with_its_deadline(
    client: httpx.Client, faults: FailPoints, filled: str, read: str
) -> None:
    method, path, body = READS[read]
    with faults.failing("find", blockConnection=True, blockTimeMS=1500), within(LATE_SECONDS):
        response = client.request(method, f"/v1/{filled}{path}", json=body, headers=WAIT)
    check_unavailable(response, "deadline-exceeded")
    assert client.request(method, f"/v1/{filled}{path}", json=body).is_success


@pytest.mark.parametrize("write", WRITES)
def test_a_write_that_takes_too_long_does_not_say_that_it_failed(
    client: httpx.Client, faults: FailPoints, filled: str, write: str
) -> None:
    method, path, body, command = WRITES[write]
    with faults.failing(command, blockConnection=True, blockTimeMS=1500), within(LATE_SECONDS):
        response = client.request(method, f"/v1/{filled}{path}", json=body, headers=WAIT)
    check_unavailable(response, "deadline-exceeded", "unknown")


@pytest.mark.parametrize("read", READS)
def test_a_read_over_a_connection_that_breaks_is_done_again(
    client: httpx.Client, faults: FailPoints, filled: str, read: str
) -> None:
    method, path, body = READS[read]
    before = faults.hits()
    with faults.failing("find", closeConnection=True):
        response = client.request(method, f"/v1/{filled}{path}", json=body)
    assert response.status_code == 200, response.text
    assert faults.hits() == before + 1


@pytest.mark.parametrize("write", WRITES)
def test_a_write_over_a_connection_that_breaks_is_done_once(
    client: httpx.Client, faults: FailPoints, filled: str, write: str
) -> None:
    method, path, body, command = WRITES[write]
    before = faults.hits()
    with faults.failing(command, closeConnection=True):
        response = client.request(method, f"/v1/{filled}{path}", json=body)
    assert response.is_success, response.text
    assert faults.hits() == before + 1


def test_a_read_of_several_batches_is_done_again_as_a_whole(
    client: httpx.Client, faults: FailPoints, collection: str
) -> None:
    for number in range(18):  # more than the 16 MB that MongoDB puts into one reply
        document = {"_id": f"k{number:02}", "text": "x" * 1024 * 1024}
        response = client.post(f"/v1/{collection}", json=document, headers={"Prefer": "return=minimal"})
        assert response.status_code == 201
    found: list[str] = []
    url: str | None = f"/v1/{collection}?limit=100"
    with faults.failing("getMore", closeConnection=True):
        while url is not None:
            page = client.get(url).json()
            found += [item["_id"] for item in page["items"]]
            url = f"/v1/{collection}?limit=100&cursor={page['next']}" if page["next"] else None
    assert found == [f"k{number:02}" for number in range(18)]


@pytest.fixture
def thief(failing_mongo: EmbeddedMongo) -> Iterator[ReplyThief]:
    started = ReplyThief(failing_mongo.uri)
    yield started
    started.close()


def test_lost_replies(thief: ReplyThief, ledger: Ledger, filled: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A write of many documents whose reply is lost is not repeated; one of a single document is, and applied once."""
    collection = ledger.database[filled]
    with (
        serve(tmp_path_factory.mktemp("robbed"), uri=thief.uri, **PLAIN) as robbed,
        robbed.client() as client,
    ):
        url = f"/v1/{filled}?filter=%7B%7D"

        thief.steal("update", filled)
        check_unavailable(
            client.patch(url, content=as_json({"$inc": {"n": 1}}), headers=UPDATE), "database-unavailable", "unknown"
        )
        assert [document["n"] for document in collection.find()] == [1] * 10

        thief.steal("delete", filled)
        check_unavailable(client.delete(f"/v1/{filled}?n=1"), "database-unavailable", "unknown")
        assert collection.count_documents({}) == 0

        thief.steal("insert", filled)
        assert client.post(f"/v1/{filled}", json={"_id": "a", "n": 0}).status_code == 201
        assert collection.count_documents({}) == 1

        thief.steal("findAndModify", filled)
        increased = client.patch(f"/v1/{filled}/a", content=as_json({"$inc": {"n": 1}}), headers=UPDATE)
        assert (increased.status_code, increased.json()["n"]) == (200, 1)

        thief.steal("delete", filled)
        assert client.delete(f"/v1/{filled}/a").status_code == 204
        assert thief.stolen == 5


def test_a_database_that_stands_still(
    client: httpx.Client, failing_mongo: EmbeddedMongo, ledger: Ledger, filled: str
) -> None:
    url = f"/v1/{filled}/k1"
    os.kill(failing_mongo.pid, signal.SIGSTOP)
    try:
        with within(LATE_SECONDS):
            check_unavailable(client.get(url, headers=WAIT), "deadline-exceeded")
        with within(LATE_SECONDS):
            put = client.put(url, json={"n": 1}, headers=WAIT)
        # Whether it was sent depends on whether the collection had to be looked up again.
        assert put.json()["outcome"] in ("unknown", "not-applied")
        check_unavailable(put, "deadline-exceeded", put.json()["outcome"])
        with within(LATE_SECONDS):
            insert = client.post(f"/v1/{filled}", json={"_id": "new"}, headers=WAIT)
        assert insert.json()["outcome"] in ("unknown", "not-applied")
        check_unavailable(insert, "deadline-exceeded", insert.json()["outcome"])
        with within(LATE_SECONDS):
            assert client.get("/health/live").status_code == 200
        with within(LATE_SECONDS + 2):
            assert client.get("/health/ready").status_code == 503
    finally:
        os.kill(failing_mongo.pid, signal.SIGCONT)
    with within(5):
        assert client.put(url, json={"n": 2}).status_code == 200
        assert client.get(url).json()["n"] == 2
    assert ledger.database[filled].count_documents({}) in (10, 11), "unknown means that it may have been applied"


def test_a_database_that_dies_and_comes_back(client: httpx.Client, failing_mongo: EmbeddedMongo, filled: str) -> None:
    url = f"/v1/{filled}"
    with acquire(failing_mongo.data_dir) as lease:
        os.kill(lease.pid, signal.SIGKILL)
    until(lambda: is_free(DataFolder(failing_mongo.data_dir).running_lock), seconds=10)
    try:
        with within(LATE_SECONDS):
            read = client.get(f"{url}/k1", headers=WAIT)
        with within(LATE_SECONDS):
            write = client.post(url, json={"_id": "new"}, headers=WAIT)
    finally:
        acquire(failing_mongo.data_dir, cache_gb=0.25, parameters={"enableTestCommands": 1}).release()
    for response in (read, write):
        assert response.status_code == 503, response.text
        assert response.json()["code"] in ("database-unavailable", "deadline-exceeded")
    assert write.json()["outcome"] in ("not-applied", "unknown")
    with within(10):
        assert client.get(f"{url}/k1").json() == {"_id": "k1", "n": 0}, "what was acknowledged is there"
    assert client.post(url, json={"_id": "new"}).status_code == 201


async def test_connections_that_break_before_they_are_known_cost_nobody_an_answer(
    failing_mongo: EmbeddedMongo, faults: FailPoints, filled: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """With PyMongo's own settings, 298 of 300 operations failed here."""

    async def ask(cold: Server, caller: int) -> list[bytes]:
        reader, writer = await asyncio.open_connection(cold.host, cold.port)
        lines: list[bytes] = []
        for number in range(3):
            writer.write(_request(f"/v1/{filled}?n={caller * 3 + number}", b"", "GET"))
            head = await reader.readuntil(b"\r\n\r\n")
            lines.append(head.partition(b"\r\n")[0])
            length = re.search(rb"content-length: ([0-9]+)", head)
            assert length is not None
            await reader.readexactly(int(length[1]))
        writer.close()
        await writer.wait_closed()
        return lines

    with serve(tmp_path_factory.mktemp("cold"), uri=failing_mongo.uri, **PLAIN) as cold:
        before = faults.hits()
        with faults.failing("find", times=5, closeConnection=True):
            answers = await asyncio.gather(*(ask(cold, caller) for caller in range(100)))
    assert {line for lines in answers for line in lines} == {b"HTTP/1.1 200 OK"}
    assert faults.hits() == before + 5


def _request(path: str, body: bytes, method: str = "POST") -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


LEAVERS: Final[dict[str, tuple[str, str, bytes, str]]] = {
    "a list": ("GET", "?n=0", b"", "waitInFindBeforeMakingBatch"),
    "a list, asked for with a body that nobody reads": ("GET", "?n=0", b"{}", "waitInFindBeforeMakingBatch"),
    "a query": ("POST", ":query", b"{}", "waitInFindBeforeMakingBatch"),
    "a delete by filter": ("DELETE", "?n=0", b"", "hangDuringBatchRemove"),
    "an aggregation without end": ("POST", ":aggregate", as_json({"pipeline": ENDLESS}), "hangDuringBatchInsert"),
}


@pytest.mark.parametrize("name", LEAVERS)
def test_a_client_that_leaves_takes_its_work_along(
    server: Server, faults: FailPoints, ledger: Ledger, filled: str, name: str
) -> None:
    method, path, body, point = LEAVERS[name]
    with faults.hanging(point, f"{DATABASE}.{filled}"):
        with socket.create_connection((server.host, server.port)) as connection:
            connection.sendall(_request(f"/v1/{filled}{path}", body, method))
            until(lambda: bool(ledger.operations(filled)), seconds=5)
        until(lambda: not ledger.operations(filled), seconds=1)


def test_a_full_server_says_so_at_once_and_lives(
    failing_mongo: EmbeddedMongo, faults: FailPoints, filled: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    served = serve(tmp_path_factory.mktemp("full"), uri=failing_mongo.uri, **PLAIN, max_concurrency=4, client_share=1)
    with served as full, full.client() as client:
        request = _request(f"/v1/{filled}?n=0", b"", "GET")
        with faults.failing("find", times=ALWAYS, blockConnection=True, blockTimeMS=2000):
            connections = [socket.create_connection((full.host, full.port)) for _ in range(4)]
            before = faults.hits()
            for connection in connections:
                connection.sendall(request)
            until(lambda: faults.hits() == before + 4, seconds=2)
            for _ in range(5):
                with within(0.5):
                    check_unavailable(client.get(f"/v1/{filled}/k1"), "overloaded", "not-applied")
                with within(0.5):
                    assert client.get("/health/live").status_code == 200
        for connection in connections:
            connection.close()
        until(lambda: client.get(f"/v1/{filled}/k1").status_code == 200, seconds=2)


async def test_among_inserts_at_the_same_moment_only_the_bad_ones_fail(server: Server, collection: str) -> None:
    async with server.async_client() as client:
        assert (await client.post(f"/v1/{collection}", json={"_id": "k0"})).status_code == 201
        ids = [f"k{number // 2}" for number in range(60)]
        responses = await asyncio.gather(*(client.post(f"/v1/{collection}", json={"_id": each}) for each in ids))
        stored = (await client.get(f"/v1/{collection}?limit=100")).json()["items"]
    statuses: dict[str, list[int]] = {}
    for each, response in zip(ids, responses, strict=True):
        statuses.setdefault(each, []).append(response.status_code)
    assert statuses.pop("k0") == [409, 409]
    assert {tuple(sorted(each)) for each in statuses.values()} == {(201, 409)}
    assert sorted(item["_id"] for item in stored) == sorted(set(ids))


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_server_that_is_told_to_stop_fails_nobody(
    failing_mongo: EmbeddedMongo, filled: str, tmp_path_factory: pytest.TempPathFactory, workers: int
) -> None:
    outcomes: list[int | str] = []

    async def ask(client: httpx.AsyncClient, number: int) -> None:
        while True:
            try:
                if number % 2:
                    response = await client.get(f"/v1/{filled}/k1")
                else:
                    response = await client.post(f"/v1/{filled}-new", json={"n": number})
            except httpx.ConnectError:
                return  # the door is closed: this request was not accepted
            except httpx.TransportError as error:
                outcomes.append(repr(error))
                return
            outcomes.append(response.status_code)

    folder = tmp_path_factory.mktemp("stopping")
    with serve(folder, uri=failing_mongo.uri, workers=workers, **PLAIN) as stopping:
        async with stopping.async_client(connections=16) as client:
            until(lambda: httpx.get(f"{stopping.base_url}/health/ready", timeout=30).is_success, seconds=30)
            asking = [asyncio.ensure_future(ask(client, number)) for number in range(16)]
            while len(outcomes) < 100:  # noqa: ASYNC110  # whoever answers first, it is the number that counts
                await asyncio.sleep(0.01)
            stopping.process.send_signal(signal.SIGTERM)
            await asyncio.gather(*asking)
        assert stopping.process.wait(20) == 0
    assert set(outcomes) <= {200, 201}, [outcome for outcome in outcomes if outcome not in (200, 201)]


def test_a_request_that_has_begun_is_finished(
    failing_mongo: EmbeddedMongo, faults: FailPoints, filled: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with (
        serve(tmp_path_factory.mktemp("slow"), uri=failing_mongo.uri, **PLAIN) as stopping,
        socket.create_connection((stopping.host, stopping.port)) as connection,
    ):
        before = faults.hits()
        with faults.failing("find", blockConnection=True, blockTimeMS=1500):
            connection.sendall(_request(f"/v1/{filled}?n=0", b"", "GET"))
            until(lambda: faults.hits() == before + 1, seconds=2)
            stopping.process.send_signal(signal.SIGTERM)
            assert connection.recv(65536).startswith(b"HTTP/1.1 200 OK")


def test_stopping_stops_the_embedded_database_too(tmp_path: Path) -> None:
    with serve(tmp_path, uri=None) as own:
        own.stop(signal.SIGTERM)
        assert is_free(DataFolder(tmp_path / "data").running_lock)
