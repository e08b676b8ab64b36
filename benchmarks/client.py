"""A plain HTTP client for one connection, for what is asked of a contender outside the measurement."""

import json
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any, Final

from benchmarks.process import BenchError
from benchmarks.request import Request

TIMEOUT_SECONDS: Final = 300.0
SHOWN_CHARACTERS: Final = 300


@dataclass(frozen=True)
class Client:
    """One connection, kept alive where the server allows."""

    connection: HTTPConnection

    def is_ready(self, path: str) -> bool:
        """Return whether the path answers 200."""
        try:
            return self._exchange(Request("GET", path))[0] == 200  # noqa: PLR2004  # OK
        except OSError:
            self.connection.close()
            return False

    def send(self, request: Request) -> Any:  # noqa: ANN401  # JSON
        """Return the JSON of the answer, None where it has no body.

        Raises:
            BenchError: Its status is not 200, 201 or 204.
        """
        status, body = self._exchange(request)
        if status not in {200, 201, 204}:
            shown = body[:SHOWN_CHARACTERS].decode(errors="replace")
            raise BenchError(f"{request.method} {request.path} answered {status}: {shown}")
        return json.loads(body) if body else None

    def _exchange(self, request: Request) -> tuple[int, bytes]:
        body = request.body.encode() or None
        self.connection.request(request.method, request.path, body, dict(request.headers))
        response = self.connection.getresponse()
        return response.status, response.read()


@contextmanager
def connect(port: int) -> Generator[Client]:
    """Talk to a port of the loopback interface."""
    connection = HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
    try:
        yield Client(connection)
    finally:
        connection.close()
