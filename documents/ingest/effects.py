"""What a mode does with some records: written inside the transaction that is their batch."""

import asyncio
from collections import Counter
from collections.abc import Callable, Generator, Hashable, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import partial
from typing import Any, Final, TypeAlias, cast

from bson.decimal128 import Decimal128
from bson.raw_bson import RawBSONDocument
from pymongo import DeleteOne, InsertOne, ReplaceOne
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import BulkWriteError

from documents.catalog.addresses import id_key
from documents.catalog.catalog import CollectionEntry
from documents.codec.records import Record
from documents.codec.stored import StoredDocument
from documents.collections.admission import Admission, admit, apply_change, key_of, upserted
from documents.collections.operations import MergePatch
from documents.collections.selectors import BINARY, by_id
from documents.contracts.verdict import Lesson
from documents.database.connection import as_bson
from documents.database.failures import of_write_error
from documents.errors import Fault, InputError, StoreError, UnavailableError, WriteConflictError
from documents.ingest.batches import Counts, digest_of
from documents.ingest.jobs import Mode
from documents.ingest.prepare import Item, Keyed, note_admission, reject_of
from documents.ingest.quarantine import Reject
from documents.query.paths import value_at
from documents.types import MISSING, Document

NEWER: Final = Fault(
    "", "stored-is-newer", "The document with this key was written since the record was put aside. force writes it."
)
ABSENT: Final = Fault("", "document-not-found", "No document has this key, so there is none to replace.")

_Write: TypeAlias = "InsertOne[RawBSONDocument] | ReplaceOne[RawBSONDocument] | DeleteOne"


@dataclass(slots=True)
class Effects:
    """What some records did.

    Args:
        counts: In numbers; `received` and what was put aside before are not among them.
        inserted: Ids of the new documents, and a digest of each.
        changed: Ids of those that were there before.
        rejects: Records that turned out not to fit what is stored.
        lessons: What the contract has to learn first; nothing was written then.
        discarded: How often each path was left out.
    """

    counts: Counts = field(default_factory=Counts)
    inserted: list[tuple[Any, bytes]] = field(default_factory=list[tuple[Any, bytes]])
    changed: list[Any] = field(default_factory=list[Any])
    rejects: list[Reject] = field(default_factory=list[Reject])
    lessons: dict[Lesson, None] = field(default_factory=dict[Lesson, None])
    discarded: Counter[str] = field(default_factory=Counter[str])


async def insert_all(
    items: Sequence[Item], collection: AsyncCollection[RawBSONDocument], session: AsyncClientSession
) -> Effects:
    """Store new documents, and return what that did.

    Raises:
        RefusedError: MongoDB does not take one of them.
    """
    if items:
        with refusing([item.record for item in items]):
            await collection.insert_many([as_bson(item.raw) for item in items], session=session)
    return Effects(Counts(inserted=len(items)), [(item.id, digest_of(item.raw)) for item in items])


@dataclass(slots=True)
class ReplayGuard:
    """Keeps records that were put aside from taking the place of what was written since.

    Args:
        stored: The digest of what had the key of each record when it was put aside (`Reject.stored`), by offset.
        written: What records of the same replay have written, by key.
    """

    stored: Mapping[int, bytes | None]
    written: dict[Hashable, bytes]

    def allows(self, record: Record, token: Hashable, before: StoredDocument | None) -> bool:
        """Say whether the document with a key is the one that a record is newer than."""
        digest = state_of(before)
        known = self.stored.get(record.offset)
        return digest in (known, self.written.get(token)) or (known is None and before is None)


def state_of(stored: StoredDocument | None) -> bytes:
    """Return the digest of what is stored under a key; empty where nothing is."""
    return b"" if stored is None else digest_of(stored.raw)


