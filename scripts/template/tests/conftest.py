"""A server of this project, with an embedded MongoDB of its own, for all tests."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

ADDRESS = re.compile(r"API +(?P<base>http://\S+)/v1")
PROJECT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of a server that has just been started."""
    environ = {**os.environ, "SHEAF_PROJECT": str(PROJECT), "SHEAF_PORT": "0", "COLUMNS": "200", "NO_COLOR": "1"}
    environ["SHEAF_DATA_DIR"] = str(tmp_path_factory.mktemp("data"))
    with subprocess.Popen(["sheaf", "serve"], env=environ, stderr=subprocess.PIPE, text=True) as server:
        said = ""
        try:
            for line in server.stderr or ():
                said += line
                if found := ADDRESS.search(line):
                    with httpx.Client(base_url=found["base"], trust_env=False) as client:
                        yield client
                    break
            else:
                pytest.fail(f"sheaf serve did not start:\n{said}")
        finally:
            server.terminate()
