"""`sheaf migrate`, as it is typed: what it prints, and how it ends."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias
from uuid import uuid4

import pytest
from pymongo import MongoClient
from pymongo.database import Database

from documents.lifecycle import open_store
from documents.migrations.errors import MigrationsPendingError
from documents.settings import AtStart, Settings
from scripts.cli import main
from tests.documents.migrations.revision_files import FIRST, SECOND, THIRD, write

Sheaf: TypeAlias = Callable[..., int]
Stored: TypeAlias = Database[dict[str, Any]]

ADD = 'AddField("things", "a", 1),'
REMOVE = 'RemoveField("things", "n"),'
SIZE = 20


@pytest.fixture
def database(mongo_uri: str) -> Iterator[Stored]:
    """Return a database of its own, with some things."""
    client: MongoClient[dict[str, Any]] = MongoClient(mongo_uri)
    made = client[f"m{uuid4().hex}"]
    made.things.insert_many([{"_id": each, "n": each} for each in range(SIZE)])
    yield made
    client.drop_database(made.name)
    client.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "revisions"


@pytest.fixture
def sheaf(mongo_uri: str, database: Stored, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Sheaf:
    """Return what runs `sheaf migrate` on that database, and returns its exit code."""
    monkeypatch.chdir(folder.parent)
    monkeypatch.setenv("SHEAF_MONGODB_URI", mongo_uri)
    monkeypatch.setenv("SHEAF_DATABASE", database.name)
    monkeypatch.setenv("COLUMNS", "200")

    def run(command: str, *flags: str) -> int:
        place = () if command in {"unlock", "pause", "unpause"} else ("--folder", str(folder))
        monkeypatch.setattr(sys, "argv", ["sheaf", "migrate", command, *flags, *place])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0)

    return run


def test_the_usual_way(sheaf: Sheaf, folder: Path, database: Stored, capsys: pytest.CaptureFixture[str]) -> None:
    write(folder, FIRST, expand='CreateIndex("things", [("n", 1)]),', backfill=ADD)
    assert sheaf("check") == 2
    assert f"pending  {FIRST} (Step 0.)  sheaf migrate upgrade" in capsys.readouterr().out
    names = sorted(database.list_collection_names())
    assert sheaf("plan") == 0
    printed = capsys.readouterr().out
    assert "create, 20 to scan" in printed
    assert "20 of 20" in printed
    assert sorted(database.list_collection_names()) == names, "it makes no collection, not even of ours"
    assert sheaf("upgrade", "--phase", "expand") == 0
    assert "Stopped after expand" in capsys.readouterr().err
    assert sheaf("upgrade", "--json") == 0
    [done] = json.loads(capsys.readouterr().out)
    assert (done["operation"], done["report"]["modified"]) == ("backfill/0", SIZE)
    assert sheaf("check") == 0
    assert sheaf("upgrade") == 0
    assert capsys.readouterr().err.endswith("Nothing to do.\n")
    assert sheaf("current") == 0
    assert capsys.readouterr().out == f"{FIRST} Step 0.\n"
    assert sheaf("history", "--json") == 0
    [record] = json.loads(capsys.readouterr().out)
    assert (record["state"], record["counts"]["backfill/0"]["modified"]) == ("applied", SIZE)
    assert sheaf("downgrade", "--to", "-1") == 0
    assert database.things.find_one({"a": {"$exists": True}}) is None
    assert "take back: add a" in capsys.readouterr().err


def test_what_it_says_when_it_cannot(sheaf: Sheaf, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sheaf("heads") == 1
    assert "there is no such folder" in capsys.readouterr().err
    path = write(folder, FIRST, backfill=ADD, contract=REMOVE)
    assert sheaf("upgrade") == 0
    assert sheaf("downgrade", "--to", "base") == 1
    assert "There is no way back. Nothing was changed." in capsys.readouterr().err
    write(folder, FIRST, backfill=ADD)
    assert sheaf("upgrade") == 1
    assert f"sheaf migrate stamp --accept {FIRST}" in capsys.readouterr().err
    assert sheaf("check") == 2
    assert path.name in capsys.readouterr().out
    assert sheaf("stamp", "--accept", FIRST) == 0
    assert sheaf("check") == 0
    write(folder, SECOND, [FIRST])
    write(folder, THIRD, [FIRST])
    capsys.readouterr()
    assert sheaf("heads") == 0
    assert capsys.readouterr().out == f"{SECOND} Step 1.\n{THIRD} Step 2.\n"
    assert sheaf("plan") == 1
    assert "sheaf migrate merge" in capsys.readouterr().err
    assert sheaf("stamp", "--to", SECOND) == 0
    assert sheaf("stamp", "--to", THIRD, "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"stamped": [THIRD]}
    assert sheaf("stamp", "--forget", THIRD, "--forget", SECOND) == 0
    assert sheaf("history") == 0
    assert "pending" in capsys.readouterr().out


def test_production_is_not_touched_by_accident(
    sheaf: Sheaf, folder: Path, database: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder, FIRST, backfill=ADD)
    monkeypatch.setenv("SHEAF_ENVIRONMENT", "production")
    for command in (["upgrade"], ["downgrade", "--to", "base"], ["resume"], ["stamp"], ["unlock"]):
        assert sheaf(*command) == 3
    assert sheaf("plan") == 0
    assert database.list_collection_names() == ["things"]
    assert sheaf("upgrade", "--yes") == 0


def end_while_it_waits(folder: Path, sign: signal.Signals) -> int:
    """Run an upgrade that has been paused, send a signal once it stands still, and return its exit code."""
    command = [sys.executable, "-m", "scripts", "migrate", "upgrade", "--folder", str(folder)]
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent.parent)}
    with subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in iter(process.stderr.readline, ""):
            if "Waiting for an operator" in line:
                process.send_signal(sign)
    return process.returncode


def test_ended_by_a_signal_it_goes_on_later(
    sheaf: Sheaf, folder: Path, database: Stored, capsys: pytest.CaptureFixture[str]
) -> None:
    write(folder, FIRST, backfill='UpdateDocuments("things", {}, {"$inc": {"times": 1}}),')
    assert sheaf("pause") == 0
    assert end_while_it_waits(folder, signal.SIGTERM) == 143
    assert sheaf("check") == 2
    assert "interrupted" in capsys.readouterr().out
    assert end_while_it_waits(folder, signal.SIGKILL) == -9
    # So that it does not expire meanwhile, however slow this machine is.
    database["_sheaf.locks"].update_one({}, [{"$set": {"expires": {"$add": ["$$NOW", 3_600_000]}}}])
    assert sheaf("unpause") == 0
    assert sheaf("resume") == 4, "nobody has told MongoDB that it is gone"
    assert "holds the lock since" in capsys.readouterr().err
    assert sheaf("unlock") == 0
    assert "sheaf migrate upgrade" in capsys.readouterr().err
    assert sheaf("unlock") == 0
    assert "Nobody held the lock." in capsys.readouterr().err
    assert sheaf("resume") == 0
    assert database.things.count_documents({"times": 1}) == SIZE


async def test_a_server_says_what_is_pending(
    settings: Settings, database: Stored, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(folder, FIRST, backfill=ADD)
    chosen = settings.model_copy(update={"database": database.name})
    async with open_store(chosen, migrations=folder):
        assert f"pending: {FIRST} (Step 0.)" in caplog.text
    refusing = chosen.model_copy(update={"migrations": AtStart.REFUSE})
    with pytest.raises(MigrationsPendingError, match="sheaf migrate upgrade"):
        async with open_store(refusing, migrations=folder):
            pytest.fail("it serves")
    caplog.clear()
    async with open_store(chosen.model_copy(update={"migrations": AtStart.IGNORE}), migrations=folder):
        pass
    async with open_store(refusing):
        pass
    await asyncio.to_thread(database.things.delete_many, {})
    async with open_store(refusing, migrations=folder):
        assert not caplog.text, "in an empty database nothing is to be migrated"
