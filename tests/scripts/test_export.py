"""`sheaf export`, as people type it."""

import gzip
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import bson
import pytest
import zstandard
from pymongo import MongoClient
from pymongo.database import Database

from documents.codec.formats import make_reader
from documents.codec.plain import CODEC_OPTIONS
from documents.codec.records import Format
from documents.collections.export import ExportPlan
from documents.errors import DatabaseUnavailableError
from scripts.cli import main

Type = Callable[..., tuple[int, str, str]]
"""Types `sheaf export` with these words; answers with the exit code, standard output and standard error."""

DOCUMENTS: list[dict[str, Any]] = [{"_id": n, "n": n, "a": {"b": bson.Int64(n)}, "t": f"x{n}"} for n in range(5)]


@pytest.fixture
def database(mongo_uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database[dict[str, Any]]]:
    """A database with a few documents, which the command finds in its environment."""
    name = f"exporting_{uuid4().hex}"
    monkeypatch.chdir(tmp_path)
    for variable, value in (("MONGODB_URI", mongo_uri), ("DATABASE", name), ("ENVIRONMENT", "")):
        monkeypatch.setenv(f"SHEAF_{variable}", value)
    with MongoClient[dict[str, Any]](mongo_uri) as client:
        client[name]["things"].insert_many(DOCUMENTS)
        yield client[name]
        client.drop_database(name)


@pytest.fixture
def type_in(
    database: Database[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Type:
    assert database.name
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("NO_COLOR", "1")

    def type_words(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["sheaf", "export", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err.lstrip()

    return type_words


def test_to_standard_output(type_in: Type) -> None:
    code, out, err = type_in("things", "--sort", "-n", "--limit", "2", "--fields", "n")
    assert (code, out, err) == (0, '{"_id":4,"n":4}\n{"_id":3,"n":3}\n', "")


def test_a_filter(type_in: Type) -> None:
    code, out, _ = type_in("things", "-", "--filter", '{"n": {"$gt": {"$numberInt": "3"}}}', "--fields", "t")
    assert (code, out) == (0, '{"_id":4,"t":"x4"}\n')


@pytest.mark.parametrize(
    ("name", "form"), [("a.ejson", Format.EJSON), ("a.bson", Format.BSON), ("A.EJSON", Format.EJSON)]
)
def test_a_file_in_the_format_of_its_ending(type_in: Type, tmp_path: Path, name: str, form: Format) -> None:
    code, out, err = type_in("things", name, "--sort", "n")
    assert (code, out, err) == (0, "", f"Wrote 5 documents to {name}.\n")
    reader = make_reader(form)
    records = [*reader.feed((tmp_path / name).read_bytes()), *reader.end()]
    assert [bson.encode(record.document or {}, codec_options=CODEC_OPTIONS) for record in records] == [
        bson.encode(document) for document in DOCUMENTS
    ]
    assert [each.name for each in tmp_path.iterdir()] == [name]


def test_other_endings(type_in: Type, tmp_path: Path) -> None:
    for name in ("a.csv.gz", "a.json.zst", "a.ndjson", "a.jsonl", "a.tsv"):
        assert type_in("things", name, "--sort", "n")[0] == 0
    table = gzip.decompress((tmp_path / "a.csv.gz").read_bytes()).decode()
    assert table.startswith("_id,n,a.b,t\r\n0,0,0,x0\r\n")
    packed = (tmp_path / "a.json.zst").read_bytes()
    assert len(json.loads(zstandard.ZstdDecompressor().decompressobj().decompress(packed))) == 5
    assert (tmp_path / "a.ndjson").read_bytes() == (tmp_path / "a.jsonl").read_bytes()
    assert (tmp_path / "a.tsv").read_text().startswith("_id\tn\ta.b\tt\n")


def test_parquet(type_in: Type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code, _, err = type_in("things", "a.parquet", "--sort", "n")
    assert (code, err) == (0, "Wrote 5 documents to a.parquet.\n")
    reader = make_reader(Format.PARQUET)
    records = [*reader.feed((tmp_path / "a.parquet").read_bytes()), *reader.end()]
    assert [record.document for record in records] == DOCUMENTS
    for words in (("b.parquet", "--compress", "gzip"), ("b.parquet.zst",)):
        code, _, err = type_in("things", *words)
        assert (code, "compressed inside" in err) == (1, True)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)  # as if it were not there
    code, _, err = type_in("things", "b.parquet")
    assert (code, "run `pip install 'sheaf-api[parquet]'`" in err) == (1, True)
    assert [each.name for each in tmp_path.iterdir()] == ["a.parquet"]


def test_flags_win_over_the_ending(type_in: Type, tmp_path: Path) -> None:
    assert type_in("things", "a.txt", "--format", "csv", "--compress", "gzip", "--fields", "n", "--sort", "n")[0] == 0
    assert gzip.decompress((tmp_path / "a.txt").read_bytes()).split() == [b"n", b"0", b"1", b"2", b"3", b"4"]


def test_a_report_for_programs(type_in: Type, tmp_path: Path) -> None:
    code, out, err = type_in("things", "a.csv", "--json")
    report = json.loads(out)
    assert (code, err) == (0, "")
    assert report.pop("seconds") > 0
    assert report == {
        "collection": "things",
        "file": "a.csv",
        "format": "csv",
        "compression": None,
        "documents": 5,
        "bytes": (tmp_path / "a.csv").stat().st_size,
    }


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("things", "a.xyz"), 2, "--format"),
        (("things", "--json"), 2, "Name a file"),
        (("things", "a.csv", "--format", "xml"), 2, "--format"),
        (("nothing", "a.csv"), 1, "no collection"),
        (("things", "a.csv", "--filter", "{"), 1, "--filter is not a filter"),
        (("things", "a.csv", "--filter", '{"$where": "1"}'), 1, "$where"),
        (("things", "a.csv", "--limit", "0"), 1, "limit"),
        (("things", "none/a.csv"), 1, "cannot be written"),
    ],
)
def test_what_cannot_be_meant(type_in: Type, tmp_path: Path, words: tuple[str, ...], code: int, told: str) -> None:
    ended, out, err = type_in(*words)
    assert (ended, out) == (code, "")
    assert told in err
    assert [*tmp_path.iterdir()] == []


def test_a_failure_leaves_the_old_file(type_in: Type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.csv").write_text("old")
    whole = ExportPlan.run

    async def broken(self: ExportPlan, *, seconds: float) -> Any:
        async for piece in whole(self, seconds=seconds):
            yield piece
        raise DatabaseUnavailableError("The connection was lost.")

    monkeypatch.setattr(ExportPlan, "run", broken)
    code, _, err = type_in("things", "a.csv")
    assert (code, err) == (1, "Error: The connection was lost.\n")
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("a.csv", "old")]


def test_a_link_stays_one_and_a_device_is_not_replaced(type_in: Type, tmp_path: Path) -> None:
    (tmp_path / "real.csv").touch()
    (tmp_path / "link.csv").symlink_to("real.csv")
    assert type_in("things", "link.csv", "--fields", "n", "--sort", "n")[0] == 0
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "real.csv").read_text().startswith("n\n0\n")
    assert type_in("things", os.devnull, "--format", "csv")[0] == 0
    assert not Path(os.devnull).is_file()


