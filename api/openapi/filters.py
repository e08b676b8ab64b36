"""The query language as JSON Schema: filters, sorts, projections."""

from typing import Any, Final

from api.openapi.schemas import Schema, ref
from documents.query.filter.operands import MAX_LIST, TYPE_NAMES

NAME_PATTERN: Final = r"^[^$.\u0000][^.\u0000]*$"
PATH_PATTERN: Final = r"^[^$.\u0000]([^.\u0000]|\.[^$.\u0000])*$"
LISTED: Final = r"[^-+$.,\u0000]([^.,\u0000]|\.[^$.,\u0000])*"
"""A path in a list with commas and signs, which it does not begin with."""

MAX_KEYS: Final = 8
_INT32: Final[Schema] = {"type": "integer", "minimum": 0, "maximum": 2**31 - 1}
_INT64: Final[Schema] = {"type": "integer", "format": "int64", "minimum": -(2**63), "maximum": 2**63 - 1}
_VALUE: Final = ref("Operand")
_VALUES: Final[Schema] = {"type": "array", "maxItems": MAX_LIST, "items": _VALUE}
_MASK: Final[Schema] = {
    "description": "A mask, or the positions of bits.",
    "anyOf": [{**_INT64, "minimum": 0}, {"type": "array", "maxItems": MAX_LIST, "items": _INT32}],
}
_LONGITUDE: Final[Schema] = {"type": "number", "minimum": -180, "maximum": 180}
_LATITUDE: Final[Schema] = {"type": "number", "minimum": -90, "maximum": 90}


def _pair(first: Schema, second: Schema) -> Schema:
    return {"type": "array", "prefixItems": [first, second], "items": False, "minItems": 2, "maxItems": 2}


def _only(name: str, schema: Schema) -> Schema:
    return {"type": "object", "properties": {name: schema}, "required": [name], "additionalProperties": False}


_NUMBER: Final[Schema] = {"type": "number"}
_POSITION: Final = _pair(_LONGITUDE, _LATITUDE)
_AREAS: Final = ("Polygon", "MultiPolygon")


def _geometry(*types: str) -> Schema:
    return {
        "type": "object",
        "description": "A geometry as GeoJSON (RFC 7946).",
        "properties": {"type": {"enum": list(types)}, "coordinates": {"type": "array"}},
        "required": ["type", "coordinates"],
        "additionalProperties": False,
    }


_AREA: Final[Schema] = {
    "description": "One area: a polygon as GeoJSON, a circle on the sphere (radius in radians), or a flat shape.",
    "oneOf": [
        _only("$geometry", _geometry(*_AREAS)),
        _only("$centerSphere", _pair(_POSITION, {"type": "number", "minimum": 0, "maximum": 3.14159})),
        _only("$center", _pair(_pair(_NUMBER, _NUMBER), {"type": "number", "minimum": 0})),
        _only("$box", _pair(_pair(_NUMBER, _NUMBER), _pair(_NUMBER, _NUMBER))),
        _only("$polygon", {"type": "array", "minItems": 3, "maxItems": 1000, "items": _pair(_NUMBER, _NUMBER)}),
    ],
}
_BRANCHES: Final[Schema] = {"type": "array", "minItems": 1, "maxItems": MAX_LIST, "items": ref("Filter")}
_OPERATORS: Final[dict[str, Any]] = {
    **dict.fromkeys(("$eq", "$ne", "$gt", "$gte", "$lt", "$lte"), _VALUE),
    **dict.fromkeys(("$in", "$nin", "$all"), _VALUES),
    "$exists": {"type": "boolean"},
    "$type": {"description": "The name of a BSON type, or several.", "anyOf": [
        {"enum": sorted(TYPE_NAMES)},
        {"type": "array", "minItems": 1, "maxItems": MAX_LIST, "items": {"enum": sorted(TYPE_NAMES)}},
    ]},
    "$size": _INT32,
    "$mod": _pair({**_INT64, "minimum": 1}, _INT64) | {"description": "Divisor and remainder."},
    "$regex": {"type": "string", "format": "regex", "maxLength": 200},
    "$options": {"type": "string", "pattern": "^[ims]*$"},
    "$not": ref("Operators"),
    "$elemMatch": {"anyOf": [ref("Operators"), ref("Filter")]},
    "$geoWithin": _AREA,
    "$geoIntersects": _only("$geometry", ref("Geometry")),
    **dict.fromkeys(("$bitsAllClear", "$bitsAllSet", "$bitsAnyClear", "$bitsAnySet"), _MASK),
}  # fmt: skip

