"""Filters: read from JSON against an allow-list, compiled into a query that MongoDB does not refuse."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from documents.errors import InvalidFilterError, InvalidParameterError
from documents.query.filter.operands import ALONE, OPERATORS, array, elements, is_pattern, regex_condition, same
from documents.query.filter.shown_ids import ShownIds
from documents.query.filter.two_forms import all_of, clause
from documents.query.filter.values import bounded, encoded, is_storable
from documents.query.paths import checked_path
from documents.query.refusal import RefusedError, refusing_as, shown
from documents.query.shapes import is_object
from documents.query.spot import Compilation, Spot
from documents.types import FieldTypes

LOGICAL: Final = frozenset({"$and", "$or", "$nor"})
MAX_SEARCH: Final = 1000
TEXT_SEARCH_PATH: Final = "$text"
"""Stands among a filter's paths for every field of the text index."""


@dataclass(frozen=True, slots=True, eq=False)
class Filter:
    """Which documents. `paths` are the fields it looks at, without array positions, for policies to judge."""

    _query: Mapping[str, Any]
    _bson: bytes
    paths: frozenset[str]

    @property
    def is_empty(self) -> bool:
        """Say whether it lets every document through."""
        return not self._query

    def to_mongo(self) -> dict[str, Any]:
        """Return the query. It is shared, so it is for reading."""
        return dict(self._query)

    def fingerprint(self) -> bytes:
        """Return the same 32 bytes for the same query, in every process."""
        return hashlib.sha256(self._bson).digest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Filter) and self._bson == other._bson

    def __hash__(self) -> int:
        return hash(self._bson)


def parse_filter(
    value: object, types: FieldTypes, *, pointer: str = "", literal: bool = False, ids: ShownIds | None = None
) -> Filter:
    """Compile a filter as MongoDB writes it.

    Args:
        value: Decoded JSON, with BSON values where the caller decoded Extended JSON.
        types: How declared fields read their operands.
        pointer: Where in the request it was sent.
        literal: Whether a text means nothing but itself where no field is declared.
        ids: How an `_id` to be equal to is read; None to read it as any other field.

    Raises:
        InvalidFilterError: With one fault, at the first spot that is not allowed.

    Source:
        MongoDB manual, Query and Projection Operators (6.0).
    """
    with refusing_as(InvalidFilterError, "filter"):
        bounded(value, pointer)
        compilation = Compilation(types, literal, ids)
        query = clauses(value, Spot(compilation, pointer))
        return made(query, compilation.paths, pointer)


def made(query: dict[str, Any], paths: set[str], pointer: str) -> Filter:
    """Return the filter of a compiled query; for compilers of this package."""
    return Filter(query, encoded(query, pointer), frozenset(paths))


def parse_search(text: str) -> Filter:
    """Compile words to look for in the text index.

    Args:
        text: 1 to 1000 characters. `"a phrase"` in quotes, `-word` for what must not be there.

    Raises:
        InvalidParameterError: It is empty or too long.

    Source:
        MongoDB manual, $text.
    """
    with refusing_as(InvalidParameterError, "search"):
        if not text.strip() or len(text) > MAX_SEARCH or not is_storable(text):
            raise RefusedError("?q", "invalid-search", f"A search is 1 to {MAX_SEARCH} characters of text.")
        return made({"$text": {"$search": text}}, {TEXT_SEARCH_PATH}, "?q")


def conjunction(*filters: Filter) -> Filter:
    """Return the filter that lets through what all of `filters` do."""
    parts = [part for part in filters if not part.is_empty]
    paths = set[str]().union(*(part.paths for part in parts))
    return made(all_of([part.to_mongo() for part in parts]), paths, "")


def condition(operand: object, spot: Spot) -> dict[str, Any]:
    """Return what is asked of the field that `spot` is about: operators, or a value to be equal to."""
    if is_pattern(operand):
        return regex_condition(operand, None, spot)
    if is_object(operand) and any(_is_operator(name) for name in operand):
        return _operators(operand, spot)
    spot.spend()
    return {"$eq": same(operand, spot)}


def _is_operator(name: str) -> bool:
    return name.startswith("$")


