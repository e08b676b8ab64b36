"""The operators of expressions and the operand each takes: the whole allow-list, as a table."""

from collections.abc import Mapping
from typing import Any, Final

from bson import Code

from documents.query.array_limits import MAX_RANGE, is_constant_range
from documents.query.filter.values import literal
from documents.query.paths import is_storable
from documents.query.pipeline.expressions import constant, expression, field_name, is_operation
from documents.query.pipeline.loops import LOOPS, let, whole_arrays
from documents.query.pipeline.shapes import (
    arguments,
    array_of,
    choice,
    direction,
    empty_object,
    flag,
    members,
    object_of,
    pattern,
    sort_keys,
)
from documents.query.pipeline.spot import ExpressionSpot, Read
from documents.query.pipeline.text_limits import ShortText, on_texts
from documents.query.refusal import shown
from documents.query.shapes import is_array, is_object


def _condition(operand: object, spot: ExpressionSpot) -> Any:  # noqa: ANN401  # a list or an object
    if is_array(operand):
        return arguments(3, 3)(operand, spot)
    return members({"if": expression, "then": expression, "else": expression})(operand, spot)


def _regex_match(operand: object, spot: ExpressionSpot) -> dict[str, Any]:
    return _regex(operand, spot, is_match=True)


def _regex(operand: object, spot: ExpressionSpot, *, is_match: bool = False) -> dict[str, Any]:
    given = object_of(operand, spot, ("input", "regex"), ("input", "regex", "options"))
    compiled, most = pattern(given["regex"], given.get("options"), spot.at("regex"), is_match=is_match)
    return {"input": ShortText(expression(given["input"], spot.at("input")), most), **compiled}


def _date_part(operand: object, spot: ExpressionSpot) -> Any:  # noqa: ANN401  # a date or an object
    if is_object(operand) and not is_operation(operand):
        return members({"date": expression}, {"timezone": expression})(operand, spot)
    return arguments(1, 1)(operand, spot)


def _date_from_parts(operand: object, spot: ExpressionSpot) -> dict[str, Any]:
    time = dict.fromkeys(("hour", "minute", "second", "millisecond", "timezone"), expression)
    if is_object(operand) and "isoWeekYear" in operand:
        iso = dict.fromkeys(("isoWeek", "isoDayOfWeek"), expression)
        return members({"isoWeekYear": expression}, {**iso, **time})(operand, spot)
    return members({"year": expression}, {"month": expression, "day": expression, **time})(operand, spot)


def _any_name(operand: object, spot: ExpressionSpot) -> dict[str, Any]:
    """Return a name that may have `$` and dots, since it is only looked up."""
    name = operand["$literal"] if is_object(operand) and set(operand) == {"$literal"} else operand
    if not isinstance(name, str) or isinstance(name, Code) or not is_storable(name) or "\0" in name:
        raise spot.refused("wrong-type", f"The name of a field is a constant text, not {shown(operand)}.")
    return {"$literal": name}


def _new_name(operand: object, spot: ExpressionSpot) -> dict[str, Any]:
    return {"$literal": field_name(_any_name(operand, spot)["$literal"], spot)}


def _get_field(operand: object, spot: ExpressionSpot) -> dict[str, Any]:
    if is_object(operand) and not is_operation(operand):
        return members({"field": _any_name}, {"input": expression})(operand, spot)
    return _any_name(operand, spot)


def _zip(operand: object, spot: ExpressionSpot) -> dict[str, Any]:
    parts = {"useLongestLength": flag, "defaults": array_of(expression)}
    compiled = members({"inputs": array_of(expression, 1)}, parts)(operand, spot)
    defaults = compiled.get("defaults")
    if defaults is not None and not compiled.get("useLongestLength"):
        raise spot.at("defaults").refused("missing-member", "defaults go with useLongestLength.")
    if defaults is not None and len(defaults) != len(compiled["inputs"]):
        raise spot.at("defaults").refused("wrong-arity", "There are as many defaults as inputs.")
    return compiled


def _range(operand: object, spot: ExpressionSpot) -> Any:  # noqa: ANN401  # a list
    compiled = arguments(2, 3)(operand, spot)
    if is_constant_range(compiled):
        start, end, step = (*compiled, 1)[:3]
        if not step or (end - start) // step > MAX_RANGE:
            raise spot.refused("too-large", f"A range has at most {MAX_RANGE} elements, and a step that is not 0.")
    return compiled


def _array_order(operand: object, spot: ExpressionSpot) -> Any:  # noqa: ANN401  # a direction or keys
    return sort_keys(operand, spot) if is_object(operand) else direction(operand, spot)


def _data(operand: object, spot: ExpressionSpot) -> Any:  # noqa: ANN401  # whatever BSON can hold
    if isinstance(operand, Code):
        return constant(operand, spot)
    return literal(operand, spot.pointer)


_ONE: Final = arguments(1, 1)
_TWO: Final = arguments(2, 2)
_THREE: Final = arguments(3, 3)
_ANY: Final = arguments(0)
_SEARCH: Final = arguments(2, 4)
_TRIM: Final = members({"input": expression}, {"chars": expression})
_REPLACE: Final = members({"input": expression, "find": expression, "replacement": expression})
_SEVERAL_OF: Final = members({"n": expression, "input": expression})
_SHIFT_DATE: Final = members(
    {"startDate": expression, "unit": expression, "amount": expression}, {"timezone": expression}
)
_WEEK: Final[Mapping[str, Read]] = {"timezone": expression, "startOfWeek": expression}

