"""What the subcommands of `sheaf ingest` and `sheaf quarantine` have in common: a store, plans, and how they end."""

import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

import typer

from api.collector import spare_the_collector
from documents.database.deadline import Deadline, Running
from documents.errors import (
    DriftError,
    ExpectationError,
    JobConflictError,
    JobLostError,
    LoadStoppedError,
    NothingFitsError,
    QuarantineFullError,
    TooManyBadError,
)
from documents.ingest.ingestion import Ingestion
from documents.ingest.plans import Plan
from documents.ingest.sources.source import SourceError
from documents.lifecycle import Store, open_store
from documents.settings import Settings
from scripts.console import announce, errors_to
from scripts.exits import (
    DRIFTED,
    FAILED,
    INTERRUPTED,
    LOCKED,
    NOT_AS_EXPECTED,
    NOTHING_FITS,
    QUARANTINE_FULL,
    TOO_MANY_BAD,
)
from scripts.ingest_files import IngestFileError
from scripts.running import run

PLAN_SECONDS: Final = 60.0
SWITCH_SECONDS: Final = 0.001

STOPPED: Final = {
    TooManyBadError.code: TOO_MANY_BAD,
    NothingFitsError.code: NOTHING_FITS,
    QuarantineFullError.code: QUARANTINE_FULL,
    DriftError.code: DRIFTED,
    ExpectationError.code: NOT_AS_EXPECTED,
}
"""What a command exits with when a load went over a limit."""

T = TypeVar("T")


@asynccontextmanager
async def opened(settings: Settings, *, writes: bool) -> AsyncGenerator[Store]:
    """Open the store, for a command that writes or one that only looks, which then creates no indexes either."""
    async with open_store(settings, announce=announce, prepares=writes and settings.prepares) as store:
        yield store


async def carry_out(planning: Awaitable[Plan[T]]) -> T:
    """Return what a plan gives."""
    with Running(Deadline(PLAN_SECONDS), writes=False):
        plan = await planning
    return await plan.run(Deadline(PLAN_SECONDS))


def ask(settings: Settings, work: Callable[[Ingestion], Awaitable[T]], *, writes: bool = False) -> T:
    """Return what `work` gives with an open store."""

    async def with_store() -> T:
        async with opened(settings, writes=writes) as store:
            return await work(store.ingestion)

    return go(with_store())


def go(work: Coroutine[Any, Any, T]) -> T:
    """Return what `work` gives, and end the command with its code where it gives nothing.

    Raises:
        typer.Exit: Another process works on the job, a file cannot be loaded, a load went over a limit, or somebody
            has stopped the command.
    """
    try:
        return run(work)
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    except (IngestFileError, SourceError) as error:
        errors_to(error)
        raise typer.Exit(FAILED) from None
    except BusyError as error:
        errors_to(error.error)
        raise typer.Exit(LOCKED) from None
    except LoadStoppedError as error:
        errors_to(error)
        raise typer.Exit(STOPPED[error.code]) from None


class BusyError(Exception):
    """Another process works on the job."""

    def __init__(self, error: JobConflictError | JobLostError) -> None:
        super().__init__(error.detail)
        self.error = error


async def watched(progresses: AsyncGenerator[T]) -> AsyncGenerator[T]:
    """Yield the progress of a job that was to be worked on a moment ago.

    Raises:
        BusyError: Another process was faster, or has taken it over.
    """
    try:
        async for progress in progresses:
            yield progress
    except (JobConflictError, JobLostError) as error:
        raise BusyError(error) from error
    finally:
        await progresses.aclose()


def hurry() -> None:
    """Set up a process that does little but read records and write them."""
    spare_the_collector()
    # The threads that parse hold the interpreter; whoever waits for MongoDB shall not wait for them, too.
    sys.setswitchinterval(SWITCH_SECONDS)
