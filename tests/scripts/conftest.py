"""A terminal that is wide, so that nothing wraps, and the shop as the project."""

import pytest

from scripts.console import MESSAGES, RESULTS
from tests.shop import SHOP


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    for console in (MESSAGES, RESULTS):
        monkeypatch.setattr(console, "width", 200)


@pytest.fixture(autouse=True)
def shop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHEAF_PROJECT", str(SHOP.root))
