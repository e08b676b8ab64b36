"""`sheaf ingest` while its MongoDB is killed: it can be stopped at once, and goes on when MongoDB is back."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from documents.database.embedded import acquire

RECORDS = 40_000
PROMPT_SECONDS = 6.0
"""It takes less than two; tests may have a slow machine."""


def command(uri: str, file: Path) -> tuple[list[str], dict[str, str]]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("SHEAF_")}
    environ |= {"SHEAF_MONGODB_URI": uri, "SHEAF_DATABASE": "gone"}
    return [sys.executable, "-m", "scripts", "ingest", str(file), "--into", "c", "--yes"], environ


@pytest.mark.timeout(180)
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_load_whose_database_is_gone_ends_at_once(tmp_path: Path, number: signal.Signals, code: int) -> None:
    file = tmp_path / "a.ndjson"
    file.write_text("".join(json.dumps({"_id": each, "text": "x" * 200}) + "\n" for each in range(RECORDS)))
    with (
        acquire(tmp_path / "mongo") as lease,
        MongoClient[dict[str, Any]](lease.uri, serverSelectionTimeoutMS=500) as client,
    ):
        words, environ = command(lease.uri, file)
        server: int = client.admin.command("serverStatus")["pid"]
        child = subprocess.Popen(words, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        while client["gone"]["c"].find_one() is None:
            assert child.poll() is None
            time.sleep(0.02)
        os.kill(server, signal.SIGKILL)
        began = time.monotonic()
        child.send_signal(number)
        said, _ = child.communicate(timeout=60)
        assert time.monotonic() - began < PROMPT_SECONDS, said
        assert (child.returncode, "The same command goes on where it was." in said) == (code, True), said
    with (
        acquire(tmp_path / "mongo") as lease,
        MongoClient[dict[str, Any]](lease.uri, serverSelectionTimeoutMS=500) as client,
    ):
        words, environ = command(lease.uri, file)
        subprocess.run(words, env=environ, check=True, capture_output=True)
        assert client["gone"]["c"].count_documents({}) == RECORDS
