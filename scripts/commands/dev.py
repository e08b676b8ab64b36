"""`sheaf dev`: serve a project, and start again when something in it changes."""

import os
import shlex
import sys
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.markup import escape
from watchfiles import Change, DefaultFilter, run_process

from documents.project.project import Project, require_project
from documents.settings import PREFIX
from scripts.commands.serve import lease_of
from scripts.console import MESSAGES
from scripts.options import Database, DataDir, MongodbUri, settings_of

SERVE: Final = (sys.executable, "-P", "-m", "sheaf_command", "serve")
WATCHED: Final = frozenset({*Project.PARTS, "policies.yaml", "mappings", "sheaf.toml", "pyproject.toml", ".env"})


class ProjectFilter(DefaultFilter):
    """Lets through what belongs to a project, and not what a running server writes.

    Args:
        root: The folder of the project.
    """

    def __init__(self, root: Path) -> None:
        super().__init__()
        self._root = root

    def __call__(self, change: Change, path: str) -> bool:
        """Tell whether a change matters."""
        return Path(path).relative_to(self._root).parts[0] in WATCHED and super().__call__(change, path)


def dev(
    port: Annotated[int | None, typer.Option(help="Port to listen on. [SHEAF_PORT, 8000]", show_default=False)] = None,
    *,
    data_dir: DataDir = None,
    mongodb_uri: MongodbUri = None,
    database: Database = None,
) -> None:
    """Serve a project for development: start again on every change of it, and show what is in it.

    MongoDB keeps running meanwhile. Stop it with Ctrl-C.

    Examples:
      sheaf dev
      sheaf dev --project shop --port 9000
    """
    settings = settings_of(data_dir, mongodb_uri, database, port=port)
    project = require_project(settings)
    flags = {
        "project": project.root,
        "port": port,
        "data_dir": data_dir,
        "mongodb_uri": mongodb_uri,
        "database": database,
    }
    os.environ.update({f"{PREFIX}{name}".upper(): str(value) for name, value in flags.items() if value is not None})
    with lease_of(settings):
        show_found(project)
        run_process(
            project.root,
            target=shlex.join(SERVE),
            target_type="command",
            watch_filter=ProjectFilter(project.root),
            callback=lambda _: show_found(project),
        )


def show_found(project: Project) -> None:
    """Show the models, seeds, migrations and routes of a project."""
    MESSAGES.print(f"[bold]{escape(str(project.root))}[/bold]")
    for part, names in project.list_parts().items():
        MESSAGES.print(f"  {part:<11}{escape(', '.join(names)) or '[dim]none[/dim]'}", soft_wrap=True)
