"""The BSON type of a Python value, by its class: MongoDB's names, and `uuid` for binary data of subtype 4.

What BSON cannot hold is `unknown`.
"""

import re
import uuid
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Final

from bson.binary import UUID_SUBTYPE, Binary
from bson.code import Code
from bson.datetime_ms import DatetimeMS
from bson.dbref import DBRef
from bson.decimal128 import Decimal128
from bson.int64 import Int64
from bson.max_key import MaxKey
from bson.min_key import MinKey
from bson.objectid import ObjectId
from bson.regex import Regex
from bson.timestamp import Timestamp

DOUBLE: Final = "double"
STRING: Final = "string"
OBJECT: Final = "object"
ARRAY: Final = "array"
BINARY: Final = "binData"
UUID: Final = "uuid"
OBJECTID: Final = "objectId"
BOOL: Final = "bool"
DATE: Final = "date"
NULL: Final = "null"
REGEX: Final = "regex"
CODE: Final = "javascript"
SCOPED_CODE: Final = "javascriptWithScope"
INT: Final = "int"
LONG: Final = "long"
TIMESTAMP: Final = "timestamp"
DECIMAL: Final = "decimal"
MIN_KEY: Final = "minKey"
MAX_KEY: Final = "maxKey"
SYMBOL: Final = "symbol"
DB_POINTER: Final = "dbPointer"
UNDEFINED: Final = "undefined"
UNKNOWN: Final = "unknown"

BSON_TYPES: Final = (
    *(DOUBLE, STRING, OBJECT, ARRAY, BINARY, UUID, OBJECTID, BOOL, DATE, NULL, REGEX, CODE, INT, LONG, TIMESTAMP),
    *(SCOPED_CODE, DECIMAL, MIN_KEY, MAX_KEY, SYMBOL, DB_POINTER, UNDEFINED, UNKNOWN),
)
"""Every name that `kind_of` and the columns can come to."""

NUMBERS: Final = frozenset({DOUBLE, INT, LONG, DECIMAL})

_KINDS: Final[tuple[tuple[type, str], ...]] = (
    (bool, BOOL),
    (Int64, LONG),
    (int, INT),
    (float, DOUBLE),
    (Code, CODE),
    (str, STRING),
    (type(None), NULL),
    (datetime, DATE),
    (DatetimeMS, DATE),
    (date, UNKNOWN),
    (ObjectId, OBJECTID),
    (Mapping, OBJECT),
    (DBRef, OBJECT),
    (list, ARRAY),
    (tuple, ARRAY),
    (Decimal128, DECIMAL),
    (Decimal, DECIMAL),
    (uuid.UUID, UUID),
    (bytes, BINARY),
    (Regex, REGEX),
    (re.Pattern, REGEX),
    (Timestamp, TIMESTAMP),
    (MinKey, MIN_KEY),
    (MaxKey, MAX_KEY),
)
_BY_NAME: Final = {"Symbol": SYMBOL, "DBPointer": DB_POINTER, "Undefined": UNDEFINED}
"""Deprecated types of BSON, for which `bson` has no class. Readers of Extended JSON make their own, named so."""


@lru_cache(maxsize=256)
def kind_of(cls: type) -> str:
    """Return the BSON type of values of a class. An `int` may be a long, a `Binary` a UUID, a `Code` have a scope."""
    for known, kind in _KINDS:
        if issubclass(cls, known):
            return kind
    return _BY_NAME.get(cls.__name__, UNKNOWN)


def is_uuid(value: object) -> bool:
    """Say whether binary data is a UUID."""
    return isinstance(value, Binary) and value.subtype == UUID_SUBTYPE and len(value) == len(uuid.NAMESPACE_DNS.bytes)
