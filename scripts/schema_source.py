"""Profiles for `sheaf schema`: of a collection, with its progress shown, or of a file."""

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from api.bodies import parse_filter_text
from documents.catalog.addresses import SHOWN_IDS
from documents.catalog.catalog import Catalog
from documents.collections.profile_walk import profile_all
from documents.collections.profiling import sample_into
from documents.database.connection import Connection
from documents.database.deadline import Deadline, Running
from documents.errors import Fault, InvalidParameterError, JobNotFoundError
from documents.ingest.profiles import read_load_profile
from documents.lifecycle import open_connection, open_store
from documents.profile.accumulator import Profile
from documents.profile.report import Report, read_profile
from documents.profile.storage import from_dict, to_dict
from documents.profile.table import report_to_dict
from documents.query.filter.filter import parse_filter
from documents.settings import Settings
from documents.types import Document
from scripts.console import MESSAGES, announce

SAMPLE: Final = 10_000
SAMPLE_SECONDS: Final = 600.0
LOOK_UP_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Scope:
    """What of a collection to look at.

    Args:
        sample: Documents, chosen at random if there are more.
        full: All documents instead.
        fresh: Anew, whatever an earlier run has seen.
        redact: Keep no values.
        filter: Which documents, as JSON; None for all.
        is_silent: Draw no progress.
    """

    sample: int = SAMPLE
    full: bool = False
    fresh: bool = False
    redact: bool = False
    filter: str | None = None
    is_silent: bool = False


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of some documents.

    Args:
        name: Of the collection.
        profile: The profile.
        report: The same, to be read.
    """

    name: str
    profile: Profile
    report: Report

    def to_dict(self) -> dict[str, Any]:
        """Return what was seen as JSON values."""
        return {"collection": self.name, **report_to_dict(self.report)}

    def to_file(self) -> dict[str, Any]:
        """Return the same with what `load_seen` needs."""
        return {**self.to_dict(), "stored": to_dict(self.profile)}


class Rate(ProgressColumn):
    """Documents a second."""

    def render(self, task: Task) -> Text:
        """Draw it."""
        return Text(f"{task.speed or 0:,.0f}/s", style="dim")


def draw_progress(*, is_silent: bool) -> Progress:
    """Return a bar with rate and remaining time, which only a terminal shows."""
    columns = (
        TextColumn("[dim]{task.description}[/dim]"), BarColumn(), MofNCompleteColumn(), Rate(), TimeRemainingColumn()
    )  # fmt: skip
    return Progress(*columns, console=MESSAGES, transient=True, disable=is_silent or not MESSAGES.is_terminal)


def load_seen(file: Path) -> Seen:
    """Return the profile that `sheaf schema infer --format profile` has saved.

    Raises:
        InvalidParameterError: It is none.
    """
    try:
        data = json.loads(file.read_text("utf-8"))
        profile = from_dict(data["stored"])
        return Seen(str(data["collection"]), profile, read_profile(profile, population=data["population"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        detail = f"{file} is no profile that was saved with sheaf schema infer --format profile: {error!r}"
        raise InvalidParameterError(detail, [Fault("", "invalid", detail)]) from error


@asynccontextmanager
async def open_target(settings: Settings, collection: str, scope: Scope) -> AsyncGenerator[tuple[Connection, Document]]:
    """Give a connection, and the query that a scope's filter compiles to.

    Raises:
        CollectionNotFoundError: There is no such collection.
        InvalidFilterError: The filter is none.
    """
    if scope.filter is None:
        async with open_connection(settings, announce=announce) as connection:
            with Running(Deadline(LOOK_UP_SECONDS), writes=False):
                await Catalog(connection, ()).get_bare(collection)
            yield connection, {}
        return
    # Values are read as the collection's model says.
    async with open_store(settings, announce=announce) as store:
        with Running(Deadline(LOOK_UP_SECONDS), writes=False):
            entry = await store.catalog.get(collection)
        yield store.connection, parse_filter(parse_filter_text(scope.filter), entry.coerce, ids=SHOWN_IDS).to_mongo()


async def look_at_load(settings: Settings, job_id: str) -> Seen:
    """Return what was seen of the documents of a load while it was loaded.

    Raises:
        JobNotFoundError: There is no such load, or it has not loaded anything yet.
    """
    async with open_connection(settings, announce=announce) as connection:
        found = await read_load_profile(connection, job_id)
    if found is None:
        raise JobNotFoundError(job_id)
    profile, population = found
    return Seen(f"load {job_id}", profile, read_profile(profile, population=population))


async def look(settings: Settings, collection: str, scope: Scope) -> Seen:
    """Return what is seen of a collection."""
    async with open_target(settings, collection, scope) as (connection, where):
        return await look_at(connection, collection, where, scope)


async def look_at(connection: Connection, collection: str, where: Document, scope: Scope) -> Seen:
    """Return the same, over an open connection."""
    if scope.full:
        profile = await _look_at_all(connection, collection, where, scope)
        return Seen(collection, profile, read_profile(profile, population=profile.documents))
    profile = Profile(redact=scope.redact)
    with Running(Deadline(SAMPLE_SECONDS), writes=False):
        population = await sample_into(profile, connection, collection, where, size=scope.sample)
    return Seen(collection, profile, read_profile(profile, population=population))


async def _look_at_all(connection: Connection, collection: str, where: Document, scope: Scope) -> Profile:
    profile = Profile(redact=scope.redact)
    steps = profile_all(connection, collection, where=where, redact=scope.redact, fresh=scope.fresh)
    with draw_progress(is_silent=scope.is_silent) as bars:
        task = None
        async with aclosing(steps):
            async for step in steps:
                profile = step.profile
                if task is None:
                    task = bars.add_task(f"Looking at {collection}", completed=step.done, total=step.total)
                    if step.resumed:
                        announce(f"Going on after {step.resumed:,} of about {step.total:,} documents.")
                bars.update(task, completed=step.done, total=step.total)
    return profile
