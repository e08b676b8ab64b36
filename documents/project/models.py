"""Loads a project's models and routes under a package name of Sheaf's own.

So a project may have modules that are called `api`, `documents` or `models`, and two projects can be loaded side by
side. Its modules import one another relatively: `from .lines import Line`.
"""

import hashlib
import importlib
import sys
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec
from pathlib import Path
from types import ModuleType
from typing import Final

from beanie import Document

from documents.models.discovery import discover_models, import_modules
from documents.project.project import Project

PREFIX: Final = "_sheaf_project_"


def load_models(project: Project | None) -> list[type[Document]]:
    """Return the document classes of a project, ordered by collection; none where there is no project.

    Raises:
        ModelError: A module fails to import, a collection has no usable name, or two models claim the same one.
    """
    if project is None or not project.models.is_dir():
        return []
    return discover_models(f"{_mount(project.root)}.models")


def load_routes(project: Project | None) -> list[ModuleType]:
    """Return the modules in a project's `routes/`; none where there is no project.

    Raises:
        ModelError: A module fails to import.
    """
    if project is None or not project.routes.is_dir():
        return []
    return list(import_modules(f"{_mount(project.root)}.routes"))


def _mount(root: Path) -> str:
    """Return the name of a package whose path is the folder."""
    importlib.invalidate_caches()  # a file may have been written a moment ago
    name = PREFIX + hashlib.sha256(bytes(root)).hexdigest()[:12]
    if name not in sys.modules:
        spec = ModuleSpec(name, None, is_package=True)
        spec.submodule_search_locations = [str(root)]
        sys.modules[name] = module_from_spec(spec)
    return name
