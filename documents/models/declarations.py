"""What a Beanie model declares in its Settings, read without a database and before Beanie is initialised."""

from collections.abc import Iterator
from typing import Any, cast

from beanie import Document
from beanie.odm.utils.typing import get_index_attributes  # pyright: ignore[reportUnknownVariableType]  # untyped in Beanie
from pymongo import IndexModel


def collection_name(model: type[Document]) -> str:
    """Return the collection of a model: `Settings.name`, or the name of the class as Beanie has it."""
    name: object = getattr(_settings(model), "name", None)
    return name if isinstance(name, str) else model.__name__


def index_models(model: type[Document]) -> list[IndexModel]:
    """Return every index that a model declares, in order: `Indexed` fields, then `Settings.indexes`.

    Beanie itself merges declarations that have the same fields, whatever their order and options, and so
    loses some; here none is lost.
    """
    return [*_indexed_fields(model), *_listed(model)]


def _settings(model: type[Document]) -> object:
    return getattr(model, "Settings", None)


def _indexed_fields(model: type[Document]) -> Iterator[IndexModel]:
    for name, field in model.model_fields.items():
        attributes = get_index_attributes(field)
        if attributes is not None:
            direction, options = attributes
            yield IndexModel([(field.alias or name, direction)], **options)


def _listed(model: type[Document]) -> Iterator[IndexModel]:
    for settings in _contributing(model):
        for index in cast("list[Any]", getattr(settings, "indexes", [])):
            yield index if isinstance(index, IndexModel) else IndexModel(index)


def _contributing(model: type[Document]) -> list[object]:
    if not getattr(_settings(model), "merge_indexes", False):
        return [_settings(model)]
    return [vars(parent)["Settings"] for parent in reversed(model.mro()) if "Settings" in vars(parent)]
