"""Records of a load that are not moved into their collection yet, in a collection of the job's own.

They lie there as their batches were: one after the other in a few binary documents, so that they cost little, and none
is too large for a document. Nobody sees them: names that begin with `_sheaf.` are out of reach.
"""

from collections.abc import AsyncGenerator, Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import bson
from bson.int64 import Int64
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import CollectionInvalid

from documents.codec.encode import encode
from documents.codec.records import Record
from documents.codec.stored import StoredDocument, split_batch
from documents.database.connection import Connection
from documents.database.deadline import Deadline, Running
from documents.ingest.batches import Span
from documents.ingest.reading import Batch
from documents.types import SYSTEM_PREFIX, Document

STAGING: Final = f"{SYSTEM_PREFIX}staging."
PART_BYTES: Final = 8 * 1024 * 1024
STEP_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Size:
    """How much is staged.

    Args:
        records: In number.
        bytes: That they take.
    """

    records: int = 0
    bytes: int = 0


class Staging:
    """The staged records of one job.

    Args:
        connection: Where they are kept.
        job_id: Whose.
    """

    def __init__(self, connection: Connection, job_id: str) -> None:
        self._connection = connection
        self._name = f"{STAGING}{job_id}"
        self._records = connection.collection(self._name)

    async def prepare(self) -> None:
        """Make the collection. Two transactions that make one run into each other."""
        with Running(Deadline(STEP_SECONDS), writes=True), suppress(CollectionInvalid):
            await self._connection.database.create_collection(self._name)

    async def drop(self) -> None:
        """Delete all of it."""
        with Running(Deadline(STEP_SECONDS), writes=True):
            await self._records.drop()

    async def add(self, span: Span, records: Sequence[bytes], session: AsyncClientSession) -> None:
        """Keep the records of a batch, as `packed` gives them, in the transaction that it is."""
        if not records:
            return
        data = b"".join(records)
        starts = range(0, len(data), PART_BYTES)
        await self._records.insert_many(
            [
                {
                    "_id": f"{span.start:016d}:{part:04d}",
                    "start": Int64(span.start),
                    "end": Int64(span.end),
                    "records": len(records) if part == 0 else 0,
                    "size": len(data[start : start + PART_BYTES]),
                    "data": data[start : start + PART_BYTES],
                }
                for part, start in enumerate(starts)
            ],
            session=session,
        )

    async def size(self) -> Size:
        """Return how much there is."""
        total = {"$group": {"_id": None, "records": {"$sum": "$records"}, "bytes": {"$sum": "$size"}}}
        with Running(Deadline(STEP_SECONDS), writes=False):
            found = await (await self._records.aggregate([total])).to_list()
        return Size(int(found[0]["records"]), int(found[0]["bytes"])) if found else Size()

    async def batches(self, moved: Collection[int], *, as_one: bool) -> AsyncGenerator[Batch]:
        """Yield what is staged in the order of the source.

        Args:
            moved: Where the batches begin that are passed over.
            as_one: Whether all of it is one batch.
        """
        one = Batch(0)
        async for batch in self._batches():
            if as_one:
                one.records += batch.records
                one.end = batch.end
            elif batch.start not in moved:
                yield batch
        if one.records and not moved:
            yield one

    async def _batches(self) -> AsyncGenerator[Batch]:
        after = ""
        while True:
            with Running(Deadline(STEP_SECONDS), writes=False):
                first = await self._records.find_one({"_id": {"$gt": after}}, {"start": 1, "end": 1}, sort=[("_id", 1)])
                if first is None:
                    return
                after = f"{first['start']:016d};"
                parts = {"_id": {"$gte": first["_id"], "$lt": after}}
                found: list[Document] = await self._records.find(parts, {"data": 1}, sort=[("_id", 1)]).to_list()
            yield Batch(int(first["start"]), _unpacked(part["data"] for part in found), end=int(first["end"]))


def packed(record: Record) -> bytes:
    """Return a record as it is staged.

    Raises:
        InputError: BSON cannot hold what it says.
    """
    document = {} if record.document is None else record.document
    place = [Int64(record.line), Int64(record.offset), Int64(record.end)]
    return bson.encode({"place": place, "document": encode(document), "raw": bytes(record.raw)})


def _unpacked(parts: Iterable[bytes]) -> list[Record]:
    return [_record(each.decode()) for each in split_batch(b"".join(parts))]


def _record(staged: Document) -> Record:
    line, offset, end = map(int, staged["place"])
    document = StoredDocument(bytes(staged["document"])).decode()
    return Record(line, offset, end, bytes(staged["raw"]), document, None)
