"""Finds the models: every document class in the modules of one package."""

import importlib
import inspect
import pkgutil
import re
import sys
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Final, TypeGuard

from beanie import Document

from documents.models.declarations import collection_name
from documents.types import COLLECTION_NAME

_NAME: Final = re.compile(COLLECTION_NAME)


class ModelError(Exception):
    """A model cannot be loaded, or contradicts another one. The message names the files."""


def discover_models(package: str) -> list[type[Document]]:
    """Import every module of a package and return its concrete document classes, ordered by collection.

    A class that others in the package inherit from is a model only if it has Settings of its own.

    Args:
        package: Dotted name; its subpackages are searched too.

    Raises:
        ModelError: A module fails to import, a collection has no usable name, or two models claim the same one.
    """
    found = [model for module in import_modules(package) for model in _documents_of(module)]
    models = [model for model in found if not _is_abstract(model, found)]
    models.sort(key=lambda model: (collection_name(model), model.__module__, model.__qualname__))
    _refuse_misnamed(models)
    _refuse_doubles(models)
    return models


def import_modules(package: str) -> Iterator[ModuleType]:
    """Import a package and all that is in it, and yield each module.

    Raises:
        ModelError: A module fails to import.
    """
    root = _import(package)
    yield root
    paths: Sequence[str] = getattr(root, "__path__", [])
    for info in sorted(pkgutil.iter_modules(paths, f"{package}."), key=lambda info: info.name):
        if info.ispkg:
            yield from import_modules(info.name)
        else:
            yield _import(info.name)


def _import(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except Exception as error:
        raise ModelError(f"{_file_of(name)} cannot be imported: {type(error).__name__}: {error}") from error


def _file_of(name: str) -> str:
    """Return the file of a module that could not be imported, as well as it can be known."""
    parent, _, stem = name.rpartition(".")
    folders: Sequence[str] = getattr(sys.modules.get(parent), "__path__", [])
    for folder in folders:
        for file in (Path(folder, f"{stem}.py"), Path(folder, stem, "__init__.py")):
            if file.exists():
                return str(file)
    return f"The package {name}"


def _documents_of(module: ModuleType) -> list[type[Document]]:
    """Return the document classes that a module defines; what it only imports belongs to another."""
    defined = [value for value in vars(module).values() if _is_document(value) and value.__module__ == module.__name__]
    return list(dict.fromkeys(defined))


def _is_document(value: object) -> TypeGuard[type[Document]]:
    return inspect.isclass(value) and issubclass(value, Document)


def _is_abstract(model: type[Document], found: Sequence[type[Document]]) -> bool:
    if inspect.isabstract(model) or model.__pydantic_generic_metadata__["parameters"]:
        return True
    is_parent = any(other is not model and issubclass(other, model) for other in found)
    return is_parent and "Settings" not in vars(model)


def _refuse_misnamed(models: Sequence[type[Document]]) -> None:
    for model in models:
        name = collection_name(model)
        if not _NAME.fullmatch(name):
            raise ModelError(f"{_place(model)}: no collection can be named {name!r}; it must match {COLLECTION_NAME}.")


def _refuse_doubles(models: Sequence[type[Document]]) -> None:
    for one, other in pairwise(models):
        if collection_name(one) == collection_name(other):
            raise ModelError(
                f"Both {_place(one)} and {_place(other)} claim the collection {collection_name(one)!r}. "
                "A collection has one model; share fields through a plain BaseModel mixin."
            )


def _place(model: type[Document]) -> str:
    return f"{model.__qualname__} ({inspect.getfile(model)})"
