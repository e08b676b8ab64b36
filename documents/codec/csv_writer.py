"""CSV and TSV out: a row a document.

Fields of objects become columns of their own, with dots: `{"a": {"b": 1}}` has the column `a.b`. Arrays, empty objects,
and objects at a column that is named as a whole become JSON text. Other values are written as in plain JSON, strings
without quotes, null and missing fields as an empty cell, and an empty string as `""`. So CSV loses types, and what
reads it cannot tell null, missing and empty apart: to get documents back, export Extended JSON or BSON.

Source:
    RFC 4180, section 2.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, cast

import orjson

from documents.codec.plain import dump
from documents.codec.writers import Exported, values_of
from documents.types import MISSING, Document

_FORMULA: Final = re.compile(r"\s*+[=+\-@]|[\t\r]")


def find_columns(documents: Iterable[Exported]) -> list[str]:
    """Return the columns that documents have, in the order in which they come up."""
    columns: dict[str, None] = {}
    for document in documents:
        _add_columns(values_of(document), "", columns)
    return list(columns)


def _add_columns(members: Mapping[str, Any], prefix: str, columns: dict[str, None]) -> None:
    for key, value in members.items():
        if isinstance(value, dict) and value:
            _add_columns(cast("Document", value), f"{prefix}{key}.", columns)
        else:
            columns[prefix + key] = None


class CsvWriter:
    """Writes a header, and a row for each document.

    Args:
        columns: Dotted paths of the fields, in the order of the cells. What no column names is left out.
        delimiter: One ASCII character.
        guard_formulas: Put an apostrophe before strings that spreadsheets would run as formulas: those that begin with
            `=`, `+`, `-`, `@`, tab or carriage return. It changes the data, so it is only done when asked.
    """

    def __init__(self, columns: Sequence[str], *, delimiter: str = ",", guard_formulas: bool = False) -> None:
        self._columns = columns
        self._paths = [column.split(".") for column in columns]
        self._delimiter = delimiter
        self._special = re.compile(f'[{re.escape(delimiter)}"\r\n]|^\\s|\\s$')
        self._guard = guard_formulas

    def start(self) -> bytes:
        """Return the header."""
        return self._row([self._text(column) for column in self._columns])

    def write(self, documents: Iterable[Exported]) -> bytes:
        """Return some rows."""
        rows = (values_of(document) for document in documents)
        return b"".join([self._row([self._cell(_find(row, path)) for path in self._paths]) for row in rows])

    def end(self) -> bytes:
        """Return nothing."""
        return b""

    def _row(self, cells: Sequence[str]) -> bytes:
        # A row of one empty cell would be a blank line, which readers skip.
        line = self._delimiter.join(cells) or '""'
        return f"{line}\r\n".encode()

    def _cell(self, value: object) -> str:
        if value is None or value is MISSING:
            return ""
        if isinstance(value, str):
            return self._text(value)
        said = orjson.loads(dump(value))  # as a client reads it
        if isinstance(said, str):
            return self._text(said)
        return "" if said is None else self._quote(orjson.dumps(said).decode())

    def _text(self, text: str) -> str:
        return self._quote(f"'{text}" if self._guard and _FORMULA.match(text) else text)

    def _quote(self, text: str) -> str:
        if text and not self._special.search(text):
            return text
        doubled = text.replace('"', '""')
        return f'"{doubled}"'


def _find(value: object, path: Sequence[str]) -> object:
    """Return what is at a path, or MISSING. Keys may have dots themselves. Objects at the end count as a whole."""
    if not path or not isinstance(value, dict):
        return MISSING if path else value
    members = cast("dict[str, object]", value)
    for length in range(1, len(path) + 1):
        key = path[0] if length == 1 else ".".join(path[:length])
        if key in members and (found := _find(members[key], path[length:])) is not MISSING:
            return found
    return MISSING
