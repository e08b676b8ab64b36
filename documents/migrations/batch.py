"""What a backfill does to the documents of one batch, inside a transaction."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

import bson
from bson.raw_bson import RawBSONDocument
from pymongo import ReplaceOne
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import OperationFailure

from documents.codec.encode import encode
from documents.database.connection import RAW_OPTIONS, Connection
from documents.database.deadline import Deadline, Running
from documents.database.failures import NOT_THE_REQUEST
from documents.database.id_order import BY_ID
from documents.errors import StoreError
from documents.migrations.compile import Change
from documents.migrations.errors import DocumentFailedError, MigrationFailedError
from documents.migrations.held import STEP_SECONDS
from documents.migrations.operations import Rewrite
from documents.migrations.walk import decode, filter_of
from documents.types import Document

HELD_BYTES: Final = 4 * 1024 * 1024
"""Of rewritten documents, before they are sent."""

READ_AHEAD: Final = 100


@dataclass(frozen=True, slots=True)
class Written:
    """How many documents of a batch the change was for, and how many of those it changed."""

    matched: int
    modified: int


async def try_out(connection: Connection, change: Change) -> None:
    """Let MongoDB read a change, which tells one that is none before any document could be blamed. Writes nothing.

    Raises:
        MigrationFailedError: MongoDB does not accept it.
        StoreError: MongoDB cannot be reached.
    """
    nothing: Document = {"$and": [{"_id": {"$in": []}}, change.where]}
    collection = connection.collection(change.collection)
    with Running(Deadline(STEP_SECONDS), writes=False):
        try:
            if change.update is None:
                await collection.find_one(nothing)
            else:
                await collection.update_many(nothing, cast("Any", change.update))
        except (OperationFailure, ValueError) as error:  # the driver refuses some by itself
            if isinstance(error, OperationFailure) and (error.timeout or error.code in NOT_THE_REQUEST):
                raise
            raise MigrationFailedError(
                f"MongoDB does not accept the change of {change.collection}: {said_by(error)}"
            ) from error


def said_by(error: Exception) -> str:
    """Return what MongoDB itself said, without the rest of its reply."""
    details: Mapping[str, Any] = (error.details if isinstance(error, OperationFailure) else None) or {}
    if details.get("writeErrors"):
        details = details["writeErrors"][0]
    return str(details.get("errmsg", error))


async def change_batch(
    connection: Connection, change: Change, ids: Sequence[RawBSONDocument], session: AsyncClientSession
) -> Written:
    """Change the documents with some successive ids.

    Raises:
        DocumentFailedError: A rewriting failed.
    """
    if change.rewrite is not None:
        return await _rewrite(connection, change, ids, session)
    if change.update is None:
        raise TypeError("A change has an update or a rewrite.")
    collection = connection.collection(change.collection)
    update = cast("Any", change.update)
    result = await collection.update_many(filter_of(ids, change.where), update, hint=BY_ID, session=session)
    return Written(result.matched_count, result.modified_count)


async def _rewrite(
    connection: Connection, change: Change, ids: Sequence[RawBSONDocument], session: AsyncClientSession
) -> Written:
    """Replace the documents that come out of their rewriting otherwise than they went in.

    Whoever changes one of them meanwhile lets the transaction fail, and so loses nothing.
    """
    collection = connection.raw_collection(change.collection)
    matched = modified = size = 0
    held: list[ReplaceOne[RawBSONDocument]] = []
    found = collection.find(
        filter_of(ids, change.where), sort=BY_ID, hint=BY_ID, batch_size=READ_AHEAD, session=session
    )
    async with found:
        async for document in found:
            matched += 1
            rewritten = _rewritten(change, document)
            if rewritten is None:
                continue
            held.append(ReplaceOne(_of_id(document), RawBSONDocument(rewritten, RAW_OPTIONS)))
            modified, size = modified + 1, size + len(rewritten)
            if size >= HELD_BYTES:
                await collection.bulk_write(held, session=session)
                held, size = [], 0
    if held:
        await collection.bulk_write(held, session=session)
    return Written(matched, modified)


def _of_id(document: RawBSONDocument) -> RawBSONDocument:
    return cast("RawBSONDocument", filter_of([_id_of(document)], {}))


def _id_of(document: RawBSONDocument) -> RawBSONDocument:
    return RawBSONDocument(bson.encode({"_id": document["_id"]}, codec_options=cast("Any", RAW_OPTIONS)), RAW_OPTIONS)


def _rewritten(change: Change, stored: RawBSONDocument) -> bytes | None:
    """Return a document as it is to be; None if that is how it is."""
    before: Document = decode(stored)
    document_id = before["_id"]
    as_read = encode(before)
    after = _call(cast("Rewrite", change.rewrite), before, change.collection, document_id)
    try:
        raw = encode(after)
    except StoreError as error:
        raise DocumentFailedError(change.collection, document_id, error.detail) from error
    if raw == as_read:
        return None
    if after.get("_id", before) != document_id:
        raise DocumentFailedError(change.collection, document_id, "its rewriting gives another _id, or none.")
    if as_read != stored.raw:
        reason = "it holds what Python cannot, such as text that is not UTF-8, and would lose it when rewritten."
        raise DocumentFailedError(change.collection, document_id, reason)
    return raw


def _call(rewrite: Callable[[Document], object], document: Document, collection: str, document_id: object) -> Document:
    try:
        after: object = rewrite(document)
    except Exception as error:  # whatever the function of a revision raises is about this document
        reason = f"its rewriting raised {type(error).__name__}: {error}"
        raise DocumentFailedError(collection, document_id, reason) from error
    if isinstance(after, dict):
        return cast("Document", after)
    raise DocumentFailedError(collection, document_id, f"its rewriting gives no document, but {after!r:.100}.")
