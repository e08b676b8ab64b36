"""Texts in the plain JSON form of BSON values: ObjectId, UUID, date, decimal, binary data.

Each function returns the value that a text shows, or None where it shows none. Nothing is guessed here: who calls knows
why the text may mean the value.
"""

import binascii
import re
from base64 import b64decode, b64encode
from datetime import UTC, datetime
from decimal import DecimalException
from typing import Final
from uuid import UUID

from bson.binary import Binary
from bson.decimal128 import Decimal128
from bson.objectid import ObjectId

_OBJECT_ID: Final = re.compile(r"[0-9a-f]{24}")
_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_MOMENT: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:[Zz]|[+-][0-9]{2}:[0-5][0-9])"
)
_DECIMAL: Final = re.compile(r"-?(?:[0-9.]+(?:E[+-]?[0-9]+)?|Infinity)|NaN")
_MILLISECOND_US: Final = 1000


def object_id_of(text: str) -> ObjectId | None:
    """Return the ObjectId of 24 hex digits in lower case."""
    return ObjectId(text) if _OBJECT_ID.fullmatch(text) else None


def uuid_of(text: str) -> Binary | None:
    """Return the UUID (binary of subtype 4) of its form in lower case."""
    return Binary.from_uuid(UUID(text)) if _UUID.fullmatch(text) else None


def date_of(text: str) -> datetime | None:
    """Return the moment of an RFC 3339 time with any offset: naive, in UTC, cut to milliseconds, as stored ones are."""
    if not _MOMENT.fullmatch(text):
        return None
    try:
        moment = datetime.fromisoformat(text.upper()).astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        return None
    return moment.replace(microsecond=moment.microsecond // _MILLISECOND_US * _MILLISECOND_US)


def decimal_of(text: str) -> Decimal128 | None:
    """Return the decimal that is written so, digit for digit."""
    if not _DECIMAL.fullmatch(text):
        return None
    try:
        value = Decimal128(text)
    except (DecimalException, ValueError):
        return None
    return value if str(value) == text else None


def bytes_of(text: str) -> bytes | None:
    """Return the bytes of base64 with its padding."""
    try:
        data = b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return data if b64encode(data).decode() == text else None


_IN_FILTERS: Final = (object_id_of, uuid_of, date_of)


def filter_reading(text: str) -> ObjectId | Binary | datetime | None:
    """Return the ObjectId, UUID or date that a text in a filter may mean beside itself."""
    if not text[:1].isalnum() or not text.isascii():
        return None
    return next((value for read in _IN_FILTERS if (value := read(text)) is not None), None)
