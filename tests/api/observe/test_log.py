"""The log of a real server: one line an event, what stands in it, and what must not."""

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from documents.collections.slow_queries import summarize_plan
from tests.server import Server, serve

MARKER: Final = "m4rker-of-a-document"
TRACE: Final = "4bf92f3577b34da6a3ce929d0e0e4736"
PATIENCE_SECONDS: Final = 20


@pytest.fixture(scope="module")
def logged(mongo_uri: str, worker_id: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return a server for which every query is slow."""
    database = f"logged_{worker_id}"
    with serve(
        tmp_path_factory.mktemp("logged"), uri=mongo_uri, database=database, slow_query_seconds=0.000001
    ) as started:
        yield started


def lines_of(server: Server) -> list[dict[str, Any]]:
    return [json.loads(line) for line in server.said if line.startswith("{")]


def line_where(server: Server, fits: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Return a line that fits, once it is there."""
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        for line in lines_of(server):
            if fits(line):
                return line
        time.sleep(0.02)
    pytest.fail("".join(server.said))


def test_a_request_has_a_line(logged: Server) -> None:
    with logged.client() as client:
        client.post("/v1/lined", json={"_id": "a", "n": 1})
        headers = {"X-Request-ID": "mine-1", "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
        answer = client.get("/v1/lined/a", headers=headers)
    assert answer.headers["x-request-id"] == "mine-1"
    line = line_where(logged, lambda line: line.get("request_id") == "mine-1")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"])
    numbers = {name: line.pop(name) for name in ("time", "ms", "processor_ms", "database_ms")}
    assert 0 < numbers["processor_ms"] <= numbers["ms"]
    assert 0 < numbers["database_ms"] <= numbers["ms"]
    assert line == {
        "level": "info",
        "event": "request",
        "method": "GET",
        "route": "/v1/{collection}/{id}",
        "collection": "lined",
        "status": 200,
        "principal": "full",
        "documents": 1,
        "bytes": len(answer.content),
        "request_id": "mine-1",
        "trace_id": TRACE,
    }


@pytest.mark.parametrize("given", ["", "a b", "x" * 129, '"', "a\tb", "ä", "-a", "{}"])
def test_an_id_that_is_none_is_replaced(logged: Server, given: str) -> None:
    with logged.client() as client:
        answered = client.get("/health/live", headers=[(b"X-Request-ID", given.encode())]).headers["x-request-id"]
    assert answered != given
    assert re.fullmatch(r"[0-9a-f]{12}-[0-9a-f]+", answered)


def test_times_are_shown_to_those_who_ask(logged: Server) -> None:
    with logged.client() as client:
        assert "server-timing" not in client.get("/v1/lined").headers
        shown = client.get("/v1/lined", headers={"Prefer": "wait=5, timing"}).headers["server-timing"]
    assert re.fullmatch(r"db;dur=\d+\.\d\d, total;dur=\d+\.\d\d", shown)


def test_a_slow_query_is_logged_with_its_plan(logged: Server) -> None:
    with logged.client() as client:
        client.post("/v1/slow", json={"_id": "a", "name": MARKER})
        client.get("/v1/slow", params={"name": MARKER, "sort": "-n"}, headers={"X-Request-ID": "slow-1"})
    line = line_where(logged, lambda line: line.get("request_id") == "slow-1" and "shape" in line)
    assert (line["level"], line["event"], line["collection"]) == ("warning", "A query was slow.", "slow")
    assert line["shape"] == "equal name; sorted by -n"
    assert "COLLSCAN" in line["plan"]


REQUESTS_WITH_CONTENT: Final[list[tuple[str, str, dict[str, Any]]]] = [
    ("POST", "/v1/kept", {"json": {"_id": MARKER, "a": MARKER}}),
    ("POST", "/v1/kept", {"json": {"_id": MARKER, "a": MARKER}}),
    ("POST", "/v1/kept", {"json": [{"_id": MARKER, "a": MARKER}]}),
    ("GET", f"/v1/kept/{MARKER}", {}),
    ("GET", "/v1/kept", {"params": {"a": MARKER}}),
    ("GET", "/v1/kept", {"params": {"cursor": MARKER}}),
    ("GET", "/v1/kept", {"params": {"q": MARKER}}),
    ("POST", "/v1/kept:query", {"json": {"filter": {"a": MARKER}}}),
    ("POST", "/v1/kept:aggregate", {"json": {"pipeline": [{"$match": {"a": MARKER}}]}}),
    ("POST", "/v1/kept", {"content": f'{{"a": {MARKER}'}),
    ("GET", "/v1/kept", {"headers": {"Authorization": f"Bearer {MARKER}"}}),
    ("GET", "/v1/kept", {"headers": {"X-Request-ID": f"{MARKER} {MARKER}"}}),
    ("GET", "/v1/kept", {"headers": {"traceparent": MARKER}}),
    ("GET", f"/{MARKER}/{MARKER}", {}),
    ("PATCH", f"/v1/kept/{MARKER}", {"json": {"b": MARKER}}),
    ("DELETE", f"/v1/kept/{MARKER}", {}),
]


def test_nothing_of_a_document_is_in_it(logged: Server) -> None:
    with logged.client() as client:
        for method, address, more in REQUESTS_WITH_CONTENT:
            client.request(method, address, **more)
        client.get("/health/live", headers={"X-Request-ID": "last-1"})
    line_where(logged, lambda line: line.get("request_id") == "last-1")
    assert not [line for line in logged.said if MARKER in line]


def test_what_fails_on_our_side_says_why(mongo_uri: str, tmp_path: Path) -> None:
    (tmp_path / "routes").mkdir()
    (tmp_path / "routes" / "failing.py").write_text(
        "from fastapi import APIRouter\nrouter = APIRouter()\n"
        f"@router.get('/failing')\nasync def failing() -> None:\n    raise ValueError('{MARKER}')\n"
    )
    impatient = {"access_log": False, "request_timeout": "0.00001"}
    with (
        serve(tmp_path, uri=mongo_uri, database="failing", project=tmp_path, prepare="", **impatient) as server,
        server.client() as client,
    ):
        assert client.get("/health/live").status_code == 200
        answer = client.get("/failing", headers={"X-Request-ID": "fails-1"})
        assert (answer.status_code, "fails-1" in answer.json()["detail"]) == (500, True)
        late = client.get("/v1/things", headers={"X-Request-ID": "late-1"})
        assert late.status_code == 503
        line = line_where(server, lambda line: line.get("request_id") == "late-1")
        assert (line["level"], line["status"], line["code"]) == ("warning", 503, "deadline-exceeded")
        assert line["reason"]
        line = line_where(server, lambda line: line.get("exception") == "ValueError")
        assert (line["request_id"], line["level"]) == ("fails-1", "error")
        assert "failing.py:5 failing" in line["stack"][-1]
        line = line_where(server, lambda line: line.get("event") == "request" and line["request_id"] == "fails-1")
        assert (line["route"], line["status"], line["code"]) == ("/failing", 500, "internal-error")
        assert not [line for line in lines_of(server) if line.get("status") == 200]
        assert not [line for line in server.said if MARKER in line]


def test_for_people_it_is_text(mongo_uri: str, tmp_path: Path) -> None:
    with serve(tmp_path, uri=mongo_uri, database="texts", prepare="", log_format="text") as server:
        with server.client() as client:
            client.get("/v1/things/a%0Ab", headers={"X-Request-ID": "text-1"})
        until = time.monotonic() + PATIENCE_SECONDS
        while not (lines := [line for line in server.said if "text-1" in line]) and time.monotonic() < until:
            time.sleep(0.02)
    [line] = lines
    assert "request" in line
    assert "status=404" in line


def test_a_worker_that_died_is_told_of(mongo_uri: str, tmp_path: Path) -> None:
    with serve(tmp_path, uri=mongo_uri, database="dying", prepare="", workers=2) as server:
        with server.client(seconds=60) as client:
            assert client.get("/health/live").status_code == 200
        children = subprocess.run(["pgrep", "-P", str(server.pid)], capture_output=True, text=True, check=True).stdout
        workers = [pid for pid in map(int, children.split()) if "spawn_main" in command_of(pid)]
        os.kill(workers[0], signal.SIGKILL)
        line = line_where(server, lambda line: "died" in line["event"])
        assert line["event"] == f"Worker {workers[0]} died: killed by SIGKILL. Another one is started."
        assert line["level"] == "error"


def command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text("utf-8")
    except OSError:
        return ""


@pytest.mark.parametrize(
    ("explained", "plan"),
    [
        ({"queryPlanner": {"winningPlan": {"stage": "COLLSCAN"}}}, "COLLSCAN"),
        (
            {
                "queryPlanner": {
                    "winningPlan": {
                        "queryPlan": {
                            "stage": "SORT",
                            "inputStage": {"stage": "FETCH", "inputStage": {"stage": "IXSCAN", "indexName": "price_1"}},
                        },
                        "slotBasedPlan": {"stages": "…"},
                    },
                    "rejectedPlans": [{"stage": "OTHER"}],
                }
            },
            "SORT < FETCH < IXSCAN price_1",
        ),
        (
            {
                "queryPlanner": {
                    "winningPlan": {
                        "stage": "SHARD_MERGE",
                        "shards": [{"winningPlan": {"stage": "COLLSCAN"}}, {"winningPlan": {"stage": "EOF"}}],
                    }
                }
            },
            "COLLSCAN; EOF",
        ),
        ({}, ""),
    ],
)
def test_a_plan_in_a_few_words(explained: dict[str, Any], plan: str) -> None:
    assert summarize_plan(explained) == plan
