"""Loads over HTTP, as the tests ask for them."""

import asyncio
import socket
import time
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote

import httpx
import orjson

from tests.server import Server

NDJSON: Final = {"content-type": "application/x-ndjson"}
PART: Final = {"content-type": "application/partial-upload"}
DONE_SECONDS: Final = 60.0

Report = dict[str, Any]


def ndjson(*documents: Mapping[str, Any]) -> bytes:
    return b"".join(orjson.dumps(document) + b"\n" for document in documents)


def people(count: int, *, width: int = 400) -> bytes:
    """Return lines of about `width` bytes."""
    return ndjson(*({"n": number, "text": "x" * (width - 30)} for number in range(count)))


def balanced(report: Report) -> Report:
    """Return a report that accounts for each record."""
    assert report["received"] == report["written"] + report["duplicates"] + report["quarantined"], report
    assert report["received"] == report["valid"] + report["quarantined"], report
    return report


def counts(report: Report, *names: str) -> tuple[int, ...]:
    return tuple(balanced(report)[name] for name in names)


async def ingest(
    client: httpx.AsyncClient,
    collection: str,
    body: bytes,
    *,
    status: int = 200,
    headers: Mapping[str, str] = NDJSON,
    **parameters: str,
) -> Report:
    """Send some records, and return the report of the load."""
    response = await client.post(f"/v1/{collection}:ingest", params=parameters, content=body, headers=dict(headers))
    assert response.status_code == status, response.text
    return balanced(response.json())


async def until_done(client: httpx.AsyncClient, job: str) -> Report:
    """Return the report of a job that is done."""
    async with asyncio.timeout(DONE_SECONDS):
        while (report := (await client.get(f"/jobs/{job}")).json())["state"] in ("receiving", "running", "waiting"):
            pass  # asks again
    return balanced(report)


def until(client: httpx.Client, path: str, **wanted: Any) -> Report:
    """Return the first job of a list when it is as wanted; an `upload_offset` may also be greater."""
    ends = time.monotonic() + DONE_SECONDS
    report: Report = {}
    while time.monotonic() < ends:
        found: list[Report] = client.get(path).json()["items"]
        report = found[0] if found else {}
        if report and "upload_offset" in wanted:
            report = client.get(f"/jobs/{report['id']}").json()
        if report and all(
            (report[name] or 0) >= value if name == "upload_offset" else report[name] == value
            for name, value in wanted.items()
        ):
            return report
        time.sleep(0.02)
    raise AssertionError(report)


class Wire:
    """A connection over which a body is sent in parts, or not to its end.

    Args:
        server: Whom to.
        path: Of the `POST`.
        length: That is announced; None for chunks.
    """

    def __init__(self, server: Server, path: str, *, length: int | None = None) -> None:
        self._is_chunked = length is None
        self._socket = socket.create_connection((server.host, server.port), timeout=DONE_SECONDS)
        size = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
        head = f"POST {quote(path, safe='/:?=&')} HTTP/1.1\r\nHost: {server.host}\r\n{size}\r\n"
        self._socket.sendall(f"{head}Content-Type: application/x-ndjson\r\n\r\n".encode())

    def send(self, data: bytes) -> None:
        """Send some of the body."""
        self._socket.sendall(b"%x\r\n%s\r\n" % (len(data), data) if self._is_chunked else data)

    def answer(self) -> bytes:
        """Return what the server says until it closes, or at least the head and some more."""
        answer = b""
        while b"\r\n\r\n" not in answer and (data := self._socket.recv(65536)):
            answer += data
        return answer

    def close(self) -> None:
        """Break off."""
        self._socket.close()


def pieces_of(body: bytes, size: int = 100_000) -> Iterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]
