"""Stages that compute over several documents: groups, buckets, windows, and the filling of gaps."""

from collections.abc import Mapping
from datetime import datetime
from itertools import pairwise
from typing import Any, Final

from bson import Int64

from documents.query.filter.values import coerced, literal
from documents.query.pipeline.accumulators import TIME_UNITS, accumulated, windowed
from documents.query.pipeline.expressions import constant, expression, field_path, is_operation
from documents.query.pipeline.reshaping_stages import Reshaped, changed, undeclared
from documents.query.pipeline.shapes import (
    INT32_MAX,
    array_of,
    choice,
    filled_object,
    members,
    object_of,
    positive,
    sort_keys,
    whole,
)
from documents.query.pipeline.spot import ExpressionSpot
from documents.query.refusal import shown
from documents.query.shapes import is_array, is_object
from documents.types import FieldTypes

MAX_BOUNDARIES: Final = 1000
GRANULARITIES: Final = (
    "R5", "R10", "R20", "R40", "R80", "1-2-5", "E6", "E12", "E24", "E48", "E96", "E192", "POWERSOF2",
)  # fmt: skip


def group(operand: object, spot: ExpressionSpot, _types: FieldTypes) -> Reshaped:
    """Compile $group."""
    given = filled_object(operand, spot)
    if "_id" not in given:
        raise spot.refused("missing-member", "A group needs _id: the expression to group by, or null for one group.")
    fields = {name: member for name, member in given.items() if name != "_id"}
    compiled = {"_id": expression(given["_id"], spot.at("_id")), **accumulated(fields, spot)}
    return Reshaped(compiled, undeclared)


def sort_by_count(operand: object, spot: ExpressionSpot, _types: FieldTypes) -> Reshaped:
    """Compile $sortByCount."""
    return Reshaped(_key(operand, spot), undeclared)


def _key(operand: object, spot: ExpressionSpot) -> Any:  # noqa: ANN401  # an expression
    """Return an expression that depends on the document, which is all that some stages take."""
    if (is_object(operand) and is_operation(operand)) or (isinstance(operand, str) and operand.startswith("$")):
        return expression(operand, spot)
    raise spot.refused("wrong-type", f"It takes a field such as $city or an operator, not {shown(operand)}.")


def bucket(operand: object, spot: ExpressionSpot, types: FieldTypes) -> Reshaped:
    """Compile $bucket."""
    given = object_of(operand, spot, ("groupBy", "boundaries"), ("groupBy", "boundaries", "default", "output"))
    path = given["groupBy"] if isinstance(given["groupBy"], str) else ""
    declared = types if path.startswith("$") and not path.startswith("$$") else undeclared

    def value(member: object, there: ExpressionSpot) -> Any:  # noqa: ANN401  # whatever BSON can hold
        there.spend()
        return coerced(literal(member, there.pointer), path.removeprefix("$"), declared, there.pointer)

    boundaries = array_of(value, 2)(given["boundaries"], spot.at("boundaries"))
    _check_boundaries(boundaries, spot.at("boundaries"))
    compiled: dict[str, Any] = {
        "groupBy": _key(given["groupBy"], spot.at("groupBy")),
        "boundaries": [constant(boundary, spot.at("boundaries")) for boundary in boundaries],
    }
    if "default" in given:
        compiled["default"] = constant(given["default"], spot.at("default"))
    return Reshaped(_with_output(compiled, given, spot), undeclared)


def _check_boundaries(boundaries: list[Any], spot: ExpressionSpot) -> None:
    if len(boundaries) > MAX_BOUNDARIES:
        raise spot.refused("too-large", f"There are at most {MAX_BOUNDARIES} boundaries.")
    for kind in ((int, float), str, datetime):
        of_kind = [isinstance(boundary, kind) for boundary in boundaries]
        if all(of_kind) and not all(lower < upper for lower, upper in pairwise(boundaries)):
            raise spot.refused("wrong-type", "Boundaries are in ascending order.")
        if any(of_kind) and not all(of_kind):
            raise spot.refused("wrong-type", "Boundaries are all of one type.")


def _with_output(compiled: dict[str, Any], given: Mapping[str, object], spot: ExpressionSpot) -> dict[str, Any]:
    if "output" not in given:
        return compiled
    return {**compiled, "output": accumulated(given["output"], spot.at("output"))}


