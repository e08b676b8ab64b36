"""A box of longitudes and latitudes, as areas that a `2dsphere` index can serve.

Two corners on one latitude are joined by MongoDB along a great circle, not along the latitude, and an area wider than
half the earth is taken for the rest of it. So a box becomes polygons with many corners, none wider than 90 degrees.
Between two corners the edge still leaves the latitude a little, so the box is made larger by as much: by two metres
where it is a degree wide, by a hundred where it is a continent.
"""

import math
from typing import Any, Final

from documents.query.filter.geometry import position
from documents.query.refusal import RefusedError

MAX_WIDTH: Final = 90.0
MIN_STEPS: Final = 8
MARGIN: Final = 1e-7
"""A centimetre, so that what lies on the edge is inside."""


def box_areas(west: float, south: float, east: float, north: float, pointer: str) -> list[dict[str, Any]]:
    """Return the `$geoWithin` operands of which a place in the box is in at least one.

    Args:
        west: Longitude. When it is greater than `east`, the box crosses the 180th meridian (RFC 7946 section 5.2).
        south: Latitude, not greater than `north`.
        east: Longitude.
        north: Latitude.
        pointer: Where it was sent.
    """
    position([west, south], pointer)
    position([east, north], pointer)
    if south > north:
        raise RefusedError(
            pointer, "invalid-geometry", "A box is west,south,east,north, its south not above its north."
        )
    start = west - MARGIN
    width = min(east - west + (360 if west > east else 0) + 2 * MARGIN, 360.0)
    parts = math.ceil(width / MAX_WIDTH)
    south, north = max(south - _sag(width / parts, south), -90.0), min(north + _sag(width / parts, north), 90.0)
    return [_area(_ring(start + part * width / parts, width / parts, south, north)) for part in range(parts)]


def _area(ring: list[list[float]]) -> dict[str, Any]:
    return {"$geometry": {"type": "Polygon", "coordinates": [ring]}}


def _ring(start: float, width: float, south: float, north: float) -> list[list[float]]:
    steps = _steps(width)
    longitudes = [_wrapped(start + step * width / steps) for step in range(steps + 1)]
    # A meridian is a great circle, but one from pole to pole could be any, so it has a corner in the middle.
    middle = (south + north) / 2
    bottom = _at_pole([[longitude, south] for longitude in longitudes])
    top = _at_pole([[longitude, north] for longitude in reversed(longitudes)])
    return [*bottom, [longitudes[-1], middle], *top, [longitudes[0], middle], bottom[0]]


def _steps(width: float) -> int:
    return max(MIN_STEPS, math.ceil(width))


def _sag(width: float, latitude: float) -> float:
    """Return by how many degrees the great circle between two corners leaves `latitude`, and a centimetre."""
    step, at = math.radians(width / _steps(width)), math.radians(latitude)
    return math.degrees(step**2 / 8 * abs(math.sin(at) * math.cos(at))) + MARGIN


def _at_pole(side: list[list[float]]) -> list[list[float]]:
    """Return one corner instead of many where all of them are the pole."""
    return side[:1] if abs(side[0][1]) == 90.0 else side  # noqa: PLR2004  # degrees


def _wrapped(longitude: float) -> float:
    return (longitude + 180.0) % 360.0 - 180.0
