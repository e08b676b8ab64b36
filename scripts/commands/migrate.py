"""`sheaf migrate`: bring the documents that are stored up to date with the revisions in files."""

from dataclasses import asdict
from typing import Annotated, Any, TypeAlias

import typer
from rich.markup import escape

from documents.database.connection import Connection
from documents.migrations import runner, stamps
from documents.migrations.graph import Phase
from documents.migrations.lock import LockHolder, MigrationLock, break_lock
from documents.migrations.plan import plan_upgrade
from documents.migrations.state import read_state
from documents.migrations.throttle import set_paused
from scripts.commands.revision import merge, revision
from scripts.console import MESSAGES, print_json
from scripts.exits import DIFFERS
from scripts.migrate_report import show_history, show_plans, show_revisions, show_troubles
from scripts.migrate_target import load_folder, target_of, target_to_change, throttle_of
from scripts.options import AsJson, Commands, Database, DataDir, Folder, MongodbUri, Wait, settings_of
from scripts.production import Yes

To: TypeAlias = Annotated[
    str | None, typer.Option(help="The beginning of the id of the last revision to run.", show_default="the head")
]
UpTo: TypeAlias = Annotated[
    Phase | None,
    typer.Option(
        help="Stop after this phase. `expand` before the new application is deployed, `backfill` beside it, the rest "
        "when the old one is gone.",
        show_default="all",
    ),
]
Rate: TypeAlias = Annotated[
    float | None, typer.Option(min=0.001, help="Most documents a second, to spare the database.", show_default="any")
]
MaxLag: TypeAlias = Annotated[
    float | None,
    typer.Option(min=0, help="Stand still while a secondary is so many seconds behind.", show_default="any"),
]
BatchSize: TypeAlias = Annotated[int, typer.Option(min=1, max=100_000, help="Most documents in one transaction.")]
Accept: TypeAlias = Annotated[
    list[str] | None, typer.Option(metavar="ID", help="Take the edited file of this one for what was run. Repeatable.")
]
Forget: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        metavar="ID", help="Forget that this one was run; what it did stays. Its file may be gone. Repeatable."
    ),
]

migrate = Commands(
    help="Bring stored documents up to date, by revisions: files in the project that say what changes.\n\n"
    "The usual way is plan, upgrade, check. An upgrade may be killed at any moment; run it again and it goes on. "
    "Two at once cannot be: a lock sees to it.",
    no_args_is_help=True,
)
migrate.command()(revision)
migrate.command()(merge)