class KeyedBatch:
    """Records that go by a key, one after the other, on the documents that there are.

    Records with the same key are folded into one write, which is that of the last one.

    Args:
        entry: The collection.
        mode: What they do.
        on: The key.
        keyed: The records.
        is_stepwise: Whether each record gets a write of its own, so that MongoDB names the one that it refuses.
        guard: Of a replay, unless it is to write in any case.
    """

    def __init__(
        self,
        entry: CollectionEntry,
        mode: Mode,
        on: Sequence[str],
        keyed: Sequence[Keyed],
        *,
        is_stepwise: bool,
        guard: ReplayGuard | None = None,
    ) -> None:
        self._guard = guard
        self._entry = entry
        self._is_stepwise = is_stepwise
        self._on = on
        self._keyed = keyed
        self._act: Callable[[Keyed, StoredDocument | None], StoredDocument | None] = {
            Mode.UPSERT: partial(self._put, makes_new=True),
            Mode.REPLACE: partial(self._put, makes_new=False),
            Mode.MERGE: self._merge,
            Mode.DELETE: self._delete,
        }[mode]
        self._effects = Effects()
        self._writes: list[tuple[_Write, Record]] = []

    async def carry_out(self, collection: AsyncCollection[RawBSONDocument], session: AsyncClientSession) -> Effects:
        """Do what the records say, and return what that did. Nothing is written if there are lessons to learn first.

        Raises:
            RefusedError: MongoDB does not take what one of them writes.
        """
        found = await self._find(collection, session)
        effects = await asyncio.to_thread(self._run, found)
        if self._writes and not effects.lessons:
            with refusing([record for _, record in self._writes]):
                await collection.bulk_write([write for write, _ in self._writes], session=session)
        return effects

    async def _find(self, collection: AsyncCollection[RawBSONDocument], session: AsyncClientSession) -> list[bytes]:
        if not self._keyed:
            return []
        selectors = [each.selector for each in self._keyed]
        if len(self._on) == 1:
            path = self._on[0]
            where: Document = {path: {"$in": [selector[path]["$eq"] for selector in selectors]}}
        else:
            where = {"$or": selectors}
        cursor = collection.find(where, session=session, collation=BINARY)
        return [bytes(found.raw) async for found in cursor]

    def _run(self, found: Sequence[bytes]) -> Effects:
        before: dict[Hashable, StoredDocument] = {}
        for raw in found:
            stored = StoredDocument(raw)
            before.update(dict.fromkeys(self._tokens(stored), stored))
        after: dict[Hashable, StoredDocument | None] = dict(before)
        last: dict[Hashable, Record] = {}
        for each in self._keyed:
            token = token_of([each.selector[path]["$eq"] for path in self._on])
            if self._guard is not None and not self._guard.allows(each.record, token, before.get(token)):
                self._effects.rejects.append(Reject(each.record, NEWER))
            elif self._take(each, token, after):
                last.pop(token, None)  # so that the writes come in the order of the last records
                last[token] = each.record
        for token, record in last.items():
            self._note(before.get(token), after[token])
            if self._guard is not None:
                self._guard.written[token] = state_of(after[token])
            if not self._is_stepwise:
                self._write(before.get(token), after[token], record)
        return self._effects

    def _take(self, each: Keyed, token: Hashable, after: dict[Hashable, StoredDocument | None]) -> bool:
        """Do what a record says to the document with its key, and tell whether that could be done."""
        stored = after.get(token)
        try:
            after[token] = self._act(each, stored)
        except InputError as error:
            reject = reject_of(self._entry, each.record, error)
            self._effects.rejects.append(replace(reject, stored=state_of(stored)))
            return False
        except _NoDocumentError:
            self._effects.rejects.append(Reject(each.record, ABSENT, stored=b""))
            return False
        if self._is_stepwise:
            self._write(stored, after[token], each.record)
        return True

    def _put(self, each: Keyed, stored: StoredDocument | None, *, makes_new: bool) -> StoredDocument:
        if stored is not None:
            return self._changed(stored, upserted(self._entry, stored, each.document, merge=False, literal=True))
        if not makes_new:
            raise _NoDocumentError
        return self._new(admit(self._entry, each.document))

    def _merge(self, each: Keyed, stored: StoredDocument | None) -> StoredDocument:
        if stored is None:
            return self._new(admit(self._entry, each.document))
        return self._changed(stored, apply_change(self._entry, stored, MergePatch(each.document), literal=True))

    def _delete(self, _: Keyed, stored: StoredDocument | None) -> None:
        if stored is None:
            self._effects.counts.unchanged += 1
        else:
            self._effects.counts.deleted += 1

    def _new(self, admission: Admission) -> StoredDocument:
        note_admission(self._effects.lessons, self._effects.discarded, admission)
        self._effects.counts.inserted += 1
        return admission.new

    def _changed(self, stored: StoredDocument, admission: Admission) -> StoredDocument:
        note_admission(self._effects.lessons, self._effects.discarded, admission)
        if admission.new.raw == stored.raw:
            self._effects.counts.unchanged += 1
        else:
            self._effects.counts.updated += 1
        return admission.new

    def _note(self, before: StoredDocument | None, after: StoredDocument | None) -> None:
        """Note which document the records of a key inserted or changed."""
        if before is None:
            if after is not None:
                self._effects.inserted.append((after.id, digest_of(after.raw)))
        elif after is None or before.raw != after.raw:
            self._effects.changed.append(before.id)

    def _write(self, before: StoredDocument | None, after: StoredDocument | None, record: Record) -> None:
        """Add the write that leads from one state of a document to another one."""
        if before is None:
            if after is not None:
                self._writes.append((InsertOne(as_bson(after.raw)), record))
        elif after is None:
            self._writes.append((DeleteOne(by_id(before.id)), record))
        elif before.raw != after.raw:
            self._writes.append((ReplaceOne(by_id(after.id), as_bson(after.raw)), record))

    def _tokens(self, stored: StoredDocument) -> list[Hashable]:
        """Return the keys under which a document is found: an array has each of its elements."""
        if self._on == ("_id",):
            return [token_of([stored.id])]
        document = stored.decode()
        values = [value_at(document, path) for path in self._on]
        if not any(isinstance(value, list) for value in values):
            return [token_of(values)]
        tokens: list[list[object]] = [[]]
        for value in values:
            options = cast("list[object]", value) if isinstance(value, list) else [value]
            tokens = [[*token, option] for token in tokens for option in options]
        return [token_of(token) for token in tokens]


