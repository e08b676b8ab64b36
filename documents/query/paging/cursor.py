"""Page cursors: where a page ended, sealed so that nobody can make one up."""

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from typing import Any, Final

import bson
from bson.binary import UuidRepresentation
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.errors import BSONError

from documents.errors import InvalidCursorError, QueryRefusedError
from documents.query.paging.order import EMPTY_ARRAY
from documents.types import RawValue

MAX_CURSOR_BYTES: Final = 8 * 1024
"""Of the values. With the signature and as text it is a third more, which every proxy lets through as a URL."""

_SEAL_BYTES: Final = 16
_MAX_TEXT: Final = 4 * (MAX_CURSOR_BYTES + _SEAL_BYTES + 2) // 3
_WRITING: Final[CodecOptions[dict[str, Any]]] = CodecOptions(uuid_representation=UuidRepresentation.STANDARD)
_READING: Final[CodecOptions[dict[str, Any]]] = CodecOptions(datetime_conversion=DatetimeConversion.DATETIME_AUTO)


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page ended.

    Args:
        values: The sort values of its last document, or the first ones of them (see
            `documents.query.paging.ties.place_of`).
            Of a RawValue the order is lost.
        backwards: Which way the reader goes.
        tied: Whether documents that differ from it in `_id` alone may follow.
        skip: Documents that share all of `values` and were shown already; 0 where none of them is to be shown.
    """

    values: tuple[Any, ...]
    backwards: bool = False
    tied: bool = True
    skip: int = 0


def seal(cursor: Cursor, *, secret: bytes, scope: bytes) -> str:
    """Return `cursor` as text for a URL.

    Args:
        cursor: Where the page ended.
        secret: The same in every process that serves.
        scope: What the cursor is good for: collection, filter, sort and policy. It is not in the text.

    Raises:
        QueryRefusedError: The sort values take more than 8 KB.
    """
    payload = bson.encode(_payload(cursor), codec_options=_WRITING)
    if len(payload) > MAX_CURSOR_BYTES:
        raise QueryRefusedError(f"A page ends at sort values of more than {MAX_CURSOR_BYTES} bytes. Sort by less.")
    return urlsafe_b64encode(_signature(payload, secret, scope) + payload).rstrip(b"=").decode()


def open_cursor(text: str, *, secret: bytes, scope: bytes) -> Cursor:
    """Return the cursor that `seal` made into `text`.

    Raises:
        InvalidCursorError: It was not made by `seal` with this secret and for this scope.
    """
    sealed = _decoded(text)
    signature, payload = sealed[:_SEAL_BYTES], sealed[_SEAL_BYTES:]
    if not hmac.compare_digest(signature, _signature(payload, secret, scope)):
        raise _invalid()
    try:
        return _cursor(bson.decode(payload, codec_options=_READING))  # pyright: ignore[reportUnknownMemberType]  # PyMongo says array without saying of what
    except BSONError:
        raise _invalid() from None


def _decoded(text: str) -> bytes:
    if len(text) > _MAX_TEXT or not text.isascii():
        raise _invalid()
    try:
        return urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        raise _invalid() from None


def _invalid() -> InvalidCursorError:
    return InvalidCursorError("The cursor is damaged, or belongs to another list.")


def _signature(payload: bytes, secret: bytes, scope: bytes) -> bytes:
    # The length keeps a part of the scope from passing for the beginning of the payload.
    message = len(scope).to_bytes(8, "big") + scope + payload
    return hmac.new(secret, message, hashlib.sha256).digest()[:_SEAL_BYTES]


def _payload(cursor: Cursor) -> dict[str, Any]:
    # An empty array as a sort value is less than null, and BSON has nothing for that, so it is left out.
    values = {str(at): value for at, value in enumerate(cursor.values) if value is not EMPTY_ARRAY}
    raw = {at: [value.kind, value.payload] for at, value in values.items() if isinstance(value, RawValue)}
    payload = {"n": len(cursor.values), "v": values, "b": cursor.backwards, "t": cursor.tied, "s": cursor.skip}
    return payload | ({"v": {at: value for at, value in values.items() if at not in raw}, "r": raw} if raw else {})


def _cursor(payload: dict[str, Any]) -> Cursor:
    values = payload["v"] | {at: RawValue(*each) for at, each in payload.get("r", {}).items()}
    # Cursors that were made before there were ties and skips are good for any place.
    return Cursor(
        tuple(values.get(str(at), EMPTY_ARRAY) for at in range(payload["n"])),
        payload["b"],
        payload.get("t", True),
        payload.get("s", 0),
    )
