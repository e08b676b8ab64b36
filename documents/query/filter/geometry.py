"""Places and areas: GeoJSON and the flat shapes, checked and built anew."""

import math
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any, Final

from documents.query.refusal import RefusedError
from documents.query.shapes import is_array, is_object
from documents.types import child

EARTH_RADIUS_METRES: Final = 6_378_100
"""What MongoDB divides metres by."""
MAX_METRES: Final = 20_037_509
MAX_POSITIONS: Final = 1000
MIN_RING: Final = 4
MIN_VERTICES: Final = 3

Check = Callable[[object, str], Any]


def _refuse(pointer: str, detail: str) -> RefusedError:
    return RefusedError(pointer, "invalid-geometry", detail)


def _list(value: object, pointer: str, least: int, what: str) -> list[object]:
    if not is_array(value):
        raise _refuse(pointer, f"{what} is an array.")
    elements: list[object] = value
    if not least <= len(elements) <= MAX_POSITIONS:
        raise _refuse(pointer, f"{what} has {least} to {MAX_POSITIONS} elements.")
    return elements


def number(value: object, pointer: str) -> float:
    """Return `value` when it is a finite number."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _refuse(pointer, "A coordinate or distance is a number.")
    try:
        finite = math.isfinite(value)
    except OverflowError:
        finite = False
    if not finite:
        raise _refuse(pointer, "A coordinate or distance is finite.")
    return float(value)


def _pair(value: object, pointer: str) -> list[float]:
    numbers = _list(value, pointer, 2, "A position")
    if len(numbers) != 2:  # noqa: PLR2004  # a pair
        raise _refuse(pointer, "A position is two numbers.")
    return [number(part, child(pointer, at)) for at, part in enumerate(numbers)]


def position(value: object, pointer: str) -> list[float]:
    """Return `value` when it is `[longitude, latitude]`."""
    longitude, latitude = _pair(value, pointer)
    if not (-180 <= longitude <= 180 and -90 <= latitude <= 90):  # noqa: PLR2004  # degrees
        raise _refuse(pointer, "A position is [longitude, latitude]: -180 to 180, then -90 to 90.")
    return [longitude, latitude]


def _several(check: Check, least: int, what: str) -> Check:
    def checked(value: object, pointer: str) -> list[Any]:
        return [check(part, child(pointer, at)) for at, part in enumerate(_list(value, pointer, least, what))]

    return checked


def _line(value: object, pointer: str) -> list[list[float]]:
    positions: list[list[float]] = _several(position, 2, "A line")(value, pointer)
    if all(one == other for one, other in pairwise(positions)):
        raise _refuse(pointer, "A line has two different positions.")
    return positions


def _ring(value: object, pointer: str) -> list[list[float]]:
    positions: list[list[float]] = _several(position, MIN_RING, "A ring")(value, pointer)
    if positions[0] != positions[-1]:
        raise _refuse(pointer, "A ring ends where it begins.")
    vertices = [tuple(one) for one, other in pairwise(positions) if one != other]
    if len(vertices) < MIN_VERTICES or len(set(vertices)) != len(vertices):
        raise _refuse(pointer, "A ring has at least three corners, each once.")
    return positions


_GEOMETRIES: Final[Mapping[str, Check]] = {
    "Point": position,
    "LineString": _line,
    "Polygon": _several(_ring, 1, "A polygon"),
    "MultiPoint": _several(position, 1, "A multipoint"),
    "MultiLineString": _several(_line, 1, "A multiline"),
    "MultiPolygon": _several(_several(_ring, 1, "A polygon"), 1, "A multipolygon"),
}
_AREAS: Final = frozenset({"Polygon", "MultiPolygon"})


def geometry(value: object, pointer: str, *, area: bool) -> dict[str, Any]:
    """Return a GeoJSON geometry, built anew.

    Args:
        value: Such as `{"type": "Point", "coordinates": [13.4, 52.5]}`.
        pointer: Where it was sent.
        area: Whether only a polygon or multipolygon will do.
    """
    members = _members(value, pointer, {"type", "coordinates"})
    kind = members["type"]
    if not isinstance(kind, str) or kind not in (_AREAS if area else _GEOMETRIES):
        allowed = ", ".join(sorted(_AREAS if area else _GEOMETRIES))
        raise _refuse(child(pointer, "type"), f"The type of a geometry here is one of {allowed}.")
    return {"type": kind, "coordinates": _GEOMETRIES[kind](members["coordinates"], child(pointer, "coordinates"))}


def _members(value: object, pointer: str, names: set[str]) -> dict[str, object]:
    members: dict[str, object] = value if is_object(value) else {}
    if set(members) != names:
        raise _refuse(pointer, f"It is an object of {' and '.join(sorted(names))}, and nothing else.")
    return members


def _circle(center: Check, most: float) -> Check:
    def checked(value: object, pointer: str) -> list[Any]:
        parts = _list(value, pointer, 2, "A circle")
        radius = number(parts[1], child(pointer, 1))
        if len(parts) != 2 or not 0 <= radius <= most:  # noqa: PLR2004  # a pair
            raise _refuse(pointer, "A circle is [[x, y], radius], its radius not negative and not beyond the earth.")
        return [center(parts[0], child(pointer, 0)), radius]

    return checked


def _box(value: object, pointer: str) -> list[list[float]]:
    corners: list[list[float]] = _several(_pair, 2, "A box")(value, pointer)
    if len(corners) != 2:  # noqa: PLR2004  # a pair
        raise _refuse(pointer, "A box is two corners.")
    return corners


_SHAPES: Final[Mapping[str, Check]] = {
    "$geometry": lambda value, pointer: geometry(value, pointer, area=True),
    "$box": _box,
    "$polygon": _several(_pair, MIN_VERTICES, "A polygon"),
    "$center": _circle(_pair, math.inf),
    "$centerSphere": _circle(position, math.pi),
}


def within(value: object, pointer: str) -> dict[str, Any]:
    """Return the operand of `$geoWithin`: one shape."""
    for name, check in _SHAPES.items():
        if is_object(value) and set(value) == {name}:
            return {name: check(value[name], child(pointer, name))}
    raise _refuse(pointer, f"It is an object of one of {', '.join(_SHAPES)}.")


def intersects(value: object, pointer: str) -> dict[str, Any]:
    """Return the operand of `$geoIntersects`: any geometry."""
    members = _members(value, pointer, {"$geometry"})
    return {"$geometry": geometry(members["$geometry"], child(pointer, "$geometry"), area=False)}


def around(longitude: float, latitude: float, metres: float, pointer: str) -> dict[str, Any]:
    """Return the `$geoWithin` operand for what is at most `metres` away, so without an order by distance."""
    if not 0 <= metres <= MAX_METRES:
        raise _refuse(pointer, f"A distance is 0 to {MAX_METRES} metres, which is half around the earth.")
    return {"$centerSphere": [position([longitude, latitude], pointer), metres / EARTH_RADIUS_METRES]}
