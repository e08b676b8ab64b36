"""`sheaf schema`: what documents look like, what has changed, and a model written down from that."""

from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Final, TypeAlias, TypeVar

import typer
from pydantic import SecretStr

from documents.contracts.store import ContractStore
from documents.database.deadline import Deadline, Running
from documents.errors import Fault, InvalidParameterError
from documents.profile.contract_rules import ContractRules
from documents.profile.diff import Severity, Thresholds, diff, exit_code
from documents.project.project import Project, find_project, require_project
from documents.settings import Settings
from scripts.console import MESSAGES, announce, print_json
from scripts.exits import DIFFERS, INTERRUPTED
from scripts.options import AsJson, Commands, Database, DataDir, MongodbUri, settings_of
from scripts.running import run
from scripts.schema_promote import (
    MOST,
    Promotion,
    check,
    choose_file,
    choose_name,
    note_model,
    refuse_overwriting,
    render,
    show_promotion,
)
from scripts.schema_report import Form, show_differences, show_seen
from scripts.schema_source import (
    LOOK_UP_SECONDS,
    SAMPLE,
    Scope,
    Seen,
    load_seen,
    look,
    look_at,
    look_at_load,
    open_target,
)
from scripts.whole_file import whole_file

LOAD: Final = "load:"
MAX_SAMPLE: Final = 100_000

T = TypeVar("T")

Collection: TypeAlias = Annotated[str, typer.Argument(help="The collection.")]
Sample: TypeAlias = Annotated[
    int | None,
    typer.Option(min=1, max=MAX_SAMPLE, help="Look at so many documents, chosen at random.", show_default=False),
]
Full: TypeAlias = Annotated[
    bool, typer.Option("--full", help="Look at every document. Stopped and run again, it goes on.")
]
Fresh: TypeAlias = Annotated[
    bool, typer.Option("--fresh", help="With --full: begin anew, whatever a run that was stopped has seen.")
]

schema = Commands(
    help="Say what the documents of a collection look like, compare that with what it was, and write a model down "
    "from it.",
    no_args_is_help=True,
)


