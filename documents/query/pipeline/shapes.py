"""The shapes that operands of a pipeline have: so many arguments, named members, one of some words, a number."""

import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

from documents.query.filter.operands import regex_parts
from documents.query.filter.values import literal
from documents.query.pipeline.expressions import expression, field_path, listed
from documents.query.pipeline.spot import ExpressionSpot, Read
from documents.query.pipeline.text_limits import LOOPED_STEPS, MAX_IN_LOOPS, MAX_MADE
from documents.query.refusal import shown
from documents.query.regex.work import MAX_STEPS, searched
from documents.query.shapes import is_array, is_object
from documents.query.spot import Compilation, Spot
from documents.types import EMPTY

INT32_MAX: Final = 2**31 - 1
INT64_MAX: Final = 2**63 - 1
MAX_SORT_KEYS: Final = 32


def arguments(least: int, most: int | None = None) -> Read:
    """Return the reader of `least` to `most` expressions; one alone may stand without its array."""

    def read(operand: object, spot: ExpressionSpot) -> Any:  # noqa: ANN401  # one expression or a list
        given = operand if is_array(operand) else [operand]
        if len(given) < least or (most is not None and len(given) > most):
            raise spot.refused("wrong-arity", f"It takes {_count(least, most)}, not {len(given)}.")
        if not is_array(operand):
            return expression(operand, spot)
        return [expression(argument, spot.at(position)) for position, argument in enumerate(given)]

    return read


def _count(least: int, most: int | None) -> str:
    if most is None:
        return f"{least} or more arguments"
    return f"{least} arguments" if least == most else f"{least} to {most} arguments"


def array_of(read: Read, least: int = 0) -> Read:
    """Return the reader of an array."""

    def read_all(operand: object, spot: ExpressionSpot) -> list[Any]:
        if not is_array(operand) or len(operand) < least:
            raise spot.refused("wrong-type", f"It takes an array of at least {least}, not {shown(operand)}.")
        return [read(element, spot.at(position)) for position, element in enumerate(operand)]

    return read_all


def members(required: Mapping[str, Read], optional: Mapping[str, Read] = EMPTY) -> Read:
    """Return the reader of an object with these members and no others."""
    known = {**required, **optional}

    def read(operand: object, spot: ExpressionSpot) -> dict[str, Any]:
        given = object_of(operand, spot, required, known)
        return {name: known[name](member, spot.at(name)) for name, member in given.items()}

    return read


def object_of(
    operand: object, spot: ExpressionSpot, required: Iterable[str], known: Iterable[str]
) -> dict[str, object]:
    """Return `operand` when it is an object that has the required members and none but the known ones."""
    if not is_object(operand):
        raise spot.refused("wrong-type", f"It takes an object of {listed(known)}, not {shown(operand)}.")
    for name in operand:
        if name not in known:
            raise spot.at(name).refused("unknown-member", f"{shown(name)} is none of {listed(known)}.")
    for name in required:
        if name not in operand:
            raise spot.refused("missing-member", f"{name} is missing.")
    return operand


def filled_object(operand: object, spot: ExpressionSpot) -> dict[str, object]:
    """Return `operand` when it is an object with at least one member."""
    if not is_object(operand) or not operand:
        raise spot.refused("wrong-type", f"It takes an object with at least one member, not {shown(operand)}.")
    return operand


def empty_object(operand: object, spot: ExpressionSpot) -> dict[str, Any]:
    """Return `{}` when it is that."""
    if operand != {}:
        raise spot.refused("wrong-type", f"It takes {{}}, not {shown(operand)}.")
    return {}


def choice(*words: str) -> Read:
    """Return the reader of one of `words`."""

    def read(operand: object, spot: ExpressionSpot) -> str:
        if not isinstance(operand, str) or operand not in words:
            raise spot.refused("wrong-type", f"It is one of {', '.join(words)}, not {shown(operand)}.")
        return str(operand)

    return read


def flag(operand: object, spot: ExpressionSpot) -> bool:
    """Return true or false."""
    if not isinstance(operand, bool):
        raise spot.refused("wrong-type", f"It takes true or false, not {shown(operand)}.")
    return operand


def whole(least: int, most: int = INT64_MAX) -> Read:
    """Return the reader of an integer."""

    def read(operand: object, spot: ExpressionSpot) -> int:
        if isinstance(operand, bool) or not isinstance(operand, int) or not least <= operand <= most:
            raise spot.refused("wrong-type", f"It takes an integer from {least} to {most}, not {shown(operand)}.")
        return operand

    return read


def number(operand: object, spot: ExpressionSpot) -> int | float:
    """Return a finite number."""
    literal(operand, spot.pointer)  # refuses integers that are too large for isfinite
    if isinstance(operand, bool) or not isinstance(operand, (int, float)) or not math.isfinite(operand):
        raise spot.refused("wrong-type", f"It takes a finite number, not {shown(operand)}.")
    return operand


def positive(operand: object, spot: ExpressionSpot) -> int | float:
    """Return a number above 0."""
    value = number(operand, spot)
    if value <= 0:
        raise spot.refused("wrong-type", f"It takes a number above 0, not {shown(operand)}.")
    return value


def not_negative(operand: object, spot: ExpressionSpot) -> int | float:
    """Return a number from 0."""
    value = number(operand, spot)
    if value < 0:
        raise spot.refused("wrong-type", f"It takes a number from 0, not {shown(operand)}.")
    return value


def sort_keys(operand: object, spot: ExpressionSpot) -> dict[str, Any]:
    """Return a sort order: `{"price": -1, "name": 1}`."""
    given = filled_object(operand, spot)
    if len(given) > MAX_SORT_KEYS:
        raise spot.refused("too-large", f"A sort has at most {MAX_SORT_KEYS} keys.")
    return {field_path(path, spot.at(path)): direction(member, spot.at(path)) for path, member in given.items()}


def direction(operand: object, spot: ExpressionSpot) -> int:
    """Return 1 or -1."""
    if isinstance(operand, bool) or not isinstance(operand, (int, float)) or operand not in (1, -1):
        raise spot.refused("wrong-type", f"A direction is 1 or -1, not {shown(operand)}.")
    return int(operand)


def pattern(operand: object, options: object, spot: ExpressionSpot, *, is_match: bool) -> tuple[dict[str, Any], int]:
    """Return `regex` and `options` of an expression, constants, and how many bytes a text may have for them.

    Where only a match is asked for, the pattern is an equal that takes linear time, if there is one.
    """
    if isinstance(operand, str) and operand.startswith("$"):
        raise spot.refused("invalid-regex", "A pattern is constant. One that begins with $ goes in $literal.")
    given = operand["$literal"] if is_object(operand) and set(operand) == {"$literal"} else operand
    source, letters = regex_parts(given, options, Spot(Compilation(lambda _: None), spot.pointer))
    steps = LOOPED_STEPS if spot.loops else MAX_STEPS
    source, most = searched(source, letters or "", steps, is_match=is_match)
    # A pattern may begin with $, which outside of $literal would be read as a field.
    compiled: dict[str, Any] = {"regex": {"$literal": source}}
    if letters:
        compiled["options"] = letters
    return compiled, min(most, MAX_IN_LOOPS if spot.loops else MAX_MADE)
