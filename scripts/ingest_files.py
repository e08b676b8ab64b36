"""What `sheaf ingest` is told to load: sources, looked at before any of them is loaded."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import typer
import yaml

from documents.codec.formats import ReadOptions
from documents.codec.records import Format
from documents.codec.sniff import sniff
from documents.contracts.expectations import to_json
from documents.errors import Fault, InvalidParameterError
from documents.ingest.jobs import Cursor, Load, Mode, Origin
from documents.ingest.sources.kinds import STANDARD_INPUT, find_places
from documents.ingest.sources.source import Place, PlaceSource, Seen, Source
from documents.mapping.mapping import read_mapping
from documents.mapping.operations import MappingError
from scripts.console import MESSAGES, announce, printable

PASSED: Final = 3
"""Files that are passed over of which the names are said."""

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
        cursor: Which records are new; None for all.
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
    cursor: Cursor | None = None


@dataclass(frozen=True, slots=True)
class Input:
    """One source, as it was when it was looked at.

    Args:
        form: Its format.
        note: What is odd about it, in a sentence.
        place: Where its bytes lie.
        seen: What they were.
    """

    form: Format
    note: str | None
    place: Place
    seen: Seen

    @property
    def name(self) -> str:
        """For people."""
        return self.place.name

    @property
    def head(self) -> bytes:
        """Its first bytes."""
        return self.seen.head

    def source(self) -> Source:
        """Return its bytes, from the beginning; of a stream once."""
        return PlaceSource(self.place, self.seen)

    def without_head(self) -> "Input":
        """Return it without its first bytes, which it needs no more once it is known how it is read."""
        return self if self.place.origin is Origin.STREAM else replace(self, seen=replace(self.seen, head=b""))


def as_items(found: Input, wanted: Wanted) -> Input:
    """Return a file of one object in a line as JSON, where an array in it is wanted."""
    is_object = wanted.form is None and wanted.options.items and found.form in (Format.NDJSON, Format.EJSON)
    return replace(found, form=Format.JSON, note=None) if is_object else found


async def look_at(place: Place, form: Format | None) -> Input:
    """Return what a source is like, from its beginning and its name.

    Raises:
        IngestFileError: Nothing says in which format it is.
        SourceError: It cannot be read.
    """
    seen = await place.look()
    found, note = _form_of(seen.head, place.name, form)
    return Input(found, note, place, seen)


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
    """Return what is to be loaded of a source: under a key that is the same for the same data, loaded in the same way.

    A stream has no key but the one that is given, since nobody knows what it will hold.

    Raises:
        SourceError: It cannot be read.
    """
    load = as_load(found, wanted)
    if found.place.origin is Origin.FILE and (found.seen.size_bytes or 0) >= LARGE_BYTES:
        announce(f"Hashing {found.name}.")
    digest = await found.place.digest(found.seen)
    load = replace(load, digest=digest, size_bytes=found.seen.size_bytes)
    return load if wanted.key or digest is None else replace(load, key=key_of(load))


def as_load(found: Input, wanted: Wanted) -> Load:
    """Return what is to be loaded of a file, under the key that is given, if one is."""
    return Load(
        wanted.collection,
        found.form,
        wanted.mode,
        wanted.on,
        wanted.options,
        found.place.origin,
        found.name,
        wanted.key,
        mapping=wanted.mapping,
        cursor=wanted.cursor,
        **wanted.gates,
    )


def key_of(load: Load, *more: str) -> str:
    """Return a key for the data of a load, loaded as it says; another one for each of `more`."""
    if load.cursor is not None:
        more = (*more, load.cursor.name, load.cursor.field)
    told = [load.collection, load.mode, load.on if load.mode is not Mode.INSERT else (), load.form, load.digest]
    read = [load.options.described(), load.options.max_bytes, *([] if load.mapping is None else [load.mapping])]
    return hashlib.blake2b(json.dumps([told, read, *more]).encode(), digest_size=16).hexdigest()


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


def check_words(words: Sequence[str]) -> None:
    """Refuse standard input twice.

    Raises:
        InvalidParameterError: It is.
    """
    if words.count(STANDARD_INPUT) > 1:
        raise _invalid("Standard input can be read once.")


async def find_inputs(words: Sequence[str], wanted: Wanted, *, is_silent: bool) -> list[Place]:
    """Return every place that some words name, each file once, in their order.

    Raises:
        InvalidParameterError: There are several for one key.
        SourceError: A word names nothing that can be read.
    """
    places: list[Place] = []
    files: set[str] = set()
    for word in words:
        found = await find_places(word, takes_any=wanted.form is not None)
        for place in found.places:
            if place.origin is not Origin.FILE or place.name not in files:
                places.append(place)
                files.add(place.name)
        if found.passed and not is_silent:
            named = ", ".join(found.passed[:PASSED]) + (", …" if len(found.passed) > PASSED else "")
            told = f"{word}: passed over {len(found.passed):,} whose names stand for no format: {named}"
            MESSAGES.print(printable(told), style="yellow", markup=False, soft_wrap=True)
    if wanted.key and len(places) > 1:
        raise _invalid("A key goes with one file: --key names what is loaded once.")
    if wanted.cursor is not None and len(places) > 1:
        raise _invalid("--since goes with one source: a record of another may be older, and would be passed over.")
    return places


def _invalid(detail: str) -> InvalidParameterError:
    return InvalidParameterError(detail, [Fault("", "invalid", detail)])


def say_note(found: Input) -> None:
    """Say what is odd about a file, if anything is."""
    if found.note:
        MESSAGES.print(f"{found.name}: {found.note}", style="yellow", markup=False, soft_wrap=True)
