"""Feeds values of one BSON type into a summary, many at a time.

Counting, comparing and removing doubles run in C over a whole column, and only different values are looked at one by
one. That is several times as fast as going through documents value by value.

Bounds are: the number itself (int, long, double), a pair of number and text (decimal), milliseconds since 1970 (date),
hex digits (objectId), and the beginning of the text (string).
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, cast
from uuid import UUID

from bson.binary import Binary
from bson.code import Code
from bson.datetime_ms import DatetimeMS
from bson.decimal128 import Decimal128
from bson.errors import BSONError
from bson.json_util import CANONICAL_JSON_OPTIONS
from bson.json_util import dumps as extended_json
from bson.objectid import ObjectId

from documents.profile import kinds
from documents.profile.formats import formats_of
from documents.profile.hashing import by_hash, hash_bytes, hash_numbers, hash_texts
from documents.profile.summary import Summary

_INT32: Final = 1 << 31
_FARTHEST: Final = 10**40  # an integer beyond this is no BSON; as a bound it is cut, since its text may have no end
_MS: Final = timedelta(milliseconds=1)
_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001  # dates of MongoDB come without a zone, and mean UTC
_AWARE_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SHOWN: Final = 400


def add_strings(summary: Summary, values: Sequence[str]) -> None:
    """Take in texts."""
    counts = Counter(values)
    summary.types[kinds.STRING] += len(values)
    lengths = list(map(len, values))
    summary.add_extent(kinds.STRING, min(lengths), max(lengths), sum(lengths))
    if "" in counts:
        summary.empty[kinds.STRING] += counts[""]
    for text, count in counts.items():
        for name in formats_of(text):
            summary.formats[name] += count
    longest = summary.limits.example_characters
    if not summary.redact:
        summary.add_bounds(kinds.STRING, min(counts)[:longest], max(counts)[:longest])
    summary.add_choices(kinds.STRING, counts)
    summary.add_hashed(hash_texts(counts), counts, lambda text: show_text(text, longest))


def add_integers(summary: Summary, values: Sequence[int]) -> None:
    """Take in integers of whichever size: ints where they fit into 32 bits, else longs."""
    if min(values) >= -_INT32 and max(values) < _INT32:
        _add_whole(summary, kinds.INT, values)
        return
    small = [value for value in values if -_INT32 <= value < _INT32]
    if small:
        _add_whole(summary, kinds.INT, small)
    _add_whole(summary, kinds.LONG, [value for value in values if not -_INT32 <= value < _INT32])


def add_longs(summary: Summary, values: Sequence[int]) -> None:
    """Take in integers that are longs whatever their size."""
    _add_whole(summary, kinds.LONG, values)


def add_doubles(summary: Summary, values: Sequence[float]) -> None:
    """Take in doubles; those that are no numbers are counted as odd."""
    summary.types[kinds.DOUBLE] += len(values)
    summary.refuse_choices()
    different = {value + 0.0 for value in values if value == value}  # noqa: PLR0124  # NaN is not itself; -0.0 is 0.0
    unordered = sum(map(math.isnan, values))
    if unordered:
        summary.odd[kinds.DOUBLE] += unordered
        summary.add_hashed(hash_bytes([b"NaN"], kinds.DOUBLE), [math.nan], show)
    if different:
        summary.add_bounds(kinds.DOUBLE, min(different), max(different))
        summary.add_hashed(hash_numbers(different), different, lambda value: show(float(value)))


def add_booleans(summary: Summary, values: Sequence[bool]) -> None:
    """Take in truth values."""
    counts = Counter(values)
    summary.types[kinds.BOOL] += len(values)
    summary.add_choices(kinds.BOOL, counts)
    summary.add_hashed(hash_bytes((b"%d" % value for value in counts), kinds.BOOL), counts, show)


def add_dates(summary: Summary, values: Sequence[datetime | DatetimeMS]) -> None:
    """Take in dates, with or without a zone, or as milliseconds where Python has no such date."""
    summary.types[kinds.DATE] += len(values)
    summary.refuse_choices()
    odd = sum(isinstance(value, DatetimeMS) for value in values)
    if odd:
        summary.odd[kinds.DATE] += odd
    by_ms = {_milliseconds(value): value for value in set(values)}
    summary.add_bounds(kinds.DATE, min(by_ms), max(by_ms))
    hashes = hash_bytes((b"%x" % value for value in by_ms), kinds.DATE)
    summary.add_hashed(hashes, by_ms, lambda value: show(DatetimeMS(value)))


def add_object_ids(summary: Summary, values: Sequence[ObjectId]) -> None:
    """Take in ObjectIds."""
    different = {value.binary for value in values}
    summary.types[kinds.OBJECTID] += len(values)
    summary.refuse_choices()
    if not summary.redact:
        summary.add_bounds(kinds.OBJECTID, min(different).hex(), max(different).hex())
    hashes = hash_bytes(different, kinds.OBJECTID)
    summary.add_hashed(hashes, different, lambda value: show(ObjectId(value)))


def add_decimals(summary: Summary, values: Sequence[Decimal128 | Decimal]) -> None:
    """Take in decimals; those that are no numbers are counted as odd. 1.0 and 1.00 are two different values."""
    summary.types[kinds.DECIMAL] += len(values)
    summary.refuse_choices()
    counts = Counter(map(str, values))
    pairs = [(Decimal(text), text) for text in counts]
    ordered = [pair for pair in pairs if not pair[0].is_nan()]
    if len(ordered) < len(pairs):
        summary.odd[kinds.DECIMAL] += sum(counts[text] for number, text in pairs if number.is_nan())
    if ordered:
        summary.add_bounds(kinds.DECIMAL, min(ordered), max(ordered))
    hashes = hash_bytes(map(str.encode, counts), kinds.DECIMAL)
    summary.add_hashed(hashes, counts, lambda text: f'{{"$numberDecimal": "{text}"}}')


def add_binaries(summary: Summary, values: Sequence[bytes]) -> None:
    """Take in binary data; UUIDs count as their own type, and other subtypes than 0 are odd."""
    uuids = [value for value in values if kinds.is_uuid(value)]
    if uuids:
        add_others(summary, kinds.UUID, [cast("Binary", value).as_uuid() for value in uuids])
    rest = [value for value in values if not kinds.is_uuid(value)]
    if not rest:
        return
    summary.refuse_choices()
    summary.types[kinds.BINARY] += len(rest)
    lengths = list(map(len, rest))
    summary.add_extent(kinds.BINARY, min(lengths), max(lengths), sum(lengths))
    summary.empty[kinds.BINARY] += lengths.count(0)
    summary.odd[kinds.BINARY] += sum(isinstance(value, Binary) and value.subtype != 0 for value in rest)
    different = {(getattr(value, "subtype", 0), bytes(value)) for value in rest}
    hashes = hash_bytes((b"%d:%s" % pair for pair in different), kinds.BINARY)
    longest = summary.limits.example_characters
    summary.add_hashed(hashes, different, lambda pair: show(Binary(pair[1][:longest], pair[0])))


def add_code(summary: Summary, values: Sequence[Code]) -> None:
    """Take in JavaScript; with a scope it is another type."""
    for kind, has_scope in ((kinds.CODE, False), (kinds.SCOPED_CODE, True)):
        codes = [value for value in values if (value.scope is not None) is has_scope]
        if codes:
            add_others(summary, kind, codes)


def add_nulls(summary: Summary, values: Sequence[None]) -> None:
    """Take in nulls: they are counted, and no values to be told apart."""
    summary.types[kinds.NULL] += len(values)


def add_others(summary: Summary, kind: str, values: Sequence[object]) -> None:
    """Take in values of a type that has nothing to measure."""
    summary.types[kind] += len(values)
    summary.refuse_choices()
    different = by_hash(values, kind, lambda value: repr(value).encode("utf-8", "surrogatepass"))
    summary.add_hashed(list(different), different.values(), show)


def show(value: object) -> str:
    """Return a value as an example: canonical Extended JSON, in ASCII; what is too long is cut, as a text."""
    if isinstance(value, UUID):
        return f'{{"$uuid": "{value}"}}'
    try:
        text = extended_json(value, json_options=CANONICAL_JSON_OPTIONS)
    except (TypeError, ValueError, OverflowError, BSONError):
        text = extended_json(f"{type(value).__name__}")
    return text if len(text) <= _SHOWN else show_text(text, _SHOWN // 2)


def show_text(text: str, longest: int) -> str:
    """Return a text as an example, cut after so many characters."""
    return extended_json(text if len(text) <= longest else f"{text[:longest]}…")


def _add_whole(summary: Summary, kind: str, values: Sequence[int]) -> None:
    # An Int64 is an int of another class, which JSON does not know.
    counts: Mapping[int, int] = Counter(values if kind == kinds.INT else map(int, values))
    least, greatest = min(counts), max(counts)
    summary.types[kind] += len(values)
    summary.add_bounds(kind, _cut(least), _cut(greatest))
    if least < -_FARTHEST or greatest > _FARTHEST:
        summary.refuse_choices()
    summary.add_choices(kind, counts)
    summary.add_hashed(hash_numbers(counts), counts, _show_integer)


def _cut(value: int) -> int:
    return max(-_FARTHEST, min(_FARTHEST, value))


def _show_integer(value: int) -> str:
    return str(int(value)) if abs(value) <= _FARTHEST else '"an integer of over 40 digits"'


def _milliseconds(value: datetime | DatetimeMS) -> int:
    if isinstance(value, DatetimeMS):
        return int(value)
    return (value - (_EPOCH if value.tzinfo is None else _AWARE_EPOCH)) // _MS


Feed = Callable[[Summary, Sequence[Any]], None]

FEEDS: Final[Mapping[str, Feed]] = {
    kinds.STRING: add_strings,
    kinds.INT: add_integers,
    kinds.LONG: add_longs,
    kinds.DOUBLE: add_doubles,
    kinds.BOOL: add_booleans,
    kinds.DATE: add_dates,
    kinds.OBJECTID: add_object_ids,
    kinds.DECIMAL: add_decimals,
    kinds.BINARY: add_binaries,
    kinds.CODE: add_code,
    kinds.NULL: add_nulls,
}
"""How to take in each type; the others have `add_others`."""
