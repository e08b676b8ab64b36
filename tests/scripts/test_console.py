"""What the command prints, whole however narrow the place is."""

import io

import pytest
from rich.console import Console
from rich.table import Table

from scripts.console import Lines, print_table

LONG = "a sentence of many words " * 20


def test_lines_are_not_broken() -> None:
    to = io.StringIO()
    Lines(file=to, width=80).print(f"[red]Error:[/red] {LONG}")
    assert to.getvalue() == f"Error: {LONG}\n"


@pytest.mark.parametrize("number", ["1,234,567", "-1.5e-10", "66.7 %", "1927 to 1979", "length 7 to 10"])
def test_tables_cut_no_number(number: str) -> None:
    for is_terminal in (False, True):
        to = io.StringIO()
        table = Table("Text", "Number", "More", box=None, pad_edge=False)
        table.add_row(LONG, number, LONG)
        print_table(table, Console(file=to, width=40, force_terminal=is_terminal, color_system=None))
        assert number in to.getvalue()
        if not is_terminal:
            assert to.getvalue().splitlines()[1].split("  ")[0] == LONG.strip()
