"""References between seeds, by natural key.

`{"$seed": "customers", "email": "ada@example.com"}` stands for the `_id` of that customer.
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any, Final, TypeAlias, cast

from documents.seeds.files import Seed, SeedError
from documents.types import Document, child

MARK: Final = "$seed"

Resolve: TypeAlias = Callable[[str, Document, str], Awaitable[object]]
"""Answers, for a collection, the fields of a reference and the place where it stands, the `_id` that is meant."""


def order_collections(seeds: Iterable[Seed]) -> list[str]:
    """Return the collections so that each comes after those that it refers to.

    Raises:
        SeedError: Collections refer to each other in a circle.
    """
    edges: dict[str, set[str]] = {}
    for seed in seeds:
        edges.setdefault(seed.collection, set()).update(_targets(seed.value) - {seed.collection})
    try:
        return [name for name in TopologicalSorter(edges).static_order() if name in edges]
    except CycleError as error:
        circle = " -> ".join(cast("list[str]", error.args[1]))
        raise SeedError(f"These collections refer to each other in a circle: {circle}.") from error


async def resolve_references(value: Any, resolve: Resolve, pointer: str) -> Any:  # noqa: ANN401  # JSON of any type
    """Return a value with each reference replaced by the `_id` that it means.

    Args:
        value: As a file has it.
        resolve: Finds the `_id`.
        pointer: Where the value stands, for errors.
    """
    if _is_reference(value):
        fields = {name: item for name, item in value.items() if name != MARK}
        return await resolve(value[MARK], fields, pointer)
    if isinstance(value, dict):
        fields = cast("Document", value)
        return {name: await resolve_references(item, resolve, child(pointer, name)) for name, item in fields.items()}
    if isinstance(value, list):
        items = enumerate(cast("list[Any]", value))
        return [await resolve_references(item, resolve, child(pointer, index)) for index, item in items]
    return value


def _targets(value: object) -> set[str]:
    if _is_reference(value):
        return {cast("Document", value)[MARK]}
    return {target for item in _members(value) for target in _targets(item)}


def _members(value: object) -> Iterator[object]:
    if isinstance(value, Mapping):
        yield from cast("Mapping[str, object]", value).values()
    elif isinstance(value, list):
        yield from cast("list[object]", value)


def _is_reference(value: object) -> bool:
    return isinstance(value, dict) and isinstance(cast("Document", value).get(MARK), str)
