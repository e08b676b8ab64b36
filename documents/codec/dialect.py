"""How a table is written down: what separates its cells, in which encoding, and how its cells spell values.

Each setting is one entry of `SETTINGS`, from which flags, query parameters and their descriptions are made. None is a
setting that nobody has given; `documents.codec.table_look` fills such settings from the first bytes of a file.
"""

import codecs
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, Final, cast

WORDS: Final[Mapping[str, str]] = {
    "comma": ",",
    "semicolon": ";",
    "tab": "\t",
    "\\t": "\t",
    "pipe": "|",
    "bar": "|",
    "space": " ",
    "none": "",
    "double": '"',
    "single": "'",
    "backslash": "\\",
    "point": ".",
    "apostrophe": "'",
}
"""Names of characters that a shell or a URL makes hard to write."""

ENCODINGS: Final[Mapping[str, str]] = {
    "utf-8": "utf-8",
    "utf-16-le": "utf-16",
    "utf-16-be": "utf-16",
    "utf-16": "utf-16",
    "cp1252": "windows-1252",
    "iso8859-1": "iso-8859-1",
}
"""What common encodings are called here, by the names that Python has for them."""

_DATE_ALIASES: Final = ("iso", "dmy", "mdy")
MAX_SKIP: Final = 1000


class FirstRow(StrEnum):
    """What the first row of a table is."""

    NAMES = "names"
    DATA = "data"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Dialect:
    r"""How a table is written down. A setting that is None has not been given.

    Args:
        delimiter: What separates cells: one ASCII character. A space stands for any number of them.
        quote: What encloses a cell that holds delimiters: one ASCII character, or none if it is empty.
        escape: What takes the meaning of the character behind it, as the backslash in `\"`; none if it is empty.
        encoding: Of the text, by its name.
        line_end: What ends a line, if it is not a line feed: a carriage return.
        skip: Lines to pass over before the first row.
        first_row: What the first row is: names, data, or names that others take the place of.
        fix_header: Whether names that no field can have are made into ones that can.
        trim: Whether blanks around a cell are left out.
        nulls: Cells that mean a missing value, beside empty ones.
        booleans: Words for true and for false.
        thousands: What groups the digits of a number.
        decimal: What stands before the fraction of a number.
        dates: How dates are written: `iso` (without offset, in UTC), `dmy`, `mdy`, or as `strptime` has it.
    """

    delimiter: str | None = None
    quote: str | None = None
    escape: str | None = None
    encoding: str | None = None
    line_end: str | None = None
    skip: int | None = None
    first_row: FirstRow | None = None
    fix_header: bool | None = None
    trim: bool | None = None
    nulls: tuple[str, ...] | None = None
    booleans: tuple[str, str] | None = None
    thousands: str | None = None
    decimal: str | None = None
    dates: str | None = None

    def given(self) -> dict[str, Any]:
        """Return the settings that are given, as JSON has them."""
        found = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: _plain(value) for name, value in found.items() if value is not None}

    def or_else(self, other: "Dialect") -> "Dialect":
        """Return this dialect, with what is not given taken from another."""
        return Dialect(
            **{each.name: _first(getattr(self, each.name), getattr(other, each.name)) for each in fields(self)}
        )


def read_dialect(given: Mapping[str, Any]) -> Dialect:
    """Return the dialect of which `given` told."""
    told = dict(given)
    for name in "nulls", "booleans":
        if name in told:
            told[name] = tuple(told[name])
    if "first_row" in told:
        told["first_row"] = FirstRow(told["first_row"])
    return Dialect(**told)


