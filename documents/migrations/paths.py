"""Paths of operations, and the expressions that reach what they name.

What a path names is meant strictly: `a.b` is the member `b` of an object `a`, and never of the objects in an array `a`,
which is `a.[].b`. MongoDB's own filters mix the two.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

from documents.migrations.errors import InvalidPathError
from documents.types import MAX_DEPTH, Document

EACH: Final = "[]"
ROOT: Final = "$$ROOT"

Expression: TypeAlias = Any
"""Of the aggregation language."""

Rewritten: TypeAlias = Callable[[str], Expression]
"""Given the variable that holds a value, the expression of what is to be in its place, or of a test of it."""


def parse_path(text: str) -> tuple[str, ...]:
    """Return the steps of a path: names, and `[]` for every item of an array.

    Raises:
        InvalidPathError: It cannot be meant.
    """
    steps = tuple(text.split("."))
    if steps[0] in ("_id", EACH):
        raise InvalidPathError(f"The path {text!r} begins with {steps[0]}, where nothing can be changed.")
    if len(steps) > MAX_DEPTH:
        raise InvalidPathError(f"A path has more than {MAX_DEPTH} steps.")
    for step in steps:
        _check_name(step, text)
    return steps


def parse_member(text: str) -> tuple[tuple[str, ...], str]:
    """Return the steps to the parents of a field, and its name.

    Raises:
        InvalidPathError: It cannot be meant, or ends in `[]`, which is no field.
    """
    *parents, name = parse_path(text)
    if name == EACH:
        raise InvalidPathError(f"The path {text!r} ends with {EACH}, and so names no field.")
    return tuple(parents), name


def check_member(name: str) -> str:
    """Return the new name of a field.

    Raises:
        InvalidPathError: It is a path, or no name.
    """
    if "." in name or name == EACH:
        raise InvalidPathError(f"A field is renamed in its place, so {name!r} has to be one name.")
    _check_name(name, name)
    return name


def _check_name(step: str, text: str) -> None:
    if not step or step.startswith("$") or "\0" in step:
        raise InvalidPathError(f"The path {text!r} has a part that is no name: {step!r}.")


def crosses_array(steps: Sequence[str]) -> bool:
    """Say whether a path steps into arrays."""
    return EACH in steps


def members_of(parents: Sequence[str]) -> list[Document]:
    """Return filters that a document passes whose `parents`, a path without arrays, are all objects."""
    paths = (".".join(parents[: length + 1]) for length in range(len(parents)))
    return [{path: {"$type": "object", "$not": {"$type": "array"}}} for path in paths]


def rebuild(steps: Sequence[str], change: Rewritten, value: str = ROOT, depth: int = 0) -> Expression:
    """Return the expression of a value in which what `steps` name is changed, everything else as and where it was.

    Args:
        steps: From the value on.
        change: Given the variable of what the steps lead to.
        value: The variable that holds the value.
        depth: Number of the first free variable.
    """
    if not steps:
        return change(value)
    step, inner = steps[0], f"v{depth}"
    below = rebuild(steps[1:], change, f"$${inner}", depth + 1)
    if step == EACH:
        return {"$cond": [{"$isArray": [value]}, {"$map": {"input": value, "as": inner, "in": below}}, value]}
    member = {"$let": {"vars": {inner: f"{value}.{step}"}, "in": below}}
    return {"$cond": [is_object(value), set_member(value, step, member), value]}


def some(steps: Sequence[str], test: Rewritten, value: str = ROOT, depth: int = 0) -> Expression:
    """Return the expression that tells whether anything that `steps` name passes a test. `rebuild` has the same."""
    if not steps:
        return test(value)
    step, inner = steps[0], f"v{depth}"
    below = some(steps[1:], test, f"$${inner}", depth + 1)
    if step == EACH:
        tested = {"$anyElementTrue": [{"$map": {"input": value, "as": inner, "in": below}}]}
        return {"$cond": [{"$isArray": [value]}, tested, False]}
    return {"$cond": [is_object(value), {"$let": {"vars": {inner: f"{value}.{step}"}, "in": below}}, False]}


def is_object(value: str) -> Expression:
    """Return the expression that tells whether a value is an object."""
    return {"$eq": [{"$type": value}, "object"]}


def has_member(value: str, name: str) -> Expression:
    """Return the expression that tells whether an object has a member, be it null."""
    return {"$ne": [{"$type": f"{value}.{name}"}, "missing"]}


def set_member(value: str, name: str, member: Expression) -> Expression:
    """Return the expression of an object with a member, in its place or at the end; without it if it is missing."""
    return {"$setField": {"field": name, "input": value, "value": member}}


def rename_member(value: str, name: str, to: str) -> Expression:
    """Return the expression of an object one of whose members has another name, in its place."""
    key = {"$cond": [{"$eq": ["$$member.k", name]}, to, "$$member.k"]}
    members = {"$map": {"input": {"$objectToArray": value}, "as": "member", "in": {"k": key, "v": "$$member.v"}}}
    return {"$arrayToObject": members}
