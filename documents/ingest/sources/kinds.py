"""Every kind of source that the command loads. What comes over HTTP to the API is an upload, and never one of these."""

import asyncio
import glob
import os
import stat
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from documents.ingest.sources.file import FilePlace
from documents.ingest.sources.filesystems import find_objects
from documents.ingest.sources.http import HttpPlace
from documents.ingest.sources.names import chosen, has_wildcard
from documents.ingest.sources.source import Place, SourceError
from documents.ingest.sources.stream import StreamPlace

STANDARD_INPUT: Final = "-"
_SEPARATOR: Final = "://"


@dataclass(frozen=True, slots=True)
class Found:
    """What a word of the command stands for.

    Args:
        places: In their order.
        passed: Names in a folder that stand for no format, which are left out.
    """

    places: list[Place]
    passed: list[str]


@dataclass(frozen=True, slots=True)
class SourceKind:
    """A kind of source: its row in the docs is made from it.

    Args:
        written: How it is typed.
        known_by: What tells that it is loaded already.
        find: Returns the places that a word names; the second argument says whether all files of a folder are taken.
        extra: Which of Sheaf's extras it needs.
    """

    written: str
    known_by: str
    find: Callable[[str, bool], Awaitable[Found]]
    extra: str | None = None


async def _find_stream(word: str, takes_any: bool) -> Found:  # noqa: ARG001, FBT001  # as every kind has it
    return Found([StreamPlace("standard input", sys.stdin.fileno())], [])


async def _find_url(word: str, takes_any: bool) -> Found:  # noqa: ARG001, FBT001
    return Found([HttpPlace(word)], [])


async def _find_objects(word: str, takes_any: bool) -> Found:  # noqa: FBT001
    return Found(*await find_objects(word, takes_any=takes_any))


async def _find_files(word: str, takes_any: bool) -> Found:  # noqa: FBT001
    try:
        return await asyncio.to_thread(_look_for_files, word, takes_any=takes_any)
    except OSError as error:
        raise SourceError(f"{word} cannot be read: {error.strerror}.") from error


def _look_for_files(word: str, *, takes_any: bool) -> Found:
    path = Path(word)
    if has_wildcard(word) and not path.exists():
        files = sorted(each for each in glob.glob(word, recursive=True) if Path(each).is_file())  # noqa: PTH207  # as typed
        if not files:
            raise SourceError(f"{word} names no file.")
        return Found([FilePlace(Path(each), each) for each in files], [])
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        return _look_into_folder(path, takes_any=takes_any)
    if not stat.S_ISREG(mode):  # a pipe, such as that of <(…)
        return Found([StreamPlace(word, os.open(path, os.O_RDONLY))], [])
    return Found([FilePlace(path, word)], [])


def _look_into_folder(folder: Path, *, takes_any: bool) -> Found:
    found = look_into(folder, takes_any=takes_any)
    if not found.places:
        raise SourceError(f"{folder} has no file whose name stands for a format. Say --format to take any.")
    return found


def look_into(folder: Path, *, takes_any: bool) -> Found:
    """Return the files of a folder, and of the folders in it, that are loaded, in their order; perhaps none."""
    files = [str(each) for each in folder.rglob("*") if each.is_file()]
    taken, passed = chosen(files, root=str(folder), takes_any=takes_any)
    return Found([FilePlace(Path(each)) for each in taken], passed)


_FILE: Final = SourceKind("`FILE`, `'logs/*.ndjson'`, `FOLDER/`", "what is in it", _find_files)
_STREAM: Final = SourceKind("`-`, `<(…)`", "the `--key` that you give", _find_stream)
_HTTP: Final = SourceKind("`http://`, `https://`", "its URL, with ETag or Last-Modified; else what is in it", _find_url)
_OBJECTS: Final = SourceKind("`s3://` and others of fsspec", "its address, with ETag or time", _find_objects, "s3")
_BY_SCHEME: Final[Mapping[str, SourceKind]] = {"http": _HTTP, "https": _HTTP}

KINDS: Final = (_FILE, _STREAM, _HTTP, _OBJECTS)
"""Every kind."""


def kind_of(word: str) -> SourceKind:
    """Return which kind of source a word of the command names."""
    if word == STANDARD_INPUT:
        return _STREAM
    scheme, separator, _ = word.partition(_SEPARATOR)
    if not separator or not scheme.isascii() or not scheme.replace("+", "").isalnum():
        return _FILE
    return _BY_SCHEME.get(scheme.lower(), _OBJECTS)


async def find_places(word: str, *, takes_any: bool = False) -> Found:
    """Return what a word of the command stands for.

    Args:
        word: A path, with wildcards or without, a folder, a URL, or `-`.
        takes_any: Whether files of a folder are taken whatever their names end in.

    Raises:
        SourceError: It names nothing that can be read.
    """
    return await kind_of(word).find(word, takes_any)
