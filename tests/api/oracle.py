"""What MongoDB and the patch formats would do, written down again in plain Python on plain dicts.

Deliberately shares nothing with the product. Covers what the model test uses: scalars, and lists of scalars.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final, TypeAlias, cast

import orjson

Document: TypeAlias = dict[str, Any]
MISSING: Final = object()
CONFLICT: Final = object()
"""In place of a document: the change does not fit."""


def text(document: Document) -> bytes:
    """Return what two documents have in common only if they are the same to the type and order of every field."""
    return orjson.dumps(document)


def merged(target: Any, patch: Any) -> Any:
    """RFC 7396, section 2."""
    if not isinstance(patch, dict):
        return patch
    result: Document = dict(cast("Document", target)) if isinstance(target, dict) else {}
    for key, value in cast("Document", patch).items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


def patched(document: Document, operations: Sequence[Document]) -> Any:
    """RFC 6902, of fields at the top."""
    result = dict(document)
    for operation in operations:
        key: str = operation["path"][1:]
        if operation["op"] != "add" and key not in result:
            return CONFLICT
        match operation["op"]:
            case "remove":
                del result[key]
            case "test" if _brief(result[key]) != _brief(operation["value"]):
                return CONFLICT
            case "add" | "replace":
                result[key] = operation["value"]
            case _:
                pass
    return result


def updated(document: Document, operator: str, key: str, value: Any) -> Any:
    """One of MongoDB's update operators, on one field."""
    result = dict(document)
    held = result.get(key, MISSING)
    match operator:
        case "$set":
            result[key] = value
        case "$unset":
            result.pop(key, None)
        case "$inc" if held is MISSING:
            result[key] = value
        case "$inc" if _is_number(held) and _fits(held + value):
            result[key] = held + value
        case "$push" if held is MISSING or isinstance(held, list):
            result[key] = [*([] if held is MISSING else held), value]
        case _:
            return CONFLICT
    return result


def matches(document: Document, key: str, operator: str, operand: Any) -> bool:
    """Tell whether a document meets one condition on a field at the top."""
    held = document.get(key, MISSING)
    candidates: list[Any] = [*cast("list[Any]", held)] if isinstance(held, list) else [held]
    match operator:
        case "$exists":
            return (held is not MISSING) is operand
        case "$eq":
            return any(_is_equal(value, operand) for value in candidates)
        case "$ne":
            return not any(_is_equal(value, operand) for value in candidates)
        case "$in":
            return any(_is_equal(value, each) for value in candidates for each in operand)
        case _:
            return any(_compares(value, operator, operand) for value in candidates)


def in_order(documents: Iterable[Document], sort: str) -> list[Document]:
    """Return documents sorted as `sort` says, by `_id` where that leaves a tie."""
    keys = [key for key in sort.split(",") if key]
    last_is_descending = bool(keys) and keys[-1].startswith("-")
    ordered = list(documents)
    for key in reversed([*keys, "-_id" if last_is_descending else "_id"]):
        name, descending = key.lstrip("-"), key.startswith("-")
        ordered.sort(key=lambda document: _place(document.get(name), descending=descending), reverse=descending)
    return ordered


def _place(value: Any, *, descending: bool) -> tuple[Any, ...]:
    if not isinstance(value, list):
        return _rank(value)
    ranks = [_rank(element) for element in cast("list[Any]", value)]
    return (max if descending else min)(ranks, default=(-1, 0))


def _rank(value: Any) -> tuple[Any, ...]:
    match value:
        case None:
            return (0, 0)
        case bool():
            return (3, value)
        case int() | float():
            return (1, value)
        case _:
            return (2, value)


def _compares(value: Any, operator: str, operand: Any) -> bool:
    if value is MISSING or value is None or _rank(value)[0] != _rank(operand)[0]:
        return False
    return value > operand if operator == "$gt" else value < operand


def _is_equal(value: Any, operand: Any) -> bool:
    value = None if value is MISSING else value
    return not isinstance(value, list | dict) and _rank(value) == _rank(operand)


def _brief(value: Any) -> Any:
    """Return what is equal for values that a JSON Patch takes for equal: numbers by value, and true is no number."""
    return [_brief(each) for each in cast("list[Any]", value)] if isinstance(value, list) else _rank(value)


def _fits(value: float) -> bool:
    return isinstance(value, float) or value in range(-(2**63), 2**63)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def as_added(before: Document, after: Document) -> Document:
    """Return a changed document with its members where MongoDB has them: those that are new last, by name."""
    kept = [name for name in before if name in after]
    return {name: after[name] for name in [*kept, *sorted(after.keys() - before.keys())]}


def in_width(before: Any, after: Any) -> Any:
    """Return a value in the place of another, its numbers as wide as those that stood there, where they fit."""
    match before, after:
        case dict(), dict():
            stored, sent = cast("Document", before), cast("Document", after)
            return {name: in_width(stored.get(name, MISSING), value) for name, value in sent.items()}
        case list(), list():
            old, new = cast("list[Any]", before), cast("list[Any]", after)
            return [in_width(old[at] if at < len(old) else MISSING, value) for at, value in enumerate(new)]
        case int(), float() if type(before) is int and after.is_integer() and -(2**63) <= after < 2**63:
            return int(after)
        case float(), int() if type(after) is int and abs(after) <= 2**53:  # beyond it a double has not every integer
            return float(after)
        case _:
            return after
