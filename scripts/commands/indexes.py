"""`sheaf indexes`: what the models declare against what MongoDB has."""

import asyncio
from typing import Final

import typer
from rich.markup import escape
from rich.table import Table

from documents.indexes.apply import apply_plan
from documents.indexes.changes import Action, IndexPlan
from documents.indexes.compare import compare_indexes
from documents.indexes.declared import declared_indexes
from documents.lifecycle import open_store
from documents.settings import Environment, Settings
from scripts.console import MESSAGES, RESULTS, print_json
from scripts.options import AsJson, Database, DataDir, MongodbUri, settings_of

DRIFT: Final = 2

indexes = typer.Typer(
    help="Compare declared indexes with those in MongoDB, and create what lacks. "
    "Nothing that was not declared is ever dropped.",
    no_args_is_help=True,
)


@indexes.command()
def plan(
    data_dir: DataDir = None, mongodb_uri: MongodbUri = None, database: Database = None, *, as_json: AsJson = False
) -> None:
    """Show what `apply` would do. Changes nothing."""
    plans = asyncio.run(_plans(settings_of(data_dir, mongodb_uri, database)))
    _show(plans, as_json=as_json)


@indexes.command()
def check(
    data_dir: DataDir = None, mongodb_uri: MongodbUri = None, database: Database = None, *, as_json: AsJson = False
) -> None:
    """Exit with 2 when declared indexes lack or differ, with 0 when all is as declared. Changes nothing."""
    plans = asyncio.run(_plans(settings_of(data_dir, mongodb_uri, database)))
    _show(plans, as_json=as_json)
    if any(not found.is_empty for found in plans.values()):
        MESSAGES.print("Indexes differ from the models. To mend it: [bold]sheaf indexes apply[/bold]")
        raise typer.Exit(DRIFT)


@indexes.command()
def apply(
    data_dir: DataDir = None, mongodb_uri: MongodbUri = None, database: Database = None, *, as_json: AsJson = False
) -> None:
    """Create the declared indexes that lack, and change in place what can be. Run it again at any time."""
    settings = settings_of(data_dir, mongodb_uri, database)
    events = asyncio.run(_apply(settings, as_json=as_json))
    if as_json:
        print_json(events)


async def _plans(settings: Settings) -> dict[str, IndexPlan]:
    # In production, so that opening the store does not create the very indexes that are to be compared.
    asking = settings.model_copy(update={"environment": Environment.PRODUCTION})
    async with open_store(asking) as store:
        return {
            name: await compare_indexes(store.connection.collection(name), declared_indexes(model.model))
            for name, model in sorted(store.catalog.models.items())
        }


async def _apply(settings: Settings, *, as_json: bool) -> list[dict[str, object]]:
    events: list[dict[str, object]] = []
    asking = settings.model_copy(update={"environment": Environment.PRODUCTION})
    async with open_store(asking) as store:
        for name, model in sorted(store.catalog.models.items()):
            collection = store.connection.collection(name)
            async for event in apply_plan(collection, await compare_indexes(collection, declared_indexes(model.model))):
                events.append({"collection": name, **event.to_dict()})
                if not as_json:
                    MESSAGES.print(f"{name}: {event.action} {escape(', '.join(event.names))}: {event.state}")
    if not events and not as_json:
        MESSAGES.print("Every declared index is there.")
    return events


def _show(plans: dict[str, IndexPlan], *, as_json: bool) -> None:
    if as_json:
        print_json({name: found.to_dict() for name, found in plans.items()})
        return
    table = Table("Collection", "Index", "Action", "Why")
    for name, found in plans.items():
        for change in found.changes:
            if change.action is not Action.KEEP:
                why = change.blocked or change.note or ", ".join(item.option for item in change.differences)
                table.add_row(name, escape(change.name), str(change.action), escape(why))
    if table.row_count:
        RESULTS.print(table)
    else:
        MESSAGES.print("Every declared index is there.")
