"""Filters in the parameters of a URL: `price[gte]=10&tags=red&name[regex]=^a`.

How a value is read. A text in double quotes is the text that JSON reads there: `zip="01234"` and `zip=01234` are both
the text 01234. Where the field is declared, its type reads the text. Elsewhere a number, `true`, `false` and `null`
mean what they mean in JSON, and anything else is the text itself: `zip=1234` is the number. Lists (`in`, `nin`, `all`)
are separated by commas; an element in double quotes may have commas in it.

The same parameter twice asks for both: `tags=red&tags=blue` finds what has both tags.
"""

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from documents.errors import Fault, InvalidParameterError
from documents.query.filter.filter import Filter, condition, made
from documents.query.filter.geobox import box_areas
from documents.query.filter.geometry import around
from documents.query.filter.operands import array
from documents.query.filter.operands import text as text_operand
from documents.query.filter.shown_ids import ShownIds, alike
from documents.query.filter.two_forms import RANGES, all_of, clause, has_two_forms
from documents.query.filter.values import bounded, coerced, decode_json, literal, storable
from documents.query.paths import checked_path, declared_path
from documents.query.refusal import RefusedError
from documents.query.spot import Compilation, Spot
from documents.types import FieldTypes

RESERVED: Final = frozenset({"sort", "fields", "limit", "cursor", "q", "filter"})
"""Parameters that are no filters. A field of such a name is reached through `filter=`."""

Decode = Callable[[str], object]
_NAME: Final = re.compile(r"(?s)(?P<path>.*?)(?:\[(?P<operator>[^\[\]]*)\])?\Z")
_JSON_SCALAR: Final = re.compile(r'-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?|true|false|null|"(?s:.*)"')
_ELEMENT: Final = re.compile(r'("(?:[^"\\]|\\.)*"|[^",][^,]*|)(?:,|\Z)', re.DOTALL)


def parse_parameters(
    pairs: Sequence[tuple[str, str]],
    types: FieldTypes,
    *,
    decode: Decode = decode_json,
    literal: bool = False,
    ids: ShownIds | None = None,
) -> Filter:
    """Compile the filters among the parameters of a URL.

    Args:
        pairs: Names and values, percent-decoded, in their order. Reserved names are passed over.
        types: How declared fields read their operands.
        decode: Reads the JSON of `elemMatch`; raises ValueError when it is none.
        literal: Whether a text means nothing but itself where no field is declared.
        ids: How an `_id` to be equal to is read; None to read it as any other field.

    Raises:
        InvalidParameterError: With a fault for each parameter that cannot be understood.
    """
    compilation = Compilation(types, literal, ids)
    clauses: list[dict[str, Any]] = []
    faults: list[Fault] = []
    for name, text in pairs:
        if name in RESERVED:
            continue
        try:
            clauses.append(_clause(name, text, compilation, decode))
        except RefusedError as refused:
            faults.append(_about(name, refused.fault))
    if faults:
        raise InvalidParameterError(f"A parameter cannot be understood: {faults[0].detail}", faults)
    try:
        return made(all_of(_joined(clauses)), compilation.paths, "")
    except RefusedError as refused:
        raise InvalidParameterError("The filter is too large.", [refused.fault]) from None


