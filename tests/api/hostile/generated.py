"""What every route is tried with, made from its record: its parameters, its body, its address and its caller's site."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final
from urllib.parse import quote

from api.openapi.parameters import PARAMETERS
from api.openapi.subjects import ANY
from api.record import Route
from api.routes import ROUTES
from api.sites import SAFE_METHODS
from tests.api.hostile.attack import ANYTHING, JSON, REFUSED, Attack

TARGET: Final = "targets"
VALUES: Final[Mapping[str, str]] = {
    "nothing": "",
    "10,000 digits": "9" * 10_000,
    "NUL": "%00",
    "bytes that are not UTF-8": "%ff",
    "an operator": quote('{"$where":"sleep(2000)"}'),
    "brackets without end": "[" * 2000,
    "commas without end": "," * 20_000,
}
HEADERS: Final[Mapping[str, str]] = {
    "nothing": "",
    "10,000 digits": "9" * 10_000,
    "quotes without end": '"' * 9_999,
    "wishes without end": "wait=1;" * 4_000,
    "bytes that are not ASCII": "\xff\xfe",
}
BODIES: Final[Mapping[str, bytes]] = {
    "nothing": b"",
    "null": b"null",
    "half an object": b'{"a":',
    "NaN": b'{"a": NaN}',
    "a key twice": b'{"a": 1, "a": 2}',
    "arrays of 100,000 levels": b"[" * 100_000,
    "objects of 5,000 levels": b'{"a":' * 5000 + b"1" + b"}" * 5000,
    "half a surrogate": b'{"a": "\\ud800"}',
    "bytes that are not UTF-8": b'{"a": "\xff"}',
    "a number of 100,000 digits": b'{"a": ' + b"9" * 100_000 + b"}",
    "an operator for a document": b'{"$where": "sleep(2000)", "filter": {"$where": "1"}}',
    "a million brackets": b"[" + b"[]," * 333_333 + b"[]]",
}
MEDIA_TYPES: Final = ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "text/xml", "*/*", "x")


def _address(route: Route, **parts: str) -> str:
    return route.address.format(**{"collection": TARGET, "id": "t", "asset": "x", "code": "x", **parts})


def _attack(route: Route, name: str, status: int, query: str = "", **others: object) -> Attack:
    body = b"{}" if route.body else None
    content_type = next(iter(route.body(ANY))) if route.body else JSON
    given: dict[str, object] = {"body": body, "content_type": content_type, "path": _address(route), **others}
    path = f"{given.pop('path')}{query}"
    return Attack(f"{route.method} {route.address}: {name}", status, "", path, route.method, route=route, **given)  # pyright: ignore[reportArgumentType]  # by the names that it has


def _parameters(route: Route) -> Iterator[Attack]:
    yield _attack(route, "a parameter that is none", REFUSED if route.is_described else ANYTHING, "?$where=1")
    for key in route.parameters:
        place, parameter = PARAMETERS[key]["in"], PARAMETERS[key]["name"]
        if place == "query":
            name = "name[eq]" if key == "field-filters" else parameter
            for what, value in VALUES.items():
                yield _attack(route, f"{name} with {what}", ANYTHING, f"?{name}={value}")
            yield _attack(route, f"{name} 300 times", REFUSED, "?" + "&".join([f"{name}=x"] * 300))
        elif place == "header":
            for what, value in HEADERS.items():
                yield _attack(route, f"{parameter} with {what}", ANYTHING, headers={parameter: value})


def _bodies(route: Route) -> Iterator[Attack]:
    if route.body is None:
        return
    for media_type in list(route.body(ANY))[:5]:
        for what, body in BODIES.items():
            name = f"{what} as {media_type}"
            yield _attack(route, name, ANYTHING, body=body, content_type=media_type)
    for media_type in MEDIA_TYPES:
        yield _attack(route, f"a body of {media_type}", REFUSED, content_type=media_type)
    yield _attack(route, "a body of no type", REFUSED, content_type=None)
    for coding in ("gzip", "zstd", "br", "gzip, gzip", "x" * 1000):
        yield _attack(route, f"{coding[:10]} that is none", ANYTHING, headers={"Content-Encoding": coding})


def _callers(route: Route) -> Iterator[Attack]:
    if route.method in SAFE_METHODS:
        return
    for site in ({"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"},
                 {"Origin": "http://127.0.0.1", "Sec-Fetch-Site": "same-site"}):  # fmt: skip
        yield _attack(route, f"from {site}", 403, headers=site)


def _addresses(route: Route) -> Iterator[Attack]:
    for part in ("collection", "id", "asset", "code"):
        if f"{{{part}}}" not in route.address:
            continue
        for what, value in (
            ("dots", "..%2f..%2f"),
            ("NUL", "a%00"),
            ("an operator", "$ne"),
            ("1,000 letters", "a" * 1000),
        ):
            yield _attack(route, f"{part} with {what}", ANYTHING if part == "id" else REFUSED,
                          path=_address(route, **{part: value}))  # fmt: skip


GENERATED: Final[Sequence[Attack]] = tuple(
    attack
    for route in ROUTES
    for make in (_parameters, _bodies, _callers, _addresses)
    for attack in make(route)
)  # fmt: skip
