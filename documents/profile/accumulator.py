"""The profile of a collection: what its documents look like, from one pass over them.

It takes documents one by one or in batches, in any order, and profiles of parts merge into the profile of the whole.
What it holds is bounded, whatever comes. No BSON value makes it fail.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, islice
from typing import Any, Final

from bson.dbref import DBRef

from documents.profile import kinds
from documents.profile.columns import FEEDS, add_others
from documents.profile.limits import Limits
from documents.profile.node import ITEMS, VALUES, Growth, Node, Path, as_mapping, clean_key

BATCH: Final = 1000
DEFAULT_LIMITS: Final = Limits()

Groups = Mapping[type, Sequence[Any]]


class Profile:
    """What was seen of some documents.

    Profiles merge exactly, also their examples and estimates, until one of them runs out of room for paths: from
    then on, which paths are left out depends on which came first. How many are left out is counted.

    Args:
        limits: How much is remembered.
        seed: Decides which values become examples; at most 64 bits.
        redact: Keep no examples, no lists of values, and no least and greatest text or id. Ranges of numbers and
            dates, lengths and names of fields remain, and so do hashes of values, in `to_dict`.

    Attributes:
        documents: Documents seen.
        root: What was seen of them, as a tree of paths.
    """

    def __init__(self, limits: Limits = DEFAULT_LIMITS, *, seed: int = 0, redact: bool = False) -> None:
        self.growth: Final = Growth(limits, seed=seed, redact=redact)
        self.root: Final = self.growth.sprout()

    @property
    def documents(self) -> int:
        """Documents seen."""
        return self.root.summary.count

    @property
    def limits(self) -> Limits:
        """How much is remembered."""
        return self.growth.limits

    def add(self, document: Mapping[str, Any]) -> None:
        """Take in one document. It is not kept, and may be changed afterwards."""
        self._add_values(self.root, [document], ())

    def add_all(self, documents: Iterable[Mapping[str, Any]]) -> None:
        """Take in documents, 1,000 at a time, which is several times as fast as one by one."""
        rest = iter(documents)
        while batch := list(islice(rest, BATCH)):
            self._add_values(self.root, batch, ())

    def merge(self, other: "Profile") -> None:
        """Take in what another profile has seen; the other stays as it is.

        Raises:
            ValueError: It was made with other limits, another seed, or another choice of redaction.
        """
        mine, theirs = self.growth, other.growth
        if (mine.limits, mine.seed, mine.redact) != (theirs.limits, theirs.seed, theirs.redact):
            raise ValueError("Only profiles with the same limits, seed and redaction can be merged.")
        mine.merge(self.root, other.root, ())
        mine.merge_counts(theirs)

    def _add_values(self, node: Node, values: Sequence[Any], path: Path) -> None:
        node.summary.count += len(values)
        for cls, group in _by_class(values).items():
            kind = kinds.kind_of(cls)
            if kind == kinds.OBJECT:
                self._add_objects(
                    node, [as_mapping(value) for value in group] if issubclass(cls, DBRef) else group, path
                )
            elif kind == kinds.ARRAY:
                self._add_arrays(node, group, path)
            elif kind in FEEDS:
                FEEDS[kind](node.summary, group)
            else:
                add_others(node.summary, kind, group)

    def _add_objects(self, node: Node, objects: Sequence[Mapping[str, Any]], path: Path) -> None:
        if not self._may_enter(node, kinds.OBJECT, objects, path):
            return
        columns: defaultdict[str, list[Any]] = defaultdict(list)
        for fields in objects:
            for name, value in fields.items():
                columns[name].append(value)
        known = node.fields
        has_new = not columns.keys() <= known.keys()
        if has_new:
            columns = _cleaned(columns)
        if has_new and path and self.growth.is_map(node, columns):
            self._add_values(
                self.growth.collapse(node, path), list(chain.from_iterable(columns.values())), (*path, VALUES)
            )
            return
        for name, column in columns.items():
            field = known.get(name) or self.growth.field(node, name, path, len(column))
            if field is not None:
                self._add_values(field, column, (*path, name))

    def _add_arrays(self, node: Node, arrays: Sequence[Sequence[Any]], path: Path) -> None:
        if not self._may_enter(node, kinds.ARRAY, arrays, path):
            return
        elements = list(chain.from_iterable(arrays))
        items = self.growth.items(node, path, len(elements))
        if items is not None:
            self._add_values(items, elements, (*path, ITEMS))

    def _may_enter(self, node: Node, kind: str, values: Sequence[Any], path: Path) -> bool:
        """Count objects or arrays, and say whether to look into them."""
        summary = node.summary
        sizes = list(map(len, values))
        full = len(sizes) - sizes.count(0)
        summary.types[kind] += len(sizes)
        summary.empty[kind] += len(sizes) - full
        summary.add_extent(kind, min(sizes), max(sizes), sum(sizes))
        summary.refuse_choices()
        if full and len(path) >= self.limits.depth:
            self.growth.too_deep += full
            return False
        return full > 0


def _by_class(values: Sequence[Any]) -> Groups:
    classes = set(map(type, values))
    if len(classes) == 1:
        return {classes.pop(): values}
    groups: defaultdict[type, list[Any]] = defaultdict(list)
    for value in values:
        groups[type(value)].append(value)
    return groups


def _cleaned(columns: Mapping[str, list[Any]]) -> defaultdict[str, list[Any]]:
    """Return columns by names that are valid texts. Names that become the same share a column."""
    cleaned: defaultdict[str, list[Any]] = defaultdict(list)
    for name, column in columns.items():
        clean = clean_key(name)
        if clean in cleaned:
            cleaned[clean].extend(column)
        else:
            cleaned[clean] = column
    return cleaned
