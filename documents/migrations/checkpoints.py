"""How far backfills are: a document for each, written in the same transactions as what it tells of."""

from dataclasses import dataclass
from typing import Any, Final, cast

from bson.int64 import Int64
from bson.raw_bson import RawBSONDocument
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.database import AsyncDatabase

from documents.database.connection import RAW_OPTIONS
from documents.database.deadline import Deadline, Running
from documents.migrations.errors import MigrationError, OperationEditedError
from documents.migrations.held import STEP_SECONDS, MigrationLock
from documents.types import SYSTEM_PREFIX, Document

CHECKPOINTS: Final = f"{SYSTEM_PREFIX}checkpoints"


class CheckpointMovedError(MigrationError):
    """A checkpoint is not where it was left, as a commit was carried out whose answer was lost. Read it again."""

    code = "migration-checkpoint-moved"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How far a backfill is.

    Args:
        step: Grows by one with each transaction.
        after: The last `_id` that is dealt with, as a document of it alone; None before the first.
        sweep: 0 while the collection is walked through; then the number of the sweep for what came in meanwhile.
        swept: Documents that this sweep has changed.
        done: Documents that were walked past.
        matched: Those of them that the change was for.
        modified: Those that it changed.
        is_complete: Whether nothing is left to do.
    """

    step: int = 0
    after: RawBSONDocument | None = None
    sweep: int = 0
    swept: int = 0
    done: int = 0
    matched: int = 0
    modified: int = 0
    is_complete: bool = False


async def claim_checkpoint(
    database: AsyncDatabase[Document], key: str, *, fingerprint: str, lock: MigrationLock
) -> Checkpoint:
    """Return how far a backfill is, and make its checkpoint this holder's.

    Raises:
        OperationEditedError: It began with another operation.
        LockLostError: Another has the lock. Nothing was written.
    """

    async def claim(session: AsyncClientSession) -> Checkpoint:
        found = await _find(database, key, session)
        if found is not None and found["fingerprint"] != fingerprint:
            raise OperationEditedError(key)
        changes = {"$set": {"token": lock.token, "fingerprint": fingerprint}, "$currentDate": {"at": True}}
        begins = _fields(Checkpoint())
        await database[CHECKPOINTS].update_one(
            {"_id": key}, {**changes, "$setOnInsert": begins}, upsert=True, session=session
        )
        return Checkpoint() if found is None else _read(found)

    return await lock.transact(claim)


async def move_checkpoint(
    database: AsyncDatabase[Document], session: AsyncClientSession, key: str, *, token: int, to: Checkpoint
) -> None:
    """Write a checkpoint that is one step further.

    Raises:
        CheckpointMovedError: It is not where this comes from, or another's.
    """
    before = {"_id": key, "token": token, "step": to.step - 1}
    changes = {"$set": _fields(to), "$currentDate": {"at": True}}
    written = await database[CHECKPOINTS].update_one(before, changes, session=session)
    if not written.matched_count:
        raise CheckpointMovedError(f"The checkpoint {key} is not where it was left.")


async def read_checkpoint(database: AsyncDatabase[Document], key: str) -> Checkpoint | None:
    """Return how far a backfill is; None if it has not begun. Writes nothing."""
    with Running(Deadline(STEP_SECONDS), writes=False):
        found = await _find(database, key, None)
    return None if found is None else _read(found)


async def forget_checkpoint(database: AsyncDatabase[Document], key: str, *, lock: MigrationLock) -> None:
    """Forget how far a backfill is, so that it can be run anew, as after its way back.

    Raises:
        LockLostError: Another has the lock. Nothing was written.
    """

    async def forget(session: AsyncClientSession) -> None:
        await database[CHECKPOINTS].delete_one({"_id": key}, session=session)

    await lock.transact(forget)


async def _find(
    database: AsyncDatabase[Document], key: str, session: AsyncClientSession | None
) -> RawBSONDocument | None:
    raw = cast("Any", database.get_collection(CHECKPOINTS, codec_options=cast("Any", RAW_OPTIONS)))
    return await raw.find_one({"_id": key}, session=session)


def _fields(checkpoint: Checkpoint) -> Document:
    return {
        "step": Int64(checkpoint.step),
        "after": checkpoint.after,
        "sweep": checkpoint.sweep,
        "swept": Int64(checkpoint.swept),
        "done": Int64(checkpoint.done),
        "matched": Int64(checkpoint.matched),
        "modified": Int64(checkpoint.modified),
        "is_complete": checkpoint.is_complete,
    }


def _read(found: RawBSONDocument) -> Checkpoint:
    return Checkpoint(**{name: found[name] for name in Checkpoint.__dataclass_fields__})
