"""Operands that are data: which values may be compared with, and how declared fields read them."""

import json
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import bson
from bson import Binary, Code, DBRef, Decimal128, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.datetime_ms import DatetimeMS
from bson.errors import BSONError

from documents.query.paths import declared_path, is_storable
from documents.query.refusal import RefusedError, shown
from documents.query.shapes import is_array, is_object
from documents.types import Coerce, FieldTypes, child

MAX_VALUE_DEPTH: Final = 20
MAX_PARTS: Final = 20_000
MAX_COMPILED_BYTES: Final = 1024 * 1024
INT64: Final = range(-(2**63), 2**63)

_SCALARS: Final = (
    ObjectId, datetime, DatetimeMS, Decimal128, Binary, bytes, Timestamp, MinKey, MaxKey,
)  # fmt: skip
_JSON: Final = frozenset({bool, str, int, float, list, dict})


def literal(value: object, pointer: str, *, stored: bool = False, depth: int = MAX_VALUE_DEPTH) -> Any:  # noqa: ANN401  # whatever BSON can hold
    """Return `value` as one that MongoDB compares or stores, and never interprets.

    Args:
        value: JSON, or a BSON value that the caller decoded from Extended JSON.
        pointer: Where it was sent.
        stored: Whether it becomes part of a document: then names have no dots, and any type of BSON will do.
        depth: Levels of nesting it may have.
    """
    if value is None or isinstance(value, (bool, float)):
        return value
    if isinstance(value, str) and not isinstance(value, Code):
        return _text(value, pointer)
    if isinstance(value, int):
        return _integer(value, pointer)
    if is_array(value):
        return _array(value, pointer, stored=stored, depth=depth)
    if is_object(value):
        return _object(value, pointer, stored=stored, depth=depth)
    return _other(value, pointer, (*_SCALARS, Regex, Code) if stored else _SCALARS)


def _text(value: str, pointer: str) -> str:
    if not is_storable(value):
        raise RefusedError(pointer, "invalid-text", "The text is not Unicode: it has a lone surrogate.")
    return value


def _integer(value: int, pointer: str) -> int:
    if int(value) not in INT64:  # `in` would try one after the other for a subclass of int, such as Int64
        raise RefusedError(pointer, "number-out-of-range", "An integer has at most 64 bits, of which one is the sign.")
    return value


def _array(value: list[object], pointer: str, *, stored: bool, depth: int) -> list[Any]:
    _spend_depth(pointer, depth)
    return [
        literal(element, child(pointer, position), stored=stored, depth=depth - 1)
        for position, element in enumerate(value)
    ]


def _object(value: dict[str, object], pointer: str, *, stored: bool, depth: int) -> dict[str, Any]:
    _spend_depth(pointer, depth)
    return {
        _name(name, pointer, stored=stored): literal(member, child(pointer, name), stored=stored, depth=depth - 1)
        for name, member in value.items()
    }


def _spend_depth(pointer: str, depth: int) -> None:
    if depth <= 0:
        raise RefusedError(pointer, "too-deep", "The value is nested too deeply.")


def _name(name: str, pointer: str, *, stored: bool) -> str:
    if name.startswith("$") or "\0" in name or not is_storable(name):
        raise RefusedError(child(pointer, name), "invalid-name", f"{shown(name)} cannot be the name of a field.")
    if stored and (not name or "." in name):
        raise RefusedError(child(pointer, name), "invalid-name", f"{shown(name)} is empty or has a dot.")
    return name


def _other(value: object, pointer: str, scalars: tuple[type, ...]) -> object:
    if isinstance(value, scalars):
        return value
    if isinstance(value, UUID):
        return Binary.from_uuid(value)
    if isinstance(value, DBRef):
        literal(value.id, pointer)
        literal(value.collection, pointer)
        return value
    raise RefusedError(pointer, "wrong-type", f"A {type(value).__name__} cannot be compared with or stored here.")


def is_regex(value: object) -> bool:
    """Say whether the caller decoded a regular expression; a name here, as its type has a parameter."""
    return isinstance(value, Regex)


def coerced(value: object, path: str, types: FieldTypes, pointer: str) -> Any:  # noqa: ANN401  # see literal
    """Return a checked value as the declared field at `path` reads it.

    Null stays null, and what is a BSON value already stays that. A list is read element by element, since an
    array field is compared by its elements; members of an object are read as the fields that they are.
    """
    if value is None or type(value) not in _JSON:
        return value
    if is_array(value):
        return [coerced(element, path, types, child(pointer, position)) for position, element in enumerate(value)]
    coerce = types(declared_path(path))
    if coerce is not None:
        return _read(value, coerce, pointer)
    if is_object(value):
        return {name: coerced(member, f"{path}.{name}", types, child(pointer, name)) for name, member in value.items()}
    return value


def _read(value: object, coerce: Coerce, pointer: str) -> object:
    try:
        read = coerce(value)
    except ValueError:
        raise RefusedError(
            pointer, "wrong-type", f"{shown(value)} is not of the type declared for the field."
        ) from None
    return storable(read)


def storable(value: object) -> object:
    """Return a value as the type that BSON has for it: a UUID is binary."""
    return Binary.from_uuid(value) if isinstance(value, UUID) else value


def bounded(value: object, pointer: str) -> None:
    """Refuse `value` when it consists of more parts than a request may ask to be compiled."""
    waiting, seen = [value], 0
    while waiting:
        part = waiting.pop()
        members = list(part.values()) if is_object(part) else part if is_array(part) else []
        seen += len(members)
        if seen > MAX_PARTS:
            raise RefusedError(pointer, "too-large", f"It has more than {MAX_PARTS} values.")
        waiting.extend(members)


def encoded(compiled: dict[str, Any], pointer: str) -> bytes:
    """Return `compiled` as BSON, which is also the proof that MongoDB can be sent it."""
    try:
        data = bson.encode(compiled)
    except (BSONError, OverflowError, UnicodeError):
        # Its message may quote the value.
        raise RefusedError(pointer, "not-bson", "A value is none that BSON can hold.") from None
    if len(data) > MAX_COMPILED_BYTES:
        raise RefusedError(pointer, "too-large", f"It takes more than {MAX_COMPILED_BYTES} bytes.")
    return data


def decode_json(text: str) -> object:
    """Return what a JSON text says, strictly: no NaN, no name twice.

    Raises:
        ValueError: It is not JSON.
    """
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return members


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")
