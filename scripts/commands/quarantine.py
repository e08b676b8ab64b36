"""`sheaf quarantine`: the records that could not be loaded, looked at, tried again, taken out, or discarded."""

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Annotated, BinaryIO, Final, TypeAlias

import typer

from documents.access.policy import FULL
from documents.codec.records import Format
from documents.database.deadline import Deadline, Running
from documents.errors import Fault, InvalidParameterError, StoreError
from documents.ingest.ingestion import Ingestion
from documents.ingest.jobs import Job, Origin, State
from documents.ingest.quarantine import Chosen, Quarantined
from documents.ingest.requests import ChangeQuarantine, FindJobs, FindQuarantined, ReadQuarantined
from documents.settings import Settings
from scripts.console import RESULTS, print_json
from scripts.exits import BROKEN_PIPE, DIFFERS
from scripts.ingest_files import IngestFileError
from scripts.ingest_progress import Bars
from scripts.ingest_report import Loaded, describe_counts, read_loaded, say, show_codes
from scripts.ingest_target import ask, carry_out, go, hurry, opened, watched
from scripts.options import AsJson, Commands, Database, DataDir, MongodbUri, settings_of
from scripts.production import Yes, require_yes
from scripts.quarantine_report import header_of, quarantined_to_dict, show_one, show_quarantined
from scripts.whole_file import whole_file

STANDARD_OUTPUT: Final = Path("-")
LOOK_SECONDS: Final = 60.0
WALK_SECONDS: Final = 24 * 3600.0

Collection: TypeAlias = Annotated[
    str, typer.Argument(help="The collection that they were to be loaded into.", show_default=False)
]
Ids: TypeAlias = Annotated[
    list[str] | None, typer.Option("--id", metavar="RECORD", help="This record. Repeatable.", show_default=False)
]
OfLoad: TypeAlias = Annotated[
    str | None, typer.Option("--load", metavar="ID", help="Those of one load.", show_default=False)
]
OfCode: TypeAlias = Annotated[str | None, typer.Option("--code", help="Those with this code.", show_default=False)]
All: TypeAlias = Annotated[bool, typer.Option("--all", help="All of the collection.")]

quarantine = Commands(
    help="Records that could not be loaded, kept whole with their place and what is wrong with them.\n\n"
    "Mend what was wrong, which may be the contract, and replay them; or export, mend and ingest them.",
    no_args_is_help=True,
)


