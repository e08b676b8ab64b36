"""Put the values of a principal's variables into a rule's filters and set values."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from documents.access.rules import VARIABLE
from documents.query.shapes import is_array, is_object

NOW: Final = "now"
"""`$now`, the time of the request. It is no part of a fingerprint."""

_VARIABLE: Final = re.compile(VARIABLE)
_SCALARS: Final = (str, int, float, bool)


class UnboundVariableError(Exception):
    """The principal has no usable value for a variable, so the rule gives it nothing."""


def variables_in(template: object) -> frozenset[str]:
    """Return the names of the variables that a template uses, without `$`."""
    if isinstance(template, str):
        return frozenset({template[1:]}) if _VARIABLE.match(template) else frozenset()
    members = template.values() if is_object(template) else template if is_array(template) else ()
    return frozenset[str]().union(*map(variables_in, members))


def substitute(template: object, variables: Mapping[str, Any]) -> Any:  # noqa: ANN401  # JSON with BSON values in it
    """Return a template with each `$name` replaced by its value; `$$name` stands for the text `$name`.

    Values are text, numbers, booleans or lists of these, so that none can be read as an operator.

    Raises:
        UnboundVariableError: A variable has no value, or one of another type.
    """
    if isinstance(template, str):
        if template.startswith("$$"):
            return template[1:]
        return _value(template[1:], variables) if _VARIABLE.match(template) else template
    if is_object(template):
        return {name: substitute(member, variables) for name, member in template.items()}
    if is_array(template):
        return [substitute(member, variables) for member in template]
    return template


def _value(name: str, variables: Mapping[str, Any]) -> object:
    value = variables.get(name)
    elements: list[object] = value if is_array(value) else [value]
    if not all(isinstance(element, (*_SCALARS, datetime)) for element in elements):
        raise UnboundVariableError(name)
    return value


def with_now(variables: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """Return the variables and `$now`, at the precision that MongoDB stores."""
    naive = now.astimezone(UTC).replace(tzinfo=None)
    return {**variables, NOW: naive.replace(microsecond=naive.microsecond // 1000 * 1000)}
