"""Operations as what MongoDB is asked: a filter and an update. Pure."""

import hashlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Final, cast

from documents.codec.encode import encode
from documents.migrations.convert import converted, is_convertible, is_unconvertible
from documents.migrations.errors import InvalidPathError
from documents.migrations.operations import (
    AddField,
    BsonType,
    ConvertField,
    FieldOperation,
    Filter,
    RemoveField,
    RenameField,
    Rewrite,
    RewriteDocuments,
    Update,
    UpdateDocuments,
)
from documents.migrations.paths import (
    Expression,
    Rewritten,
    check_member,
    crosses_array,
    has_member,
    is_object,
    members_of,
    parse_member,
    parse_path,
    rebuild,
    rename_member,
    set_member,
    some,
)
from documents.types import Document

REPEATABLE: Final = frozenset({"$set", "$unset", "$setOnInsert", "$addToSet", "$pull", "$pullAll", "$min", "$max"})
"""Operators that leave alone what they have been applied to."""


@dataclass(frozen=True, slots=True)
class Change:
    """What is done to the documents of a collection. It has either an update or a rewrite.

    Args:
        collection: Where.
        where: Which documents.
        update: Operators, or an aggregation pipeline.
        rewrite: The function that gives the new document.
        remains: Matches the documents of which there must be none before a contract phase: those still to be changed,
            and of a renaming also those that have both fields. None where that cannot be said.
        unconvertible: Matches the documents with values that stay as they are, as they cannot be converted; None where
            nothing is converted.
        fingerprint: Differs when the operation does.
        is_idempotent: Whether doing it twice to a document is as good as once.
    """

    collection: str
    where: Filter
    update: Update | None
    rewrite: Rewrite | None
    remains: Filter | None
    unconvertible: Filter | None
    fingerprint: str
    is_idempotent: bool


def compile_operation(op: FieldOperation) -> Change:
    """Return what an operation does.

    Raises:
        InvalidPathError: A path of it cannot be meant.
        InvalidDocumentError: A value of it is none that BSON can hold.
    """
    return _COMPILERS[type(op)](op)


def compile_back(op: FieldOperation) -> Change | None:
    """Return what takes an operation back; None if nothing does.

    The way back of AddField takes the field from every document, also from those that had it before.

    Raises:
        InvalidPathError: A path of it cannot be meant.
        InvalidDocumentError: A value of it is none that BSON can hold.
    """
    match op:
        case AddField():
            return compile_operation(RemoveField(op.collection, op.path))
        case RenameField():
            *parents, name = parse_path(op.path)
            return compile_operation(RenameField(op.collection, ".".join([*parents, op.name]), name))
        case ConvertField() if op.back is not None:
            return compile_operation(ConvertField(op.collection, op.path, op.back))
        case UpdateDocuments() if op.back is not None:
            return compile_operation(UpdateDocuments(op.collection, *op.back))
        case RewriteDocuments() if op.back is not None:
            return compile_operation(RewriteDocuments(op.collection, *op.back))
        case _:
            return None


def _add(op: AddField) -> Change:
    parents, name = parse_member(op.path)
    literal = {"$literal": op.value}
    member = _Member(
        parents,
        test=lambda value: {"$not": [has_member(value, name)]},
        change=lambda value: set_member(value, name, literal),
        filters=[{op.path: {"$exists": False}}],
    )
    is_scalar = not isinstance(op.value, dict | list | tuple | Mapping)
    # Operators are quicker than a pipeline, but would read what is in an object.
    operators = {"$set": {op.path: op.value}} if is_scalar and not crosses_array(parents) else None
    return _of_field(op, member.where(), operators or member.update())


def _remove(op: RemoveField) -> Change:
    parents, name = parse_member(op.path)
    member = _Member(
        parents,
        test=lambda value: has_member(value, name),
        change=lambda value: set_member(value, name, "$$REMOVE"),
        filters=[{op.path: {"$exists": True}}],
    )
    operators = None if crosses_array(parents) else {"$unset": {op.path: ""}}
    return _of_field(op, member.where(), operators or member.update())


