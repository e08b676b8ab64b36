"""JSON text in: what JSON leaves to the parser is settled here, and what BSON cannot hold is refused.

Good input pays for one parse, one dump and a few scans of its bytes, all in C. Only a text that is refused is read a
second time, by `documents.codec.spots`, which finds where.
"""

import re
from typing import Final, cast

import orjson

from documents.codec.spots import MAX_FAULTS, find_spots, is_wide
from documents.codec.tree import CONTAINERS, Container, containers, is_deep
from documents.errors import Fault, InvalidDocumentError, MalformedJsonError
from documents.types import MAX_DEPTH, Json, child

SPOTS_LIMIT: Final = 256 * 1024
"""Bytes of a text in which spots are looked for, as that takes Python up to 1 s a megabyte. A longer text is refused
just the same, without a pointer."""

SLICE_BYTES: Final = 1024 * 1024
"""Bytes that are searched at once. Nothing else runs meanwhile, so a search that takes long takes a slice at a time."""

# Digits all look like 0, and brackets that open like {, so that one search or count finds any of them.
_OUTLINE: Final = bytes.maketrans(b"123456789[", b"000000000{")
_LONG_NUMBER: Final = b"0" * 19  # shorter ones fit into int64
_STRING: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"')
_IN_STRING: Final = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+')
_BACKSLASHES: Final = re.compile(rb"\\*+")
_LONG_RUN: Final = re.compile(_LONG_NUMBER + b"0*+")
_BEFORE_INTEGER: Final = frozenset({b"", b" ", b"\t", b"\r", b"\n", b",", b":", b"["})
_INSIDE_DOUBLE: Final = frozenset({b".", b"e", b"E"})
_NO_NUMBER: Final = re.compile(r"[+-]?(?:NaN|Infinity)")

_WHOLE: Final = {
    "duplicate-key": "An object has the same key twice; which of the two is meant?",
    "integer-out-of-range": "An integer must fit into 64 bits, from -2^63 to 2^63-1.",
    "too-deep": f"Nothing may nest deeper than {MAX_DEPTH} levels.",
}


def parse_json(body: bytes) -> Json:
    """Return what a JSON text says.

    Keys are taken as they are, since filters and updates have `$`-led keys by right; see `check_keys`.

    Args:
        body: UTF-8 without a byte order mark.

    Raises:
        MalformedJsonError: Not JSON: empty, not UTF-8, NaN, Infinity, a number beyond double, half a surrogate pair.
        InvalidDocumentError: JSON, with a fault `duplicate-key`, `integer-out-of-range` (of int64) or `too-deep`.

    Source:
        RFC 8259, sections 4, 6, 8 and 9, which leave these to the implementation.
    """
    try:
        value: Json = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        if "limit" in error.msg:  # orjson has one of 1024 levels
            raise _refused(body, "too-deep") from None
        raise _malformed(body, error) from None
    if body.count(b"{") + body.count(b"[") > MAX_DEPTH and is_deep(value):
        raise _refused(body, "too-deep")
    if _has_long_number(body) and _has_wide_integer(body):
        raise _refused(body, "integer-out-of-range")
    if orjson.dumps(value).count(b":") != _count_colons(body):
        raise _refused(body, "duplicate-key")
    return value


def check_keys(value: object, *, pointer: str = "") -> list[Fault]:
    """Return a fault `key-refused` for each key that no document may have: empty, `$`-led, with a dot or with NUL.

    MongoDB stores all but NUL, but no path of a filter, a sort or an update could then say which field it means.
    At most `MAX_FAULTS` are returned.
    """
    if type(value) not in CONTAINERS or _has_plain_keys(cast("Container", value)):
        return []
    return _find_refused_keys(value, pointer)


def refuse_key(key: str) -> str | None:
    """Return what is wrong with a key, if anything."""
    if not key:
        return "A key must not be empty."
    if key[0] == "$":
        return "A key must not begin with $, which marks operators."
    if "." in key:
        return "A key must not contain a dot, which separates the steps of a path. Nest objects instead."
    return "A key must not contain the NUL character." if "\0" in key else None


def _count_colons(body: bytes) -> int:
    """Return how many colons a text has when it is parsed and written again, as long as no key occurs twice.

    Of two equal keys the parser keeps one, so with the other at least the colon behind it is lost. Those in strings
    stay as they are, and those written as an escape turn up.
    """
    return body.count(b":") + (_count_escaped_colons(body) if b"\\" in body else 0)