def parse_setting(name: str, text: str) -> Any:  # noqa: ANN401  # of the type that the setting has
    """Return the value of a setting from a flag or a parameter.

    Raises:
        ValueError: It cannot be meant.
    """
    return SETTINGS[name].parse(text)


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of a dialect.

    Args:
        parse: Reads it; raises ValueError if it cannot be meant.
        help: What it says, in half a sentence.
        example: Of a value.
    """

    parse: Callable[[str], Any]
    help: str
    example: str


def _first(mine: object, other: object) -> Any:  # noqa: ANN401  # of any setting
    return other if mine is None else mine


def _plain(value: object) -> object:
    if isinstance(value, tuple):
        return list(cast("tuple[object, ...]", value))
    return str(value) if isinstance(value, StrEnum) else value


def _character(text: str) -> str:
    character = WORDS.get(text.lower(), text)
    if len(character) != 1 or not character.isascii() or character in '\r\n\0"' or character.isalnum():
        raise ValueError(f"{text!r} is no delimiter: one character, or comma, semicolon, tab, pipe or space.")
    return character


def _mark(text: str) -> str:
    mark = WORDS.get(text.lower(), text)
    if len(mark) > 1 or not mark.isascii() or (mark and (mark.isalnum() or mark.isspace())):
        raise ValueError(f"{text!r} is no mark: one character, or none.")
    return mark


def _group(text: str) -> str:
    mark = WORDS.get(text.lower(), text)
    if mark not in {
        "",
        ",",
        ".",
        "'",
        " ",
        "_",
        "\N{NO-BREAK SPACE}",
        "\N{NARROW NO-BREAK SPACE}",
        "\N{RIGHT SINGLE QUOTATION MARK}",
    }:
        raise ValueError(f"{text!r} groups no digits: comma, point, space, apostrophe or none does.")
    return mark


def _decimal_mark(text: str) -> str:
    mark = WORDS.get(text.lower(), text)
    if mark not in {",", "."}:
        raise ValueError(f"{text!r} is no decimal mark: comma or point is.")
    return mark


def _encoding(text: str) -> str:
    try:
        found = codecs.lookup(text)
        "".encode(found.name)
    except (LookupError, UnicodeError, ValueError):
        raise ValueError(
            f"{text!r} is no encoding that is known; utf-8, utf-16, windows-1252 and others are."
        ) from None
    return ENCODINGS.get(found.name, found.name)


def _line_end(text: str) -> str:
    known = {"lf": "\n", "crlf": "\n", "cr": "\r"}
    if text.lower() not in known:
        raise ValueError(f"{text!r} ends no line: lf, crlf or cr does.")
    return known[text.lower()]


def _count(text: str) -> int:
    if not re.fullmatch("[0-9]{1,4}", text) or int(text) > MAX_SKIP:
        raise ValueError(f"{text!r} is no number of lines, from 0 to {MAX_SKIP}.")
    return int(text)


def _first_row(text: str) -> FirstRow:
    try:
        return FirstRow(text)
    except ValueError:
        raise ValueError(f"{text!r} is none of {', '.join(FirstRow)}.") from None


def _truth(text: str) -> bool:
    if text not in {"true", "false"}:
        raise ValueError(f"{text!r} is neither true nor false.")
    return text == "true"


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(","))


def _booleans(text: str) -> tuple[str, str]:
    true, _, false = text.partition("/")
    if not true or not false or true.lower() == false.lower():
        raise ValueError(f"{text!r} is no word for true, a slash, and one for false.")
    return true, false


def _dates(text: str) -> str:
    if text not in _DATE_ALIASES and not re.search(r"%[a-zA-Z]", text):
        raise ValueError(f"{text!r} is no form of dates: {', '.join(_DATE_ALIASES)}, or such as %d.%m.%Y.")
    return text


SETTINGS: Final[Mapping[str, Setting]] = {
    "delimiter": Setting(_character, "what separates cells, if its first bytes do not show it", "semicolon"),
    "quote": Setting(_mark, "what encloses a cell; none if every quote is an ordinary character", "single"),
    "escape": Setting(_mark, "what takes the meaning of the character behind it", "backslash"),
    "encoding": Setting(_encoding, "of the text", "windows-1252"),
    "line_end": Setting(_line_end, "what ends a line: lf, crlf or cr", "cr"),
    "skip": Setting(_count, "lines to pass over before the first row", "2"),
    "first_row": Setting(_first_row, "what the first row is: names, data, or names to skip", "data"),
    "fix_header": Setting(_truth, "give empty, double and dotted names ones that fields can have", "true"),
    "trim": Setting(_truth, "leave out blanks around cells", "true"),
    "nulls": Setting(_words, "cells that mean a missing value, beside empty ones", "NA,n/a"),
    "booleans": Setting(_booleans, "words for true and for false", "yes/no"),
    "thousands": Setting(_group, "what groups the digits of a number", "point"),
    "decimal": Setting(_decimal_mark, "what stands before the fraction of a number", "comma"),
    "dates": Setting(_dates, "how dates are written: iso, dmy, mdy, or such as %d.%m.%Y", "dmy"),
}
"""Every setting of a dialect, by its name."""
