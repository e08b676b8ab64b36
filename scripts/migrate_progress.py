"""What is seen while revisions run: a line for each operation, and a bar for the one that is running."""

import time
from dataclasses import replace
from datetime import timedelta
from types import TracebackType
from typing import Final, Self

from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from documents.indexes.apply import IndexEvent
from documents.migrations.backfill import BackfillProgress
from documents.migrations.events import Direction, EventState, MigrationEvent
from documents.migrations.steps import Report
from documents.migrations.wording import describe
from scripts.console import MESSAGES

LINE_SECONDS: Final = 30.0
"""Time between two lines about one operation, where no bar can be drawn."""


class MigrationProgress:
    """Draws events as they come. Enter it before the first, and leave it after the last.

    Args:
        is_silent: Draw nothing, and only keep what is there to be told afterwards.

    Attributes:
        finished: The events of operations that are done, each with its last report.
        seen: How many events there were.
    """

    def __init__(self, *, is_silent: bool) -> None:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[pace]}"),
        )
        self.finished: list[MigrationEvent] = []
        self.seen = 0
        self._is_silent = is_silent
        self._bars = Progress(*columns, console=MESSAGES, transient=True, disable=is_silent or not MESSAGES.is_terminal)
        self._task: TaskID | None = None
        self._last: Report | None = None
        self._said = time.monotonic()
        self._waiting: str | None = None

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def show(self, event: MigrationEvent) -> None:
        """Draw one event."""
        self.seen += 1
        if event.state is EventState.STARTED:
            self._start(event)
        elif event.state is EventState.PROGRESS:
            self._last = event.report
            self._advance(event)
        else:
            self._finish(event)

    def _start(self, event: MigrationEvent) -> None:
        self._last, self._waiting, self._said = None, None, time.monotonic()
        if event.operation is None:
            back = "Back: " if event.direction is Direction.DOWNGRADE else ""
            self._print(f"[bold]{back}{event.revision.id}[/bold] {escape(event.revision.message)}")
        else:
            self._task = self._bars.add_task(escape(_name(event)), total=None, pace="")

    def _advance(self, event: MigrationEvent) -> None:
        if self._task is None or event.report is None:
            return
        done, total, pace = _pace(event.report)
        self._bars.update(self._task, completed=done or 0, total=total, pace=pace)
        waiting = event.report.waiting_for if isinstance(event.report, BackfillProgress) else None
        if waiting != self._waiting:
            self._waiting = waiting
            self._print(f"  {'Waiting for ' + escape(waiting) if waiting else 'Going on'}.")
        if not MESSAGES.is_terminal and time.monotonic() - self._said > LINE_SECONDS:
            self._said = time.monotonic()
            self._print(f"  {escape(_name(event))}: {done or 0:,} of {total or 0:,} {pace}")

    def _finish(self, event: MigrationEvent) -> None:
        if event.operation is None:
            return
        self.finished.append(replace(event, report=self._last))
        if self._task is not None:
            self._bars.remove_task(self._task)
            self._task = None
        self._print(f"  {event.phase:<9} {escape(_name(event))}{escape(_outcome(self._last))}")

    def _print(self, text: str) -> None:
        if not self._is_silent:
            MESSAGES.print(text, soft_wrap=True)


def _name(event: MigrationEvent) -> str:
    if event.operation is None:
        return ""
    back = "take back: " if event.direction is Direction.DOWNGRADE else ""
    return f"{event.operation.collection}: {back}{describe(event.operation)}"


def _pace(report: Report) -> tuple[int | None, int | None, str]:
    if isinstance(report, IndexEvent):
        return report.done, report.total, report.detail or ""
    if report.waiting_for:
        return report.done, report.total, f"waiting for {report.waiting_for}"
    left = "" if report.eta is None else f", {timedelta(seconds=round(report.eta.total_seconds()))} left"
    return report.done, report.total, f"{report.rate:,.0f}/s{left}"


def _outcome(report: Report | None) -> str:
    if isinstance(report, BackfillProgress):
        return f": {report.modified:,} document{'' if report.modified == 1 else 's'}"
    return "" if report else ": nothing to do"
