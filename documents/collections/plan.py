"""From what was asked to what will be done: collections are looked up, policies applied, filters compiled.

Every surface passes here, so no policy can be forgotten on one of them.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, cast

from pymongo.asynchronous.client_session import AsyncClientSession

from documents.access.actions import Action
from documents.access.policy import Policy
from documents.access.rules import Feature
from documents.catalog.addresses import is_same_id
from documents.catalog.catalog import CollectionEntry
from documents.catalog.ids import first_id_type, read_address, read_url_id
from documents.catalog.metadata import Deed, Kind
from documents.collections import many, read, write
from documents.collections.addressed import all_at, at_address
from documents.collections.admission import admit, check_sent, key_of
from documents.collections.attempt import Target, Written
from documents.collections.checks import check_change
from documents.collections.contracts import ContractPlanner
from documents.collections.exact_values import unpacked
from documents.collections.operations import (
    Aggregate,
    Bulk,
    Count,
    Delete,
    DeleteMany,
    Find,
    Get,
    Insert,
    Patch,
    Replace,
    Transaction,
    Update,
    UpdateMany,
    Upsert,
    Write,
)
from documents.collections.pointed import pointed
from documents.collections.profiling import ProfilePlan, ReadProfile
from documents.collections.selected import MAX_LIMIT, limit_of, select, select_some
from documents.collections.services import Services
from documents.database.deadline import Deadline, Running
from documents.errors import (
    DocumentNotFoundError,
    ForbiddenError,
    IndexRequiredError,
    PreconditionFailedError,
    StoreError,
)
from documents.query.growth import check_growth
from documents.query.paging.cursor import Cursor, open_cursor
from documents.query.paging.sort import parse_sort
from documents.query.pipeline.aggregate import parse_pipeline
from documents.query.projection import parse_fields
from documents.types import IdType


@dataclass(frozen=True, slots=True)
class WritePlan:
    """Carry out one write."""

    apply: many.Apply

    async def run(self, deadline: Deadline) -> Written:
        """Return what became of it."""
        with Running(deadline, writes=True):
            return await self.apply(deadline, None)


@dataclass(frozen=True, slots=True)
class _Known:
    """What one request has looked up already: ten thousand writes to a new collection ask once whether it exists."""

    entries: dict[str, CollectionEntry] = field(default_factory=dict[str, CollectionEntry])
    unique_keys: dict[str, list[frozenset[str]]] = field(default_factory=dict[str, list[frozenset[str]]])


class Planner:
    """Plans operations under policies.

    Args:
        services: What the plans stand on.
    """

    def __init__(self, services: Services) -> None:
        self.services: Final = services
        self.contracts = ContractPlanner(services)

    async def get(self, operation: Get, policy: Policy) -> read.GetPlan:
        """Plan a get."""
        policy.require(operation.collection, Action.READ)
        return self._get(await self.services.catalog.get_bare(operation.collection), operation, policy)

    def get_at_once(self, operation: Get, policy: Policy) -> read.GetPlan | None:
        """Plan a get, or return None where MongoDB has to be asked about the collection first."""
        policy.require(operation.collection, Action.READ)
        entry = self.services.catalog.get_known_or_none(operation.collection)
        return None if entry is None else self._get(entry, operation, policy)

    def _get(self, entry: CollectionEntry, operation: Get, policy: Policy) -> read.GetPlan:
        if entry.id_type is None and entry.kind is not Kind.VIEW:
            raise DocumentNotFoundError
        return read.GetPlan(self.services, entry, read_address(operation.id, entry.id_type), policy.lane(entry.name))

    async def find(self, operation: Find, policy: Policy) -> read.FindPlan:
        """Plan a page of a list."""
        policy.require(operation.collection, Action.READ)
        entry = await self.services.catalog.get(operation.collection)
        selected = select(entry, operation.selection)
        by_score = operation.selection.text is not None and operation.sort is None
        sort = parse_sort(f"-{read.SCORE}" if by_score else operation.sort, pointer=f"{operation.place}sort")
        scope = b"\0".join(
            [entry.name.encode(), policy.rights(entry.name).fingerprint, sort.fingerprint(), selected.fingerprint()]
        )
        return read.FindPlan(
            services=self.services,
            collection=entry.name,
            collation=entry.collation,
            filter=selected,
            sort=sort,
            projection=parse_fields(operation.fields, pointer=f"{operation.place}fields"),
            limit=policy.page_limit(entry.name, limit_of(operation.limit, place=operation.place)),
            cursor=None if operation.cursor is None else await self._open(operation.cursor, scope),
            scope=scope,
            by_score=by_score,
            count=read.CountPlan(self.services, entry.name, selected, operation.count) if operation.count else None,
        )

    async def _open(self, text: str, scope: bytes) -> Cursor:
        cursor = open_cursor(text, secret=await self.services.cursor_secret.read(), scope=scope)
        return replace(cursor, values=unpacked(cursor.values))

    async def count(self, operation: Count, policy: Policy) -> read.CountPlan:
        """Plan a count."""
        policy.require(operation.collection, Action.READ)
        entry = await self.services.catalog.get(operation.collection)
        return read.CountPlan(self.services, entry.name, select(entry, operation.selection), operation.mode)

    async def aggregate(self, operation: Aggregate, policy: Policy) -> read.AggregatePlan:
        """Plan an aggregation."""
        policy.require(operation.collection, Action.READ)
        policy.require_feature(operation.collection, Feature.AGGREGATE)
        entry = await self.services.catalog.get(operation.collection)
        pipeline = parse_pipeline(operation.pipeline, entry.coerce)
        return read.AggregatePlan(
            self.services, entry.name, pipeline, limit_of(operation.limit, place="/", default=MAX_LIMIT)
        )

    async def profile(self, operation: ReadProfile, policy: Policy) -> ProfilePlan:
        """Plan a look at a sample."""
        policy.require(operation.collection, Action.READ)
        entry = await self.services.catalog.get(operation.collection)
        selected = select(entry, operation.selection)
        return ProfilePlan(self.services, entry.name, selected, operation.sample, operation.examples)

    async def update_many(self, operation: UpdateMany, policy: Policy) -> many.UpdateManyPlan:
        """Plan an update by filter."""
        policy.require(operation.collection, Action.UPDATE)
        entry = await self.services.catalog.get(operation.collection)
        entry.check_kind(Deed.CHANGE_MANY)
        selected = select_some(entry, operation.selection)
        check_change(entry, operation.change, max_position=self.services.max_array_position)
        return many.UpdateManyPlan(
            self.services, entry, selected, operation.change, operation.max_affected, operation.literal
        )

    async def delete_many(self, operation: DeleteMany, policy: Policy) -> many.DeleteManyPlan:
        """Plan a delete by filter."""
        policy.require(operation.collection, Action.DELETE)
        entry = await self.services.catalog.get(operation.collection)
        entry.check_kind(Deed.CHANGE_MANY)
        selected = select_some(entry, operation.selection)
        return many.DeleteManyPlan(self.services, entry, selected, operation.max_affected)

    async def write(self, operation: Write, policy: Policy) -> WritePlan:
        """Plan a write of one document."""
        return WritePlan(await self._applied(operation, policy, _Known()))

    async def bulk(self, operation: Bulk, policy: Policy) -> many.BulkPlan:
        """Plan several writes with an outcome each. One that cannot be planned is an outcome, too.

        Raises:
            ForbiddenError: The caller may do none of them.
        """
        known = _Known()
        (await self._entry(operation.collection, known)).check_kind(Deed.INSERT)  # what takes none takes nothing
        items: list[many.Apply | StoreError] = []
        for number, item in enumerate(operation.writes):
            if number % many.CHUNK == 0:
                await asyncio.sleep(0)  # others get their turn
            items.append(await self._item(item, policy, known))
        if items and all(isinstance(item, ForbiddenError) for item in items):
            raise cast("ForbiddenError", items[0])
        grouped = [isinstance(item, Insert) for item in operation.writes]
        return many.BulkPlan(self.services, operation.collection, items, grouped, operation.mode)

    async def transaction(self, operation: Transaction, policy: Policy) -> many.TransactionPlan:
        """Plan several writes, all or none."""
        known = _Known()
        items = [await self._item(item, policy, known) for item in operation.writes]
        return many.TransactionPlan(self.services, items)

    async def _item(self, item: Write | Exception, policy: Policy, known: "_Known") -> many.Apply | StoreError:
        if isinstance(item, StoreError):
            return item
        if isinstance(item, Exception):
            raise item
        try:
            return await self._applied(item, policy, known)
        except StoreError as error:
            return error

    async def _applied(self, operation: Write, policy: Policy, known: "_Known") -> many.Apply:
        policy.require(operation.collection, *_ACTIONS[type(operation)])
        planned = await self._entry(operation.collection, known)
        planned.check_kind(_DEEDS.get(type(operation), Deed.CHANGE_ONE))
        if isinstance(operation, Upsert):
            await self._require_key(planned, operation.on, known)
        if isinstance(operation, Patch) and isinstance(operation.change, Update):
            check_growth(operation.change.operators, self.services.max_array_position)

        async def apply(deadline: Deadline, session: AsyncClientSession | None) -> Written:
            if session is None:  # a bulk request may run for long after it was planned
                entry = await self.services.catalog.renewed(planned)
            else:
                entry = planned
                entry.check_kind(Deed.TRANSACTION)
            if entry.id_type is None:
                entry = await self._fix_id_type(entry, operation, session)
            work = _APPLY[type(operation)](Target(self.services, entry, deadline, session), operation)
            written = await pointed(self.services, entry.name, work)
            if written.discarded is not None and session is None:  # a transaction counts once it is committed
                await self.services.catalog.contracts.discards.add([written.discarded])
            return replace(written, id_says_its_type=True) if entry.id_type is IdType.ANY else written

        return apply

    async def _entry(self, name: str, known: "_Known") -> CollectionEntry:
        if name not in known.entries:
            known.entries[name] = await self.services.catalog.get_or_new(name)
        return known.entries[name]

    async def _fix_id_type(
        self, entry: CollectionEntry, operation: Write, session: AsyncClientSession | None
    ) -> CollectionEntry:
        if isinstance(operation, Patch | Delete):
            made = await self.services.catalog.look_again(entry.name, session=session)
            if made.id_type is None:
                raise DocumentNotFoundError
            return made
        # What cannot be stored must not fix anything.
        document = operation.document
        if isinstance(operation, Replace):
            if operation.precondition.if_match is not None:
                raise PreconditionFailedError(None)
            if not operation.literal:
                check_sent(document)
            document = document if "_id" in document else {"_id": operation.id, **document}
        if isinstance(operation, Upsert):
            key_of(entry, document, operation.on)
        id_type = first_id_type(document)
        admit(replace(entry, id_type=id_type), document)
        fixed = await self.services.catalog.fix_id_type(entry.name, id_type, session=session)
        return replace(fixed, contract=entry.contract)

    async def _require_key(self, entry: CollectionEntry, on: tuple[str, ...], known: "_Known") -> None:
        if on == ("_id",):
            return
        if entry.name not in known.unique_keys:
            known.unique_keys[entry.name] = await self.services.catalog.unique_keys(entry.name)
        if not any(key <= set(on) for key in known.unique_keys[entry.name]):
            raise IndexRequiredError(
                f"An upsert on {', '.join(on)} needs a unique index there; without one two at once would both insert."
            )


def _insert(target: Target, operation: Insert) -> Awaitable[Written]:
    return write.insert(target, operation.document)


async def _replace(target: Target, operation: Replace) -> Written:
    document, found = operation.document, await all_at(target, operation.id)
    named = (each for each in found if "_id" in document and is_same_id(document["_id"], each.id))
    seen = next(named, found[0] if found else None)
    document_id = read_url_id(operation.id, cast("IdType", target.entry.id_type)) if seen is None else seen.id
    return await write.replace(
        target, document_id, document, operation.precondition, seen=seen, literal=operation.literal
    )


def _patch(target: Target, operation: Patch) -> Awaitable[Written]:
    def patch_at(document_id: object) -> Awaitable[Written]:
        return write.patch(target, document_id, operation.change, operation.precondition, literal=operation.literal)

    return at_address(target, operation.id, patch_at)


def _delete(target: Target, operation: Delete) -> Awaitable[Written]:
    return at_address(target, operation.id, lambda found: write.delete(target, found, operation.precondition))


def _upsert(target: Target, operation: Upsert) -> Awaitable[Written]:
    return write.upsert(target, operation.document, operation.on, merge=operation.merge, literal=operation.literal)


_APPLY: Final[Mapping[type, Callable[[Target, Any], Awaitable[Written]]]] = {
    Insert: _insert,
    Replace: _replace,
    Patch: _patch,
    Delete: _delete,
    Upsert: _upsert,
}
_DEEDS: Final[Mapping[type, Deed]] = {Insert: Deed.INSERT}
_ACTIONS: Final[Mapping[type, tuple[Action, ...]]] = {
    Insert: (Action.CREATE,),
    Replace: (Action.CREATE, Action.UPDATE),
    Patch: (Action.UPDATE,),
    Delete: (Action.DELETE,),
    Upsert: (Action.CREATE, Action.UPDATE),
}
