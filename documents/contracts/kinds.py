"""The types that a contract can name, and which BSON types each of them means."""

from typing import Final

from documents.profile.kinds import (
    ARRAY,
    BINARY,
    BOOL,
    BSON_TYPES,
    CODE,
    DATE,
    DOUBLE,
    INT,
    LONG,
    NULL,
    NUMBERS,
    OBJECTID,
    SCOPED_CODE,
    STRING,
    SYMBOL,
    UNDEFINED,
    UNKNOWN,
    UUID,
    is_uuid,
    kind_of,
)

INT32: Final = range(-(2**31), 2**31)
_TEXTS: Final = frozenset({STRING, OBJECTID, DATE, UUID, BINARY, SYMBOL})
_NOT_OBJECTS: Final = {*_TEXTS, *NUMBERS, BOOL, NULL, UNDEFINED, ARRAY, UNKNOWN}

BY_JSON_TYPE: Final = {
    "string": _TEXTS,
    "number": NUMBERS,
    "integer": frozenset({INT, LONG, DOUBLE}),
    "boolean": frozenset({BOOL}),
    "null": frozenset({NULL, UNDEFINED}),
    "array": frozenset({ARRAY}),
    "object": frozenset(set(BSON_TYPES) - _NOT_OBJECTS),
}
"""`type` is about plain JSON, in which an id or a date is a string. Decimals count as numbers, so that they can be
compared, though plain JSON shows them as strings. Of doubles, `integer` takes those that are whole."""

BY_BSON_TYPE: Final = {
    **{name: frozenset({name}) for name in BSON_TYPES if name not in (UNKNOWN, SCOPED_CODE)},
    "number": NUMBERS,
    LONG: frozenset({INT, LONG}),
    CODE: frozenset({CODE, SCOPED_CODE}),
    BINARY: frozenset({BINARY, UUID}),
    UUID: frozenset({UUID, BINARY}),
}
"""`bsonType` is about what is stored. A `long` may be small: MongoDB stores small integers as `int`, and JSON knows
one kind. Binary data may be a UUID, and a `uuid` is always one."""

TO_JSON_TYPE: Final = {
    kind: next(
        (name for name in ("string", "integer", "number", "boolean", "null", "array") if kind in BY_JSON_TYPE[name]),
        "object",
    )
    for kind in BSON_TYPES
    if kind not in (DOUBLE, UNKNOWN)
} | {DOUBLE: "number"}
"""The narrowest JSON type that has all values of a BSON type."""


class _Kinds(dict[type, str]):
    def __missing__(self, cls: type) -> str:
        kind = self[cls] = kind_of(cls)
        return kind


KIND: Final = _Kinds()
"""The BSON type of a Python class, as `documents.profile.kinds` has it; there are few classes."""


def exact_kind(value: object) -> str:
    """Return the BSON type that a value is stored as."""
    kind = KIND[type(value)]
    if kind == INT and isinstance(value, int) and value not in INT32:
        return LONG
    return UUID if kind == BINARY and is_uuid(value) else kind


def seen_kind(value: object) -> str:
    """Return the type that a contract learns from a value: that of all integers for one of them."""
    kind = exact_kind(value)
    return LONG if kind == INT else kind
