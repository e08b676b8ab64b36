"""Writing one document: insert, replace, patch, delete, upsert.

A write that depends on what is stored reads first, computes, and then writes under a predicate that holds
only while the document is still what was read (see `documents.collections.attempt`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace as with_changes
from functools import partial
from typing import Any, Final

from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from documents.catalog.addresses import twins_of
from documents.catalog.catalog import CollectionEntry
from documents.codec.elements import is_replaceable
from documents.codec.stored import StoredDocument
from documents.collections.admission import (
    Admission,
    admit,
    admit_replacement,
    apply_change,
    key_of,
    same_id,
    to_stored,
    under_id,
    upserted,
    validated,
)
from documents.collections.attempt import (
    ATTEMPTS,
    Target,
    Written,
    check,
    collation_of,
    insert_admitted,
    is_wide,
    replacement,
    selector_of,
    settle,
    swap,
    swap_until_done,
    written_as,
)
from documents.collections.operations import UNCONDITIONAL, Change, Precondition, Update
from documents.collections.selectors import BINARY, by_id, is_collated
from documents.database.connection import as_bson
from documents.database.failures import unique_violation
from documents.errors import DocumentNotFoundError, UniqueViolationError, WriteConflictError
from documents.query.paths import value_at
from documents.query.update import parse_update
from documents.types import MISSING, Document, IdType

MISSES: Final = 3
"""How often an upsert does not find the document that stands in the way of its insert before it gives up."""


async def insert(target: Target, document: Document) -> Written:
    """Store a new document."""
    judged = (document,) if target.entry.is_judged else ()
    admission = await settle(target, lambda entry: admit(entry, document), *judged)
    if target.entry.id_type is IdType.ANY and "_id" in document:
        await _refuse_twin(target, admission.new.id)
    return await insert_admitted(target, admission)


async def _refuse_twin(target: Target, document_id: object) -> None:
    """Refuse a new id that lists would show as they show another one: both would have the same address.

    Raises:
        UniqueViolationError: There is such a document.
    """
    for twin in twins_of(document_id):
        if twin is not None and await target.read(twin) is not None:
            raise UniqueViolationError(["_id"])


async def replace(
    target: Target,
    document_id: object,
    document: Document,
    precondition: Precondition = UNCONDITIONAL,
    *,
    seen: StoredDocument | None,
    literal: bool = False,
) -> Written:
    """Store a document under an id, whether or not there is one already.

    Args:
        target: Where.
        document_id: Its id.
        document: What to store.
        precondition: What has to hold.
        seen: What was read there just now; None if nothing was there.
        literal: Whether each value is what JSON says, whatever is stored.
    """
    same_id(target.entry, document, document_id)
    stored_id = MISSING if seen is None else document_id
    named = under_id(document, document_id)
    replaced = partial(admit_replacement, document=named, literal=literal, stored_id=stored_id)
    if precondition.is_empty:
        before = None if literal else seen
        admission = await settle(target, partial(replaced, before=before), before, named)
        is_plain = admission.new.raw == to_stored(named).raw  # nothing of it depends on what is stored
        if before is None or (is_plain and is_replaceable(admission.new.raw)):
            return await _put(target, admission)
    written = await swap_until_done(target, document_id, precondition, replaced, named, replaces=True, seen=seen)
    return with_changes(written, outcome="replaced") if written.outcome == "updated" else written


async def _put(target: Target, admission: Admission) -> Written:
    new = admission.new
    for _ in range(ATTEMPTS):
        try:
            result = await target.collection.replace_one(
                by_id(new.id), as_bson(new.raw), upsert=True, session=target.session
            )
        except DuplicateKeyError as error:
            # Two upserts of one id can meet; the second attempt finds the first one's document.
            if target.session is not None or not _is_about_id(error.details):
                raise
        else:
            return written_as("replaced" if result.matched_count else "created", target, admission)
    raise WriteConflictError


async def delete(target: Target, document_id: object, precondition: Precondition = UNCONDITIONAL) -> Written:
    """Delete one document."""
    if precondition.is_empty:
        result = await target.collection.delete_one(by_id(document_id), session=target.session)
        if not result.deleted_count:
            raise DocumentNotFoundError
        return Written("deleted", document_id)
    for _ in range(ATTEMPTS):
        before = await target.read(document_id)
        check(precondition, before)
        if before is None:
            raise DocumentNotFoundError
        if is_wide(target, before):
            return await target.atomically(lambda inside: delete(inside, document_id, precondition))
        result = await target.collection.delete_one(
            selector_of(target, before), collation=collation_of(target), session=target.session
        )
        if result.deleted_count:
            return Written("deleted", document_id)
    raise WriteConflictError


async def patch(
    target: Target,
    document_id: object,
    change: Change,
    precondition: Precondition = UNCONDITIONAL,
    *,
    literal: bool = False,
) -> Written:
    """Change one document; what comes out is validated before it is committed."""
    if isinstance(change, Update):
        update = parse_update(change.operators, target.entry.coerce)
        if target.entry.is_judged:
            return await target.atomically(lambda inside: _update_validated(inside, document_id, update, precondition))
        return await _update(target, document_id, update, precondition)

    def changed(entry: CollectionEntry, before: StoredDocument | None) -> Admission:
        if before is None:
            raise DocumentNotFoundError
        return apply_change(entry, before, change, literal=literal)

    return await swap_until_done(target, document_id, precondition, changed, change)


async def _update(target: Target, document_id: object, update: Document, precondition: Precondition) -> Written:
    """Let MongoDB apply update operators, in one step."""
    selector = by_id(document_id)
    collation = None if is_collated(target.entry, document_id) else BINARY
    for _ in range(ATTEMPTS):
        before = None
        if not precondition.is_empty:
            before = await target.read(document_id)
            check(precondition, before)
            if before is not None and is_wide(target, before):
                return await target.atomically(lambda inside: _update(inside, document_id, update, precondition))
            selector = selector if before is None else selector_of(target, before)
        found = await target.collection.find_one_and_update(
            selector, update, return_document=ReturnDocument.AFTER, session=target.session, collation=collation
        )
        if found is not None:
            return Written("updated", document_id, StoredDocument(bytes(found.raw)))
        if before is None:
            raise DocumentNotFoundError
    raise WriteConflictError


async def _update_validated(
    target: Target, document_id: object, update: Document, precondition: Precondition
) -> Written:
    """Apply update operators inside a transaction, which ends in nothing if model or contract do not agree."""
    before = await target.read(document_id)
    check(precondition, before)
    if before is None:
        raise DocumentNotFoundError
    found = await target.collection.find_one_and_update(
        by_id(document_id), update, return_document=ReturnDocument.AFTER, session=target.session
    )
    if found is None:
        raise DocumentNotFoundError
    after = StoredDocument(bytes(found.raw))
    admission = await settle(target, partial(validated, before=before, after=after), before, after)
    valid = admission.new
    if valid.raw != after.raw:
        await target.collection.update_one(by_id(document_id), replacement(valid.raw), session=target.session)
    return written_as("unchanged" if valid.raw == before.raw else "updated", target, admission)


async def upsert(
    target: Target, document: Document, on: Sequence[str], *, merge: bool, literal: bool = False
) -> Written:
    """Store a document in the place of the one with the same key, or as a new one."""
    selector = key_of(target.entry, document, on)
    misses = 0
    for _ in range(ATTEMPTS):
        before = await target.read_one(selector)
        if before is None:
            try:
                return await insert(target, document)
            except UniqueViolationError as error:
                # Somebody stored that key in between: the next round finds it. If not, then it is another key, which
                # the collation of the index takes for the same.
                misses += 1
                if not set(error.fields) <= set(on) or target.session is not None or misses >= MISSES:
                    raise
                continue
        if target.entry.collation is not None and not _is_written_so(before, selector):
            raise UniqueViolationError(on)
        change = partial(upserted, before=before, document=document, merge=merge, literal=literal)
        admission = await settle(target, change, before, document)
        if admission.new.raw == before.raw:
            return written_as("unchanged", target, admission)
        after = await swap(target, before, admission.new, replaces=not merge)
        if after is not None:
            return written_as("updated" if merge else "replaced", target, with_changes(admission, new=after))
    raise WriteConflictError


def _is_written_so(before: StoredDocument, selector: Document) -> bool:
    """Tell whether a document has the very texts of a key, and not such that its collation takes for the same."""
    stored = before.decode()
    texts = [(each["$eq"], value_at(stored, path)) for path, each in selector.items()]
    return all(wanted == found for wanted, found in texts if isinstance(wanted, str) and isinstance(found, str))


def _is_about_id(details: Mapping[str, Any] | None) -> bool:
    return unique_violation(details or {}).fields == ("_id",)