@pytest.fixture
def large(database: Database[dict[str, Any]]) -> str:
    """A collection that no pipe holds."""
    database["large"].insert_many([{"_id": n, "text": "x" * 1000} for n in range(5000)])
    return "large"


def start(*words: str) -> "subprocess.Popen[bytes]":
    command = [Path(sys.executable).with_name("sheaf"), "export", *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_who_reads_no_further_is_not_told_of_it(large: str) -> None:
    with start(large) as process:
        assert process.stdout
        assert process.stderr
        assert process.stdout.readline().startswith(b'{"_id":')
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141


def test_ctrl_c_leaves_nothing_behind(large: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "hold")  # what stands at its end decides when the export goes on
    script = "import sys; from scripts.commands import export; from scripts.cli import main; " + _HOLD
    sys_argv = ["export", large, "a.ndjson"]
    with subprocess.Popen([sys.executable, "-c", script, *sys_argv], stderr=subprocess.PIPE) as process:
        assert process.stderr
        (tmp_path / "hold").read_text()  # returns when it has written some
        assert [each.suffix for each in tmp_path.iterdir() if each.name != "hold"] == [".part"]
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()
    assert (process.returncode, said) == (130, b"")
    assert [each.name for each in tmp_path.iterdir()] == ["hold"]


_HOLD = """
import asyncio
whole = export.ExportPlan.run
async def held(self, *, seconds):
    async for piece in whole(self, seconds=seconds):
        yield piece
        if piece.documents:
            open("hold", "w").close()
            await asyncio.Event().wait()
export.ExportPlan.run = held
main()
"""
