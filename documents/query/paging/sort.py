"""Sort orders: `-price,name`, or as MongoDB writes them."""

import hashlib
from dataclasses import dataclass
from typing import Final

from documents.errors import InvalidParameterError
from documents.query.paths import checked_path, collide, is_position
from documents.query.refusal import RefusedError, refusing_as, shown
from documents.query.shapes import is_array, is_object
from documents.types import child

MAX_KEYS: Final = 8
TIE_BREAK: Final = "_id"


@dataclass(frozen=True, slots=True)
class Sort:
    """In which order. As parsed, its last key is always `_id`, so that no two documents stand at the same place."""

    keys: tuple[tuple[str, int], ...]

    @property
    def paths(self) -> tuple[str, ...]:
        """Return the fields it looks at, for policies to judge."""
        return tuple(path for path, _ in self.keys)

    def to_mongo(self) -> list[tuple[str, int]]:
        """Return the sort as MongoDB takes it."""
        return list(self.keys)

    @property
    def leading(self) -> "Sort":
        """Return the order without `_id` at its end: what an index has to give for pages to be read from it."""
        return Sort(self.keys[:-1])

    @property
    def tie_break(self) -> "Sort":
        """Return the order of documents that are equal in everything else: by `_id` alone."""
        return Sort(self.keys[-1:])

    def reversed(self) -> "Sort":
        """Return the opposite order."""
        return Sort(tuple((path, -direction) for path, direction in self.keys))

    def fingerprint(self) -> bytes:
        """Return the same 32 bytes for the same order, in every process."""
        return hashlib.sha256(repr(self.keys).encode()).digest()


def parse_sort(value: object, *, pointer: str = "?sort") -> Sort:
    """Compile a sort order; `_id` is added at its end as the tie-break.

    Args:
        value: `"-price,name"`, `["-price", "name"]`, `{"price": -1, "name": 1}`, or a list of such objects; None and
            nothing sort by `_id` alone.
        pointer: Where in the request it was sent.

    Raises:
        InvalidParameterError: It is none of these, has more than 8 keys, or a key twice.
    """
    with refusing_as(InvalidParameterError, "sort"):
        keys: list[tuple[str, int]] = []
        for path, direction, at in _keys(value, pointer):
            checked_path(path, at)
            _refuse_position(path, at)
            if any(_contradict(path, other) for other, _ in keys):
                raise RefusedError(at, "path-collision", f"{shown(path)} is in the sort already.")
            keys.append((path, direction))
            if len(keys) > MAX_KEYS:
                raise RefusedError(pointer, "too-large", f"A sort has at most {MAX_KEYS} keys.")
        return Sort(tuple(_broken_ties(keys)))


def _refuse_position(path: str, pointer: str) -> None:
    # To a sort, `items.0` is the first item where items is an array; to a filter it is also the field "0" of each
    # item. No predicate could say "after" of it, so pages would lose documents.
    if any(map(is_position, path.split(".")[1:])):
        raise RefusedError(pointer, "sort-by-position", f"A sort goes by names; {shown(path)} names a position.")


def _contradict(path: str, other: str) -> bool:
    # `_id` cannot be an array, so to sort by a part of it and then by all of it is well defined.
    return path == other or (collide(path, other) and TIE_BREAK not in (path, other))


def _broken_ties(keys: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """Return the keys up to `_id`: what comes after it can change nothing."""
    paths = [path for path, _ in keys]
    if TIE_BREAK in paths:
        return keys[: paths.index(TIE_BREAK) + 1]
    # In the last key's direction, one compound index serves the sort both ways.
    return [*keys, (TIE_BREAK, keys[-1][1] if keys else 1)]


def _keys(value: object, pointer: str) -> list[tuple[str, int, str]]:
    if value is None or value in ("", [], {}):
        return []
    if isinstance(value, str):
        return [(*_signed(part), pointer) for part in value.split(",")]
    if is_object(value):
        return _members(value, pointer)
    if is_array(value):
        return [key for position, element in enumerate(value) for key in _element(element, child(pointer, position))]
    raise RefusedError(pointer, "wrong-type", 'A sort is written "-price,name" or {"price": -1, "name": 1}.')


def _element(element: object, pointer: str) -> list[tuple[str, int, str]]:
    if isinstance(element, str):
        return [(*_signed(element), pointer)]
    if is_object(element):
        return _members(element, pointer)
    raise RefusedError(pointer, "wrong-type", 'A key of a sort is "-price" or {"price": -1}.')


def _members(value: dict[str, object], pointer: str) -> list[tuple[str, int, str]]:
    return [
        (path, _direction(direction, child(pointer, path)), child(pointer, path)) for path, direction in value.items()
    ]


def _direction(value: object, pointer: str) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value not in (1, -1):
        raise RefusedError(pointer, "wrong-type", "A direction is 1 or -1.")
    return int(value)


def _signed(text: str) -> tuple[str, int]:
    name = text.strip()
    return (name[1:], -1) if name.startswith("-") else (name.removeprefix("+"), 1)
