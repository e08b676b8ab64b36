"""Values in a filter that also mean others: compiled so that each is found, and an index serves them all.

MongoDB never takes a text for an ObjectId, UUID or date. On a field that nobody declared, a text in the plain form of
one asks for either: `$eq` becomes `$in` of both, `$ne` becomes `$nin`, and a range becomes an `$or` of two ranges.
An `_id` to be equal to asks likewise for every id that a list would show so.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from documents.query.shapes import is_array, is_object

RANGES: Final = frozenset({"$gt", "$gte", "$lt", "$lte"})


@dataclass(frozen=True, slots=True)
class TwoForms:
    """A text, and the value that is shown as it."""

    text: str
    value: object


@dataclass(frozen=True, slots=True)
class ShownAlike:
    """Ids that a list would show alike. Only to be equal to: no range has such a bound."""

    values: tuple[object, ...]


def all_of(parts: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the query that asks for all of `parts`."""
    if len(parts) <= 1:
        return parts[0] if parts else {}
    return {"$and": parts}


def both(values: list[Any]) -> list[Any]:
    """Return the values with each that has two forms in both of them."""
    return [form for value in values for form in _forms(value)]


def has_two_forms(operand: object) -> bool:
    """Tell whether something in a condition has two forms."""
    if is_object(operand):
        return any(map(has_two_forms, operand.values()))
    return any(map(has_two_forms, operand)) if is_array(operand) else isinstance(operand, TwoForms | ShownAlike)


def clause(path: str, condition: dict[str, Any]) -> dict[str, Any]:
    """Return the query that asks a condition of a field, whichever form its values are stored in."""
    if not has_two_forms(condition):
        return {path: condition}
    parts: list[dict[str, Any]] = [
        {path: {"$in": _forms(value)}} for value in condition.get("$all", ()) if isinstance(value, TwoForms)
    ]
    rest = _inlined(_without_forms_in_all(condition) if parts else condition)
    if has_two_forms(rest.get("$not")):
        negated = rest.pop("$not")
        parts += [{path: {"$not": form}} for form in _alternatives(negated)]
    if has_two_forms(rest):
        parts.append({"$or": [{path: form} for form in _alternatives(rest)]})
    elif rest:
        parts.append({path: rest})
    return all_of(parts)


def _forms(value: object) -> list[object]:
    if isinstance(value, ShownAlike):
        return list(value.values)
    return [value.text, value.value] if isinstance(value, TwoForms) else [value]


def _without_forms_in_all(condition: Mapping[str, Any]) -> dict[str, Any]:
    others = {operator: operand for operator, operand in condition.items() if operator != "$all"}
    every = [value for value in condition["$all"] if not isinstance(value, TwoForms)]
    return {**others, "$all": every} if every else others


def _inlined(condition: Mapping[str, Any]) -> dict[str, Any]:
    """Return a condition in which at most ranges have two forms."""
    inlined: dict[str, Any] = {}
    for operator, operand in condition.items():
        name, asked = _INLINE[operator](operand) if operator in _INLINE else (operator, operand)
        inlined[name] = _intersection(name, inlined[name], asked) if name in inlined else asked
    return inlined


def _intersection(operator: str, one: list[Any], other: list[Any]) -> list[Any]:
    return [*one, *other] if operator == "$nin" else [value for value in one if value in other]


def _equal(name: str, several: str) -> Callable[[object], tuple[str, Any]]:
    return lambda operand: (several, _forms(operand)) if has_two_forms(operand) else (name, operand)


def _element(operand: object) -> tuple[str, Any]:
    if not has_two_forms(operand):
        return "$elemMatch", operand
    element = _inlined(cast("dict[str, Any]", operand))
    if "$not" in element:  # an element cannot be asked for two negations: the text is meant
        element["$not"] = _chosen(element["$not"], lambda forms: forms.text)
    return "$elemMatch", element


_INLINE: Final[Mapping[str, Callable[[Any], tuple[str, Any]]]] = {
    "$eq": _equal("$eq", "$in"),
    "$ne": _equal("$ne", "$nin"),
    "$in": lambda operand: ("$in", both(operand)),
    "$nin": lambda operand: ("$nin", both(operand)),
    "$not": lambda operand: ("$not", _inlined(operand)),
    "$elemMatch": _element,
    "$all": lambda operand: ("$all", [_whole_element(each) for each in operand]),
}


def _whole_element(operand: object) -> object:
    return dict([_element(operand["$elemMatch"])]) if is_object(operand) and "$elemMatch" in operand else operand


def _alternatives(condition: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        _chosen(condition, lambda forms: forms.text),
        _chosen(condition, lambda forms: forms.value),
    ]


def _chosen(operand: Any, choose: Callable[[TwoForms], object]) -> Any:  # noqa: ANN401  # a condition, or what is in it
    if is_object(operand):
        return {name: _chosen(member, choose) for name, member in operand.items()}
    if is_array(operand):
        return [_chosen(member, choose) for member in operand]
    return choose(operand) if isinstance(operand, TwoForms) else operand
