"""`sheaf ingest list`, `show`, `cancel`, `undo` and `trace`: what became of loads."""

import asyncio
from contextlib import aclosing
from typing import Annotated, TypeAlias

import typer

from documents.access.policy import FULL
from documents.ingest.jobs import Job, State
from documents.ingest.requests import FindJobs, FindLoads, UndoJob
from documents.settings import Settings
from scripts.console import announce, print_json
from scripts.exits import DIFFERS
from scripts.ingest_progress import Bars
from scripts.ingest_report import Loaded, read_loaded, say, show_job, show_jobs, show_loads_of
from scripts.ingest_target import ask, carry_out, go, opened, watched
from scripts.options import AsJson, Commands, Database, DataDir, MongodbUri, settings_of
from scripts.production import Yes, require_yes

loads = Commands()

JobId: TypeAlias = Annotated[str, typer.Argument(metavar="ID", help="Of the load, as it was told.", show_default=False)]


@loads.command(name="list")
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


@loads.command()
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


@loads.command()
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


@loads.command()
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


@loads.command()
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
