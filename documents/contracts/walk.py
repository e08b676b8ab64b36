"""The walk through a document beside its contract: fields, types and required fields, judged as the modes say."""

from collections.abc import Mapping
from typing import Any, Final, cast

from documents.contracts.kinds import KIND, seen_kind
from documents.contracts.node import ANYTHING, Node
from documents.contracts.verdict import (
    MISSING_FIELD,
    NOT_COERCIBLE,
    UNKNOWN_FIELD,
    WRONG_TYPE,
    Aspect,
    Lesson,
    Misfit,
    Mode,
    Modes,
)
from documents.types import MISSING, Document, child

MAX_MISFITS: Final = 100
MAX_NAME_BYTES: Final = 255
"""Longer names are not learned."""

Place = tuple[str | int, ...]


class Walk:
    """One walk, and what was met on it.

    What a stored document had before and a write leaves as it is, is not held against the write: a contract can be
    set on a collection that does not keep to it yet, and its documents can still be changed.

    Args:
        modes: What becomes of what does not fit.
        budget: How many fields may still be learned.
    """

    __slots__ = ("_budget", "_modes", "discarded", "lessons", "misfits")

    def __init__(self, modes: Modes, *, budget: int) -> None:
        self._modes = modes
        self._budget = budget
        self.misfits: list[Misfit] = []
        self.lessons: dict[tuple[str, tuple[str, ...], str], set[str]] = {}
        self.discarded: list[str] = []

    def members(self, node: Node, value: Document, before: object, place: Place) -> Document:
        """Return an object as it is to be stored: itself where nothing about it changes."""
        if node.fields is None and not node.required:
            return value
        earlier = cast("Document", before) if isinstance(before, dict) else None
        result = value if node.fields is None else self._fields(node, node.fields, value, earlier, place)
        for name in node.required:
            if name not in result:
                self._lacking(node, name, earlier, place)
        return result

    def _fields(
        self, node: Node, fields: Mapping[str, Node], value: Document, earlier: Document | None, place: Place
    ) -> Document:
        result = value
        for key, item in value.items():
            inner = fields.get(key)
            if inner is not None and inner.is_leaf and (inner.is_loose or _fits(inner, item)):
                continue
            inner = inner or self._unnamed(node, key, item, earlier, place)
            was = MISSING if earlier is None else earlier.get(key, MISSING)
            after = MISSING if inner is None else self.value(inner, item, was, (*place, key))
            if after is not item:
                result = dict(value) if result is value else result
                if after is MISSING:
                    del result[key]
                else:
                    result[key] = after
        return result

    def value(self, node: Node, value: object, before: object, place: Place) -> object:
        """Return a value as it is to be stored; MISSING where it is discarded."""
        if not node.is_loose and not _fits(node, value):
            return self._mistyped(node, value, before, place)
        return self._inside(node, value, before, place)

    def _inside(self, node: Node, value: object, before: object, place: Place) -> object:
        if node.is_leaf:
            return value
        if type(value) is dict:
            return self.members(node, cast("Document", value), before, place)
        if type(value) is list:
            return self._elements(node, cast("list[Any]", value), before, place)
        return value

    def _elements(self, node: Node, value: list[Any], before: object, place: Place) -> list[Any]:
        if node.items is None and not node.prefix:
            return value
        earlier = cast("list[Any]", before) if isinstance(before, list) else []
        result: list[Any] | None = None
        for index, item in enumerate(value):
            inner = node.prefix[index] if index < len(node.prefix) else node.items
            if inner is None or (inner.is_leaf and (inner.is_loose or _fits(inner, item))):
                after = item
            else:
                after = self.value(inner, item, _counterpart(earlier, index, item), (*place, index))
            if result is None and after is not item:
                result = value[:index]
            if result is not None and after is not MISSING:
                result.append(after)
        return value if result is None else result

    def _unnamed(self, node: Node, key: str, item: object, earlier: Document | None, place: Place) -> Node | None:
        """Return the schema of a field without a schema of its own; None to leave it out."""
        if node.is_named is not None and node.is_named(key):
            return ANYTHING
        if node.rest is not None:
            return node.rest
        mode = self._modes.fields
        if mode is Mode.EVOLVE:
            if self._learns_field(node, key, item):
                return ANYTHING
            mode = Mode.FREEZE
        if earlier is not None and key in earlier:
            return ANYTHING
        if mode is Mode.DISCARD:
            self.discarded.append(child("", *place, key))
            return None
        detail = "The contract has no such field" + (
            ", and may learn no more of them." if self._modes.fields is Mode.EVOLVE else "."
        )
        self._refuse((*place, key), UNKNOWN_FIELD, detail, "fields", mode, node)
        return ANYTHING

    def _learns_field(self, node: Node, key: str, item: object) -> bool:
        if item is None:
            return True  # null says nothing of a type: the field is learned when it has a value
        lesson = ("field", node.at, key)
        if lesson not in self.lessons:
            if self._budget <= 0 or len(key.encode(errors="replace")) > MAX_NAME_BYTES:
                return False
            self._budget -= 1
        self.lessons.setdefault(lesson, set()).add(seen_kind(item))
        return True

    def _mistyped(self, node: Node, value: object, before: object, place: Place) -> object:
        coercion = node.coercion
        reason: str | None = None
        if coercion is not None:
            try:
                read = coercion.read(value)
            except ValueError as error:
                reason = str(error)
            else:
                if read is not value and _fits(node, read):
                    return read
        if is_same(value, before):
            return value
        if reason is not None:
            self._refuse(place, NOT_COERCIBLE, f"{reason}.", "types", self._modes.rules, node)
            return value
        return self._wrong_type(node, value, before, place)

    def _wrong_type(self, node: Node, value: object, before: object, place: Place) -> object:
        mode = self._modes.types
        if mode is Mode.EVOLVE and node.coercion is not None and value is not None:
            mode = Mode.FREEZE  # of a field with several types nobody could say what its texts are to become
        if mode is Mode.EVOLVE:
            self.lessons.setdefault(("type", node.at, ""), set()).add(seen_kind(value))
            return self._inside(node, value, before, place)
        if mode is Mode.DISCARD:
            self.discarded.append(child("", *place))
            return MISSING
        wanted = ", ".join(sorted(node.kinds or ()))
        self._refuse(place, WRONG_TYPE, f"The contract wants {wanted or 'nothing'} here.", "types", mode, node)
        return value

    def _lacking(self, node: Node, name: str, earlier: Document | None, place: Place) -> None:
        if earlier is not None and name not in earlier:
            return
        mode = self._modes.required
        if mode is Mode.EVOLVE:
            self.lessons.setdefault(("required", node.at, name), set())
            return
        self._refuse((*place, name), MISSING_FIELD, "The contract requires this field.", "required", mode, node)

    def _refuse(self, place: Place, code: str, detail: str, aspect: Aspect, mode: Mode, node: Node) -> None:  # noqa: PLR0917  # the parts of a misfit
        if len(self.misfits) < MAX_MISFITS:
            self.misfits.append(Misfit(child("", *place), code, detail, aspect, mode, child("", *node.at)))

    def learned(self) -> tuple[Lesson, ...]:
        """Return what there is to learn."""
        return tuple(
            Lesson(cast("Any", kind), at, name, tuple(sorted(types)))
            for (kind, at, name), types in self.lessons.items()
        )


def _fits(node: Node, value: object) -> bool:
    kinds = node.kinds
    return (kinds is None or KIND[type(value)] in kinds) and (node.narrow is None or node.narrow(value))


def _counterpart(earlier: list[Any], index: int, item: object) -> object:
    """Return what an element was before: the one in its place, or an equal one, as others may have come or gone."""
    if index < len(earlier) and is_same(item, earlier[index]):
        return earlier[index]
    same = next((each for each in earlier if is_same(item, each)), MISSING) if len(earlier) <= MAX_MISFITS else MISSING
    return earlier[index] if same is MISSING and index < len(earlier) else same


def is_same(one: object, other: object) -> bool:
    """Say whether two values are stored as the same: 1 is neither 1.0 nor true."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        members, others = cast("Document", one), cast("Document", other)
        return members.keys() == others.keys() and all(is_same(item, others[key]) for key, item in members.items())
    if isinstance(one, list):
        items, more = cast("list[Any]", one), cast("list[Any]", other)
        return len(items) == len(more) and all(is_same(item, each) for item, each in zip(items, more, strict=True))
    return one == other
