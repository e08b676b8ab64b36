"""What became of a write is told truly, whatever fails: never 500, and an outcome that agrees with what is stored."""

import socket
import time
from collections.abc import Iterator, Mapping
from typing import Any, Final

import httpx
import pytest

from tests.api.hostile.witness import Ledger
from tests.faults import ALWAYS, GROUP, FailPoints
from tests.server import Server, serve

pytestmark = [pytest.mark.xdist_group(GROUP), pytest.mark.alone]

DATABASE: Final = "truth"
UPDATE: Final = {"Content-Type": "application/vnd.sheaf.update+json"}
MARKER: Final = "m4rker-of-a-document"

WRITES: Final[dict[str, tuple[str, str, Any, Mapping[str, str], tuple[str, ...]]]] = {
    "insert": ("POST", "", {"_id": "new", "n": 1}, {}, ("insert",)),
    "insert of several": ("POST", "", [{"_id": "new"}, {"_id": "newer"}], {}, ("insert",)),
    "replace": ("PUT", "/k1", {"n": 1}, {}, ("update",)),
    "merge patch": ("PATCH", "/k1", {"n": 1}, {}, ("update",)),
    "update": ("PATCH", "/k1", {"$inc": {"n": 1}}, UPDATE, ("findAndModify",)),
    "delete": ("DELETE", "/k1", None, {}, ("delete",)),
    "update by filter": ("PATCH", "?n=0", {"$inc": {"n": 1}}, UPDATE, ("update",)),
    "delete by filter": ("DELETE", "?n=0", None, {}, ("delete",)),
    "bulk": (
        "POST",
        ":bulk",
        [{"op": "insert", "document": {"_id": "new"}}, {"op": "delete", "id": "k1"}],
        {},
        ("insert", "delete"),
    ),
    "transaction": ("POST", "1", None, {}, ("insert", "commitTransaction")),
}
ALL: Final = ("insert", "update", "findAndModify", "delete", "commitTransaction")
RETRYABLE: Final = ["RetryableWriteError"]

FAULTS: Final[dict[str, dict[str, Any]]] = {
    "connection closed once": {"closeConnection": True},
    "connection closed each time": {"closeConnection": True, "times": ALWAYS},
    "not primary, each time": {"errorCode": 10107, "errorLabels": RETRYABLE, "times": ALWAYS},
    "stepped down, without labels": {"errorCode": 189, "errorLabels": [], "times": ALWAYS},
    "shutdown in progress": {"errorCode": 91, "errorLabels": RETRYABLE, "times": ALWAYS},
    "write conflict": {"errorCode": 112, "times": ALWAYS},
    "unauthorized": {"errorCode": 13},
    "a code that nobody knows": {"errorCode": 9999},
    "interrupted": {"errorCode": 11601},
    "time limit": {"errorCode": 50},
    "network time-out": {"blockConnection": True, "blockTimeMS": 1500},
    "write concern": {"writeConcernError": {"code": 64, "errmsg": MARKER}},
    "write concern with labels": {
        "writeConcernError": {"code": 91, "errmsg": MARKER},
        "errorLabels": RETRYABLE,
        "times": ALWAYS,
    },
    "write concern of another kind": {"writeConcernError": {"code": 100, "errmsg": MARKER}, "errorLabels": []},
}


