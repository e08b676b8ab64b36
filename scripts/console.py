"""How the command talks: results to standard output, everything else to standard error."""

import json
import re
import sys
from typing import Any, Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from documents.errors import InputError, StoreError


class Lines(Console):
    """A console that breaks no line of text: terminals do that themselves, and what reads a pipe wants whole lines."""

    def print(self, *objects: Any, soft_wrap: bool | None = None, **options: Any) -> None:  # noqa: ANN401  # as Rich has it
        """Print texts, each line of them on one line, or anything else that Rich prints."""
        is_text = all(isinstance(each, str) for each in objects)
        super().print(*objects, soft_wrap=is_text if soft_wrap is None else soft_wrap, **options)


MESSAGES: Final = Lines(stderr=True, highlight=False)
RESULTS: Final = Lines(highlight=False)

WIDE: Final = 10_000
_NUMBER: Final = re.compile(r"(?:length )?[-+]?[0-9][0-9,.: eE+-]*%?(?: to [-+]?[0-9][0-9,.: eE+-]*)?")


def print_table(table: Table, console: Console = RESULTS) -> None:
    """Print a table with all of each value: numbers on one line, other cells wrapped; in a pipe nothing is wrapped."""
    for column in table.columns:
        cells = [cell for cell in column.cells if isinstance(cell, str)]
        column.overflow = "fold"
        if cells and all(_NUMBER.fullmatch(cell) for cell in cells):
            column.no_wrap, column.min_width = True, max(map(len, cells))
    whole = console if console.is_terminal else Console(file=console.file, width=WIDE, highlight=False)
    whole.print(table)


def announce(message: str) -> None:
    """Tell of a step that takes time."""
    MESSAGES.print(f"[dim]{escape(message)}[/dim]")


def errors_to(error: Exception) -> None:
    """Say what went wrong."""
    MESSAGES.print(f"[red]Error:[/red] {escape(error.detail if isinstance(error, StoreError) else str(error))}")
    for fault in error.faults if isinstance(error, InputError) else ():
        MESSAGES.print(f"  {escape(fault.pointer or '(whole)')}: {escape(fault.detail)}")


def printable(text: str, *, keep: str = "") -> str:
    """Return a text of unknown origin without what a terminal would obey.

    Args:
        text: The text.
        keep: What stays all the same, such as line feeds.
    """
    return text if text.isprintable() else "".join(c if c.isprintable() or c in keep else "·" for c in text)


def print_json(value: Any) -> None:  # noqa: ANN401  # JSON of any type
    """Print a result for programs."""
    sys.stdout.write(json.dumps(value, indent=2, default=str) + "\n")
