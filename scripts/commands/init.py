"""`sheaf init`: a folder that is a project, runs and tests itself."""

import shutil
from importlib.resources import as_file, files
from pathlib import Path
from typing import Annotated, Final

import typer

from documents.project.project import ProjectError
from scripts.console import announce

HIDDEN: Final = "dot_"
"""Stands for the dot of a file's name where the template lies, so that no tool takes it for Sheaf's own."""


def init(
    folder: Annotated[Path, typer.Argument(help="Made if it lacks.", metavar="[DIR]")] = Path(),
    *,
    force: Annotated[
        bool, typer.Option("--force", help="Also in a folder that is not empty; files that are there stay as they are.")
    ] = False,
) -> None:
    """Make a project: a model, a seed, a route, a test, files for containers and continuous integration.

    Examples:
      sheaf init shop && cd shop && sheaf dev
    """
    if folder.exists() and not folder.is_dir():
        raise ProjectError(f"{folder} is a file. Name a folder.")
    if not force and folder.is_dir() and any(folder.iterdir()):
        raise ProjectError(f"The folder {folder.absolute()} is not empty. Name another one, or add --force.")
    with as_file(files("scripts") / "template") as template:
        for file in sorted(_write(template, folder)):
            announce(f"  {file}")
    announce(f"{folder.absolute()} is a project. Next: sheaf dev{'' if folder == Path() else f' --project {folder}'}")


def _write(template: Path, folder: Path) -> list[Path]:
    """Copy what is not there yet; return it."""
    written: list[Path] = []
    for source in template.rglob("*"):
        parts = source.relative_to(template).parts
        target = folder.joinpath(
            *(f".{part.removeprefix(HIDDEN)}" if part.startswith(HIDDEN) else part for part in parts)
        )
        if source.is_file() and "__pycache__" not in parts and not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
            written.append(target)
    return written
