"""Arrays that an expression makes: a limit on their length, which MongoDB checks when it evaluates them."""

from collections.abc import Mapping
from typing import Any, Final

from documents.query.shapes import is_array

MAX_RANGE: Final = 100_000
MAX_CONCATENATED: Final = 1_000_000
LONGEST: Final[Mapping[str, int]] = {"$range": MAX_RANGE, "$concatArrays": MAX_CONCATENATED}

REFUSAL: Final[Mapping[str, Any]] = {"$range": [0, 1, {"$cmp": ["$_id", "$_id"]}]}
"""Ends a query where it is evaluated, with code 34449: a step of 0. MongoDB would refuse a constant one beforehand."""


class Limited(dict[str, Any]):
    """The expression of an array, wrapped in what ends the query where the array is too long.

    Args:
        array: The expression as it was before.
        most: Elements that it may have.
    """

    def __init__(self, array: object, most: int) -> None:
        none: list[Any] = []
        size = {"$size": {"$cond": [{"$isArray": ["$$array"]}, "$$array", none]}}
        limit = {"$cond": [{"$gt": [size, most]}, REFUSAL, "$$array"]}
        super().__init__({"$let": {"vars": {"array": array}, "in": limit}})
        self.array = array
        self.most = most


def limited(name: str, compiled: dict[str, Any]) -> dict[str, Any]:
    """Return an operator's expression, with a limit where its result could be too long."""
    if name not in LONGEST or (name == "$range" and is_constant_range(compiled[name])):
        return compiled
    return Limited(compiled, LONGEST[name])


def is_constant_range(arguments: object) -> bool:
    """Say whether the length of a $range is known beforehand."""
    return is_array(arguments) and all(isinstance(argument, int) for argument in arguments)