@pytest.fixture(scope="module")
def faults(failing_mongo: Any) -> Iterator[FailPoints]:
    opened = FailPoints(failing_mongo)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def server(failing_mongo: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("truth")
    # After a made-up shutdown the driver hears of the same, unchanged primary with its next heartbeat.
    uri = f"{failing_mongo.uri}&heartbeatFrequencyMS=500"
    with serve(folder, uri=uri, database=DATABASE, environment="production") as started:
        yield started


@pytest.fixture(scope="module")
def ledger(failing_mongo: Any) -> Iterator[Ledger]:
    opened = Ledger(failing_mongo.uri, DATABASE)
    yield opened
    opened.close()


@pytest.fixture
def client(server: Server) -> Iterator[httpx.Client]:
    with server.client() as opened:
        yield opened


def state(ledger: Ledger, collection: str) -> list[dict[str, Any]]:
    return sorted(ledger.database[collection].find(), key=lambda document: str(document["_id"]))


def check_outcome(problem: Mapping[str, Any], *, changed: bool) -> None:
    """See that what a write says of itself agrees with what is stored."""
    assert problem["status"] != 500, problem
    if problem["status"] == 503:
        assert problem["outcome"] in ("not-applied", "unknown"), problem
    assert not changed or problem.get("outcome") == "unknown", problem


def await_primary(client: httpx.Client) -> None:
    """Wait until the server knows its primary again."""
    until = time.monotonic() + 20
    while client.get("/health/ready").status_code != 200 and time.monotonic() < until:
        time.sleep(0.1)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("write", WRITES)
def test_a_write_that_fails(  # noqa: PLR0917  # fixtures
    server: Server, client: httpx.Client, faults: FailPoints, ledger: Ledger, collection: str, write: str, fault: str
) -> None:
    method, path, body, headers, _ = WRITES[write]
    await_primary(client)
    made = client.post(f"/v1/{collection}", json=[{"_id": "k1", "n": 0}, {"_id": "k2", "n": 0}])
    assert made.status_code == 201, made.text
    url = f"/v1/{collection}{path}"
    if write == "transaction":
        url, body = "/v1:transaction", [{"op": "insert", "collection": collection, "document": {"_id": "new"}}]
    before, how = state(ledger, collection), dict(FAULTS[fault])
    with faults.failing(*ALL, times=how.pop("times", 1), **how):
        response = client.request(method, url, json=body, headers={"Prefer": "wait=1", **headers})
    changed = state(ledger, collection) != before
    assert response.status_code != 500, "".join(server.said)
    assert MARKER not in response.text
    if response.status_code == 207:
        failed = [item["error"] for item in response.json()["items"] if "error" in item]
        for problem in failed:
            check_outcome(problem, changed=False)
    elif response.is_success:
        assert changed
    else:
        check_outcome(response.json(), changed=changed)


def test_a_read_only_server_says_so_of_many_writes_as_of_one(
    failing_mongo: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("reading")
    with serve(folder, uri=failing_mongo.uri, database=DATABASE, read_only=True) as reading, reading.client() as client:
        bulk: list[Any] = [{"op": "insert", "document": {}}, {"op": "delete", "id": "a"}]
        requests: list[tuple[str, Any]] = [("", {}), ("", [{}, {}]), (":bulk", bulk)]
        for path, body in requests:
            response = client.post(f"/v1/things{path}", json=body)
            assert (response.status_code, response.json()["code"]) == (403, "forbidden"), path


def exchange(server: Server, request: bytes, *, half_closed: bool = False) -> bytes:
    """Return the answer to bytes, whole."""
    with socket.create_connection((server.host, server.port), timeout=10) as connection:
        connection.sendall(request)
        if half_closed:
            connection.shutdown(socket.SHUT_WR)
        answer = b""
        while more := connection.recv(65536):
            answer += more
            if not half_closed and b"\r\n\r\n" in answer:
                break
    return answer


def test_a_length_of_thousands_of_digits(server: Server, collection: str) -> None:
    head = f"POST /v1/{collection} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: "
    answer = exchange(server, head.encode() + b"9" * 5001 + b"\r\n\r\n")
    assert answer[:12] in (b"HTTP/1.1 400", b"HTTP/1.1 413"), answer[:200]


def test_a_chain_of_references(client: httpx.Client, collection: str) -> None:
    chain = {f"d{number}": {"$ref": f"#/$defs/d{number + 1}"} for number in range(330)} | {"d330": {}}
    schema = {"properties": {"a": {"$ref": "#/$defs/d0"}}, "$defs": chain}
    response = client.put(f"/v1/{collection}:contract", json={"schema": schema})
    assert (response.status_code, response.json()["faults"][0]["code"]) == (422, "too-deep")


def test_a_half_closed_request_is_answered(server: Server, collection: str) -> None:
    head = f"POST /v1/{collection} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 2"
    assert exchange(server, head.encode() + b"\r\n\r\n{}", half_closed=True).startswith(b"HTTP/1.1 201")


def test_clients_that_abort_leave_nothing_in_the_log(server: Server, client: httpx.Client, collection: str) -> None:
    body = b'{"a": "' + MARKER.encode() + b'"}'
    requests = (
        f"POST /v1/{collection} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 99",
        f"POST /v1/{collection} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(body)}",
        f"POST /v1/{collection}:ingest HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-ndjson\r\nContent-Length: 99",
        f"POST /v1/{collection}:aggregate HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 99",
        f"GET /v1/{collection}:export?x={MARKER} HTTP/1.1\r\nHost: 127.0.0.1",
        f"GET /v1/{collection}?a={MARKER} HTTP/1.1\r\nHost: 127.0.0.1",
    )
    for request in requests:
        for rude in (True, False):
            connection = socket.create_connection((server.host, server.port))
            if rude:  # a reset in place of a farewell
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            connection.sendall(request.encode() + b"\r\n\r\n" + body)
            connection.close()
    assert client.get(f"/v1/{collection}?limit=1").is_success
    assert "Traceback" not in "".join(server.said)


def test_no_document_is_in_the_log(server: Server, client: httpx.Client, faults: FailPoints, collection: str) -> None:
    """Last, so that all that was said before is looked at, too."""
    client.post(f"/v1/{collection}", json={"_id": MARKER, "a": MARKER})
    for fault in FAULTS.values():
        how = dict(fault)
        with faults.failing(*ALL, "find", "aggregate", times=how.pop("times", 1), **how):
            wait = {"Prefer": "wait=1"}
            client.post(f"/v1/{collection}", json={"a": MARKER}, headers=wait)
            client.put(f"/v1/{collection}/{MARKER}", json={"a": MARKER}, headers=wait)
            client.get(f"/v1/{collection}?a={MARKER}", headers=wait)
            client.post(f"/v1/{collection}:aggregate", json=[{"$match": {"a": MARKER}}], headers=wait)
    assert MARKER not in "".join(server.said)
