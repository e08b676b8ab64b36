"""`sheaf ingest --follow` and `sheaf ingest watch`, stopped and started again."""

import gzip
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from tests.scripts.typed import Database, Typed, start


@contextmanager
def running(*words: str) -> Generator["subprocess.Popen[bytes]"]:
    process = start("ingest", *words)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def stop(process: "subprocess.Popen[bytes]", code: int = 130) -> str:
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=20)
    assert process.returncode == code, said
    return said.decode()


def until(holds: Callable[[], bool], process: "subprocess.Popen[bytes]", seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.05)


def numbers(database: Database) -> list[int]:
    return sorted(int(document["n"]) for document in database["c"].find())


def append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def test_what_is_appended_is_loaded_and_goes_on_after_a_stop_and_a_kill(database: Database, tmp_path: Path) -> None:
    path = tmp_path / "app.ndjson"
    path.write_text('{"n": 1}\n{"n": 2}\n{"n":')
    words = ("app.ndjson", "--into", "c", "--follow")
    with running(*words) as process:
        until(lambda: numbers(database) == [1, 2], process)
        append(path, ' 3}\n{"n": 4}\n')
        until(lambda: numbers(database) == [1, 2, 3, 4], process)
        assert "The same command goes on where it was." in stop(process)
    append(path, '{"n": 5}\n')
    with running(*words) as process:
        until(lambda: numbers(database) == [1, 2, 3, 4, 5], process)
        process.kill()
    append(path, '{"n": 6}\nbad\n')
    with running(*words) as process:
        until(lambda: numbers(database) == [1, 2, 3, 4, 5, 6], process)
        assert "Going on with load" in stop(process)
    assert database["_sheaf.jobs"].count_documents({}) == 1
    assert database["_sheaf.quarantine"].count_documents({}) == 1


def test_a_file_that_takes_its_place_is_followed_from_its_beginning(database: Database, tmp_path: Path) -> None:
    path = tmp_path / "app.csv"
    path.write_text("n,m\n1,a\n")
    words = ("app.csv", "--into", "c", "--follow")
    with running(*words) as process:
        until(lambda: numbers(database) == [1], process)
        append(path, "2,b\n")
        path.rename(tmp_path / "app.csv.1")
        append(tmp_path / "app.csv.1", "3,c\n")
        path.write_text("n,m\n4,d\n")
        until(lambda: numbers(database) == [1, 2, 3, 4], process)
        os.truncate(path, 0)
        append(path, "n,m\n5,e\n6,f")
        until(lambda: 5 in numbers(database), process)
        stop(process)
    path.unlink()
    path.write_text("n,m\n7,g\n")
    with running(*words) as process:
        until(lambda: 7 in numbers(database), process)
        assert "Another file has taken the place of the one that load" in stop(process)
    assert numbers(database) == [1, 2, 3, 4, 5, 7]


def test_what_cannot_be_followed_is_told(sheaf: Typed, tmp_path: Path) -> None:
    (tmp_path / "a.ndjson").write_text("{}\n")
    (tmp_path / "a.json").write_text('[{"n": 1}]')
    (tmp_path / "a.ndjson.gz").write_bytes(gzip.compress(b"{}\n"))
    for words, told in (
        (["a.ndjson", "a.json"], "--follow goes with one file"),
        (["https://127.0.0.1:1/a"], "--follow goes with one file"),
        (["a.json"], "a.json is json, and only ndjson, csv, tsv, bson can be followed"),
        (["a.ndjson.gz"], "is compressed"),
        (["a.ndjson", "--all-or-nothing"], "which need all records"),
    ):
        assert told in sheaf("ingest", *words, "--into", "c", "--follow", code=1)[1]
    sheaf("ingest", "a.ndjson", "--into", "c", "--follow", "--dry-run", code=2)


def test_files_are_loaded_as_they_come_into_a_folder(database: Database, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.ndjson").write_text('{"n": 1}\n')
    words = ("watch", "in", "--into", "c")
    with running(*words) as process:
        until(lambda: numbers(database) == [1], process)
        (folder / "deep" / "b.ndjson.part").write_text('{"n": 2}\n')
        (folder / "bad.json").write_text("")
        (folder / "notes.txt").write_text("no")
        growing = folder / "c.csv"
        for piece in ("n\n", "3\n", "4\n", "5\n"):
            append(growing, piece)
            time.sleep(0.4)
            assert numbers(database) == [1]
        until(lambda: numbers(database) == [1, 3, 4, 5], process)
        (folder / "deep" / "b.ndjson.part").rename(folder / "deep" / "b.ndjson")
        until(lambda: numbers(database) == [1, 2, 3, 4, 5], process)
        until(lambda: database["_sheaf.jobs"].count_documents({"state": "done"}) == 4, process)
        assert re.search(r"Together [34] files: [56] received, [45] written, 1 put aside\.", stop(process))
    (folder / "d.ndjson").write_text('{"n": 6}\n')
    with running(*words) as process:
        until(lambda: numbers(database) == [1, 2, 3, 4, 5, 6], process)
        process.kill()


def test_a_folder_that_is_none_is_told(sheaf: Typed, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    for name in ("none", "a"):
        assert f"{name} is no folder." in sheaf("ingest", "watch", name, "--into", "c", code=1)[1]
