"""Flags about tables, and what is shown of a table before it is loaded."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

import typer

from documents.codec.csv_reader import HeaderError
from documents.codec.dialect import SETTINGS, Dialect
from documents.codec.formats import FORMATS, formats_with
from documents.codec.options import ReadOptions
from documents.codec.plain import dump
from documents.codec.table_look import Doubt, TableLook, look_at_table, name_of
from scripts.console import MESSAGES, printable
from scripts.ingest_files import IngestFileError, Input

PANEL: Final = "Tables"
_TOLD: Final = frozenset({"delimiter", "encoding", "line_end"})


def setting(name: str) -> Any:  # noqa: ANN401  # Typer's own class of options
    """Return the flag of a setting of the dialect."""
    told = SETTINGS[name]
    forms = ", ".join(formats_with(name))
    text = f"{told.help[0].upper()}{told.help[1:]}, as {told.example}. \\[{forms}]"
    return typer.Option(f"--{name.replace('_', '-')}", help=text, show_default=False, rich_help_panel=PANEL)


def read_dialect(given: Mapping[str, str | None]) -> Dialect:
    """Return the dialect that flags tell of.

    Raises:
        typer.BadParameter: A flag cannot be meant.
    """
    told: dict[str, Any] = {}
    for name, text in given.items():
        if text is not None:
            try:
                told[name] = SETTINGS[name].parse(text)
            except ValueError as error:
                raise typer.BadParameter(f"--{name.replace('_', '-')}: {error}") from None
    return Dialect(**told)


def settle(found: Input, options: ReadOptions, *, accept: bool, asks: bool, is_silent: bool) -> ReadOptions:
    """Return how a table is read, after it was shown; other formats as they are told.

    Args:
        found: The file.
        options: What was said of it.
        accept: Whether what is doubtful is taken as it seems.
        asks: Whether somebody may be asked.
        is_silent: Whether nothing is to be shown.

    Raises:
        IngestFileError: The dialect is doubtful, and nobody has said that it is right.
    """
    delimiter = FORMATS[found.form].delimiter
    if delimiter is None:
        return options
    try:
        look = look_at_table(found.head, options, delimiter)
    except (HeaderError, ValueError) as error:
        raise IngestFileError(f"{found.name}: {_as_flags(str(error))}") from error
    is_odd = look.options.dialect != options.dialect or bool(look.doubts)
    if is_odd and not is_silent:
        for line in show_look(found.name, look, delimiter):
            MESSAGES.print(printable(line), markup=False, soft_wrap=True)
    if not look.doubts or accept:
        return look.options
    if asks and sys.stdin.isatty() and MESSAGES.is_terminal:
        if typer.confirm("Load it like this?", err=True):
            return look.options
        raise IngestFileError(f"{found.name} was not loaded. {advice(look.doubts)}")
    raise IngestFileError(f"{found.name} was not loaded, since it is not certain how to read it. {advice(look.doubts)}")


def advice(doubts: Sequence[Doubt]) -> str:
    """Return what is doubtful, and which flags settle it."""
    flags = " ".join(dict.fromkeys(f"--{doubt.setting.replace('_', '-')}" for doubt in doubts))
    said = " ".join(_as_flags(doubt.detail) for doubt in doubts)
    return f"{said} Say {flags}, or --accept to take it as it seems."


def show_look(name: str, look: TableLook, delimiter: str) -> list[str]:
    """Return how a table is read, and its first rows."""
    dialect = look.options.dialect.or_else(Dialect(delimiter=delimiter, encoding="utf-8"))
    told = [f"{name_of(dialect.delimiter or delimiter)}-separated", f"{dialect.encoding}"]
    told += [
        f"{key} {value}" for key, value in dialect.given().items() if key not in {"delimiter", "encoding", "line_end"}
    ]
    told += ["lines end in CR"] if dialect.line_end == "\r" else []
    told += ["dots in names nest"] if look.options.nested else []
    columns = ", ".join(f"{column.name} {column.type}" for column in look.columns)
    rows = [f"  {dump(row).decode()}" for row in look.rows]
    return [f"{name} is read as a table: {', '.join(told)}.", f"  {columns}", *rows]


def _as_flags(text: str) -> str:
    for name in ("fix_header", "nested", "header"):
        text = text.replace(f" {name} ", f" --{name.replace('_', '-')} ")
    return text
