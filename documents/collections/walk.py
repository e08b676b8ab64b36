"""Walks through all documents of a collection in the order of `_id`, whatever types its ids have, and can go on later.

A place is an id as MongoDB sent it, a BSON document of it alone, as some types have no Python value of their own. It
is where the next page begins, whether or not there still is a document with that id.
"""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any, Final, cast

from bson.max_key import MaxKey
from bson.raw_bson import RawBSONDocument

from documents.codec.stored import StoredDocument
from documents.database.connection import RAW_OPTIONS, Connection
from documents.database.deadline import Deadline, Running
from documents.types import Document

PAGE: Final = 1000
READ_BYTES: Final = 1024 * 1024
STEP_SECONDS: Final = 60.0
_BY_ID: Final = {"_id": 1}
_KIND: Final = 4  # the place of the type in a document of one field
_MAX_KEY: Final = 0x7F


@dataclass(frozen=True, slots=True)
class Stride:
    """Some successive documents.

    Args:
        documents: Those that match; there may be none.
        passed: Documents that were walked past at the end of a page, whether they match or not.
        place: Where to go on, at the end of a page; None inside one, and at the end of all.
    """

    documents: list[StoredDocument]
    passed: int = 0
    place: RawBSONDocument | None = None


async def walk(
    connection: Connection,
    collection: str,
    *,
    where: Document | None = None,
    place: RawBSONDocument | None = None,
    page: int = PAGE,
) -> AsyncGenerator[Stride]:
    """Yield the documents of a collection, a mebibyte or a large one at a time. Writes nothing.

    Args:
        connection: To MongoDB.
        collection: Which.
        where: Which of its documents.
        place: Where to begin; None for the beginning.
        page: Documents from one place to the next.

    Raises:
        StoreError: MongoDB cannot answer.

    Source:
        MongoDB manual, cursor.min() and cursor.max(): bounds of the index, which compare ids of all types.
    """
    while True:
        following = await _place_after(connection, collection, place, page)
        seen = 0
        bounds: Document = {"min": place} if place is not None else {}
        if following is not None:
            bounds["max"] = following
        async for several in _find(connection, collection, where, bounds):
            seen += len(several)
            yield Stride(several)
        if following is None and place is not None:
            # A lower bound alone stops short of the greatest value that there is, which an id may be.
            greatest = {"$and": [{"_id": MaxKey()}, where or {}]}
            async for several in _find(connection, collection, greatest, {}):
                seen += len(several)
                yield Stride(several)
        yield Stride([], page if following is not None else seen, following)
        if following is None:
            return
        place = following


async def _place_after(
    connection: Connection, collection: str, place: RawBSONDocument | None, page: int
) -> RawBSONDocument | None:
    command: Document = {
        "find": collection,
        "projection": _BY_ID,
        "sort": _BY_ID,
        "hint": _BY_ID,
        "skip": page,
        "limit": 1,
        "singleBatch": True,
    }
    if place is not None:
        command["min"] = place
    with Running(Deadline(STEP_SECONDS), writes=False):
        reply = await connection.database.command(command, codec_options=cast("Any", RAW_OPTIONS))
    found: list[RawBSONDocument] = cast("Any", reply)["cursor"]["firstBatch"]
    # No page begins with the greatest value that there is: nothing would be between it and the end of the index.
    return found[0] if found and found[0].raw[_KIND] != _MAX_KEY else None


async def _find(
    connection: Connection, collection: str, where: Document | None, bounds: Document
) -> AsyncGenerator[list[StoredDocument]]:
    command = {"find": collection, "filter": where or {}, "sort": _BY_ID, "hint": _BY_ID, **bounds}
    with Running(Deadline(STEP_SECONDS), writes=False):
        # The options of a command hold for its first reply, those of the database for the others.
        raw: Any = connection.database.with_options(codec_options=cast("Any", RAW_OPTIONS))
        cursor = await raw.cursor_command(command, codec_options=RAW_OPTIONS)
    try:
        while several := await _take(cursor):
            yield several
    finally:
        with Running(Deadline(STEP_SECONDS), writes=False):
            await cursor.close()


async def _take(cursor: Any) -> list[StoredDocument]:  # noqa: ANN401  # a cursor of raw documents
    taken: list[StoredDocument] = []
    size = 0
    with Running(Deadline(STEP_SECONDS), writes=False):
        while size < READ_BYTES:
            document: RawBSONDocument | None = await anext(cursor, None)
            if document is None:
                break
            taken.append(StoredDocument(bytes(document.raw)))
            size += len(document.raw)
    return taken
