"""Keyset paging: the predicate for what comes after a document, in any order and with values of any type.

Three things make this more than `{"$gt": value}`:

- `$gt` compares within one bracket of types, while a sort goes through all of them. So the predicate says what must
  *not* be there: nothing of an earlier bracket, and nothing at or before the value in its own. Each such negation is
  one that MongoDB turns into bounds of an index.
- An array is sorted by the element that comes first in the order, so *all* its elements must be after: the same
  negations say just that.
- A missing field sorts as null, and so does a path that leads into an array of anything but objects.

In the opposite order MongoDB sorts an array by its other end. So a document with several values in a sort field stands
at two different places on the way there and on the way back; each way, taken whole, shows it once.
"""

from collections.abc import Sequence
from typing import Any

from bson import MinKey

from documents.query.paging.brackets import UNDEFINED, Condition, at, at_or_before, before, no_undefined
from documents.query.paging.keyset_arrays import all_at, any_at_or_before, any_before, share_an_array
from documents.query.paging.order import Bracket, bracket_of
from documents.query.paging.sort import TIE_BREAK, Sort

Clause = dict[str, Any]


def after(sort: Sort, values: Sequence[object], *, id_type_is_uniform: bool, backwards: bool = False) -> Clause:
    """Return the predicate that holds for the documents after one, strictly.

    Args:
        sort: The order of the list.
        values: The `sort_values` of the one, in the order in which it was read. Where they are fewer than the keys, the
            predicate is of what comes after all that begin with them.
        id_type_is_uniform: Whether every `_id` of the collection has one type, so that `$gt` finds them all.
        backwards: Whether to go the other way; the query then sorts by `sort.reversed()`.
    """
    keys = (sort.reversed() if backwards else sort).keys[: len(values)]
    steps = [
        _Step(path, value, direction, plain=id_type_is_uniform and path == TIE_BREAK)
        for (path, direction), value in zip(keys, values, strict=True)
    ]
    if share_an_array([step.path for step in steps]):
        return _all_of([*steps[0].not_before(), {"$nor": any_at_or_before(keys, values)}])
    return _any_of([
        _all_of([clause for earlier in steps[:count] for clause in earlier.at()] + beyond)
        for count, step in enumerate(steps)
        for beyond in step.beyond()
    ])  # fmt: skip


def level(sort: Sort, values: Sequence[object]) -> Clause:
    """Return the predicate that holds for the documents whose sort values begin with `values`.

    Args:
        sort: The order in which they were read.
        values: Of the first keys, or of all.
    """
    keys = sort.keys[: len(values)]
    if share_an_array([path for path, _ in keys]):
        return _all_of([all_at(keys, values), {"$nor": any_before(keys, values)}])
    steps = [_Step(path, value, direction, plain=False) for (path, direction), value in zip(keys, values, strict=True)]
    return _all_of([clause for step in steps for clause in step.exactly()])


class _Step:
    """One key of the sort, and where its page ended."""

    def __init__(self, path: str, value: object, direction: int, *, plain: bool) -> None:
        self.path = path
        self.value = value
        self.direction = direction
        self.plain = plain

    def beyond(self) -> list[list[Clause]]:
        """Every value is after: one of several lists of clauses, each of which holds as a whole."""
        if self.plain:
            return [[{self.path: {"$gt" if self.direction == 1 else "$lt": self.value}}]]
        if self.direction == 1 or bracket_of(self.value) is not Bracket.NULL:
            return [_none_of(at_or_before(self.path, self.value, self.direction))]
        neither = [*self.not_before(), *_none_of(at(self.path, self.value))]
        if self.path == TIE_BREAK:
            return [neither]
        # To `$eq`, undefined is null; descending, it comes after null. Asked for by itself, it has bounds of its own.
        undefined = [{self.path: UNDEFINED}, {self.path: {"$not": {"$type": "null"}}}, *self.not_before()]
        return [neither, undefined]

    def not_before(self) -> list[Clause]:
        """No value is before."""
        return _none_of(before(self.path, self.value, self.direction))

    def exactly(self) -> list[Clause]:
        """The first value is this one."""
        return [
            _any_of([{path: asked} for path, asked in at(self.path, self.value, self.direction)]),
            *self.not_before(),
        ]

    def at(self) -> list[Clause]:
        """The first value is this one, or after it: then `beyond` holds as well, so nothing is let in by that."""
        there = at(self.path, self.value)
        # Several conditions would need an $or of their own, which no index serves. Instead one that always holds
        # lets an index in, whose later fields then have bounds. (`$gte` of MinKey does not hold inside `[]`.)
        asked = there[0][1] if len(there) == 1 else {"$not": {"$lt": MinKey()}}
        return [{self.path: asked}, *self.not_before()]


def _none_of(conditions: Sequence[Condition]) -> list[Clause]:
    return [
        no_undefined(path) if asked is UNDEFINED else {path: {"$not": asked}}
        for path, asked in conditions
        if not (asked is UNDEFINED and path == TIE_BREAK)  # no id is undefined
    ]


def _all_of(clauses: list[Clause]) -> Clause:
    return clauses[0] if len(clauses) == 1 else {"$and": clauses}


def _any_of(clauses: list[Clause]) -> Clause:
    return clauses[0] if len(clauses) == 1 else {"$or": clauses}
