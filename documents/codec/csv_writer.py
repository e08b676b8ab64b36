r"""CSV and TSV out: a row a document.

Fields of objects become columns of their own, with dots: `{"a": {"b": 1}}` has the column `a.b`. Arrays, empty objects,
and objects at a column that is named as a whole become JSON text. Where a document has a key `a.b` beside that, the
column of the key is `a\.b`. Other values are written as in plain JSON, strings without quotes, null and missing fields
as an empty cell, and an empty string as `""`. So CSV loses types, and what reads it cannot tell null, missing and empty
apart: to get documents back, export Extended JSON or BSON.

Source:
    RFC 4180, section 2.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Final, cast

import orjson

from documents.codec.header import split_column
from documents.codec.plain import dump
from documents.codec.writers import Exported, values_of
from documents.types import MISSING, Document

_FORMULA: Final = re.compile(r"\s*+[=+\-@]|[\t\r]")


def find_columns(documents: Iterable[Exported]) -> list[str]:
    """Return the columns that documents have, in the order in which they come up."""
    columns: dict[str, None] = {}
    for document in documents:
        paths: list[tuple[str, ...]] = []
        _add_paths(values_of(document), (), paths)
        names = [".".join(path) for path in paths]
        if len(set(names)) < len(names):
            names = _distinct(paths, names)
        columns.update(dict.fromkeys(names))
    return list(columns)


def _add_paths(members: Mapping[str, Any], prefix: tuple[str, ...], paths: list[tuple[str, ...]]) -> None:
    for key, value in members.items():
        if isinstance(value, dict) and value:
            _add_paths(cast("Document", value), (*prefix, key), paths)
        else:
            paths.append((*prefix, key))


def _distinct(paths: Sequence[tuple[str, ...]], names: Sequence[str]) -> list[str]:
    """Return the names of columns with the dots in keys escaped where two fields of one document have the same name."""
    times = Counter(names)
    return [".".join(map(_escape, path)) if times[name] > 1 else name for path, name in zip(paths, names, strict=True)]


def _escape(key: str) -> str:
    return key.replace("\\", "\\\\").replace(".", "\\.")


def _finders(columns: Sequence[str]) -> list[Callable[[object], object]]:
    """Return what finds the cell of each column in a document.

    Where two fields of one document have the same name, each column finds the one that it names, and no other.
    """
    shared = {".".join(split_column(column)) for column in columns if "\\." in column}
    return [
        partial(_find_exactly, path=split_column(column), otherwise=None if column in shared else column.split("."))
        if "\\." in column or column in shared
        else partial(_find, path=column.split("."))
        for column in columns
    ]


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
        self._finders = _finders(columns)
        self._delimiter = delimiter
        self._special = re.compile(f'[{re.escape(delimiter)}"\r\n]|^\\s|\\s$')
        self._guard = guard_formulas

    def start(self) -> bytes:
        """Return the header."""
        return self._row([self._text(column) for column in self._columns])

    def write(self, documents: Iterable[Exported]) -> bytes:
        """Return some rows."""
        rows = (values_of(document) for document in documents)
        return b"".join([self._row([self._cell(find(row)) for find in self._finders]) for row in rows])

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


def _find_exactly(value: object, path: Sequence[str], otherwise: Sequence[str] | None) -> object:
    """Return what is at these very keys; if nothing is, what `_find` finds at `otherwise`."""
    found = value
    for key in path:
        found = cast("Document", found).get(key, MISSING) if isinstance(found, dict) else MISSING
    return _find(value, otherwise) if found is MISSING and otherwise is not None else found
