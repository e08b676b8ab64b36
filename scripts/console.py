"""How the command talks: results to standard output, everything else to standard error."""

import json
import sys
from typing import Any, Final

from rich.console import Console
from rich.markup import escape

from documents.errors import InputError, StoreError

MESSAGES: Final = Console(stderr=True, highlight=False)
RESULTS: Final = Console(highlight=False)


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
        text: It.
        keep: What stays all the same, such as line feeds.
    """
    return text if text.isprintable() else "".join(c if c.isprintable() or c in keep else "·" for c in text)


def print_json(value: Any) -> None:  # noqa: ANN401  # JSON of any type
    """Print a result for programs."""
    sys.stdout.write(json.dumps(value, indent=2, default=str) + "\n")
