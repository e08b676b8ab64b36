"""The ids of a collection in the order of `_id`, whatever types they have: what every walk through one stands on.

An id is kept as MongoDB sent it, a BSON document of it alone, as some types have no Python value of their own.
"""

from typing import Any, Final, cast

from bson.max_key import MaxKey
from bson.raw_bson import RawBSONDocument

from documents.database.connection import RAW_OPTIONS, Connection
from documents.types import Document

BY_ID: Final = {"_id": 1}
GREATEST: Final[Document] = {"_id": MaxKey()}
"""The filter of the document whose id is the greatest value that there is. No range of the index ends behind it."""

KIND: Final = 4
"""The place of the type in a document of one field."""

_MAX_KEY: Final = 0x7F


def is_greatest(document_id: RawBSONDocument) -> bool:
    """Tell whether an id is the greatest value that there is."""
    return document_id.raw[KIND] == _MAX_KEY


async def find_ids(
    connection: Connection, collection: str, place: RawBSONDocument | None, *, limit: int, skip: int = 0
) -> list[RawBSONDocument]:
    """Return up to `limit` ids in order, and less only at the end.

    Args:
        connection: To MongoDB.
        collection: Whose.
        place: An id to begin with, whether or not there still is a document that has it; None for the beginning.
        limit: Ids at most, 1 or more.
        skip: Ids that are passed over. The greatest of all is never.

    Source:
        MongoDB manual, cursor.min(): the bound is of the index, so it is not of one type as that of `$gt` is.
    """
    command: Document = {
        "find": collection,
        "projection": BY_ID,
        "sort": BY_ID,
        "hint": BY_ID,
        "skip": skip,
        "limit": limit,
        "batchSize": limit,
        "singleBatch": True,
    }
    if place is None:
        return await _find(connection, command)
    # MongoDB refuses the greatest value as a lower bound.
    ids = [] if is_greatest(place) else await _find(connection, {**command, "min": place})
    # A lower bound alone stops short of the greatest value, which an id may be.
    return ids if len(ids) == limit else ids + await _find(connection, {**command, "skip": 0, "filter": GREATEST})


async def _find(connection: Connection, command: Document) -> list[RawBSONDocument]:
    reply = await connection.database.command(command, codec_options=cast("Any", RAW_OPTIONS))
    return cast("Any", reply)["cursor"]["firstBatch"]
