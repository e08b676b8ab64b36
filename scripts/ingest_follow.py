"""`sheaf ingest --follow`: one file, and what is appended to it, until somebody stops it."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from documents.access.policy import FULL
from documents.codec.compressed import compression_of
from documents.codec.formats import FORMATS
from documents.errors import StoreError
from documents.ingest.ingestion import Ingestion
from documents.ingest.jobs import Load, State
from documents.ingest.requests import FindJobs
from documents.ingest.sources.file import FilePlace
from documents.ingest.sources.follow import FollowedFile, NoMore, has_print, print_of, wait_for_bytes
from documents.ingest.sources.source import SourceError
from documents.settings import Settings
from scripts.ingest_files import IngestFileError, Input, Wanted, as_load, find_inputs, key_of, look_at, say_note
from scripts.ingest_load import once_more, run_job, say_stopped
from scripts.ingest_progress import Bars
from scripts.ingest_report import read_loaded, show_loaded
from scripts.ingest_target import carry_out, opened
from scripts.table_flags import settle

FOLLOWED: Final = "followed"


async def follow_file(settings: Settings, words: Sequence[str], wanted: Wanted) -> None:
    """Load a file and what is appended to it, and then the one that takes its place, until it is cancelled.

    Raises:
        IngestFileError: What the words name cannot be followed.
    """
    places = await find_inputs(words, wanted, is_silent=True)
    if len(places) != 1 or not isinstance(places[0], FilePlace):
        raise IngestFileError("--follow goes with one file.")
    if wanted.gates["all_or_nothing"] or wanted.gates["expect"] or wanted.options.infer:
        raise IngestFileError(
            "--follow does not go with --all-or-nothing, --expect and --infer, which need all records."
        )
    place = places[0]
    async with opened(settings, writes=True) as store:
        with Bars(is_silent=False) as bars:
            while True:
                await _follow(store.ingestion, place, wanted, bars)


async def _follow(ingestion: Ingestion, place: FilePlace, wanted: Wanted, bars: Bars) -> None:
    """Follow a file until another one has taken its place."""
    await wait_for_bytes(place.path)
    found = await look_at(place, wanted.form)
    check_grows(found)
    say_note(found)
    options = settle(found, wanted.options, accept=wanted.accept, asks=wanted.asks, is_silent=False)
    operation = as_load(found, replace(wanted, options=options))
    operation = await _find_begun(ingestion, place, operation, bars)
    job, is_new = await carry_out(ingestion.load(operation, FULL))
    bars.begin(f"Following {place.name}")
    try:
        await run_job(ingestion, job, FollowedFile(place.path), bars, is_new=is_new)
    except asyncio.CancelledError:
        await say_stopped(ingestion, job, bars)
        raise
    except (StoreError, SourceError):
        bars.say(f"The load is {job.id}. The same command goes on where it was.")
        raise
    finally:
        bars.end()
    loaded = await read_loaded(ingestion, job.id)
    show_loaded(loaded)
    if loaded.report.job.state is not State.DONE:
        raise IngestFileError(f"Load {job.id} is {loaded.report.state}, so {place.name} is followed no longer.")


def check_grows(found: Input) -> None:
    """Refuse a file whose records cannot be read as they are appended.

    Raises:
        IngestFileError: It is one.
    """
    if compression_of(found.head) is not None:
        raise IngestFileError(f"{found.name} is compressed, and so cannot be followed.")
    if not FORMATS[found.form].grows:
        forms = ", ".join(form for form, entry in FORMATS.items() if entry.grows)
        raise IngestFileError(f"{found.name} is {found.form}, and only {forms} can be followed.")


async def _find_begun(ingestion: Ingestion, place: FilePlace, load: Load, bars: Bars) -> Load:
    """Return the load under the key of the job that follows this very file, or else under a new one.

    The job of a file that another one has taken the place of is ended.
    """
    base = replace(load, key=key_of(load, FOLLOWED, str(await asyncio.to_thread(place.path.absolute))))
    while True:
        operation = await once_more(ingestion, base)
        wanted = FindJobs(collection=load.collection, key=operation.key, limit=1)
        reports = await carry_out(ingestion.jobs(wanted, FULL))
        if not reports:
            return replace(operation, digest=await print_of(place.path))
        known = reports[0].job.load.digest or "0:"
        if await has_print(place.path, known, size_bytes=reports[0].job.pace.read_bytes):
            return replace(operation, digest=known)
        job, _ = await carry_out(ingestion.load(replace(operation, digest=known), FULL))
        bars.say(
            f"Another file has taken the place of the one that load {job.id} followed. What it did not read is lost."
        )
        await run_job(ingestion, job, NoMore(), bars, is_new=True)
