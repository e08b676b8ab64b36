"""Every command says in a sentence what is wrong with the URI that it was given."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

SECRET: Final = "s3cr3t"
URIS: Final = {
    "malformed": (f"mongodb://sheaf:{SECRET}@localhost:port", "SHEAF_MONGODB_URI cannot be used"),
    "unreachable": (f"mongodb://sheaf:{SECRET}@127.0.0.1:1/?replicaSet=none", "127.0.0.1:1 refuses connections"),
}
COMMANDS: Final = (
    "serve --port 0",
    "doctor",
    "seed",
    "export things things.ndjson",
    "ingest load things.ndjson --into things",
    "ingest list",
    "quarantine list things",
    "indexes plan",
    "indexes apply",
    "migrate plan",
    "migrate upgrade",
    "schema infer things",
)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_wrong_uri(tmp_path: Path, command: str) -> None:
    (tmp_path / "things.ndjson").write_text("{}\n", encoding="ascii")
    (tmp_path / "scripts" / "migrations").mkdir(parents=True)
    for uri, words in URIS.values():
        done = subprocess.run(
            [Path(sys.executable).with_name("sheaf"), *command.split()],
            cwd=tmp_path,
            env={**os.environ, "SHEAF_MONGODB_URI": uri, "COLUMNS": "400", "NO_COLOR": "1"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        said = done.stdout + done.stderr
        assert done.returncode == 1, said
        assert words in said
        assert "Traceback" not in said
        assert SECRET not in said
