"""A profile as people and programs read it: a tree of fields, and what the sample cannot tell."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Final

from documents.profile import kinds
from documents.profile.accumulator import Profile
from documents.profile.node import ITEMS, VALUES, Growth, Node, Path, show_path
from documents.profile.summary import Bound, Choice, Extent

MAP_KEYS: Final = 64
"""An object below the top with more different keys than this is shown as a map, if each is rare."""

MAP_SHARE: Final = 0.1
"""A key is rare when at most so many of the objects have it."""

_RULE_OF_THREE: Final = 3  # what none of n documents has, at most 3/n of all have, with 95 % confidence


@dataclass(frozen=True, slots=True)
class Field:
    """One path and what was seen there.

    Args:
        parts: The path: names of fields, `[]` for elements of arrays, `*` for values of a map.
        count: Values seen.
        parents: Objects, arrays or maps that could have had it.
        present: How many of them had it.
        types: Values by BSON type, the most frequent first.
        odd: Values that Python's type for theirs cannot hold, by BSON type.
        empty: Empty strings, objects, arrays and binary data, by BSON type.
        extents: Least, greatest and total length, by BSON type.
        bounds: Least and greatest value, by BSON type, as `columns.py` has them.
        formats: Strings by what they are written like.
        distinct: Different values, of those that hold no others.
        is_exact: Whether `distinct` is a count; else its standard error is 1.6 %.
        examples: Values in canonical Extended JSON.
        choices: All values with their counts, if they are few and short and of simple types; else None.
        fields: The fields of the objects here, in the order in which they were first seen.
        values: The values of the map that the objects here are.
        items: The elements of the arrays here.
    """

    parts: Path
    count: int
    parents: int
    present: int
    types: Mapping[str, int]
    odd: Mapping[str, int]
    empty: Mapping[str, int]
    extents: Mapping[str, Extent]
    bounds: Mapping[str, tuple[Bound, Bound]]
    formats: Mapping[str, int]
    distinct: int
    is_exact: bool
    examples: tuple[str, ...]
    choices: Mapping[Choice, int] | None
    fields: tuple["Field", ...] = ()
    values: "Field | None" = None
    items: "Field | None" = None

    @property
    def path(self) -> str:
        """The path with dots, such as `lines[].sku`; names with dots in them are in quotes."""
        return show_path(self.parts)

    @property
    def name(self) -> str:
        """The last part of the path; "" at the top."""
        return self.parts[-1] if self.parts else ""

    @property
    def presence(self) -> float:
        """The share of parents that have it: from 0 to 1."""
        return self.present / self.parents if self.parents else 0.0

    @property
    def is_required(self) -> bool:
        """Whether every parent has it."""
        return self.present == self.parents > 0

    @property
    def missing(self) -> int:
        """Parents without it. A null is not missing."""
        return self.parents - self.present

    @property
    def enum(self) -> Mapping[Choice, int] | None:
        """All values but null with their counts, if nothing else was there."""
        if not self.choices or sum(self.choices.values()) != self.count - self.types.get(kinds.NULL, 0):
            return None
        return self.choices

    def share(self, kind: str) -> float:
        """Return the share of values that have a BSON type: from 0 to 1."""
        return self.types.get(kind, 0) / self.count if self.count else 0.0

    def below(self) -> Iterator["Field"]:
        """Return this and all fields below it, each before those inside it."""
        yield self
        inside = (*self.fields, *((self.values,) if self.values else ()), *((self.items,) if self.items else ()))
        for field in inside:
            yield from field.below()


@dataclass(frozen=True, slots=True)
class Report:
    """A profile to be read.

    Args:
        root: The documents, as one field without a name.
        population: Documents there are, as far as known.
        notes: What the profile cannot tell, in sentences.
    """

    root: Field
    population: int | None
    notes: tuple[str, ...]

    @property
    def documents(self) -> int:
        """Documents seen."""
        return self.root.count

    @property
    def fields(self) -> tuple[Field, ...]:
        """Every path but the top."""
        return tuple(self.root.below())[1:]


def read_profile(profile: Profile, *, population: int | None = None) -> Report:
    """Return a profile to be read. The profile stays as it is.

    Args:
        profile: Of any number of documents.
        population: Documents there are, if the profile is of a sample of them.
    """
    reader = _Reader(profile)
    root = reader.read(profile.root, (), parents=profile.documents, present=profile.documents)
    return Report(root, population, tuple(_notes(profile, population, reader)))


class _Reader:
    """Turns nodes into fields, maps and the limit on paths applied."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._room = profile.limits.paths
        self._growth = Growth(profile.limits, seed=profile.growth.seed, redact=profile.growth.redact)
        self._maps: dict[int, Node] = {}
        self._shown = self._choose(profile.root)
        self.hidden = 0
        self.maps: list[str] = []

    def read(self, node: Node, path: Path, *, parents: int, present: int) -> Field:
        summary, as_map = node.summary, self._as_map(node, path)
        if as_map is not None:
            self.maps.append(show_path(path))
        return Field(
            parts=path,
            count=summary.count,
            parents=parents,
            present=present,
            types=dict(summary.types.most_common()),
            odd=dict(+summary.odd),
            empty=dict(+summary.empty),
            extents=dict(summary.extents),
            bounds=dict(summary.bounds),
            formats=dict(summary.formats.most_common()),
            distinct=summary.distinct.estimate(),
            is_exact=summary.distinct.is_exact,
            examples=tuple(summary.examples[value_hash] for value_hash in sorted(summary.examples)),
            choices=None if summary.choices is None else dict(summary.choices),
            fields=() if as_map else tuple(self._fields(node, path)),
            values=self._inside(node, as_map, (*path, VALUES), kinds.OBJECT),
            items=self._inside(node, node.items, (*path, ITEMS), kinds.ARRAY),
        )

    def _fields(self, node: Node, path: Path) -> Iterator[Field]:
        parents = node.summary.types[kinds.OBJECT]
        for name, field in node.fields.items():
            if self._is_shown(field):
                yield self.read(field, (*path, name), parents=parents, present=min(field.summary.count, parents))

    def _inside(self, node: Node, inside: Node | None, path: Path, kind: str) -> Field | None:
        if inside is None or not self._is_shown(inside):
            return None
        parents = node.summary.types[kind]
        return self.read(inside, path, parents=parents, present=parents - node.summary.empty[kind])

    def _is_shown(self, node: Node) -> bool:
        if id(node) in self._shown:
            return True
        self.hidden += node.size()
        return False

    def _as_map(self, node: Node, path: Path) -> Node | None:
        """Return the one path of all values of a node's objects, if they are a map."""
        if node.values is not None or not path or not _is_map(node):
            return node.values
        if id(node) not in self._maps:
            copy = self._growth.sprout()
            self._growth.merge(copy, node, path)
            self._maps[id(node)] = copy
        return self._growth.collapse(self._maps[id(node)], path)

    def _choose(self, root: Node) -> frozenset[int]:
        """Return which paths are shown: the upper before the lower, and the frequent before the rare."""
        shown: set[int] = {id(root)}
        level: list[tuple[Node, Path]] = [(root, ())]
        while level:
            below = [pair for node, path in level for pair in self._below(node, path)]
            below.sort(key=lambda pair: -pair[0].summary.count)
            # The top is no path, so that it takes no room.
            level = below[: self._room + 1 - len(shown)]
            shown.update(id(node) for node, _ in level)
        return frozenset(shown)

    def _below(self, node: Node, path: Path) -> Iterator[tuple[Node, Path]]:
        as_map = self._as_map(node, path)
        if as_map is not None:
            yield as_map, (*path, VALUES)
        else:
            yield from ((field, (*path, name)) for name, field in node.fields.items())
        if node.items is not None:
            yield node.items, (*path, ITEMS)


