"""`sheaf indexes`: what the models declare against what MongoDB has."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated, TypeAlias

import typer
from rich.markup import escape

from documents.errors import CollectionNotFoundError, InvalidIndexError
from documents.indexes.actual import read_indexes
from documents.indexes.advise import Advice, advise
from documents.indexes.changes import IndexChange, IndexPlan, Permission, Permissions
from documents.indexes.compare import compare_indexes
from documents.indexes.declared import declared_indexes
from documents.indexes.names import find_unknown
from documents.indexes.spec import IndexSpec
from documents.indexes.usage import read_usage
from documents.lifecycle import Store, open_store
from documents.migrations.errors import LockHeldError, MigrationError
from documents.migrations.lock import hold_lock
from documents.settings import Settings
from scripts.console import MESSAGES, errors_to, print_json
from scripts.exits import DIFFERS, FAILED, INTERRUPTED, LOCKED
from scripts.index_report import ALL_THERE, mending_command, show_advice, show_plans
from scripts.index_work import IndexWork
from scripts.options import AsJson, Commands, Database, DataDir, MongodbUri, Wait, settings_of
from scripts.production import Yes, require_yes
from scripts.running import run

Names: TypeAlias = list[str] | None
Collections: TypeAlias = Annotated[
    Names, typer.Option("--collection", "-c", help="Only this collection; may be given more than once.")
]
Ignore: TypeAlias = Annotated[
    Names, typer.Option(help="Pattern such as 'tmp_*': undeclared indexes with such names are not reported.")
]
Rebuild: TypeAlias = Annotated[
    Names, typer.Option(metavar="COLLECTION.INDEX", help="Let this index be built anew where it must be.")
]
Drop: TypeAlias = Annotated[Names, typer.Option(metavar="COLLECTION.INDEX", help="Drop this undeclared index.")]
Hide: TypeAlias = Annotated[
    Names, typer.Option(metavar="COLLECTION.INDEX", help="Hide this undeclared index from queries.")
]
Unhide: TypeAlias = Annotated[
    Names, typer.Option(metavar="COLLECTION.INDEX", help="Let queries use this undeclared index again.")
]
ShortenTtl: TypeAlias = Annotated[
    Names, typer.Option(metavar="COLLECTION.INDEX", help="Let this index delete documents sooner than it does.")
]

indexes = Commands(
    help="Compare declared indexes with those in MongoDB, create what lacks, and say what is unused or missing. "
    "Nothing is dropped or rebuilt unless its name is given.",
    no_args_is_help=True,
)


@dataclass(frozen=True, slots=True)
class _Choice:
    """Which collections and indexes a command is about. Permissions are by collection."""

    collections: Sequence[str] = ()
    ignore: Sequence[str] = ()
    permissions: Mapping[str, Permissions] = field(default_factory=dict[str, Permissions])

    def permitting(self, collection: str, permission: Permission, name: str) -> "_Choice":
        known = self.permissions.get(collection, Permissions())
        more = replace(known, **{str(permission): (*known.of(permission), name)})
        return replace(self, permissions={**self.permissions, collection: more})


def _choice(collections: Names, ignore: Names, **named: Names) -> _Choice:
    choice = _Choice(collections or (), ignore or ())
    for permission, targets in named.items():
        for target in targets or ():
            collection, dot, name = target.partition(".")
            if not (collection and dot and name):
                flag = f"--{permission.replace('_', '-')}"
                raise typer.BadParameter(f"{flag} takes a collection and an index: products.sku_1, not {target!r}.")
            choice = choice.permitting(collection, Permission(permission), name)
    return choice


@indexes.command()
def plan(  # noqa: PLR0913  # each is a flag
    collection: Collections = None,
    ignore: Ignore = None,
    rebuild: Rebuild = None,
    drop: Drop = None,
    hide: Hide = None,
    *,
    unhide: Unhide = None,
    shorten_ttl: ShortenTtl = None,
    data_dir: DataDir = None,
    mongodb_uri: MongodbUri = None,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Show what `apply` would do with the same flags. Changes nothing, and exits with 0."""
    choice = _choice(collection, ignore, rebuild=rebuild, drop=drop, hide=hide, unhide=unhide, shorten_ttl=shorten_ttl)
    _show(run(_plans(settings_of(data_dir, mongodb_uri, database), choice)), as_json=as_json)