@migrate.command()
def plan(
    to: To = None,
    phase: UpTo = None,
    *,
    folder: Folder = None,
    data_dir: DataDir = None,
    mongodb_uri: MongodbUri = None,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Show what `upgrade` would do: how many documents, which indexes, what stands in the way. Writes nothing."""
    target = target_of(folder, data_dir, mongodb_uri, database)
    plans = target.run(lambda connection, graph: plan_upgrade(connection, graph, to=to, phase=phase))
    if as_json:
        print_json([each.to_dict() for each in plans])
    else:
        show_plans(plans)


@migrate.command()
def upgrade(  # noqa: PLR0913  # each is a flag
    to: To = None,
    phase: UpTo = None,
    *,
    rate: Rate = None,
    max_lag: MaxLag = None,
    batch_size: BatchSize = runner.BATCH,
    wait: Wait = 0,
    folder: Folder = None,
    data_dir: DataDir = None,
    mongodb_uri: MongodbUri = None,
    database: Database = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Run every revision that is not applied yet, parents first. Run it again at any time.

    Examples:
      sheaf migrate upgrade
      sheaf migrate upgrade --phase expand
      sheaf migrate upgrade --rate 2000 --max-lag 5
    """
    target = target_to_change(folder, data_dir, mongodb_uri, database, yes=yes, as_json=as_json)
    throttle = throttle_of(rate, max_lag)
    target.migrate(
        "sheaf migrate upgrade",
        lambda connection, graph, lock: runner.upgrade(
            connection, graph, lock=lock, to=to, phase=phase, throttle=throttle, batch_size=batch_size
        ),
        wait=wait,
    )
    if phase not in (None, Phase.CONTRACT) and not as_json:
        MESSAGES.print(f"Stopped after {phase}. To go on: [bold]sheaf migrate upgrade[/bold]")


@migrate.command()
def downgrade(  # noqa: PLR0913  # each is a flag
    to: Annotated[
        str,
        typer.Option(
            help="The beginning of the id of the revision to go back to, which stays; -1 for one step; base for none."
        ),
    ],
    *,
    rate: Rate = None,
    max_lag: MaxLag = None,
    batch_size: BatchSize = runner.BATCH,
    wait: Wait = 0,
    folder: Folder = None,
    data_dir: DataDir = None,
    mongodb_uri: MongodbUri = None,
    database: Database = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Take revisions back, the last one first, or refuse before anything is changed.

    A removed field does not come back, and so its revision is refused; as is an added one that some documents had
    before.

    Examples:
      sheaf migrate downgrade --to -1
      sheaf migrate downgrade --to 3f9c
    """
    target = target_to_change(folder, data_dir, mongodb_uri, database, yes=yes, as_json=as_json)
    throttle = throttle_of(rate, max_lag)
    target.migrate(
        "sheaf migrate downgrade",
        lambda connection, graph, lock: runner.downgrade(
            connection, graph, lock=lock, to=to, throttle=throttle, batch_size=batch_size
        ),
        wait=wait,
    )


@migrate.command()
def resume(  # noqa: PLR0913  # each is a flag
    rate: Rate = None,
    max_lag: MaxLag = None,
    batch_size: BatchSize = runner.BATCH,
    wait: Wait = 0,
    *,
    folder: Folder = None,
    data_dir: DataDir = None,
    mongodb_uri: MongodbUri = None,
    database: Database = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Go on with what was interrupted or failed, forth or back as it was meant, and begin nothing else."""
    target = target_to_change(folder, data_dir, mongodb_uri, database, yes=yes, as_json=as_json)
    throttle = throttle_of(rate, max_lag)
    target.migrate(
        "sheaf migrate resume",
        lambda connection, graph, lock: runner.resume(
            connection, graph, lock=lock, throttle=throttle, batch_size=batch_size
        ),
        wait=wait,
    )


@migrate.command()
def check(
    folder: Folder = None,
    *,
    data_dir: DataDir = None,
    mongodb_uri: MongodbUri = None,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Exit with 2 when revisions are pending, unfinished, failed, edited or missing, with 0 when all are applied."""
    state = target_of(folder, data_dir, mongodb_uri, database).run(read_state)
    if as_json:
        print_json(state.to_dict())
    else:
        show_troubles(state)
    if not state.is_current:
        raise typer.Exit(DIFFERS)


@migrate.command()
def current(
    folder: Folder = None,
    *,
    data_dir: DataDir = None,
    mongodb_uri: MongodbUri = None,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Show the last revision that is applied; several, if branches are."""
    target = target_of(folder, data_dir, mongodb_uri, database)
    state = target.run(read_state)
    if as_json:
        print_json(list(state.current))
    else:
        show_revisions(target.graph, state.current, none="No revision is applied.")


@migrate.command()
def history(
    folder: Folder = None,
    *,
    data_dir: DataDir = None,
    mongodb_uri: MongodbUri = None,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """List every revision, the first one first, with what became of it, when, and why it failed."""
    target = target_of(folder, data_dir, mongodb_uri, database)
    records = target.run(read_state).records
    if as_json:
        known = [{"revision": each.id, "message": each.message, "state": "pending"} for each in target.graph.revisions]
        gone = [record.to_dict() for record in records.values() if record.revision not in target.graph]
        rows = [records[each["revision"]].to_dict() if each["revision"] in records else each for each in known]
        print_json([*rows, *gone])
    else:
        show_history(target.graph, records)


@migrate.command()
def heads(folder: Folder = None, *, as_json: AsJson = False) -> None:
    """Show the last revisions that there are. Needs no database. Where there are several, merge them."""
    graph = load_folder(settings_of(None, None, None), folder)
    if as_json:
        print_json(list(graph.heads))
    else:
        show_revisions(graph, graph.heads, none="There are no revisions.")


@migrate.command()
def stamp(  # noqa: PLR0913  # each is a flag
    to: To = None,
    accept: Accept = None,
    forget: Forget = None,
    *,
    wait: Wait = 0,
    folder: Folder = None,
    data_dir: DataDir = None,
    mongodb_uri: MongodbUri = None,
    database: Database = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Record revisions as applied without running them, or mend what is recorded. Changes no document of yours.

    Without --accept and --forget, the revision of --to and all before it count as applied: for a database whose
    documents are as they should be already.
    """
    if (accept or forget) and to:
        raise typer.BadParameter("--to goes with neither --accept nor --forget.")
    target = target_to_change(folder, data_dir, mongodb_uri, database, yes=yes)

    async def work(connection: Connection, lock: MigrationLock) -> dict[str, list[str]]:
        if not accept and not forget:
            return {"stamped": await stamps.stamp(connection, target.graph, lock=lock, to=to)}
        return {
            "accepted": await stamps.accept_edits(connection, target.graph, accept or (), lock=lock),
            "forgotten": await stamps.forget_revisions(connection, forget or (), lock=lock),
        }

    changed = target.record("sheaf migrate stamp", work, wait=wait)
    if as_json:
        print_json(changed)
    else:
        lines = [f"{verb.capitalize()}: {', '.join(ids)}." for verb, ids in changed.items() if ids]
        MESSAGES.print("\n".join(lines) or "Nothing had to be changed.")


@migrate.command()
def unlock(
    data_dir: DataDir = None,
    mongodb_uri: MongodbUri = None,
    database: Database = None,
    *,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Free the lock, whoever holds it. Rarely needed: the lock of a process that died expires within 30 seconds.

    A holder that still runs notices, and writes nothing more.
    """
    target = target_to_change(None, data_dir, mongodb_uri, database, yes=yes, needs_revisions=False)
    holder = target.run(lambda connection, _: break_lock(connection.database))
    if as_json:
        print_json(None if holder is None else _told(holder))
    elif holder is None:
        MESSAGES.print("Nobody held the lock.")
    else:
        MESSAGES.print(escape(f"Freed. It was held by process {holder.pid} on {holder.host}: {holder.purpose}."))


def _told(holder: LockHolder) -> dict[str, Any]:
    return {**asdict(holder), "since": holder.since.isoformat(), "expires": holder.expires.isoformat()}


@migrate.command()
def pause(data_dir: DataDir = None, mongodb_uri: MongodbUri = None, database: Database = None) -> None:
    """Let every backfill of this database stand still, also one that runs elsewhere, until `unpause`."""
    target = target_of(None, data_dir, mongodb_uri, database, needs_revisions=False)
    target.run(lambda connection, _: set_paused(connection.database, True))
    MESSAGES.print("Backfills stand still. To let them go on: [bold]sheaf migrate unpause[/bold]")


@migrate.command()
def unpause(data_dir: DataDir = None, mongodb_uri: MongodbUri = None, database: Database = None) -> None:
    """Let backfills go on."""
    target = target_of(None, data_dir, mongodb_uri, database, needs_revisions=False)
    target.run(lambda connection, _: set_paused(connection.database, False))
    MESSAGES.print("Backfills go on.")
