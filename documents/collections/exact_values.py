"""Sort values as MongoDB holds them, where `bson` decodes them as others: what a page is cut and continued by.

`bson` reads undefined as null, a DBPointer as a DBRef, what is not UTF-8 as U+FFFD, and a key that stands twice once.
MongoDB keeps them apart when it sorts and compares. So where such a value may be among the sort values of a page, those
are read from the bytes, and sent back as the bytes that they are.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from bson.dbref import DBRef

from documents.codec.elements import ARRAY, DOCUMENT, Element, elements_of
from documents.codec.encode import encode_exactly
from documents.codec.stored import StoredBatch, split_batch
from documents.database.connection import as_bson
from documents.query.paging.order import Bracket, members_key
from documents.query.paging.sort import Sort
from documents.types import Document, RawValue

_TEXT: Final = frozenset({0x02, 0x0E})
_UNDEFINED: Final = 0x06
_POINTER: Final = 0x0C
_CODE: Final = 0x0D


def exact_rows(batch: StoredBatch, order: Sort) -> list[Document]:
    """Return the documents of `batch.read`, with exact values in the fields that are sorted by."""
    if not (batch.is_odd or any(_may_be_odd(batch, path) for path, _ in order.keys)):
        return batch.read
    names = {path.split(".")[0].encode() for path, _ in order.keys}
    sent = split_batch(batch.sent)[: len(batch.read)]
    return [
        {each.name.decode(): exact_value(each) for each in elements_of(document.raw) if each.name in names}
        for document in sent
    ]


def exact_value(element: Element) -> object:
    """Return the value of an element: a RawValue, or an object or array of some, where `bson` has no value for it."""
    kind, _, payload = element
    if kind == _UNDEFINED:
        return RawValue(kind, payload, (Bracket.EMPTY_ARRAY,))
    if kind == _POINTER:
        return RawValue(kind, payload, (Bracket.DB_POINTER, len(payload), payload))
    if kind in _TEXT or kind == _CODE:
        text = payload[4:-1]
        bracket = Bracket.CODE if kind == _CODE else Bracket.STRING
        return element.decode() if _is_utf8(text) else RawValue(kind, payload, (bracket, text))
    if kind == ARRAY:
        return [exact_value(each) for each in elements_of(payload)]
    return _object(payload) if kind == DOCUMENT else element.decode()


def packed(values: Sequence[Any]) -> tuple[Any, ...]:
    """Return sort values as a cursor can hold them."""
    return tuple(_packed(value) if _is_raw(value) else value for value in values)


def unpacked(values: Sequence[Any]) -> tuple[Any, ...]:
    """Return what `packed` was given."""
    return tuple(
        exact_value(Element(value.kind, b"", value.payload)) if isinstance(value, RawValue) else value
        for value in values
    )


def sendable(document: Document, values: Sequence[Any]) -> Any:  # noqa: ANN401  # what the driver takes as a document
    """Return a document for MongoDB in which some sort values are."""
    return as_bson(encode_exactly(document)) if any(map(_is_raw, values)) else document


def _object(payload: bytes) -> object:
    members = [(each.name, exact_value(each)) for each in elements_of(payload)]
    if len({name for name, _ in members}) == len(members) and all(_is_utf8(name) for name, _ in members):
        return {name.decode(): value for name, value in members}
    return RawValue(DOCUMENT, payload, (Bracket.OBJECT, *members_key(members)))


def _packed(value: object) -> RawValue:
    [element] = elements_of(encode_exactly({"": value}))
    return RawValue(element.kind, element.payload)


def _is_raw(value: object) -> bool:
    if isinstance(value, Mapping):
        return any(map(_is_raw, cast("Mapping[str, object]", value).values()))
    if isinstance(value, list):
        return any(map(_is_raw, cast("list[object]", value)))
    return isinstance(value, RawValue)


def _may_be_odd(batch: StoredBatch, path: str) -> bool:
    """Tell whether `bson` may have decoded a sort value at a path as another one. Mostly a search of bytes."""
    names = path.split(".")
    first, last = (name.encode() + b"\0" for name in (names[0], names[-1]))
    sent = batch.sent
    if bytes([_UNDEFINED]) + last in sent or bytes([_POINTER]) + last in sent:
        return True
    if bytes([DOCUMENT]) + first not in sent and bytes([ARRAY]) + first not in sent:
        return False
    return any(_is_odd(document.get(names[0]), names[1:]) for document in batch.read)


def _is_odd(value: object, names: Sequence[str], *, in_array: bool = False) -> bool:
    """Tell whether there is an object, whose keys may repeat, or what undefined is read as in an array."""
    if isinstance(value, list):
        return any(_is_odd(each, names, in_array=True) for each in cast("list[object]", value))
    if names:
        return isinstance(value, dict) and _is_odd(cast("Document", value).get(names[0], ""), names[1:])
    return isinstance(value, dict | DBRef) or (in_array and value is None)


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
