"""What is seen while records are loaded: a bar, or a line now and then where no bar can be drawn."""

import time
from collections.abc import Sequence
from datetime import timedelta
from types import TracebackType
from typing import Final, Self

from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from documents.codec.csv_columns import Column
from documents.ingest.batches import Counts
from documents.ingest.jobs import Pace
from documents.ingest.meter import Progress as LoadProgress
from documents.ingest.preview import Preview
from documents.ingest.undo import Undone
from scripts.console import MESSAGES, printable

LINE_SECONDS: Final = 30.0
"""Time between two lines, where no bar can be drawn."""

KILO: Final = 1000


class Bars:
    """Draws how far one thing after the other is. Enter it before the first, and leave it after the last.

    Args:
        is_silent: Draw nothing.
    """

    def __init__(self, *, is_silent: bool) -> None:
        columns = (TextColumn("[dim]{task.description}[/dim]"), BarColumn(), TextColumn("{task.fields[told]}"))
        self._is_silent = is_silent
        self._bars = Progress(*columns, console=MESSAGES, transient=True, disable=is_silent or not MESSAGES.is_terminal)
        self._task: TaskID | None = None
        self._name = ""
        self._said = time.monotonic()
        self._waiting: str | None = None
        self._has_columns = False

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def begin(self, name: str) -> None:
        """Begin a bar."""
        self.end()
        self._name, self._said, self._waiting, self._has_columns = name, time.monotonic(), None, False
        self._task = self._bars.add_task(escape(printable(name)), total=None, told="")

    def end(self) -> None:
        """Take the bar away."""
        if self._task is not None:
            self._bars.remove_task(self._task)
            self._task = None

    def say(self, text: str) -> None:
        """Say something above the bar."""
        if not self._is_silent:
            MESSAGES.print(printable(text), markup=False, soft_wrap=True)

    def show_load(self, progress: LoadProgress, *, infer: bool) -> None:
        """Draw how far a load is."""
        pace = progress.pace
        self.show_columns(progress.columns, infer=infer)
        if pace.waiting_for != self._waiting:
            self._waiting = pace.waiting_for
            self.say(f"Waiting: {pace.waiting_for}" if pace.waiting_for else "Going on.")
        self._draw(pace.read_bytes, pace.total_bytes, ", ".join([*_counted(progress.counts), *_paced(pace)]))

    def show_replay(self, progress: LoadProgress, total: int) -> None:
        """Draw how far a replay is."""
        done = progress.counts.received
        self._draw(done, total, ", ".join([*_counted(progress.counts), *_paced(progress.pace, has_bytes=False)]))

    def show_preview(self, preview: Preview, *, infer: bool) -> None:
        """Draw how far a dry run is."""
        self.show_columns(preview.columns, infer=infer)
        told = [f"{preview.received:,} records", f"{preview.quarantined.total():,} would be put aside"]
        self._draw(preview.read_bytes, preview.total_bytes, ", ".join(told))

    def show_undone(self, undone: Undone, total: int) -> None:
        """Draw how much of a load is taken back."""
        self._draw(undone.inserted, total, f"{undone.deleted:,} deleted, {undone.kept:,} kept")

    def show_columns(self, columns: Sequence[Column], *, infer: bool) -> None:
        """Say once how the columns of a table are read."""
        if columns and not self._has_columns:
            self._has_columns = True
            for line in describe_columns(columns, infer=infer):
                self.say(line)

    def _draw(self, done: int, total: int | None, told: str) -> None:
        if self._task is not None:
            self._bars.update(self._task, completed=done, total=total, told=told)
        if not MESSAGES.is_terminal and time.monotonic() - self._said > LINE_SECONDS:
            self._said = time.monotonic()
            share = f"{done / total:.0%}, " if total else ""
            self.say(f"{self._name}: {share}{told}")


def describe_columns(columns: Sequence[Column], *, infer: bool) -> list[str]:
    """Return how the columns of a table are read, and why so."""
    if not infer and all(column.type == "string" for column in columns):
        return [f"{len(columns)} columns, all read as text. Types are declared with --types, or inferred with --infer."]
    lines = [f"Columns: {', '.join(f'{column.name} {column.type}' for column in columns)}."]
    sampled = max((column.sampled or 0 for column in columns), default=0)
    if sampled:
        inferred = [column.name for column in columns if column.sampled is not None]
        which = "All types" if len(inferred) == len(columns) else f"The types of {', '.join(inferred)}"
        lines.append(
            f"{which} were inferred from the first {sampled:,} rows. A later row that does not fit is put aside."
        )
    return lines


def size_text(size_bytes: float) -> str:
    """Return a number of bytes for people."""
    for unit in ("B", "kB", "MB"):
        if size_bytes < KILO:
            return f"{size_bytes:,.0f} {unit}" if unit == "B" else f"{size_bytes:,.1f} {unit}"
        size_bytes /= KILO
    return f"{size_bytes:,.1f} GB"


def _counted(counts: Counts) -> list[str]:
    others = {"put aside": counts.quarantined, "duplicates": counts.duplicates}
    return [f"{counts.received:,} records", *(f"{count:,} {word}" for word, count in others.items() if count)]


def _paced(pace: Pace, *, has_bytes: bool = True) -> list[str]:
    told: list[str] = []
    if has_bytes:
        whole = "" if pace.total_bytes is None else f" of {size_text(pace.total_bytes)}"
        told.append(f"{size_text(pace.read_bytes)}{whole}")
    if pace.waiting_for:
        return [*told, f"waiting: {pace.waiting_for}"]
    told.append(f"{pace.rate:,.0f}/s")
    if pace.eta_seconds is not None:
        told.append(f"{timedelta(seconds=round(pace.eta_seconds))} left")
    return told
