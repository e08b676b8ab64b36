"""How many times a value that a pipeline makes can hold the same part.

In mongod's memory the copies are one value, so they cost nothing until something goes through them: `[x, x]` in forty
stages is a value of 2^40 leaves, and to compare it takes hours in which no time limit is looked at.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

from bson import Regex

from documents.query.array_limits import MAX_RANGE, Limited
from documents.query.pipeline.growth import SCALAR, is_operator
from documents.query.pipeline.spot import ExpressionSpot
from documents.query.shapes import is_array, is_object

MAX_COPIES: Final = 10**11
MAX_MATCHED: Final = 100
"""Copies of a value that a pattern may meet."""

REST: Final = ""
"""Stands for the fields of a document of which nothing else is said, and no field has this name."""

Copies: TypeAlias = "Counter[str]"
"""How often a value holds each top-level field of the document, or the element of a loop."""
Weights: TypeAlias = dict[str, int]
"""How often each top-level field of a document holds the same part."""


class _TooManyError(Exception):
    """A value has more copies of its parts than it may."""


@dataclass(frozen=True, slots=True)
class Scope:
    """The variables at one place, and the copies that a value may have there."""

    most: int
    bound: Mapping[str, Copies]

    def binding(self, bound: Mapping[str, Copies]) -> "Scope":
        """Return the scope with more variables."""
        return replace(self, bound={**self.bound, **bound})


def refuse_copies(stages: list[dict[str, Any]], spot: ExpressionSpot) -> None:
    """Refuse a compiled pipeline that makes too many copies of one value."""
    _after(stages, {REST: 1}, spot)


def _after(stages: list[dict[str, Any]], weights: Weights, spot: ExpressionSpot) -> Weights:
    for number, stage in enumerate(stages):
        [(name, operand)] = stage.items()
        if name == "$facet":
            inner = spot.at(number, name)
            weights = {
                field: max(_after(branch, weights, inner.at(field)).values()) for field, branch in operand.items()
            } | {REST: 1}
        elif name == "$match" and max(weights.values()) > MAX_MATCHED and has_pattern(operand):
            detail = "The pipeline up to here copies values too often for a pattern. Match before."
            raise spot.at(number, name).refused("unbounded-growth", detail)
        elif name in _STAGES:
            try:
                weights = _STAGES[name](operand, weights)
            except _TooManyError:
                detail = "The pipeline up to here puts too many copies of the same value together."
                raise spot.at(number).refused("unbounded-growth", detail) from None
    return weights


def has_pattern(query: object) -> bool:
    """Say whether a compiled filter has a regular expression."""
    if is_object(query):
        return "$regex" in query or any(map(has_pattern, query.values()))
    return isinstance(query, Regex) or (is_array(query) and any(map(has_pattern, query)))


def _weight(expression: object, weights: Weights) -> int:
    copies = _copies(expression, Scope(MAX_COPIES // max(weights.values()), {}))
    found = sum(
        count * (sum(weights.values()) if field == REST else weights.get(field, weights[REST]))
        for field, count in copies.items()
    )
    if found > MAX_COPIES:
        raise _TooManyError
    return max(1, found)


def _copies(expression: object, scope: Scope) -> Copies:
    copies = _counted(expression, scope)
    if copies.total() > scope.most:
        raise _TooManyError
    return copies


def _counted(expression: object, scope: Scope) -> Copies:
    if isinstance(expression, str):
        return _of_reference(expression, scope)
    if isinstance(expression, Limited):
        return _copies(expression.array, scope)
    if is_object(expression) and is_operator(expression):
        [(name, operand)] = expression.items()
        return _of_operator(name, operand, scope)
    members = list(expression.values()) if is_object(expression) else expression if is_array(expression) else []
    return _sum(_copies(member, scope) for member in members)


def _of_operator(name: str, operand: object, scope: Scope) -> Copies:
    if name == "$literal":
        return Counter()
    copies = _RULES.get(name, _copies)(operand, scope)
    return Counter() if name in SCALAR else copies


def _of_reference(text: str, scope: Scope) -> Copies:
    if not text.startswith("$"):
        return Counter()
    first, _, rest = text.partition(".")
    if not first.startswith("$$"):
        return Counter({first.removeprefix("$"): 1})
    if first in ("$$ROOT", "$$CURRENT"):
        return Counter({rest.partition(".")[0] or REST: 1})
    return scope.bound.get(first.removeprefix("$$"), Counter())


def _sum(several: Iterable[Copies]) -> Copies:
    total: Copies = Counter()
    for copies in several:
        total.update(copies)
    return total


def _times(copies: Copies, factor: int) -> Copies:
    return Counter({field: count * factor for field, count in copies.items()})


def _one_of(operand: Any, scope: Scope) -> Copies:  # noqa: ANN401  # a compiled operand, here and below
    most: Copies = Counter()
    for argument in operand if is_array(operand) else [operand]:
        most |= _copies(argument, scope)
    return most


def _condition(operand: Any, scope: Scope) -> Copies:  # noqa: ANN401
    condition, *branches = operand if is_array(operand) else [operand["if"], operand["then"], operand["else"]]
    _copies(condition, scope)
    return _one_of(branches, scope)


def _switch(operand: Any, scope: Scope) -> Copies:  # noqa: ANN401
    for branch in operand["branches"]:
        _copies(branch["case"], scope)
    return _one_of([*(branch["then"] for branch in operand["branches"]), operand.get("default")], scope)


def _let(operand: Any, scope: Scope) -> Copies:  # noqa: ANN401
    values = {name: _copies(value, scope) for name, value in operand["vars"].items()}
    return _copies(operand["in"], scope.binding(values))


def _filter(operand: Any, scope: Scope) -> Copies:  # noqa: ANN401
    copies = _copies(operand["input"], scope)
    _copies(operand["cond"], scope.binding({operand["as"]: copies}))
    return copies


def _rounds(loop: Mapping[str, Any]) -> int:
    return loop["input"].most if isinstance(loop["input"], Limited) else MAX_RANGE


def _map(operand: Any, scope: Scope) -> Copies:  # noqa: ANN401
    element = f"$element of {id(operand)}"
    body = _copies(operand["in"], scope.binding({operand["as"]: Counter({element: 1})}))
    # What a round takes from its element, all rounds together take from the array; the rest they take each.
    of_element = body.pop(element, 0)
    return _sum([_times(_copies(operand["input"], scope), of_element), _times(body, _rounds(operand))])


def _reduce(operand: Any, scope: Scope) -> Copies:  # noqa: ANN401
    element, value = f"$element of {id(operand)}", f"$value of {id(operand)}"
    body = _copies(operand["in"], scope.binding({"this": Counter({element: 1}), "value": Counter({value: 1})}))
    of_element, of_value = body.pop(element, 0), body.pop(value, 0)
    return _sum(
        [
            _times(_copies(operand["initialValue"], scope), max(1, of_value)),
            _times(_copies(operand["input"], scope), of_element),
            _times(body, _rounds(operand)),
        ]
    )


def _get_field(operand: Any, scope: Scope) -> Copies:  # noqa: ANN401
    if "input" in operand:
        return _copies(operand["input"], scope)
    return Counter({operand.get("field", operand)["$literal"]: 1})


_RULES: Final[Mapping[str, Callable[[Any, Scope], Copies]]] = {
    "$cond": _condition,
    "$switch": _switch,
    **dict.fromkeys(("$ifNull", "$min", "$max"), _one_of),
    "$let": _let,
    "$filter": _filter,
    "$map": _map,
    "$reduce": _reduce,
    "$getField": _get_field,
}


def _written(operand: Mapping[str, Any], weights: Weights) -> Weights:
    changed = dict(weights)
    for path, value in operand.items():
        field = path.partition(".")[0]
        # A value below a path, or an object, is merged into what the field holds already.
        kept = weights.get(field, weights[REST]) if "." in path or _is_merged(value) else 0
        changed[field] = max(changed.get(field, 1), kept + _weight(value, weights)) if kept else _weight(value, weights)
    return changed


def _is_merged(value: object) -> bool:
    return is_object(value) and not is_operator(value)


def _windowed(operand: Mapping[str, Any], weights: Weights) -> Weights:
    _weight(operand.get("partitionBy"), weights)
    functions = {
        path: [v for name, v in value.items() if name != "window"] for path, value in operand["output"].items()
    }
    return _written(functions, weights)


def _made(operand: Mapping[str, Any], weights: Weights) -> Weights:
    return {REST: 1, **{field: _weight(value, weights) for field, value in operand.items()}}


def _bucketed(operand: Mapping[str, Any], weights: Weights) -> Weights:
    return _made({**operand.get("output", {}), "_id": operand["groupBy"]}, weights)


def _replaced(operand: object, weights: Weights) -> Weights:
    return {REST: _weight(operand, weights)}


_STAGES: Final[Mapping[str, Callable[[Any, Weights], Weights]]] = {
    **dict.fromkeys(("$project", "$addFields", "$set"), _written),
    "$fill": lambda operand, weights: _written(operand["output"], weights),
    "$setWindowFields": _windowed,
    "$group": _made,
    **dict.fromkeys(("$bucket", "$bucketAuto"), _bucketed),
    **dict.fromkeys(("$sortByCount", "$replaceRoot", "$replaceWith"), _replaced),
}
