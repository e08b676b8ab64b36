"""A terminal that is wide, so that nothing wraps."""

import pytest

from scripts.console import MESSAGES, RESULTS


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    for console in (MESSAGES, RESULTS):
        monkeypatch.setattr(console, "width", 200)
