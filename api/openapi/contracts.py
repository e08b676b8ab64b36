"""Contracts as JSON Schema."""

from typing import Any, Final

from api.openapi.schemas import Schema, ref
from documents.contracts.contract import DEFAULT_NEW_FIELDS, MAX_NEW_FIELDS
from documents.contracts.verdict import Mode

_MODE: Final[Schema] = {"enum": list(map(str, Mode)), "default": str(Mode.FREEZE)}
_NO_DISCARD: Final[Schema] = {"enum": [str(mode) for mode in Mode if mode is not Mode.DISCARD], "default": "freeze"}
_CONTRACT: Final[dict[str, Any]] = {
    "schema": {
        "type": "object",
        "description": "JSON Schema 2020-12 with `bsonType` (or `x-bsonType`) and `coerce`.",
        "examples": [{"properties": {"at": {"bsonType": "date", "coerce": True}}, "required": ["at"]}],
    },
    "fields": {**_MODE, "description": "What becomes of fields that the schema does not name."},
    "types": {**_MODE, "description": "What becomes of values of other types than it names."},
    "required": {**_NO_DISCARD, "description": "What becomes of documents that lack fields it requires."},
    "max_new_fields": {
        "type": "integer",
        "minimum": 0,
        "maximum": MAX_NEW_FIELDS,
        "default": DEFAULT_NEW_FIELDS,
        "description": "How many fields may be learned.",
    },
    "expect": {
        "type": ["object", "null"],
        "description": "What the records of a load should be together: `rows`, `fields` and `unique`.",
        "examples": [{"rows": {"min": 1}, "fields": {"sku": {"unique": True}}}],
    },
    "mirror": {"type": "boolean", "default": False, "description": "Whether MongoDB validates, too."},
}

CONTRACT_SCHEMAS: Final[dict[str, Schema]] = {
    "ContractInput": {
        "type": "object",
        "properties": _CONTRACT,
        "required": ["schema"],
        "additionalProperties": False,
        "examples": [{"schema": {"properties": {"name": {"type": "string"}}}, "fields": "evolve"}],
    },
    "Contract": {
        "type": "object",
        "description": "One version of the contract of a collection.",
        "properties": {
            "collection": {"type": "string"},
            "version": {"type": "integer", "minimum": 1},
            "at": {"type": "string", "format": "date-time"},
            "by": {"type": "string", "description": "Under which policy, or `learning`."},
            "cause": {"enum": ["set", "learned", "removed"]},
            "contract": {"anyOf": [ref("ContractInput"), {"type": "null"}]},
            "learned_fields": {"type": "integer", "minimum": 0, "description": "Fields learned since it was set."},
            "discarded": {
                "type": "object",
                "description": "How often each path was discarded, under all versions; `*` is a place in an array.",
                "additionalProperties": {"type": "integer", "minimum": 1},
            },
        },
        "required": ["collection", "version", "at", "by", "cause", "contract"],
        "additionalProperties": False,
    },
}