@schema.command()
def infer(  # noqa: PLR0913  # each is a flag
    collection: Collection,
    form: Annotated[Form, typer.Option("--format", help="How to show it.")] = Form.TABLE,
    output: Annotated[Path | None, typer.Option(help="A file to write it to.", show_default=False)] = None,
    sample: Sample = None,
    filter_: Annotated[
        str | None, typer.Option("--filter", help="Only documents that match, as JSON.", show_default=False)
    ] = None,
    *,
    load: Annotated[
        str | None, typer.Option(help="What a load has seen of its own documents, by its id.", show_default=False)
    ] = None,
    full: Full = False,
    fresh: Fresh = False,
    redact: Annotated[
        bool, typer.Option("--redact", help="Keep no values: no examples, no least and greatest texts and ids.")
    ] = False,
    data_dir: DataDir = None,
    mongodb_uri: MongodbUri = None,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Look at documents, and say which paths there are, how often, with which types and values.

    It looks at 10,000 documents, or at all if there are no more. The result says how many, and what
    that cannot tell.

    Examples:
      sheaf schema infer orders
      sheaf schema infer orders --full --format profile --output monday.json
      sheaf schema infer orders --format html --output orders.html
    """
    scope = _scope(sample, full=full, fresh=fresh, redact=redact, is_silent=as_json)
    scope = replace(scope, filter=filter_)
    settings = settings_of(data_dir, mongodb_uri, database)
    seen = _run(look(settings, collection, scope) if load is None else look_at_load(settings, load))
    if as_json:
        print_json(seen.to_dict())
    else:
        show_seen(seen, form, output)


@schema.command(name="diff")
def diff_(  # noqa: PLR0913  # each is a flag
    before: Annotated[str, typer.Argument(help="A collection, a file with a saved profile, or a load, as load:ID.")],
    after: Annotated[str, typer.Argument(help="Likewise.")],
    presence: Annotated[float, typer.Option(min=0, max=1, help="How far the presence of a path may move.")] = 0.05,
    types: Annotated[float, typer.Option(min=0, max=1, help="How far the share of a type may move.")] = 0.01,
    growth: Annotated[float, typer.Option(min=0, help="How far a range may grow, as a share of its width.")] = 0.5,
    *,
    fail_at: Annotated[
        str, typer.Option(metavar="info|warning|breaking", help="The severity from which on it exits with 2.")
    ] = "warning",
    sample: Sample = None,
    full: Full = False,
    fresh: Fresh = False,
    other_database: Annotated[
        str | None, typer.Option(help="The database of the second collection.", show_default=False)
    ] = None,
    other_mongodb_uri: Annotated[
        str | None, typer.Option(help="The deployment of the second collection.", show_default=False)
    ] = None,
    data_dir: DataDir = None,
    mongodb_uri: MongodbUri = None,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Compare two collections, or what one is like with what it was like.

    Exits with 0 when nothing has changed beyond the thresholds, with 2 when something has, and with
    1 when something goes wrong.

    Examples:
      sheaf schema diff monday.json orders
      sheaf schema diff orders orders --other-database staging
      sheaf schema diff load:019c5a0e2c11f3a9d0b27c64 load:019c5a0e9d40a1c85f13e7b2
    """
    if fail_at.upper() not in Severity.__members__:
        raise typer.BadParameter(f"--fail-at is info, warning or breaking, not {fail_at!r}.")
    settings = settings_of(data_dir, mongodb_uri, database)
    scope = _scope(sample, full=full, fresh=fresh, redact=False, is_silent=as_json)
    others = _other_settings(settings, other_database, other_mongodb_uri)
    first, second = _run(_both(before, after, settings, others, scope))
    differences = diff(first.report, second.report, Thresholds(presence, types, growth))
    if as_json:
        print_json([difference.to_dict() for difference in differences])
    else:
        show_differences(differences, first, second)
    code = exit_code(differences, fail_at=Severity[fail_at.upper()])
    if code:
        raise typer.Exit(code)


@schema.command()
def promote(  # noqa: PLR0913  # each is a flag
    collection: Collection,
    name: Annotated[str | None, typer.Option(help="The name of the model, such as Movie.", show_default=False)] = None,
    output: Annotated[
        Path | None, typer.Option(help="The file to write. \\[models/<name>.py of the project]", show_default=False)
    ] = None,
    sample: Sample = None,
    *,
    full: Full = False,
    fresh: Fresh = False,
    check_only: Annotated[
        bool, typer.Option("--check-only", help="Write no file: print the model, and check the documents.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the collection's model.")] = False,
    data_dir: DataDir = None,
    mongodb_uri: MongodbUri = None,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Write a Beanie model down from the documents there are, and check that they fit it.

    It looks at all documents up to 100,000, else at a sample. The model is loaded in a new process and
    validates every document before it is written. Documents are not changed. From the next start of
    the server on, the collection is declared.

    Exits with 0 when all documents fit, with 2 when some do not, and with 1 when something goes wrong;
    then nothing is written.

    Examples:
      sheaf schema promote movies --check-only
      sheaf schema promote movies --name Movie
    """
    settings = settings_of(data_dir, mongodb_uri, database)
    chosen = name or choose_name(collection)
    project = find_project(settings) if output or check_only else require_project(settings)
    file = output or choose_file(project or Project(Path.cwd()), chosen)
    if output and not output.parent.is_dir():
        detail = f"There is no folder {output.parent}."
        raise InvalidParameterError(detail, [Fault("", "invalid", detail)])
    if not check_only:
        refuse_overwriting(file, collection, force=force)
    scope = _scope(sample, full=full, fresh=fresh, redact=False, is_silent=as_json)
    guesses = sample is None and not full
    promotion, source = _run(_promote(settings, collection, chosen, file, scope, guesses=guesses))
    if not check_only:
        file.parent.mkdir(exist_ok=True)
        with whole_file(file) as written:
            written.write(source.encode())
        noted = note_model(project, collection, file)
        promotion = replace(promotion, is_written=True, snapshot=noted)
    if as_json:
        print_json(promotion.to_dict())
    else:
        show_promotion(promotion, source, check_only=check_only)
    if promotion.checked["misfits"]:
        raise typer.Exit(DIFFERS)


def _scope(sample: int | None, *, full: bool, fresh: bool, redact: bool, is_silent: bool) -> Scope:
    if full and sample is not None:
        raise typer.BadParameter("--full looks at every document, and --sample at some. Give one of them.")
    return Scope(sample or SAMPLE, full=full, fresh=fresh, redact=redact, is_silent=is_silent)


def _run(work: Coroutine[Any, Any, T]) -> T:
    try:
        return run(work)
    except KeyboardInterrupt:
        MESSAGES.print("Stopped. With --full, the same command goes on where it was.")
        raise typer.Exit(INTERRUPTED) from None


def _other_settings(settings: Settings, database: str | None, uri: str | None) -> Settings:
    changes: dict[str, Any] = {}
    if database is not None:
        changes["database"] = database
    if uri is not None:
        changes["mongodb_uri"] = SecretStr(uri)
    return settings.model_copy(update=changes)


async def _both(before: str, after: str, settings: Settings, others: Settings, scope: Scope) -> tuple[Seen, Seen]:
    return await _side(before, settings, scope), await _side(after, others, scope)


async def _side(word: str, settings: Settings, scope: Scope) -> Seen:
    """Return a profile. The name of a collection has no dots, slashes and colons; that of a file or a load has."""
    if word.startswith(LOAD):
        return await look_at_load(settings, word.removeprefix(LOAD))
    if "." in word or "/" in word:
        return load_seen(Path(word))
    return await look(settings, word, scope)


async def _promote(
    settings: Settings, collection: str, name: str, file: Path, scope: Scope, *, guesses: bool
) -> tuple[Promotion, str]:
    async with open_target(settings, collection, scope) as (connection, where):
        if guesses:
            with Running(Deadline(LOOK_UP_SECONDS), writes=False):
                total = await connection.collection(collection).estimated_document_count()
            scope = replace(scope, full=total <= MOST)
            if not scope.full:
                announce(f"There are about {total:,} documents, so a sample of {scope.sample:,} is looked at.")
        seen = await look_at(connection, collection, where, scope)
        with Running(Deadline(LOOK_UP_SECONDS), writes=False):
            contract = await ContractStore(connection).current(collection)
        rules = ContractRules(None if contract is None else contract.schema)
        source = render(seen, name, rules)
        checked = await check(source, collection, file, settings, scope)
    return Promotion(collection, name, file, is_written=False, seen=seen, checked=checked, left=rules.left()), source
