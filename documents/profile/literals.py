"""Texts as Python source has them."""

from typing import Final

_PLAIN_LETTERS: Final = frozenset(
    chr(code) for code in (*range(0xC0, 0x100), *range(0x20, 0x7F)) if code not in (0xD7, 0xF7)
)


def literal(text: str) -> str:
    """Return a text as Python writes it down, with the quotes that Ruff prefers; what could be misread is escaped."""
    quote = "'" if text.count('"') > text.count("'") else '"'
    return quote + "".join(_escaped(letter, quote) for letter in text) + quote


def _escaped(letter: str, quote: str) -> str:
    if letter in ("\\", quote):
        return f"\\{letter}"
    if letter in _PLAIN_LETTERS:
        return letter
    code = ord(letter)
    if code <= 0xFF:  # noqa: PLR2004  # two hex digits
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004  # four of them
