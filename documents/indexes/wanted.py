"""The indexes that a request wants, read from JSON against an allow-list (pure)."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from documents.errors import Fault, InvalidFilterError, InvalidIndexError
from documents.indexes.changes import Permission, Permissions
from documents.indexes.spec import ID_KEYS, Direction, IndexSpec, Key, parse_index
from documents.query.filter.filter import parse_filter
from documents.types import Document, FieldTypes, child

MAX_INDEXES: Final = 63
"""Of a collection, beside the one on `_id`."""

MAX_KEYS: Final = 32
MAX_NAME: Final = 127
MAX_NAMED: Final = 64
KINDS: Final = ("text", "hashed", "2d", "2dsphere")
LONGEST_TTL: Final = 2**31 - 1
_WILDCARD: Final = "$**"

_COLLATION: Final[Mapping[str, tuple[type, str]]] = {
    "locale": (str, "a text"),
    "caseLevel": (bool, "true or false"),
    "caseFirst": (str, "a text"),
    "strength": (int, "1 to 5"),
    "numericOrdering": (bool, "true or false"),
    "alternate": (str, "a text"),
    "maxVariable": (str, "a text"),
    "backwards": (bool, "true or false"),
    "normalization": (bool, "true or false"),
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a request wants of the indexes of one collection."""

    specs: tuple[IndexSpec, ...]
    permissions: Permissions


def parse_wanted(body: object, types: FieldTypes) -> Wanted:
    """Return what a body wants: `{"indexes": [{"keys": ..., ...options}], "drop": [names], "rebuild": [names], ...}`.

    Args:
        body: Decoded JSON, with BSON values where Extended JSON was decoded.
        types: How fields in a partial filter read their operands.

    Raises:
        InvalidIndexError: With a fault for each spot that is wrong.
    """
    faults: list[Fault] = []
    members = _object(body, "", faults)
    allowed = ("indexes", *map(str, Permission))
    detail = f"There is {', '.join(allowed)}."
    faults.extend(Fault(child("", name), "unknown-field", detail) for name in members if name not in allowed)
    if "indexes" not in members and isinstance(body, dict):
        faults.append(Fault("/indexes", "missing", "The wanted indexes are needed here; [] for none."))
    specs = _indexes(members.get("indexes", []), types, faults)
    named = {name: _names(members.get(name, []), f"/{name}", faults) for name in map(str, Permission)}
    if faults:
        raise InvalidIndexError("The indexes cannot be meant as they were sent.", faults)
    return Wanted(tuple(specs), Permissions(**named))


def _indexes(value: object, types: FieldTypes, faults: list[Fault]) -> list[IndexSpec]:
    if not isinstance(value, list) or len(cast("list[object]", value)) > MAX_INDEXES:
        faults.append(Fault("/indexes", "wrong-type", f"A list of {MAX_INDEXES} indexes at most is needed here."))
        return []
    found = [
        _index(definition, child("/indexes", position), types, faults)
        for position, definition in enumerate(cast("list[object]", value))
    ]
    return [spec for spec in found if spec is not None and spec.keys != ID_KEYS]


def _index(value: object, pointer: str, types: FieldTypes, faults: list[Fault]) -> IndexSpec | None:
    before = len(faults)
    members = _object(value, pointer, faults)
    document: Document = {}
    for name, option in members.items():
        at = child(pointer, name)
        if name == "partialFilterExpression":
            document[name] = _partial_filter(option, at, types, faults)
        elif name in _OPTIONS:
            check, wanted = _OPTIONS[name]
            document[name] = option
            if not check(option):
                faults.append(Fault(at, "wrong-type", f"{wanted} is needed here."))
        elif name != "keys":
            known = ("keys", "partialFilterExpression", *_OPTIONS)
            faults.append(Fault(at, "unknown-field", f"An index has {', '.join(known)}."))
    keys = _keys(members.get("keys"), child(pointer, "keys"), faults) if isinstance(value, dict) else []
    if len(faults) > before:
        return None
    name = document.pop("name", None) or "_".join(f"{path}_{direction}" for path, direction in keys)
    try:
        return parse_index({"key": dict(keys), "name": name, **document})
    except InvalidIndexError as error:
        faults.append(Fault(child(pointer, "keys"), "invalid", error.detail))
        return None


def _keys(value: object, pointer: str, faults: list[Fault]) -> list[Key]:
    """Read `{field: direction}`, or `[[field, direction], ...]` for whoever's JSON has no order."""
    pairs: Sequence[object] = []
    if isinstance(value, Mapping):
        pairs = list(cast("Mapping[str, object]", value).items())
    elif isinstance(value, list):
        pairs = cast("list[object]", value)
    keys: list[Key] = []
    for pair in pairs:
        key = _key(pair)
        if key is None:
            detail = f"A key is a field and 1, -1 or one of {', '.join(KINDS)}."
            faults.append(Fault(pointer, "wrong-type", detail))
            return []
        keys.append(key)
    if not 1 <= len(keys) <= MAX_KEYS or len(dict(keys)) < len(keys):
        faults.append(Fault(pointer, "invalid", f"1 to {MAX_KEYS} different fields are needed here."))
        return []
    return keys