def bucket_auto(operand: object, spot: ExpressionSpot, _types: FieldTypes) -> Reshaped:
    """Compile $bucketAuto."""
    given = object_of(operand, spot, ("groupBy", "buckets"), ("groupBy", "buckets", "output", "granularity"))
    compiled = {
        "groupBy": _key(given["groupBy"], spot.at("groupBy")),
        "buckets": whole(1, INT32_MAX)(given["buckets"], spot.at("buckets")),
    }
    if "granularity" in given:
        compiled["granularity"] = choice(*GRANULARITIES)(given["granularity"], spot.at("granularity"))
    return Reshaped(_with_output(compiled, given, spot), undeclared)


def set_window_fields(operand: object, spot: ExpressionSpot, types: FieldTypes) -> Reshaped:
    """Compile $setWindowFields."""
    read = members({"output": windowed}, {"partitionBy": expression, "sortBy": sort_keys})
    compiled = read(operand, spot)
    return Reshaped(compiled, changed(types, compiled["output"]))


def _step_bounds(operand: object, spot: ExpressionSpot) -> Any:  # noqa: ANN401  # a word or a pair
    if not is_array(operand):
        return choice("full", "partition")(operand, spot)
    bounds = array_of(constant)(operand, spot)
    if len(bounds) != 2 or not _ascend(bounds):  # noqa: PLR2004  # a pair
        raise spot.refused("wrong-type", "It takes the lower and the upper bound: two numbers or two dates.")
    return bounds


def _ascend(bounds: list[Any]) -> bool:
    kinds = ((int, float), datetime)
    of_kind = any(all(isinstance(bound, kind) for bound in bounds) for kind in kinds)
    return of_kind and not any(isinstance(bound, bool) for bound in bounds) and bounds[0] <= bounds[1]


def _range(operand: object, spot: ExpressionSpot) -> dict[str, Any]:
    compiled = members({"step": positive, "bounds": _step_bounds}, {"unit": choice(*TIME_UNITS)})(operand, spot)
    step: int | float = compiled["step"]
    bounds: Any = compiled["bounds"]
    paired = bounds not in ("full", "partition")
    of_dates = paired and isinstance(bounds[0], datetime)
    if paired and of_dates != ("unit" in compiled):
        raise spot.refused("missing-member", "A unit goes with bounds that are dates, and only with them.")
    if "unit" in compiled and not isinstance(step, int):
        raise spot.at("step").refused("wrong-type", "With a unit, the step is an integer.")
    if not paired or of_dates:
        return compiled
    # MongoDB wants bounds and step of one type, and BSON has two for integers.
    one_type = float if any(isinstance(number, float) for number in (step, *bounds)) else Int64
    return {"step": one_type(step), "bounds": [one_type(bound) for bound in bounds]}


def densify(operand: object, spot: ExpressionSpot, types: FieldTypes) -> Reshaped:
    """Compile $densify."""
    read = members({"field": field_path, "range": _range}, {"partitionByFields": array_of(field_path, 1)})
    return Reshaped(read(operand, spot), types)


def _partition(operand: object, spot: ExpressionSpot) -> dict[str, Any]:
    """Return what to partition by as an object, which is all that $fill takes."""
    return {"by": expression(operand, spot)}


def _filling(operand: object, spot: ExpressionSpot) -> dict[str, Any]:
    if is_object(operand) and "method" in operand:
        return members({"method": choice("linear", "locf")})(operand, spot)
    return members({"value": expression})(operand, spot)


def _fillings(operand: object, spot: ExpressionSpot) -> dict[str, Any]:
    given = filled_object(operand, spot)
    return {field_path(path, spot.at(path)): _filling(member, spot.at(path)) for path, member in given.items()}


def fill(operand: object, spot: ExpressionSpot, types: FieldTypes) -> Reshaped:
    """Compile $fill."""
    optional = {"partitionBy": _partition, "partitionByFields": array_of(field_path, 1), "sortBy": sort_keys}
    compiled = members({"output": _fillings}, optional)(operand, spot)
    if "partitionBy" in compiled and "partitionByFields" in compiled:
        raise spot.refused("unknown-member", "It takes one of partitionBy and partitionByFields.")
    return Reshaped(compiled, changed(types, compiled["output"]))