def _rename(op: RenameField) -> Change:
    parents, name = parse_member(op.path)
    to = check_member(op.name)
    if to == name or (not parents and to == "_id"):
        raise InvalidPathError(f"The field {op.path!r} cannot be renamed to {to!r}.")
    old = {op.path: {"$exists": True}}
    member = _Member(
        parents,
        test=lambda value: {"$and": [has_member(value, name), {"$not": [has_member(value, to)]}]},
        change=lambda value: rename_member(value, name, to),
        filters=[old, {".".join([*parents, to]): {"$exists": False}}],
    )
    has_old = _Member(parents, test=lambda value: has_member(value, name), change=str, filters=[old])
    return replace(_of_field(op, member.where(), member.update()), remains=has_old.where())


def _convert(op: ConvertField) -> Change:
    steps = parse_path(op.path)
    change = rebuild(steps, lambda value: {"$cond": [is_convertible(value, op.to), converted(value, op.to), value]})
    where = {"$expr": some(steps, lambda value: is_convertible(value, op.to))}
    unconvertible = {"$expr": some(steps, lambda value: is_unconvertible(value, op.to))}
    return replace(_of_field(op, where, [{"$replaceWith": change}]), unconvertible=unconvertible)


def _update(op: UpdateDocuments) -> Change:
    return Change(op.collection, op.where, op.update, None, None, None, _fingerprint(op), _is_repeatable(op.update))


def _rewrite(op: RewriteDocuments) -> Change:
    return Change(op.collection, op.where, None, op.rewrite, None, None, _fingerprint(op), is_idempotent=False)


_COMPILERS: Final[Mapping[type, Callable[[Any], Change]]] = {
    AddField: _add,
    RemoveField: _remove,
    RenameField: _rename,
    ConvertField: _convert,
    UpdateDocuments: _update,
    RewriteDocuments: _rewrite,
}


@dataclass(frozen=True, slots=True)
class _Member:
    """What is done to a member of every object that `parents` name.

    Args:
        parents: May step into arrays.
        test: Given the variable of such an object, tells whether it is changed.
        change: Given that variable, what is in its place then.
        filters: They say what `test` does, for parents without arrays.
    """

    parents: tuple[str, ...]
    test: Rewritten
    change: Rewritten
    filters: Sequence[Filter]

    def where(self) -> Filter:
        if crosses_array(self.parents):
            return {"$expr": some(self.parents, self._is_meant)}
        every = [*members_of(self.parents), *self.filters]
        return every[0] if len(every) == 1 else {"$and": every}

    def update(self) -> Update:
        change = rebuild(self.parents, lambda value: {"$cond": [self._is_meant(value), self.change(value), value]})
        return [{"$replaceWith": change}]

    def _is_meant(self, value: str) -> Expression:
        return {"$and": [is_object(value), self.test(value)]}


def _of_field(op: FieldOperation, where: Filter, update: Update) -> Change:
    """Return the change of an operation after which no document matches `where` any more."""
    return Change(op.collection, where, update, None, where, None, _fingerprint(op), is_idempotent=True)


def _is_repeatable(update: Update) -> bool:
    """Say whether an update can be seen to be idempotent. A pipeline cannot, nor what depends on a position."""
    if not isinstance(update, Mapping):
        return False
    operators = cast("Mapping[str, Mapping[str, Any]]", update)
    return operators.keys() <= REPEATABLE and not any("$" in path for paths in operators.values() for path in paths)


def _fingerprint(op: FieldOperation) -> str:
    parts: Document = {each.name: _identity(getattr(op, each.name)) for each in fields(op)}
    return hashlib.sha256(encode({"kind": type(op).__name__, **parts})).hexdigest()


def _identity(value: object) -> object:
    """Return what tells a value of an operation from another, as BSON has it."""
    if isinstance(value, BsonType):
        return value.value
    if isinstance(value, tuple):
        return [_identity(item) for item in cast("tuple[object, ...]", value)]
    return _text_of(cast("Rewrite", value)) if callable(value) else value


def _text_of(function: Rewrite) -> str:
    try:
        return inspect.getsource(function)
    except (OSError, TypeError):  # it comes from no file; the checksum of the revision tells in any case
        return getattr(function, "__qualname__", type(function).__qualname__)
