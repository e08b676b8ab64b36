"""By which values MongoDB sorted a document.

A field that holds an array is sorted by one of its elements: the least in ascending order, the greatest in descending
order. Where several keys reach into the same array, they take the values of the same element, the one that comes
first in the order of all keys together.
"""

from collections.abc import Sequence
from itertools import chain, product
from typing import Any, TypeAlias

from documents.query.paging.order import EMPTY_ARRAY, Key, bson_order
from documents.query.paging.sort import Sort
from documents.query.shapes import is_array, is_object
from documents.types import MISSING, Document

Segments: TypeAlias = tuple[str, ...]


class _Descending:
    """A key turned round."""

    __slots__ = ("key",)

    def __init__(self, key: Key) -> None:
        self.key = key

    def __lt__(self, other: "_Descending") -> bool:
        return other.key < self.key

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Descending) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)


def sort_values(document: Document, sort: Sort) -> list[Any]:
    """Return the value of each key of `sort` by which MongoDB placed `document`.

    Args:
        document: With at least the fields of the sort.
        sort: The order in which it was read, so the reversed one on the way back.

    Returns:
        Values as stored; None for a missing field, and `EMPTY_ARRAY` for an array without elements.
    """
    rows = places(document, sort)
    return list(min(rows, key=lambda row: sort_key(row, sort))) if len(rows) > 1 else list(rows[0])


def places(document: Document, sort: Sort) -> list[tuple[Any, ...]]:
    """Return every list of sort values that `document` could have: several where a path leads into an array."""
    return _rows(document, [tuple(path.split(".")) for path, _ in sort.keys])


def sort_key(values: Sequence[object], sort: Sort) -> list[Any]:
    """Return a key by which Python puts lists of sort values into the order of `sort`."""
    return [
        bson_order(value) if direction == 1 else _Descending(bson_order(value))
        for value, (_, direction) in zip(values, sort.keys, strict=True)
    ]


def _rows(value: object, paths: Sequence[Segments]) -> list[tuple[Any, ...]]:
    """Return every combination of values that `paths` reach in what is not an array."""
    groups: dict[tuple[str, bool], list[int]] = {}
    for index, path in enumerate(paths):
        groups.setdefault((path[0], len(path) == 1), []).append(index)
    found = [
        _below(value.get(name, MISSING) if is_object(value) else MISSING, [paths[index][1:] for index in indexes])
        for (name, _), indexes in groups.items()
    ]
    return _combined(list(groups.values()), found)


def _combined(indexes: list[list[int]], found: list[list[tuple[Any, ...]]]) -> list[tuple[Any, ...]]:
    """Return the rows of one from each of `found`, the columns in the order of `indexes`."""
    order = [index for group in indexes for index in group]
    rows = (list(chain.from_iterable(parts)) for parts in product(*found))
    return [tuple(row[order.index(column)] for column in range(len(order))) for row in rows]


def _below(value: object, paths: Sequence[Segments]) -> list[tuple[Any, ...]]:
    if not is_array(value):
        return _element(value, paths)
    if not value:
        return [tuple(None if path else EMPTY_ARRAY for path in paths)]
    return [row for element in value for row in _element(element, paths)]


def _element(value: object, paths: Sequence[Segments]) -> list[tuple[Any, ...]]:
    if not paths[0]:
        return [(None if value is MISSING else value,)]
    return _rows(value, paths)
