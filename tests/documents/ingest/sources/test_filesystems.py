"""Objects of file systems that fsspec knows, tried with the one in memory."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from documents.codec.extras import load_extra
from documents.ingest.sources import filesystems
from documents.ingest.sources.kinds import KINDS, find_places, kind_of
from documents.ingest.sources.source import Place, PlaceSource, SourceChangedError, SourceError


@pytest.fixture
def memory() -> Iterator[Any]:
    filesystem: Any = load_extra("fsspec", "s3").filesystem("memory")
    for name in ("bucket/day/a.ndjson", "bucket/day/b.csv.gz", "bucket/day/notes.md", "bucket/day/.hidden.csv"):
        filesystem.pipe_file(f"/{name}", name.encode())
    yield filesystem
    filesystem.store.clear()


async def read(place: Place) -> bytes:
    source = PlaceSource(place, await place.look())
    return b"".join([chunk async for chunk in source.chunks()])


async def look(word: str) -> None:
    for place in (await find_places(word)).places:
        await place.look()


@pytest.mark.parametrize(
    ("word", "names", "passed"),
    [
        ("memory://bucket/day/a.ndjson", ["a.ndjson"], 0),
        ("memory://bucket/day/*", [".hidden.csv", "a.ndjson", "b.csv.gz", "notes.md"], 0),
        ("memory://bucket/**/*.gz", ["b.csv.gz"], 0),
        ("memory://bucket/", ["a.ndjson", "b.csv.gz"], 1),
    ],
)
@pytest.mark.usefixtures("memory")
async def test_objects_are_found(word: str, names: list[str], passed: int) -> None:
    found = await find_places(word)
    assert [place.name for place in found.places] == [f"memory://bucket/day/{name}" for name in names]
    assert len(found.passed) == passed


async def test_an_object_is_read_in_pieces_and_known_again(memory: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filesystems, "PIECE_BYTES", 1000)
    memory.pipe_file("/bucket/large.ndjson", b'{"n": 1}\n' * 1000)
    [place] = (await find_places("memory://bucket/large.ndjson")).places
    assert await read(place) == b'{"n": 1}\n' * 1000
    seen = await place.look()
    assert await place.digest(seen) == await place.digest(await place.look())
    assert b"".join([piece async for piece in place.open(seen, 8991)]) == b'{"n": 1}\n'
    memory.pipe_file("/bucket/large.ndjson", b"other")
    assert await place.digest(seen) != await place.digest(await place.look())
    with pytest.raises(SourceChangedError):
        await anext(place.open(seen, 0))


@pytest.mark.usefixtures("memory")
async def test_what_is_not_there_is_told() -> None:
    for word, told in (
        ("memory://bucket/none.csv", "is not there"),
        ("memory://bucket/*.none", "names nothing that can be loaded"),
        ("nothing://a", "is no source that is known"),
    ):
        with pytest.raises(SourceError, match=told):
            await look(word)


async def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(
        SourceError, match=r"S3 needs s3fs, which is not installed: run `pip install 'sheaf-api\[s3\]'`"
    ):
        await find_places("s3://bucket/a.csv")


def test_the_guide_names_every_kind() -> None:
    guide = Path("docs/ingest.md").read_text("utf-8")
    for kind in KINDS:
        assert f"| {kind.written} | {kind.known_by} |" in guide
        assert kind.extra is None or f"the extra `{kind.extra}`" in guide


def test_words_and_their_kinds() -> None:
    written = {
        word: kind_of(word).written.split("`")[1]
        for word in ("a.csv", "C:\\a.csv", "-", "https://a", "HTTP://a", "s3://a", "a:b.csv", "x y://b")
    }
    assert written == {
        "a.csv": "FILE",
        "C:\\a.csv": "FILE",
        "-": "-",
        "https://a": "http://",
        "HTTP://a": "http://",
        "s3://a": "s3://",
        "a:b.csv": "FILE",
        "x y://b": "FILE",
    }
