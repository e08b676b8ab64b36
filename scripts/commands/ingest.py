"""`sheaf ingest`: files into collections, once each, with nothing lost, and back out again."""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Annotated, Any, Final, TypeAlias

import typer
from typer.core import TyperGroup

from documents.access.policy import FULL
from documents.codec.csv_columns import parse_columns
from documents.codec.formats import ReadOptions
from documents.codec.records import Format
from documents.database.deadline import Deadline, Running
from documents.errors import InputError, JobConflictError, StoreError
from documents.ingest.ingestion import Ingestion
from documents.ingest.jobs import Job, Load, Mode, State
from documents.ingest.preview import Preview
from documents.ingest.requests import FindJobs, FindLoads, UndoJob
from documents.settings import Settings
from scripts.console import announce, errors_to, print_json
from scripts.exits import DIFFERS, FAILED, NOT_AS_EXPECTED
from scripts.ingest_files import (
    IngestFileError,
    Input,
    Wanted,
    as_items,
    as_load,
    check_together,
    look_at,
    read_expectations,
    read_mapping_file,
    say_note,
    to_load,
)
from scripts.ingest_progress import Bars
from scripts.ingest_report import (
    Loaded,
    read_loaded,
    say,
    show_job,
    show_jobs,
    show_loaded,
    show_loads_of,
    show_preview,
    show_total,
)
from scripts.ingest_target import ask, carry_out, go, hurry, opened, watched
from scripts.options import AsJson, Commands, Database, DataDir, MongodbUri, settings_of
from scripts.production import Yes, require_yes
from scripts.table_flags import PANEL, read_dialect, setting, settle

LOAD: Final = "load"
CLEAN_UP_SECONDS: Final = 0.5


