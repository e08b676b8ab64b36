"""Which types the cells of a table have, by what is declared for the collection that it is loaded into."""

import types
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, Final, Literal, cast, get_args, get_origin

from bson import Decimal128
from pydantic import BaseModel

from documents.catalog.catalog import CollectionEntry
from documents.catalog.fields import bare
from documents.contracts.grammar import bson_type

_PYTHON: Final[tuple[tuple[type, str], ...]] = (
    (bool, "bool"),
    (int, "int"),
    (float, "double"),
    (Decimal, "decimal"),
    (Decimal128, "decimal"),
    (str, "string"),
    (list, "json"),
    (set, "json"),
    (tuple, "json"),
    (dict, "json"),
    (BaseModel, "json"),
)
_NAMED: Final[Mapping[str, str]] = {
    "bool": "bool",
    "boolean": "bool",
    "int": "int",
    "long": "int",
    "integer": "int",
    "double": "double",
    "number": "double",
    "decimal": "decimal",
    "string": "string",
    "array": "json",
    "object": "json",
    "date": "date",
    "objectId": "objectid",
}


def find_cell_types(entry: CollectionEntry, *, has_dates: bool) -> dict[str, str]:
    """Return the type of the cells of each field, by its dotted path. Fields of several types are left out.

    Args:
        entry: The collection.
        has_dates: Whether the table says how its dates are written. Else the model or contract reads their text.
    """
    if entry.model is not None:
        return dict(_of_model(entry.model.model, "", has_dates=has_dates))
    if entry.contract is not None:
        return dict(_of_schema(entry.contract.schema, "", has_dates=has_dates))
    return {}


def _of_model(model: type[BaseModel], prefix: str, *, has_dates: bool) -> Iterator[tuple[str, str]]:
    for name, field in model.model_fields.items():
        path, kind = f"{prefix}{field.alias or name}", _class_of(field.annotation)
        if kind is None:
            continue
        if issubclass(kind, datetime | date):
            yield path, "date" if has_dates else "string"
        else:
            yield path, next((cell for known, cell in _PYTHON if issubclass(kind, known)), "string")
        if issubclass(kind, BaseModel) and prefix.count(".") < _DEPTH:
            yield from _of_model(kind, f"{path}.", has_dates=has_dates)


def _class_of(annotation: object) -> type[Any] | None:
    kind = bare(annotation)
    origin = get_origin(kind)
    if origin is Literal:
        return type(cast("object", get_args(kind)[0]))
    if origin is not None and not isinstance(kind, types.UnionType):
        kind = origin
    if not isinstance(kind, type):
        return None
    if issubclass(kind, Enum):
        return type(cast("object", next(iter(kind)).value))
    return cast("type[Any]", kind)


def _of_schema(schema: Mapping[str, Any], prefix: str, *, has_dates: bool) -> Iterator[tuple[str, str]]:
    fields: Mapping[str, Any] = schema.get("properties", {})
    for name, node in fields.items():
        if not isinstance(node, dict):
            continue
        members = cast("dict[str, Any]", node)
        cell = _named_type(members, has_dates=has_dates)
        if cell:
            yield f"{prefix}{name}", cell
        yield from _of_schema(members, f"{prefix}{name}.", has_dates=has_dates)


def _named_type(node: Mapping[str, Any], *, has_dates: bool) -> str | None:
    said = bson_type(node) or node.get("type")
    kinds = [kind for kind in ([said] if isinstance(said, str) else said or []) if kind != "null"]
    cell = _NAMED.get(kinds[0]) if len(kinds) == 1 else None
    if "coerce" in node and not (has_dates and cell == "date"):
        return "string"
    return cell


_DEPTH: Final = 10
