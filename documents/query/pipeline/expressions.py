"""Aggregation expressions: read from JSON against an allow-list, and built anew."""

from collections.abc import Iterable
from typing import Any, Final

from bson import Code, DBRef

from documents.query.array_limits import limited
from documents.query.filter.values import literal
from documents.query.paths import checked_path, is_storable
from documents.query.pipeline.spot import ExpressionSpot
from documents.query.pipeline.text_limits import limit_made
from documents.query.refusal import shown
from documents.query.shapes import is_array, is_object

LEAST_INTEGER: Final = -(2**63)
GREATEST_INTEGER: Final = 2**63 - 1
_INTERPRETED: Final = (list, dict, DBRef)
SYSTEM_VARIABLES: Final = frozenset({"ROOT", "CURRENT", "NOW", "REMOVE"})


def expression(operand: object, spot: ExpressionSpot) -> Any:  # noqa: ANN401  # whatever BSON can hold
    """Return an expression: a field path, a variable, an operator, a constant, or an array or object of these."""
    spot.spend()
    if is_array(operand):
        return [expression(element, spot.inside(position)) for position, element in enumerate(operand)]
    if is_object(operand):
        return operation(operand, spot) if is_operation(operand) else _object(operand, spot)
    if isinstance(operand, str) and operand.startswith("$") and not isinstance(operand, Code):
        return _reference(operand, spot)
    return constant(operand, spot)


def is_operation(operand: dict[str, object]) -> bool:
    """Say whether an object is, or is meant to be, an operator with its operand."""
    return any(name.startswith("$") for name in operand)


def operation(operand: dict[str, object], spot: ExpressionSpot) -> dict[str, Any]:
    """Return an operator with its operand."""
    if len(operand) != 1:
        raise spot.refused("mixed-operators", "An operator stands alone in its object.")
    [(name, argument)] = operand.items()
    read = spot.compilation.operators.get(name)
    if read is None:
        known = listed(spot.compilation.operators)
        raise spot.at(name).refused("unknown-operator", f"{shown(name)} is not allowed here. There are {known}.")
    return limit_made(name, limited(name, {name: read(argument, spot.inside(name))}))


def constant(operand: object, spot: ExpressionSpot) -> Any:  # noqa: ANN401  # whatever BSON can hold
    """Return a value that MongoDB does not interpret."""
    if isinstance(operand, Code):
        raise spot.refused("wrong-type", "JavaScript has no place in a pipeline.")
    if isinstance(operand, int) and LEAST_INTEGER <= operand <= GREATEST_INTEGER:
        return operand
    value = literal(operand, spot.pointer)
    interpreted = type(value) in _INTERPRETED or (isinstance(value, str) and value.startswith("$"))
    return {"$literal": value} if interpreted else value


def field_name(name: object, spot: ExpressionSpot) -> str:
    """Return the name of one field of the result: text that is not empty, without `$` in front, dots or NUL."""
    if not isinstance(name, str) or isinstance(name, Code):
        raise spot.refused("wrong-type", f"The name of a field is text, not {shown(name)}.")
    if not name or name.startswith("$") or "." in name or "\0" in name or not is_storable(name):
        raise spot.refused("invalid-name", f"{shown(name)} cannot be the name of a field.")
    return name


def field_path(path: object, spot: ExpressionSpot) -> str:
    """Return the path of a field without `$` in front."""
    if not isinstance(path, str) or isinstance(path, Code):
        raise spot.refused("wrong-type", f"A path is text such as address.city, not {shown(path)}.")
    return checked_path(path, spot.pointer)


def field_reference(operand: object, spot: ExpressionSpot) -> str:
    """Return the path of a field with `$` in front."""
    if not isinstance(operand, str) or not operand.startswith("$") or operand.startswith("$$"):
        raise spot.refused("wrong-type", f"It takes a field such as $address.city, not {shown(operand)}.")
    return _reference(operand, spot)


def listed(names: Iterable[str]) -> str:
    """Return names in order, for a fault's detail."""
    return " ".join(sorted(names))


def _object(operand: dict[str, object], spot: ExpressionSpot) -> dict[str, Any]:
    return {field_name(name, spot.at(name)): expression(member, spot.inside(name)) for name, member in operand.items()}


def _reference(text: str, spot: ExpressionSpot) -> str:
    if not text.startswith("$$"):
        checked_path(text.removeprefix("$"), spot.pointer, dbref=True)
        return text
    name, dot, path = text.removeprefix("$$").partition(".")
    if name not in SYSTEM_VARIABLES and name not in spot.variables:
        known = listed(SYSTEM_VARIABLES | spot.variables)
        raise spot.refused("unknown-variable", f"There is no variable {shown(name)} here. There are {known}.")
    if dot:
        checked_path(path, spot.pointer)
    return text
