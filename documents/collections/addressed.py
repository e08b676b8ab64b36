"""Finding the document that an address names, whatever the type of its id."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from documents.catalog.addresses import id_key
from documents.catalog.catalog import CollectionEntry
from documents.catalog.ids import Address, read_address
from documents.catalog.metadata import Kind
from documents.codec.stored import StoredDocument
from documents.collections.attempt import Target
from documents.collections.selectors import by_id, is_collated
from documents.collections.services import Services
from documents.database.deadline import Deadline, Running
from documents.errors import DocumentNotFoundError, PreconditionFailedError
from documents.types import MISSING

T = TypeVar("T")


async def find_at(
    services: Services, entry: CollectionEntry, address: Address, *, policy: str, deadline: Deadline
) -> StoredDocument | None:
    """Return the document at an address, or None. In the ordinary case one id is looked for."""
    found = await _load(services, entry, address.first, policy=policy, deadline=deadline)
    return found or await find_first(services, entry, address.others(), policy=policy, deadline=deadline)


async def find_first(
    services: Services, entry: CollectionEntry, ids: Sequence[object], *, policy: str, deadline: Deadline
) -> StoredDocument | None:
    """Return the document with the first of some ids that one has. All are looked for at once."""
    return next(iter(await _load_all(services, entry, ids, policy=policy, deadline=deadline)), None)


async def _load_all(
    services: Services, entry: CollectionEntry, ids: Sequence[object], *, policy: str, deadline: Deadline
) -> list[StoredDocument]:
    found = await asyncio.gather(*(_load(services, entry, each, policy=policy, deadline=deadline) for each in ids))
    return [each for each in found if each is not None]


async def _load(
    services: Services, entry: CollectionEntry, document_id: object, *, policy: str, deadline: Deadline
) -> StoredDocument | None:
    if not _may_exist(entry, document_id):
        return None
    if not is_collated(entry, document_id):
        return await services.loader.load(entry.name, document_id, policy=policy, deadline=deadline)
    # The collation decides which document this is; nothing about its id tells that it was asked for.
    with Running(deadline, writes=False):
        found = await services.connection.raw_collection(entry.name).find_one(by_id(document_id))
    return None if found is None else StoredDocument(bytes(found.raw))


async def all_at(target: Target, text: str) -> list[StoredDocument]:
    """Return the documents at an address, the likeliest first, in one round trip.

    There is at most one, unless another program stored ids that are shown alike.
    """
    return await _find_for_change(target, read_address(text, target.entry.id_type).ids())


async def at_address(target: Target, text: str, change: Callable[[object], Awaitable[T]]) -> T:
    """Return what `change` gives for the id of the document at an address.

    Args:
        target: The collection.
        text: The address.
        change: Called with an id, raises DocumentNotFoundError where no document has it. It is tried at once with the
            id that the address ordinarily means.

    Raises:
        DocumentNotFoundError: No document is there.
    """
    address = read_address(text, target.entry.id_type)
    failure: Exception = DocumentNotFoundError()
    others = address.others()
    if is_collated(target.entry, address.first):
        others = [address.first, *others]
    elif address.first is not MISSING:
        try:
            return await change(address.first)
        except DocumentNotFoundError as error:
            failure = error
        except PreconditionFailedError as error:
            if error.etag is not None:
                raise
            failure = error
    found = await _find_for_change(target, others)
    if found:
        return await change(found[0].id)
    raise failure


async def _find_for_change(target: Target, ids: Sequence[object]) -> list[StoredDocument]:
    if target.session is None:
        return await _load_all(target.services, target.entry, ids, policy="write", deadline=target.deadline)
    wanted = [each for each in ids if _may_exist(target.entry, each)]
    rank = {id_key(each): place for place, each in enumerate(wanted)}
    stored = target.collection.find({"_id": {"$in": wanted}}, session=target.session)
    found = [StoredDocument(bytes(each.raw)) async for each in stored]
    return sorted(found, key=lambda each: rank.get(id_key(each.id), 0))  # what is not among them, its collation found


def _may_exist(entry: CollectionEntry, document_id: object) -> bool:
    """Tell whether to look for an id. Null finds every document that has none, as those of a view may."""
    return document_id is not MISSING and (document_id is not None or entry.kind not in (Kind.VIEW, Kind.TIMESERIES))
