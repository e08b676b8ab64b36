"""What $reduce may make of `$$value`: a result that is no deeper than it, and larger only by what a round adds.

A body such as `["$$value"]` nests an array once more in every round, and a hundred thousand rounds overflow the stack
of mongod when it lets go of the result. `{"$concatArrays": ["$$value", "$$value"]}` doubles, and thirty rounds exhaust
its memory. MongoDB checks neither, so a body may use each part of `$$value` once, and not wrap it.
"""

from collections.abc import Callable, Mapping
from itertools import combinations
from typing import Any, Final, TypeAlias

from documents.query.array_limits import Limited
from documents.query.pipeline.parts import (
    ENTRIES,
    NOTHING,
    OBJECT,
    REPEATED,
    REST,
    WHOLE,
    Environment,
    Outcomes,
    TooManyError,
    Work,
    below,
    each,
    either,
    inexact,
    marked,
    moved,
    overlap,
    together,
    wrapped,
)
from documents.query.pipeline.spot import ExpressionSpot
from documents.query.shapes import is_array, is_object

Rule: TypeAlias = Callable[[Any, Environment], Outcomes]


SCALAR: Final = frozenset(
    {"$abs", "$acos", "$acosh", "$add", "$allElementsTrue", "$and", "$anyElementTrue", "$asin", "$asinh", "$atan",
     "$atan2", "$atanh", "$avg", "$binarySize", "$bsonSize", "$ceil", "$cmp", "$concat", "$cos", "$cosh", "$dateAdd",
     "$dateDiff", "$dateFromParts", "$dateSubtract", "$dateToParts", "$dateTrunc", "$dayOfMonth", "$dayOfWeek",
     "$dayOfYear", "$degreesToRadians", "$divide", "$eq", "$exp", "$floor", "$gt", "$gte", "$hour", "$in",
     "$indexOfArray", "$indexOfBytes", "$indexOfCP", "$isArray", "$isNumber", "$isoDayOfWeek", "$isoWeek",
     "$isoWeekYear", "$literal", "$ln", "$log", "$log10", "$lt", "$lte", "$ltrim", "$meta", "$millisecond", "$minute",
     "$mod", "$month", "$multiply", "$ne", "$not", "$or", "$pow", "$radiansToDegrees", "$rand", "$range", "$regexFind",
     "$regexFindAll", "$regexMatch", "$replaceAll", "$replaceOne", "$round", "$rtrim", "$second", "$setEquals",
     "$setIsSubset", "$sin", "$sinh", "$size", "$split", "$sqrt", "$stdDevPop", "$stdDevSamp", "$strLenBytes",
     "$strLenCP", "$strcasecmp", "$substr", "$substrBytes", "$substrCP", "$subtract", "$sum", "$tan", "$tanh",
     "$toBool", "$toDate", "$toDecimal", "$toDouble", "$toInt", "$toLong", "$toLower", "$toObjectId", "$toString",
     "$toUpper", "$trim", "$trunc", "$tsIncrement", "$tsSecond", "$type", "$week", "$year"}
)  # fmt: skip
"""Operators whose result holds no part of an operand, or only text, for which MongoDB has a limit."""

PRESENT: Final = SCALAR | {"$concatArrays", "$filter", "$map", "$mergeObjects", "$setUnion", "$slice", "$sortArray"}
"""Some operators whose result is never missing, so that a field with it is set for sure."""

NAMED: Final = frozenset(
    {"$convert", "$dateFromString", "$dateToString", "$firstN", "$lastN", "$maxN", "$minN", "$sortArray", "$unsetField"}
)
"""Operators without a rule of their own whose operand is an object of arguments."""


def refuse_growth(body: object, spot: ExpressionSpot) -> None:
    """Refuse the compiled body of a $reduce when its result could grow faster than round by round."""
    try:
        outcomes = _outcomes(body, Environment({"value": WHOLE}, Work()))
    except TooManyError:
        raise spot.refused("too-large", "The body of this $reduce is too large, or has too many branches.") from None
    for parts in outcomes:
        if any(part.deeper > 0 or REPEATED in part.path for part in parts):
            detail = "A $reduce may not wrap $$value or repeat it: each round would make the result deeper or larger."
            raise spot.refused("unbounded-growth", detail)
        if any(overlap(one.path, other.path) for one, other in combinations(parts, 2)):
            raise spot.refused("unbounded-growth", "A $reduce may put each part of $$value into its result only once.")


def _outcomes(body: object, env: Environment) -> Outcomes:
    return env.work.spend(_followed(body, env))


def _followed(body: object, env: Environment) -> Outcomes:
    if isinstance(body, str):
        name, *path = body.removeprefix("$$").split(".")
        return below(env.bound.get(name, NOTHING), *path) if body.startswith("$$") else NOTHING
    if isinstance(body, Limited):
        return _outcomes(body.array, env)
    if is_array(body):
        return wrapped(together(_outcomes(element, env) for element in body))
    return _object(body, env) if is_object(body) else NOTHING


