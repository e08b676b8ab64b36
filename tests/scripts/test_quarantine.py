"""`sheaf quarantine`, as people type it."""

import asyncio
import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from documents.contracts.contract import parse_contract
from documents.contracts.store import ContractStore
from documents.lifecycle import open_connection
from documents.settings import Environment, load_settings
from scripts.exits import REFUSED
from tests.scripts.typed import Database, Typed, start

LINES = b'{"n": 1}\n{"n": \n{"n": "\xff"}\n{"n": "\x1b[31m"}\n{"n": 1, "n": 2}\n{"n": 3}\n'
TABLE = 'n,"a, b"\n1,x\nzwei,y\n3,z\nvier,"w, w"\n'


@pytest.fixture
def aside(sheaf: Typed, tmp_path: Path) -> str:
    """The load of a file in which four lines are bad."""
    (tmp_path / "a.ndjson").write_bytes(LINES)
    return json.loads(sheaf("ingest", "a.ndjson", "--into", "c", "--json", code=2)[0])["loads"][0]["id"]


@pytest.fixture
def table(sheaf: Typed, tmp_path: Path) -> str:
    """The load of a table in which two rows are bad."""
    (tmp_path / "a.csv").write_text(TABLE)
    out, _ = sheaf("ingest", "a.csv", "--into", "t", "--types", "n:int", "--json", code=2)
    return json.loads(out)["loads"][0]["id"]


def listed(sheaf: Typed, *words: str) -> dict[str, Any]:
    return json.loads(sheaf("quarantine", "list", *words, "--json")[0])


def test_the_list_says_where_and_what(sheaf: Typed, aside: str) -> None:
    out, _ = sheaf("quarantine", "list", "c")
    assert f"{aside}-{9:012x}" in out
    assert "\x1b[31m" not in out
    assert out.endswith("malformed-json 3, duplicate-key 1\n")
    found = listed(sheaf, "c")
    assert found["counts"] == {"malformed-json": 3, "duplicate-key": 1}
    assert [(each["line"], each["code"]) for each in found["records"]] == [
        (2, "malformed-json"),
        (3, "malformed-json"),
        (4, "malformed-json"),
        (5, "duplicate-key"),
    ]
    assert found["records"][0]["raw"] == '{"n":'
    assert found["records"][1]["raw_base64"] == "eyJuIjogIv8ifQ=="


def test_a_part_of_the_list(sheaf: Typed, aside: str) -> None:
    assert listed(sheaf, "c", "--code", "duplicate-key")["counts"] == {"duplicate-key": 1}
    assert len(listed(sheaf, "c", "--load", aside, "--limit", "3")["records"]) == 3
    out, said = sheaf("quarantine", "list", "c", "--limit", "3")
    last = out.splitlines()[3].split()[0]
    assert f"These are 3 of 4. For more: --after {last}" in said
    assert len(listed(sheaf, "c", "--after", last)["records"]) == 1
    for words in (("d",), ("c", "--load", "0" * 24), ("c", "--code", "none")):
        assert listed(sheaf, *words) == {"counts": {}, "records": []}
    assert "Nothing is in quarantine." in sheaf("quarantine", "list", "d")[1]


def test_one_record_is_shown_whole(sheaf: Typed, aside: str) -> None:
    key = f"{aside}-{24:012x}"
    [record] = [each for each in listed(sheaf, "c")["records"] if each["line"] == 4]
    out, _ = sheaf("quarantine", "show", "c", record["id"])
    assert "malformed-json" in out
    assert out.endswith('{"n": "·[31m"}\n')
    assert json.loads(sheaf("quarantine", "show", "c", record["id"], "--json")[0]) == record
    sheaf("quarantine", "show", "d", record["id"], code=1)
    sheaf("quarantine", "show", "c", key + "0", code=1)


def set_contract(collection: str, **properties: Mapping[str, Any]) -> None:
    """Set a contract that puts aside what has other fields, as a process elsewhere does."""

    async def write() -> None:
        async with open_connection(load_settings()) as connection:
            contract = parse_contract({"schema": {"properties": properties}, "fields": "quarantine"})
            await ContractStore(connection).write(collection, contract, by="test", check=lambda _: None)

    asyncio.run(write())


