"""A served database with something to steal, and what it takes to see that a request came to nothing.

A request has half a second for its answer, and the server's event loop may be busy for 50 ms at a time, or on a slow
machine as long as the parser itself needs. As the machine of the tests is busy with other things too, a request that
took longer is tried again: what is slow by the server's own doing is slow each time.
"""

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import median
from typing import Final

import orjson
import pytest

from tests.api.hostile.attack import Answer, send
from tests.api.hostile.operators import ELSEWHERE
from tests.api.hostile.witness import Ledger, Pulse
from tests.api.hostile.writes import MUG
from tests.server import Server

ANSWER_SECONDS: Final = 0.5
STALL_SECONDS: Final = 0.05
LARGEST: Final = b'"' + b"0" * (16 * 1024 * 1024 - 2) + b'"'
TRIES: Final = 4
MEMORY_BYTES: Final = 400 * 1024 * 1024
SECRETS: Final = (b"hunter2", b"Traceback", b"pymongo", b"mongodb://", b"site-packages")
DOCUMENTS: Final = {
    "people": [{"_id": "ada", "name": "Ada", "tags": ["x"], "password": "hunter2"}, {"_id": "bob"}],
    "users": [{"_id": "root", "password": "hunter2"}],
    "numbers": [{"_id": 1}, {"_id": 2}],
    "notes": [{"text": "nothing"}],
    "products": [
        {"_id": MUG, "sku": "MUG", "name": "Mug", "price": "7.00", "stock": 3},
        {"sku": "TAKEN", "name": "Taken", "price": "1.00"},
    ],
}


@dataclass(frozen=True)
class Scene:
    """A served database, and its witnesses."""

    server: Server
    ledger: Ledger
    pulse: Pulse

    def memory_bytes(self) -> int:
        """Return what the server's process holds in memory."""
        status = Path(f"/proc/{self.server.pid}/status").read_text(encoding="ascii")
        line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1]) * 1024


@contextmanager
def set_up(server: Server, uri: str, database: str) -> Generator[Scene]:
    """Store the documents and start the witnesses, whose measuring goes on until the end of this."""
    with server.client() as client:
        for collection, documents in DOCUMENTS.items():
            response = client.post(f"/v1/{collection}", json=documents)
            assert response.status_code == 201, response.text
        assert client.get("/v1/numbers?limit=1").json()["next"]  # the first cursor makes the secret that signs it
    ledger = Ledger(uri, database)
    pulse = Pulse(server.port, server.pid)
    pulse.start()
    try:
        yield Scene(server, ledger, pulse)
    finally:
        pulse.stop()
        ledger.close()


@cache
def allowed_stall() -> float:
    """Return how long the server may stall: 50 ms, or on a slow machine what the parser takes for the largest body.

    The parser is one call into C, during which nothing else runs.
    """
    times: list[float] = []
    for _ in range(5):
        began = time.monotonic()
        orjson.loads(LARGEST)
        times.append(time.monotonic() - began)
    return max(STALL_SECONDS, 2 * median(times))


def under_watch(
    scene: Scene,
    data: bytes,
    check: Callable[[Answer], None],
    *,
    seconds: float = ANSWER_SECONDS,
    stall_seconds: float = 0.0,
) -> None:
    """Send a request, check its answer, and see that it took no time or memory, told no secret and left no trace."""
    before = scene.ledger.state()
    took = stall = 0.0
    for _ in range(TRIES):
        began = time.monotonic()
        answer = send(scene.server.port, data)
        took = time.monotonic() - began
        stall = scene.pulse.longest_stall(began)
        check(answer)
        assert not [secret for secret in SECRETS if secret in answer.body], answer.body[:500]
        assert scene.ledger.state() == before
        assert ELSEWHERE not in scene.ledger.databases()
        assert scene.memory_bytes() < MEMORY_BYTES
        if took <= seconds and stall <= max(allowed_stall(), stall_seconds):
            return
    pytest.fail(f"the answer took {took * 1000:.0f} ms, the server stalled for {stall * 1000:.0f} ms")


def check_problem(answer: Answer, status: int, code: str | None = None) -> None:
    """See that an answer is a problem document, and which."""
    problem = answer.problem
    assert (answer.status, problem["status"]) == (status, status), answer.body[:500]
    assert problem["type"] == f"/problems/{problem['code']}"
    assert code in (None, problem["code"]), answer.body[:500]
