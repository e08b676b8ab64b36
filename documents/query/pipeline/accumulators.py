"""What computes one value from many documents, in groups and in windows: the allow-lists, as tables."""

from collections.abc import Mapping
from typing import Any, Final

from documents.query.pipeline.expressions import constant, expression, field_name, field_path, listed
from documents.query.pipeline.shapes import (
    arguments,
    array_of,
    choice,
    empty_object,
    filled_object,
    members,
    number,
    positive,
    sort_keys,
    whole,
)
from documents.query.pipeline.spot import ExpressionSpot, Read
from documents.query.refusal import shown
from documents.query.shapes import is_array, is_object

TIME_UNITS: Final = ("year", "quarter", "month", "week", "day", "hour", "minute", "second", "millisecond")


def _one(operand: object, spot: ExpressionSpot) -> Any:  # noqa: ANN401  # an expression
    # To an accumulator an array would be several operands, of which it takes one.
    if is_array(operand):
        raise spot.refused("wrong-type", "It takes one expression, not an array.")
    return expression(operand, spot)


_BASIC: Final[Mapping[str, Read]] = {
    **dict.fromkeys(
        ("$sum", "$avg", "$min", "$max", "$first", "$last", "$push", "$addToSet", "$stdDevPop", "$stdDevSamp"), _one
    ),
    **dict.fromkeys(("$firstN", "$lastN", "$maxN", "$minN"), members({"n": expression, "input": expression})),
    **dict.fromkeys(("$top", "$bottom"), members({"output": expression, "sortBy": sort_keys})),
    **dict.fromkeys(("$topN", "$bottomN"), members({"n": expression, "output": expression, "sortBy": sort_keys})),
    "$count": empty_object,
}

ACCUMULATORS: Final[Mapping[str, Read]] = {**_BASIC, "$mergeObjects": _one}
"""Those of $group, $bucket and $bucketAuto."""


def _moving_average(operand: object, spot: ExpressionSpot) -> dict[str, Any]:
    weight: dict[str, Read] = {"N": whole(1), "alpha": _fraction}
    compiled = members({"input": expression}, weight)(operand, spot)
    if len(compiled) != 2:  # noqa: PLR2004  # input and one weight
        raise spot.refused("missing-member", "It takes input and one of N and alpha.")
    return compiled


def _fraction(operand: object, spot: ExpressionSpot) -> int | float:
    value = positive(operand, spot)
    if value >= 1:
        raise spot.refused("wrong-type", f"It takes a number between 0 and 1, not {shown(operand)}.")
    return value


_SLOPE: Final = members(
    {"input": expression}, {"unit": choice("week", "day", "hour", "minute", "second", "millisecond")}
)

WINDOWED: Final[Mapping[str, Read]] = {
    **_BASIC,
    **dict.fromkeys(("$covariancePop", "$covarianceSamp"), arguments(2, 2)),
    **dict.fromkeys(("$derivative", "$integral"), _SLOPE),
}
"""Those of $setWindowFields that look at a window."""

UNWINDOWED: Final[Mapping[str, Read]] = {
    **dict.fromkeys(("$rank", "$denseRank", "$documentNumber"), empty_object),
    **dict.fromkeys(("$linearFill", "$locf"), _one),
    "$expMovingAvg": _moving_average,
    "$shift": members({"output": expression, "by": whole(-(2**31), 2**31 - 1)}, {"default": constant}),
}
"""Those of $setWindowFields that look at the whole partition."""


def accumulated(operand: object, spot: ExpressionSpot) -> dict[str, Any]:
    """Return the computed fields of a group: `{"total": {"$sum": "$price"}}`."""
    if not is_object(operand):
        raise spot.refused("wrong-type", f"It takes an object of fields, not {shown(operand)}.")
    return {field_name(name, spot.at(name)): _accumulator(member, spot.at(name)) for name, member in operand.items()}


def _accumulator(operand: object, spot: ExpressionSpot) -> dict[str, Any]:
    given = filled_object(operand, spot)
    if len(given) != 1:
        raise spot.refused("mixed-operators", "A field of a group is one accumulator.")
    [(name, argument)] = given.items()
    spot.spend()
    return {name: _known(name, ACCUMULATORS, spot)(argument, spot.inside(name))}


def _known(name: str, table: Mapping[str, Read], spot: ExpressionSpot) -> Read:
    if name not in table:
        detail = f"{shown(name)} is not allowed here. There are {listed(table)}."
        raise spot.at(name).refused("unknown-operator", detail)
    return table[name]


def windowed(operand: object, spot: ExpressionSpot) -> dict[str, Any]:
    """Return the computed fields of a window: `{"sum": {"$sum": "$n", "window": {"documents": [-1, 0]}}}`."""
    given = filled_object(operand, spot)
    return {field_path(path, spot.at(path)): _window_function(member, spot.at(path)) for path, member in given.items()}


def _window_function(operand: object, spot: ExpressionSpot) -> dict[str, Any]:
    given = dict(filled_object(operand, spot))
    window = given.pop("window", None)
    if len(given) != 1:
        raise spot.refused("mixed-operators", "It takes one function, and window.")
    [(name, argument)] = given.items()
    spot.spend()
    read = _known(name, WINDOWED if window is not None else {**WINDOWED, **UNWINDOWED}, spot)
    compiled = {name: read(argument, spot.inside(name))}
    return compiled if window is None else {**compiled, "window": _window(window, spot.at("window"))}


def _window(operand: object, spot: ExpressionSpot) -> dict[str, Any]:
    if is_object(operand) and "documents" in operand:
        return members({"documents": _bounds(whole(-(2**31), 2**31 - 1))})(operand, spot)
    return members({"range": _bounds(number)}, {"unit": choice(*TIME_UNITS)})(operand, spot)


def _bounds(read: Read) -> Read:
    def bound(operand: object, spot: ExpressionSpot) -> Any:  # noqa: ANN401  # a word or a number
        return operand if operand in ("current", "unbounded") else read(operand, spot)

    def bounds(operand: object, spot: ExpressionSpot) -> list[Any]:
        lower_and_upper = array_of(bound)(operand, spot)
        if len(lower_and_upper) != 2:  # noqa: PLR2004  # a pair
            raise spot.refused("wrong-arity", "It takes the lower and the upper bound.")
        _refuse_backward(lower_and_upper, spot)
        return lower_and_upper

    return bounds


def _refuse_backward(bounds: list[Any], spot: ExpressionSpot) -> None:
    lower, upper = (0 if bound == "current" else bound for bound in bounds)
    if "unbounded" not in (lower, upper) and lower > upper:
        raise spot.refused("wrong-type", "The lower bound is not above the upper one.")
