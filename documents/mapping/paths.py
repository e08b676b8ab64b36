"""Paths in a mapping: names with dots between. A path goes through arrays, to each of the objects in them."""

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple, TypeAlias, cast

from documents.types import Document, child

Path: TypeAlias = tuple[str, ...]

_PART: Final = re.compile(r"(?:\\.|[^.\\])*")


class Spot(NamedTuple):
    """A key of an object.

    Args:
        parent: The object.
        key: The key, which it need not have.
        pointer: Of the key, as a JSON pointer.
    """

    parent: Document
    key: str
    pointer: str


def parse_path(text: str) -> Path:
    r"""Return the names of a path. `\.` is a dot in a name, and `\\` a backslash.

    Raises:
        ValueError: A backslash stands before something else.
    """
    if re.search(r"(?<!\\)(?:\\\\)*\\(?![.\\])", text):
        raise ValueError(f"In {text!r}, a backslash stands before neither a dot nor another backslash.")
    parts: list[str] = []
    start = 0
    while start <= len(text):
        found = cast("re.Match[str]", _PART.match(text, start))
        parts.append(re.sub(r"\\(.)", r"\1", found[0]))
        start = found.end() + 1
    return tuple(parts)


def objects_at(value: Any, path: Sequence[str], pointer: str = "") -> Iterator[tuple[Document, str]]:  # noqa: ANN401
    """Yield the objects at a path, each with its JSON pointer."""
    if isinstance(value, list):
        for place, item in enumerate(cast("list[Any]", value)):
            yield from objects_at(item, path, child(pointer, place))
    elif isinstance(value, dict):
        members = cast("Document", value)
        if not path:
            yield members, pointer
        elif path[0] in members:
            yield from objects_at(members[path[0]], path[1:], child(pointer, path[0]))


def spots_at(document: Document, path: Path) -> Iterator[Spot]:
    """Yield each place in a document that has a value at a path."""
    for parent, pointer in objects_at(document, path[:-1]):
        if path[-1] in parent:
            yield Spot(parent, path[-1], child(pointer, path[-1]))


def copied(value: Any) -> Any:  # noqa: ANN401  # a value of any BSON type
    """Return a value whose objects and arrays are new ones."""
    if isinstance(value, dict):
        return {key: copied(item) for key, item in cast("Document", value).items()}
    if isinstance(value, list):
        return [copied(item) for item in cast("list[Any]", value)]
    return value
