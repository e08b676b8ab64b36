"""Aggregation pipelines as JSON Schema. What an operator's operand may be, the server says in its refusals."""

from typing import Final

from api.openapi.filters import NAME_PATTERN, PATH_PATTERN
from api.openapi.schemas import Schema, ref
from documents.query.pipeline.aggregate import FIRST_STAGES, MAX_SAMPLE, MAX_STAGES, STAGES
from documents.query.pipeline.operators import OPERATORS

INT64_MAX: Final = 2**63 - 1
_BARE_PATH: Final = PATH_PATTERN.removeprefix("^")
_FIELD: Final[Schema] = {"type": "string", "pattern": rf"^\${_BARE_PATH}"}
_PATH: Final[Schema] = {"type": "string", "pattern": PATH_PATTERN}
_EXPRESSION: Final = ref("Expression")


def _object(value: Schema) -> Schema:
    return {
        "type": "object",
        "minProperties": 1,
        "propertyNames": {"pattern": PATH_PATTERN},
        "additionalProperties": value,
    }


def _members(required: dict[str, Schema], optional: dict[str, Schema]) -> Schema:
    return {
        "type": "object",
        "properties": {**required, **optional},
        "required": list(required),
        "additionalProperties": False,
    }


_OPERANDS: Final[dict[str, Schema]] = {
    "$match": ref("Filter"),
    "$project": {**_object(_EXPRESSION), "description": "1 to have a field, 0 to leave it out, or an expression."},
    "$addFields": _object(_EXPRESSION),
    "$set": _object(_EXPRESSION),
    "$unset": {"anyOf": [_PATH, {"type": "array", "minItems": 1, "uniqueItems": True, "items": _PATH}]},
    "$unwind": {
        "anyOf": [
            _FIELD,
            _members({"path": _FIELD}, {"includeArrayIndex": _PATH, "preserveNullAndEmptyArrays": {"type": "boolean"}}),
        ]
    },
    "$replaceRoot": _members({"newRoot": _EXPRESSION}, {}),
    "$replaceWith": _EXPRESSION,
    "$group": {
        "type": "object",
        "properties": {"_id": _EXPRESSION},
        "required": ["_id"],
        "additionalProperties": {"type": "object", "minProperties": 1, "maxProperties": 1},
        "description": "`_id` is what to group by; every other field has an accumulator such as `$sum`.",
    },
    "$sortByCount": _EXPRESSION,
    "$count": {"type": "string", "pattern": NAME_PATTERN},
    "$facet": {
        "type": "object",
        "minProperties": 1,
        "propertyNames": ref("Key"),
        "additionalProperties": {"type": "array", "items": ref("Stage")},
    },
    "$sort": _object({"enum": [1, -1]}),
    "$limit": {"type": "integer", "minimum": 1, "maximum": INT64_MAX},
    "$skip": {"type": "integer", "minimum": 0, "maximum": INT64_MAX},
    "$sample": _members({"size": {"type": "integer", "minimum": 1, "maximum": MAX_SAMPLE}}, {}),
}
_ANY_OBJECT: Final[Schema] = {"type": "object", "minProperties": 1}

PIPELINE_SCHEMAS: Final[dict[str, Schema]] = {
    "Pipeline": {
        "type": "array",
        "description": "Stages that documents go through, one after the other. None of them writes.",
        "maxItems": MAX_STAGES,
        "items": ref("Stage"),
        "examples": [[{"$match": {"stock": {"$gt": 0}}}, {"$group": {"_id": "$tags", "pieces": {"$sum": "$stock"}}}]],
    },
    "Stage": {
        "type": "object",
        "description": "One stage, as MongoDB has it.",
        "properties": {name: _OPERANDS.get(name, _ANY_OBJECT) for name in {**STAGES, **FIRST_STAGES}},
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": False,
    },
    "Expression": {
        "description": "A field such as `$price`, a variable such as `$$ROOT`, a constant, or an operator.",
        "anyOf": [
            {"type": ["null", "boolean", "number"], "minimum": -INT64_MAX, "maximum": INT64_MAX},
            {"type": "string", "pattern": r"^(?!\$)"},
            {"type": "string", "pattern": rf"^\$(\$(ROOT|CURRENT|NOW|REMOVE)\.)?{_BARE_PATH}"},
            {"type": "array", "items": _EXPRESSION},
            {"type": "object", "propertyNames": ref("Key"), "additionalProperties": _EXPRESSION},
            {
                "type": "object",
                "propertyNames": {"enum": sorted(OPERATORS)},
                "minProperties": 1,
                "maxProperties": 1,
            },
        ],
    },
}
