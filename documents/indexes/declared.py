"""The indexes that a model declares."""

from collections.abc import Iterable

from beanie import Document
from bson.errors import InvalidDocument
from pymongo import IndexModel

from documents.errors import InvalidIndexError
from documents.indexes.spec import ID_KEYS, IndexSpec, parse_index
from documents.models.declarations import index_models


def declared_indexes(model: type[Document]) -> list[IndexSpec]:
    """Return every index of a model, in the order of declaration. Needs no database.

    Raises:
        InvalidIndexError: An option's value has no BSON form, or text fields do not stand together.
    """
    return parse_declared(index_models(model))


def parse_declared(models: Iterable[IndexModel]) -> list[IndexSpec]:
    """Return indexes that are given as PyMongo has them. `_id` is left out: MongoDB indexes it itself."""
    specs = [_parse(model) for model in models]
    return [spec for spec in specs if spec.keys != ID_KEYS]


def _parse(model: IndexModel) -> IndexSpec:
    try:
        return parse_index(model.document)
    except (InvalidDocument, OverflowError) as error:
        raise InvalidIndexError(f"The index {model.document['name']!r} has an option with no BSON form.") from error