def clauses(operand: object, spot: Spot) -> dict[str, Any]:
    """Return what is asked of the document, or of the element, that `spot` is in."""
    if not is_object(operand):
        raise spot.refused("wrong-type", f"A filter is an object, not {shown(operand)}.")
    beside: dict[str, Any] = {}
    apart: list[dict[str, Any]] = []
    for name, member in operand.items():
        asked = _clause(name, member, spot)
        if name in asked:
            beside |= asked
        else:
            apart.append(asked)
    return all_of([beside, *apart] if beside else apart)


def _clause(name: str, operand: object, spot: Spot) -> dict[str, Any]:
    spot.spend()
    if name in LOGICAL:
        return {name: _branches(operand, spot.inside(name))}
    here = spot.at(name)
    if name.startswith("$"):
        raise here.refused("unknown-operator", f"{shown(name)} is not allowed here. There are {_listed(LOGICAL)}.")
    checked_path(name, here.pointer, dbref=True)
    return clause(name, condition(operand, spot.about(name)))


def _branches(operand: object, spot: Spot) -> list[dict[str, Any]]:
    branches = array(operand, spot)
    if not branches:
        raise spot.refused("wrong-type", "It takes at least one filter.")
    return [clauses(branch, spot.at(position)) for position, branch in enumerate(branches)]


def _operators(operand: dict[str, object], spot: Spot) -> dict[str, Any]:
    compiled: dict[str, Any] = {}
    for name, member in operand.items():
        spot.spend()
        if name == "$regex":
            compiled |= regex_condition(member, operand.get("$options"), spot.at(name))
        elif name != "$options":
            compiled[name] = _operator(name, member, spot)
    alone = ALONE & set(operand)
    if alone and len(operand) > 1:
        raise spot.refused("mixed-operators", f"{_listed(alone)} stands alone; put the rest beside it with $and.")
    if "$options" in operand and "$regex" not in operand:
        raise spot.at("$options").refused("invalid-regex", "Options go with $regex.")
    return compiled


def _operator(name: str, operand: object, spot: Spot) -> Any:  # noqa: ANN401  # as the operator wants it
    if not _is_operator(name):
        raise spot.at(name).refused(
            "mixed-operators", f"{shown(name)} is a field among operators. Write a dotted path."
        )
    if name in OPERATORS:
        return OPERATORS[name](operand, spot.at(name))
    if name in _NESTING:
        return _NESTING[name](operand, spot.inside(name))
    known = _listed({*OPERATORS, *_NESTING, "$regex"})
    raise spot.at(name).refused("unknown-operator", f"{shown(name)} is not allowed here. There are {known}.")


def _listed(names: frozenset[str] | set[str]) -> str:
    return " ".join(sorted(names))


def _negated(operand: object, spot: Spot) -> dict[str, Any]:
    if not is_pattern(operand) and not (is_object(operand) and any(map(_is_operator, operand))):
        raise spot.refused("wrong-type", "It takes an object of operators.")
    return condition(operand, spot)


def _every(operand: object, spot: Spot) -> list[Any]:
    wanted = array(operand, spot)
    if not any(is_object(element) and "$elemMatch" in element for element in wanted):
        return elements(operand, spot)
    return [_only_elem_match(element, spot.at(position)) for position, element in enumerate(wanted)]


def _only_elem_match(element: object, spot: Spot) -> dict[str, Any]:
    if not is_object(element) or set(element) != {"$elemMatch"}:
        raise spot.refused("mixed-operators", "Where one element is $elemMatch, all are.")
    return {"$elemMatch": _element(element["$elemMatch"], spot.inside("$elemMatch"))}


def _element(operand: object, spot: Spot) -> dict[str, Any]:
    if not is_object(operand):
        raise spot.refused("wrong-type", "It takes an object.")
    of_value = any(_is_operator(name) and name not in LOGICAL for name in operand)
    return condition(operand, spot) if of_value else clauses(operand, spot)


_NESTING: Final[Mapping[str, Callable[[object, Spot], Any]]] = {
    "$not": _negated,
    "$all": _every,
    "$elemMatch": _element,
}
