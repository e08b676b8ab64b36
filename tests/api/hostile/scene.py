"""A served database with something to steal, and what it takes to see that a request came to nothing.

A request has a second for its answer, and as much again for each 16 MB that it sends, and the server's event loop may be busy for 50 ms at a time, or on a slow
machine as long as the parser itself needs. As the machine of the tests is busy with other things too, a request that
took longer is tried again: what is slow by the server's own doing is slow each time.
"""

import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from pathlib import Path
from statistics import median
from typing import Final

import orjson

from api.openapi.problems import ANYWHERE
from api.problems import NotFoundError
from tests.api.hostile.attack import ANYTHING, REFUSED, Answer, Attack, send
from tests.api.hostile.witness import Ledger, Pulse, connect_to_each
from tests.api.hostile.writes import MUG
from tests.server import Server

ANSWER_SECONDS: Final = 1.0
STALL_SECONDS: Final = 0.05
STARTING_SECONDS: Final = 60.0
LARGEST: Final = b'"' + b"0" * (16 * 1024 * 1024 - 2) + b'"'
TRIES: Final = 4
MEMORY_BYTES: Final = 400 * 1024 * 1024
SECRETS: Final = (b"hunter2", b"Traceback", b"pymongo", b"mongodb://", b"site-packages")
DOCUMENTS: Final = {
    "people": [{"_id": "ada", "name": "Ada", "tags": ["x"], "password": "hunter2"}, {"_id": "bob"}],
    "users": [{"_id": "root", "password": "hunter2"}],
    "numbers": [{"_id": 1}, {"_id": 2}],
    "notes": [{"text": "nothing"}],
    "targets": [{"_id": "t", "name": "Target"}],
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
    pulses: Mapping[int, Pulse]

    def memory_bytes(self) -> int:
        """Return what the largest process of the server holds in memory."""
        return max(map(_resident_bytes, self.pulses))

    def longest_stall(self, since: float) -> float:
        """Return the longest stall of any process of the server."""
        return max(pulse.longest_stall(since) for pulse in self.pulses.values())


@contextmanager
def set_up(server: Server, uri: str, database: str, *, workers: int = 1) -> Generator[Scene]:
    """Store the documents and start the witnesses, whose measuring goes on until the end of this."""
    with server.client(seconds=STARTING_SECONDS) as client:  # several processes take a while until one answers
        for collection, documents in DOCUMENTS.items():
            response = client.post(f"/v1/{collection}", json=documents)
            assert response.status_code == 201, response.text
        assert client.get("/v1/numbers?limit=1").json()["next"]  # the first cursor makes the secret that signs it
    ledger = Ledger(uri, database)
    connections = connect_to_each(server.port, _processes(server.pid, workers))
    pulses = {pid: Pulse(connection, pid) for pid, connection in connections.items()}
    for pulse in pulses.values():
        pulse.start()
    try:
        yield Scene(server, ledger, pulses)
    finally:
        for pulse in pulses.values():
            pulse.stop()
        ledger.close()


def _processes(pid: int, workers: int) -> list[int]:
    """Return the processes that serve: those that one has started to serve, or itself."""
    if workers == 1:
        return [pid]
    until = time.monotonic() + STARTING_SECONDS
    while time.monotonic() < until:
        started = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
        serving = [int(each) for each in started if b"spawn_main" in Path(f"/proc/{each}/cmdline").read_bytes()]
        if len(serving) == workers:
            return serving
        time.sleep(0.05)  # nothing tells when a process has been started
    raise AssertionError(f"of {workers} processes not all have started")


def _resident_bytes(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) * 1024


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
    state: Callable[[Ledger], object] = Ledger.state,
) -> None:
    """Send a request, check its answer, and see that it took no time or memory and told no secret.

    It must leave no trace either, unless its answer says that it was done.
    """
    took = stall = 0.0
    for _ in range(TRIES):
        before = state(scene.ledger)
        began = time.monotonic()
        answer = send(scene.server.port, data)
        took = time.monotonic() - began
        stall = scene.longest_stall(began)
        check(answer)
        assert not [secret for secret in SECRETS if secret in answer.body], answer.body[:500]
        assert answer.is_done or state(scene.ledger) == before, "it left a trace"
        assert scene.memory_bytes() < MEMORY_BYTES, "the server holds too much memory"
        if took <= seconds * (1 + len(data) / len(LARGEST)) and stall <= max(allowed_stall(), stall_seconds):
            return
    raise AssertionError(f"the answer took {took * 1000:.0f} ms, the server stalled for {stall * 1000:.0f} ms")


def check_attack(answer: Answer, attack: Attack) -> None:
    """See that an attack is answered as it says, and with no problem that its route does not declare."""
    if attack.code:
        check_problem(answer, attack.status, attack.code)
    elif attack.status == REFUSED:
        assert HTTPStatus.BAD_REQUEST <= answer.status < HTTPStatus.INTERNAL_SERVER_ERROR, answer.body[:500]
    elif attack.status == ANYTHING:
        assert answer.status < HTTPStatus.INTERNAL_SERVER_ERROR, answer.body[:500]
    else:
        assert answer.status == attack.status, (answer.status, answer.body[:500])
    assert attack.pointer is None or attack.pointer in answer.pointers, answer.body[:500]
    if attack.route is not None and answer.status >= HTTPStatus.BAD_REQUEST:
        declared = {error.code for error in (*ANYWHERE, NotFoundError, *attack.route.problems)}
        assert answer.problem["code"] in declared, ("not declared", answer.body[:500])


def check_problem(answer: Answer, status: int, code: str | None = None) -> None:
    """See that an answer is a problem document, and which."""
    problem = answer.problem
    assert (answer.status, problem["status"]) == (status, status), answer.body[:500]
    assert problem["type"] == f"/problems/{problem['code']}"
    assert code in (None, problem["code"]), answer.body[:500]
