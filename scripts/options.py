"""The flags that most subcommands share."""

from pathlib import Path
from typing import Annotated, Final, TypeAlias

import typer
from pydantic import SecretStr

from documents.settings import Settings, load_settings

MIGRATIONS: Final = Path(__file__).parent / "migrations"
"""Where the revisions are, unless a flag says otherwise."""

DataDir: TypeAlias = Annotated[
    Path | None, typer.Option(help="Folder of the embedded MongoDB. [SHEAF_DATA_DIR, .sheaf]", show_default=False)
]
MongodbUri: TypeAlias = Annotated[
    str | None,
    typer.Option(
        help="External MongoDB: replica set or sharded cluster. Prefer the variable when the URI has a password, "
        "since others can see a command's flags. [SHEAF_MONGODB_URI, none: the embedded one]",
        show_default=False,
    ),
]
Database: TypeAlias = Annotated[
    str | None, typer.Option(help="Database to serve. [SHEAF_DATABASE, sheaf]", show_default=False)
]
Folder: TypeAlias = Annotated[
    Path, typer.Option(help="Where the revisions are: a file for each.", show_default="scripts/migrations")
]
Wait: TypeAlias = Annotated[
    float, typer.Option(min=0, help="Seconds to wait for another process that holds the lock, before giving up with 4.")
]
AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="Print the result as JSON, for programs.")]


def settings_of(data_dir: Path | None, mongodb_uri: str | None, database: str | None, **others: object) -> Settings:
    """Return the settings, with what was given as flags."""
    return load_settings(
        data_dir=data_dir,
        mongodb_uri=None if mongodb_uri is None else SecretStr(mongodb_uri),
        database=database,
        **others,
    )