class _LoadByDefault(TyperGroup):
    """A group that takes its first word for a file to load, unless it is a subcommand."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401  # Typer's own class of contexts
        """Put `load` before what begins with no subcommand."""
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            args = [LOAD, *args]
        return super().parse_args(ctx, args)

    def format_help(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401
        """Explain the subcommands, and below them how files are loaded."""
        super().format_help(ctx, formatter)
        load = self.commands[LOAD]
        load.format_help(type(ctx)(load, info_name=LOAD, parent=ctx), formatter)


ingest = Commands(
    cls=_LoadByDefault,
    help="Load files into a collection: sheaf ingest FILE... --into COLLECTION, and the other way round.\n\n"
    "What is no subcommand is a file to load, so the word load may be left out.",
    no_args_is_help=True,
)

JobId: TypeAlias = Annotated[str, typer.Argument(metavar="ID", help="Of the load, as it was told.", show_default=False)]


@ingest.command(name=LOAD)
def load(  # noqa: PLR0913  # each is a flag
    files: Annotated[
        list[str], typer.Argument(metavar="FILE...", help="What to load; - is standard input.", show_default=False)
    ],
    *,
    into: Annotated[
        str, typer.Option(metavar="COLLECTION", help="Where to. It need not be there yet.", show_default=False)
    ],
    mode: Annotated[
        Mode, typer.Option(help="What a record does to the document with its key; insert makes a new one of each.")
    ] = Mode.INSERT,
    on: Annotated[
        str | None,
        typer.Option(
            metavar="FIELD,FIELD",
            help="The key for the other modes: fields that a unique index is over. \\[_id]",
            show_default=False,
        ),
    ] = None,
    form: Annotated[
        Format | None,
        typer.Option("--format", help="Their format. \\[what their content and their names say]", show_default=False),
    ] = None,
    types: Annotated[
        str | None,
        typer.Option(
            metavar="NAME:TYPE,…", help="CSV: types of columns, as price:decimal,when:date.", show_default=False
        ),
    ] = None,
    header: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,NAME", help="CSV: names of the columns, where no line has them.", show_default=False
        ),
    ] = None,
    infer: Annotated[
        bool, typer.Option("--infer", help="CSV: infer the other types from the first rows, and say which.")
    ] = False,
    nested: Annotated[bool, typer.Option("--nested", help="CSV: dots in the names of columns mean objects.")] = False,
    delimiter: Annotated[str | None, setting("delimiter")] = None,
    quote: Annotated[str | None, setting("quote")] = None,
    escape: Annotated[str | None, setting("escape")] = None,
    encoding: Annotated[str | None, setting("encoding")] = None,
    line_end: Annotated[str | None, setting("line_end")] = None,
    skip: Annotated[str | None, setting("skip")] = None,
    first_row: Annotated[str | None, setting("first_row")] = None,
    nulls: Annotated[str | None, setting("nulls")] = None,
    booleans: Annotated[str | None, setting("booleans")] = None,
    thousands: Annotated[str | None, setting("thousands")] = None,
    decimal: Annotated[str | None, setting("decimal")] = None,
    dates: Annotated[str | None, setting("dates")] = None,
    fix_header: Annotated[
        bool,
        typer.Option(
            "--fix-header", help="Give empty, double and dotted names ones that fields can have.", rich_help_panel=PANEL
        ),
    ] = False,
    trim: Annotated[bool, typer.Option("--trim", help="Leave out blanks around cells.", rich_help_panel=PANEL)] = False,
    accept: Annotated[
        bool,
        typer.Option("--accept", help="Read tables as they seem to be, without asking.", rich_help_panel=PANEL),
    ] = False,
    items: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="JSON: the member of an object whose array has the documents, as features in GeoJSON.",
            show_default=False,
        ),
    ] = None,
    sheet: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Excel: the sheet, by its name or its number from 1. \\[the first]", show_default=False
        ),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(
            help="Load it once under this key, whatever its name. \\[from the data of a file]", show_default=False
        ),
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Load it, although the same data was loaded in the same way before.")
    ] = False,
    max_bytes: Annotated[
        int | None,
        typer.Option(min=1, help="What a compressed file may hold. \\[anything]", show_default=False),
    ] = None,
    max_bad: Annotated[
        str | None,
        typer.Option(
            metavar="N|N%",
            help="Stop when more records than this are put aside, or more than this share. \\[any number]",
            show_default=False,
        ),
    ] = None,
    mapping: Annotated[
        str | None,
        typer.Option(
            "--map",
            metavar="FILE",
            help="Change each record by this mapping, in YAML: docs/ingest.md.",
            show_default=False,
        ),
    ] = None,
    all_or_nothing: Annotated[
        bool,
        typer.Option("--all-or-nothing", help="Stage the records of a file, and move them in once all of them fit."),
    ] = False,
    expect: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="What the records should be, in YAML or JSON.", show_default=False),
    ] = None,
    max_drift: Annotated[
        str | None,
        typer.Option(
            metavar="N|N%",
            help="Stop when the first records differ from what is there in more fields than this. \\[any number]",
            show_default=False,
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Write nothing; read it all, and say what would become of it.")
    ] = False,
    data_dir: DataDir = None,
    mongodb_uri: MongodbUri = None,
    database: Database = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Load files: NDJSON, JSON arrays, Extended JSON, CSV, TSV, BSON, Parquet and Excel, also in gzip and zstd.

    A record that cannot be loaded is put aside, whole, with its line and what is wrong with it, and the
    others are loaded. Killed at any moment and typed again, the same command goes on where it was, and
    what is loaded already is not loaded twice. That goes by what is in a file, not by its name;
    standard input needs a --key for it.

    Exits with 0 when everything is written, or was there already; with 2 when records were put aside;
    with 1 when something is wrong, with 3 when the target looks like production and --yes lacks, with 4
    when another process works on the same load, with 5 when more than --max-bad were put aside, with 6
    when none of the first records fits, with 7 when the quarantine is full, with 8 when they differ in
    more fields than --max-drift from what is there, with 9 when the records are not as --expect says,
    and with 130 or 143 when it was stopped.

    Examples:
      sheaf ingest movies.json --into movies
      sheaf ingest prices.csv.gz --into prices --types price:decimal,since:date --dry-run
      sheaf ingest earthquakes.geojson --into quakes --items features
      sheaf ingest day-1.ndjson day-2.ndjson --into products --mode upsert --on sku
      ssh elsewhere cat events.ndjson | sheaf ingest - --into events --key events-1
    """
    check_together(files, key)
    if on is not None and mode is Mode.INSERT:
        raise typer.BadParameter("--on has no meaning for inserts, which go by no key. Say --mode.")
    if key and again:
        raise typer.BadParameter("--again goes by what is in a file, and --key by what you say. Give one of them.")
    given = {
        "delimiter": delimiter,
        "quote": quote,
        "escape": escape,
        "encoding": encoding,
        "line_end": line_end,
        "skip": skip,
        "first_row": first_row,
        "nulls": nulls,
        "booleans": booleans,
        "thousands": thousands,
        "decimal": decimal,
        "dates": dates,
        "fix_header": "true" if fix_header else None,
        "trim": "true" if trim else None,
    }
    options = ReadOptions(
        dialect=read_dialect(given),
        header=_names(header),
        types=_types(types),
        infer=infer,
        nested=nested,
        items=items,
        sheet=sheet,
        max_bytes=max_bytes,
        any_keys=mapping is not None,
    )
    gates = {
        "max_bad": max_bad,
        "max_drift": max_drift,
        "expect": None if expect is None else _expectations(expect),
        "all_or_nothing": all_or_nothing,
    }
    wanted = Wanted(
        into,
        mode,
        _names(on) or ("_id",),
        form,
        options,
        key,
        gates,
        accept=accept or dry_run,
        asks=not yes,
        mapping=None if mapping is None else read_mapping_file(mapping),
    )
    settings = settings_of(data_dir, mongodb_uri, database)
    if dry_run:
        _preview(settings, files, wanted, as_json=as_json)
        return
    require_yes(settings, yes=yes)
    hurry()
    done: list[Loaded] = []
    try:
        go(_load_all(settings, files, wanted, done, again=again, as_json=as_json))
    finally:
        if as_json:
            print_json({"loads": [each.to_dict() for each in done]})
    if any(each.report.state != "done" for each in done):
        raise typer.Exit(1)
    if any(each.unmet for each in done):
        raise typer.Exit(NOT_AS_EXPECTED)
    if any(each.report.books.counts.quarantined for each in done if not each.was_there):
        raise typer.Exit(DIFFERS)


