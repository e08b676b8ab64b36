"""Batches of successive ids, whatever types they have, and filters of the documents that have them."""

import struct
from collections.abc import Sequence
from typing import Final

import bson
from bson.raw_bson import RawBSONDocument
from pymongo.asynchronous.collection import AsyncCollection

from documents.codec.plain import CODEC_OPTIONS
from documents.database.connection import RAW_OPTIONS, Connection
from documents.database.id_order import BY_ID, KIND, find_ids
from documents.migrations.operations import Filter
from documents.types import Document

_LENGTH: Final = struct.Struct("<i")
_VALUE: Final = 9  # behind the length, the type and the name with its NUL

RANGED: Final = frozenset({0x02, 0x05, 0x07, 0x09, 0x10, 0x12})
"""Strings, binary data, ObjectIds, dates, int32, int64. Between two of one type are only values that compare with them.
Doubles are none of these, as NaN compares with nothing."""


async def find_ids_after(
    connection: Connection, collection: str, after: RawBSONDocument | None, limit: int
) -> list[RawBSONDocument]:
    """Return up to `limit` ids that follow one, and none at the end."""
    if after is None:
        return await find_ids(connection, collection, None, limit=limit)
    ids = await find_ids(connection, collection, after, limit=limit + 1)
    return ids[1:] if ids and ids[0].raw == after.raw else ids[:limit]


async def find_matching(
    collection: AsyncCollection[RawBSONDocument], ids: Sequence[RawBSONDocument], where: Filter
) -> list[RawBSONDocument]:
    """Return those of some successive ids whose documents match."""
    return await collection.find(filter_of(ids, where), BY_ID, sort=BY_ID, hint=BY_ID).to_list()


def filter_of(ids: Sequence[RawBSONDocument], where: Filter) -> Filter:
    """Return the filter of the documents with some successive ids that match another filter.

    Args:
        ids: At least one, in order.
        where: May be empty.
    """
    chosen = RawBSONDocument(_document(_element(b"_id", 0x03, _condition(ids))), RAW_OPTIONS)
    return {"$and": [chosen, where]} if where else chosen


def value_of(document_id: RawBSONDocument) -> object:
    """Return an id as a Python value, for people to read."""
    return decode(document_id)["_id"]


def decode(document: RawBSONDocument) -> Document:
    """Return a document as Python values."""
    return bson.decode(document.raw, CODEC_OPTIONS)  # pyright: ignore[reportUnknownMemberType]  # an overload takes `array`


def _condition(ids: Sequence[RawBSONDocument]) -> bytes:
    first, last = bytes(ids[0].raw), bytes(ids[-1].raw)
    kind = first[KIND]
    if kind == last[KIND] and kind in RANGED:
        # A range costs MongoDB a third less than the list of its ids.
        return _document(_element(b"$gte", kind, first[_VALUE:-1]) + _element(b"$lte", kind, last[_VALUE:-1]))
    items = (_element(b"%d" % place, each.raw[KIND], bytes(each.raw[_VALUE:-1])) for place, each in enumerate(ids))
    return _document(_element(b"$in", 0x04, _document(b"".join(items))))


def _element(name: bytes, kind: int, value: bytes) -> bytes:
    return bytes([kind]) + name + b"\0" + value


def _document(elements: bytes) -> bytes:
    return _LENGTH.pack(len(elements) + 5) + elements + b"\0"
