"""Whatever a client sends is answered with a problem, soon, and changes nothing; meanwhile the server lives.

Each attack has half a second for its answer, and the server's event loop may be busy for 50 ms at a time, or on a slow
machine as long as the parser itself needs. As the machine of the tests is busy with other things too, an attack that
took longer is tried again: what is slow by the server's own doing is slow each time.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from statistics import median
from typing import Final

import orjson
import pytest

from tests.api.hostile.addresses import ADDRESSES
from tests.api.hostile.attack import Answer, Attack, send
from tests.api.hostile.operators import ELSEWHERE, OPERATORS
from tests.api.hostile.texts import TEXTS
from tests.api.hostile.wire import HARMLESS, MISSHAPEN, OVERSIZED
from tests.api.hostile.witness import Ledger, Pulse
from tests.api.hostile.writes import MUG, WRITES
from tests.server import Server

pytestmark = [pytest.mark.xdist_group("hostile"), pytest.mark.alone]

ANSWER_SECONDS: Final = 0.5
STALL_SECONDS: Final = 0.05
LARGEST: Final = b'"' + b"0" * (16 * 1024 * 1024 - 2) + b'"'
TRIES: Final = 4
SECRETS: Final = (b"hunter2", b"Traceback", b"pymongo", b"mongodb://", b"site-packages")


@dataclass(frozen=True)
class Scene:
    """A served database with something to steal, and its witnesses."""

    server: Server
    ledger: Ledger
    pulse: Pulse


@pytest.fixture(scope="module")
def scene(server: Server, mongo_uri: str, worker_id: str) -> Iterator[Scene]:
    with server.client() as client:
        for collection, documents in {
            "people": [{"_id": "ada", "name": "Ada", "tags": ["x"], "password": "hunter2"}, {"_id": "bob"}],
            "users": [{"_id": "root", "password": "hunter2"}],
            "numbers": [{"_id": 1}, {"_id": 2}],
            "notes": [{"text": "nothing"}],
            "products": [
                {"_id": MUG, "sku": "MUG", "name": "Mug", "price": "7.00", "stock": 3},
                {"sku": "TAKEN", "name": "Taken", "price": "1.00"},
            ],
        }.items():
            response = client.post(f"/v1/{collection}", json=documents)
            assert response.status_code == 201, response.text
    ledger = Ledger(mongo_uri, f"served_{worker_id}")
    pulse = Pulse(server.port, server.pid)
    pulse.start()
    yield Scene(server, ledger, pulse)
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


def under_watch(scene: Scene, data: bytes, check: Callable[[Answer], None]) -> None:
    """Send a request, check its answer, and see that it took no time and left no trace."""
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
        if took <= ANSWER_SECONDS and stall <= allowed_stall():
            return
    pytest.fail(f"the answer took {took * 1000:.0f} ms, the server stalled for {stall * 1000:.0f} ms")


def check_problem(answer: Answer, status: int, code: str | None = None) -> None:
    """See that an answer is a problem document, and which."""
    problem = answer.problem
    assert (answer.status, problem["status"]) == (status, status), answer.body[:500]
    assert problem["type"] == f"/problems/{problem['code']}"
    assert code in (None, problem["code"]), answer.body[:500]


@pytest.mark.parametrize("attack", [*TEXTS, *ADDRESSES, *OPERATORS, *WRITES], ids=str)
def test_an_attack_is_refused(scene: Scene, attack: Attack) -> None:
    def check(answer: Answer) -> None:
        check_problem(answer, attack.status, attack.code)
        assert attack.pointer is None or attack.pointer in answer.pointers, answer.body[:500]

    under_watch(scene, attack.to_bytes(), check)


@pytest.mark.parametrize("name", MISSHAPEN)
def test_what_is_not_http_is_refused(scene: Scene, name: str) -> None:
    under_watch(scene, MISSHAPEN[name], lambda answer: check_problem(answer, 400))


@pytest.mark.parametrize("name", OVERSIZED)
def test_headers_are_bounded(scene: Scene, name: str) -> None:
    under_watch(scene, OVERSIZED[name], lambda answer: check_problem(answer, 431))


@pytest.mark.parametrize("name", HARMLESS)
def test_what_may_be_passed_over_comes_to_nothing(scene: Scene, name: str) -> None:
    data, status = HARMLESS[name]

    def check(answer: Answer) -> None:
        assert answer.status == status, answer.body[:500]

    under_watch(scene, data, check)
