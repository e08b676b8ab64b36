"""A little of `make chaos`."""

import subprocess
import sys

import pytest

from tests.chaos.targets import KINDS

MINUTES = 0.3


@pytest.mark.alone
@pytest.mark.timeout(240)
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_acknowledged_is_lost(kind: str) -> None:
    command = [sys.executable, "-m", "tests.chaos", "--kind", kind, "--minutes", str(MINUTES), "--seed", "7"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