@indexes.command()
def check(
    collection: Collections = None,
    ignore: Ignore = None,
    *,
    data_dir: DataDir = None,
    mongodb_uri: MongodbUri = None,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Exit with 2 when declared indexes lack or differ, with 0 when all is as declared. Changes nothing."""
    choice = _choice(collection, ignore)
    plans = run(_plans(settings_of(data_dir, mongodb_uri, database), choice))
    _show(plans, as_json=as_json)
    if any(not found.is_empty for found in plans.values()):
        _say_how_to_mend(plans, choice)
        raise typer.Exit(DIFFERS)


@indexes.command()
def apply(  # noqa: PLR0913  # each is a flag
    collection: Collections = None,
    rebuild: Rebuild = None,
    drop: Drop = None,
    hide: Hide = None,
    unhide: Unhide = None,
    *,
    shorten_ttl: ShortenTtl = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Change nothing; say what would be done.")] = False,
    wait: Wait = 0,
    yes: Yes = False,
    data_dir: DataDir = None,
    mongodb_uri: MongodbUri = None,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Create the declared indexes that lack, and change in place what can be. Run it again at any time.

    Exits with 1 when documents stand in the way of a unique index or something else goes wrong, with 2 when
    something is still not as declared, with 3 when the target looks like production and --yes was not given, and
    with 4 when another process holds the lock. Ctrl-C ends a build in MongoDB, too.
    """
    settings = settings_of(data_dir, mongodb_uri, database)
    choice = _choice(collection, None, rebuild=rebuild, drop=drop, hide=hide, unhide=unhide, shorten_ttl=shorten_ttl)
    if dry_run:
        _show(run(_plans(settings, choice)), as_json=as_json)
        return
    require_yes(settings, yes=yes)
    work = partial(_apply, settings, wait=timedelta(seconds=wait), as_json=as_json)
    try:
        try:
            code = run(work(choice, asks=is_asked() and not as_json))
        except _UnconfirmedError as error:
            # Asked out here, where no lock has to be renewed, and Ctrl-C ends the question.
            code = run(work(_confirmed(error.plans, choice), asks=False))
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    except MigrationError as error:
        errors_to(error)
        raise typer.Exit(LOCKED if isinstance(error, LockHeldError) else FAILED) from None
    if code:
        raise typer.Exit(code)


@indexes.command(name="advise")
def advise_(
    collection: Collections = None,
    min_age: Annotated[float, typer.Option(min=0, help="Days that an index must have been counted for.")] = 7,
    min_count: Annotated[int, typer.Option(min=1, help="Queries that must speak for a missing index.")] = 10,
    *,
    data_dir: DataDir = None,
    mongodb_uri: MongodbUri = None,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Say which indexes no query uses, and which are missing for the queries there were. Changes nothing."""
    settings = settings_of(data_dir, mongodb_uri, database)
    advice = run(_advice(settings, _choice(collection, None), timedelta(days=min_age), min_count))
    if as_json:
        print_json({name: [one.to_dict() for one in several] for name, several in advice.items()})
    else:
        show_advice(advice)


def _show(plans: Mapping[str, IndexPlan], *, as_json: bool) -> None:
    if as_json:
        print_json({name: found.to_dict() for name, found in plans.items()})
    else:
        show_plans(plans)


def _say_how_to_mend(plans: Mapping[str, IndexPlan], choice: _Choice) -> None:
    flags = [word for name in choice.collections for word in ("--collection", name)]
    command = escape(mending_command(plans, flags))
    MESSAGES.print(f"Indexes differ from the models. To mend it: [bold]{command}[/bold]", soft_wrap=True)


async def _plans(settings: Settings, choice: _Choice) -> dict[str, IndexPlan]:
    async with open_store(settings) as store:
        return await _compared(store, choice)


async def _compared(store: Store, choice: _Choice) -> dict[str, IndexPlan]:
    names = sorted({*(choice.collections or store.catalog.models), *choice.permissions})
    unknown: list[str] = []
    plans: dict[str, IndexPlan] = {}
    for name in names:
        permissions = choice.permissions.get(name, Permissions())
        plans[name] = await compare_indexes(
            store.connection.collection(name),
            await _declared(store, name),
            ignore=choice.ignore,
            permissions=permissions,
        )
        unknown += [f"{name}: {fault.detail}" for fault in find_unknown(plans[name], permissions)]
    if unknown:
        raise InvalidIndexError("\n".join(unknown))
    return plans


async def _declared(store: Store, name: str) -> list[IndexSpec]:
    model = store.catalog.models.get(name)
    if model is None and await store.catalog.get_or_none(name) is None:
        known = ", ".join(summary.name for summary in await store.catalog.summaries())
        raise InvalidIndexError(f"{CollectionNotFoundError(name).detail} There are: {known}.")
    return declared_indexes(model.model) if model else []


class _UnconfirmedError(Exception):
    """Documents would be deleted sooner, and somebody is there to be asked. Nothing was changed."""

    def __init__(self, plans: Mapping[str, IndexPlan]) -> None:
        super().__init__("Documents would be deleted sooner.")
        self.plans = plans


async def _apply(settings: Settings, choice: _Choice, *, wait: timedelta, as_json: bool, asks: bool) -> int:
    async with (
        open_store(settings) as store,
        hold_lock(store.connection.database, purpose="sheaf indexes apply", wait=wait),
    ):
        plans = await _compared(store, choice)
        if asks and any(_is_question(change) for found in plans.values() for change in found.blocked):
            raise _UnconfirmedError(plans)
        work = IndexWork(store, as_json=as_json)
        for name, found in plans.items():
            await work.carry_out(name, found)
        left = await _compared(store, _Choice([*plans]))
    if as_json:
        print_json(work.events)
    elif not work.events:
        MESSAGES.print(ALL_THERE)
    is_different = any(not found.is_empty for found in left.values())
    if is_different:
        _say_how_to_mend(left, choice)
    return FAILED if work.failed else DIFFERS if is_different else 0


def _is_question(change: IndexChange) -> bool:
    return change.needs == (Permission.SHORTEN_TTL,)


def _confirmed(plans: Mapping[str, IndexPlan], choice: _Choice) -> _Choice:
    """Ask whether documents may be deleted sooner."""
    for name, found in plans.items():
        for change in found.blocked:
            if _is_question(change) and typer.confirm(_question(name, change), err=True):
                choice = choice.permitting(name, Permission.SHORTEN_TTL, change.name)
    return choice


def is_asked() -> bool:
    """Say whether somebody sits there who can answer."""
    return sys.stdin.isatty()


def _question(collection: str, change: IndexChange) -> str:
    if not change.differences:
        return f"{collection}.{change.name}: {change.note} Build it?"
    [expiry] = [item for item in change.differences if item.option == "expireAfterSeconds"]
    before = "never" if expiry.actual is None else f"after {expiry.actual} s"
    return f"{collection}.{change.name}: delete documents after {expiry.declared} s, until now {before}?"


async def _advice(settings: Settings, choice: _Choice, min_age: timedelta, min_count: int) -> dict[str, list[Advice]]:
    async with open_store(settings) as store:
        names: Iterable[str] = choice.collections or [summary.name for summary in await store.catalog.summaries()]
        return {name: await _advised(store, name, min_age, min_count) for name in names}


async def _advised(store: Store, name: str, min_age: timedelta, min_count: int) -> list[Advice]:
    declared = await _declared(store, name)
    collection = store.connection.collection(name)
    return advise(
        await read_usage(collection),
        await read_indexes(collection),
        declared,
        now=datetime.now(UTC),
        min_age=min_age,
        min_count=min_count,
    )
