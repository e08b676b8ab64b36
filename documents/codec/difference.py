"""What has to be set and unset to make one stored document another, as MongoDB's update operators name it."""

from collections.abc import Sequence
from typing import Any

from bson.raw_bson import RawBSONDocument

from documents.codec.elements import ARRAY, DOCUMENT, Element, document_of, elements_of
from documents.codec.plain import RAW_OPTIONS


class _UnnameableError(Exception):
    """No dotted path names the field that differs."""


def difference(before: bytes, after: bytes) -> dict[str, Any] | None:
    """Return the `$set` and `$unset` that lead from one document to another: `{}` if nothing differs but order.

    Values go as the bytes they are, so what is set is stored exactly. None where a field differs that no path names:
    its name is empty, has a dot, begins with `$`, stands twice or is not UTF-8, and the document is none of another.

    Source:
        MongoDB manual, $set and $unset: fields that are not named stay as they are.
    """
    changes = _Changes()
    try:
        changes.compare(before, after, b"")
    except _UnnameableError:
        return None
    operators: dict[str, Any] = {}
    if changes.sets:
        operators["$set"] = RawBSONDocument(document_of(changes.sets), RAW_OPTIONS)
    if changes.unsets:
        operators["$unset"] = dict.fromkeys(changes.unsets, "")
    return operators


class _Changes:
    """What was found to differ so far."""

    def __init__(self) -> None:
        self.sets: list[bytes] = []
        self.unsets: list[str] = []

    def compare(self, before: bytes, after: bytes, path: bytes) -> None:
        old, new = _by_name(before), _by_name(after)
        for name, elements in new.items():
            if old.get(name) != elements:
                self._change(old.get(name), elements, path + _nameable(name))
        for name in old.keys() - new.keys():
            self.unsets.append((path + _nameable(name)).decode())

    def _change(self, old: Sequence[Element] | None, new: Sequence[Element], path: bytes) -> None:
        if len(new) > 1 or (old is not None and len(old) > 1):
            raise _UnnameableError
        if old is None or not self._go_in(old[0], new[0], path):
            self.sets.append(new[0].to_bytes(path))

    def _go_in(self, old: Element, new: Element, path: bytes) -> bool:
        """Compare what is inside, if it can be named there."""
        if old.kind != new.kind or old.kind not in (DOCUMENT, ARRAY):
            return False
        if old.kind == ARRAY and not _have_same_places(old.payload, new.payload):
            return False
        inside = _Changes()
        try:
            inside.compare(old.payload, new.payload, path + b".")
        except _UnnameableError:
            return False
        self.sets += inside.sets
        self.unsets += inside.unsets
        return True


def _by_name(raw: bytes) -> dict[bytes, list[Element]]:
    found: dict[bytes, list[Element]] = {}
    for element in elements_of(raw):
        found.setdefault(element.name, []).append(element)
    return found


def _nameable(name: bytes) -> bytes:
    if not name or name.startswith(b"$") or b"." in name:
        raise _UnnameableError
    try:
        name.decode()
    except UnicodeDecodeError:
        raise _UnnameableError from None
    return name


def _have_same_places(old: bytes, new: bytes) -> bool:
    """Tell whether two arrays have as many items, each under its position."""
    names = [element.name for element in elements_of(old)]
    return names == [element.name for element in elements_of(new)] == [b"%d" % index for index in range(len(names))]
