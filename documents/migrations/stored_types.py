"""What the annotations of a model's fields say of the values that MongoDB has (pure)."""

import inspect
import ipaddress
import re
import types
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import Enum, Flag
from pathlib import PurePath
from typing import Annotated, Any, Final, Literal, Union, cast, get_args, get_origin, is_typeddict
from uuid import UUID

from beanie.odm.fields import BackLink, Link
from bson import Binary, DBRef, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from pydantic import (
    AnyUrl,
    AwareDatetime,
    BaseModel,
    EmailStr,
    FutureDate,
    FutureDatetime,
    NaiveDatetime,
    PastDate,
    PastDatetime,
    RootModel,
    SecretBytes,
    SecretStr,
)

ANY: Final = "any"
OBJECT: Final = "object"
ARRAY: Final = "array"

_STORED: Final[Mapping[Any, str]] = {
    bool: "bool",  # before int, of which it is a subclass
    Int64: "long",
    int: "int",
    float: "double",
    timedelta: "double",
    Decimal: "decimal",
    Decimal128: "decimal",
    str: "string",
    ObjectId: "objectId",
    UUID: "uuid",
    Binary: "binData",
    bytes: "binData",
    SecretBytes: "binData",
    re.Pattern: "regex",
    Regex: "regex",
    DBRef: "dbRef",
    Timestamp: "timestamp",
    MinKey: "minKey",
    MaxKey: "maxKey",
    date: "date",  # and datetime
    **dict.fromkeys((AwareDatetime, NaiveDatetime, PastDatetime, FutureDatetime, PastDate, FutureDate), "date"),
    **dict.fromkeys((EmailStr, SecretStr, AnyUrl, PurePath), "string"),
    **dict.fromkeys((ipaddress.IPv4Address, ipaddress.IPv6Address), "string"),
    **dict.fromkeys((ipaddress.IPv4Network, ipaddress.IPv6Network), "string"),
    **dict.fromkeys((ipaddress.IPv4Interface, ipaddress.IPv6Interface), "string"),
}
"""How Beanie stores a value of each class. Whatever is not here is taken for anything, so that nothing is concluded."""

_LINEAR: Final = (list, tuple, set, frozenset, Collection, Iterable)


@dataclass(frozen=True, slots=True)
class StoredType:
    """What values a field can hold, as MongoDB has them.

    Args:
        types: In the words of `$type`; a UUID is `uuid`, a reference `dbRef`, and `any` stands alone. An `int` is
            stored as `long` where it needs to be.
        is_nullable: Whether null is one of them.
        values: All there are, as an enumeration has them; None for no limit.
        model: Of an object whose members are declared.
        items: Of an array whose items are declared.
    """

    types: frozenset[str]
    is_nullable: bool = False
    values: tuple[object, ...] | None = None
    model: type[BaseModel] | None = None
    items: "StoredType | None" = None


_ANYTHING: Final = StoredType(frozenset({ANY}), is_nullable=True)
_NOTHING: Final = StoredType(frozenset(), is_nullable=True)


def read_annotation(annotation: object, *, encoded: Collection[object] = ()) -> StoredType:
    """Return what is stored for an annotation.

    Args:
        annotation: As Pydantic has it, references resolved.
        encoded: Classes that the model stores in a way of its own (`bson_encoders`), and so in an unknown one.
    """
    kind = _bare(annotation)
    origin = get_origin(kind)
    if kind is None or kind is type(None):
        return _NOTHING
    if any(kind is each or origin is each for each in encoded):
        return _ANYTHING
    if origin in (Union, types.UnionType):
        return _union([read_annotation(member, encoded=encoded) for member in get_args(kind)])
    if origin is Literal:
        return _values([member.value if isinstance(member, Enum) else member for member in get_args(kind)])
    if origin is Link:
        return StoredType(frozenset({"dbRef"}))
    return _class(origin or kind, get_args(kind), encoded)


def is_stored(annotation: object) -> bool:
    """Say whether a field with this annotation is stored at all; a link back is not."""
    kind = _bare(annotation)
    return get_origin(kind) is not BackLink and all(is_stored(member) for member in get_args(kind))


def _bare(annotation: object) -> object:
    while True:
        if get_origin(annotation) is Annotated:
            annotation = get_args(annotation)[0]
        elif hasattr(annotation, "__supertype__"):  # NewType
            annotation = cast("Any", annotation).__supertype__
        elif hasattr(annotation, "__value__"):  # the `type` statement
            annotation = cast("Any", annotation).__value__
        else:
            return annotation


def _class(kind: object, arguments: tuple[object, ...], encoded: Collection[object]) -> StoredType:
    if not inspect.isclass(kind):  # a type variable, or what was never resolved
        return _ANYTHING
    if issubclass(kind, Enum):
        return _ANYTHING if issubclass(kind, Flag) else _values([member.value for member in kind])
    if issubclass(kind, BaseModel):
        return _embedded(kind, encoded)
    if issubclass(kind, Mapping) or is_typeddict(kind):
        return StoredType(frozenset({OBJECT}))
    known = next((name for each, name in _STORED.items() if issubclass(kind, each)), None)
    if known is None and issubclass(kind, _LINEAR):
        return _array(arguments, encoded)
    return _ANYTHING if known is None else StoredType(frozenset({known}))


def _embedded(model: type[BaseModel], encoded: Collection[object]) -> StoredType:
    if issubclass(model, RootModel):
        return read_annotation(model.model_fields["root"].annotation, encoded=encoded)
    return StoredType(frozenset({OBJECT}), model=model)


def _array(arguments: tuple[object, ...], encoded: Collection[object]) -> StoredType:
    members = [read_annotation(each, encoded=encoded) for each in arguments if each is not Ellipsis]
    return StoredType(frozenset({ARRAY}), items=_union(members) if members else None)


def _values(values: list[object]) -> StoredType:
    present = [value for value in values if value is not None]
    known = [read_annotation(type(value)) for value in present]
    if not known or any(ANY in each.types for each in known):
        return _ANYTHING
    every = frozenset[str]().union(*(each.types for each in known))
    return StoredType(every, is_nullable=len(present) < len(values), values=tuple(present))


def _union(members: list[StoredType]) -> StoredType:
    every = frozenset[str]().union(*(each.types for each in members))
    if ANY in every:
        return _ANYTHING
    present = [each for each in members if each.types]
    objects = [each for each in present if OBJECT in each.types]
    arrays = [each for each in present if ARRAY in each.types]
    is_limited = bool(present) and all(each.values is not None for each in present)
    return StoredType(
        every,
        is_nullable=any(each.is_nullable for each in members),
        values=tuple(value for each in present for value in each.values or ()) if is_limited else None,
        # Of several, nobody can tell which one a stored value is.
        model=objects[0].model if len(objects) == 1 else None,
        items=arrays[0].items if len(arrays) == 1 else None,
    )
