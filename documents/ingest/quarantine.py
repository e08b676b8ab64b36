"""Records that could not be loaded, kept whole, each with where it was and what is wrong with it."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from bson.int64 import Int64
from bson.raw_bson import RawBSONDocument
from pymongo import DESCENDING, IndexModel
from pymongo.asynchronous.client_session import AsyncClientSession

from documents.codec.encode import encode
from documents.codec.records import HEAD_BYTES, Format, Record, size_of
from documents.database.connection import Connection
from documents.errors import Fault, QuarantinedNotFoundError
from documents.types import SYSTEM_PREFIX, Document

QUARANTINE: Final = f"{SYSTEM_PREFIX}quarantine"
PARTS: Final = f"{SYSTEM_PREFIX}quarantine_parts"
PART_BYTES: Final = 8 * 1024 * 1024
"""What of a record is kept in one document; a larger one is kept in several."""

PAGE_BYTES: Final = 16 * 1024 * 1024
"""Records are held in memory together until they have so many bytes."""

MAX_TEXT: Final = 2000


@dataclass(frozen=True, slots=True)
class Reject:
    """A record that cannot be loaded.

    Args:
        record: As it was read.
        fault: What is wrong with it, the first thing.
        contract_version: Of the contract that was in force.
        stored: Digest of the document that had its key then, empty where none had; None where nobody knows.
    """

    record: Record
    fault: Fault
    contract_version: int | None = None
    stored: bytes | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """What is in quarantine, in records and bytes."""

    records: int = 0
    size_bytes: int = 0

    def plus(self, records: int, size_bytes: int) -> "Usage":
        """Return this with some more."""
        return Usage(self.records + records, self.size_bytes + size_bytes)

    def exceeds(self, other: "Usage") -> bool:
        """Say whether this is more than another one allows."""
        return self.records > other.records or self.size_bytes > other.size_bytes

    def describe(self) -> str:
        """Return the usage in words."""
        return f"{self.records:,} records and {self.size_bytes:,} bytes"


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A record in quarantine.

    Args:
        id: Of the record here: its job, and its offset.
        collection: Where it was to be loaded.
        job: By which load.
        source: Name of what it was read from.
        line: Where it begins there, from 1.
        offset: Of its first byte, from 0, decompressed.
        size_bytes: Bytes that it has.
        raw: These bytes; the first 64 KB of them where `is_cut`.
        is_cut: Whether it was too large to be kept whole.
        code: What is wrong with it.
        pointer: Where in it.
        detail: In a sentence.
        rule: Where in the contract the rule stands that it breaks.
        contract_version: Of that contract.
        attempts: How often it was tried again.
        at: When it was last tried, in UTC.
        form: Of the bytes: that of the source, or Extended JSON where the source has no bytes of its own.
        stored: Digest of the document that had its key when it was put aside, empty where none had; None where nobody
            knows.
    """

    id: str
    collection: str
    job: str
    source: str | None
    line: int
    offset: int
    size_bytes: int
    raw: bytes
    is_cut: bool
    code: str
    pointer: str
    detail: str
    rule: str | None
    contract_version: int | None
    attempts: int
    at: datetime
    form: Format
    stored: bytes | None = None


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which records of a collection: those for which every part holds that is not None.

    Args:
        ids: Of the records.
        job: By which they were put aside.
        code: What is wrong with them.
        untried_by: Which has not tried them again yet.
    """

    ids: Sequence[str] | None = None
    job: str | None = None
    code: str | None = None
    untried_by: str | None = None

    @property
    def is_everything(self) -> bool:
        """Whether nothing was chosen."""
        return self.ids is None and self.job is None and self.code is None

    def to_filter(self, collection: str) -> Document:
        """Return it as MongoDB takes it."""
        parts = {
            "job": self.job,
            "code": self.code,
            "_id": None if self.ids is None else {"$in": list(self.ids)},
            "tried_by": None if self.untried_by is None else {"$ne": self.untried_by},
        }
        return {"collection": collection, **{name: value for name, value in parts.items() if value is not None}}


EVERYTHING: Final = Chosen()


class QuarantineStore:
    """The quarantine of all collections.

    Args:
        connection: Where it is kept.
    """

    def __init__(self, connection: Connection) -> None:
        self.records: Final = connection.collection(QUARANTINE)
        self._raw = connection.raw_collection(QUARANTINE)
        self._parts = connection.collection(PARTS)
        self._is_ready = False

    async def prepare(self) -> None:
        """See that what is looked for can be found. Not inside a transaction."""
        if not self._is_ready:
            keys = [[("collection", 1), ("_id", 1)], [("job", 1)], [("collection", 1), ("code", 1)]]
            await self.records.create_indexes([IndexModel(key) for key in keys])
            await self._parts.create_indexes([IndexModel([("record", 1)])])
            self._is_ready = True

    async def add(
        self,
        rejects: Sequence[Reject],
        *,
        collection: str,
        job: str,
        source: str | None,
        form: Format,
        session: AsyncClientSession,
    ) -> None:
        """Put records aside, in the transaction of their batch."""
        if rejects:
            told = {"collection": collection, "job": job, "source": source, "form": form}
            kept = [RawBSONDocument(_to_bson(reject, told)) for reject in rejects]
            await self._raw.insert_many(kept, session=session)
        for reject in rejects:
            raw = reject.record.raw
            for start in range(PART_BYTES, len(raw), PART_BYTES):
                key = record_key(job, reject.record.offset)
                part = {"_id": f"{key}:{start:012d}", "record": key, "data": bytes(raw[start : start + PART_BYTES])}
                await self._parts.insert_one(part, session=session)

    async def fail_again(self, reject: Reject, key: str, *, job: str, session: AsyncClientSession) -> None:
        """Note that a record was tried again, by which job, and what is wrong with it now."""
        changes = {**_reason(reject), "at": datetime.now(UTC), "tried_by": job}
        await self.records.update_one({"_id": key}, {"$set": changes, "$inc": {"attempts": 1}}, session=session)

    async def remove(self, keys: Sequence[str], session: AsyncClientSession | None = None) -> int:
        """Take records out, and return how many there were."""
        await self._parts.delete_many({"record": {"$in": list(keys)}}, session=session)
        return (await self.records.delete_many({"_id": {"$in": list(keys)}}, session=session)).deleted_count

    async def discard(self, collection: str, chosen: Chosen, *, limit: int) -> int:
        """Take out some of the records, and return how many those were: `limit` at most, 0 where none is left."""
        cursor = self.records.find(chosen.to_filter(collection), {"_id": 1}, limit=limit)
        return await self.remove([found["_id"] async for found in cursor])

    async def usage(self, collection: str, job: str) -> tuple[Usage, Usage]:
        """Return what is here of one load, and of all loads into its collection."""
        kept = {"$cond": ["$is_cut", HEAD_BYTES, "$size_bytes"]}
        group = {"_id": {"$eq": ["$job", job]}, "records": {"$sum": 1}, "size_bytes": {"$sum": kept}}
        cursor = await self.records.aggregate([{"$match": {"collection": collection}}, {"$group": group}])
        found = {each["_id"]: Usage(each["records"], int(each["size_bytes"])) async for each in cursor}
        own, others = found.get(True, Usage()), found.get(False, Usage())
        return own, own.plus(others.records, others.size_bytes)

    async def count(self, collection: str, chosen: Chosen) -> int:
        """Return how many records there are."""
        return await self.records.count_documents(chosen.to_filter(collection))

    async def counts(self, collection: str | None = None, *, job: str | None = None) -> list[tuple[str, str, int]]:
        """Return how many records each collection has for each code, most first; those of one load if it is named."""
        wanted = {name: value for name, value in (("collection", collection), ("job", job)) if value is not None}
        match = [{"$match": wanted}] if wanted else []
        group = {"$group": {"_id": {"collection": "$collection", "code": "$code"}, "count": {"$sum": 1}}}
        cursor = await self.records.aggregate([*match, group, {"$sort": {"count": DESCENDING, "_id": 1}}])
        return [(found["_id"]["collection"], found["_id"]["code"], found["count"]) async for found in cursor]

    async def get(self, collection: str, key: str) -> Quarantined:
        """Return one record.

        Raises:
            QuarantinedNotFoundError: There is none.
        """
        found = await self.records.find_one({"_id": key, "collection": collection})
        if found is None:
            raise QuarantinedNotFoundError(key)
        return await self.completed(_from_record(found))

    async def find(
        self,
        collection: str,
        chosen: Chosen,
        *,
        after: str | None = None,
        limit: int = 50,
        head_bytes: int | None = None,
    ) -> list[Quarantined]:
        """Return records in the order of their loads, and within one of their places.

        Args:
            collection: Whose.
            chosen: Records in quarantine to take.
            after: Only those behind this one, for the next page.
            limit: At most so many; fewer if they are large, but one if there is one.
            head_bytes: How much of each to keep. It is then not to be `completed`.
        """
        where = chosen.to_filter(collection)
        if after is not None:
            where = {"$and": [where, {"_id": {"$gt": after}}]}
        several: list[Quarantined] = []
        held = 0
        async with self.records.find(where, sort=[("_id", 1)], limit=limit) as cursor:
            async for found in cursor:
                each = _from_record(found)
                several.append(each if head_bytes is None else replace(each, raw=each.raw[:head_bytes]))
                held += len(several[-1].raw) if head_bytes is not None or each.is_cut else each.size_bytes
                if held >= PAGE_BYTES:
                    break
        return several

    async def walk(self, collection: str, chosen: Chosen) -> AsyncGenerator[Quarantined]:
        """Yield records one by one, each with all its bytes."""
        after: str | None = None
        while several := await self.find(collection, chosen, after=after, limit=100):
            for each in several:
                yield await self.completed(each)
            after = several[-1].id

    async def completed(self, quarantined: Quarantined) -> Quarantined:
        """Return a record with all the bytes that were kept of it."""
        if quarantined.is_cut or len(quarantined.raw) == quarantined.size_bytes:
            return quarantined
        parts = self._parts.find({"record": quarantined.id}, sort=[("_id", 1)])
        raw = b"".join([quarantined.raw, *[part["data"] async for part in parts]])
        return replace(quarantined, raw=raw)


def record_key(job: str, offset: int) -> str:
    """Return the id of a record in quarantine. They sort as they are in their source."""
    return f"{job}-{offset:012x}"


def _to_bson(reject: Reject, told: Mapping[str, Any]) -> bytes:
    record = reject.record
    now = datetime.now(UTC)
    described: Document = {
        "_id": record_key(told["job"], record.offset),
        **told,
        "line": Int64(record.line),
        "offset": Int64(record.offset),
        "size_bytes": Int64(size_of(record.raw)),
        "raw": bytes(record.raw[:PART_BYTES]),
        "is_cut": size_of(record.raw) > len(record.raw),
        **_reason(reject),
        **({} if reject.stored is None else {"stored": reject.stored}),
        "attempts": 0,
        "put_aside": now,
        "at": now,
    }
    return encode(described)


def _reason(reject: Reject) -> Document:
    fault = reject.fault
    return {
        "code": fault.code,
        "pointer": fault.pointer[:MAX_TEXT],
        "detail": fault.detail[:MAX_TEXT],
        "rule": fault.rule,
        "contract_version": reject.contract_version,
    }


def _from_record(found: Document) -> Quarantined:
    return Quarantined(
        id=found["_id"],
        collection=found["collection"],
        job=found["job"],
        source=found["source"],
        line=int(found["line"]),
        offset=int(found["offset"]),
        size_bytes=int(found["size_bytes"]),
        raw=found["raw"],
        is_cut=found["is_cut"],
        code=found["code"],
        pointer=found["pointer"],
        detail=found["detail"],
        rule=found["rule"],
        contract_version=found["contract_version"],
        attempts=found["attempts"],
        at=found["at"],
        form=Format(found["form"]),
        stored=found.get("stored"),
    )
