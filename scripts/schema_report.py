"""What `sheaf schema` shows: profiles in every form, and differences between them."""

import json
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from documents.profile.diff import Difference, Severity
from documents.profile.html import render_page
from documents.profile.report import Report
from documents.profile.schema import to_contract, to_json_schema, to_mongo_schema
from documents.profile.table import Row, rows
from scripts.console import MESSAGES, RESULTS, print_json, print_table
from scripts.schema_source import Seen

FILE_WIDTH: Final = 200
COLUMNS: Final[Mapping[str, Callable[[Row], str]]] = {
    "Path": lambda row: row.path,
    "Presence": lambda row: row.presence,
    "Types": lambda row: row.types,
    "Formats": lambda row: row.formats,
    "Different": lambda row: row.distinct,
    "Range": lambda row: row.range,
    "Example": lambda row: row.example,
}
_STYLES: Final = {Severity.BREAKING: "red", Severity.WARNING: "yellow", Severity.INFO: "dim"}


class Form(StrEnum):
    """How a profile is shown."""

    TABLE = "table"
    JSON_SCHEMA = "json-schema"
    MONGO = "mongo"
    CONTRACT = "contract"
    HTML = "html"
    PROFILE = "profile"


_JSON: Final[Mapping[Form, Callable[[Seen], Any]]] = {
    Form.JSON_SCHEMA: lambda seen: to_json_schema(seen.report, title=seen.name),
    Form.MONGO: lambda seen: {"$jsonSchema": to_mongo_schema(seen.report)},
    Form.CONTRACT: lambda seen: to_contract(seen.report),
    Form.PROFILE: lambda seen: seen.to_file(),
}


def show_seen(seen: Seen, form: Form, output: Path | None) -> None:
    """Print a profile, or write it to a file. What it cannot tell is always told, beside it or in it."""
    if form is Form.TABLE and output is None:
        show_table(seen.report, RESULTS)
    elif output is None:
        text = _text(seen, form)
        print_json(text) if not isinstance(text, str) else RESULTS.out(text, highlight=False, end="")
        _say_notes(seen.report)
    else:
        _write(seen, form, output)
        _say_notes(seen.report)
        MESSAGES.print(f"Written to {escape(str(output))}.", soft_wrap=True)


def _text(seen: Seen, form: Form) -> Any:  # noqa: ANN401  # a page, or what becomes JSON
    return render_page(seen.report, title=seen.name) if form is Form.HTML else _JSON[form](seen)


def _write(seen: Seen, form: Form, output: Path) -> None:
    if form is Form.TABLE:
        with output.open("w", encoding="utf-8") as file:
            show_table(seen.report, Console(file=file, width=FILE_WIDTH, highlight=False))
        return
    text = _text(seen, form)
    output.write_text(text if isinstance(text, str) else json.dumps(text, indent=2) + "\n", "utf-8")


def show_table(report: Report, console: Console) -> None:
    """Print a profile, and what it cannot tell."""
    found = rows(report)
    shown = {head: [text_of(row) for row in found] for head, text_of in COLUMNS.items()}
    kept = {head: texts for head, texts in shown.items() if any(texts)}
    table = Table(*kept, box=None, pad_edge=False)
    for cells in zip(*kept.values(), strict=True):
        table.add_row(*map(escape, cells))
    if found:
        print_table(table, console)
    for note in report.notes:
        console.print(escape(note), style="dim", soft_wrap=True)


def _say_notes(report: Report) -> None:
    for note in report.notes:
        MESSAGES.print(escape(note), style="dim", soft_wrap=True)


def show_differences(differences: Sequence[Difference], before: Seen, after: Seen) -> None:
    """Print what has changed, the worst first, and of how many documents that is known."""
    if differences:
        table = Table("Severity", "Path", "What", "Before", "After", box=None, pad_edge=False)
        for each in differences:
            severity = f"[{_STYLES[each.severity]}]{each.severity.name.lower()}[/{_STYLES[each.severity]}]"
            table.add_row(severity, *map(escape, (each.path, each.kind, each.before, each.after)))
        print_table(table)
    else:
        MESSAGES.print("Nothing differs beyond the thresholds.")
    for word, seen in (("Before", before), ("After", after)):
        MESSAGES.print(f"{word}: {escape(seen.name)}: {escape(seen.report.notes[0])}", style="dim", soft_wrap=True)
