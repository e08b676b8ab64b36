"""`sheaf ingest`, as people type it."""

import gzip
import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from documents.codec.csv_columns import Column
from documents.ingest.batches import Counts
from documents.ingest.claim import RENEW_SECONDS
from documents.ingest.jobs import Pace
from documents.ingest.meter import Progress
from documents.settings import Environment
from scripts import ingest_target
from scripts.exits import REFUSED
from scripts.ingest_progress import Bars, describe_columns, size_text
from tests.scripts.typed import Database, Typed, lines, start

PEOPLE = lines(json.dumps({"name": f"Person {number}", "age": number}) for number in range(50))
BAD = '{"a": 1}\n{"a": \n{"a": NaN}\n{"a": 2}\n'


def loads(sheaf: Typed, *words: str) -> list[dict[str, Any]]:
    return json.loads(sheaf("ingest", "list", "--json", *words)[0])["loads"]


def documents(database: Database, collection: str = "c") -> list[dict[str, Any]]:
    return list(database[collection].find({}, {"_id": 0}))


def test_a_file_goes_in_once(sheaf: Typed, database: Database, tmp_path: Path) -> None:
    (tmp_path / "people.ndjson").write_text(PEOPLE)
    _, said = sheaf("ingest", "people.ndjson", "--into", "c")
    assert "Loaded people.ndjson into c: 50 received, 50 written.\n" in said
    [load] = loads(sheaf)
    assert f"sheaf ingest undo {load['id']}" in said
    assert "sheaf schema infer c" in said
    (tmp_path / "people.ndjson").rename(tmp_path / "others.ndjson")
    _, said = sheaf("ingest", "others.ndjson", "--into", "c")
    assert f"is loaded into c already: by load {load['id']} on 2" in said
    assert documents(database) == [json.loads(line) for line in PEOPLE.splitlines()]


def test_again(sheaf: Typed, database: Database, tmp_path: Path) -> None:
    (tmp_path / "people.ndjson").write_text(PEOPLE)
    for times in (1, 2, 3):
        sheaf("ingest", "people.ndjson", "--into", "c", *(["--again"] if times > 1 else []))
        assert database["c"].count_documents({}) == 50 * times
    assert "already" in sheaf("ingest", "people.ndjson", "--into", "c")[1]
    assert len(loads(sheaf)) == 3


