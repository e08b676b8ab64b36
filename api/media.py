"""Media types: what a body is, and what an answer should be."""

from collections.abc import Collection
from enum import Enum
from typing import Final

from api.problems import NotAcceptableError, UnsupportedMediaTypeError


class Media(Enum):
    """The two forms that documents are read and written in."""

    JSON = "application/json"
    EJSON = "application/ejson"


MERGE_PATCH: Final = "application/merge-patch+json"
JSON_PATCH: Final = "application/json-patch+json"
UPDATE: Final = "application/vnd.sheaf.update+json"
NDJSON: Final = "application/x-ndjson"
PATCHES: Final = (MERGE_PATCH, JSON_PATCH, UPDATE, Media.JSON.value, Media.EJSON.value)

_ACCEPTED: Final = {
    "*/*": Media.JSON,
    "application/*": Media.JSON,
    Media.JSON.value: Media.JSON,
    Media.EJSON.value: Media.EJSON,
}


def negotiate(accept: str | None) -> Media:
    """Return the form that an `Accept` header prefers.

    Raises:
        NotAcceptableError: It wants none of those there are.

    Source:
        RFC 9110, section 12.5.1.
    """
    if accept is None or accept in ("*/*", ""):
        return Media.JSON
    best: tuple[float, int] | None = None
    chosen = Media.JSON
    for part in accept.split(","):
        name, quality = _weighed(part)
        media = _ACCEPTED.get(name)
        rank = (quality, 0 if "*" in name else 1)
        if media is not None and quality > 0 and (best is None or rank > best):
            best, chosen = rank, media
    if best is None:
        raise NotAcceptableError("Documents come as application/json or application/ejson.")
    return chosen


def _weighed(part: str) -> tuple[str, float]:
    name, *parameters = (piece.strip().lower() for piece in part.split(";"))
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return name, float(parameter[2:])
            except ValueError:
                return name, 0.0
    return name, 1.0


def charset_of(header: str | None) -> str | None:
    """Return the charset that a header `Content-Type` names."""
    parameters = (piece.strip().lower() for piece in (header or "").split(";")[1:])
    return next((item[8:].strip('"') for item in parameters if item.startswith("charset=")), None)


def content_type(header: str | None, *allowed: str, in_any_charset: Collection[str] = ()) -> str:
    """Return the media type of a body, which must be one of `allowed`.

    Args:
        header: `Content-Type`.
        allowed: Media types.
        in_any_charset: Those of them that are not only taken in UTF-8.

    Raises:
        UnsupportedMediaTypeError: It is another one, or none, or in another charset than UTF-8.
    """
    name = (header or "").partition(";")[0].strip().lower()
    charset = None if name in in_any_charset else charset_of(header)
    if name not in allowed or charset not in (None, "utf-8", "utf8"):
        raise UnsupportedMediaTypeError(
            f"The body must be {' or '.join(allowed)}, in UTF-8.", {"Accept": ", ".join(allowed)}
        )
    return name