def _names(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else tuple(name.strip() for name in text.split(","))


def _expectations(name: str) -> str:
    try:
        return read_expectations(name)
    except IngestFileError as error:
        errors_to(error)
        raise typer.Exit(FAILED) from None


def _types(text: str | None) -> dict[str, str]:
    try:
        return {} if text is None else parse_columns(text)
    except ValueError as error:
        raise typer.BadParameter(f"--types: {error}") from None


async def _look_at_all(files: Sequence[str], wanted: Wanted, *, as_json: bool) -> list[tuple[Input, Wanted]]:
    """Return the files, each with how it is to be loaded, before any of them is."""
    inputs = [as_items(await look_at(name, wanted.form), wanted) for name in files]
    looked: list[tuple[Input, Wanted]] = []
    for found in inputs:
        if not as_json:
            say_note(found)
        options = settle(found, wanted.options, accept=wanted.accept, asks=wanted.asks, is_silent=as_json)
        looked.append((found, replace(wanted, options=options)))
    return looked


async def _load_all(
    settings: Settings, files: Sequence[str], wanted: Wanted, done: list[Loaded], *, again: bool, as_json: bool
) -> None:
    inputs = await _look_at_all(files, wanted, as_json=as_json)
    async with opened(settings, writes=True) as store:
        with Bars(is_silent=as_json) as bars:
            for found, how in inputs:
                loaded = await _load_one(store.ingestion, found, how, bars, again=again)
                done.append(loaded)
                if not as_json:
                    show_loaded(loaded)
            if len(done) > 1 and not as_json:
                show_total(done)


async def _load_one(ingestion: Ingestion, found: Input, wanted: Wanted, bars: Bars, *, again: bool) -> Loaded:
    operation = await to_load(found, wanted)
    if again:
        operation = await _once_more(ingestion, operation)
    job, is_new = await carry_out(ingestion.load(operation, FULL))
    if job.state is State.DONE:
        return await read_loaded(ingestion, job.id, was_there=True)
    bars.begin(f"Loading {found.name}")
    try:
        await _run(ingestion, job, found, bars, is_new=is_new)
    except asyncio.CancelledError:
        await _say_stopped(ingestion, job, bars)
        raise
    except InputError:  # of which the same command would only say the same
        raise
    except StoreError:
        bars.say(f"The load is {job.id}. The same command goes on where it was.")
        raise
    finally:
        bars.end()
    return await read_loaded(ingestion, job.id)


async def _once_more(ingestion: Ingestion, operation: Load) -> Load:
    """Return the load under the first key of its own under which it is not done, so that a killed one goes on."""
    number, base = 1, operation.key
    while base is not None:
        wanted = FindJobs(collection=operation.collection, key=operation.key, state=State.DONE)
        if not await carry_out(ingestion.jobs(wanted, FULL)):
            break
        number += 1
        operation = replace(operation, key=f"{base}-{number}")
    return operation


async def _run(ingestion: Ingestion, job: Job, found: Input, bars: Bars, *, is_new: bool) -> None:
    is_first = not is_new
    async with aclosing(watched(ingestion.run(job.id, found.source()))) as progresses:
        async for progress in progresses:
            if is_first:
                is_first = False
                bars.say(f"Going on with load {job.id}, behind {progress.resumed:,} records that are committed.")
            bars.show_load(progress, infer=job.load.options.infer)


async def _say_stopped(ingestion: Ingestion, job: Job, bars: Bars) -> None:
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


def _preview(settings: Settings, files: Sequence[str], wanted: Wanted, *, as_json: bool) -> None:
    previews = go(_preview_all(settings, files, wanted, as_json=as_json))
    if as_json:
        print_json({"previews": [preview.to_dict() for preview in previews]})
    if any(preview.quarantined for preview in previews):
        raise typer.Exit(DIFFERS)


async def _preview_all(settings: Settings, files: Sequence[str], wanted: Wanted, *, as_json: bool) -> list[Preview]:
    inputs = await _look_at_all(files, wanted, as_json=as_json)
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


@ingest.command(name="list")
def list_(
    *,
    into: Annotated[
        str | None, typer.Option(metavar="COLLECTION", help="Only those into this one.", show_default=False)
    ] = None,
    state: Annotated[State | None, typer.Option(help="Only those in this state.", show_default=False)] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many, the newest.")] = 50,
    data_dir: DataDir = None,
    mongodb_uri: MongodbUri = None,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """List loads, the newest first. An open one waits for the same command to go on with it."""
    wanted = FindJobs(collection=into, state=state, limit=limit)
    settings = settings_of(data_dir, mongodb_uri, database)
    reports = ask(settings, lambda ingestion: carry_out(ingestion.jobs(wanted, FULL)))
    if as_json:
        print_json({"loads": [report.to_dict() for report in reports]})
    else:
        show_jobs(reports)


@ingest.command()
def show(
    job_id: JobId,
    *,
    data_dir: DataDir = None,
    mongodb_uri: MongodbUri = None,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Show what became of a load: its counts, what was wrong, and what is still in quarantine."""
    settings = settings_of(data_dir, mongodb_uri, database)
    loaded = ask(settings, lambda ingestion: read_loaded(ingestion, job_id))
    if as_json:
        print_json(loaded.to_dict())
    else:
        show_job(loaded)


@ingest.command()
def cancel(
    job_id: JobId,
    *,
    data_dir: DataDir = None,
    mongodb_uri: MongodbUri = None,
    database: Database = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Stop a load, wherever it runs. What is loaded stays; the same command goes on with it after all."""
    settings = settings_of(data_dir, mongodb_uri, database)
    require_yes(settings, yes=yes)
    report = ask(settings, lambda ingestion: carry_out(ingestion.cancel(job_id, FULL)), writes=True)
    if as_json:
        print_json(report.to_dict())
    elif report.job.state is State.CANCELLED:
        say(f"Load {job_id} is cancelled. sheaf ingest undo {job_id} takes back what it inserted.")
    else:
        say(f"Load {job_id} is asked to stop, which it does with its next records.")


@ingest.command()
def undo(
    job_id: JobId,
    *,
    force: Annotated[
        bool, typer.Option("--force", help="Delete documents that were changed since, too. \\[they are kept]")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Write nothing; say how many documents it inserted.")
    ] = False,
    data_dir: DataDir = None,
    mongodb_uri: MongodbUri = None,
    database: Database = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Take a load back: the documents that it inserted are deleted, unless somebody has changed them since.

    What a load changed or deleted is not brought back. Killed and typed again, it goes on. Afterwards the
    same file can be loaded again.

    Exits with 0 when all is taken back, with 2 when documents were kept since they were changed, with 1
    when something is wrong, with 3 when the target looks like production and --yes lacks, and with 4 when
    another process takes the load back.
    """
    settings = settings_of(data_dir, mongodb_uri, database)
    if dry_run:
        loaded = ask(settings, lambda ingestion: read_loaded(ingestion, job_id))
        if as_json:
            print_json(loaded.to_dict())
        else:
            inserted, into = loaded.report.books.counts.inserted, loaded.report.job.load.collection
            say(f"Nothing was changed. The load inserted {inserted:,} documents into {into}.")
        return
    require_yes(settings, yes=yes)
    report = go(_undo(settings, UndoJob(job_id, force), as_json=as_json)).report
    undone = report.job.undone or {}
    if as_json:
        print_json(report.to_dict())
    else:
        told = ", ".join(f"{undone.get(word, 0):,} {word}" for word in ("deleted", "kept", "absent"))
        if report.books.counts.quarantined:
            say("What it had put aside is no more in quarantine.")
        say(f"Taken back: of {undone.get('inserted', 0):,} documents that were inserted, {told}.")
    if undone.get("kept"):
        raise typer.Exit(DIFFERS)


async def _undo(settings: Settings, operation: UndoJob, *, as_json: bool) -> Loaded:
    async with opened(settings, writes=True) as store:
        ingestion = store.ingestion
        report = await carry_out(ingestion.undo(operation, FULL))
        if report.job.state is State.UNDOING:
            with Bars(is_silent=as_json) as bars:
                bars.begin(f"Taking back {report.job.load.name or report.job.id}")
                try:
                    async with aclosing(watched(ingestion.take_back(operation.id))) as undones:
                        async for undone in undones:
                            bars.show_undone(undone, report.books.counts.inserted)
                except asyncio.CancelledError:
                    bars.say("Stopped. The same command goes on where it was.")
                    raise
        elif not as_json:
            announce("It was taken back before.")
        return await read_loaded(ingestion, operation.id)


@ingest.command()
def trace(
    collection: Annotated[str, typer.Argument(help="The collection.", show_default=False)],
    document_id: Annotated[str, typer.Argument(metavar="ID", help="Of the document.", show_default=False)],
    *,
    data_dir: DataDir = None,
    mongodb_uri: MongodbUri = None,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Say which loads wrote a document, whether or not it is still there."""
    settings = settings_of(data_dir, mongodb_uri, database)
    found = go(_trace(settings, collection, document_id))
    if as_json:
        told = [
            {"load": job.id, "inserted": is_new, "state": job.state, "source": job.load.name} for job, is_new in found
        ]
        print_json({"collection": collection, "id": document_id, "loads": told})
    elif found:
        show_loads_of(found)
    else:
        say("No load has written it.")


async def _trace(settings: Settings, collection: str, document_id: str) -> list[tuple[Job, bool]]:
    async with opened(settings, writes=False) as store:
        return await carry_out(store.ingestion.loads_of(FindLoads(collection, document_id), FULL))
