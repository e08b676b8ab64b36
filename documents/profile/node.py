"""One path of a profile, with the paths below it."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from documents.profile.hashing import hash_texts
from documents.profile.limits import Limits
from documents.profile.sketch import HyperLogLog
from documents.profile.summary import Summary

Path = tuple[str, ...]

ITEMS: Final = "[]"
VALUES: Final = "*"
KEY_CHARACTERS: Final = 200

_ID_KEY: Final = re.compile(
    r"[+-]?[0-9]+"
    r"|[0-9]{4}-[0-9]{2}(-[0-9]{2}([Tt ][0-9:.]+([Zz]|[+-][0-9:]+)?)?)?"
    r"|(?=[A-Fa-f]*[0-9])[0-9A-Fa-f]{8,}"
    r"|[0-9A-Fa-f]{8}-([0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}"
)
_PLAIN_NAME: Final = re.compile(r"[^\s.*\[\]\"\x00-\x1f\x7f]+")


class Node:
    """A path: a summary of its values, and the paths that lead into them.

    Args:
        summary: Empty.

    Attributes:
        fields: Paths of the fields, by name, as long as the objects here are no map.
        values: The one path of all values, if they are.
        items: The one path of all elements of arrays.
    """

    __slots__ = ("fields", "items", "summary", "values")

    def __init__(self, summary: Summary) -> None:
        self.summary: Final = summary
        self.fields: dict[str, Node] = {}
        self.values: Node | None = None
        self.items: Node | None = None

    def below(self) -> Iterable["Node"]:
        """Return the paths directly below."""
        yield from self.fields.values()
        if self.values is not None:
            yield self.values
        if self.items is not None:
            yield self.items

    def size(self) -> int:
        """Return how many paths there are, this one and all below."""
        return 1 + sum(node.size() for node in self.below())


class Growth:
    """Makes the paths of one profile, up to the limit, and counts what is left out.

    Args:
        limits: How many there may be.
        seed: Decides which values become examples.
        redact: Whether no value may be kept.

    Attributes:
        paths: Paths there are.
        unrecorded_values: Values at paths that there was no room for, without those inside them.
        unrecorded_paths: Such paths.
        too_deep: Objects and arrays that were too deep to be looked into.
    """

    def __init__(self, limits: Limits, *, seed: int, redact: bool) -> None:
        self.limits: Final = limits
        self.seed: Final = seed
        self.redact: Final = redact
        self.paths = 0
        self.unrecorded_values = 0
        self.unrecorded_paths = HyperLogLog()
        self.too_deep = 0

    def sprout(self) -> Node:
        """Return a new path."""
        self.paths += 1
        return Node(Summary(self.limits, seed=self.seed, redact=self.redact))

    def sprout_or_count(self, path: Path, values: int) -> Node | None:
        """Return a new path, or None when there is no room; the values are then counted as left out."""
        if self.paths < self.limits.kept_paths:
            return self.sprout()
        self.unrecorded_values += values
        self.unrecorded_paths.add_all(hash_texts([show_path(path)]))
        return None

    def field(self, node: Node, name: str, path: Path, values: int) -> Node | None:
        """Return the path of a field, made if need be."""
        found = node.fields.get(name)
        if found is None:
            found = self.sprout_or_count((*path, name), values)
            if found is not None:
                node.fields[name] = found
        return found

    def items(self, node: Node, path: Path, values: int) -> Node | None:
        """Return the path of the elements of a path's arrays, made if need be."""
        if node.items is None:
            node.items = self.sprout_or_count((*path, ITEMS), values)
        return node.items

    def is_map(self, node: Node, names: Iterable[str]) -> bool:
        """Say whether a path's objects are a map for good, once they have had these keys as well."""
        if node.values is not None:
            return True
        keys = node.fields.keys() | names
        if len(keys) > self.limits.keys:
            return True
        return len(keys) > self.limits.id_keys and sum(map(is_id_key, keys)) > self.limits.id_keys

    def collapse(self, node: Node, path: Path) -> Node:
        """Return the one path of all values of a path's objects, into which those of single fields are merged."""
        if node.values is None:
            fields, node.fields = node.fields, {}
            self.paths -= sum(field.size() for field in fields.values())
            node.values = self.sprout()
            for field in fields.values():
                self.merge(node.values, field, (*path, VALUES))
        return node.values

    def merge(self, into: Node, other: Node, path: Path) -> None:
        """Take in what another path and those below it have seen; the other stays as it is."""
        into.summary.merge(other.summary)
        if path and (other.values is not None or self.is_map(into, other.fields)):
            values = self.collapse(into, path)
            sources = other.fields.values() if other.values is None else [other.values]
            for source in sources:
                self.merge(values, source, (*path, VALUES))
        for name, field in other.fields.items() if into.values is None else ():
            known = self.field(into, name, path, field.summary.count)
            if known is not None:
                self.merge(known, field, (*path, name))
        if other.items is not None:
            items = self.items(into, path, other.items.summary.count)
            if items is not None:
                self.merge(items, other.items, (*path, ITEMS))

    def merge_counts(self, other: "Growth") -> None:
        """Take in what another profile has left out."""
        self.unrecorded_values += other.unrecorded_values
        self.unrecorded_paths.merge(other.unrecorded_paths)
        self.too_deep += other.too_deep


def is_id_key(key: str) -> bool:
    """Say whether a key is a number, a date, a UUID, or other hex digits: data rather than a name."""
    return _ID_KEY.fullmatch(key) is not None


def clean_key(key: object) -> str:
    """Return a field's name as a profile has it: a valid text of at most 200 characters."""
    text = (key if isinstance(key, str) else str(key))[:KEY_CHARACTERS]
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def show_path(path: Path) -> str:
    """Return a path with dots; names that would be misread are in quotes."""
    shown = ""
    for part in path:
        shown += part if part == ITEMS else f".{part if part == VALUES else show_name(part)}"
    return shown.removeprefix(".")


def show_name(name: str) -> str:
    """Return one name of a path, in quotes if it has a dot, a bracket, a star, a quote or white space in it."""
    if _PLAIN_NAME.fullmatch(name):
        return name
    escaped = "".join(f"\\u{ord(letter):04x}" if ord(letter) < ord(" ") else letter for letter in name)
    return '"' + escaped.replace('"', '\\"') + '"'


def as_mapping(value: Any) -> Mapping[str, Any]:  # noqa: ANN401  # a mapping or a DBRef
    """Return an object's fields; a reference is an object in BSON."""
    return value if isinstance(value, Mapping) else value.as_doc()  # pyright: ignore[reportUnknownVariableType]  # a mapping of anything