def test_the_same_data_loaded_otherwise_is_another_load(sheaf: Typed, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("n,m\n1,2\n")
    for words in ((), ("--infer",), ("--types", "n:int"), ("--nested",), ("--format", "tsv"), ("--header", "x,y")):
        sheaf("ingest", "a.csv", "--into", "c", *words)
    sheaf("ingest", "a.csv", "--into", "d")
    assert len(loads(sheaf)) == 7
    assert len(loads(sheaf, "--into", "d")) == 1


def test_what_is_bad_is_put_aside_and_told(sheaf: Typed, database: Database, tmp_path: Path) -> None:
    (tmp_path / "a.ndjson").write_text(BAD)
    _, said = sheaf("ingest", "a.ndjson", "--into", "c", code=2)
    assert "4 received, 2 written, 2 put aside." in said
    assert "  malformed-json: 2\n    line 2: " in said
    assert "sheaf quarantine list c --load " in said
    assert documents(database) == [{"a": 1}, {"a": 2}]
    assert "already" in sheaf("ingest", "a.ndjson", "--into", "c")[1]
    [load] = loads(sheaf)
    assert (load["received"], load["written"], load["quarantined"]) == (4, 2, 2)


def test_duplicates_are_told(sheaf: Typed, tmp_path: Path) -> None:
    (tmp_path / "a.ndjson").write_text('{"_id": "a"}\n{"_id": "b"}\n{"_id": "a"}\n')
    _, said = sheaf("ingest", "a.ndjson", "--into", "c")
    assert "3 received, 2 written, 1 duplicate." in said
    assert "  line 3: /_id: Another document has the same _id." in said


def test_several_files_and_a_report_for_programs(sheaf: Typed, tmp_path: Path) -> None:
    (tmp_path / "a.ndjson").write_text('{"_id": "a", "n": 1}\n')
    (tmp_path / "b.ndjson").write_text('{"_id": "a", "n": 2}\n{"_id": "b", "n": 2}\n{}\n')
    words = ("ingest", "a.ndjson", "b.ndjson", "--into", "c", "--mode", "upsert", "--json")
    out, said = sheaf(*words, code=2)
    first, second = json.loads(out)["loads"]
    assert (first["inserted"], first["was_there"], first["state"]) == (1, False, "done")
    assert (second["inserted"], second["updated"], second["in_quarantine"]) == (1, 1, {"key-missing": 1})
    assert said == ""
    assert [each["was_there"] for each in json.loads(sheaf(*words)[0])["loads"]] == [True, True]


def test_a_key_over_fields_needs_an_index(sheaf: Typed, database: Database, tmp_path: Path) -> None:
    (tmp_path / "a.ndjson").write_text('{"sku": "a", "n": 1}\n{"sku": "a", "n": 2}\n')
    _, said = sheaf("ingest", "a.ndjson", "--into", "c", "--mode", "merge", "--on", "sku")
    assert "2 written (1 inserted, 1 updated)" in said
    assert "The empty collection got a unique index over sku." in said
    database["d"].insert_one({"sku": "b"})
    assert (
        "needs a unique index"
        in sheaf("ingest", "a.ndjson", "--into", "d", "--mode", "merge", "--on", "sku", code=1)[1]
    )


class TestCsv:
    def test_types_are_declared(self, sheaf: Typed, database: Database, tmp_path: Path) -> None:
        (tmp_path / "a.csv").write_text("1,x,true\n2,,false\n")
        words = ("--header", "n, a.b, c", "--types", "n:int,c:bool", "--nested")
        _, said = sheaf("ingest", "a.csv", "--into", "c", *words)
        assert "Columns: n int, a.b string, c bool.\n" in said
        assert documents(database) == [{"n": 1, "a": {"b": "x"}, "c": True}, {"n": 2, "c": False}]

    def test_nothing_is_guessed_in_silence(self, sheaf: Typed, database: Database, tmp_path: Path) -> None:
        (tmp_path / "a.csv").write_text("n,when\n1,2026-01-02\n2,2026-01-03\n")
        assert "2 columns, all read as text" in sheaf("ingest", "a.csv", "--into", "text")[1]
        _, said = sheaf("ingest", "a.csv", "--into", "c", "--infer")
        assert "Columns: n int, when date.\nAll types were inferred from the first 2 rows." in said
        assert documents(database, "text")[0] == {"n": "1", "when": "2026-01-02"}
        assert documents(database)[0]["n"] == 1

    def test_a_declared_and_an_inferred_type(self) -> None:
        said = describe_columns([Column("a", "decimal"), Column("b", "int", sampled=7)], infer=True)
        assert said[1].startswith("The types of b were inferred from the first 7 rows.")

    def test_types_that_cannot_be(self, sheaf: Typed, tmp_path: Path) -> None:
        (tmp_path / "a.csv").write_text("n\n1\n")
        sheaf("ingest", "a.csv", "--into", "c", "--types", "n:number", code=2)
        _, said = sheaf("ingest", "a.csv", "--into", "c", "--types", "m:int", code=1)
        assert "no column" in said


class TestFiles:
    @pytest.mark.parametrize(
        ("names", "told"),
        [
            (["none.json"], "none.json cannot be read: No such file or directory."),
            (["folder"], "folder has no file whose name stands for a format. Say --format to take any."),
            (["*.none"], "*.none names no file."),
            (["nothing://a"], "nothing:// is no source that is known"),
            (["noise"], "noise looks like no format that is known; say --format."),
            (["void"], "void is empty, and its name stands for no format; say --format."),
            (["a.ndjson", "none.json"], "none.json cannot be read"),
            (["a.ndjson", "b.ndjson", "--key", "k"], "A key goes with one file"),
            (["-", "-"], "can be read once"),
            (["a.ndjson", "--mode", "upsert", "--on", "$x"], "on names 1 to 8 fields"),
        ],
    )
    def test_what_cannot_be_loaded(
        self, sheaf: Typed, database: Database, tmp_path: Path, names: list[str], told: str
    ) -> None:
        (tmp_path / "folder").mkdir()
        (tmp_path / "noise").write_bytes(b"\x00\x01\x02")
        (tmp_path / "void").touch()
        for name in ("a.ndjson", "b.ndjson"):
            (tmp_path / name).write_text("{}\n")
        assert told in sheaf("ingest", *names, "--into", "c", code=1)[1]
        assert "c" not in database.list_collection_names()

    @pytest.mark.parametrize("name", ["a.ndjson", "a.json", "a.csv", "a.bson", "a.ejson"])
    def test_an_empty_file(self, sheaf: Typed, tmp_path: Path, name: str) -> None:
        (tmp_path / name).touch()
        out, _ = sheaf("ingest", name, "--into", "c", "--json", code=2 if name == "a.json" else 0)
        [load] = json.loads(out)["loads"]
        assert (load["state"], load["written"]) == ("done", 0)

    def test_a_wrong_ending_is_told(self, sheaf: Typed, database: Database, tmp_path: Path) -> None:
        (tmp_path / "a.csv").write_text('{"n": 1}\n')
        assert (
            "a.csv: The name stands for csv, but the content is ndjson." in sheaf("ingest", "a.csv", "--into", "c")[1]
        )
        assert documents(database) == [{"n": 1}]

    def test_compressed(self, sheaf: Typed, database: Database, tmp_path: Path) -> None:
        (tmp_path / "a.ndjson.gz").write_bytes(gzip.compress(PEOPLE.encode()))
        sheaf("ingest", "a.ndjson.gz", "--into", "c")
        assert len(documents(database)) == 50
        _, said = sheaf("ingest", "a.ndjson.gz", "--into", "d", "--max-bytes", "100", code=2)
        assert "stream-too-large: 1" in said

    def test_what_is_appended_meanwhile_is_left_for_the_next_time(
        self, sheaf: Typed, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        file = tmp_path / "a.ndjson"
        file.write_text(PEOPLE)
        opened = ingest_target.open_store

        def grow(*args: Any, **options: Any) -> Any:
            with file.open("a") as more:
                more.write('{"name": "late", "age": 0}\n')
            return opened(*args, **options)

        monkeypatch.setattr(ingest_target, "open_store", grow)
        assert "50 received, 50 written" in sheaf("ingest", "a.ndjson", "--into", "c")[1]
        monkeypatch.setattr(ingest_target, "open_store", opened)
        words = ("ingest", "a.ndjson", "--into", "c", "--mode", "insert")
        assert "51 received, 51 written" in sheaf(*words)[1]  # other data than before
        assert database["c"].count_documents({}) == 101


class TestStreams:
    def test_from_standard_input(self, database: Database) -> None:
        with start("ingest", "-", "--into", "c", stdin=subprocess.PIPE) as process:
            _, said = process.communicate(PEOPLE.encode())
        assert process.returncode == 0
        assert b"Loaded standard input into c: 50 received, 50 written." in said
        assert len(documents(database)) == 50

    def test_under_a_key_it_goes_on(self, database: Database) -> None:
        words = ("ingest", "-", "--into", "c", "--key", "k", "--json")
        reports: list[dict[str, Any]] = []
        for _ in range(2):
            with start(*words, stdin=subprocess.PIPE) as process:
                out, _ = process.communicate(PEOPLE.encode())
            assert process.returncode == 0
            reports += json.loads(out)["loads"]
        assert [each["was_there"] for each in reports] == [False, True]
        assert len(documents(database)) == 50

    def test_a_pipe_that_is_given_as_a_file(self, database: Database, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        with start("ingest", "pipe", "--into", "c") as process:
            (tmp_path / "pipe").write_text(PEOPLE)
            _, said = process.communicate()
        assert process.returncode == 0, said
        assert len(documents(database)) == 50

    def test_a_pipe_that_breaks_off(self, database: Database) -> None:
        with start("ingest", "-", "--into", "c", stdin=subprocess.PIPE) as process:
            _, said = process.communicate(PEOPLE.encode() + b'{"name": "Ha')
        assert process.returncode == 2, said
        assert len(documents(database)) == 50

    @pytest.mark.parametrize(("sent", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
    def test_a_silent_pipe_keeps_nobody_from_ending(self, database: Database, sent: int, code: int) -> None:
        with start("ingest", "-", "--into", "c", stdin=subprocess.PIPE) as process:
            assert process.stdin
            process.stdin.write(PEOPLE.encode() * 100)
            process.stdin.flush()
            wait_for(lambda: database["_sheaf.jobs"].count_documents({}))
            began = time.monotonic()
            process.send_signal(sent)
            assert process.stderr
            said = process.stderr.read()
            assert process.wait() == code, said
            assert time.monotonic() - began < 10
        [job] = database["_sheaf.jobs"].find()
        assert job["state"] == "cancelled"
        assert f"sheaf ingest undo {job['_id']} takes it back" in said.decode()


def wait_for(claim: Any, *, seconds: float = 30) -> None:
    until = time.monotonic() + seconds
    while not claim():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_what_begins_with_no_subcommand_is_a_load(sheaf: Typed, tmp_path: Path) -> None:
    (tmp_path / "list").write_text("{}\n")
    sheaf("ingest", "--into", "c", "./list")
    sheaf("ingest", "load", "list", "--into", "d")
    out, _ = sheaf("ingest", "--help")
    for word in (
        "Usage: sheaf ingest load",
        "FILE...",
        "--into",
        "undo",
        "trace",
        "Exits with 0",
        "[from the data of a",
    ):
        assert word in out


def test_production_is_asked_for(
    sheaf: Typed, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.ndjson").write_text(PEOPLE)
    monkeypatch.setenv("SHEAF_ENVIRONMENT", Environment.PRODUCTION)
    assert "--yes" in sheaf("ingest", "a.ndjson", "--into", "c", code=REFUSED)[1]
    assert "c" not in database.list_collection_names()
    sheaf("ingest", "a.ndjson", "--into", "c", "--dry-run")
    sheaf("ingest", "a.ndjson", "--into", "c", "--yes")
    [load] = loads(sheaf)
    sheaf("ingest", "undo", load["id"], code=REFUSED)
    sheaf("ingest", "cancel", load["id"], code=REFUSED)
    sheaf("ingest", "undo", load["id"], "--yes")


def test_a_dry_run_writes_nothing(sheaf: Typed, database: Database, tmp_path: Path) -> None:
    (tmp_path / "a.ndjson").write_text(BAD)
    out, said = sheaf("ingest", "a.ndjson", "--into", "c", "--dry-run", code=2)
    assert "Nothing was written. Of 4 records of a.ndjson, 2 fit c as it is now, and 2 would be put aside." in said
    assert "    line 2: " in said
    assert "Presence" in out
    [preview] = json.loads(sheaf("ingest", "a.ndjson", "--into", "c", "--dry-run", "--json", code=2)[0])["previews"]
    assert (preview["received"], preview["valid"], preview["quarantined"]) == (4, 2, {"malformed-json": 2})
    assert database.list_collection_names() == []


class TestLoads:
    def test_a_load_is_shown_and_taken_back(self, sheaf: Typed, database: Database, tmp_path: Path) -> None:
        (tmp_path / "a.csv").write_text("_id,n\na,1\nb,2\n")
        sheaf("ingest", "a.csv", "--into", "c", "--types", "n:int")
        [load] = loads(sheaf, "--state", "done")
        assert loads(sheaf, "--state", "open") == []
        shown, _ = sheaf("ingest", "show", load["id"])
        assert re.search(r"Columns +_id string, n int", shown)
        assert load["id"] in sheaf("ingest", "list")[0]
        assert json.loads(sheaf("ingest", "show", load["id"], "--json")[0])["in_quarantine"] == {}
        traced = json.loads(sheaf("ingest", "trace", "c", "a", "--json")[0])
        assert [(each["load"], each["inserted"]) for each in traced["loads"]] == [(load["id"], True)]
        assert "inserted it" in sheaf("ingest", "trace", "c", "a")[0]
        assert "No load" in sheaf("ingest", "trace", "c", "zzz")[1]
        database["c"].update_one({"_id": "b"}, {"$set": {"n": 3}})
        assert "inserted 2 documents" in sheaf("ingest", "undo", load["id"], "--dry-run")[1]
        assert (
            "of 2 documents that were inserted, 1 deleted, 1 kept, 0 absent"
            in sheaf("ingest", "undo", load["id"], code=2)[1]
        )
        assert "taken back before" in sheaf("ingest", "undo", load["id"], code=2)[1]
        assert [each["_id"] for each in database["c"].find()] == ["b"]
        sheaf("ingest", "a.csv", "--into", "c", "--types", "n:int")
        assert database["c"].count_documents({}) == 2

    def test_by_force(self, sheaf: Typed, database: Database, tmp_path: Path) -> None:
        (tmp_path / "a.ndjson").write_text(PEOPLE)
        out, _ = sheaf("ingest", "a.ndjson", "--into", "c", "--json")
        database["c"].update_many({}, {"$set": {"n": 3}})
        out, _ = sheaf("ingest", "undo", json.loads(out)["loads"][0]["id"], "--force", "--json")
        assert json.loads(out)["undone"]["deleted"] == 50

    def test_no_such_load(self, sheaf: Typed) -> None:
        assert loads(sheaf) == []
        assert "no loads" in sheaf("ingest", "list")[1]
        for verb in ("show", "undo", "cancel"):
            sheaf("ingest", verb, "0" * 24, code=1)
        sheaf("ingest", "trace", "c", "a", code=1)

    def test_a_load_that_is_worked_on_is_left_alone(self, sheaf: Typed, database: Database) -> None:
        with start("ingest", "-", "--into", "c", "--key", "k", stdin=subprocess.PIPE) as process:
            assert process.stdin
            process.stdin.write(PEOPLE.encode() * 100)
            process.stdin.flush()
            wait_for(lambda: database["_sheaf.jobs"].find_one({"holder": {"$exists": True}}))
            with start("ingest", "-", "--into", "c", "--key", "k", stdin=subprocess.PIPE) as other:
                _, said = other.communicate(PEOPLE.encode())
            assert other.returncode == 4, said
            assert f"process {process.pid} on ".encode() in said
            [load] = loads(sheaf)
            assert load["state"] == "running"
            assert "Cancel it first" in sheaf("ingest", "undo", load["id"], code=1)[1]
            assert "asked to stop" in sheaf("ingest", "cancel", load["id"])[1]
            time.sleep(RENEW_SECONDS + 1)
            _, said = process.communicate(PEOPLE.encode() * 1000)
        assert process.returncode == 1, said
        assert b"Cancelled: standard input into c: " in said
        [load] = loads(sheaf)
        assert (load["state"], load["written"]) == ("cancelled", load["received"])
        with start("ingest", "-", "--into", "c", "--key", "k", stdin=subprocess.PIPE) as process:
            _, said = process.communicate(PEOPLE.encode() * 1100)
        assert process.returncode == 0, said
        assert f"Going on with load {load['id']}, behind {load['received']:,} records".encode() in said
        assert database["c"].count_documents({}) == 50 * 1100


def test_why_it_waits_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with Bars(is_silent=False) as bars:
        bars.begin("Loading a.ndjson")
        for reason in (None, "MongoDB does not answer.", "MongoDB does not answer.", None):
            bars.show_load(Progress(Counts(received=5), Pace(10, 100, 5.0, 3.0, reason), 0), infer=False)
    assert capsys.readouterr().err.strip() == "Waiting: MongoDB does not answer.\nGoing on."


def test_sizes_are_told() -> None:
    assert [size_text(size) for size in (0, 999, 1000, 2.5e6, 3e12)] == [
        "0 B",
        "999 B",
        "1.0 kB",
        "2.5 MB",
        "3,000.0 GB",
    ]


@pytest.mark.parametrize(
    ("text", "flags", "code", "said"),
    [
        (BAD, ["--max-bad", "1"], 5, "2 of 4 records had to be put aside"),
        (BAD, ["--max-bad", "10%"], 5, "2 of 4 records had to be put aside"),
        (BAD, ["--all-or-nothing"], 5, "Nothing was written."),
        (PEOPLE, ["--max-drift", "x"], 1, "a number of fields"),
        (PEOPLE, ["--expect", "expect.yaml", "--all-or-nothing"], 9, "There are at least 99 records"),
        (PEOPLE, ["--expect", "expect.yaml"], 9, "Not as expected: There are at least 99 records"),
        (PEOPLE, ["--expect", "none.yaml"], 1, "none.yaml cannot be read"),
        ("{\n" * 2001, [], 6, "None of the first 2,000 records"),
        (PEOPLE, ["--mode", "upsert", "--on", "nam"], 1, "Did you mean name?"),
        (PEOPLE, ["--on", "name"], 2, "no meaning for inserts"),
        (PEOPLE, ["--types", "age:int"], 1, "types is for csv and tsv, and this is ndjson."),
        (PEOPLE, ["--max-bad", "few"], 1, "a number of records"),
    ],
)
def test_what_stops_a_load(  # noqa: PLR0917  # columns of the table
    sheaf: Typed, tmp_path: Path, text: str, flags: list[str], code: int, said: str
) -> None:
    (tmp_path / "a.ndjson").write_text(text)
    (tmp_path / "expect.yaml").write_text("rows: {min: 99}\n")
    _, told = sheaf("ingest", "a.ndjson", "--into", "c", *flags, code=code)
    assert said in " ".join(told.split())


def test_items_of_an_object_in_one_line(sheaf: Typed, database: Database, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"type": "FeatureCollection", "features": [{"a": 1}, {"a": 2}]}')
    sheaf("ingest", "a.json", "--into", "c", "--items", "features")
    assert documents(database) == [{"a": 1}, {"a": 2}]


def test_many_files_end_with_a_total(sheaf: Typed, tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"{number}.ndjson").write_text(f'{{"a": {number}}}\n' * 1500 + BAD)
    sheaf("ingest", "0.ndjson", "--into", "c", code=2)
    _, said = sheaf("ingest", "0.ndjson", "1.ndjson", "2.ndjson", "--into", "c", code=2)
    last = said.splitlines()[-1]
    assert last == ("Together 3 files: 3,008 received, 3,004 written, 4 put aside; 1 of them loaded before.")


def test_a_list_in_a_pipe_has_whole_values(sheaf: Typed, tmp_path: Path) -> None:
    name = f"{'long-name-' * 12}.ndjson"
    (tmp_path / name).write_text('{"a": 1}\n' * 12_345)
    sheaf("ingest", name, "--into", "c")
    listed, _ = sheaf("ingest", "list")
    assert name in listed
    assert listed.count("12,345") == 2
    assert len(listed.splitlines()) == 2
