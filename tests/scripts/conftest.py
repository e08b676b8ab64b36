"""A terminal that is wide, so that nothing wraps, the shop as the project, and a database for commands."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from pymongo import MongoClient

from scripts import ingest_target
from scripts.console import MESSAGES, RESULTS
from tests.scripts.typed import Database, Typed
from tests.shop import SHOP


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    for console in (MESSAGES, RESULTS):
        monkeypatch.setattr(console, "width", 200)


@pytest.fixture(autouse=True)
def shop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHEAF_PROJECT", str(SHOP.root))


@pytest.fixture
def database(mongo_uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """An empty database, which the command finds in its environment."""
    name = f"commands_{uuid4().hex}"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    for variable, value in (("MONGODB_URI", mongo_uri), ("DATABASE", name), ("ENVIRONMENT", "")):
        monkeypatch.setenv(f"SHEAF_{variable}", value)
    monkeypatch.setattr(ingest_target, "spare_the_collector", lambda: None)  # the tests' own process lives on
    with MongoClient[dict[str, Any]](mongo_uri) as client:
        yield client[name]
        client.drop_database(name)


@pytest.fixture
def sheaf(database: Database, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Typed:
    assert database.name
    return Typed(monkeypatch, capsys)
