"""What texts are written like. A text has a format when it parses as one; nothing is concluded from a few."""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Final

DATE_TIME: Final = "date-time"
DATE: Final = "date"
EMAIL: Final = "email"
URI: Final = "uri"
UUID: Final = "uuid"
OBJECTID: Final = "objectid"
DECIMAL: Final = "decimal"

FORMATS: Final = (DATE_TIME, DATE, EMAIL, URI, UUID, OBJECTID, DECIMAL)

MAX_LENGTH: Final = 2048
"""Longer texts are not looked at."""

_DATE_TIME_LENGTHS: Final = range(20, 36)
_DATE_LENGTH: Final = 10
_UUID_LENGTH: Final = 36
_OBJECTID_LENGTH: Final = 24
_DECIMAL_MAX: Final = 40

_DATE_TIME: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_EMAIL: Final = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
    r"(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)+"
)
_URI: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{1,31}://[^\s<>\"{}|\\^`/?#]+[^\s<>\"{}|\\^`]*")
_UUID: Final = re.compile(r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}")
_OBJECTID: Final = re.compile(r"[0-9A-Fa-f]{24}")
_DECIMAL: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")
_DECIMAL_STARTS: Final = frozenset("-0123456789")


def formats_of(text: str) -> Iterator[str]:
    """Return the formats that a text has.

    | format | is |
    |---|---|
    | `date-time`, `date` | RFC 3339, of a day that exists; a time has an offset |
    | `email` | an address as HTML forms take it, with a dot in the domain |
    | `uri` | a scheme, `://` and an authority |
    | `uuid`, `objectid` | in hex digits |
    | `decimal` | a number without exponent; a zero in front, as in postal codes, makes it none |
    """
    size = len(text)
    if size == 0 or size > MAX_LENGTH:
        return
    if text[0] in _DECIMAL_STARTS:
        yield from _of_digits(text, size)
    if size == _UUID_LENGTH and _UUID.fullmatch(text):
        yield UUID
    if size == _OBJECTID_LENGTH and _OBJECTID.fullmatch(text):
        yield OBJECTID
    if "@" in text and _EMAIL.fullmatch(text):
        yield EMAIL
    if "://" in text and _URI.fullmatch(text):
        yield URI


def _of_digits(text: str, size: int) -> Iterator[str]:
    if size <= _DECIMAL_MAX and _DECIMAL.fullmatch(text):
        yield DECIMAL
    if size == _DATE_LENGTH and _DATE.fullmatch(text) and _is_real(text):
        yield DATE
    if size in _DATE_TIME_LENGTHS and _DATE_TIME.fullmatch(text) and _is_real(text.upper()):
        yield DATE_TIME


def _is_real(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True
