"""Variables and loops: $let, $map, $filter and $reduce.

MongoDB looks at the time limit between documents, never inside an expression, so a loop over loops over long arrays
would run on for hours after its request is gone. Loops that have work of that kind inside get a limit on their input.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from documents.query.array_limits import Limited
from documents.query.pipeline.expressions import expression
from documents.query.pipeline.growth import refuse_growth
from documents.query.pipeline.shapes import INT32_MAX, object_of
from documents.query.pipeline.spot import ExpressionSpot, Read
from documents.query.refusal import shown
from documents.query.shapes import is_object

VARIABLE_NAME: Final = re.compile(r"[a-z][A-Za-z0-9_]{0,99}")
MAX_ELEMENTS: Final[Mapping[float, int]] = {1.5: 50_000, 2: 10_000, 2.5: 1500, 3: 500, 3.5: 250, 4: 100, 4.5: 80, 5: 40}
"""Elements that each loop may have, by how deep loops are nested there, an operator on whole arrays being half a loop,
and one on texts a whole one.
The rounds of all of them together then take some 10 s at most."""
MAX_NESTED: Final = 4
LINEAR: Final = frozenset(
    {"$allElementsTrue", "$anyElementTrue", "$arrayToObject", "$concatArrays", "$firstN", "$in", "$indexOfArray",
     "$lastN", "$maxN", "$minN", "$objectToArray", "$range", "$reverseArray", "$setDifference", "$setEquals",
     "$setIntersection", "$setIsSubset", "$setUnion", "$slice", "$sortArray", "$zip"}
)  # fmt: skip
"""Operators that go through whole arrays."""


def let(operand: object, spot: ExpressionSpot) -> dict[str, Any]:
    """Compile $let."""
    given = object_of(operand, spot, ("vars", "in"), ("vars", "in"))
    there = spot.at("vars")
    if not is_object(given["vars"]):
        raise there.refused("wrong-type", f"It takes an object of variables, not {shown(given['vars'])}.")
    bound = {
        _variable(name, there.at(name)): expression(value, there.inside(name)) for name, value in given["vars"].items()
    }
    return {"vars": bound, "in": expression(given["in"], spot.at("in").binding(bound))}


def _variable(name: object, spot: ExpressionSpot) -> str:
    if not isinstance(name, str) or not VARIABLE_NAME.fullmatch(name):
        raise spot.refused("invalid-name", f"A variable is a lower-case letter, then letters or digits; not {name!a}.")
    return str(name)


def _over_elements(body: str, optional: Mapping[str, Read]) -> Read:
    """Return the reader of an operator that evaluates `body` for each element of `input`, bound to `as`."""

    def read(operand: object, spot: ExpressionSpot) -> dict[str, Any]:
        given = object_of(operand, spot, ("input", body), ("input", "as", body, *optional))
        name = _variable(given.get("as", "this"), spot.at("as"))
        repeated, most = _repeated(given[body], spot.at(body).looping([name]))
        return {
            "input": _limited(given["input"], spot.at("input"), most),
            "as": name,
            body: repeated,
            **{name: read(given[name], spot.at(name)) for name, read in optional.items() if name in given},
        }

    return read


def _reduce(operand: object, spot: ExpressionSpot) -> dict[str, Any]:
    given = object_of(operand, spot, ("input", "initialValue", "in"), ("input", "initialValue", "in"))
    repeated, most = _repeated(given["in"], spot.at("in").looping(["this", "value"]))
    refuse_growth(repeated, spot.at("in"))
    return {
        "input": _limited(given["input"], spot.at("input"), most),
        "initialValue": expression(given["initialValue"], spot.at("initialValue")),
        "in": repeated,
    }


def _repeated(body: object, spot: ExpressionSpot) -> tuple[Any, int | None]:
    """Return what a loop repeats, and how many elements it may have."""
    if spot.loops > MAX_NESTED:
        raise spot.refused("too-deep", f"Loops are nested at most {MAX_NESTED} deep. $unwind the outer arrays.")
    compilation = spot.compilation
    around, compilation.deepest = compilation.deepest, spot.loops
    compiled = expression(body, spot)
    most = MAX_ELEMENTS.get(compilation.deepest)
    compilation.deepest = max(around, compilation.deepest)
    return compiled, most


def _limited(operand: object, spot: ExpressionSpot, most: int | None) -> Any:  # noqa: ANN401  # an expression
    compiled = expression(operand, spot)
    return compiled if most is None else Limited(compiled, most)


def whole_arrays(table: Mapping[str, Read]) -> dict[str, Read]:
    """Return a table in which the operators that go through whole arrays count towards the depth of loops."""
    return {name: _counting(read) if name in LINEAR else read for name, read in table.items()}


def _counting(read: Read) -> Read:
    def counting(operand: object, spot: ExpressionSpot) -> Any:  # noqa: ANN401  # whatever `read` returns
        spot.compilation.deepest = max(spot.compilation.deepest, spot.loops + 0.5)
        return read(operand, spot)

    return counting


def _limit(operand: object, spot: ExpressionSpot) -> Any:  # noqa: ANN401  # a number or an expression
    if isinstance(operand, int) and not 1 <= operand <= INT32_MAX:
        raise spot.refused("wrong-type", "A limit is at least 1.")
    return expression(operand, spot)


LOOPS: Final[Mapping[str, Read]] = {
    "$map": _over_elements("in", {}),
    "$filter": _over_elements("cond", {"limit": _limit}),
    "$reduce": _reduce,
}
