"""Bodies: bytes in, JSON or documents out. Everything that a text may hide is refused here."""

import asyncio
import re
from collections.abc import Callable
from typing import Final, TypeVar, cast

from api.exchange import Exchange
from api.media import JSON_PATCH, NDJSON, PATCHES, UPDATE, Media, content_type
from api.problems import BodyTooLargeError
from documents.codec.extended import decode_extended, parse_extended
from documents.codec.ndjson import lines_of, parse_ndjson
from documents.codec.patch_shape import find_faults
from documents.codec.strict import check_keys, parse_json
from documents.collections.operations import Change, JsonPatch, MergePatch, Update
from documents.database.deadline import Deadline
from documents.errors import (
    Fault,
    InputError,
    InvalidDocumentError,
    InvalidFilterError,
    InvalidPatchError,
    MalformedJsonError,
)
from documents.types import Document, Json

T = TypeVar("T")

AWAY_BYTES: Final = 32 * 1024
"""Bodies from this size on are parsed in a thread, so that others are served in the meantime."""

MAX_WEIGHT: Final = 400_000
"""What a body, or a line of NDJSON, may weigh: 1 for each value, 4 for a member of an object, 1 more for each object
and array.

A parser holds the interpreter while it works, and none of them takes more than some 40 ms for this much."""

MAX_OPERATIONS: Final = 10_000
"""Documents or operations of one request."""

TEXT: Final = re.compile(rb"[^ \t\r\n]")
SLICE_BYTES: Final = 1024 * 1024


async def read_json(exchange: Exchange) -> object:
    """Return a JSON body in which `$` keys have a meaning, such as a filter. Extended JSON is decoded."""
    content_type(exchange.header(b"content-type"), Media.JSON.value, Media.EJSON.value)
    return await _parsed(await exchange.read(), _with_operators)


async def read_documents(exchange: Exchange) -> object:
    """Return a body of one document or an array of them, as its media type says."""
    kind = content_type(exchange.header(b"content-type"), Media.JSON.value, Media.EJSON.value)
    return await _parsed(await exchange.read(), parse_extended if kind == Media.EJSON.value else _plain)


async def read_replacement(exchange: Exchange) -> Document:
    """Return a body of one document. Which keys of plain JSON are refused depends on what is stored."""
    kind = content_type(exchange.header(b"content-type"), Media.JSON.value, Media.EJSON.value)
    return as_document(await _parsed(await exchange.read(), _parser(exchange, kind)))


def _parser(exchange: Exchange, kind: str) -> Callable[[bytes], object]:
    """Return what reads a document that takes the place of another, which may have had keys that are refused."""
    if kind == Media.EJSON.value:
        return parse_extended
    return _plain if exchange.preferences.literal else parse_json


async def read_change(exchange: Exchange, *, knows_stored: bool = False) -> Change:
    """Return a patch, in the dialect of its media type.

    Args:
        exchange: The request.
        knows_stored: Whether it is of one document, and which keys are refused depends on what is stored.
    """
    kind = content_type(exchange.header(b"content-type"), *PATCHES)
    body = await exchange.read()
    if kind == JSON_PATCH:
        patch = await _parsed(body, parse_json)
        faults = find_faults(patch)
        if faults:
            raise InvalidPatchError("The JSON Patch is not well formed.", faults)
        return JsonPatch(patch)
    if kind == UPDATE:
        return Update(await _parsed(body, _with_operators))
    parse = _parser(exchange, kind) if knows_stored else parse_extended if kind == Media.EJSON.value else _plain
    value = await _parsed(body, parse)
    if not isinstance(value, dict):
        raise InvalidPatchError("A merge patch is an object.", [Fault("", "wrong-type", "An object is needed here.")])
    return MergePatch(cast("Document", value))


async def read_lines(exchange: Exchange) -> list[object]:
    """Return the items of an NDJSON body or a JSON array; a line that cannot be read is the error that says why."""
    kind = content_type(exchange.header(b"content-type"), NDJSON, Media.JSON.value, Media.EJSON.value)
    body = await exchange.read()
    if kind == NDJSON:
        return await asyncio.to_thread(_lines, body, exchange.deadline)
    value = await _parsed(body, _with_operators)
    if not isinstance(value, list):
        raise MalformedJsonError("The body is an array of operations, or one operation a line as NDJSON.")
    return cast("list[object]", value)


def as_document(value: object, pointer: str = "") -> Document:
    """Return a value that must be an object."""
    if not isinstance(value, dict):
        raise InvalidDocumentError(
            "A document is a JSON object.", [Fault(pointer, "wrong-type", "An object is needed here.")]
        )
    return cast("Document", value)


def parse_filter_text(text: str) -> object:
    """Return the filter that a URL gives as JSON.

    Raises:
        InvalidFilterError: It is not JSON.
    """
    try:
        return _with_operators(text.encode())
    except (InputError, UnicodeEncodeError) as error:
        faults = getattr(error, "faults", ())
        raise InvalidFilterError("filter is not a filter in JSON.", faults) from None


async def _parsed(body: bytes, parse: Callable[[bytes], T]) -> T:
    if len(body) < AWAY_BYTES:
        return parse(body)
    return await asyncio.to_thread(_parse_light, body, parse)


def _parse_light(body: bytes, parse: Callable[[bytes], T]) -> T:
    _refuse_heavy(body)
    return parse(body)


def _refuse_heavy(text: bytes) -> None:
    weight = 0
    for start in range(0, len(text), SLICE_BYTES):
        weight += _weigh(text[start : start + SLICE_BYTES])
        if weight > MAX_WEIGHT:
            raise BodyTooLargeError("The body holds too many values. Send them in parts, or as NDJSON to :bulk.")


def _weigh(text: bytes) -> int:
    """Estimate how long a parser takes; too high for a text with commas, colons or brackets inside strings."""
    members = min(text.count(b":"), text.count(b'"') // 2)  # colons alone are often in strings, quotes always in pairs
    # Escapes take time, too, though less.
    return text.count(b",") + 3 * members + text.count(b"{") + text.count(b"[") + text.count(b"\\") // 8


def _plain(body: bytes) -> object:
    value = parse_json(body)
    faults = check_keys(value)
    if faults:
        raise InvalidDocumentError("A document has keys that cannot be stored.", faults)
    return value


def _with_operators(body: bytes) -> object:
    return decode_extended(parse_json(body), lenient_keys=True)


def _lines(body: bytes, deadline: Deadline) -> list[object]:
    _refuse_many(body)
    # Each line is parsed by itself, so only a single line can be too heavy.
    for line in lines_of(body):
        if len(line) > AWAY_BYTES:
            _refuse_heavy(line)
    return [_line(value) for _, value in deadline.watch(parse_ndjson(body))]


def _refuse_many(body: bytes) -> None:
    """Refuse a body of too many lines before any is parsed, or even cut off; those that are blank do not count."""
    lines = start = 0
    while start < len(body):
        text = TEXT.search(body, start, start + SLICE_BYTES)  # so that others may run in between
        if text is None:
            start += SLICE_BYTES
            continue
        lines += 1
        if lines > MAX_OPERATIONS:
            raise BodyTooLargeError(f"A request of this kind may bring {MAX_OPERATIONS} operations at most.")
        start = body.find(b"\n", text.end()) + 1 or len(body)


def _line(value: object) -> object:
    if isinstance(value, InputError):
        return value
    try:
        return decode_extended(cast("Json", value), lenient_keys=True)
    except InputError as error:
        return error