def _joined(clauses: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the clauses in which nothing has two forms, the bounds of one field together so that an index has both."""
    bounds: dict[str, dict[str, Any]] = {}
    joined: list[tuple[str, dict[str, Any]]] = []
    for asked in clauses:
        [(path, operand)] = asked.items()
        if path.startswith("$") or not RANGES.issuperset(operand) or not has_two_forms(operand):
            joined.append((path, operand))
        elif path not in bounds or not bounds[path].keys().isdisjoint(operand):
            bounds[path] = dict(operand)
            joined.append((path, bounds[path]))
        else:
            bounds[path] |= operand
    return [{path: operand} if path.startswith("$") else clause(path, operand) for path, operand in joined]


def _about(name: str, fault: Fault) -> Fault:
    at = f" (At {fault.pointer} of the JSON.)" if fault.pointer else ""
    return Fault(f"?{name}", fault.code, fault.detail + at)


def _clause(name: str, text: str, compilation: Compilation, decode: Decode) -> dict[str, Any]:
    match = _NAME.match(name)
    path, operator = (match["path"], match["operator"]) if match else (name, None)
    if "[" in path or "]" in path:
        raise RefusedError("", "invalid-path", "A name is field[operator]; a field with brackets goes into filter=.")
    if path in RESERVED:
        raise RefusedError("", "reserved-name", f"{path} is not a filter; a field of that name goes into filter=.")
    read = _OPERATORS.get("eq" if operator is None else operator)
    if read is None:
        raise RefusedError("", "unknown-operator", f"There is no such operator. There are {' '.join(_OPERATORS)}.")
    checked_path(path, "", dbref=True)
    compilation.paths.add(declared_path(path))
    spot = Spot(compilation, "", path)
    return read(path, text, spot, decode)


def _read(text: str, spot: Spot) -> Any:  # noqa: ANN401  # what the declared type makes of it
    literal(text, spot.pointer)
    coerce = spot.compilation.types(declared_path(spot.path))
    if coerce is None:
        scalar = _json_or_text(text, spot)
        return text_operand(scalar, spot) if isinstance(scalar, str) else scalar
    quoted = _unquoted_or_none(text)
    try:
        return storable(coerce(text if quoted is None else quoted))
    except ValueError:
        return coerced(_json_or_text(text, spot), spot.path, spot.compilation.types, spot.pointer)


def _read_same(text: str, spot: Spot) -> Any:  # noqa: ANN401  # what the declared type makes of it
    """Return a value to be equal to, or not; for `_id`, every id that a list would show so."""
    ids = spot.ids
    if ids is None:
        return _read(text, spot)
    literal(text, spot.pointer)
    quoted = _unquoted_or_none(text)
    return alike(ids.at(text) if quoted is None else ids.like(quoted), lambda: _read(text, spot))


def _json_or_text(text: str, spot: Spot) -> Any:  # noqa: ANN401  # a JSON scalar
    if not _JSON_SCALAR.fullmatch(text):
        return text
    if text.startswith('"'):
        quoted = _unquoted_or_none(text)
        return literal(text if quoted is None else quoted, spot.pointer)
    try:
        scalar = json.loads(text)
    except ValueError:  # a number of thousands of digits
        scalar = math.inf
    if scalar in (math.inf, -math.inf):
        raise spot.refused("number-out-of-range", "The number is too large.")
    return literal(scalar, spot.pointer)


def _unquoted_or_none(text: str) -> str | None:
    """Return the text that stands in double quotes, as JSON has it; None for what is no such text."""
    if not text.startswith('"'):
        return None
    try:
        return str(json.loads(text))
    except ValueError:
        return None


_Operator = Callable[[str, str, Spot, Decode], dict[str, Any]]


def _single(operator: str, read: Callable[[str, Spot], Any] = _read) -> _Operator:
    def compiled(path: str, text: str, spot: Spot, _: Decode) -> dict[str, Any]:
        spot.spend()
        return {path: {operator: read(text, spot)}}

    return compiled


def _list(operator: str, read: Callable[[str, Spot], Any] = _read) -> _Operator:
    def compiled(path: str, text: str, spot: Spot, _: Decode) -> dict[str, Any]:
        spot.spend()
        if not text:
            raise spot.refused("invalid-list", "The list is empty. Name at least one value.")
        elements = [read(_element(element, spot), spot) for element in array(_split(text, spot), spot)]
        return {path: {operator: elements}}

    return compiled


def _split(text: str, spot: Spot) -> list[str]:
    elements: list[str] = []
    at = 0
    while True:
        match = _ELEMENT.match(text, at)
        if match is None:
            raise spot.refused("invalid-list", 'A list is separated by commas; an element with " in it is JSON text.')
        elements.append(match[1])
        at = match.end()
        if match.end() == match.end(1):
            return elements


def _element(text: object, spot: Spot) -> str:
    text = str(text)
    if text.startswith('"') and _unquoted_or_none(text) is None:
        raise spot.refused("invalid-list", "An element in double quotes is JSON text.")
    return text


def _through_json(operator: str, reading: Callable[[str, Spot, Decode], object]) -> _Operator:
    """Compile what the operator of a JSON filter compiles as well."""

    def compiled(path: str, text: str, spot: Spot, decode: Decode) -> dict[str, Any]:
        operand = reading(text, spot, decode)
        bounded(operand, spot.pointer)
        return {path: condition({operator: operand}, spot)}

    def placed(path: str, text: str, spot: Spot, decode: Decode) -> dict[str, Any]:
        try:
            return compiled(path, text, spot, decode)
        except RefusedError as refused:
            # The JSON is the operand alone, so its pointers begin below the operator.
            pointer = refused.fault.pointer.removeprefix(f"/{operator}")
            raise RefusedError(pointer, refused.fault.code, refused.fault.detail) from None

    return placed


def _text(text: str, _: Spot, __: Decode) -> object:
    return text


def _truth(text: str, spot: Spot, _: Decode) -> object:
    if text not in ("true", "false"):
        raise spot.refused("wrong-type", "It takes true or false.")
    return text == "true"


def _number(text: str, spot: Spot, _: Decode) -> object:
    return _json_or_text(text, spot)


def _json(text: str, spot: Spot, decode: Decode) -> object:
    try:
        return decode(text)
    except ValueError:
        raise spot.refused("malformed-json", 'It takes JSON, such as {"price": {"$gt": 5}}.') from None  # fmt: skip


def _numbers(text: str, spot: Spot, names: str) -> list[float]:
    parts = text.split(",")
    if len(parts) != len(names.split(",")):
        raise spot.refused("invalid-geometry", f"It takes {names}.")
    try:
        return [float(part) for part in parts]
    except ValueError:
        raise spot.refused("invalid-geometry", f"It takes numbers: {names}.") from None


def _near(path: str, text: str, spot: Spot, _: Decode) -> dict[str, Any]:
    spot.spend()
    longitude, latitude, metres = _numbers(text, spot, "longitude,latitude,metres")
    return {path: {"$geoWithin": around(longitude, latitude, metres, spot.pointer)}}


def _within(path: str, text: str, spot: Spot, _: Decode) -> dict[str, Any]:
    spot.spend()
    west, south, east, north = _numbers(text, spot, "west,south,east,north")
    areas = [{path: {"$geoWithin": area}} for area in box_areas(west, south, east, north, spot.pointer)]
    return areas[0] if len(areas) == 1 else {"$or": areas}


_OPERATORS: Final[Mapping[str, _Operator]] = {
    **{name: _single(f"${name}", _read_same) for name in ("eq", "ne")},
    **{name: _single(f"${name}") for name in ("gt", "gte", "lt", "lte")},
    **{name: _list(f"${name}", _read_same) for name in ("in", "nin")},
    "all": _list("$all"),
    "exists": _through_json("$exists", _truth),
    "regex": _through_json("$regex", _text),
    "size": _through_json("$size", _number),
    "elemMatch": _through_json("$elemMatch", _json),
    "near": _near,
    "within": _within,
}
OPERATORS: Final = tuple(_OPERATORS)
"""The names that may stand in brackets, for the documentation of the API."""