ARITHMETIC: Final[Mapping[str, Read]] = {
    **dict.fromkeys(("$abs", "$ceil", "$exp", "$floor", "$ln", "$log10", "$sqrt"), _ONE),
    **dict.fromkeys(("$divide", "$log", "$mod", "$pow", "$subtract"), _TWO),
    **dict.fromkeys(("$add", "$multiply"), _ANY),
    **dict.fromkeys(("$round", "$trunc"), arguments(1, 2)),
    "$rand": empty_object,
}
TRIGONOMETRY: Final[Mapping[str, Read]] = {
    **dict.fromkeys(
        ("$sin", "$cos", "$tan", "$asin", "$acos", "$atan", "$sinh", "$cosh", "$tanh", "$asinh", "$acosh", "$atanh"),
        _ONE,
    ),
    **dict.fromkeys(("$degreesToRadians", "$radiansToDegrees"), _ONE),
    "$atan2": _TWO,
}
LOGIC: Final[Mapping[str, Read]] = {
    **dict.fromkeys(("$cmp", "$eq", "$ne", "$gt", "$gte", "$lt", "$lte"), _TWO),
    **dict.fromkeys(("$and", "$or"), _ANY),
    "$not": _ONE,
    "$cond": _condition,
    "$ifNull": arguments(2),
    "$switch": members(
        {"branches": array_of(members({"case": expression, "then": expression}), 1)}, {"default": expression}
    ),
}
STRINGS: Final[Mapping[str, Read]] = {
    **dict.fromkeys(("$strLenBytes", "$strLenCP", "$toLower", "$toUpper"), _ONE),
    **dict.fromkeys(("$split", "$strcasecmp"), _TWO),
    **dict.fromkeys(("$substr", "$substrBytes", "$substrCP"), _THREE),
    **dict.fromkeys(("$indexOfBytes", "$indexOfCP"), _SEARCH),
    **dict.fromkeys(("$trim", "$ltrim", "$rtrim"), _TRIM),
    **dict.fromkeys(("$replaceOne", "$replaceAll"), _REPLACE),
    "$regexMatch": _regex_match,
    **dict.fromkeys(("$regexFind", "$regexFindAll"), _regex),
    "$concat": _ANY,
}
ARRAYS: Final[Mapping[str, Read]] = {
    **dict.fromkeys(("$first", "$last", "$isArray", "$reverseArray", "$size"), _ONE),
    **dict.fromkeys(("$arrayElemAt", "$in"), _TWO),
    **dict.fromkeys(("$firstN", "$lastN", "$maxN", "$minN"), _SEVERAL_OF),
    "$range": _range,
    "$slice": arguments(2, 3),
    "$indexOfArray": _SEARCH,
    **LOOPS,
    "$concatArrays": _ANY,
    "$sortArray": members({"input": expression, "sortBy": _array_order}),
    "$zip": _zip,
}
SETS: Final[Mapping[str, Read]] = {
    **dict.fromkeys(("$allElementsTrue", "$anyElementTrue"), _ONE),
    **dict.fromkeys(("$setDifference", "$setIsSubset"), _TWO),
    **dict.fromkeys(("$setIntersection", "$setUnion"), _ANY),
    "$setEquals": arguments(2),
}
OBJECTS: Final[Mapping[str, Read]] = {
    **dict.fromkeys(("$objectToArray", "$arrayToObject"), _ONE),
    "$mergeObjects": _ANY,
    "$getField": _get_field,
    "$setField": members({"field": _new_name, "input": expression, "value": expression}),
    "$unsetField": members({"field": _any_name, "input": expression}),
}
DATES: Final[Mapping[str, Read]] = {
    **dict.fromkeys(
        ("$year", "$month", "$week", "$dayOfYear", "$dayOfMonth", "$dayOfWeek", "$hour", "$minute", "$second",
         "$millisecond", "$isoWeekYear", "$isoWeek", "$isoDayOfWeek"),
        _date_part,
    ),
    **dict.fromkeys(("$dateAdd", "$dateSubtract"), _SHIFT_DATE),
    **dict.fromkeys(("$tsSecond", "$tsIncrement"), _ONE),
    "$dateDiff": members({"startDate": expression, "endDate": expression, "unit": expression}, _WEEK),
    "$dateTrunc": members({"date": expression, "unit": expression}, {"binSize": expression, **_WEEK}),
    "$dateFromParts": _date_from_parts,
    "$dateToParts": members({"date": expression}, {"timezone": expression, "iso8601": expression}),
    "$dateFromString": members(
        {"dateString": expression}, dict.fromkeys(("format", "timezone", "onError", "onNull"), expression)
    ),
    "$dateToString": members({"date": expression}, dict.fromkeys(("format", "timezone", "onNull"), expression)),
}  # fmt: skip
TYPES: Final[Mapping[str, Read]] = {
    **dict.fromkeys(
        ("$toBool", "$toDate", "$toDecimal", "$toDouble", "$toInt", "$toLong", "$toObjectId", "$toString"), _ONE
    ),
    **dict.fromkeys(("$isNumber", "$type", "$binarySize", "$bsonSize"), _ONE),
    "$convert": members({"input": expression, "to": expression}, {"onError": expression, "onNull": expression}),
}
TOTALS: Final[Mapping[str, Read]] = dict.fromkeys(("$sum", "$avg", "$min", "$max", "$stdDevPop", "$stdDevSamp"), _ANY)

OPERATORS: Final[Mapping[str, Read]] = whole_arrays(
    {
        **ARITHMETIC,
        **TRIGONOMETRY,
        **LOGIC,
        **on_texts(STRINGS),
        **ARRAYS,
        **SETS,
        **OBJECTS,
        **DATES,
        **TYPES,
        **TOTALS,
        "$let": let,
        "$literal": _data,
        "$meta": choice("textScore"),
    }
)
