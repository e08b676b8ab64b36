"""What the subcommands of `sheaf migrate` have in common: a connection, the lock, and how they end."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TypeAlias, TypeVar

import typer

from documents.database.connection import Connection
from documents.lifecycle import open_connection
from documents.migrations.errors import InvalidRevisionError
from documents.migrations.events import MigrationEvent
from documents.migrations.graph import RevisionGraph
from documents.migrations.lock import MigrationLock, hold_lock, read_holder
from documents.migrations.revisions import load_revisions
from documents.migrations.throttle import Throttle
from documents.settings import Settings
from scripts.console import MESSAGES, announce, print_json
from scripts.exits import INTERRUPTED
from scripts.migrate_progress import MigrationProgress
from scripts.options import migrations_of, settings_of
from scripts.production import require_yes
from scripts.running import run as run_work

T = TypeVar("T")

Work: TypeAlias = Callable[[Connection, RevisionGraph], Awaitable[T]]
Run: TypeAlias = Callable[[Connection, RevisionGraph, MigrationLock], AsyncGenerator[MigrationEvent]]


@dataclass(frozen=True, slots=True)
class MigrationTarget:
    """What a command is about: the database, the revisions, and for whom it prints."""

    settings: Settings
    graph: RevisionGraph
    as_json: bool

    def run(self, work: Work[T]) -> T:
        """Return what `work` gives. SIGTERM ends it as Ctrl-C does, so that the lock is given back."""
        try:
            return run_work(self._open(work))
        except KeyboardInterrupt:
            MESSAGES.print("Interrupted. What was done stays done. To go on: [bold]sheaf migrate resume[/bold]")
            raise typer.Exit(INTERRUPTED) from None

    async def _open(self, work: Work[T]) -> T:
        async with open_connection(self.settings) as connection:
            return await work(connection, self.graph)

    def migrate(self, purpose: str, run: Run, *, wait: float) -> None:
        """Run revisions under the lock, and show what happens."""

        async def work(connection: Connection, graph: RevisionGraph) -> None:
            if wait:
                await _tell_holder(connection)
            holding = hold_lock(connection.database, purpose=purpose, wait=timedelta(seconds=wait))
            with progress:
                async with holding as lock, aclosing(run(connection, graph, lock)) as events:
                    async for event in events:
                        progress.show(event)

        progress = MigrationProgress(is_silent=self.as_json)
        try:
            self.run(work)
        finally:
            if self.as_json:
                print_json([event.to_dict() for event in progress.finished])
        if not progress.seen and not self.as_json:
            MESSAGES.print("Nothing to do.")

    def record(self, purpose: str, work: Callable[[Connection, MigrationLock], Awaitable[T]], *, wait: float) -> T:
        """Change records under the lock."""

        async def locked(connection: Connection, _: RevisionGraph) -> T:
            async with hold_lock(connection.database, purpose=purpose, wait=timedelta(seconds=wait)) as lock:
                return await work(connection, lock)

        return self.run(locked)


async def _tell_holder(connection: Connection) -> None:
    """Say whom there is to wait for, if anybody."""
    holder = await read_holder(connection.database)
    if holder is not None:
        announce(f"Waiting for process {holder.pid} on {holder.host}: {holder.purpose}.")


def target_of(  # each is a flag
    folder: Path | None,
    data_dir: Path | None,
    mongodb_uri: str | None,
    database: str | None,
    *,
    as_json: bool = False,
    needs_revisions: bool = True,
) -> MigrationTarget:
    """Return what the flags of a command name; without a folder, the revisions are the project's."""
    settings = settings_of(data_dir, mongodb_uri, database)
    graph = load_folder(settings, folder) if needs_revisions else RevisionGraph()
    return MigrationTarget(settings, graph, as_json)


def target_to_change(  # each is a flag
    folder: Path | None,
    data_dir: Path | None,
    mongodb_uri: str | None,
    database: str | None,
    *,
    yes: bool,
    as_json: bool = False,
    needs_revisions: bool = True,
) -> MigrationTarget:
    """Return the same, for a command that changes something there.

    Raises:
        ProductionError: It looks like production, and nobody said `--yes`.
    """
    target = target_of(folder, data_dir, mongodb_uri, database, as_json=as_json, needs_revisions=needs_revisions)
    require_yes(target.settings, yes=yes)
    return target


def load_folder(settings: Settings, folder: Path | None) -> RevisionGraph:
    """Return the revisions of the folder that a flag names, which has to be there, or else of the project."""
    if folder is not None and not folder.is_dir():
        raise InvalidRevisionError(folder, "there is no such folder.")
    return load_revisions(migrations_of(settings, folder))


def throttle_of(rate: float | None, max_lag: float | None) -> Throttle:
    """Return the throttle that the flags of a command ask for."""
    return Throttle(rate=rate, max_lag=None if max_lag is None else timedelta(seconds=max_lag))
