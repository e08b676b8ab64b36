"""Taking a load back: the documents that it inserted go, and those that were changed since stay."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pymongo.asynchronous.client_session import AsyncClientSession

from documents.catalog.addresses import id_key
from documents.codec.stored import StoredDocument
from documents.collections.selectors import by_ids
from documents.collections.services import Services
from documents.database.deadline import Deadline, Running
from documents.ingest.batches import DIGEST_BYTES, BatchStore, digest_of
from documents.ingest.claim import STEP_SECONDS, Claim
from documents.ingest.jobs import State
from documents.ingest.quarantine import Chosen, QuarantineStore
from documents.ingest.staging import Staging
from documents.types import Document

SLOT: Final = 0
DISCARD_AT_ONCE: Final = 1000


@dataclass(frozen=True, slots=True)
class Undone:
    """How much of a load is taken back.

    Args:
        inserted: Documents that it inserted.
        deleted: Those of them that are gone.
        kept: Those that stay, since somebody has changed them.
        absent: Those that somebody else has deleted.
    """

    inserted: int = 0
    deleted: int = 0
    kept: int = 0
    absent: int = 0

    def plus(self, other: "Undone") -> "Undone":
        """Return both together."""
        return Undone(
            self.inserted + other.inserted,
            self.deleted + other.deleted,
            self.kept + other.kept,
            self.absent + other.absent,
        )

    def to_dict(self) -> dict[str, int]:
        """Return what an undo did as JSON values."""
        return {"inserted": self.inserted, "deleted": self.deleted, "kept": self.kept, "absent": self.absent}


async def undo_load(
    services: Services, batches: BatchStore, quarantine: QuarantineStore, claim: Claim
) -> AsyncGenerator[Undone]:
    """Take back what a load inserted, a transaction for each of its batches, and yield how far it is.

    What it had put aside leaves the quarantine, and what was inserted when that was tried again is taken back with it.
    Killed and run again, it goes on. What the load changed or deleted is not brought back.

    Args:
        services: What it stands on.
        batches: Where it stands what the load wrote.
        quarantine: Where its other records are.
        claim: The job, held by the caller, in the state `undoing`.

    Raises:
        JobLostError: Another process has taken the job over.
        StoreError: MongoDB cannot be reached. The job stays as it is.
    """
    done = Undone()
    with Running(Deadline(STEP_SECONDS), writes=False):
        cursor = batches.records.find(
            {"$or": [{"job": claim.job.id}, {"replayed": claim.job.id}], "start": {"$exists": True}},
            {"undone": 1},
            sort=[("_id", 1)],
        )
        keys = [(batch["_id"], batch.get("undone")) async for batch in cursor]
    for key, before in keys:
        with Running(Deadline(STEP_SECONDS), writes=True):
            undone = before or await claim.transact(SLOT, _undoing(services, batches, claim, key))
        done = done.plus(Undone(**undone))
        yield done
    while await _discard(quarantine, claim):
        yield done
    await Staging(services.connection, claim.job.id).drop()
    await claim.finish(State.UNDONE, undone=done.to_dict())
    yield done


async def _discard(quarantine: QuarantineStore, claim: Claim) -> int:
    chosen = Chosen(job=claim.job.id)
    with Running(Deadline(STEP_SECONDS), writes=True):
        return await quarantine.discard(claim.job.load.collection, chosen, limit=DISCARD_AT_ONCE)


def _undoing(services: Services, batches: BatchStore, claim: Claim, key: str) -> Any:  # noqa: ANN401
    async def undo(session: AsyncClientSession) -> Mapping[str, int]:
        batch: Document = await batches.records.find_one({"_id": key}, session=session) or {}
        if "undone" in batch:  # another process was faster
            return batch["undone"]
        ids: Sequence[object] = batch["inserted_ids"]
        collection = services.connection.raw_collection(claim.job.load.collection)
        found = (
            [StoredDocument(bytes(each.raw)) async for each in collection.find(by_ids(ids), session=session)]
            if ids
            else []
        )
        digests = _digests(batch)
        gone = [each.id for each in found if claim.job.force or digests[id_key(each.id)] == digest_of(each.raw)]
        if gone:
            await collection.delete_many(by_ids(gone), session=session)
        undone = Undone(len(ids), len(gone), len(found) - len(gone), len(ids) - len(found)).to_dict()
        await batches.records.update_one({"_id": key}, {"$set": {"undone": undone}}, session=session)
        return undone

    return undo


def _digests(batch: Document) -> dict[object, bytes]:
    """Return the digests of the documents that a batch inserted, by their ids."""
    digests: bytes = batch["digests"]
    return {
        id_key(each): digests[place * DIGEST_BYTES : (place + 1) * DIGEST_BYTES]
        for place, each in enumerate(batch["inserted_ids"])
    }
