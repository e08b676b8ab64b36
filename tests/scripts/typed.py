"""The command, typed: inside this process, or as one of its own."""

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database as SyncDatabase

from scripts.cli import main

Database = SyncDatabase[dict[str, Any]]

SHEAF = Path(sys.executable).with_name("sheaf")


class Typed:
    """Types `sheaf` with some words; answers with standard output and standard error.

    Args:
        monkeypatch: Sets the words.
        capsys: Reads what is said.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def __call__(self, *words: str, code: int = 0) -> tuple[str, str]:
        self._monkeypatch.setattr(sys, "argv", ["sheaf", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        said = self._capsys.readouterr()
        assert int(ended.value.code or 0) == code, said
        return said.out, said.err


def start(*words: str, stdin: Any = subprocess.DEVNULL, **environ: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [SHEAF, *words],
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **environ},
    )


def lines(texts: Iterable[str]) -> str:
    return "".join(f"{text}\n" for text in texts)