def _count_escaped_colons(body: bytes) -> int:
    count = start = 0
    while start < len(body):
        # A slice ends where a run of backslashes does, and has enough of what follows for an escape to be whole.
        end = _BACKSLASHES.match(body, start + SLICE_BYTES).end()  # pyright: ignore[reportOptionalMemberAccess]  # matches anywhere
        piece = body[start : end + len(b"u003a")]
        if b"\\u003" in piece:
            unescaped = piece.replace(b"\\\\", b"")
            count += unescaped.count(b"\\u003a") + unescaped.count(b"\\u003A")
        start = end
    return count


def _has_long_number(body: bytes) -> bool:
    """Tell whether there are 19 digits in a row anywhere, strings included."""
    overlap = len(_LONG_NUMBER) - 1
    return any(
        _LONG_NUMBER in body[start : start + SLICE_BYTES + overlap].translate(_OUTLINE)
        for start in range(0, len(body), SLICE_BYTES)
    )


def _has_wide_integer(body: bytes) -> bool:
    # Strings take longest to leave out, and seldom matter. But of a large text they are left out a slice at a time.
    is_small = len(body) <= SLICE_BYTES
    return (not is_small or _shows_wide_integer(body)) and _shows_wide_integer(_without_strings(body))


def _without_strings(body: bytes) -> bytes:
    if len(body) <= SLICE_BYTES:
        return _STRING.sub(b'""', body)
    between: list[bytes] = []
    start = 0
    while (quote := body.find(b'"', start)) >= 0:
        between.append(body[start:quote])
        start = _end_of_string(body, quote + 1)
    return b'""'.join([*between, body[start:]])


def _end_of_string(body: bytes, start: int) -> int:
    """Return where the string ends whose text begins at `start`."""
    while True:
        end = _IN_STRING.match(body, start, start + SLICE_BYTES).end()  # pyright: ignore[reportOptionalMemberAccess]  # as above
        if body.startswith(b'"', end):
            return end + 1
        start = end


def _shows_wide_integer(text: bytes) -> bool:
    return any(_is_wide_at(text, *run.span()) for run in _LONG_RUN.finditer(text.translate(_OUTLINE)))


def _is_wide_at(text: bytes, start: int, end: int) -> bool:
    """Tell whether digits are, with the sign before them, an integer beyond int64, and not part of a double."""
    begin = start - text.startswith(b"-", max(start - 1, 0))
    whole = text[begin - 1 : begin] in _BEFORE_INTEGER and text[end : end + 1] not in _INSIDE_DOUBLE
    return whole and is_wide(text[begin:end])


def _has_plain_keys(parent: Container) -> bool:
    """Tell, in few steps, whether no key below is refused; one with a line feed and then a `$` fails without need."""
    if isinstance(parent, dict):
        keys = "\n".join(parent)
        if "." in keys or "\0" in keys or "\n$" in keys or keys[:1] == "$" or "" in parent:
            return False
        parent = list(parent.values())
    for item in parent:  # noqa: SIM110  # a generator would add a third to the time
        if type(item) in CONTAINERS and not _has_plain_keys(item):
            return False
    return True


def _find_refused_keys(value: object, pointer: str) -> list[Fault]:
    faults: list[Fault] = []
    pending = [(parent, pointer) for parent in containers([value])]
    while pending and len(faults) < MAX_FAULTS:
        parent, place = pending.pop()
        keys = parent if isinstance(parent, dict) else ()
        refused = [(key, reason) for key in keys if (reason := refuse_key(key))]
        faults += [Fault(child(place, key), "key-refused", reason) for key, reason in refused]
        members = parent.items() if isinstance(parent, dict) else enumerate(parent)
        below = [(item, child(place, key)) for key, item in members if type(item) in CONTAINERS]
        pending += reversed(below)
    return faults[:MAX_FAULTS]


def _refused(body: bytes, code: str) -> InvalidDocumentError:
    # The parser looks at the encoding first, so decoding cannot fail any more.
    faults = find_spots(body.decode()) if len(body) <= SPOTS_LIMIT else []
    return InvalidDocumentError(_WHOLE[code], faults or [Fault("", code, _WHOLE[code])])


def _malformed(body: bytes, error: orjson.JSONDecodeError) -> MalformedJsonError:
    detail = _explain(body, error)
    return MalformedJsonError(detail, [Fault("", "malformed-json", detail)])


def _explain(body: bytes, error: orjson.JSONDecodeError) -> str:
    if not body.strip():
        return "The body is empty where JSON is expected."
    try:
        body.decode()
    except UnicodeDecodeError as damage:
        return f"The text is not UTF-8: byte {damage.start} does not belong there."
    place = f"line {error.lineno}, column {error.colno}" if error.lineno > 1 else f"column {error.colno}"
    if _NO_NUMBER.match(error.doc, max(error.pos - 1, 0)) or _NO_NUMBER.match(error.doc, error.pos):
        return f"JSON has no NaN and no Infinity ({place})."
    return f"The text is not JSON at {place}: {error.msg}."
