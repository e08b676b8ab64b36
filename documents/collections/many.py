"""Writing many documents: updates and deletes by filter, bulk requests, transactions."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeAlias

from bson.raw_bson import RawBSONDocument
from pymongo import UpdateOne
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import PyMongoError

from documents.catalog.addresses import id_key
from documents.catalog.catalog import CollectionEntry
from documents.catalog.metadata import Deed
from documents.codec.stored import StoredDocument
from documents.collections.admission import Admission, apply_change, validated
from documents.collections.attempt import Target, Written, settle, update_of
from documents.collections.operations import BulkMode, Change, Update
from documents.collections.selectors import by_ids
from documents.collections.services import Services
from documents.collections.transactions import revocably, transact
from documents.contracts.counts import Discarded
from documents.database.deadline import Deadline, Running
from documents.database.failures import translate
from documents.errors import MaxAffectedError, OperationFailedError, StoreError
from documents.query.filter.filter import Filter
from documents.query.update import parse_update

CHUNK: Final = 200
"""Documents, or operations, worked on before others get a turn."""

CONCURRENT: Final = 32
"""Operations of one unordered bulk request, other than inserts, that run at once."""

Apply: TypeAlias = Callable[[Deadline, AsyncClientSession | None], Awaitable[Written]]
"""One planned write, ready to be carried out, inside a transaction or on its own."""


@dataclass(frozen=True, slots=True)
class Affected:
    """How many documents a filter matched, and how many were changed or deleted.

    Args:
        matched: By the filter.
        changed: Of those.
        discarded: What the collection's contract had left out, each pointer once.
    """

    matched: int
    changed: int
    discarded: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Skipped:
    """An operation that was not tried, because one before it failed."""


Item: TypeAlias = Written | StoreError | Skipped


@dataclass(frozen=True, slots=True)
class UpdateManyPlan:
    """Change all documents that a filter selects."""

    services: Services
    entry: CollectionEntry
    filter: Filter
    change: Change
    max_affected: int | None
    literal: bool = False

    async def run(self, deadline: Deadline) -> Affected:
        """Return how many there were.

        Where nothing has to agree with the result, MongoDB does it in one command, document by document.
        Otherwise a transaction makes it all or none.
        """
        self.services.shapes.note(self.entry.name, self.filter)
        with Running(deadline, writes=True):
            if not self.entry.is_judged and isinstance(self.change, Update) and self.max_affected is None:
                collection = self.services.connection.collection(self.entry.name)
                update = parse_update(self.change.operators, self.entry.coerce)
                result = await revocably(
                    self.services,
                    lambda session: collection.update_many(self.filter.to_mongo(), update, session=session),
                )
                return Affected(result.matched_count, result.modified_count)
            self.entry.check_kind(Deed.TRANSACTION)
            affected, discarded = await transact(self.services, lambda session: self._run_inside(deadline, session))
            await self.services.catalog.contracts.discards.add(discarded)
            return affected

    async def _run_inside(self, deadline: Deadline, session: AsyncClientSession) -> tuple[Affected, list[Discarded]]:
        target = Target(self.services, self.entry, deadline, session)
        ids = await _matching_ids(target, self.filter, self.max_affected)
        changed = 0
        discarded: list[Discarded] = []
        for start in range(0, len(ids), CHUNK):
            changed += await self._change(target, ids[start : start + CHUNK], discarded)
        pointers = dict.fromkeys(pointer for each in discarded for pointer in each.pointers)
        return Affected(len(ids), changed, tuple(pointers)), discarded

    async def _change(self, target: Target, ids: Sequence[object], discarded: list[Discarded]) -> int:
        before = [StoredDocument(bytes(found.raw)) async for found in _raw(target, ids)]
        if isinstance(self.change, Update):
            after = await self._updated(target, before, self.change)
        else:
            apply = partial(apply_change, change=self.change, literal=self.literal)
            after = [await settle(target, partial(apply, before=old), old, self.change) for old in before]
        discarded += [Discarded(self.entry.name, each.discarded) for each in after if each.discarded]
        return await _store_changed(target, before, [each.new for each in after])

    async def _updated(self, target: Target, before: Sequence[StoredDocument], change: Update) -> list[Admission]:
        update = parse_update(change.operators, self.entry.coerce)
        ids = [document.id for document in before]
        await target.collection.update_many(by_ids(ids), update, session=target.session)
        found = {id_key(document.id): document async for document in _stored(target, ids)}
        if not self.entry.is_judged:
            return [Admission(found[id_key(document.id)]) for document in before]
        return [
            await settle(target, partial(validated, before=old, after=new), old, new)
            for old, new in ((old, found[id_key(old.id)]) for old in before)
        ]


async def _store_changed(target: Target, before: Sequence[StoredDocument], after: Sequence[StoredDocument]) -> int:
    updates = [
        (new.id, update_of(old.raw, new.raw)) for old, new in zip(before, after, strict=True) if new.raw != old.raw
    ]
    changes = [UpdateOne(by_ids([document_id]), update) for document_id, update in updates if update]
    if changes:
        await target.collection.bulk_write(changes, session=target.session)
    return len(changes)


@dataclass(frozen=True, slots=True)
class DeleteManyPlan:
    """Delete all documents that a filter selects."""

    services: Services
    entry: CollectionEntry
    filter: Filter
    max_affected: int | None

    async def run(self, deadline: Deadline) -> Affected:
        """Return how many there were."""
        self.services.shapes.note(self.entry.name, self.filter)
        with Running(deadline, writes=True):
            if self.max_affected is None:
                collection = self.services.connection.collection(self.entry.name)
                result = await revocably(
                    self.services, lambda session: collection.delete_many(self.filter.to_mongo(), session=session)
                )
                return Affected(result.deleted_count, result.deleted_count)
            self.entry.check_kind(Deed.TRANSACTION)
            return await transact(self.services, lambda session: self._run_inside(deadline, session))

    async def _run_inside(self, deadline: Deadline, session: AsyncClientSession) -> Affected:
        target = Target(self.services, self.entry, deadline, session)
        ids = await _matching_ids(target, self.filter, self.max_affected)
        for start in range(0, len(ids), CHUNK):
            await target.collection.delete_many(by_ids(ids[start : start + CHUNK]), session=session)
        return Affected(len(ids), len(ids))


@dataclass(frozen=True, slots=True)
class BulkPlan:
    """Carry out several writes, each with its own outcome.

    Args:
        services: What it stands on.
        collection: Whose documents.
        items: The writes in their order; an error stands for one that could not be planned.
        concurrent: Of each, whether it may join others without a slot.
        mode: unordered, ordered (stops at the first failure) or atomic (all or none).
    """

    services: Services
    collection: str
    items: "Sequence[Apply | StoreError]"
    concurrent: Sequence[bool]
    mode: BulkMode

    async def run(self, deadline: Deadline) -> list[Item]:
        """Return an outcome for each item, in the same order.

        Raises:
            OperationFailedError: In atomic mode, the first item that failed; nothing was changed.
        """
        if self.mode == "atomic":
            return list(await TransactionPlan(self.services, self.items).run(deadline))
        return await (self._ordered(deadline) if self.mode == "ordered" else self._unordered(deadline))

    async def _ordered(self, deadline: Deadline) -> list[Item]:
        outcomes: list[Item] = []
        for item in self.items:
            outcomes.append(await _attempt(item, deadline))
            if isinstance(outcomes[-1], StoreError):
                break
        return outcomes + [Skipped()] * (len(self.items) - len(outcomes))

    async def _unordered(self, deadline: Deadline) -> list[Item]:
        slots = asyncio.Semaphore(CONCURRENT)

        async def one(item: "Apply | StoreError", *, grouped: bool) -> Item:
            if grouped:  # the committer takes as many as there are
                return await _attempt(item, deadline)
            async with slots:
                return await _attempt(item, deadline)

        outcomes: list[Item] = []
        for start in range(0, len(self.items), CHUNK):
            # Read now, so that no item waits for it while others pass: ids are made in the order of the items.
            try:
                with Running(deadline, writes=True):
                    await self.services.catalog.contracts.current(self.collection)
            except StoreError as error:
                if not outcomes:
                    raise
                return outcomes + [error] * (len(self.items) - start)  # what is written stays, and is told
            chunk = zip(self.items[start : start + CHUNK], self.concurrent[start : start + CHUNK], strict=True)
            outcomes += await asyncio.gather(*(one(item, grouped=grouped) for item, grouped in chunk))
        return outcomes


async def _attempt(item: "Apply | StoreError", deadline: Deadline) -> Item:
    if isinstance(item, StoreError):
        return item
    try:
        with Running(deadline, writes=True):
            return await item(deadline, None)
    except StoreError as error:
        return error


@dataclass(frozen=True, slots=True)
class TransactionPlan:
    """Carry out several writes, all or none."""

    services: Services
    items: "Sequence[Apply | StoreError]"

    async def run(self, deadline: Deadline) -> list[Written]:
        """Return what became of each.

        Raises:
            OperationFailedError: One failed; nothing was changed.
        """
        with Running(deadline, writes=True):
            written = await transact(self.services, lambda session: self._run_inside(deadline, session))
        await self.services.catalog.contracts.discards.add(each.discarded for each in written if each.discarded)
        return written

    async def _run_inside(self, deadline: Deadline, session: AsyncClientSession) -> list[Written]:
        return [await self._one(index, item, deadline, session) for index, item in enumerate(self.items)]

    async def _one(
        self, index: int, item: "Apply | StoreError", deadline: Deadline, session: AsyncClientSession
    ) -> Written:
        if isinstance(item, StoreError):
            raise OperationFailedError(index, item)
        try:
            return await item(deadline, session)
        except StoreError as error:
            raise OperationFailedError(index, error) from error
        except PyMongoError as error:
            if error.timeout or error.has_error_label("TransientTransactionError"):
                raise  # the transaction as a whole is done again, or has run out of time
            raise OperationFailedError(index, translate(error, writes=False)) from error


async def _matching_ids(target: Target, selected: Filter, maximum: int | None) -> list[object]:
    limit = 0 if maximum is None else maximum + 1
    collection = target.services.connection.collection(target.entry.name)
    cursor = collection.find(selected.to_mongo(), {"_id": 1}, limit=limit, session=target.session)
    ids = [found["_id"] async for found in cursor]
    if maximum is not None and len(ids) > maximum:
        raise MaxAffectedError(maximum)
    return ids


def _raw(target: Target, ids: Sequence[object]) -> AsyncIterator[RawBSONDocument]:
    return target.collection.find(by_ids(ids), session=target.session).__aiter__()


async def _stored(target: Target, ids: Sequence[object]) -> AsyncIterator[StoredDocument]:
    async for found in _raw(target, ids):
        yield StoredDocument(bytes(found.raw))
