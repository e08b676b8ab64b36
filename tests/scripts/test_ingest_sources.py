"""`sheaf ingest` from folders, patterns and URLs."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from documents.codec.extras import load_extra
from tests.documents.ingest.sources.web import Page, serving
from tests.scripts.typed import Database, Typed, start


def numbers(database: Database) -> list[int]:
    return sorted(document["n"] for document in database["c"].find())


def write(path: Path, *numbers: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f'{{"n": {number}}}\n' for number in numbers))


def test_of_a_folder_only_new_files_are_loaded(sheaf: Typed, database: Database, tmp_path: Path) -> None:
    write(tmp_path / "in" / "a.ndjson", 1)
    write(tmp_path / "in" / "2026" / "b.ndjson", 2)
    for name in ("README.md", ".hidden.ndjson", "c.ndjson.part"):
        (tmp_path / "in" / name).write_text('{"n": 99}\n')
    _, said = sheaf("ingest", "in", "--into", "c")
    assert "in: passed over 1 whose names stand for no format: in/README.md\n" in said
    assert "Together 2 files: 2 received, 2 written.\n" in said
    write(tmp_path / "in" / "d.ndjson", 3)
    write(tmp_path / "in" / "copy of a.ndjson", 1)
    (tmp_path / "in" / "a.ndjson").rename(tmp_path / "in" / "z.ndjson")
    _, said = sheaf("ingest", "in/", "--into", "c")
    assert "Loaded in/d.ndjson into c: 1 received, 1 written." in said
    assert "Together 4 files: 1 received, 1 written; 3 of them loaded before.\n" in said
    assert "already" not in said
    assert numbers(database) == [1, 2, 3]


def test_a_pattern_names_several_files(sheaf: Typed, database: Database, tmp_path: Path) -> None:
    write(tmp_path / "logs" / "day-1.ndjson", 1)
    write(tmp_path / "logs" / "deep" / "day-2.ndjson", 2)
    write(tmp_path / "logs" / "other.ndjson", 3)
    write(tmp_path / "odd[1].ndjson", 4)
    sheaf("ingest", "logs/**/day-*.ndjson", "odd[1].ndjson", "logs/day-1.ndjson", "--into", "c")
    assert numbers(database) == [1, 2, 4]


def test_a_url_is_loaded_once_until_it_changes(sheaf: Typed, database: Database) -> None:
    page = Page(b'{"n": 1}\n{"n": 2}\n', {"ETag": '"one"'})
    with serving(page) as url:
        out, _ = sheaf("ingest", url, "--into", "c", "--json")
        [load] = json.loads(out)["loads"]
        assert (load["source"], load["origin"], load["written"]) == (url, "url", 2)
        assert "is loaded into c already" in sheaf("ingest", url, "--into", "c")[1]
        page.body, page.headers["ETag"] = b'{"n": 3}\n', '"two"'
        assert "1 written" in sheaf("ingest", url, "--into", "c")[1]
        assert "Of 1 records" in sheaf("ingest", url, "--into", "c", "--dry-run")[1]
    assert numbers(database) == [1, 2, 3]


def test_a_download_that_breaks_off_goes_on(sheaf: Typed, database: Database) -> None:
    body = "".join(f'{{"n": {number}}}\n' for number in range(30_000)).encode()
    page = Page(body, {"ETag": '"one"'}, cuts=[100_000, 1, 200_000])
    with serving(page) as url:
        assert "30,000 received, 30,000 written" in sheaf("ingest", url, "--into", "c")[1]
    assert numbers(database) == list(range(30_000))
    assert [asked for asked in page.asked if asked][1:] == ["bytes=100000-", "bytes=100001-", "bytes=300001-"]


def test_a_download_that_stays_broken_goes_on_with_the_same_command(
    sheaf: Typed, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("documents.ingest.sources.source.FIRST_PAUSE_SECONDS", 0.01)
    body = "".join(f'{{"n": {number}}}\n' for number in range(30_000)).encode()
    page = Page(body, {"ETag": '"one"'}, cuts=[300_000, *[0] * 5])
    with serving(page) as url:
        _, said = sheaf("ingest", url, "--into", "c", code=1)
        assert "The same command goes on where it was." in said
        assert "cannot be read any further" in said
        _, said = sheaf("ingest", url, "--into", "c")
        assert "Going on with load" in said
        assert "30,000 received, 30,000 written" in said
    assert numbers(database) == list(range(30_000))


def test_objects_of_fsspec(sheaf: Typed, database: Database) -> None:
    memory: Any = load_extra("fsspec", "s3").filesystem("memory")
    memory.pipe_file("/bucket/a.ndjson", b'{"n": 1}\n')
    memory.pipe_file("/bucket/b.csv", b"n\n2\n")
    try:
        for said in ("2 files: 2 received, 2 written.", "2 files: 0 received, 0 written; 2 of them loaded before."):
            assert said in sheaf("ingest", "memory://bucket/a.ndjson", "memory://bucket/*.csv", "--into", "c")[1]
    finally:
        memory.store.clear()
    assert sorted(str(document["n"]) for document in database["c"].find()) == ["1", "2"]


class TestSince:
    def test_only_what_is_new_is_loaded(self, sheaf: Typed, database: Database, tmp_path: Path) -> None:
        words = ("ingest", "events.ndjson", "--into", "c", "--since", "n", "--name", "events")
        write(tmp_path / "events.ndjson", 3, 1, 2)
        assert "3 received, 3 written." in sheaf(*words)[1]
        write(tmp_path / "events.ndjson", 3, 1, 2, 5, 4)
        said = sheaf(*words, "--dry-run")[1]
        assert "Of 2 records" in said
        assert "3 more are passed over" in said
        assert "2 received, 2 written, 3 passed over." in sheaf(*words)[1]
        assert "already" in sheaf(*words)[1]
        write(tmp_path / "events.ndjson", 4, 5)
        assert "0 received, 0 written, 2 passed over." in sheaf(*words)[1]
        assert numbers(database) == [1, 2, 3, 4, 5]

    def test_names_and_collections_have_cursors_of_their_own(
        self, sheaf: Typed, database: Database, tmp_path: Path
    ) -> None:
        write(tmp_path / "a.ndjson", 1, 2)
        for into, name in (("c", "one"), ("c", "two"), ("d", "one")):
            words = ("ingest", "a.ndjson", "--into", into, "--name", name)
            assert "2 received, 2 written." in sheaf(*words, "--since", "n")[1]
        words = ("ingest", "a.ndjson", "--into", "c", "--name", "one", "--since", "m")
        assert "go by the field n" in sheaf(*words, code=1)[1]
        assert numbers(database) == [1, 1, 2, 2]

    def test_a_load_that_is_taken_back_takes_its_cursor_along(
        self, sheaf: Typed, database: Database, tmp_path: Path
    ) -> None:
        words = ("ingest", "a.ndjson", "--into", "c", "--since", "n", "--name", "a", "--json")
        write(tmp_path / "a.ndjson", 1, 2)
        sheaf(*words)
        write(tmp_path / "a.ndjson", 2, 3)
        [load] = json.loads(sheaf(*words)[0])["loads"]
        assert (load["received"], load["skipped"], load["cursor"]) == (1, 1, {"name": "a", "field": "n"})
        sheaf("ingest", "undo", load["id"])
        write(tmp_path / "a.ndjson", 3, 4)
        sheaf(*words)
        assert numbers(database) == [1, 2, 3, 4]

    def test_what_cannot_be_compared_is_put_aside(self, sheaf: Typed, tmp_path: Path) -> None:
        (tmp_path / "a.ndjson").write_text('{"at": {"t": "2026-01-01"}}\n{}\n{"at": {"t": true}}\n{"at": {"t": 5}}\n')
        _, said = sheaf("ingest", "a.ndjson", "--into", "c", "--since", "at.t", "--name", "a", code=2)
        assert "4 received, 1 written, 3 put aside." in said
        assert "cursor-missing: 2" in said
        assert "line 4: /at/t: The field at.t is a number, and was a text before." in said

    @pytest.mark.parametrize(
        ("words", "told", "code"),
        [
            (["a.ndjson", "--since", "n"], "--since and --name go together", 2),
            (["a.ndjson", "b.ndjson", "--since", "n", "--name", "x"], "--since goes with one source", 1),
            (["a.ndjson", "--since", "$n", "--name", "x"], "since names a field", 1),
        ],
    )
    def test_what_cannot_be_meant_is_told(
        self, sheaf: Typed, tmp_path: Path, words: list[str], told: str, code: int
    ) -> None:
        write(tmp_path / "a.ndjson", 1)
        write(tmp_path / "b.ndjson", 1)
        assert told in sheaf("ingest", *words, "--into", "c", code=code)[1]

    def test_standard_input_goes_on_from_the_last_time(self, database: Database) -> None:
        for lines, written in (('{"n": 1}\n{"n": 2}\n', 2), ('{"n": 2}\n{"n": 3}\n', 1)):
            process = start(
                "ingest", "-", "--into", "c", "--since", "n", "--name", "x", "--json", stdin=subprocess.PIPE
            )
            out, _ = process.communicate(lines.encode(), timeout=60)
            assert json.loads(out)["loads"][0]["written"] == written
        assert numbers(database) == [1, 2, 3]
