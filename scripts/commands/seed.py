"""`sheaf seed`: put the project's seeds into the collections, or documents that are made up."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from documents.lifecycle import Store, open_store
from documents.project.project import require_project
from documents.seeds.apply import apply_seeds
from documents.seeds.files import SeedError, load_seeds
from documents.seeds.generate import generate
from documents.seeds.prepare import STATES, running
from documents.seeds.report import GeneratedEvent, GeneratedReport, Outcome, SeedEvent, SeedReport
from documents.seeds.scene import DEFAULT_SEED
from documents.settings import Environment, Settings
from scripts.console import MESSAGES, RESULTS, print_json
from scripts.options import AsJson, Database, DataDir, MongodbUri, settings_of
from scripts.production import Yes, require_yes
from scripts.running import run


def seed(  # noqa: PLR0913  # each is a flag
    folder: Annotated[
        Path | None,
        typer.Option(help="Where the seeds are: one file a collection. \\[seeds/ of the project]", show_default=False),
    ] = None,
    *,
    generated: Annotated[
        list[str] | None,
        typer.Option(
            "--generate",
            metavar="COLLECTION=N",
            help="Make up N documents from the collection's model instead; may be given more than once.",
            show_default=False,
        ),
    ] = None,
    random_seed: Annotated[
        int, typer.Option(help="Which documents --generate makes up: the same number, the same documents.")
    ] = DEFAULT_SEED,
    data_dir: DataDir = None,
    mongodb_uri: MongodbUri = None,
    database: Database = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write nothing; say what would be done.")] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Store the seeds. A second run changes nothing, and what people have changed is left alone.

    Documents are validated by their models and found by their natural key, the first unique index. A
    seed that was deleted comes back.

    With --generate, documents are made up instead of read from files. They are the same in each run,
    so what was killed can be run again and goes on.

    Exits with 0 when done, with 1 when something is wrong, and with 3 when the target looks like
    production and --yes lacks.

    Examples:
      sheaf seed --dry-run
      sheaf seed --generate products=10000
      sheaf seed --generate customers=500,orders=2000 --random-seed 7
    """
    if generated and folder:
        raise typer.BadParameter("--generate makes documents up, and --folder reads them. Give one of them.")
    settings = settings_of(data_dir, mongodb_uri, database)
    counts = parse_counts(generated or ())
    if not dry_run:
        require_yes(settings, yes=yes)
    report: SeedReport | GeneratedReport
    if generated:
        report = run(_generate(settings, counts, random_seed, dry_run=dry_run))
    else:
        folder = folder or require_project(settings).seeds
        report = run(_seed(settings, folder, dry_run=dry_run))
    if as_json:
        print_json(report.to_dict())
    elif isinstance(report, SeedReport):
        show(report)
        if not report.counts:
            MESSAGES.print(f"No seed is meant for {settings.environment}.")
    else:
        _show_generated(report)


def parse_counts(given: Sequence[str]) -> dict[str, int]:
    """Return how many documents of each collection are asked for.

    Args:
        given: Such as `["products=10000", "customers=10,orders=20"]`.

    Raises:
        SeedError: One of them is not `collection=number`, or a collection is there twice.
    """
    counts: dict[str, int] = {}
    for part in (part.strip() for text in given for part in text.split(",")):
        name, _, number = part.partition("=")
        if not name or not number.removeprefix("-").isdecimal():
            raise SeedError(f"--generate takes a collection and a number, such as products=10000, and not {part!r}.")
        if name in counts:
            raise SeedError(f"--generate has {name} twice.")
        counts[name] = int(number)
    return counts


async def _seed(settings: Settings, folder: Path, *, dry_run: bool) -> SeedReport:
    async with open_store(settings, prepares=settings.prepares and not dry_run) as store:
        return await plant(store, folder, environment=settings.environment, dry_run=dry_run)


async def seed_once(store: Store, folder: Path) -> None:
    """Plant the seeds of a folder, unless this database was ever seeded: what was deleted since stays deleted."""
    with running(writes=False):
        planted = await store.connection.collection(STATES).find_one()
    if planted is None:
        show(await plant(store, folder, environment=store.settings.environment, dry_run=False))


async def plant(store: Store, folder: Path, *, environment: Environment, dry_run: bool) -> SeedReport:
    """Plant the seeds of a folder that are meant for an environment, with a progress bar."""
    columns = (TextColumn("[dim]Seeding[/dim]"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=MESSAGES, transient=True) as progress:
        task = progress.add_task("seeds", total=None)

        def advance(event: SeedEvent) -> None:
            progress.update(task, completed=event.done, total=event.total)

        return await apply_seeds(
            store.connection.database,
            store.catalog.models,
            load_seeds(folder),
            environment=str(environment),
            dry_run=dry_run,
            on_progress=advance,
        )


class _Rate(ProgressColumn):
    """Documents a second."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed or 0:,.0f}/s", style="dim")


async def _generate(
    settings: Settings, counts: Mapping[str, int], random_seed: int, *, dry_run: bool
) -> GeneratedReport:
    columns = (
        TextColumn("[dim]Generating {task.description}[/dim]"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeRemainingColumn(),
    )
    async with open_store(settings, prepares=settings.prepares and not dry_run) as store:
        with Progress(*columns, console=MESSAGES, transient=True) as progress:
            task = progress.add_task("", total=None)

            def advance(event: GeneratedEvent) -> None:
                progress.update(task, description=event.collection, completed=event.done, total=event.total)

            return await generate(
                store.connection.database,
                store.catalog.models,
                counts,
                random_seed=random_seed,
                dry_run=dry_run,
                on_progress=advance,
            )


def show(report: SeedReport) -> None:
    """Say what became of the seeds."""
    _show_counts("Would seed" if report.dry_run else "Seeded", report.counts)
    for source in report.kept:
        MESSAGES.print(f"  {source}: kept as somebody changed it")


def _show_generated(report: GeneratedReport) -> None:
    _show_counts("Would generate" if report.dry_run else "Generated", report.counts)
    if report.dry_run:
        for collection, examples in report.examples.items():
            MESSAGES.print(f"The first of {collection}:")
            RESULTS.print(json.dumps(examples[0], indent=2, ensure_ascii=False), markup=False, soft_wrap=True)


def _show_counts(verb: str, counts: Mapping[str, Mapping[Outcome, int]]) -> None:
    for collection, outcomes in counts.items():
        MESSAGES.print(
            f"{verb} {collection}: " + ", ".join(f"{count} {outcome}" for outcome, count in outcomes.items())
        )
