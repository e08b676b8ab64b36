"""What `sheaf ingest` is told to load: files and standard input, looked at before any of them is loaded."""

import asyncio
import hashlib
import json
import os
import stat
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO, Final

import typer
import yaml

from documents.codec.formats import ReadOptions
from documents.codec.records import Format
from documents.codec.sniff import HEAD_BYTES, sniff
from documents.errors import Fault, InvalidParameterError
from documents.ingest.expectations import to_json
from documents.ingest.jobs import Load, Mode, Origin
from documents.ingest.sources import FileSource, Source, StreamSource, hash_file, read_stream
from documents.mapping.mapping import read_mapping
from documents.mapping.operations import MappingError
from scripts.console import MESSAGES, announce

STANDARD_INPUT: Final = "-"
LARGE_BYTES: Final = 512 * 1024 * 1024
"""From this size on, it is said that a file is being hashed, since that takes a moment."""


class IngestFileError(Exception):
    """A file cannot be loaded."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """How files are to be loaded.

    Args:
        collection: Where to.
        mode: What their records do.
        on: The key.
        form: Their format; None to look.
        options: How they are read.
        key: Under which the one file is loaded once.
        gates: What each load has to pass: the fields of `Load` of these names.
        accept: Whether a table is read as it seems to be.
        asks: Whether somebody may be asked about that.
        mapping: How records are changed, as JSON.
    """

    collection: str
    mode: Mode
    on: tuple[str, ...]
    form: Format | None
    options: ReadOptions
    key: str | None
    gates: Mapping[str, Any] = field(default_factory=dict[str, Any])
    accept: bool = False
    asks: bool = False
    mapping: str | None = None


@dataclass(frozen=True, slots=True)
class Input:
    """One file, or a stream, as it was when it was looked at.

    Args:
        name: For people.
        form: Its format.
        note: What is odd about it, in a sentence.
        path: Of a file.
        size_bytes: Of a file.
        stream: Of anything else.
        head: Its first bytes; of a stream, what was read of it.
    """

    name: str
    form: Format
    note: str | None
    path: Path | None = None
    size_bytes: int = 0
    stream: BinaryIO | None = None
    head: bytes = b""

    def source(self) -> Source:
        """Return its bytes, from the beginning; of a stream once."""
        if self.stream is not None:
            return StreamSource(self.stream, self.head)
        return FileSource(self.path or Path(self.name), self.size_bytes)


def as_items(found: Input, wanted: Wanted) -> Input:
    """Return a file of one object in a line as JSON, where an array in it is wanted."""
    is_object = wanted.form is None and wanted.options.items and found.form in (Format.NDJSON, Format.EJSON)
    return replace(found, form=Format.JSON, note=None) if is_object else found


async def look_at(name: str, form: Format | None) -> Input:
    """Return what a file is like, from its beginning and its name.

    Raises:
        IngestFileError: It cannot be read, or nothing says in which format it is.
    """
    if name == STANDARD_INPUT:
        return await _look_at_stream("standard input", sys.stdin.fileno(), form)
    path = Path(name)
    try:
        status = await asyncio.to_thread(path.stat)
        if stat.S_ISDIR(status.st_mode):
            raise IngestFileError(f"{name} is a folder. Name the files in it: {name.rstrip('/')}/*")
        if not stat.S_ISREG(status.st_mode):  # a pipe, such as that of <(…)
            return await _look_at_stream(name, os.open(path, os.O_RDONLY), form)
        head = await asyncio.to_thread(_read_head, path)
    except OSError as error:
        raise IngestFileError(f"{name} cannot be read: {error.strerror}.") from error
    found, note = _form_of(head, name, form)
    return Input(name, found, note, path=path, size_bytes=status.st_size, head=head)


def _read_head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(HEAD_BYTES)


async def _look_at_stream(name: str, descriptor: int, form: Format | None) -> Input:
    # Without a buffer, so that the process need not wait for what comes when it ends.
    stream: BinaryIO = os.fdopen(descriptor, "rb", buffering=0, closefd=False)
    head = b""
    while len(head) < HEAD_BYTES and (piece := await read_stream(stream, HEAD_BYTES - len(head))):
        head += piece
    found, note = _form_of(head, name, form)
    return Input(name, found, note, stream=stream, head=head)


def _form_of(head: bytes, name: str, form: Format | None) -> tuple[Format, str | None]:
    sniffed = sniff(head, name)
    if sniffed.alien and form is None:
        raise IngestFileError(f"{name} is {sniffed.alien}, which is not loaded.")
    found = form or sniffed.format
    if found is None:
        reason = "is empty, and its name stands for no format" if not head else "looks like no format that is known"
        raise IngestFileError(f"{name} {reason}; say --format.")
    return found, None if form else sniffed.note


async def to_load(found: Input, wanted: Wanted) -> Load:
    """Return what is to be loaded of a file: under a key that is the same for the same data, loaded in the same way.

    A stream has no key but the one that is given, since nobody knows what it will hold.
    """
    load = as_load(found, wanted)
    if found.path is None:
        return load
    if found.size_bytes >= LARGE_BYTES:
        announce(f"Hashing {found.name}.")
    try:
        digest = await asyncio.to_thread(hash_file, found.path, found.size_bytes)
    except OSError as error:
        raise IngestFileError(f"{found.name} cannot be read: {error.strerror}.") from error
    load = replace(load, digest=digest, size_bytes=found.size_bytes)
    return load if wanted.key else replace(load, key=_key_of(load))


def as_load(found: Input, wanted: Wanted) -> Load:
    """Return what is to be loaded of a file, under the key that is given, if one is."""
    return Load(
        wanted.collection,
        found.form,
        wanted.mode,
        wanted.on,
        wanted.options,
        Origin.STREAM if found.path is None else Origin.FILE,
        found.name,
        wanted.key,
        mapping=wanted.mapping,
        **wanted.gates,
    )


def _key_of(load: Load) -> str:
    told = [load.collection, load.mode, load.on if load.mode is not Mode.INSERT else (), load.form, load.digest]
    read = [load.options.described(), load.options.max_bytes, *([] if load.mapping is None else [load.mapping])]
    return hashlib.blake2b(json.dumps([told, read]).encode(), digest_size=16).hexdigest()


def read_expectations(name: str) -> str:
    """Return what a file in YAML or JSON expects of records, as JSON.

    Raises:
        IngestFileError: It cannot be read.
    """
    try:
        return to_json(yaml.safe_load(Path(name).read_text(encoding="utf-8")))
    except OSError as error:
        raise IngestFileError(f"{name} cannot be read: {error.strerror}.") from error
    except (yaml.YAMLError, UnicodeDecodeError, TypeError) as error:
        raise IngestFileError(f"{name} is neither YAML nor JSON: {error}") from error


def read_mapping_file(name: str) -> str:
    """Return the mapping in a file, as JSON.

    Raises:
        typer.BadParameter: It cannot be read, or cannot be meant.
    """
    try:
        return read_mapping(Path(name).read_text("utf-8")).to_text()
    except MappingError as error:
        raise typer.BadParameter(f"--map {name}: {error.detail}") from None
    except UnicodeDecodeError:
        raise typer.BadParameter(f"--map {name}: The file is not text in UTF-8.") from None
    except OSError as error:
        raise typer.BadParameter(f"--map {name} cannot be read: {error.strerror}.") from None


def check_together(names: Sequence[str], key: str | None) -> None:
    """Refuse files that cannot be meant together.

    Raises:
        InvalidParameterError: One key for several files, or standard input twice.
    """
    if key and len(names) > 1:
        raise _invalid("A key goes with one file: --key names what is loaded once.")
    if names.count(STANDARD_INPUT) > 1:
        raise _invalid("Standard input can be read once.")


def _invalid(detail: str) -> InvalidParameterError:
    return InvalidParameterError(detail, [Fault("", "invalid", detail)])


def say_note(found: Input) -> None:
    """Say what is odd about a file, if anything is."""
    if found.note:
        MESSAGES.print(f"{found.name}: {found.note}", style="yellow", markup=False, soft_wrap=True)
