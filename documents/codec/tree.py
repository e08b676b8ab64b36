"""Trees of objects and arrays, which are dict and list and none of their subclasses."""

from collections.abc import Iterable
from typing import Any, Final, TypeAlias, cast

from documents.types import MAX_DEPTH

Container: TypeAlias = dict[str, Any] | list[Any]

CONTAINERS: Final[frozenset[type]] = frozenset({dict, list})
"""For `type(value) in CONTAINERS`, which takes a third of the time of `isinstance`."""

TEXT_WEIGHT: Final = 64


def containers(values: Iterable[object]) -> list[Container]:
    """Return those values that have values inside."""
    return [cast("Container", value) for value in values if type(value) in CONTAINERS]


def values_of(container: Container) -> Iterable[Any]:
    """Return what is directly inside."""
    return container.values() if isinstance(container, dict) else container


def is_heavy(value: object, limit: int) -> bool:
    """Tell whether a value weighs over `limit`: 1 for each value inside it, and 1 for each 64 characters of a text.

    Looks no further than it takes to tell.
    """
    waiting: list[Container] = [[value]]
    weight = 0
    while waiting and weight <= limit:
        items: Iterable[object] = values_of(waiting.pop())
        inner = containers(items)
        weight += sum(map(len, inner)) + sum(len(item) // TEXT_WEIGHT for item in items if isinstance(item, str))
        waiting += inner
    return weight > limit


def is_deep(value: object) -> bool:
    """Tell whether a value has more than `MAX_DEPTH` levels, itself included. Costs no recursion."""
    level = containers([value])
    for _ in range(MAX_DEPTH):
        if not level:
            return False
        level = containers(item for container in level for item in values_of(container))
    return bool(level)
