"""Walks through all documents of a collection in the order of `_id`, whatever types its ids have, and can go on later.

A place is an id, as `documents.database.id_order` has them: where the next page begins, whether or not there still is
a document with that id.
"""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any, Final, cast

from bson.raw_bson import RawBSONDocument

from documents.codec.stored import StoredDocument
from documents.database.connection import RAW_OPTIONS, Connection
from documents.database.deadline import Deadline, Running
from documents.database.id_order import BY_ID, GREATEST, find_ids, is_greatest
from documents.types import Document

PAGE: Final = 1000
READ_BYTES: Final = 1024 * 1024
STEP_SECONDS: Final = 60.0


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
        collection: Name of the collection.
        where: Which of its documents.
        place: Where to begin; None for the beginning.
        page: Documents from one place to the next.

    Raises:
        StoreError: MongoDB cannot answer.

    Source:
        MongoDB manual, cursor.min() and cursor.max(): bounds of the index, which compare ids of all types.
    """
    while True:
        upcoming = await _ids_after(connection, collection, place, page)
        # No page begins with the greatest value that there is: nothing would be between it and the end of the index.
        following = next((each for each in upcoming if not is_greatest(each)), None)
        seen = 0
        bounds: Document = {"min": place} if place is not None else {}
        if following is not None:
            bounds["max"] = following
        async for several in _find(connection, collection, where, bounds):
            seen += len(several)
            yield Stride(several)
        if upcoming and following is None and place is not None:
            greatest = {"$and": [GREATEST, where or {}]}
            async for several in _find(connection, collection, greatest, {}):
                seen += len(several)
                yield Stride(several)
        yield Stride([], page if following is not None else seen, following)
        if following is None:
            return
        place = following


async def _ids_after(
    connection: Connection, collection: str, place: RawBSONDocument | None, page: int
) -> list[RawBSONDocument]:
    with Running(Deadline(STEP_SECONDS), writes=False):
        return await find_ids(connection, collection, place, limit=1, skip=page)


async def _find(
    connection: Connection, collection: str, where: Document | None, bounds: Document
) -> AsyncGenerator[list[StoredDocument]]:
    command = {"find": collection, "filter": where or {}, "sort": BY_ID, "hint": BY_ID, **bounds}
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