@dataclass(slots=True)
class RefusedError(Exception):
    """MongoDB does not take what a record writes. Nothing of its batch is written."""

    record: Record
    error: StoreError


@contextmanager
def refusing(records: Sequence[Record]) -> Generator[None]:
    """Raise, in place of the driver's error, which of some records MongoDB refused, and why."""
    try:
        yield
    except BulkWriteError as error:
        failures: Sequence[Mapping[str, Any]] = (error.details or {}).get("writeErrors", [])
        if not failures or error.has_error_label("TransientTransactionError"):
            raise
        translated = of_write_error(failures[0])
        if isinstance(translated, UnavailableError | WriteConflictError):
            raise translated from error
        raise RefusedError(records[int(failures[0]["index"])], translated) from error


def keys_of(entry: CollectionEntry, records: Sequence[Record], on: Sequence[str]) -> frozenset[Hashable]:
    """Return the keys of records, each as `token_of` gives it; records without one are passed over."""
    keys: set[Hashable] = set()
    for record in records:
        if record.document is not None:
            with suppress(InputError):  # what is wrong with it is found when it is written
                selector = key_of(entry, record.document, on)
                keys.add(token_of([selector[path]["$eq"] for path in on]))
    return frozenset(keys)


class _NoDocumentError(Exception):
    """No document has the key."""


def token_of(values: Sequence[object]) -> Hashable:
    """Return what is equal for the values of a key that MongoDB takes for the same."""
    return tuple(map(_comparable, values))


def _comparable(value: object) -> Hashable:
    """Return a value that is equal to another's if MongoDB finds the one when it looks for the other."""
    if value is MISSING:  # null finds what is not there
        value = None
    if isinstance(value, bool):
        return (bool, value)
    if isinstance(value, int | float):
        return ("number", value if value == value else None)  # noqa: PLR0124  # NaN finds NaN
    if isinstance(value, Decimal128):
        number: Decimal = value.to_decimal()
        return ("number", None if number.is_nan() else number)
    return (type(value).__name__, cast("Hashable", id_key(value)))
