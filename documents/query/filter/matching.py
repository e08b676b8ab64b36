"""Match a document against a compiled filter in Python, as MongoDB would.

Only the operators of `OPERATORS` and `LOGICAL` are known: the language of policies, whose checks are decided before a
document is sent. Strings compare by code point, without a collation.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from documents.query.paging.order import Bracket, bson_order
from documents.query.paths import is_position
from documents.query.shapes import is_array, is_object
from documents.types import MISSING

Predicate = Callable[[Any, Any], bool]


def matches(query: Mapping[str, Any], document: Mapping[str, Any]) -> bool:
    """Return whether `document` matches `query`, a filter in the form that MongoDB takes.

    Raises:
        KeyError: An operator is not one of those above.

    Source:
        MongoDB manual, Query and Projection Operators; checked against a server by a property test.
    """
    return all(
        LOGICAL[name](operand, document) if name in LOGICAL else _field(document, name, operand)
        for name, operand in query.items()
    )


def _any(operand: list[Mapping[str, Any]], document: Mapping[str, Any]) -> bool:
    return any(matches(query, document) for query in operand)


LOGICAL: Final[Mapping[str, Callable[[Any, Mapping[str, Any]], bool]]] = {
    "$and": lambda operand, document: all(matches(query, document) for query in operand),
    "$or": _any,
    "$nor": lambda operand, document: not _any(operand, document),
}


def _field(document: Mapping[str, Any], path: str, condition: Mapping[str, Any]) -> bool:
    return _condition(list(_reach(document, path.split("."))), condition)


def _reach(value: object, names: list[str]) -> Iterator[object]:
    """Yield each value at a dotted path, through arrays; MISSING where an object lacks it."""
    if not names:
        yield value
    elif is_object(value):
        yield from _reach(value.get(names[0], MISSING), names[1:])
    elif is_array(value):
        yield from _reach_elements(value, names)
    else:
        yield MISSING


class _Element(list[object]):
    """An array in an array that a path ends at by position: MongoDB compares it whole, and not its elements."""


def _reach_elements(elements: list[object], names: list[str]) -> Iterator[object]:
    is_index = is_position(names[0]) and int(names[0]) < len(elements)
    if is_index:
        element = elements[int(names[0])]
        if is_array(element) and len(names) == 1:
            yield _Element(element)
        else:
            yield from _reach(element, names[1:])
    for element in elements:
        if is_object(element):
            yield from _reach(element, names)


def _condition(reached: list[object], condition: Mapping[str, Any]) -> bool:
    return all(OPERATORS[name](reached, operand) for name, operand in condition.items())


def _candidates(reached: list[object]) -> Iterator[object]:
    """Yield each value to compare: a leaf itself and, of an array, each element too."""
    for value in reached:
        yield value
        if is_array(value) and not isinstance(value, _Element):
            yield from value


def _equal(value: object, operand: object) -> bool:
    if operand is None:
        return value is None or value is MISSING
    return value is not MISSING and bson_order(value) == bson_order(operand)


def _equals(reached: list[object], operand: object) -> bool:
    if operand is None and not reached:
        return False
    return any(_equal(value, operand) for value in _candidates(reached))


def _compare(accept: Callable[[Any, Any], bool], *, takes_equal: bool) -> Predicate:
    """Return a comparison within one type bracket, which NaN never passes unless it equals."""

    def one(value: object, operand: object) -> bool:
        if operand is None or value is MISSING or value is None:
            return takes_equal and operand is None and (value is None or value is MISSING)
        mine, theirs = bson_order(value), bson_order(operand)
        if mine[0] != theirs[0]:
            return False
        if mine[0] is Bracket.NUMBER and 0 in (mine[1], theirs[1]):
            return takes_equal and mine == theirs
        return accept(mine, theirs)

    return lambda reached, operand: any(one(value, operand) for value in _candidates(reached))


def _exists(reached: list[object], operand: bool) -> bool:  # noqa: FBT001  # the operand of $exists
    return any(value is not MISSING for value in reached) == operand


def _has_element(reached: list[object], operand: Mapping[str, Any]) -> bool:
    of_value = any(name in OPERATORS for name in operand)
    return any(
        _condition([element], operand) if of_value else (is_object(element) and matches(operand, element))
        for value in reached
        if is_array(value)
        for element in value
    )


def _negate(predicate: Predicate) -> Predicate:
    return lambda reached, operand: not predicate(reached, operand)


def _in(reached: list[object], operand: list[object]) -> bool:
    return any(_equals(reached, value) for value in operand)


OPERATORS: Final[Mapping[str, Predicate]] = {
    "$eq": _equals,
    "$ne": _negate(_equals),
    "$in": _in,
    "$nin": _negate(_in),
    "$gt": _compare(lambda mine, theirs: mine > theirs, takes_equal=False),
    "$gte": _compare(lambda mine, theirs: mine >= theirs, takes_equal=True),
    "$lt": _compare(lambda mine, theirs: mine < theirs, takes_equal=False),
    "$lte": _compare(lambda mine, theirs: mine <= theirs, takes_equal=True),
    "$exists": _exists,
    "$size": lambda reached, operand: any(is_array(value) and len(value) == operand for value in reached),
    "$elemMatch": _has_element,
    "$not": lambda reached, operand: not _condition(reached, operand),
}
