"""Which fields of a document to answer with: `name,price`, or all but some: `-secret`."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, TypeAlias

from documents.errors import InvalidParameterError
from documents.query.paging.sort import Sort
from documents.query.paths import checked_path, collide, declared_path
from documents.query.refusal import RefusedError, refusing_as, shown
from documents.query.shapes import is_array, is_object
from documents.types import Document, child

MAX_FIELDS: Final = 200
ID: Final = "_id"

Tree: TypeAlias = "dict[str, Tree]"
"""Paths by their first names; nothing below a name means all that is below it."""


@dataclass(frozen=True)
class Projection:
    """Fields to answer with, or to leave out. `_id` is always there; no fields at all means the whole document."""

    fields: tuple[str, ...] = ()
    excludes: bool = False

    @property
    def is_empty(self) -> bool:
        """Say whether it leaves documents as they are."""
        return not self.fields

    @property
    def paths(self) -> tuple[str, ...]:
        """Return the fields it names, without array positions, for policies to judge."""
        return tuple(map(declared_path, self.fields))

    def to_mongo(self, sort: Sort | None = None) -> dict[str, int] | None:
        """Return the projection as MongoDB takes it; with `sort`, its fields are there as well, for the cursor.

        Documents read with `sort` go through `apply`, once their sort values are taken.
        """
        if self.is_empty:
            return None
        needed = [path for path, _ in sort.keys] if sort else []
        if self.excludes:
            return {path: 0 for path in self.fields if not any(collide(path, other) for other in needed)} or None
        return dict.fromkeys(_widest([*self.fields, *needed, ID]), 1)

    def is_widened_by(self, sort: Sort) -> bool:
        """Say whether documents read with `sort` have more than was asked for."""
        return self.to_mongo(sort) != self.to_mongo()

    def apply(self, document: Document) -> Document:
        """Return `document` as MongoDB projects it."""
        if self.is_empty:
            return document
        return _without(document, self._tree) if self.excludes else _only(document, self._tree)

    def fingerprint(self) -> bytes:
        """Return the same bytes for the same projection, in every process."""
        return repr((self.fields, self.excludes)).encode()

    @cached_property
    def _tree(self) -> Tree:
        tree: Tree = {}
        for path in self.fields if self.excludes else _widest([*self.fields, ID]):
            below = tree
            for name in path.split("."):
                below = below.setdefault(name, {})
        return tree


def parse_fields(value: object, *, pointer: str = "?fields") -> Projection:
    """Compile a projection.

    Args:
        value: `"name,price"`, `"-secret"`, a list of such names, or `{"name": 1}` or `{"secret": 0}`.
        pointer: Where in the request it was sent.

    Raises:
        InvalidParameterError: It is none of these, asks for some fields and leaves out others, or names one twice.
    """
    with refusing_as(InvalidParameterError, "projection"):
        wanted = [(path, excluded, at) for path, excluded, at in _named(value, pointer)]
        if len(wanted) > MAX_FIELDS:
            raise RefusedError(pointer, "too-large", f"A projection has at most {MAX_FIELDS} fields.")
        for path, excluded, at in wanted:
            checked_path(path, at)
            if excluded != wanted[0][1]:
                raise RefusedError(
                    at, "mixed-projection", "Name the fields to have or the fields to leave out, not both."
                )
            if excluded and collide(path, ID):
                raise RefusedError(at, "mixed-projection", "The _id is always there.")
        _refuse_collisions(wanted)
        return Projection(tuple(path for path, *_ in wanted), excludes=bool(wanted) and wanted[0][1])


def _refuse_collisions(wanted: list[tuple[str, bool, str]]) -> None:
    seen: set[str] = set()
    inner: set[str] = set()
    for path, _, at in wanted:
        names = path.split(".")
        above = {".".join(names[:length]) for length in range(1, len(names))}
        if path in seen or path in inner or above & seen:
            raise RefusedError(at, "path-collision", f"{shown(path)} is in the projection already, or a part of it is.")
        seen.add(path)
        inner |= above


def _named(value: object, pointer: str) -> Iterable[tuple[str, bool, str]]:
    if value is None or value in ("", [], {}):
        return []
    if isinstance(value, str):
        return [(*_signed(part, pointer), pointer) for part in value.split(",")]
    if is_array(value):
        return [(*_signed(part, child(pointer, at)), child(pointer, at)) for at, part in enumerate(value)]
    if is_object(value):
        return [(path, _excluded(sign, child(pointer, path)), child(pointer, path)) for path, sign in value.items()]
    raise RefusedError(pointer, "wrong-type", 'Fields are written "name,price" or "-secret".')


def _signed(part: object, pointer: str) -> tuple[str, bool]:
    if not isinstance(part, str):
        raise RefusedError(pointer, "wrong-type", "The name of a field is text.")
    name = part.strip()
    return name.removeprefix("-"), name.startswith("-")


def _excluded(sign: object, pointer: str) -> bool:
    if not isinstance(sign, (int, float)) or sign not in (0, 1):
        raise RefusedError(pointer, "wrong-type", "A field is asked for with 1 and left out with 0, and nothing else.")
    return not sign


def _widest(paths: Iterable[str]) -> list[str]:
    """Return `paths` without those that another one of them includes."""
    widest: dict[str, None] = {}
    for path in sorted(set(paths), key=lambda path: path.count(".")):
        names = path.split(".")
        if not any(".".join(names[:length]) in widest for length in range(1, len(names) + 1)):
            widest[path] = None
    return list(widest)


def _only(value: Mapping[str, Any], tree: Tree) -> Document:
    document: Document = {}
    for name, member in value.items():
        below = tree.get(name)
        if below is None:
            continue
        if not below:
            document[name] = member
        elif isinstance(member, (dict, list)):
            document[name] = _within(member, below, _only, keeps_scalars=False)  # pyright: ignore[reportUnknownArgumentType]  # of any type
    return document


def _without(value: Mapping[str, Any], tree: Tree) -> Document:
    return {
        name: _within(member, tree[name], _without, keeps_scalars=True) if name in tree else member
        for name, member in value.items()
        if tree.get(name) != {}
    }


def _within(value: Any, tree: Tree, project: Any, *, keeps_scalars: bool) -> Any:  # noqa: ANN401  # whatever BSON holds
    if is_object(value):
        return project(value, tree)
    if is_array(value):
        return [
            _within(element, tree, project, keeps_scalars=keeps_scalars)
            for element in value
            if keeps_scalars or isinstance(element, (dict, list))
        ]
    return value
