"""Index plans carried out before the eyes of whoever typed the command."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import timedelta
from typing import Any, Final

from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from documents.errors import DuplicateValuesError
from documents.indexes.apply import IndexEvent, State, apply_plan
from documents.indexes.changes import Action, IndexPlan
from documents.lifecycle import Store
from scripts.console import MESSAGES, errors_to
from scripts.index_report import duplicates_to_dict, show_duplicates

POLL: Final = timedelta(seconds=0.5)


class IndexWork:
    """Carries plans out, and shows how far it is.

    Args:
        store: Whose collections.
        as_json: Show nothing but errors; `events` has what happened.
    """

    def __init__(self, store: Store, *, as_json: bool) -> None:
        self._store = store
        self._as_json = as_json
        self._building: tuple[str, ...] = ()
        self._phase: str | None = None
        self.events: list[dict[str, Any]] = []
        self.failed = False

    async def carry_out(self, name: str, found: IndexPlan) -> None:
        """Do what the plan of one collection says.

        Documents that stand in the way of a unique index are listed; `failed` is True then.
        """
        columns = (
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
        )  # fmt: skip
        with Progress(
            *columns, console=MESSAGES, transient=True, disable=self._as_json or not MESSAGES.is_terminal
        ) as progress:
            task = progress.add_task("", total=None, visible=False)
            try:
                async for event in self._events(name, found):
                    self._draw(progress, task, name, event)
            except DuplicateValuesError as error:
                self._report(name, error)
            except asyncio.CancelledError:
                self._say_stopped(name)
                raise

    async def _events(self, name: str, found: IndexPlan) -> AsyncIterator[IndexEvent]:
        collection = self._store.connection.collection(name)
        async with aclosing(apply_plan(collection, found, poll=POLL)) as events:
            async for event in events:
                is_build = event.action in (Action.CREATE, Action.REBUILD)
                self._building = event.names if is_build and event.state in (State.STARTED, State.PROGRESS) else ()
                if event.state is not State.PROGRESS:
                    self.events.append({"collection": name, **event.to_dict()})
                yield event

    def _draw(self, progress: Progress, task: TaskID, name: str, event: IndexEvent) -> None:
        if event.state is State.PROGRESS:
            if event.detail != self._phase:
                self._phase = event.detail
                progress.reset(task)  # each phase has a speed of its own
            words = escape(f"{name}: {event.detail}")
            progress.update(task, description=words, completed=event.done, total=event.total, visible=True)
            return
        progress.update(task, visible=False)
        if not self._as_json:
            why = f" ({event.detail})" if event.detail else ""
            MESSAGES.print(
                escape(f"{name}: {event.action} {', '.join(event.names)}: {event.state}{why}"), soft_wrap=True
            )

    def _report(self, name: str, error: DuplicateValuesError) -> None:
        self.failed = True
        self.events.append(
            {"collection": name, "state": "failed", "code": error.code, "groups": duplicates_to_dict(error)}
        )
        if not self._as_json:
            errors_to(error)
            show_duplicates(name, error)

    def _say_stopped(self, name: str) -> None:
        what = (
            f"The build of {name}: {', '.join(self._building)} was aborted in MongoDB" if self._building else "Stopped"
        )
        MESSAGES.print(escape(f"{what}. What was done before stays; run it again to go on."), soft_wrap=True)
