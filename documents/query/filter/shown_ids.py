"""An `_id` to be equal to: read as each id that a list would show so, whatever its type."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from bson import Code

from documents.query.filter.two_forms import ShownAlike, TwoForms
from documents.query.filter.values import literal
from documents.query.refusal import RefusedError


@dataclass(frozen=True, slots=True)
class ShownIds:
    """Which ids lists show alike; `documents.catalog.addresses` knows.

    Args:
        at: Returns the ids that a text of a URL may mean.
        like: Returns the ids that are shown as this value of a JSON filter.
    """

    at: Callable[[str], Sequence[object]]
    like: Callable[[object], Sequence[object]]


def alike(ids: Iterable[object], read: Callable[[], object]) -> Any:  # noqa: ANN401  # whatever BSON can hold
    """Return what stands for all of `ids` in a condition, without those that no filter may compare with.

    Args:
        ids: What a list would show so.
        read: Returns the value as the declared type reads it, which may be laxer: capital hex digits, say.
    """
    values: dict[object, object] = {}
    for each in _comparable(ids, read):
        values.setdefault((type(each), repr(each)), each)
    return ShownAlike(tuple(values.values())) if len(values) > 1 else next(iter(values.values()))


def _comparable(ids: Iterable[object], read: Callable[[], object]) -> Iterator[object]:
    with suppress(RefusedError):
        reading = read()
        if not isinstance(reading, TwoForms):
            yield reading
    for each in ids:
        if isinstance(each, Code):  # data, when it is to be equal to
            yield each
            continue
        try:
            yield literal(each, "")
        except RefusedError:
            continue
