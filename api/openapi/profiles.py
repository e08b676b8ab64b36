"""Profiles as JSON Schema."""

from typing import Any, Final

from api.openapi.schemas import Schema, ref
from documents.profile.kinds import BSON_TYPES

_COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
_BY_TYPE: Final[Schema] = {"propertyNames": {"enum": list(BSON_TYPES)}, "type": "object"}
_FIELD: Final[dict[str, Any]] = {
    "path": {"type": "string", "description": "Such as `lines[].sku`; `*` stands for the keys of a map."},
    "parts": {"type": "array", "items": {"type": "string"}, "description": "The same, name by name."},
    "count": {**_COUNT, "description": "Values seen."},
    "parents": {**_COUNT, "description": "Objects, arrays or maps that could have had it."},
    "present": {**_COUNT, "description": "How many of them had it."},
    "missing": _COUNT,
    "presence": {"type": "number", "minimum": 0, "maximum": 1, "description": "Their share."},
    "types": {**_BY_TYPE, "additionalProperties": _COUNT, "description": "Values by BSON type."},
    "not_representable": {
        **_BY_TYPE,
        "additionalProperties": _COUNT,
        "description": "Values that plain JSON wraps, such as NaN and dates before year 1.",
    },
    "empty": {**_BY_TYPE, "additionalProperties": _COUNT},
    "lengths": {**_BY_TYPE, "description": "Characters, elements, fields or bytes: `min`, `max`, `mean`."},
    "range": {**_BY_TYPE, "description": "The least and the greatest value, as texts."},
    "formats": {"type": "object", "additionalProperties": _COUNT, "description": "Strings by what they look like."},
    "distinct": {**_COUNT, "description": "Different values."},
    "distinct_is_exact": {"type": "boolean", "description": "Else it is an estimate, within a few percent."},
    "examples": {"type": "array", "items": {"type": "string"}, "description": "In Extended JSON, where asked for."},
    "enum": {"type": ["array", "null"], "items": {"type": "object"}, "description": "All values, if they are few."},
}

PROFILE_SCHEMAS: Final[dict[str, Schema]] = {
    "Profile": {
        "type": "object",
        "description": "What some documents of a collection look like.",
        "properties": {
            "collection": {"type": "string"},
            "documents": {**_COUNT, "description": "Documents looked at."},
            "population": {"type": ["integer", "null"], "minimum": 0, "description": "About how many there are."},
            "notes": {
                "type": "array",
                "items": {"type": "string"},
                "description": "What the profile cannot tell, in sentences.",
            },
            "fields": {"type": "array", "items": ref("ProfileField")},
        },
        "required": ["collection", "documents", "population", "notes", "fields"],
        "additionalProperties": False,
    },
    "ProfileField": {
        "type": "object",
        "description": "One path, and what was seen there.",
        "properties": _FIELD,
        "required": list(_FIELD),
        "additionalProperties": False,
    },
    "SchemaDocument": {
        "type": "object",
        "description": "A JSON Schema, `$jsonSchema` for MongoDB, or the body of a request that sets a contract.",
    },
}
