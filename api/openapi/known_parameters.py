"""Which URL parameters each route reads."""

from collections.abc import Mapping
from typing import Final

from api.openapi.operations import OPERATIONS, Operation
from api.openapi.parameters import PARAMETERS

ANY_FIELD: Final = frozenset({"field-filters", "filter-required"})
"""Stand among an operation's parameters for a filter by any field."""


def known_parameters() -> Mapping[tuple[str, str], frozenset[str] | None]:
    """Return, for method and path of each operation, the names that it reads; None where any name may be a field."""
    return {(operation.method, operation.path): _names(operation) for operation in OPERATIONS}


def _names(operation: Operation) -> frozenset[str] | None:
    if not ANY_FIELD.isdisjoint(operation.parameters):
        return None
    described = [PARAMETERS[name] for name in operation.parameters]
    return frozenset(parameter["name"] for parameter in described if parameter["in"] == "query")
