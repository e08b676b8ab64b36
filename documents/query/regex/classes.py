"""Sets of characters in regular expressions: ASCII exactly, and everything beyond it as one."""

import string
from typing import Final, TypeAlias

Chars: TypeAlias = frozenset[int]

NON_ASCII: Final = 128
ANY: Final[Chars] = frozenset(range(NON_ASCII + 1))


def chars_of(low: str, high: str | None = None) -> Chars:
    """Return the set of the characters from `low` to `high`, or of `low` alone."""
    first, last = ord(low), ord(high or low)
    chars = frozenset(range(first, min(last, NON_ASCII - 1) + 1))
    return chars | {NON_ASCII} if last >= NON_ASCII else chars


def _of(text: str) -> Chars:
    return frozenset(map(ord, text))


def both_cases(chars: Chars) -> Chars:
    """Return `chars` with the other case of each. The Kelvin sign is a k and the long s an s, beyond ASCII."""
    swapped = {ord(chr(char).swapcase()) for char in chars if char < NON_ASCII}
    beyond = {NON_ASCII} if chars & _of("kKsS") else frozenset[int]()
    ascii_of_beyond = _of("kKsS") if NON_ASCII in chars else frozenset[int]()
    return chars | swapped | beyond | ascii_of_beyond


_WORD: Final = _of(string.ascii_letters + string.digits + "_") | {NON_ASCII}
_DIGIT: Final = _of(string.digits) | {NON_ASCII}
_SPACE: Final = _of(string.whitespace) | {NON_ASCII}

CLASSES: Final[dict[str, Chars]] = {
    "d": _DIGIT,
    "D": ANY - _of(string.digits),
    "s": _SPACE,
    "S": ANY - _of(" \t\n\r\f"),
    "w": _WORD,
    "W": (ANY - _WORD) | {NON_ASCII},
}
"""Whether PCRE counts letters beyond ASCII depends on how it was built, so each class is taken to hold some."""

CONTROLS: Final = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}

_POSIX: Final[dict[str, Chars]] = {
    "alpha": _of(string.ascii_letters) | {NON_ASCII},
    "digit": _DIGIT,
    "alnum": _of(string.ascii_letters + string.digits) | {NON_ASCII},
    "upper": _of(string.ascii_uppercase) | {NON_ASCII},
    "lower": _of(string.ascii_lowercase) | {NON_ASCII},
    "space": _SPACE,
    "punct": _of(string.punctuation) | {NON_ASCII},
    "xdigit": _of(string.hexdigits),
}


def posix_class(name: str) -> Chars | None:
    """Return the set that `[:name:]` stands for, or None where there is none."""
    return _POSIX.get(name)
