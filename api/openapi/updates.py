"""The languages of change as JSON Schema: JSON Patch and update operators."""

from typing import Final

from api.openapi.filters import LISTED, PATH_PATTERN
from api.openapi.schemas import Schema, ref
from documents.codec.patch_shape import MAX_OPERATIONS

POINTER: Final = r"^(/([^~/]|~[01])*)*$"
INNER_POINTER: Final = r"^(/([^~/]|~[01])*)+$"
NEW_POINTER: Final = r"^(/([^~/]|~[01])*)*/([^~/.$\u0000]|~[01])([^~/.\u0000]|~[01])*$"
"""One whose last step can be the key of a new member."""

_POINTER: Final[Schema] = {"type": "string", "pattern": POINTER}
_INNER: Final[Schema] = {"type": "string", "pattern": INNER_POINTER}
_NEW: Final[Schema] = {"type": "string", "pattern": NEW_POINTER}


def _step(op: str, **members: Schema) -> Schema:
    return {"type": "object", "properties": {"op": {"const": op}, **members}, "required": ["op", *members]}


def _by_path(value: Schema) -> Schema:
    return {
        "type": "object",
        "minProperties": 1,
        "propertyNames": {"pattern": PATH_PATTERN},
        "additionalProperties": value,
    }


_JSON_PATCH: Final[Schema] = {
    "type": "array",
    "description": "Steps that are taken one after the other, all or none (RFC 6902).",
    "maxItems": MAX_OPERATIONS,
    "items": {
        "oneOf": [
            _step("add", path=_NEW, value=ref("Value")),
            _step("remove", path=_INNER),
            _step("replace", path=_INNER, value=ref("Value")),
            _step("move", **{"from": _INNER}, path=_NEW),
            _step("copy", **{"from": _INNER}, path=_NEW),
            _step("test", path=_POINTER, value={}),
        ]
    },
    "examples": [[{"op": "replace", "path": "/name", "value": "Green mug"}]],
}
_NUMBER: Final[Schema] = {"type": "number", "minimum": -(2**63), "maximum": 2**63 - 1}
_INT32: Final[Schema] = {"type": "integer", "minimum": -(2**31), "maximum": 2**31 - 1}
_INT64: Final[Schema] = {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1}
_DIRECTION: Final[Schema] = {"enum": [1, -1]}
_VALUE: Final = ref("Value")
_VALUES: Final[Schema] = {"type": "array", "items": _VALUE}


def _each(**modifiers: Schema) -> Schema:
    several = {
        "type": "object",
        "properties": {"$each": _VALUES, **{f"${name}": schema for name, schema in modifiers.items()}},
        "required": ["$each"],
        "additionalProperties": False,
    }
    return {"anyOf": [_VALUE, several]}


def _one_of(*names: str) -> Schema:
    return {
        "type": "object",
        "properties": dict.fromkeys(names, _INT64),
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": False,
    }


_OPERANDS: Final[dict[str, Schema]] = {
    **dict.fromkeys(("$set", "$setOnInsert", "$min", "$max"), _VALUE),
    "$unset": {"description": "Anything: the field is removed."},
    **dict.fromkeys(("$inc", "$mul"), _NUMBER),
    "$rename": {"type": "string", "pattern": PATH_PATTERN},
    "$push": _each(slice=_INT32, position=_INT32, sort={"anyOf": [_DIRECTION, _by_path(_DIRECTION)]}),
    "$addToSet": _each(),
    "$pull": {"anyOf": [_VALUE, ref("Operators")]},
    "$pullAll": _VALUES,
    "$pop": _DIRECTION,
    "$currentDate": {"anyOf": [{"const": True}, {"enum": [{"$type": "date"}, {"$type": "timestamp"}]}]},
    "$bit": _one_of("and", "or", "xor"),
}
UPDATE_SCHEMAS: Final[dict[str, Schema]] = {
    "JsonPatch": _JSON_PATCH,
    "Update": {
        "type": "object",
        "description": "Update operators as MongoDB has them, each with paths and operands. No path twice, nor `_id`.",
        "properties": {name: _by_path(operand) for name, operand in _OPERANDS.items()},
        "minProperties": 1,
        "additionalProperties": False,
        "examples": [{"$inc": {"stock": -1}}],
    },
    "Path": {"type": "string", "description": "A field, or with dots one inside it.", "pattern": PATH_PATTERN},
    "FieldList": {
        "type": "string",
        "description": "Fields, with commas between.",
        "pattern": f"^{LISTED}(,{LISTED})*$",
    },
}
