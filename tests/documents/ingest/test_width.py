"""How many transactions run side by side."""

import pytest

from documents.ingest.width import WINDOW_SECONDS, Width


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def settle(best: int, most: int, *, windows: int = 40) -> list[int]:
    """Return the widths in successive windows, where `best` is fastest, and each step away from it loses a tenth."""
    clock = Clock()
    width = Width(most, clock=clock)
    seen: list[int] = []
    for _ in range(windows):
        clock.now += WINDOW_SECONDS
        width.wrote(round(1000 * (1 - 0.1 * abs(width.value - best))))
        seen.append(width.value)
    return seen


@pytest.mark.parametrize("best", [1, 2, 3, 4])
def test_it_stays_about_where_it_is_fastest(best: int) -> None:
    seen = settle(best, 4)
    assert all(1 <= value <= 4 for value in seen)
    assert all(abs(value - best) <= 1 for value in seen[4:])


def test_a_database_in_trouble_gets_one_at_a_time() -> None:
    clock = Clock()
    width = Width(4, clock=clock)
    width.failed()
    assert width.value == 1
    clock.now += WINDOW_SECONDS
    width.wrote(1000)
    assert width.value == 2


def test_a_moment_says_nothing() -> None:
    width = Width(4, clock=Clock())
    width.wrote(10_000)
    assert width.value == 2
