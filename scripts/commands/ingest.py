"""`sheaf ingest`: files and other sources into collections, once each, with nothing lost, and back out again."""

from dataclasses import replace
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup

from documents.ingest.jobs import Cursor
from scripts.commands.ingest_jobs import loads
from scripts.commands.ingest_watch import watching
from scripts.console import print_json
from scripts.exits import DIFFERS, NOT_AS_EXPECTED
from scripts.ingest_files import Wanted, check_words
from scripts.ingest_follow import follow_file
from scripts.ingest_load import load_all, preview_all
from scripts.ingest_report import Loaded
from scripts.ingest_target import go, hurry
from scripts.load_flags import with_load_flags
from scripts.options import AsJson, Commands, Database, DataDir, MongodbUri, settings_of
from scripts.production import Yes, require_yes

LOAD: Final = "load"


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


@ingest.command(name=LOAD)
@with_load_flags
def load(  # noqa: PLR0913  # each is a flag
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE...",
            help="What to load: files, folders, 'patterns*', http:// and s3:// URLs; - is standard input.",
            show_default=False,
        ),
    ],
    *,
    wanted: Wanted,
    key: Annotated[
        str | None,
        typer.Option(
            help="Load it once under this key, whatever its name. \\[from the data of a file]", show_default=False
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="FIELD",
            help="Load only records in which this field is greater than in all loads of the same --name.",
            show_default=False,
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="What loads that go on from one another are called.", show_default=False)
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on with what is appended to the file, until it is stopped.")
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Load it, although the same data was loaded in the same way before.")
    ] = False,
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
    what is loaded already is not loaded twice. That goes by what is in a file, not by its name, and of a
    URL by its ETag or its date; standard input needs a --key for it.

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
      sheaf ingest incoming/ 'archive/*.csv.gz' https://example.org/today.ndjson --into readings
      sheaf ingest app.ndjson --into events --follow
      ssh elsewhere cat events.ndjson | sheaf ingest - --into events --key events-1
    """
    check_words(sources)
    if key and again:
        raise typer.BadParameter("--again goes by what is in a file, and --key by what you say. Give one of them.")
    if follow and (dry_run or key or again or as_json):
        raise typer.BadParameter("--follow does not go with --dry-run, --key, --again and --json.")
    if (since is None) != (name is None):
        raise typer.BadParameter("--since and --name go together.")
    cursor = None if since is None or name is None else Cursor(name, since)
    wanted = replace(wanted, cursor=cursor, key=key, accept=wanted.accept or dry_run, asks=not yes)
    settings = settings_of(data_dir, mongodb_uri, database)
    if dry_run:
        preview_all(settings, sources, wanted, as_json=as_json)
        return
    require_yes(settings, yes=yes)
    hurry()
    if follow:
        go(follow_file(settings, sources, wanted))
        return
    done: list[Loaded] = []
    try:
        go(load_all(settings, sources, wanted, done, again=again, as_json=as_json))
    finally:
        if as_json:
            print_json({"loads": [each.to_dict() for each in done]})
    if any(each.report.state != "done" for each in done):
        raise typer.Exit(1)
    if any(each.unmet for each in done):
        raise typer.Exit(NOT_AS_EXPECTED)
    if any(each.report.books.counts.quarantined for each in done if not each.was_there):
        raise typer.Exit(DIFFERS)


ingest.add_typer(watching)
ingest.add_typer(loads)