def _key(pair: object) -> Key | None:
    if not isinstance(pair, list | tuple) or len(cast("Sequence[object]", pair)) != 2:  # noqa: PLR2004  # a pair
        return None
    path, direction = cast("tuple[object, object]", pair)
    if not isinstance(path, str) or not _is_path(path):
        return None
    is_way = isinstance(direction, int | float) and not isinstance(direction, bool) and direction in (1, -1)
    if not is_way and not (isinstance(direction, str) and direction in KINDS):
        return None
    return path, cast("Direction", int(cast("int", direction)) if is_way else direction)


def _is_path(path: str) -> bool:
    plain = path.removesuffix(_WILDCARD).removesuffix(".") if path.endswith(f".{_WILDCARD}") else path
    if path == _WILDCARD:
        return True
    return (
        len(path) <= MAX_NAME * 8
        and _is_text(path)
        and all(segment and not segment.startswith("$") for segment in plain.split("."))
    )


def _partial_filter(value: object, pointer: str, types: FieldTypes, faults: list[Fault]) -> Document:
    try:
        return parse_filter(value, types, literal=True).to_mongo()
    except InvalidFilterError as error:
        spots = error.faults or (Fault("", "invalid", error.detail),)
        faults.extend(Fault(pointer + spot.pointer, spot.code, spot.detail) for spot in spots)
        return {}


def _names(value: object, pointer: str, faults: list[Fault]) -> tuple[str, ...]:
    names = cast("list[object]", value) if isinstance(value, list) else None
    if names is None or len(names) > MAX_NAMED or not all(isinstance(name, str) for name in names):
        faults.append(Fault(pointer, "wrong-type", f"A list of {MAX_NAMED} names of indexes at most is needed here."))
        return ()
    return tuple(cast("list[str]", names))


def _object(value: object, pointer: str, faults: list[Fault]) -> Mapping[str, Any]:
    if isinstance(value, dict):
        return cast("dict[str, Any]", value)
    faults.append(Fault(pointer, "wrong-type", "An object is needed here."))
    return {}


def _is_text(value: object) -> bool:
    if not isinstance(value, str) or "\0" in value:
        return False
    return not any("\ud800" <= character <= "\udfff" for character in value)


def _is_name(value: object) -> bool:
    return _is_text(value) and 0 < len(cast("str", value).encode()) <= MAX_NAME and value not in ("*", "_id_")


def _is_whole(value: object, least: int, most: int) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value) and value == int(value) and least <= value <= most


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_collation(value: object) -> bool:
    if not isinstance(value, dict) or "locale" not in value:
        return False
    return all(_fits_collation(name, item) for name, item in cast("dict[str, object]", value).items())


def _fits_collation(name: str, value: object) -> bool:
    if name not in _COLLATION:
        return False
    kind = _COLLATION[name][0]
    if kind is int:
        return _is_whole(value, 1, 5)
    return isinstance(value, bool) if kind is bool else _is_text(value)


def _is_weights(value: object) -> bool:
    weights = cast("dict[str, object]", value) if isinstance(value, dict) else {}
    return bool(weights) and all(_is_path(path) and _is_whole(weight, 1, 99_999) for path, weight in weights.items())


def _is_projection(value: object) -> bool:
    fields = cast("dict[str, object]", value) if isinstance(value, dict) else {}
    return bool(fields) and all(
        _is_path(path) and (way is True or way is False or way in (0, 1)) for path, way in fields.items()
    )


_OPTIONS: Final[Mapping[str, tuple[Callable[[object], bool], str]]] = {
    "name": (_is_name, f"A name of 1 to {MAX_NAME} bytes, neither * nor _id_,"),
    "unique": (lambda value: isinstance(value, bool), "true or false"),
    "sparse": (lambda value: isinstance(value, bool), "true or false"),
    "hidden": (lambda value: isinstance(value, bool), "true or false"),
    "expireAfterSeconds": (lambda value: _is_whole(value, 0, LONGEST_TTL), f"A whole number from 0 to {LONGEST_TTL}"),
    "collation": (_is_collation, f"An object with a locale, and besides it {', '.join(_COLLATION)},"),
    "wildcardProjection": (_is_projection, "An object of fields, each 1 or 0,"),
    "weights": (_is_weights, "An object of fields, each with a whole number from 1 to 99999,"),
    "default_language": (_is_text, "A text"),
    "language_override": (_is_text, "A text"),
    "bits": (lambda value: _is_whole(value, 1, 32), "A whole number from 1 to 32"),
    "min": (_is_number, "A number"),
    "max": (_is_number, "A number"),
}
