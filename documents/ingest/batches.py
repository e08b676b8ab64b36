"""What became of a load, a batch at a time: its checkpoint, its counts, and which documents it wrote.

A batch is committed as one transaction: its documents, what is put aside of it, and what is written down here. So
these agree whenever a process dies, and the batches that are here are those that need not be done again.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any, Final, Self

from bson.int64 import Int64
from pymongo import IndexModel
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import DuplicateKeyError

from documents.contracts.expectations import Tally
from documents.database.connection import Connection
from documents.database.failures import unique_violation
from documents.errors import Fault
from documents.types import SYSTEM_PREFIX, Document

BATCHES: Final = f"{SYSTEM_PREFIX}batches"
MAX_FAULTS: Final = 20
"""Faults of one batch that are kept with it; the records themselves are in quarantine."""

DIGEST_BYTES: Final = 8
_BOOKS: Final = {"inserted_ids": 0, "digests": 0, "changed_ids": 0, "expected": 0}
_NUMBERS: Final = (
    "received",
    "valid",
    "inserted",
    "updated",
    "unchanged",
    "deleted",
    "duplicates",
    "quarantined",
    "skipped",
)


@dataclass(slots=True)
class Counts:
    """How many records of a load came to which end.

    Args:
        received: Records that were read.
        valid: Those of them that were documents and fit.
        inserted: New documents.
        updated: Documents that were replaced or merged into.
        unchanged: Those that were so already, or gone already.
        deleted: Documents.
        duplicates: Records whose document, or one with the same unique values, was there.
        quarantined: Records that were put aside.
        skipped: Records that a cursor passed over. They do not count as received.
    """

    received: int = 0
    valid: int = 0
    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    deleted: int = 0
    duplicates: int = 0
    quarantined: int = 0
    skipped: int = 0

    @property
    def written(self) -> int:
        """Records that were carried out. `received` is always this, the duplicates and the quarantined together."""
        return self.inserted + self.updated + self.unchanged + self.deleted

    @property
    def handled(self) -> int:
        """Records that have come to an end. Of a load that is staged, those of the others are to be moved yet."""
        return self.written + self.duplicates + self.quarantined

    def add(self, other: Self) -> None:
        """Count what another one counts, too."""
        for name in _NUMBERS:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def to_dict(self) -> dict[str, int]:
        """Return them as JSON values."""
        numbers: dict[str, int] = {name: getattr(self, name) for name in _NUMBERS}
        return {"received": numbers.pop("received"), "valid": numbers.pop("valid"), "written": self.written, **numbers}


@dataclass(frozen=True, slots=True)
class RecordFault:
    """What was wrong with one record.

    Args:
        line: Where it begins in its source, from 1.
        offset: Of its first byte, from 0, decompressed.
        fault: The first thing that is wrong.
    """

    line: int
    offset: int
    fault: Fault

    def to_dict(self) -> dict[str, Any]:
        """Return the record fault as JSON values."""
        fault = self.fault
        told = {"code": fault.code, "pointer": fault.pointer, "detail": fault.detail}
        return {"line": self.line, "offset": self.offset, **told}


@dataclass(frozen=True, slots=True)
class Span:
    """Where in a source a batch was.

    Args:
        start: Offset of its first record.
        end: Of the first byte behind its last one.
        is_last: Whether nothing follows.
    """

    start: int
    end: int
    is_last: bool = False


@dataclass(slots=True)
class Outcome:
    """What became of one batch.

    Args:
        span: Where it was.
        counts: In numbers.
        inserted: Ids of the new documents, and a digest of each.
        changed: Ids of the documents that were there before.
        discarded: How often each path was left out, as the contract says.
        faults: What was wrong with records, the first of them.
        sample: Some of its documents, to be looked at; not written down.
        quarantined_bytes: What is kept of the records that were put aside; not written down.
        replayed: Of a replay, the job that had put its records aside.
        tally: What its records say of the expectations; None where there are none.
        is_move: Whether its records were staged before.
        high: The greatest value of the field that a cursor goes by, so far; None without one.
    """

    span: Span
    counts: Counts = field(default_factory=Counts)
    inserted: list[tuple[Any, bytes]] = field(default_factory=list[tuple[Any, bytes]])
    changed: list[Any] = field(default_factory=list[Any])
    discarded: Counter[str] = field(default_factory=Counter[str])
    faults: list[RecordFault] = field(default_factory=list[RecordFault])
    sample: Sequence[bytes] = ()
    quarantined_bytes: int = 0
    replayed: str | None = None
    tally: Tally | None = None
    is_move: bool = False
    high: Any = None


@dataclass(frozen=True, slots=True)
class Books:
    """What is known of a job from its batches.

    Args:
        counts: In numbers.
        discarded: How often each path was left out.
        faults: What was wrong with records, the first of them in the order of the source.
        spans: Which parts of the source are done, in their order.
        moved: Which of them were staged, and are moved into their collection.
    """

    counts: Counts
    discarded: Mapping[str, int]
    faults: Sequence[RecordFault]
    spans: Sequence[Span]
    moved: Sequence[Span] = ()

    def to_totals(self) -> Document:
        """Return the numbers, to be written down with a job that has ended."""
        return {"counts": asdict(self.counts), "discarded": [list(pair) for pair in self.discarded.items()]}

    @classmethod
    def from_totals(cls, totals: Mapping[str, Any]) -> Self:
        """Return what was written down of them."""
        return cls(_read_counts(totals["counts"]), dict(totals["discarded"]), (), ())


def digest_of(raw: bytes) -> bytes:
    """Return what tells a stored document from one that has been changed since."""
    return blake2b(raw, digest_size=DIGEST_BYTES).digest()


class BatchStore:
    """The batches of all jobs.

    Args:
        connection: Where they are kept.
    """

    def __init__(self, connection: Connection) -> None:
        self.records: Final = connection.collection(BATCHES)
        self._is_ready = False

    async def prepare(self) -> None:
        """See that what is looked for can be found. Not inside a transaction."""
        if not self._is_ready:
            await self.records.create_indexes(
                [IndexModel([("job", 1)]), IndexModel([("collection", 1)]), IndexModel([("replayed", 1)], sparse=True)]
            )
            self._is_ready = True

    async def write(
        self, job_id: str, collection: str, outcome: Outcome, *, slot: int, number: int, session: AsyncClientSession
    ) -> None:
        """Write down a batch, in the transaction that it is.

        Raises:
            UniqueViolationError: There is a batch with this number.
        """
        record = _to_record(job_id, collection, outcome, slot=slot, number=number)
        try:
            await self.records.insert_one(record, session=session)
        except DuplicateKeyError as error:
            raise unique_violation(error.details or {}) from error

    async def find(self, job_id: str, span: Span, *, slot: int, number: int) -> Outcome | None:
        """Return a batch if it is committed, as after a commit whose answer was lost; without its ids."""
        record = await self.records.find_one({"_id": batch_key(job_id, slot, number), "start": span.start}, _BOOKS)
        return None if record is None else Outcome(span, _read_counts(record))

    async def read(self, job_id: str, *, faults: int = 100) -> Books:
        """Return what the batches of a job say.

        Args:
            job_id: Whose.
            faults: At most so many of them.
        """
        counts, discarded = Counts(), Counter[str]()
        found: list[RecordFault] = []
        spans: list[Span] = []
        moved: list[Span] = []
        records = await self.records.find({"job": job_id, "start": {"$exists": True}}, _BOOKS).to_list()
        for record in sorted(records, key=lambda record: record["start"]):
            counts.add(_read_counts(record))
            for path, count in record["discarded"]:
                discarded[path] += count
            if len(found) < faults:
                found += [_read_fault(each) for each in record["faults"]][: faults - len(found)]
            span = Span(int(record["start"]), int(record["end"]), record["is_last"])
            (moved if record.get("is_move") else spans).append(span)
        return Books(counts, dict(discarded.most_common()), found, spans, moved)

    async def tallies(self, job_id: str) -> list[Tally]:
        """Return what the records of a job say of its expectations, in the order of the source."""
        wanted = {"job": job_id, "expected": {"$exists": True}}
        records = await self.records.find(wanted, {"start": 1, "expected": 1}).to_list()
        records.sort(key=lambda record: record["start"])
        return [Tally.from_record(record["expected"]) for record in records]

    async def highest(self, job_id: str) -> Any:  # noqa: ANN401  # of any type that has an order
        """Return the greatest value of the field that the cursor of a job goes by; None where there is none."""
        found = await self.records.find_one(
            {"job": job_id, "high": {"$exists": True}}, {"high": 1}, sort=[("high", -1)]
        )
        return None if found is None else found["high"]

    async def find_loads(self, collection: str, ids: Sequence[object]) -> list[tuple[str, bool]]:
        """Return the jobs that wrote a document with one of some ids, oldest first, and whether each inserted it."""
        written = {"$in": ids}
        wrote = {"collection": collection, "$or": [{"inserted_ids": written}, {"changed_ids": written}]}
        inserted = {"$setIntersection": [{"$literal": ids}, "$inserted_ids"]}
        fields: Document = {"job": 1, "is_new": {"$ne": [inserted, []]}}
        cursor = self.records.find(wrote, fields, sort=[("_id", 1)])
        return list(dict.fromkeys([(found["job"], found["is_new"]) async for found in cursor]))


def batch_key(job_id: str, slot: int, number: int) -> str:
    """Return the id of a batch, which is its number in one of the rows of its job."""
    return f"{job_id}:{slot}:{number:010d}"


def _to_record(job_id: str, collection: str, outcome: Outcome, *, slot: int, number: int) -> Document:
    span = outcome.span
    return {
        "_id": batch_key(job_id, slot, number),
        "job": job_id,
        "number": number,
        "collection": collection,
        "start": Int64(span.start),
        "end": Int64(span.end),
        "is_last": span.is_last,
        "at": datetime.now(UTC),
        **{name: getattr(outcome.counts, name) for name in _NUMBERS},
        # As pairs, since a path may be anything.
        "discarded": [list(pair) for pair in outcome.discarded.items()],
        "faults": [each.to_dict() for each in outcome.faults],
        # Pairs of an id and a digest would take twice the room.
        "inserted_ids": [document_id for document_id, _ in outcome.inserted],
        "digests": b"".join(digest for _, digest in outcome.inserted),
        "changed_ids": outcome.changed,
        **({} if outcome.replayed is None else {"replayed": outcome.replayed}),
        **({} if outcome.tally is None else {"expected": outcome.tally.to_record()}),
        **({} if outcome.high is None else {"high": outcome.high}),
        **({"is_move": True} if outcome.is_move else {}),
    }


def _read_counts(record: Mapping[str, Any]) -> Counts:
    return Counts(**{name: int(record.get(name, 0)) for name in _NUMBERS})


def _read_fault(record: Document) -> RecordFault:
    fault = Fault(record["pointer"], record["code"], record["detail"])
    return RecordFault(int(record["line"]), int(record["offset"]), fault)
