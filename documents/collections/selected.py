"""What a request selects: the filter of its parameters, and how many documents."""

from typing import Final

from documents.catalog.addresses import SHOWN_IDS
from documents.catalog.catalog import CollectionEntry
from documents.collections.operations import Selection
from documents.errors import Fault, FilterRequiredError, InvalidParameterError
from documents.query.filter.filter import Filter, conjunction, parse_filter, parse_search
from documents.query.filter.parameters import parse_parameters

DEFAULT_LIMIT: Final = 50
MAX_LIMIT: Final = 1000


def select(entry: CollectionEntry, selection: Selection) -> Filter:
    """Return the filter of a selection."""
    literal = selection.literal
    ids = SHOWN_IDS if entry.model is None else None  # a model says what its ids are
    parts = [parse_parameters(selection.parameters, entry.coerce, literal=literal, ids=ids)]
    if selection.filter is not None:
        parts.append(parse_filter(selection.filter, entry.coerce, literal=literal, ids=ids))
    if selection.text is not None:
        parts.append(parse_search(selection.text))
    return conjunction(*parts)


def select_some(entry: CollectionEntry, selection: Selection) -> Filter:
    """Return the filter of a selection of what is changed.

    Raises:
        FilterRequiredError: It has none.
    """
    if selection.is_empty:
        raise FilterRequiredError("This would concern every document. To mean that, say filter={}.")
    return select(entry, selection)


def limit_of(limit: int | None, *, place: str, default: int = DEFAULT_LIMIT) -> int:
    """Return how many documents are asked for at most.

    Raises:
        InvalidParameterError: Fewer than 1, or more than `MAX_LIMIT`.
    """
    if limit is None:
        return default
    if not 1 <= limit <= MAX_LIMIT:
        detail = f"limit is from 1 to {MAX_LIMIT}."
        raise InvalidParameterError(detail, [Fault(f"{place}limit", "out-of-range", detail)])
    return limit
