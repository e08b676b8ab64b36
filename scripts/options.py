"""The flags that subcommands share."""

import functools
import inspect
from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path
from typing import Annotated, Any, Final, TypeAlias

import typer
from pydantic import SecretStr

from documents.project.project import require_project
from documents.settings import Settings, load_settings

ProjectFolder: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        help="Folder of models, seeds and migrations. [SHEAF_PROJECT, the current one if it has a sheaf.toml]",
        show_default=False,
    ),
]
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
    Path | None,
    typer.Option(help="Where the revisions are: a file for each.", show_default="migrations/ of the project"),
]
Wait: TypeAlias = Annotated[
    float, typer.Option(min=0, help="Seconds to wait for another process that holds the lock, before giving up with 4.")
]
AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="Print the result as JSON, for programs.")]


_project: Final[ContextVar[Path | None]] = ContextVar("project", default=None)


class Commands(typer.Typer):
    """A Typer whose commands all have the flag --project, which `settings_of` reads."""

    def command(self, *args: Any, **options: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:  # noqa: ANN401  # as Typer has it
        """Return a decorator that adds a command."""
        add = super().command(*args, **options)

        def register(work: Callable[..., Any]) -> Callable[..., Any]:
            add(_with_project(work))
            return work

        return register


def _with_project(work: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(work)
    def command(*args: object, project: Path | None, **flags: object) -> object:
        token = _project.set(project)
        try:
            return work(*args, **flags)
        finally:
            _project.reset(token)

    signature = inspect.signature(work)
    flag = inspect.Parameter("project", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=ProjectFolder)
    command.__dict__["__signature__"] = signature.replace(parameters=[*signature.parameters.values(), flag])
    command.__annotations__ = {**work.__annotations__, flag.name: ProjectFolder}
    return command


def settings_of(data_dir: Path | None, mongodb_uri: str | None, database: str | None, **others: object) -> Settings:
    """Return the settings, with what was given as flags."""
    return load_settings(
        data_dir=data_dir,
        mongodb_uri=None if mongodb_uri is None else SecretStr(mongodb_uri),
        database=database,
        project=_project.get(),
        **others,
    )


def migrations_of(settings: Settings, folder: Path | None) -> Path:
    """Return where the revisions are: in the folder that a flag names, else in the project.

    Raises:
        ProjectError: No folder was named, and there is no project.
    """
    return folder or require_project(settings).migrations
