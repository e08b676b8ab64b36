"""Loads a model from a file in a process of its own, and validates the documents of its collection.

Prints a line of JSON now and then: how far it is, and in the end what it has found, or why it could not look.
"""

import asyncio
import importlib.util
import inspect
import json
import sys
from contextlib import aclosing
from pathlib import Path
from typing import Any

from beanie import Document as BeanieDocument
from beanie import init_beanie  # pyright: ignore[reportUnknownVariableType]  # its database is generic, untold

from documents.catalog.declared import DeclaredModel
from documents.collections.conformance import check_documents
from documents.database.deadline import Deadline, Running
from documents.database.embedded import EmbeddedMongoError
from documents.errors import StoreError
from documents.lifecycle import START_SECONDS, open_connection
from documents.models.declarations import collection_name
from documents.models.discovery import ModelError
from documents.project.models import load_models
from documents.project.project import find_project
from documents.settings import Settings, SettingsError, load_settings


def load_model(file: Path, collection: str) -> type[BeanieDocument]:
    """Return the model of a collection that a file declares.

    Raises:
        ModelError: The file cannot be imported, or has no such model.
    """
    name = f"promoted_{file.stem}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ModelError(f"{file} is no Python file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise ModelError(f"{file} cannot be imported: {type(error).__name__}: {error}") from error
    for value in vars(module).values():
        if inspect.isclass(value) and issubclass(value, BeanieDocument) and value.__module__ == name:
            model: type[BeanieDocument] = value
            if collection_name(model) == collection:
                return model
    raise ModelError(f"{file} declares no collection {collection!r}.")


def refuse_claimed(collection: str, output: Path, settings: Settings) -> None:
    """Return when no model of another file than `output` declares the collection.

    Raises:
        ModelError: One does, or the models cannot be loaded.
    """
    for model in load_models(find_project(settings)):
        file = Path(inspect.getfile(model))
        if collection_name(model) == collection and file.resolve() != output.resolve():
            raise ModelError(f"{collection} is declared already, by {model.__qualname__} in {file}.")


async def _check(file: Path, collection: str, output: Path) -> None:
    model = load_model(file, collection)
    settings = load_settings()
    refuse_claimed(collection, output, settings)
    async with open_connection(settings) as connection:
        with Running(Deadline(START_SECONDS), writes=False):
            await init_beanie(connection.database, document_models=[model], skip_indexes=True)
        async with aclosing(check_documents(connection, DeclaredModel(model))) as steps:
            async for step in steps:
                _say({"result": step.to_dict()} if step.is_done else {"done": step.checked, "total": step.total})


def _say(line: Any) -> None:  # noqa: ANN401  # JSON
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Check the model of the file, collection and place that the command line names."""
    file, collection, output = sys.argv[1:]
    try:
        asyncio.run(_check(Path(file), collection, Path(output)))
    except (ModelError, StoreError, SettingsError, EmbeddedMongoError) as error:
        _say({"error": error.detail if isinstance(error, StoreError) else str(error)})


if __name__ == "__main__":
    main()
