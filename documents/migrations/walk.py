"""Walks through a collection in the order of `_id`, whatever types its ids have.

An id is kept as MongoDB sent it, a BSON document of it alone, as some types have no Python value of their own.
"""

import struct
from collections.abc import Sequence
from typing import Any, Final, cast

import bson
from bson.max_key import MaxKey
from bson.raw_bson import RawBSONDocument
from pymongo.asynchronous.collection import AsyncCollection

from documents.codec.plain import CODEC_OPTIONS
from documents.database.connection import RAW_OPTIONS, Connection
from documents.migrations.operations import Filter
from documents.types import Document

BY_ID: Final = {"_id": 1}
_LENGTH: Final = struct.Struct("<i")
_KIND: Final = 4
_MAX_KEY: Final = 0x7F
_VALUE: Final = 9  # behind the length, the type and the name with its NUL

RANGED: Final = frozenset({0x02, 0x05, 0x07, 0x09, 0x10, 0x12})
"""Strings, binary data, ObjectIds, dates, int32, int64. Between two of one type are only values that compare with them.
Doubles are none of these, as NaN compares with nothing."""


async def find_ids(
    connection: Connection, collection: str, after: RawBSONDocument | None, limit: int
) -> list[RawBSONDocument]:
    """Return up to `limit` ids that follow one, and none at the end.

    Source:
        MongoDB manual, cursor.min(): the bound is of the index, so it is not of one type as that of `$gt` is.
    """
    command: Document = {
        "find": collection,
        "projection": BY_ID,
        "sort": BY_ID,
        "hint": BY_ID,
        "limit": limit + 1,
        "batchSize": limit + 1,
        "singleBatch": True,
    }
    if after is None:
        return (await _find(connection, command))[:limit]
    if after.raw[_KIND] == _MAX_KEY:
        return []
    ids = await _find(connection, {**command, "min": after})
    ids = ids[1:] if ids and ids[0].raw == after.raw else ids[:limit]
    # A lower bound alone stops short of the greatest value that there is, which an id may be.
    return ids or await _find(connection, {**command, "filter": {"_id": MaxKey()}})


async def _find(connection: Connection, command: Document) -> list[RawBSONDocument]:
    reply = await connection.database.command(command, codec_options=cast("Any", RAW_OPTIONS))
    return cast("Any", reply)["cursor"]["firstBatch"]


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
    kind = first[_KIND]
    if kind == last[_KIND] and kind in RANGED:
        # A range costs MongoDB a third less than the list of its ids.
        return _document(_element(b"$gte", kind, first[_VALUE:-1]) + _element(b"$lte", kind, last[_VALUE:-1]))
    items = (_element(b"%d" % place, each.raw[_KIND], bytes(each.raw[_VALUE:-1])) for place, each in enumerate(ids))
    return _document(_element(b"$in", 0x04, _document(b"".join(items))))


def _element(name: bytes, kind: int, value: bytes) -> bytes:
    return bytes([kind]) + name + b"\0" + value


def _document(elements: bytes) -> bytes:
    return _LENGTH.pack(len(elements) + 5) + elements + b"\0"
