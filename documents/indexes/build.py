"""Builds indexes, tells how far the build is, and ends it in MongoDB when it is given up here."""

import asyncio
import re
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import OperationFailure

from documents.errors import IndexConflictError
from documents.indexes.failures import translated
from documents.indexes.spec import IndexSpec
from documents.types import Document

UNAUTHORIZED: Final = 13
_PHASE: Final = re.compile(r"Index Build: ([^:]*?)(?: Index Build:|:|$)")


@dataclass(frozen=True, slots=True)
class BuildProgress:
    """How far a build is.

    Args:
        phase: In MongoDB's words, such as `scanning collection`.
        done: Documents or keys that are done in this phase.
        total: Those that there are.
    """

    phase: str
    done: int
    total: int


async def build_indexes(
    collection: AsyncCollection[Document], specs: Sequence[IndexSpec], *, poll: timedelta, aborts: bool = True
) -> AsyncGenerator[BuildProgress]:
    """Build indexes together, in one scan of the collection, and yield how far it is. All are built or none.

    MongoDB goes on building when a client goes away. So whoever cancels this, or closes it early, has the
    build aborted, unless `aborts` is False.

    Args:
        collection: It is created if need be.
        specs: At least one. An index that is being built already is waited for.
        poll: Time between two looks at the progress.
        aborts: Whether giving it up here ends it in MongoDB.

    Raises:
        DuplicateValuesError: A unique index finds equal values.
        IndexConflictError: There is another index in the place of one of these.
        InvalidIndexError: MongoDB has no such index.
    """
    build = asyncio.create_task(_create(collection, specs))
    try:
        while not (await asyncio.wait({build}, timeout=poll.total_seconds()))[0]:
            progress = await read_progress(collection)
            if progress is not None and not build.done():
                yield progress
        await build
    finally:
        if not build.done():
            await asyncio.shield(asyncio.create_task(_give_up(collection, specs, build, aborts=aborts)))


async def read_progress(collection: AsyncCollection[Document]) -> BuildProgress | None:
    """Return how far the index builds on a collection are; None if there are none, or seeing them is not allowed.

    Source:
        MongoDB manual, $currentOp; it needs the `inprog` privilege.
    """
    stages: list[Document] = [
        {"$currentOp": {"allUsers": True}},
        {"$match": {"ns": collection.full_name, "msg": {"$regex": "^Index Build"}}},
        {"$project": {"msg": 1, "progress": 1}},
    ]
    async with translated(writes=False):
        try:
            cursor = await collection.database.client.admin.aggregate(stages)
            operations = [operation async for operation in cursor]
        except OperationFailure as error:
            if error.code == UNAUTHORIZED:
                return None
            raise
    return _sum(operations)


def _sum(operations: Sequence[Document]) -> BuildProgress | None:
    """Add up what several shards report."""
    if not operations:
        return None
    phase = _PHASE.match(operations[0]["msg"])
    counts = [operation.get("progress", {}) for operation in operations]
    return BuildProgress(
        phase[1].strip() if phase else "",
        sum(int(counted.get("done", 0)) for counted in counts),
        sum(int(counted.get("total", 0)) for counted in counts),
    )


async def _create(collection: AsyncCollection[Document], specs: Sequence[IndexSpec]) -> None:
    async with translated():
        await collection.database.command(
            "createIndexes", collection.name, indexes=[spec.to_document() for spec in specs]
        )


async def drop_indexes(collection: AsyncCollection[Document], names: Sequence[str]) -> None:
    """Drop indexes by name; one that is being built is aborted.

    Raises:
        IndexConflictError: There is none of one of these names.
    """
    async with translated():
        await collection.database.command("dropIndexes", collection.name, index=list(names))


async def _give_up(
    collection: AsyncCollection[Document], specs: Sequence[IndexSpec], build: asyncio.Task[None], *, aborts: bool
) -> None:
    build.cancel()
    await asyncio.wait({build})
    if not aborts:
        return
    try:
        await drop_indexes(collection, [spec.name for spec in specs])
    except IndexConflictError:
        return  # it had not begun, so there is nothing to abort