def _is_map(node: Node) -> bool:
    """Say whether objects have many keys, and each only a few of them."""
    parents = node.summary.types[kinds.OBJECT]
    if len(node.fields) <= MAP_KEYS or not parents:
        return False
    return median(field.summary.count / parents for field in node.fields.values()) <= MAP_SHARE


def _notes(profile: Profile, population: int | None, reader: _Reader) -> Iterator[str]:
    growth, documents = profile.growth, profile.documents
    yield from _notes_on_sample(documents, population)
    yield "Where there are over 64 different values, their number is an estimate with a standard error of 1.6 %."
    yield "An object that has a key twice counts with the last of them, as it is read."
    if reader.maps:
        yield f"Objects used as maps are shown with * for their keys: {_listed(reader.maps)}."
    if reader.hidden:
        yield f"{reader.hidden:,} paths beyond the limit of {profile.limits.paths:,} are not shown: deep or rare ones."
    if growth.unrecorded_values:
        yield (
            f"{growth.unrecorded_values:,} values at {growth.unrecorded_paths.estimate():,} paths were not recorded, "
            "as there was no room for more paths."
        )
    if growth.too_deep:
        yield f"{growth.too_deep:,} objects and arrays lie deeper than {profile.limits.depth} levels; not looked into."
    if growth.redact:
        yield "Examples, lists of values, and least and greatest texts and ids were left out on purpose."


def _notes_on_sample(documents: int, population: int | None) -> Iterator[str]:
    if population is None or population < documents:
        yield f"{documents:,} documents were looked at; nothing is known of others."
        return
    if population == documents:
        yield f"All {documents:,} documents were looked at."
        return
    share = documents / population
    yield f"{documents:,} of about {population:,} documents were looked at ({share:.2%})."
    if documents > _RULE_OF_THREE:
        yield (
            f"What fewer than 1 in {documents // _RULE_OF_THREE:,} documents have may not be in the sample, and ranges "
            "may be wider than shown (95 % confidence, if the sample is random)."
        )


def _listed(names: Iterable[str], most: int = 10) -> str:
    known = list(dict.fromkeys(names))
    more = f" and {len(known) - most} more" if len(known) > most else ""
    return ", ".join(known[:most]) + more