_SCALAR: Final[Schema] = {
    "type": ["null", "boolean", "string", "number", "array", "object"],
    "minimum": -(2**63),
    "maximum": 2**63 - 1,
}
_ASKED: Final[Schema] = {**_SCALAR, "items": _SCALAR, "additionalProperties": _SCALAR}
_SHALLOW: Final[Schema] = {
    "type": "object",
    "patternProperties": {PATH_PATTERN: _ASKED},
    "additionalProperties": False,
}
_SEVERAL: Final[Schema] = {"type": "array", "minItems": 1, "maxItems": MAX_LIST, "items": _SHALLOW}

FILTER_SCHEMAS: Final[dict[str, Schema]] = {
    "Filter": {
        "type": "object",
        "description": (
            "A filter as MongoDB writes it: field paths, and for each a value or operators. "
            'Extended JSON such as `{"$oid": "…"}` is read; fields of a declared collection need none.'
        ),
        "properties": {"$and": _BRANCHES, "$or": _BRANCHES, "$nor": _BRANCHES},
        "patternProperties": {PATH_PATTERN: ref("Condition")},
        "additionalProperties": False,
        "examples": [{}, {"price": {"$gte": 10, "$lt": 20}, "tags": "red"}],
    },
    "FilterParameter": {
        "type": "object",
        "description": "A filter, as the schema `Filter` describes it in full.",
        "properties": {"$and": _SEVERAL, "$or": _SEVERAL, "$nor": _SEVERAL},
        "patternProperties": {PATH_PATTERN: _ASKED},
        "additionalProperties": False,
        "examples": [{"price": {"$lt": 20}}],
    },
    "Condition": {
        "description": "A value that the field is equal to, or operators.",
        "anyOf": [_VALUE, ref("Operators")],
    },
    "Operators": {
        "type": "object",
        "properties": _OPERATORS,
        "minProperties": 1,
        "additionalProperties": False,
        "dependentRequired": {"$options": ["$regex"]},
        "examples": [{"$gte": 10}],
    },
    "Geometry": _geometry("Point", "LineString", "MultiPoint", "MultiLineString", *_AREAS),
    "Sort": {
        "description": "In which order: `-` turns it round. `_id` always decides last.",
        "anyOf": [
            {"type": "string", "pattern": rf"^([+-]?{LISTED}(,[+-]?{LISTED})*)?$"},
            {
                "type": "array",
                "maxItems": MAX_KEYS,
                "uniqueItems": True,
                "items": {"type": "string", "pattern": f"^[+-]?{LISTED}$"},
            },
            {
                "type": "object",
                "maxProperties": MAX_KEYS,
                "propertyNames": {"pattern": PATH_PATTERN},
                "additionalProperties": {"enum": [1, -1]},
            },
        ],
        "examples": ["-price,name"],
    },
    "Fields": {
        "description": "At most 200 fields to have, or with `-` to leave out. The `_id` is always there.",
        "anyOf": [
            {"type": "string", "pattern": rf"^({LISTED}(,{LISTED})*|-{LISTED}(,-{LISTED})*)?$"},
            {
                "type": "array",
                "uniqueItems": True,
                "items": {"type": "string", "pattern": f"^{LISTED}$"},
            },
            *(
                {
                    "type": "object",
                    "propertyNames": {"pattern": PATH_PATTERN},
                    "additionalProperties": {"enum": signs},
                }
                for signs in ([1, True], [0, False])
            ),
        ],
        "examples": ["name,price"],
    },
}
