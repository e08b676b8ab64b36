"""Schemathesis reads the served OpenAPI, asks what it says may be asked and what not, and holds the answers against it.

All of its checks: no 5xx, no status, media type, header or body that is not described, nothing accepted that the
schema refuses, nothing refused that it allows.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.server import Server, serve

SCHEMATHESIS: Final = Path(sys.executable).with_name("schemathesis")
CONFIG: Final = Path(__file__).with_name("schemathesis.toml")

OPERATIONS: Final = r"^/v1/(products|\{collection\})|^/v1$|^/v1:transaction$|^/jobs|^/health/"
"""The shop's other collections have the routes of its products."""


@pytest.fixture(scope="module")
def fuzzed(mongo_uri: str, worker_id: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Serve a database of its own, as nothing in it will stay as it was."""
    with serve(tmp_path_factory.mktemp("fuzzed"), uri=mongo_uri, database=f"fuzzed_{worker_id}") as server:
        yield server


@pytest.mark.fuzz
@pytest.mark.timeout(400)
def test_all_checks(fuzzed: Server, repository: Path, tmp_path: Path) -> None:
    described = f"{fuzzed.base_url}/openapi.json"
    command = [SCHEMATHESIS, "--config-file", CONFIG, "run", described, "--checks", "all", "--no-color"]
    finished = subprocess.run(
        [*command, "--include-path-regex", OPERATIONS],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(repository), "SCHEMATHESIS_HOOKS": "tests.api.schemathesis_hooks"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
