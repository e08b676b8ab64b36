"""The type of a collection's ids: how it is fixed, and how an id is read from a URL or a document."""

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID, uuid4

from bson import Binary, Int64, ObjectId
from bson.binary import UUID_SUBTYPE
from bson.regex import Regex

from documents.catalog.addresses import id_key, ids_at, is_same_id
from documents.codec.extended import parse_extended
from documents.errors import Fault, InputError, InvalidIdError
from documents.types import MISSING, Document, IdType

HEX: Final = re.compile(r"[0-9a-fA-F]{24}")
MAX_ID_BYTES: Final = 1024
UUID_BYTES: Final = 16
INT64: Final = range(-(2**63), 2**63)


def read_url_id(text: str, id_type: IdType) -> object:
    """Return the `_id` that a URL segment names.

    A segment that starts with `{` is Extended JSON, such as `{"$oid": "..."}`, and says its type itself, except
    where all ids are strings.

    Raises:
        InvalidIdError: The collection can hold no such id.
    """
    try:
        is_wrapped = text.startswith("{") and id_type is not IdType.STRING
        value = parse_extended(text.encode()) if is_wrapped else _FROM_TEXT[id_type](text)
    except (ValueError, InputError):
        value = MISSING
    if value is MISSING or not _fits(value, id_type):
        raise InvalidIdError(f"This is no id of type {id_type}, which the ids of this collection are.")
    return value


@dataclass(frozen=True, slots=True)
class Address:
    """The last segment of a document's URL.

    Args:
        text: As it came.
        first: The id that it means where all ids are of one type; MISSING where they are not, or it can mean none.
    """

    text: str
    first: object

    def others(self) -> list[object]:
        """Return the other ids that it may mean, the likeliest first."""
        own = id_key(self.first)
        return [each for each in ids_at(self.text) if id_key(each) != own]

    def ids(self) -> list[object]:
        """Return all ids that it may mean, the likeliest first."""
        return self.others() if self.first is MISSING else [self.first, *self.others()]


def read_address(text: str, id_type: IdType | None) -> Address:
    """Return what a URL segment may mean."""
    if id_type is not None and id_type is not IdType.ANY:
        with suppress(InvalidIdError):
            return Address(text, read_url_id(text, id_type))
    return Address(text, MISSING)


def first_id_type(document: Document) -> IdType:
    """Return the type that a first document gives to the ids of its collection.

    Raises:
        InvalidIdError: Its `_id` is null or a boolean, which nobody means as an id.
    """
    value = document.get("_id", MISSING)
    if value is None or isinstance(value, bool):
        raise _refusal("An _id is neither null nor a boolean.")
    if isinstance(value, str) and HEX.fullmatch(value):
        return IdType.OBJECTID
    return IdType.OBJECTID if value is MISSING else id_type_of(value)


def id_type_of(value: object) -> IdType:
    """Return the type of one stored `_id`."""
    exactly = _TYPES.get(type(value))
    if exactly is not None:
        return exactly
    for kind, id_type in _TYPES.items():
        if isinstance(value, kind) and not isinstance(value, bool):
            return id_type
    return IdType.ANY


def keep_id(document: Document, stored: object) -> Document | None:
    """Return `document` with the `_id` that is stored; None if it names another one."""
    given = document.get("_id", MISSING)
    if given is not MISSING and not is_same_id(given, stored):
        return None
    return {"_id": stored, **{key: item for key, item in document.items() if key != "_id"}}


def admit_id(document: Document, id_type: IdType) -> Document:
    """Return `document` with `_id` first and of the collection's type; where it has none, one is made.

    Raises:
        InvalidIdError: The `_id` is of another type, or is missing and cannot be made up.
    """
    given = document.get("_id", MISSING)
    if given is MISSING:
        make = _GENERATED.get(id_type)
        if make is None:
            raise _refusal(f"The ids of this collection are of type {id_type}, so each document brings its own.")
        return {"_id": make(), **document}
    value = _from_json(given, id_type)
    if not _fits(value, id_type):
        raise _refusal(f"The ids of this collection are of type {id_type}, and this one is not.")
    return {"_id": value, **{key: item for key, item in document.items() if key != "_id"}}


def _refusal(detail: str) -> InvalidIdError:
    return InvalidIdError(detail, [Fault("/_id", "wrong-type", detail)])


def _from_json(value: object, id_type: IdType) -> object:
    """Read an id that came as JSON: a string stands for an ObjectId or UUID where those are the ids."""
    if isinstance(value, Binary) and value.subtype == UUID_SUBTYPE and len(value) == UUID_BYTES:
        return value.as_uuid()  # what a model makes of one
    if not isinstance(value, str) or id_type not in (IdType.OBJECTID, IdType.UUID):
        return value
    try:
        return _FROM_TEXT[id_type](value)
    except ValueError:
        return value


def _fits(value: object, id_type: IdType) -> bool:
    if isinstance(value, str | bytes) and len(value.encode() if isinstance(value, str) else value) > MAX_ID_BYTES:
        return False
    if isinstance(value, str) and "\0" in value:
        return False
    if id_type is IdType.ANY:
        return not isinstance(value, list | re.Pattern | Regex) and value is not MISSING
    return id_type_of(value) is id_type


def _int(text: str) -> object:
    if not re.fullmatch(r"-?(0|[1-9][0-9]{0,18})", text) or int(text) not in INT64:
        raise ValueError
    return int(text)


def _objectid(text: str) -> object:
    if not HEX.fullmatch(text):
        raise ValueError
    return ObjectId(text)


_FROM_TEXT: Final[Mapping[IdType, Callable[[str], object]]] = {
    IdType.OBJECTID: _objectid,
    IdType.STRING: str,
    IdType.INT: _int,
    IdType.UUID: UUID,
    IdType.ANY: str,
}
_TYPES: Final[Mapping[Any, IdType]] = {
    ObjectId: IdType.OBJECTID,
    str: IdType.STRING,
    int: IdType.INT,
    Int64: IdType.INT,
    UUID: IdType.UUID,
}
_GENERATED: Final[Mapping[IdType, Callable[[], object]]] = {
    IdType.OBJECTID: ObjectId,
    IdType.UUID: uuid4,
    IdType.ANY: ObjectId,
}
