"""When two BSON values, or two filters, are the same to MongoDB, as hashable stand-ins that are equal then (pure)."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final, cast

import bson
from bson import Decimal128

_UNORDERED_CLAUSES: Final = frozenset({"$and", "$or", "$nor"})
_UNORDERED_VALUES: Final = frozenset({"$in", "$nin", "$all"})


def freeze(value: object) -> object:
    """Return a stand-in for a value. Numbers are equal across types, documents only in the same order."""
    if isinstance(value, Mapping):
        fields = cast("Mapping[str, object]", value)
        return ("object", tuple((key, freeze(item)) for key, item in fields.items()))
    if isinstance(value, list | tuple):
        return ("array", tuple(freeze(item) for item in cast("list[object]", value)))
    if value is None or isinstance(value, str | bool):
        return (type(value).__name__, value)
    if isinstance(value, int | float | Decimal128):
        return ("number", _number(value))
    return ("bson", bson.encode({"": value}))


def freeze_filter(predicate: object) -> object:
    """Return a stand-in for a filter, where the order of conditions does not matter."""
    if not isinstance(predicate, Mapping):
        return freeze(predicate)
    conditions = cast("Mapping[str, object]", predicate)
    return frozenset((key, _condition(key, value)) for key, value in conditions.items())


def _condition(key: str, value: object) -> object:
    if key in _UNORDERED_CLAUSES and isinstance(value, list):
        return frozenset(freeze_filter(clause) for clause in cast("list[object]", value))
    if key in _UNORDERED_VALUES and isinstance(value, list):
        return frozenset(freeze(item) for item in cast("list[object]", value))
    if _is_operators(value):
        operators = cast("Mapping[str, Any]", value)
        return freeze(operators["$eq"]) if list(operators) == ["$eq"] else freeze_filter(operators)
    return freeze(value)


def _is_operators(value: object) -> bool:
    return isinstance(value, Mapping) and any(str(key).startswith("$") for key in cast("Mapping[str, object]", value))


def _number(value: float | Decimal128) -> object:
    number = value.to_decimal() if isinstance(value, Decimal128) else Decimal(value)
    return "NaN" if number.is_nan() else number
