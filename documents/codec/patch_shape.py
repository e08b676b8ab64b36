"""Whether a JSON Patch is well formed, before any document is touched."""

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Final, cast

from documents.codec.spots import MAX_FAULTS
from documents.codec.strict import check_keys, refuse_key
from documents.errors import Fault
from documents.types import MAX_DEPTH, child

MAX_OPERATIONS: Final = 1000

_POINTER: Final = re.compile(r"(?:/(?:[^~/]|~[01])*+)*+", re.DOTALL)
_POINTERS: Final = f"A JSON pointer begins with / or is empty, has ~ only in ~0 and ~1, and at most {MAX_DEPTH} steps."
_MEMBERS: Final[Mapping[str, tuple[str, ...]]] = {
    "add": ("path", "value"),
    "remove": ("path",),
    "replace": ("path", "value"),
    "move": ("from", "path"),
    "copy": ("from", "path"),
    "test": ("path", "value"),
}
_MAKES_KEY: Final = frozenset({"add", "move", "copy"})
# The members that point at what an operation changes.
_CHANGES: Final[Mapping[str, tuple[str, ...]]] = {
    **dict.fromkeys(_MEMBERS, ("path",)),
    "move": ("from", "path"),
    "test": (),
}


def find_faults(patch: object) -> list[Fault]:
    """Return what is wrong with a patch: `malformed-patch`, `key-refused`, `immutable-id` or `too-many-operations`.

    Source:
        RFC 6902, sections 3 and 4; RFC 6901, section 3.
    """
    if not isinstance(patch, list):
        return [Fault("", "malformed-patch", "A JSON Patch is an array of operations.")]
    operations = cast("list[object]", patch)
    if len(operations) > MAX_OPERATIONS:
        return [Fault("", "too-many-operations", f"A patch has at most {MAX_OPERATIONS} operations.")]
    faults = (fault for index, operation in enumerate(operations) for fault in _check(operation, child("", index)))
    return list(islice(faults, MAX_FAULTS))


def split_pointer(pointer: str) -> list[str]:
    """Return the tokens of a well-formed JSON pointer."""
    return [token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:]]


def _check(operation: object, place: str) -> Iterable[Fault]:
    if not isinstance(operation, dict):
        return [Fault(place, "malformed-patch", "An operation is an object.")]
    members = cast("dict[str, Any]", operation)
    name = members.get("op")
    if not isinstance(name, str) or name not in _MEMBERS:
        return [Fault(child(place, "op"), "malformed-patch", f"The op is one of {', '.join(_MEMBERS)}.")]
    return list(_check_members(name, members, place)) or list(_check_meaning(name, members, place))


def _check_members(name: str, members: dict[str, Any], place: str) -> Iterator[Fault]:
    for member in _MEMBERS[name]:
        if member not in members:
            yield Fault(place, "malformed-patch", f"A {name} operation has a {member}.")
        elif member != "value" and not _is_pointer(members[member]):
            yield Fault(child(place, member), "malformed-patch", _POINTERS)


def _is_pointer(pointer: object) -> bool:
    return isinstance(pointer, str) and pointer.count("/") <= MAX_DEPTH and _POINTER.fullmatch(pointer) is not None


def _check_meaning(name: str, members: dict[str, Any], place: str) -> Iterator[Fault]:
    for member in _CHANGES[name]:
        if split_pointer(members[member])[:1] == ["_id"]:
            yield Fault(child(place, member), "immutable-id", "The _id of a document never changes.")
    if name == "remove" and not members["path"]:
        yield Fault(child(place, "path"), "malformed-patch", "The whole document is removed by DELETE, not by a patch.")
    if name == "move" and members["path"].startswith(f"{members['from']}/"):
        yield Fault(child(place, "path"), "malformed-patch", "Nothing can be moved into itself.")
    tokens = split_pointer(members["path"])
    if name in _MAKES_KEY and tokens and (reason := refuse_key(tokens[-1])):
        yield Fault(child(place, "path"), "key-refused", reason)
    if name in ("add", "replace"):
        yield from check_keys(members["value"], pointer=child(place, "value"))
