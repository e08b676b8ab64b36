"""Dotted field paths: what they may look like, and which declared field they mean."""

from typing import Final, cast

from documents.query.refusal import RefusedError, shown
from documents.types import MISSING, Document

MAX_SEGMENTS: Final = 100
DBREF_PARTS: Final = frozenset({"$ref", "$id", "$db"})


def checked_path(path: str, pointer: str, *, dbref: bool = False) -> str:
    """Return `path` when MongoDB takes it as a field path and nothing else.

    Args:
        path: Such as `address.city` or `items.0.price`.
        pointer: Where it was sent.
        dbref: Whether the parts of a DBRef may be named, as in `author.$id`.
    """
    segments = path.split(".")
    if "" in segments:
        raise RefusedError(pointer, "invalid-path", f"{shown(path)} has an empty name in it.")
    if len(segments) > MAX_SEGMENTS:
        raise RefusedError(pointer, "path-too-long", f"A path has at most {MAX_SEGMENTS} names.")
    if not is_storable(path) or "\0" in path:
        raise RefusedError(pointer, "invalid-path", "A path is Unicode text without NUL.")
    for position, segment in enumerate(segments):
        if segment.startswith("$") and not (dbref and position and segment in DBREF_PARTS):
            raise RefusedError(
                pointer, "invalid-path", f"A field name does not begin with $, as {shown(segment)} does."
            )
    return path


def value_at(value: object, path: str) -> object:
    """Return what a document has at a dotted path, not looking into arrays; MISSING if it has nothing there."""
    for segment in path.split("."):
        value = cast("Document", value).get(segment, MISSING) if isinstance(value, dict) else MISSING
    return value


def is_storable(text: str) -> bool:
    """Say whether BSON, which is UTF-8, can hold `text`: lone surrogates it cannot."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def declared_path(path: str) -> str:
    """Return `path` without array positions: `items.0.price` is declared, and protected, as `items.price`."""
    first, *rest = path.split(".")
    return ".".join([first, *(segment for segment in rest if not is_position(segment))])


def is_position(segment: str) -> bool:
    """Say whether a name in a path can also mean a position in an array."""
    return segment.isascii() and segment.isdecimal()


def collide(one: str, other: str) -> bool:
    """Say whether one path is the other or leads to it."""
    return one == other or one.startswith(f"{other}.") or other.startswith(f"{one}.")


def is_field_path(path: str) -> bool:
    """Tell whether a dotted path can name a field: no step of it is empty, begins with $ or has the NUL character."""
    return all(segment and not segment.startswith("$") and "\0" not in segment for segment in path.split("."))