@quarantine.command(name="list")
def list_(  # noqa: PLR0913  # each is a flag
    collection: Collection,
    load: OfLoad = None,
    code: OfCode = None,
    *,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 50,
    after: Annotated[
        str | None, typer.Option(metavar="RECORD", help="Only those behind this one.", show_default=False)
    ] = None,
    data_dir: DataDir = None,
    mongodb_uri: MongodbUri = None,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """List the records of a collection that are in quarantine, and count them by their codes.

    Examples:
      sheaf quarantine list products
      sheaf quarantine list products --code wrong-type --json
    """
    wanted = FindQuarantined(collection, Chosen(job=load, code=code), after, limit)

    async def find(ingestion: Ingestion) -> tuple[list[Quarantined], dict[str, int]]:
        found = await carry_out(ingestion.quarantined(wanted, FULL))
        with Running(Deadline(LOOK_SECONDS), writes=False):
            counts = await ingestion.stores.quarantine.counts(collection, job=load)
        return found, {each: count for _, each, count in counts if code in (None, each)}

    found, counts = ask(settings_of(data_dir, mongodb_uri, database), find)
    if as_json:
        print_json({"counts": counts, "records": [quarantined_to_dict(each) for each in found]})
        return
    if not counts:
        say("Nothing is in quarantine.")
        return
    show_quarantined(found)
    total = sum(counts.values())
    RESULTS.print(", ".join(f"{each} {count:,}" for each, count in counts.items()), markup=False, soft_wrap=True)
    if found and len(found) == limit and len(found) < total:
        say(f"These are {len(found):,} of {total:,}. For more: --after {found[-1].id}")


@quarantine.command()
def show(
    collection: Collection,
    record: Annotated[str, typer.Argument(help="The record, as the list names it.", show_default=False)],
    *,
    data_dir: DataDir = None,
    mongodb_uri: MongodbUri = None,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Show one record: what is wrong with it, where, and all its bytes."""
    settings = settings_of(data_dir, mongodb_uri, database)
    wanted = ReadQuarantined(collection, record)
    found = ask(settings, lambda ingestion: carry_out(ingestion.quarantined_one(wanted, FULL)))
    if as_json:
        print_json(quarantined_to_dict(found))
    else:
        show_one(found)


@quarantine.command()
def replay(  # noqa: PLR0913  # each is a flag
    collection: Collection,
    ids: Ids = None,
    load: OfLoad = None,
    code: OfCode = None,
    *,
    everything: All = False,
    force: Annotated[
        bool, typer.Option("--force", help="Write over documents that were written since, too. \\[the records stay]")
    ] = False,
    data_dir: DataDir = None,
    mongodb_uri: MongodbUri = None,
    database: Database = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Try records again, under the contract or model of now, as their loads would have loaded them.

    What can be written leaves the quarantine with the same transaction; the rest stays, with what is
    wrong with it now. So does a record whose document was written since, by another load or a client, as
    stored-is-newer. Killed and typed again, it goes on.

    Exits with 0 when all were written, with 2 when some stay, with 1 when something is wrong, with 3 when
    the target looks like production and --yes lacks, and with 4 when another process works on it.

    Examples:
      sheaf quarantine replay products --code unknown-field
      sheaf quarantine replay products --all
    """
    operation = replace(_chosen(collection, ids, load, code, everything=everything), force=force)
    settings = settings_of(data_dir, mongodb_uri, database)
    require_yes(settings, yes=yes)
    hurry()
    loaded = go(_replay(settings, operation, as_json=as_json))
    if as_json:
        print_json(None if loaded is None else loaded.to_dict())
    elif loaded is None:
        say("Nothing of that is in quarantine.")
    if loaded is not None and (loaded.report.books.counts.quarantined or loaded.report.books.counts.duplicates):
        raise typer.Exit(DIFFERS)


async def _replay(settings: Settings, operation: ChangeQuarantine, *, as_json: bool) -> Loaded | None:
    async with opened(settings, writes=True) as store:
        ingestion = store.ingestion
        with Running(Deadline(LOOK_SECONDS), writes=False):
            total = await ingestion.stores.quarantine.count(operation.collection, operation.chosen)
        job = await _find_open_replay(ingestion, operation)
        if not total and job is None:
            return None
        job = job or await carry_out(ingestion.replay(operation, FULL))
        with Bars(is_silent=as_json) as bars:
            bars.begin(f"Replaying {operation.collection}")
            try:
                async with aclosing(watched(ingestion.run(job.id))) as progresses:
                    async for progress in progresses:
                        bars.show_replay(progress, progress.resumed + total)
            except asyncio.CancelledError:
                bars.say("Stopped. The same command goes on where it was.")
                raise
        loaded = await read_loaded(ingestion, job.id)
        if not as_json:
            await _show_replayed(ingestion, loaded, operation)
        return loaded


async def _find_open_replay(ingestion: Ingestion, operation: ChangeQuarantine) -> Job | None:
    """Return the replay of the same records that was killed."""
    wanted = FindJobs(collection=operation.collection, state=State.OPEN, limit=1000)
    chosen = operation.chosen
    told = {"ids": None if chosen.ids is None else list(chosen.ids), "job": chosen.job, "code": chosen.code}
    jobs = [report.job for report in await carry_out(ingestion.jobs(wanted, FULL))]
    return next((job for job in jobs if _is_replay_of(job, told, force=operation.force)), None)


def _is_replay_of(job: Job, chosen: Mapping[str, object], *, force: bool) -> bool:
    return job.load.origin is Origin.QUARANTINE and job.chosen == chosen and job.force == force


async def _show_replayed(ingestion: Ingestion, loaded: Loaded, operation: ChangeQuarantine) -> None:
    counts = loaded.report.books.counts
    stay = counts.quarantined + counts.duplicates
    say(f"Tried {counts.received:,} again: {describe_counts(counts)}.")
    if stay:
        say(f"Still in quarantine of {operation.collection}, as they stand there now:")
        with Running(Deadline(LOOK_SECONDS), writes=False):
            left = await ingestion.stores.quarantine.counts(operation.collection)
        show_codes({code: (count, ()) for _, code, count in left})


@quarantine.command()
def discard(  # noqa: PLR0913  # each is a flag
    collection: Collection,
    ids: Ids = None,
    load: OfLoad = None,
    code: OfCode = None,
    *,
    everything: All = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Delete nothing; say how many it would be.")] = False,
    data_dir: DataDir = None,
    mongodb_uri: MongodbUri = None,
    database: Database = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Delete records of the quarantine for good."""
    operation = _chosen(collection, ids, load, code, everything=everything)
    settings = settings_of(data_dir, mongodb_uri, database)

    async def count(ingestion: Ingestion) -> int:
        with Running(Deadline(LOOK_SECONDS), writes=False):
            return await ingestion.stores.quarantine.count(collection, operation.chosen)

    if dry_run:
        number = ask(settings, count)
    else:
        require_yes(settings, yes=yes)
        number = ask(settings, lambda ingestion: carry_out(ingestion.discard(operation, FULL)), writes=True)
    if as_json:
        print_json({"collection": collection, "discarded": number, "dry_run": dry_run})
    else:
        say(f"{'Would discard' if dry_run else 'Discarded'} {number:,} record{'' if number == 1 else 's'}.")


@quarantine.command()
def export(  # noqa: PLR0913  # each is a flag
    collection: Collection,
    file: Annotated[Path, typer.Argument(help="Where to write them; - is standard output.")] = STANDARD_OUTPUT,
    ids: Ids = None,
    load: OfLoad = None,
    code: OfCode = None,
    *,
    data_dir: DataDir = None,
    mongodb_uri: MongodbUri = None,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Write records as they came, byte by byte, each with a line feed behind it; those of a table below their header.

    They stay in quarantine. Mended, they can be ingested; then discard them.

    Examples:
      sheaf quarantine export products bad.ndjson --load 0199c…
    """
    if as_json and file == STANDARD_OUTPUT:
        raise typer.BadParameter("--json reports on standard output, where the records go. Name a file.")
    chosen = Chosen(ids, load, code)
    settings = settings_of(data_dir, mongodb_uri, database)
    try:
        number = go(_export(settings, collection, chosen, file))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(BROKEN_PIPE) from None
    if as_json:
        print_json({"collection": collection, "file": str(file), "records": number})
    elif file != STANDARD_OUTPUT:
        say(f"Wrote {number:,} record{'' if number == 1 else 's'} to {file}.")


async def _export(settings: Settings, collection: str, chosen: Chosen, file: Path) -> int:
    async with opened(settings, writes=False) as store:
        if file == STANDARD_OUTPUT:
            return await _write(store.ingestion, collection, chosen, sys.stdout.buffer)
        try:
            with whole_file(file) as output:
                return await _write(store.ingestion, collection, chosen, output)
        except OSError as error:
            raise IngestFileError(f"{file} cannot be written: {error.strerror}.") from error


async def _write(ingestion: Ingestion, collection: str, chosen: Chosen, output: BinaryIO) -> int:
    number, first = 0, b""
    headers: dict[tuple[str, Format], bytes] = {}
    with Running(Deadline(WALK_SECONDS), writes=False):
        async with aclosing(ingestion.stores.quarantine.walk(collection, chosen)) as records:
            async for each in records:
                kind = (each.job, each.form)
                if kind not in headers:
                    headers[kind] = await _header(ingestion, each)
                    first = _same(headers, collection)
                    output.write(first if number == 0 else b"")
                output.write(each.raw if each.form is Format.BSON else each.raw + b"\n")
                number += 1
    output.flush()
    return number


async def _header(ingestion: Ingestion, each: Quarantined) -> bytes:
    try:
        job = await ingestion.stores.jobs.get(each.job)
    except StoreError:
        return b""
    return header_of(job, each.form)


def _same(headers: dict[tuple[str, Format], bytes], collection: str) -> bytes:
    """Return the header of all records.

    Raises:
        InvalidParameterError: They cannot stand in one file.
    """
    forms = {form for _, form in headers}
    if len(forms) > 1 or len(set(headers.values())) > 1:
        what = (
            f"of several formats, {' and '.join(sorted(forms))}" if len(forms) > 1 else "of tables with other columns"
        )
        detail = f"These records are {what}. Name one load: sheaf quarantine list {collection}"
        raise InvalidParameterError(detail, [Fault("?load", "invalid", detail)])
    return next(iter(headers.values()))


def _chosen(
    collection: str, ids: Sequence[str] | None, load: str | None, code: str | None, *, everything: bool
) -> ChangeQuarantine:
    chosen = Chosen(ids, load, code)
    if chosen.is_everything and not everything:
        raise typer.BadParameter("Say which records: --id, --load, --code, or --all.")
    return ChangeQuarantine(collection, chosen, is_all=everything)
