"""The words that every part of the store shares."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, TypeAlias

Document: TypeAlias = dict[str, Any]
"""A document as Python values: str keys, and as values whatever BSON can hold."""

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"
"""What a JSON text can say."""

Coerce: TypeAlias = Callable[[object], object]
"""Turns a JSON value into the BSON value that a declared field holds; raises ValueError when it is none."""

FieldTypes: TypeAlias = Callable[[str], Coerce | None]
"""Answers, for a dotted path (array positions left out), how its values are read; None where nothing is
declared, and a value then means what JSON says it means."""

SYSTEM_PREFIX: Final = "_sheaf."
"""Collections of our own begin so, and no request reaches them."""

COLLECTION_NAME: Final = r"[A-Za-z][A-Za-z0-9_-]{0,99}"

MAX_DEPTH: Final = 100
"""Levels of nesting that a document may have, itself included."""

MAX_DOCUMENT_BYTES: Final = 16 * 1024 * 1024
"""What MongoDB accepts as one document, as BSON."""


class IdType(StrEnum):
    """The type of every `_id` in one collection, fixed by its first document."""

    OBJECTID = "objectid"
    STRING = "string"
    INT = "int"
    UUID = "uuid"
    ANY = "any"


class Missing:
    """The type of MISSING."""

    def __repr__(self) -> str:
        return "MISSING"

    def __bool__(self) -> bool:
        return False


MISSING: Final = Missing()
"""A value that is not there at all, as opposed to a null that is."""


@dataclass(frozen=True, slots=True)
class RawValue:
    """A stored value that `bson` decodes as another one: a text that is not UTF-8, undefined, a DBPointer.

    Args:
        kind: Its BSON type, a byte.
        payload: Its bytes.
        order: By which it is sorted among values of all types (see `documents.query.paging.order.bson_order`).
    """

    kind: int
    payload: bytes
    order: tuple[Any, ...] = field(default=(), compare=False)


def child(pointer: str, *tokens: object) -> str:
    """Return the JSON pointer (RFC 6901) of what lies at `tokens` below `pointer`."""
    return pointer + "".join(f"/{str(token).replace('~', '~0').replace('/', '~1')}" for token in tokens)


EMPTY: Final[Mapping[str, Any]] = {}
