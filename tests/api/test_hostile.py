"""Whatever a client sends is answered with a problem, soon, and changes nothing; meanwhile the server lives."""

import pytest

from tests.api.hostile.addresses import ADDRESSES
from tests.api.hostile.attack import Answer, Attack
from tests.api.hostile.operators import OPERATORS
from tests.api.hostile.scene import Scene, check_problem, under_watch
from tests.api.hostile.texts import TEXTS
from tests.api.hostile.wire import HARMLESS, MISSHAPEN, OVERSIZED
from tests.api.hostile.writes import WRITES

pytestmark = [pytest.mark.xdist_group("hostile"), pytest.mark.alone]


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