class TestReplay:
    def test_under_a_contract_that_is_wider(self, sheaf: Typed, database: Database, tmp_path: Path) -> None:
        (tmp_path / "a.ndjson").write_text("".join(f'{{"n": {n}, "m": {n}}}\n' for n in range(150)) + '{"n": \n')
        set_contract("c", n={})
        _, said = sheaf("ingest", "a.ndjson", "--into", "c", code=2)
        assert "  unknown-field: 150\n    line 1: /m: " in said
        set_contract("c", n={}, m={})
        _, said = sheaf("quarantine", "replay", "c", "--code", "unknown-field")
        assert "Tried 150 again: 150 received, 150 written." in said
        assert database["c"].count_documents({}) == 150
        assert "Nothing of that is in quarantine." in sheaf("quarantine", "replay", "c", "--code", "unknown-field")[1]
        _, said = sheaf("quarantine", "replay", "c", "--all", code=2)
        assert "Still in quarantine of c, as they stand there now:\n  malformed-json: 1\n" in said

    def test_some_records(self, sheaf: Typed, aside: str) -> None:
        [first, second, *_] = listed(sheaf, "c")["records"]
        words = ("quarantine", "replay", "c", "--id", first["id"], "--id", second["id"], "--json")
        report = json.loads(sheaf(*words, code=2)[0])
        assert (report["received"], report["quarantined"]) == (2, 2)
        assert [each["attempts"] for each in listed(sheaf, "c")["records"]] == [1, 1, 0, 0]
        assert "Say which" in sheaf("quarantine", "replay", "c", code=2)[1]
        assert aside

    def test_one_that_was_killed_goes_on(self, sheaf: Typed, database: Database, aside: str) -> None:
        sheaf("quarantine", "replay", "c", "--load", aside, code=2)
        [replay] = database["_sheaf.jobs"].find({"origin": "quarantine"})
        database["_sheaf.jobs"].update_one({"_id": replay["_id"]}, {"$set": {"state": "open"}})
        sheaf("quarantine", "replay", "c", "--load", aside, code=2)
        assert database["_sheaf.jobs"].count_documents({"origin": "quarantine", "state": "done"}) == 1


def test_discard(sheaf: Typed, aside: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Would discard 4 records." in sheaf("quarantine", "discard", "c", "--load", aside, "--dry-run")[1]
    assert "Discarded 1 record." in sheaf("quarantine", "discard", "c", "--code", "duplicate-key")[1]
    sheaf("quarantine", "discard", "c", code=2)
    monkeypatch.setenv("SHEAF_ENVIRONMENT", Environment.PRODUCTION)
    sheaf("quarantine", "discard", "c", "--all", code=REFUSED)
    sheaf("quarantine", "replay", "c", "--all", code=REFUSED)
    out, _ = sheaf("quarantine", "discard", "c", "--all", "--yes", "--json")
    assert json.loads(out) == {"collection": "c", "discarded": 3, "dry_run": False}
    assert listed(sheaf, "c")["records"] == []


class TestExport:
    def test_byte_by_byte(self, sheaf: Typed, aside: str, tmp_path: Path) -> None:
        assert "Wrote 4 records to bad.ndjson." in sheaf("quarantine", "export", "c", "bad.ndjson")[1]
        bad = [line.rstrip(b" ") for line in LINES.splitlines()[1:5]]
        assert (tmp_path / "bad.ndjson").read_bytes() == b"".join(line + b"\n" for line in bad)
        out, _ = sheaf("quarantine", "export", "c", "one", "--code", "duplicate-key", "--load", aside, "--json")
        assert json.loads(out)["records"] == 1
        assert sorted(each.name for each in tmp_path.iterdir()) == ["a.ndjson", "bad.ndjson", "one"]

    def test_a_table_has_its_header(self, sheaf: Typed, table: str, tmp_path: Path) -> None:
        sheaf("quarantine", "export", "t", "bad.csv", "--load", table)
        text = (tmp_path / "bad.csv").read_text()
        assert text == 'n,"a, b"\nzwei,y\nvier,"w, w"\n'
        (tmp_path / "bad.csv").write_text(text.replace("zwei", "2").replace("vier", "4"))
        assert "2 received, 2 written" in sheaf("ingest", "bad.csv", "--into", "t", "--types", "n:int")[1]

    def test_what_cannot_stand_in_one_file(self, sheaf: Typed, table: str, tmp_path: Path) -> None:
        (tmp_path / "b.ndjson").write_bytes(b"{\n")
        sheaf("ingest", "b.ndjson", "--into", "t", code=2)
        assert "csv and ndjson" in sheaf("quarantine", "export", "t", "bad.csv", code=1)[1]
        assert not (tmp_path / "bad.csv").exists()
        sheaf("quarantine", "export", "t", "none/bad.csv", "--load", table, code=1)
        sheaf("quarantine", "export", "t", "--json", code=2)

    def test_to_standard_output_and_to_who_reads_no_further(self, sheaf: Typed, tmp_path: Path) -> None:
        (tmp_path / "many.ndjson").write_text(f'{{"n": "{"x" * 1000}\n' * 1000)
        sheaf("ingest", "many.ndjson", "--into", "m", code=2)
        with start("quarantine", "export", "m") as process:
            out, _ = process.communicate()
        assert out == (tmp_path / "many.ndjson").read_bytes()
        with start("quarantine", "export", "m", stdin=subprocess.DEVNULL) as process:
            assert process.stdout
            assert process.stderr
            process.stdout.readline()
            process.stdout.close()
            assert process.stderr.read() == b""
        assert process.returncode == 141
