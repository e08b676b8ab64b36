"""Loads of `sheaf ingest`, one source after the other; and dry runs of them."""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Final

import typer

from documents.access.policy import FULL
from documents.database.deadline import Deadline, Running
from documents.errors import InputError, JobConflictError, StoreError
from documents.ingest.ingestion import Ingestion
from documents.ingest.jobs import Job, Load, State
from documents.ingest.preview import Preview
from documents.ingest.requests import FindJobs
from documents.ingest.sources.source import Place, Source, SourceChangedError, SourceError
from documents.settings import Settings
from scripts.console import print_json
from scripts.exits import DIFFERS
from scripts.ingest_files import Input, Wanted, as_items, as_load, find_inputs, look_at, say_note, to_load
from scripts.ingest_progress import Bars
from scripts.ingest_report import Loaded, read_loaded, show_loaded, show_preview, show_total
from scripts.ingest_target import carry_out, go, opened, watched
from scripts.table_flags import settle

CLEAN_UP_SECONDS: Final = 0.5


async def look_at_all(words: Sequence[str], wanted: Wanted, *, as_json: bool) -> list[tuple[Input, Wanted]]:
    """Return what some words name, each with how it is to be loaded, before any of it is."""
    places = await find_inputs(words, wanted, is_silent=as_json)
    return [await look_at_place(place, wanted, as_json=as_json) for place in places]


async def look_at_place(place: Place, wanted: Wanted, *, as_json: bool) -> tuple[Input, Wanted]:
    """Return what a place holds, with how it is to be loaded."""
    found = as_items(await look_at(place, wanted.form), wanted)
    if not as_json:
        say_note(found)
    options = settle(found, wanted.options, accept=wanted.accept, asks=wanted.asks, is_silent=as_json)
    return found.without_head(), replace(wanted, options=options)


async def load_all(
    settings: Settings, words: Sequence[str], wanted: Wanted, done: list[Loaded], *, again: bool, as_json: bool
) -> None:
    """Load what some words name, one source after the other, and add what became of each to `done`."""
    inputs = await look_at_all(words, wanted, as_json=as_json)
    async with opened(settings, writes=True) as store:
        with Bars(is_silent=as_json) as bars:
            for found, how in inputs:
                loaded = await load_one(store.ingestion, found, how, bars, again=again)
                done.append(loaded)
                if not as_json and (len(inputs) == 1 or not loaded.was_there):
                    show_loaded(loaded)
            if len(done) > 1 and not as_json:
                show_total(done)


async def load_one(ingestion: Ingestion, found: Input, wanted: Wanted, bars: Bars, *, again: bool = False) -> Loaded:
    """Load one source, unless its data is there already."""
    operation = await to_load(found, wanted)
    if again:
        operation = await once_more(ingestion, operation)
    job, is_new = await carry_out(ingestion.load(operation, FULL))
    if job.state is State.DONE:
        return await read_loaded(ingestion, job.id, was_there=True)
    bars.begin(f"Loading {found.name}")
    try:
        await run_job(ingestion, job, found.source(), bars, is_new=is_new)
    except asyncio.CancelledError:
        await say_stopped(ingestion, job, bars)
        raise
    except InputError:  # of which the same command would only say the same
        bars.say(f"The load is {job.id}.")
        raise
    except SourceChangedError:
        bars.say(f"Load {job.id} is cancelled. The same command loads what is there now.")
        raise
    except (StoreError, SourceError):
        bars.say(f"The load is {job.id}. The same command goes on where it was.")
        raise
    finally:
        bars.end()
    return await read_loaded(ingestion, job.id)


async def once_more(ingestion: Ingestion, operation: Load) -> Load:
    """Return the load under the first key of its own under which it is not done, so that a killed one goes on."""
    number, base = 1, operation.key
    while base is not None:
        wanted = FindJobs(collection=operation.collection, key=operation.key, state=State.DONE)
        if not await carry_out(ingestion.jobs(wanted, FULL)):
            break
        number += 1
        operation = replace(operation, key=f"{base}-{number}")
    return operation


async def run_job(ingestion: Ingestion, job: Job, source: Source, bars: Bars, *, is_new: bool) -> None:
    """Work on a job until it has ended, and draw how far it is."""
    is_first = not is_new
    async with aclosing(watched(ingestion.run(job.id, source))) as progresses:
        async for progress in progresses:
            if is_first:
                is_first = False
                bars.say(f"Going on with load {job.id}, behind {progress.resumed:,} records that are committed.")
            bars.show_load(progress, infer=job.load.options.infer)


async def say_stopped(ingestion: Ingestion, job: Job, bars: Bars) -> None:
    """Say what becomes of a job that somebody has stopped; one that nobody can go on with is cancelled."""
    if job.load.key is not None:
        bars.say(f"Stopped. The load is {job.id}. The same command goes on where it was.")
        return
    # Nobody can go on with a stream that is gone.
    try:
        with Running(Deadline(CLEAN_UP_SECONDS), writes=True):
            await ingestion.stores.jobs.cancel(job.id)
    except (StoreError, JobConflictError) as error:
        bars.say(f"The load {job.id} was not marked as cancelled: {error.detail}")
    bars.say(f"Stopped. What was loaded stays; sheaf ingest undo {job.id} takes it back.")


def preview_all(settings: Settings, words: Sequence[str], wanted: Wanted, *, as_json: bool) -> None:
    """Say what would become of what some words name. Writes nothing.

    Raises:
        typer.Exit: Records would be put aside.
    """
    previews = go(_preview_all(settings, words, wanted, as_json=as_json))
    if as_json:
        print_json({"previews": [preview.to_dict() for preview in previews]})
    if any(preview.quarantined for preview in previews):
        raise typer.Exit(DIFFERS)


async def _preview_all(settings: Settings, words: Sequence[str], wanted: Wanted, *, as_json: bool) -> list[Preview]:
    inputs = await look_at_all(words, wanted, as_json=as_json)
    previews: list[Preview] = []
    async with opened(settings, writes=False) as store:
        with Bars(is_silent=as_json) as bars:
            for found, how in inputs:
                preview = await _preview_one(store.ingestion, found, how, bars)
                previews.append(preview)
                if not as_json:
                    show_preview(preview)
    return previews


async def _preview_one(ingestion: Ingestion, found: Input, wanted: Wanted, bars: Bars) -> Preview:
    operation = replace(as_load(found, wanted), key=None)
    bars.begin(f"Reading {found.name}")
    preview = Preview(operation)
    async with aclosing(ingestion.preview(operation, found.source(), FULL)) as previews:
        async for preview in previews:
            bars.show_preview(preview, infer=wanted.options.infer)
    bars.end()
    return preview
