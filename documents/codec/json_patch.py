"""JSON Patch on documents whose values are those of BSON."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeAlias, cast

import orjson
from jsonpatch import (
    AddOperation,
    CopyOperation,
    JsonPatchException,
    JsonPatchTestFailed,
    MoveOperation,
    PatchOperation,
    RemoveOperation,
    ReplaceOperation,
)
from jsonpointer import JsonPointer, JsonPointerException

from documents.codec.encode import encode
from documents.codec.patch_shape import find_faults
from documents.codec.plain import dump
from documents.codec.stored import StoredDocument
from documents.codec.tree import CONTAINERS, containers, is_deep, values_of
from documents.errors import Fault, InvalidPatchError, PatchConflictError
from documents.types import MAX_DEPTH, MISSING, Document, child

MAX_COPIED: Final = 256 * 1024
"""Bytes, or nearly, that the `copy` operations of one patch may add: twenty of them could otherwise double a document
to a million times its size."""

_VALUE_BYTES: Final = 8
_WITH_VALUE: Final = frozenset({"add", "replace"})
Read: TypeAlias = Callable[[object, object, str], Any]


def apply_json_patch(document: Document, patch: object, *, read: Read | None = None) -> Document:
    """Return a document as a JSON Patch makes it. The document stays as it is.

    A `test` compares with the plain JSON form of what is stored, so a date is equal to its text. No operation sees
    into a value that is not an object or an array in BSON. A new document in place of the whole keeps its `_id`.

    Args:
        document: As `StoredDocument.decode` gives it.
        patch: The operations, as JSON or with values of BSON.
        read: Makes of what is at a path, what is to take its place, and the path, the value that does.

    Raises:
        InvalidPatchError: The patch is not well formed, changes the `_id`, or would make the document too deep or more
            than a document.
        PatchConflictError: A path is not there, or a test fails.

    Source:
        RFC 6902.
    """
    check_json_patch(patch)
    operations = cast("list[dict[str, Any]]", patch)
    # bson copies ten times as fast as copy.deepcopy.
    patched: Any = StoredDocument(encode(document)).decode()
    copied = 0
    for index, operation in enumerate(operations):
        if operation["op"] == "copy":
            copied += _measure_copy(patched, operation, index, MAX_COPIED - copied)
        if read is not None and operation["op"] in _WITH_VALUE:
            place = operation["path"]
            operation = {**operation, "value": read(_held(patched, operation), operation["value"], place)}  # noqa: PLW2901  # the same, read
        patched = _apply(patched, operation, index)
    return _finish(patched, document)


def _held(document: object, operation: dict[str, Any]) -> object:
    """Return what an operation takes the place of; MISSING if nothing."""
    try:
        parent, part = _Pointer(operation["path"]).to_last(document)
        if part is None:
            return cast("object", parent)
        if isinstance(parent, list) and operation["op"] == "add":
            return MISSING  # it goes between others
        return _Pointer(operation["path"]).resolve(document)
    except JsonPointerException:
        return MISSING  # the operation itself will tell, if it matters


def check_json_patch(patch: object) -> None:
    """Return when a patch is well formed, whatever it will be applied to.

    Raises:
        InvalidPatchError: With a fault for each spot where it is not.
    """
    faults = find_faults(patch)
    if faults:
        raise InvalidPatchError("The JSON Patch is not well formed.", faults)


def _apply(patched: object, operation: dict[str, Any], index: int) -> object:
    try:
        return _OPERATIONS[operation["op"]](operation, pointer_cls=_Pointer).apply(patched)
    except JsonPatchTestFailed:
        raise _conflict(index, operation, "the value is another") from None
    except (JsonPatchException, JsonPointerException):
        raise _conflict(index, operation, "the document has no such place") from None


def _conflict(index: int, operation: dict[str, Any], reason: str) -> PatchConflictError:
    return PatchConflictError(f"Operation {index} ({operation['op']}): {reason}.")


def _finish(patched: object, document: Document) -> Document:
    if not isinstance(patched, dict):
        raise _invalid("", "not-a-document", "The whole document can only give way to another, an object.")
    result = cast("Document", patched)
    if is_deep(result):
        raise _invalid("", "too-deep", f"Nothing may nest deeper than {MAX_DEPTH} levels.")
    if "_id" not in document:
        return result
    if not is_same(document["_id"], result.get("_id", document["_id"])):
        raise _invalid("", "immutable-id", "The _id of a document never changes.")
    result.pop("_id", None)
    return {"_id": document["_id"], **result}


def _invalid(pointer: str, code: str, detail: str) -> InvalidPatchError:
    return InvalidPatchError(detail, [Fault(pointer, code, detail)])


def _measure_copy(document: object, operation: dict[str, Any], index: int, allowance: int) -> int:
    """Return how much a copy adds, or refuse it.

    The depth counts at once, since copies can double it each time, and the deeper a value the deeper its copying
    recurses.
    """
    try:
        source: object = _Pointer(operation["from"]).resolve(document)
    except JsonPointerException:
        return 0  # the operation itself will tell
    size, depth = _measure(source, allowance)
    if size > allowance:
        raise _invalid(child("", index), "too-large", f"The copies of a patch add at most {MAX_COPIED} bytes.")
    if depth > MAX_DEPTH:
        raise _invalid(child("", index), "too-deep", f"Nothing may nest deeper than {MAX_DEPTH} levels.")
    return size


def _measure(value: object, allowance: int) -> tuple[int, int]:
    """Return the size and depth of a value, measuring no further than either is too much."""
    size, depth, level = _weigh([value]), 0, containers([value])
    while level and size <= allowance and depth <= MAX_DEPTH:
        items = [item for container in level for item in values_of(container)]
        size += _weigh(items) + sum(_weigh(container) for container in level if isinstance(container, dict))
        depth += 1
        level = containers(items)
    return size, depth


def _weigh(values: Iterable[object]) -> int:
    return sum(_VALUE_BYTES + len(value) if isinstance(value, str | bytes) else _VALUE_BYTES for value in values)


def is_same(stored: object, given: object) -> bool:
    """Tell whether two values are equal in plain JSON: numbers by value, objects in any order.

    Costs no more than the smaller of the two would by itself.

    Source:
        RFC 6902, section 4.6.
    """
    stored, given = _as_json(stored), _as_json(given)
    if isinstance(stored, dict) and isinstance(given, dict):
        members, others = cast("dict[str, object]", stored), cast("dict[str, object]", given)
        return members.keys() == others.keys() and all(is_same(item, others[key]) for key, item in members.items())
    if isinstance(stored, list) and isinstance(given, list):
        items, rest = cast("list[object]", stored), cast("list[object]", given)
        return len(items) == len(rest) and all(map(is_same, items, rest))
    return isinstance(stored, bool) == isinstance(given, bool) and stored == given


def _as_json(value: object) -> object:
    """Return the plain form of a value that is not JSON already; what is inside an object or array stays as it is."""
    kind: type = type(value)
    return value if kind in CONTAINERS or kind in _JSON_SCALARS else orjson.loads(dump(value))


class _Pointer(JsonPointer):
    """A pointer into objects and arrays alone; the library's also sees into bytes and whatever can be indexed."""

    def walk(self, doc: Any, part: str | int) -> Any:  # noqa: ANN401  # as the library has it
        # Checked here, as the library's messages would hold the whole document.
        if (isinstance(doc, dict) and part in doc) or (isinstance(doc, list) and part != "-"):
            return super().walk(doc, part)  # pyright: ignore[reportUnknownArgumentType]  # a dict or list of anything
        raise JsonPointerException("nothing is there")

    def to_last(self, doc: Any) -> tuple[Any, str | int | None]:  # noqa: ANN401
        parent, part = super().to_last(doc)
        if part is not None and type(parent) not in CONTAINERS:
            raise JsonPointerException("nothing can be there")
        return parent, part


class _PlainTest(PatchOperation):
    """A test of the plain JSON form."""

    def apply(self, obj: Any) -> Any:  # noqa: ANN401
        if not is_same(self.pointer.resolve(obj), self.operation["value"]):
            raise JsonPatchTestFailed("the value is another")
        return obj


_JSON_SCALARS: Final = frozenset({str, int, bool, type(None)})
_OPERATIONS: Final[Mapping[str, type[PatchOperation]]] = {
    "add": AddOperation,
    "remove": RemoveOperation,
    "replace": ReplaceOperation,
    "move": MoveOperation,
    "copy": CopyOperation,
    "test": _PlainTest,
}
