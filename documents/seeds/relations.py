"""Which fields refer to documents of other collections, guessed from their names and types."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any, Final, cast

from documents.catalog.declared import DeclaredModel
from documents.seeds.annotations import fields_below, linked
from documents.seeds.files import SeedError
from documents.seeds.prepare import natural_key

COMMON: Final = frozenset({"_id", "name", "title", "label", "email", "slug", "code", "key", "number", "date", "type"})
"""Keys that other collections may well have as fields of their own, so that the bare name refers to nothing."""


@dataclass(frozen=True, slots=True)
class Reference:
    """What a field refers to.

    Args:
        collection: Whose documents.
        field: The field of theirs that it holds: `_id`, or their natural key.
        is_certain: Whether it can be nothing else, by its name.
        is_link: Whether it is a Beanie link, stored as a DBRef.
    """

    collection: str
    field: str = "_id"
    is_certain: bool = True
    is_link: bool = False


class Relations:
    """The references among declared models.

    A field refers to `customers` when it is a link to their model, or is named `customer_id`, `customer_ids` or
    `customer`. Where `sku` is the natural key of `products`, so do `product_sku` and, elsewhere, `sku`.

    Args:
        models: By collection.
    """

    def __init__(self, models: Mapping[str, DeclaredModel]) -> None:
        self._models = models
        self._names = {stem: name for name, model in models.items() for stem in _stems(name, model)}
        keys = {name: natural_key(model.model) for name, model in models.items()}
        self._keys = {name: key[0] for name, key in keys.items() if len(key) == 1 and "." not in key[0]}

    def of(self, owner: str, field: str, kind: object) -> Reference | None:
        """Return what a field refers to, if it seems to refer to anything.

        Args:
            owner: The collection that has the field, maybe deep inside.
            field: Name of the field.
            kind: Its type, or that of its items, without Optional and Annotated.
        """
        target = linked(kind)
        if target is not None:
            name = next((name for name, model in self._models.items() if model.model is target), None)
            return Reference(name, is_link=True) if name else None
        stem, _, suffix = field.lower().rpartition("_")
        if suffix in ("id", "ids"):
            name = owner if stem == "parent" else self._names.get(stem)
            return Reference(name) if name else None
        name = self._names.get(stem)
        if name is not None and self._keys.get(name) == suffix and suffix != "_id":
            return Reference(name, suffix, is_certain=False)
        if field.lower() in self._names:
            return Reference(self._names[field.lower()], is_certain=False)
        return self._by_key(owner, field)

    def targets(self, owner: str) -> set[Reference]:
        """Return all that the fields of a collection refer to."""
        found = (self.of(owner, field, kind) for field, kind in fields_below(self._models[owner].model))
        return {reference for reference in found if reference is not None}

    def order(self, collections: Sequence[str]) -> list[str]:
        """Return collections so that each comes after those that it refers to.

        Raises:
            SeedError: They refer to each other in a circle.
        """
        edges = {name: {target.collection for target in self.targets(name)} - {name} for name in collections}
        wanted = {name: sorted(targets & edges.keys()) for name, targets in edges.items()}
        try:
            return list(TopologicalSorter(wanted).static_order())
        except CycleError as error:
            circle = " -> ".join(cast("list[str]", error.args[1]))
            raise SeedError(f"These collections refer to each other in a circle: {circle}.") from error

    def _by_key(self, owner: str, field: str) -> Reference | None:
        holders = [name for name, key in self._keys.items() if key == field]
        if field in COMMON or len(holders) != 1 or holders[0] == owner:
            return None
        return Reference(holders[0], field, is_certain=False)


def _stems(collection: str, model: DeclaredModel) -> Iterator[str]:
    lowered = collection.lower()
    yield lowered
    yield lowered.removesuffix("s")
    yield re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", cast("Any", model.model).__name__).lower()
