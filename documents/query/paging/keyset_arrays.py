"""Keyset paging where several keys may reach into one array, as in `-items.rank,items.name`.

MongoDB then sorts by the values of one element together, so conditions on those keys must hold of one element too.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from documents.query.paging.brackets import Condition, at, at_or_before, before
from documents.query.paging.order import bson_order

Clause = dict[str, Any]
Wanted = tuple[str, object, int, str]
"""A path, a value, a direction, and whether to stand `at`, `before` or `at or before` it."""


_RELATIONS: Final[Mapping[str, Callable[[str, object, int], list[Condition]]]] = {
    "at": at,
    "before": before,
    "at or before": at_or_before,
}
NOTHING: Final[Clause] = {"_id": {"$in": []}}


def share_an_array(paths: Sequence[str]) -> bool:
    """Say whether two of `paths` could reach into one array."""
    return any(len(group) > 1 for group in _groups(paths).values())


def _groups(paths: Sequence[str]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for path in paths:
        first, _, rest = path.partition(".")
        # A field of which nothing below is asked shares no element with its namesake: that can only be `_id`.
        groups.setdefault(first if rest else f"{path}.", []).append(path)
    return groups


def any_at_or_before(keys: Sequence[tuple[str, int]], values: Sequence[object]) -> list[Clause]:
    """Return the clauses of which one holds when a document stands at or before `values`."""
    return _any(keys, values, last="at or before")


def any_before(keys: Sequence[tuple[str, int]], values: Sequence[object]) -> list[Clause]:
    """Return the clauses of which one holds when a document stands before `values`."""
    return _any(keys, values, last="before")


def all_at(keys: Sequence[tuple[str, int]], values: Sequence[object]) -> Clause:
    """Return the clause that holds when one of the places of a document is at `values`."""
    return _together([(path, value, direction, "at") for (path, direction), value in zip(keys, values, strict=True)])


def _any(keys: Sequence[tuple[str, int]], values: Sequence[object], *, last: str) -> list[Clause]:
    return [
        _together([
            (path, value, direction, "at" if at < count else last if count == len(keys) - 1 else "before")
            for at, ((path, direction), value) in enumerate(zip(keys[: count + 1], values, strict=False))
        ])
        for count in range(len(keys))
    ]  # fmt: skip


def _together(wanted: Sequence[Wanted], prefix: str = "") -> Clause:
    """Return the clause that holds when `wanted` hold together, of one element where they share an array."""
    by_path = {one[0]: one for one in wanted}
    clauses: list[Clause] = []
    for first, paths in _groups(list(by_path)).items():
        group = [by_path[path] for path in paths]
        clauses.append(_shared(first, group, prefix) if len(group) > 1 else _natural(group[0], prefix))
    return {"$and": clauses}


def _natural(wanted: Wanted, prefix: str) -> Clause:
    path, value, direction, relation = wanted
    conditions: list[Condition] = _RELATIONS[relation](f"{prefix}{path}", value, direction)
    return {"$or": [{where: asked} for where, asked in conditions]} if conditions else NOTHING


def _shared(first: str, group: Sequence[Wanted], prefix: str) -> Clause:
    there = f"{prefix}{first}"
    below = [(path.removeprefix(f"{first}."), value, direction, relation) for path, value, direction, relation in group]
    return {
        "$or": [
            {"$and": [{there: {"$not": {"$type": "array"}}}, _together(below, f"{there}.")]},
            {there: {"$elemMatch": _together(below)}},
            *_without_elements(there, group),
        ]
    }


def _without_elements(there: str, group: Sequence[Wanted]) -> list[Clause]:
    """Return the clauses for arrays with no object to look into: all of the group's keys are null then."""
    if not all(_holds_for_null(wanted) for wanted in group):
        return []
    return [{there: {"$size": 0}}, {there: {"$elemMatch": {"$not": {"$type": ["object", "array"]}}}}]


def _holds_for_null(wanted: Wanted) -> bool:
    _, value, direction, relation = wanted
    null, there = bson_order(None), bson_order(value)
    is_at = null == there
    is_before = null < there if direction == 1 else there < null
    return is_at if relation == "at" else is_before or (is_at and relation == "at or before")
