"""The `sheaf` command: every subcommand in one table, and one way to end in an error."""

import sys
from typing import Annotated

import typer

from documents.database.embedded import EmbeddedMongoError
from documents.errors import StoreError
from documents.migrations.errors import LockHeldError, MigrationError
from documents.models.discovery import ModelError
from documents.seeds.files import SeedError
from documents.settings import SettingsError
from documents.version import VERSION
from scripts.commands.dev import dev
from scripts.commands.doctor import doctor
from scripts.commands.export import export
from scripts.commands.indexes import indexes
from scripts.commands.ingest import ingest
from scripts.commands.init import init
from scripts.commands.keys import keys
from scripts.commands.migrate import migrate
from scripts.commands.quarantine import quarantine
from scripts.commands.schema import schema
from scripts.commands.seed import seed
from scripts.commands.serve import serve
from scripts.console import errors_to
from scripts.exits import FAILED, LOCKED, REFUSED
from scripts.options import Commands
from scripts.production import ProductionError

app = Commands(
    name="sheaf",
    help="A document-store API on MongoDB.\n\n"
    "Every setting is a SHEAF_* variable in the environment or in .env. The commonest are flags, too; a flag wins.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.command()(init)
app.command()(dev)
app.command()(serve)
app.command()(doctor)
app.command()(seed)
app.add_typer(ingest, name="ingest")
app.add_typer(quarantine, name="quarantine")
app.command()(export)
app.add_typer(indexes, name="indexes")
app.add_typer(keys, name="keys")
app.add_typer(migrate, name="migrate")
app.add_typer(schema, name="schema")


def _show_version(wanted: bool) -> None:  # noqa: FBT001  # Typer calls it so
    if wanted:
        typer.echo(f"sheaf {VERSION}")
        raise typer.Exit


@app.callback()
def root(
    *,
    show_version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and leave.")
    ] = False,
) -> None:
    """Take the flags that stand before a subcommand."""


def main() -> None:
    """Run the command. What a person can mend is told in a sentence; only a fault of ours shows a traceback."""
    try:
        app(prog_name="sheaf")
    except ProductionError as error:
        errors_to(error)
        sys.exit(REFUSED)
    except LockHeldError as error:
        errors_to(error)
        sys.exit(LOCKED)
    except (SettingsError, EmbeddedMongoError, ModelError, MigrationError, SeedError, StoreError) as error:
        errors_to(error)
        sys.exit(FAILED)
