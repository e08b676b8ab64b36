"""Where a JSON text is refused: a second, slow reading that keeps the path, for texts known to be at fault."""

import re
from collections.abc import Callable, Mapping
from typing import Final

import orjson

from documents.errors import Fault
from documents.types import MAX_DEPTH, child

MAX_FAULTS: Final = 100
"""Faults reported of one text; whoever made so many has one cause to look for."""

# White space, literals and the commas of objects fall between the matches: they move nothing.
_TOKEN: Final = re.compile(
    r'(?P<string>"[^"\\]*+(?:\\.[^"\\]*+)*+")(?P<key>\s*:)?+'
    r"|(?P<number>-?[0-9][0-9.eE+-]*+)|(?P<open>[\[{])|(?P<close>[\]}])|(?P<comma>,)"
)


def is_wide(literal: bytes | str) -> bool:
    """Tell whether an integer, as JSON writes it, is outside int64."""
    # Python refuses to read thousands of digits, and JSON allows no leading zeros.
    return len(literal) > len("-9223372036854775808") or not -(2**63) <= int(literal) < 2**63


class _Level:
    """One object or array that is being read, and where in it the reader is."""

    __slots__ = ("keys", "place")

    def __init__(self, opening: str) -> None:
        self.keys: set[str] | None = set() if opening == "{" else None
        self.place: str | int = "" if opening == "{" else 0


class _Reader:
    """Reads one text and collects its faults."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self._levels: list[_Level] = []
        self._steps: Mapping[str, Callable[[str], None]] = {
            "key": self._meet_key,
            "number": self._meet_number,
            "open": self._go_in,
            "close": self._go_out,
            "comma": self._go_on,
        }

    def read(self, text: str) -> None:
        for token in _TOKEN.finditer(text):
            kind = token.lastgroup
            if kind is None or kind == "string":
                continue
            self._steps[kind](token["string"] if kind == "key" else token[0])
            if len(self._levels) > MAX_DEPTH or len(self.faults) >= MAX_FAULTS:
                return

    def _pointer(self) -> str:
        return child("", *(level.place for level in self._levels))

    def _meet_key(self, literal: str) -> None:
        level, key = self._levels[-1], orjson.loads(literal)
        level.place = key
        if level.keys is None:
            return
        if key in level.keys:
            detail = "The object has this key twice; which of the two is meant?"
            self.faults.append(Fault(self._pointer(), "duplicate-key", detail))
        level.keys.add(key)

    def _meet_number(self, literal: str) -> None:
        if literal.removeprefix("-").isdigit() and is_wide(literal):
            detail = "An integer must fit into 64 bits, from -2^63 to 2^63-1. A string holds any number of digits."
            self.faults.append(Fault(self._pointer(), "integer-out-of-range", detail))

    def _go_in(self, opening: str) -> None:
        if len(self._levels) == MAX_DEPTH:
            detail = f"Nothing may nest deeper than {MAX_DEPTH} levels."
            self.faults.append(Fault(self._pointer(), "too-deep", detail))
        self._levels.append(_Level(opening))

    def _go_out(self, _closing: str) -> None:
        self._levels.pop()

    def _go_on(self, _comma: str) -> None:
        level = self._levels[-1]
        if isinstance(level.place, int):
            level.place += 1


def find_spots(text: str) -> list[Fault]:
    """Return the faults `duplicate-key`, `integer-out-of-range` and `too-deep` of a text, in its order.

    Reading ends behind the first thing that is too deep, and after `MAX_FAULTS`.

    Args:
        text: JSON, well formed at least as far as it is not too deep.
    """
    reader = _Reader()
    reader.read(text)
    return reader.faults
