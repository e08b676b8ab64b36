"""What a profile says, as schemas: JSON Schema, MongoDB's `$jsonSchema`, and a contract."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Literal, TypeAlias

from documents.profile import kinds
from documents.profile.formats import FORMATS
from documents.profile.report import Field, Report
from documents.profile.summary import Choice

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

Mode: TypeAlias = Literal["evolve", "freeze", "quarantine"]
Schema: TypeAlias = dict[str, Any]

_OBJECTID: Final = "^[0-9a-fA-F]{24}$"
_NUMBERS: Final = (kinds.INT, kinds.LONG, kinds.DOUBLE)
_IN_JSON: Final[Mapping[str, Schema]] = {
    kinds.STRING: {"type": "string"},
    kinds.BOOL: {"type": "boolean"},
    kinds.OBJECTID: {"type": "string", "pattern": _OBJECTID},
    kinds.DATE: {"type": "string", "format": "date-time"},
    kinds.DECIMAL: {"type": "string"},
    kinds.UUID: {"type": "string", "format": "uuid"},
    kinds.BINARY: {"type": "string", "contentEncoding": "base64"},
    kinds.SYMBOL: {"type": "string"},
    kinds.NULL: {"type": "null"},
    kinds.UNDEFINED: {"type": "null"},
    kinds.REGEX: {"type": "object"},
    kinds.CODE: {"type": "object"},
    kinds.SCOPED_CODE: {"type": "object"},
    kinds.TIMESTAMP: {"type": "object"},
    kinds.MIN_KEY: {"type": "object"},
    kinds.MAX_KEY: {"type": "object"},
    kinds.DB_POINTER: {"type": "object"},
}
"""What each type is in plain JSON; where JSON has no form for it, an object of Extended JSON."""

_CONTRACT_NAMES: Final = {kinds.INT: kinds.LONG, kinds.SCOPED_CODE: kinds.CODE}
_ID: Final = "_id"
_WRAPPED_WHEN_ODD: Final = frozenset({kinds.DOUBLE, kinds.DATE})
_TEXT_FORMATS: Final = tuple(name for name in FORMATS if name not in {"objectid", "decimal"})


def to_json_schema(report: Report, *, title: str = "", enums: bool = False) -> Schema:
    """Return a JSON Schema (2020-12) of the documents as plain JSON, with the BSON types as `x-bsonType`.

    Every document that was seen is valid. Fields that were not seen are allowed. A field is required if every
    object had it, and a string has a format if every string had it.

    Args:
        report: Of some documents.
        title: What the schema is of.
        enums: Whether to list the values of fields that had few.
    """
    schema: Schema = {"$schema": DIALECT}
    if title:
        schema["title"] = title
    return {**schema, "description": " ".join(report.notes), **_json_schema(report.root, enums=enums)}


def to_mongo_schema(report: Report, *, enums: bool = False) -> Schema:
    """Return a schema for the operator `$jsonSchema`, in queries or as a collection's validator.

    Fields whose names have a dot or begin with a dollar sign are left out, since there they would mean others.

    Source:
        MongoDB manual, $jsonSchema.
    """
    return {"description": " ".join(report.notes), **_mongo_schema(report.root, enums=enums)}


def to_contract(report: Report, mode: Mode = "evolve", *, enums: bool = False) -> dict[str, Any]:
    """Return a contract that every document seen fulfils.

    It names the fields, their BSON types, and those that every object had. Integers are longs, since clients do not
    choose their size. Of the `_id` it says nothing, as a collection has a type for its ids anyway. Nor does it ask for
    formats that all strings happened to have.

    Args:
        report: Of some documents.
        mode: What is done with a new field, another type, or a missing field.
        enums: Whether to list the values of fields that had few.
    """
    schema = _mongo_schema(report.root, enums=enums, rename=_in_contract)
    schema.get("properties", {}).pop(_ID, None)
    required = [name for name in schema.pop("required", ()) if name != _ID]
    described = {"$schema": DIALECT, "description": " ".join(report.notes)}
    whole = {**described, **schema, "bsonType": kinds.OBJECT, **({"required": required} if required else {})}
    return {"schema": whole, "fields": mode, "types": mode, "required": mode}


def _json_schema(field: Field, *, enums: bool) -> Schema:
    if not field.types or kinds.UNKNOWN in field.types:
        return {}
    if enums and field.enum:
        return {"enum": _listed(field.enum, field), "x-bsonType": _one_or_all(sorted(field.types))}
    variants = _variants(field, enums=enums)
    if len(variants) == 1:
        return variants[0]
    if len(variants) == 2 and variants[-1] == _typed(kinds.NULL):  # noqa: PLR2004  # a type, or null
        return _or_null(variants[0])
    return {"anyOf": variants, "x-bsonType": list(field.types)}


def _variants(field: Field, *, enums: bool) -> list[Schema]:
    """Return a schema for each type that was seen, null last; numbers are one."""
    variants: list[Schema] = []
    numbers = [kind for kind in _NUMBERS if kind in field.types]
    if numbers:
        has_fractions = kinds.DOUBLE in numbers
        variants.append({"type": "number" if has_fractions else "integer", "x-bsonType": _one_or_all(numbers)})
    others = sorted(field.types.keys() - {*_NUMBERS, kinds.NULL})
    variants += [_variant(field, kind, enums=enums) for kind in others]
    if any(_is_wrapped(field, kind) for kind in _WRAPPED_WHEN_ODD):
        variants.append({"type": "object"})
    if kinds.NULL in field.types:
        variants.append(_typed(kinds.NULL))
    return variants


def _variant(field: Field, kind: str, *, enums: bool) -> Schema:
    if kind == kinds.OBJECT:
        return {"type": "object", "x-bsonType": kind, **_inside(field, lambda inner: _json_schema(inner, enums=enums))}
    if kind == kinds.ARRAY:
        items = {} if field.items is None else {"items": _json_schema(field.items, enums=enums)}
        return {"type": "array", "x-bsonType": kind, **items}
    if kind == kinds.STRING:
        return {**_typed(kind), **_format(field)}
    return _typed(kind)


def _inside(field: Field, schema_of: Callable[[Field], Schema], *, is_mongo: bool = False) -> Schema:
    """Return the keywords for the fields of objects."""
    if field.values is not None:
        return {"additionalProperties": schema_of(field.values)}
    named = [inner for inner in field.fields if not is_mongo or _is_addressable(inner.name)]
    required = [inner.name for inner in named if inner.is_required]
    schema: Schema = {}
    if named:
        schema["properties"] = {inner.name: schema_of(inner) for inner in named}
    if required:
        schema["required"] = required
    return schema


def _in_mongo(kind: str) -> str:
    return kinds.BINARY if kind == kinds.UUID else kind


def _in_contract(kind: str) -> str:
    return _CONTRACT_NAMES.get(kind, kind)


def _mongo_schema(field: Field, *, enums: bool, rename: Callable[[str], str] = _in_mongo) -> Schema:
    if not field.types or kinds.UNKNOWN in field.types:
        return {}
    types = sorted(set(map(rename, field.types)))
    schema: Schema = {"bsonType": _one_or_all(types)}
    if kinds.OBJECT in types:
        schema |= _inside(field, lambda inner: _mongo_schema(inner, enums=enums, rename=rename), is_mongo=True)
    if kinds.ARRAY in types and field.items is not None:
        schema["items"] = _mongo_schema(field.items, enums=enums, rename=rename)
    if enums and field.enum:
        schema["enum"] = _listed(field.enum, field)
    return schema


def _listed(enum: Iterable[Choice], field: Field) -> list[Any]:
    # True is 1 to Python, but not to JSON; an int and a long may well be the same.
    different = {(isinstance(value, bool), value): value for _, value in enum}
    return [*different.values(), *([None] if kinds.NULL in field.types else [])]


def _typed(kind: str) -> Schema:
    return {**_IN_JSON[kind], "x-bsonType": kind}


def _or_null(schema: Schema) -> Schema:
    known: str | list[str] = schema["x-bsonType"]
    names = [known] if isinstance(known, str) else known
    return {**schema, "type": [schema["type"], "null"], "x-bsonType": [*names, kinds.NULL]}


def _format(field: Field) -> Schema:
    strings = field.types[kinds.STRING]
    shared = [name for name in _TEXT_FORMATS if field.formats.get(name) == strings]
    return {"format": shared[0]} if shared else {}


def _is_wrapped(field: Field, kind: str) -> bool:
    """Say whether some values of a type are Extended JSON even in plain JSON: NaN, infinities, far dates."""
    low, high = field.bounds.get(kind, (0, 0))
    is_infinite = kind == kinds.DOUBLE and (low == float("-inf") or high == float("inf"))
    return kind in field.odd or is_infinite


def _is_addressable(name: str) -> bool:
    return name != "" and "." not in name and "\0" not in name and not name.startswith("$")


def _one_or_all(names: list[str]) -> str | list[str]:
    return names[0] if len(names) == 1 else names
