"""`sheaf seed`: put the seeds of scripts/seeds into the collections."""

import asyncio
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from documents.lifecycle import Store, open_store
from documents.seeds.apply import apply_seeds
from documents.seeds.files import load_seeds
from documents.seeds.prepare import STATES
from documents.seeds.report import SeedEvent, SeedReport
from documents.settings import Settings
from scripts.console import MESSAGES, print_json
from scripts.options import AsJson, Database, DataDir, MongodbUri, settings_of

SEEDS: Final = Path(__file__).parent.parent / "seeds"


def seed(
    folder: Annotated[Path, typer.Option(help="Where the seeds are: one file a collection.")] = SEEDS,
    *,
    data_dir: DataDir = None,
    mongodb_uri: MongodbUri = None,
    database: Database = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write nothing; say what would be done.")] = False,
    as_json: AsJson = False,
) -> None:
    """Store the seeds. A second run changes nothing, and what people have changed is left alone.

    Documents are validated by their models and found by their natural key, the first unique index. A seed
    that was deleted comes back.
    """
    report = asyncio.run(_seed(settings_of(data_dir, mongodb_uri, database), folder, dry_run=dry_run))
    if as_json:
        print_json(report.to_dict())
    else:
        show(report)


async def _seed(settings: Settings, folder: Path, *, dry_run: bool) -> SeedReport:
    async with open_store(settings) as store:
        return await plant(store, folder, dry_run=dry_run)


async def seed_once(store: Store) -> None:
    """Seed the sample, unless this database was ever seeded: what was deleted since stays deleted."""
    if await store.connection.collection(STATES).find_one() is None:
        show(await plant(store, SEEDS, dry_run=False))


async def plant(store: Store, folder: Path, *, dry_run: bool) -> SeedReport:
    """Plant the seeds of a folder, with a progress bar."""
    columns = (TextColumn("[dim]Seeding[/dim]"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=MESSAGES, transient=True) as progress:
        task = progress.add_task("seeds", total=None)

        def advance(event: SeedEvent) -> None:
            progress.update(task, completed=event.done, total=event.total)

        return await apply_seeds(
            store.connection.database,
            store.catalog.models,
            load_seeds(folder),
            environment=str(store.settings.environment),
            dry_run=dry_run,
            on_progress=advance,
        )


def show(report: SeedReport) -> None:
    """Say what became of the seeds."""
    for collection, counts in report.counts.items():
        verb = "Would seed" if report.dry_run else "Seeded"
        MESSAGES.print(f"{verb} {collection}: " + ", ".join(f"{count} {outcome}" for outcome, count in counts.items()))
    for source in report.kept:
        MESSAGES.print(f"  {source}: kept as somebody changed it")
