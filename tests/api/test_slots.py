"""Slow and greedy clients leave room for others: budgets by kind of request, shares by address, floors of speed."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest

from api.slots import Kind, Slots, kind_of
from documents.ingest.runner import AT_ONCE
from tests.api.hostile.attack import receive
from tests.server import Server, serve

pytestmark = pytest.mark.alone

HEAD = b" HTTP/1.1\r\nHost: 127.0.0.1\r\n"
UPLOAD = b"POST /v1/slow:ingest" + HEAD + b"Content-Type: application/x-ndjson\r\nContent-Length: 1000000\r\n\r\n{"
EXPORT = b"GET /v1/large:export" + HEAD + b"\r\n"
PAGE = b"GET /v1/large?limit=1000" + HEAD + b"\r\n"


@pytest.fixture(scope="module")
def narrow(mongo_uri: str, worker_id: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return a server with few slots and little patience."""
    limits = {"max_exports": 4, "max_uploads": 4, "client_share": 0.5, "request_timeout": "PT3S"}
    more = {"max_unsent_bytes": 8_000_000, "min_bytes_per_second": 20_000, "max_connections": 80}
    folder = tmp_path_factory.mktemp("narrow")
    with serve(folder, uri=mongo_uri, database=f"narrow_{worker_id}", **limits, **more) as server:
        with server.client() as client:
            for _ in range(8):
                body = [{"text": "x" * 4000} for _ in range(1000)]
                assert client.post("/v1/large", json=body).status_code == 201
        yield server


@pytest.fixture
def open_sockets() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def connect(narrow: Server, stack: ExitStack, data: bytes) -> socket.socket:
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(30)
    connection.connect(("127.0.0.1", narrow.port))
    connection.sendall(data)
    return stack.enter_context(connection)


def is_cut(connection: socket.socket, within: float) -> bool:
    """Tell whether the server closes a connection whose client reads nothing."""
    until = time.monotonic() + within
    while time.monotonic() < until:
        try:
            connection.send(b"x")  # the kernel answers with a reset once the other side is gone
        except OSError:
            return True
        time.sleep(0.2)
    return False


@pytest.mark.parametrize("data", [UPLOAD, EXPORT], ids=["upload", "export"])
def test_long_requests_of_one_address_have_a_share_and_leave_the_rest(
    narrow: Server, open_sockets: ExitStack, data: bytes
) -> None:
    held = [connect(narrow, open_sockets, data) for _ in range(2)]
    if data == EXPORT:
        for connection in held:
            assert connection.recv(12) == b"HTTP/1.1 200"
    else:
        time.sleep(0.5)  # nothing tells when a body has begun to be read
    answer = receive(connect(narrow, open_sockets, data))
    assert (answer.status, answer.problem["code"]) == (429, "too-many-requests")
    assert answer.headers["retry-after"]
    with narrow.client() as client:
        assert client.get("/v1/large?limit=1").status_code == 200


def test_an_upload_that_dawdles_is_cut(narrow: Server, open_sockets: ExitStack) -> None:
    connection = connect(narrow, open_sockets, UPLOAD)
    began = time.monotonic()
    connection.settimeout(0.2)
    received = b""
    while not received and time.monotonic() - began < 20:
        connection.send(b" ")
        try:
            received = connection.recv(4096)
        except TimeoutError:
            continue
    assert received.startswith(b"HTTP/1.1 408"), received
    assert b"request-timeout" in received


def test_uploads_that_dawdle_hold_up_no_load(server: Server, open_sockets: ExitStack) -> None:
    line = b'{"text": "' + b"x" * 1000 + b'"}\n'
    head = (
        b"POST /v1/dawdled:ingest" + HEAD + b"Content-Type: application/x-ndjson\r\nContent-Length: 100000000\r\n\r\n"
    )
    for _ in range(AT_ONCE + 1):
        connect(server, open_sockets, head + line * 3000)
    with server.client(seconds=60) as client:
        until = time.monotonic() + 30
        while len(working(client)) < AT_ONCE:
            assert time.monotonic() < until, "the uploads are not worked on"
            time.sleep(0.1)
        headers = {"Content-Type": "application/x-ndjson"}
        answer = client.post("/v1/whole:ingest", content=line * 3000, headers=headers)
        job = answer.json()["id"]
        until = time.monotonic() + 30
        while (report := client.get(f"/jobs/{job}").json())["state"] != "done":
            assert time.monotonic() < until, report
            time.sleep(0.1)
        assert report["written"] == 3000


def working(client: httpx.Client) -> list[Any]:
    jobs = client.get("/jobs?collection=dawdled").json()["items"]
    return [job for job in jobs if job["received"] > 1000]


def test_a_reader_that_reads_nothing_is_cut(narrow: Server, open_sockets: ExitStack) -> None:
    connection = connect(narrow, open_sockets, EXPORT)
    assert connection.recv(12) == b"HTTP/1.1 200"
    assert is_cut(connection, 40)


def test_unread_answers_are_bounded(narrow: Server, open_sockets: ExitStack) -> None:
    readers = [connect(narrow, open_sockets, PAGE) for _ in range(8)]
    time.sleep(2)
    assert any(is_cut(reader, 1) for reader in readers[:4])


def test_connections_are_bounded(narrow: Server, open_sockets: ExitStack) -> None:
    answers: list[bytes] = []
    for _ in range(50):
        connection = connect(narrow, open_sockets, b"")
        connection.settimeout(0.05)
        try:
            answers.append(connection.recv(12))
        except TimeoutError:
            answers.append(b"")
    assert answers.count(b"HTTP/1.1 429") >= 5
    assert answers[:20] == [b""] * 20


@pytest.mark.parametrize(
    ("method", "path", "kind"),
    [
        ("POST", "/v1/a:ingest", Kind.UPLOAD),
        ("PATCH", "/jobs/1", Kind.UPLOAD),
        ("GET", "/v1/a:export", Kind.ANSWER),
        ("GET", "/v1/a:quarantine", Kind.ANSWER),
        ("HEAD", "/v1/a:export", Kind.SHORT),
        ("PATCH", "/v1/a/1", Kind.SHORT),
        ("GET", "/v1/a/x:ingest", Kind.SHORT),
        ("GET", "/jobs/1", Kind.SHORT),
    ],
)
def test_kinds(method: str, path: str, kind: Kind) -> None:
    assert kind_of({"method": method, "path": path}) is kind


def test_a_full_budget_is_the_server_s_fault_and_a_full_share_the_caller_s() -> None:
    slots = Slots(dict.fromkeys(Kind, 4), 0.5)
    for caller in ("a", "a", "b"):
        assert slots.objection(Kind.SHORT, caller) is None
        slots.take(Kind.SHORT, caller)
    assert getattr(slots.objection(Kind.SHORT, "a"), "code", None) == "too-many-requests"
    assert slots.objection(Kind.SHORT, "b") is None
    slots.take(Kind.SHORT, "b")
    assert getattr(slots.objection(Kind.SHORT, "c"), "code", None) == "overloaded"
    assert slots.objection(Kind.UPLOAD, "a") is None
    slots.give_back(Kind.SHORT, "a")
    assert slots.objection(Kind.SHORT, "c") is None
