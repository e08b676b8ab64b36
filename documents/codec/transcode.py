"""Text of any encoding as UTF-8. A byte that does not belong there becomes one that UTF-8 refuses, in its place."""

import codecs
from typing import Final, Protocol

_REFUSED: Final = "\udcff"
"""Becomes the byte FF, which no UTF-8 text has."""


def _mark(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return _REFUSED, error.end


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
