"""Text of any encoding as UTF-8. A byte that does not belong there stays as it is, where UTF-8 refuses it as well."""

import codecs
from typing import Final, Protocol

_REFUSED: Final = "\udcff"
"""Becomes the byte FF, which no UTF-8 text has."""

_GOES_ON: Final = range(0x80, 0xC0)
"""Bytes that UTF-8 refuses unless they follow another one."""


def _mark(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    raw = error.object[error.start : error.end]
    mark = "" if raw[0] in _GOES_ON else _REFUSED  # what could begin a character is kept from becoming one
    return mark + raw.decode(errors="surrogateescape"), error.end


codecs.register_error("sheaf-mark", _mark)


class Transcoder(Protocol):
    """Turns chunks of a text into UTF-8."""

    def feed(self, chunk: bytes, *, is_last: bool = False) -> bytes:
        """Return what ends in this chunk."""
        ...


class _Same:
    def feed(self, chunk: bytes, *, is_last: bool = False) -> bytes:  # noqa: ARG002  # nothing is held back
        return chunk


class _Decoding:
    def __init__(self, encoding: str) -> None:
        self._decoder = codecs.getincrementaldecoder(encoding)("sheaf-mark")

    def feed(self, chunk: bytes, *, is_last: bool = False) -> bytes:
        return self._decoder.decode(chunk, is_last).encode(errors="surrogateescape")


def make_transcoder(encoding: str) -> Transcoder:
    """Return what turns a text of an encoding into UTF-8; text that is UTF-8 already stays as it is, faults and all."""
    return _Same() if encoding == "utf-8" else _Decoding(encoding)
