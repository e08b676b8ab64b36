"""Without a primary: what was never sent says so, within its time, and readiness names the reason."""

import signal
import time
from collections.abc import Iterator
from typing import Any, Final

import httpx
import pytest

from tests.replica_set import ReplicaSet
from tests.server import Server, serve

pytestmark = [pytest.mark.alone]

LATE_SECONDS: Final = 2.0
UPDATE: Final = {"Content-Type": "application/vnd.sheaf.update+json"}

WRITES: Final[dict[str, tuple[str, str, Any, dict[str, str]]]] = {
    "insert": ("POST", "", {"n": 1}, {}),
    "insert of several": ("POST", "", [{"n": 1}, {"n": 2}], {}),
    "replace": ("PUT", "/k1", {"n": 1}, {}),
    "merge patch": ("PATCH", "/k1", {"n": 1}, {}),
    "update": ("PATCH", "/k1", {"$inc": {"n": 1}}, UPDATE),
    "delete": ("DELETE", "/k1", None, {}),
    "update by filter": ("PATCH", "?n=0", {"$set": {"n": 1}}, UPDATE),
    "delete by filter": ("DELETE", "?n=0", None, {}),
    "bulk": ("POST", ":bulk", [{"insert": {"n": 1}}], {}),
    "contract": ("PUT", ":contract", {"mode": "open", "schema": {}}, {}),
    "load": ("POST", ":ingest?format=ndjson", {"n": 1}, {"Content-Type": "application/x-ndjson"}),
}
READS: Final[dict[str, tuple[str, str, Any, dict[str, str]]]] = {
    "get": ("GET", "/k1", None, {}),
    "list": ("GET", "?limit=2", None, {}),
    "query": ("POST", ":query", {"filter": {"n": 0}}, {}),
    "aggregate": ("POST", ":aggregate", {"pipeline": []}, {}),
}


@pytest.fixture(scope="module")
def lost(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, ReplicaSet]]:
    """Return a server whose replica set has lost two of its three members."""
    with (
        ReplicaSet(tmp_path_factory.mktemp("set")) as members,
        serve(
            tmp_path_factory.mktemp("served"), uri=members.uri, environment="production", request_timeout=1
        ) as server,
        server.client() as client,
    ):
        assert client.put("/v1/lost/k1", json={"n": 0}).is_success
        primary = members.wait_for_primary()
        for member in [primary, *(each for each in members.members if each is not primary)][:2]:
            member.signal(signal.SIGKILL)
        yield server, members


@pytest.fixture(scope="module")
def client(lost: tuple[Server, ReplicaSet]) -> Iterator[httpx.Client]:
    with lost[0].client() as opened:
        yield opened


def test_readiness_says_no_primary(client: httpx.Client) -> None:
    began = time.monotonic()
    response = client.get("/health/ready")
    assert (response.status_code, response.json()) == (503, {"status": "no-primary"})
    assert time.monotonic() - began < LATE_SECONDS


@pytest.mark.parametrize("case", [*WRITES, *READS])
def test_it_is_told_truly_and_in_time(client: httpx.Client, case: str) -> None:
    method, path, body, headers = {**WRITES, **READS}[case]
    began = time.monotonic()
    response = client.request(method, f"/v1/lost{path}", json=body, headers=headers)
    assert time.monotonic() - began < LATE_SECONDS
    assert response.status_code == 503, response.text
    problem = response.json()
    outcome = "not-applied" if case in WRITES else None
    assert (problem["code"], problem.get("outcome")) == ("database-unavailable", outcome), problem


def test_it_serves_again(client: httpx.Client, lost: tuple[Server, ReplicaSet]) -> None:
    _, members = lost
    for member in members.members:
        member.start()
    members.wait_for_primary()
    began = time.monotonic()
    while not client.put("/v1/lost/k2", json={"n": 0}).is_success:
        assert time.monotonic() - began < 10, "it never comes back"
    assert client.get("/health/ready").is_success