def _object(body: dict[str, object], env: Environment) -> Outcomes:
    if not is_operator(body):
        return wrapped(together(_outcomes(member, env) for member in body.values()))
    [(name, operand)] = body.items()
    if name in SCALAR:
        return NOTHING
    if name in _RULES:
        return _RULES[name](operand, env)
    arguments = list(operand.values()) if name in NAMED and is_object(operand) else _arguments(operand)
    return _inside(arguments, env)


def is_operator(body: object) -> bool:
    """Say whether compiled JSON is an operator with its operand."""
    return is_object(body) and next(iter(body), "").startswith("$")


def _arguments(operand: object) -> list[object]:
    return operand if is_array(operand) else [operand]


def _inside(arguments: list[object], env: Environment) -> Outcomes:
    return inexact(together(_outcomes(argument, env) for argument in arguments))


def _one_of(operand: Any, env: Environment) -> Outcomes:  # noqa: ANN401  # a compiled operand, here and below
    return either(_outcomes(argument, env) for argument in _arguments(operand))


def _condition(operand: Any, env: Environment) -> Outcomes:  # noqa: ANN401
    return _one_of(operand[1:] if is_array(operand) else [operand["then"], operand["else"]], env)


def _switch(operand: Any, env: Environment) -> Outcomes:  # noqa: ANN401
    return _one_of([*(branch["then"] for branch in operand["branches"]), operand.get("default")], env)


def _let(operand: Any, env: Environment) -> Outcomes:  # noqa: ANN401
    bound = {name: _outcomes(value, env) for name, value in operand["vars"].items()}
    return _outcomes(operand["in"], env.binding(bound))


def _element(operand: Any, env: Environment) -> Outcomes:  # noqa: ANN401
    return moved(_outcomes(_arguments(operand)[0], env), -1)


def _map(operand: Any, env: Environment) -> Outcomes:  # noqa: ANN401
    element = _element([operand["input"]], env)
    return wrapped(_outcomes(operand["in"], env.repeated().binding({operand["as"]: element})))


def _reduce(operand: Any, env: Environment) -> Outcomes:  # noqa: ANN401
    # Its own body has been checked, so that a later round does to `value` no more than the first one.
    start = inexact(_outcomes(operand["initialValue"], env))
    element = _element([operand["input"]], env)
    return inexact(either([start, _outcomes(operand["in"], env.repeated().binding({"value": start, "this": element}))]))


def _zip(operand: Any, env: Environment) -> Outcomes:  # noqa: ANN401
    return moved(_inside([*operand["inputs"], operand.get("defaults")], env), 1)


def _get_field(operand: Any, env: Environment) -> Outcomes:  # noqa: ANN401
    if "input" not in operand:
        return NOTHING
    return below(_outcomes(operand["input"], env), operand["field"]["$literal"])


def _set_field(operand: Any, env: Environment) -> Outcomes:  # noqa: ANN401
    kept = _without(operand["input"], {operand["field"]["$literal"]}, env)
    return inexact(together([kept, wrapped(_outcomes(operand["value"], env))]))


def _merge(operand: Any, env: Environment) -> Outcomes:  # noqa: ANN401
    objects = _arguments(operand)
    return inexact(
        together(
            _without(each, set[str]().union(*map(_set_for_sure, objects[number + 1 :])), env)
            for number, each in enumerate(objects)
        )
    )


def _set_for_sure(later: object) -> set[str]:
    """Return the fields that a later object of $mergeObjects sets, whatever was there before."""
    if not is_object(later) or is_operator(later) or isinstance(later, Limited):
        return set()
    return {name for name, member in later.items() if _is_present(member)}


def _is_present(member: object) -> bool:
    if isinstance(member, Limited):
        return _is_present(member.array)
    if is_object(member) and is_operator(member):
        return next(iter(member)) in PRESENT
    return not isinstance(member, str) or not member.startswith("$")


def _without(operand: object, names: set[str], env: Environment) -> Outcomes:
    outcomes = _outcomes(operand, env)
    # Only of a variable it is clear that fields of the result are fields of the part.
    if not names or not isinstance(operand, str):
        return outcomes
    return each(
        outcomes,
        lambda part: part._replace(path=(*part.path, REST + "\0".join(sorted(names)))) if part.exact else part,
    )


_RULES: Final[Mapping[str, Rule]] = {
    "$cond": _condition,
    "$switch": _switch,
    **dict.fromkeys(("$ifNull", "$min", "$max"), _one_of),
    "$let": _let,
    "$map": _map,
    "$filter": lambda operand, env: _outcomes(operand["input"], env),
    "$reduce": _reduce,
    **dict.fromkeys(("$first", "$last", "$arrayElemAt"), _element),
    "$zip": _zip,
    "$objectToArray": lambda operand, env: marked(moved(_one_of(operand, env), 1), ENTRIES),
    "$arrayToObject": lambda operand, env: marked(moved(_one_of(operand, env), -1), OBJECT),
    "$setField": _set_field,
    "$getField": _get_field,
    "$mergeObjects": _merge,
}
