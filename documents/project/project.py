"""A project: a user's own models, seeds and migrations, in a folder of theirs."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final

from pydantic import BaseModel, ConfigDict, ValidationError

from documents.settings import Settings, SettingsError

MARKER: Final = "sheaf.toml"
NONE_HERE: Final = (
    "There is no project here. Name its folder with --project or SHEAF_PROJECT, or go to it; "
    f"a folder becomes one by an empty {MARKER}."
)


class ProjectError(SettingsError):
    """There is no project, or it cannot be read. The message says what to do."""


@dataclass(frozen=True, slots=True)
class Project:
    """The folder of a project. Any of its parts may be missing.

    Args:
        root: The folder, as an absolute path.
    """

    PARTS: ClassVar = ("models", "seeds", "migrations", "routes")

    root: Path

    @property
    def models(self) -> Path:
        """Modules with Beanie documents."""
        return self.root / "models"

    @property
    def seeds(self) -> Path:
        """Documents to begin with, a file for each collection."""
        return self.root / "seeds"

    @property
    def policies(self) -> Path:
        """Who may do what: YAML."""
        return self.root / "policies.yaml"

    @property
    def mappings(self) -> Path:
        """Mappings that loads can name: a YAML file each."""
        return self.root / "mappings"

    @property
    def migrations(self) -> Path:
        """Revisions, and the snapshot of the models."""
        return self.root / "migrations"

    @property
    def routes(self) -> Path:
        """Modules with FastAPI routers."""
        return self.root / "routes"

    def list_parts(self) -> dict[str, list[str]]:
        """Return the names of the files in each part."""
        return {
            part: sorted(
                file.name
                for file in (self.root / part).glob("*")
                if file.is_file() and not file.name.startswith((".", "_"))
            )
            for part in self.PARTS
        }


def find_project(settings: Settings) -> Project | None:
    """Return the project in the folder that the settings name, else the one in the current folder; None if it is none.

    Raises:
        ProjectError: A folder is missing, or what marks a project cannot be read.
    """
    if settings.project is not None:
        return _of_folder(settings.project, "--project or SHEAF_PROJECT")
    here = Path.cwd()
    marks = _read_marks(here)
    if marks is None:
        return None
    if marks.sample is None:
        return Project(here)
    return _of_folder(here / marks.sample, "`sample`") if settings.mongodb_uri is None else None


def require_project(settings: Settings) -> Project:
    """Return the same, for what cannot do without.

    Raises:
        ProjectError: Also when there is none.
    """
    project = find_project(settings)
    if project is None:
        raise ProjectError(NONE_HERE)
    return project


class _Marks(BaseModel):
    """What marks a folder as a project: `sheaf.toml`, or `[tool.sheaf]`.

    Args:
        sample: The folder of another project, which is taken in place of this folder, for the embedded MongoDB only:
            a sample's models are not for the collections of somebody's own MongoDB.
    """

    model_config = ConfigDict(extra="forbid")

    sample: str | None = None


def _of_folder(folder: Path, named_by: str) -> Project:
    if not folder.is_dir():
        raise ProjectError(f"There is no folder {folder}, which {named_by} names.")
    return Project(folder.resolve())


def _read_marks(folder: Path) -> _Marks | None:
    own, shared = folder / MARKER, folder / "pyproject.toml"
    if own.is_file():
        return _parse(own, _load(own))
    section = _load(shared).get("tool", {}).get("sheaf") if shared.is_file() else None
    return None if section is None else _parse(shared, section)


def _load(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ProjectError(f"{file} cannot be read: {error}.") from error


def _parse(file: Path, section: object) -> _Marks:
    try:
        return _Marks.model_validate(section)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise ProjectError(f"{file} cannot be read: {faults}. Settings are SHEAF_* variables.") from None
