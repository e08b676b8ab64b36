"""Whatever a client sends is answered soon, refused or done as it says, and changes nothing else; the server lives on."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import pytest

from tests.api.hostile.addresses import ADDRESSES
from tests.api.hostile.attack import Answer, Attack, send
from tests.api.hostile.generated import GENERATED
from tests.api.hostile.operators import ELSEWHERE, OPERATORS
from tests.api.hostile.scene import Scene, check_attack, check_problem, set_up, under_watch
from tests.api.hostile.texts import TEXTS
from tests.api.hostile.wire import HARMLESS, MISSHAPEN, OVERSIZED
from tests.api.hostile.witness import Ledger
from tests.api.hostile.writes import WRITES
from tests.server import serve

pytestmark = [pytest.mark.xdist_group("hostile"), pytest.mark.alone]

WHOLE: Final = "SHEAF_TEST_WHOLE"
"""Set to try all, with one process and with two. Otherwise one gets what was written and a third of what was made."""


def check_status(answer: Answer, status: int) -> None:
    assert answer.status == status, answer.body[:500]


@dataclass(frozen=True)
class Try:
    """A request, and how its answer is checked.

    Args:
        name: What is tried.
        data: As it goes over the wire.
        check: Raises AssertionError where the answer is another.
        state: What it must leave as it was.
    """

    name: str
    data: bytes
    check: Callable[[Answer], None]
    state: Callable[[Ledger], object] = Ledger.state


WRITTEN: Final = (
    *(Try(str(each), each.to_bytes(), partial(check_attack, attack=each))
      for each in (*TEXTS, *ADDRESSES, *OPERATORS, *WRITES)),
    *(Try(name, data, partial(check_problem, status=400)) for name, data in MISSHAPEN.items()),
    *(Try(name, data, partial(check_problem, status=431)) for name, data in OVERSIZED.items()),
    *(Try(name, data, partial(check_status, status=status)) for name, (data, status) in HARMLESS.items()),
)  # fmt: skip
MADE: Final = tuple(
    Try(str(each), each.to_bytes(), partial(check_attack, attack=each), Ledger.state_of_users) for each in GENERATED
)


def chosen(workers: int) -> Sequence[Try]:
    """Return what a server with so many processes gets."""
    if os.environ.get(WHOLE):
        return (*WRITTEN, *MADE)
    return (*WRITTEN, *MADE[::3]) if workers == 1 else (*WRITTEN[::10], *MADE[1::20])


def test_there_are_many_and_no_two_alike() -> None:
    sent = [each.data for each in (*WRITTEN, *MADE)]
    assert len(sent) == len(set(sent)) > 2000
    assert len(chosen(1)) > 1000


@pytest.mark.parametrize("workers", [1, 2])
def test_attacks_come_to_nothing(
    workers: int, mongo_uri: str, worker_id: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    database, folder = f"hostile_{worker_id}_{workers}", tmp_path_factory.mktemp("hostile")
    with (
        serve(folder, uri=mongo_uri, database=database, workers=workers) as server,
        set_up(server, mongo_uri, database, workers=workers) as scene,
    ):
        assert len(scene.pulses) == workers
        faults = [f"{each.name}: {fault}" for each in chosen(workers) if (fault := fault_of(scene, each))]
        assert ELSEWHERE not in scene.ledger.databases()
    assert not faults, f"{len(faults)} of {len(chosen(workers))}:\n" + "\n".join(faults)


def fault_of(scene: Scene, each: Try) -> str | None:
    """Return what is wrong with how a request was answered, None if nothing is."""
    try:
        under_watch(scene, each.data, each.check, state=each.state)
    except (AssertionError, OSError) as error:
        return f"{type(error).__name__}: {str(error)[:1000]}"
    return None


def test_refused_bodies_are_let_go(scene: Scene) -> None:
    body = b'"' + b'"' * (16 * 1024 * 1024 - 2) + b'"'
    before = scene.memory_bytes()
    for _ in range(20):
        send(scene.server.port, Attack("quotes", 400, "malformed-json", "/v1/people", body=body).to_bytes())
    assert scene.memory_bytes() < before + 4 * len(body)
