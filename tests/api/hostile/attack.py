"""One hostile request, and how it is sent: byte for byte, past every client library that would mend it."""

import json
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from email.parser import BytesParser
from typing import Any, Final

from api.record import Route

PROBLEM: Final = "application/problem+json"
JSON: Final = "application/json"
SECONDS: Final = 15.0
REFUSED: Final = 4
"""Stands for every status from 400 to 499."""

ANYTHING: Final = 0
"""Stands for every status below 500."""

Body = bytes | Callable[[], bytes]


@dataclass(frozen=True)
class Attack:
    """A request that must be refused, or at least come to nothing that it should not.

    Args:
        name: What is tried.
        status: The answer's status; 4 for any from 400 to 499, 0 for any below 500.
        code: The problem's code; empty for any.
        path: As it goes over the wire, the query included.
        method: As it goes over the wire.
        body: Sent with its length; a callable makes one that is too large to keep.
        content_type: Of the body; None for none.
        headers: Further ones.
        pointer: Where one of the faults must point, if it matters.
        route: Whose problems alone may be answered.
    """

    name: str
    status: int
    code: str
    path: str
    method: str = "POST"
    body: Body | None = None
    content_type: str | None = JSON
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    pointer: str | None = None
    route: Route | None = None

    def __str__(self) -> str:
        return self.name

    def to_bytes(self) -> bytes:
        """Return the request as it goes over the wire."""
        body = self.body() if callable(self.body) else self.body
        headers = {"Host": "127.0.0.1", **self.headers}
        if body is not None:
            headers |= {"Content-Length": str(len(body))}
            if self.content_type is not None:
                headers |= {"Content-Type": self.content_type}
        lines = [f"{self.method} {self.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + (body or b"")


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_done(self) -> bool:
        """Whether it says that what was asked for was done, in part at least."""
        return self.status < 300  # as HTTP has it

    @property
    def problem(self) -> dict[str, Any]:
        """The problem document."""
        assert self.headers.get("content-type") == PROBLEM, (self.status, self.headers, self.body[:500])
        found: dict[str, Any] = json.loads(self.body)
        return found

    @property
    def pointers(self) -> set[str]:
        """Where the faults of the problem point to."""
        return {fault.get("pointer", fault.get("parameter")) for fault in self.problem.get("faults", [])}


def send(port: int, data: bytes) -> Answer:
    """Send bytes over a connection of their own, and return the answer to them."""
    with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as connection:
        with suppress(BrokenPipeError, ConnectionResetError):  # a server need not read what it refuses
            connection.sendall(data)
        return receive(connection)


def receive(connection: socket.socket) -> Answer:
    """Return the next answer on a connection.

    Raises:
        ConnectionError: The connection ended before a whole answer came.
    """
    received = b""
    while b"\r\n\r\n" not in received:
        received += _more(connection)
    head, _, body = received.partition(b"\r\n\r\n")
    status_line, _, lines = head.partition(b"\r\n")
    parsed = BytesParser().parsebytes(lines + b"\r\n\r\n", headersonly=True)
    headers = {name.lower(): str(value) for name, value in parsed.items()}
    length = int(headers.get("content-length", 0))
    while len(body) < length:
        body += _more(connection)
    return Answer(int(status_line.split()[1]), headers, body[:length])


def _more(connection: socket.socket) -> bytes:
    data = connection.recv(1 << 20)
    if not data:
        raise ConnectionError("The server closed the connection without a whole answer.")
    return data


def as_json(value: object) -> bytes:
    """Return a value as JSON."""
    return json.dumps(value).encode()
