"""Which encoding a text is in, by its first bytes."""

import codecs
import re
from typing import Final

_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_WIDE: Final = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_HIGH: Final = re.compile(rb"[\x80-\xff]")
_NO_WINDOWS: Final = re.compile(rb"[\x81\x8d\x8f\x90\x9d]")
_NULS: Final = 0.3
"""Share of bytes that are NUL on one side of each pair in UTF-16 text of most languages."""


def find_encoding(head: bytes) -> tuple[str, str | None]:
    """Return the encoding that a text seems to be in, and what is doubtful about it.

    A text most of whose wide characters are UTF-8 is UTF-8 with faults. Encodings of one byte look alike, so each of
    them is a doubt.
    """
    marked = next((encoding for mark, encoding in _MARKS if head.startswith(mark)), None)
    if marked:
        return marked, None
    if wide := _utf16_side(head):
        return wide, None
    if _is_utf8(head):
        return "utf-8", None
    rest, right = _WIDE.subn(b"", head)
    if right >= len(_HIGH.findall(rest)):
        return "utf-8", None
    encoding = "iso-8859-1" if _NO_WINDOWS.search(head) else "windows-1252"
    return encoding, f"The text is not UTF-8. As {encoding} it has {_example(head, encoding)!r}."


def _is_utf8(head: bytes) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return True


def _utf16_side(head: bytes) -> str | None:
    pairs = len(head) // 2
    if not pairs:
        return None
    if head[1::2].count(0) / pairs > _NULS and not head[::2].count(0):
        return "utf-16-le"
    return "utf-16-be" if head[::2].count(0) / pairs > _NULS and not head[1::2].count(0) else None


def _example(head: bytes, encoding: str) -> str:
    """Return the first words that are not ASCII."""
    place = _HIGH.search(head)
    at = place.start() if place else 0
    near = head[max(at - 20, 0) : at + 20].decode(encoding, errors="replace")
    return next((word for word in re.split(r"[\s,;|\"]+", near) if not word.isascii()), near)
