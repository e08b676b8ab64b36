"""One attempt at a write, and the next: what it rests on was read before, and is its predicate.

Whoever loses the race against another write reads again. Nothing is ever written first and checked later.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import replace as with_changes
from functools import partial
from typing import Any, Final, Literal, TypeAlias, cast

from bson.raw_bson import RawBSONDocument
from pymongo import ReturnDocument
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.collation import Collation

from documents.aside import LARGE_BYTES, LARGE_WEIGHT, aside
from documents.catalog.catalog import CollectionEntry
from documents.catalog.metadata import Deed
from documents.codec.difference import difference
from documents.codec.elements import is_replaceable
from documents.codec.stored import StoredDocument
from documents.codec.tree import is_heavy
from documents.collections.admission import Admission
from documents.collections.operations import Change, JsonPatch, MergePatch, Precondition, Update
from documents.collections.selectors import BINARY, as_read, by_id, is_collated
from documents.collections.services import Services
from documents.collections.transactions import transact
from documents.contracts.counts import Discarded
from documents.database.connection import as_bson
from documents.database.deadline import Deadline
from documents.errors import PreconditionFailedError, UniqueViolationError, WriteConflictError
from documents.types import MISSING, Document, Missing

UpdateOperators: TypeAlias = Mapping[str, Any] | Sequence[Mapping[str, Any]]


Outcome: TypeAlias = Literal["created", "replaced", "updated", "unchanged", "deleted"]


ATTEMPTS: Final = 1000
"""How often a write starts over because others were faster; the deadline usually comes first."""


WIDE_BYTES: Final = 6 * 1024 * 1024
"""From this size on a document does not fit into the predicate of its own write, and a transaction serves."""


@dataclass(frozen=True, slots=True)
class Written:
    """What became of one write.

    Args:
        outcome: In a word.
        id: Of the document.
        document: As it is now; None when it is gone.
        id_says_its_type: Whether a URL has to name the id in Extended JSON, since the collection's ids are mixed.
        discarded: What the collection's contract had left out; None where that was nothing.
    """

    outcome: Outcome
    id: object
    document: StoredDocument | None = None
    id_says_its_type: bool = False
    discarded: Discarded | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """Where writes go: a collection, by when, and inside which transaction if any."""

    services: Services
    entry: CollectionEntry
    deadline: Deadline
    session: AsyncClientSession | None = None

    @property
    def collection(self) -> AsyncCollection[RawBSONDocument]:
        """The collection, its documents as bytes."""
        return self.services.connection.raw_collection(self.entry.name)

    async def read(self, document_id: object) -> StoredDocument | None:
        """Return the document as it is now, or as the transaction sees it."""
        if self.session is None:
            return await self.services.loader.load(self.entry.name, document_id, policy="write", deadline=self.deadline)
        return await self.read_one(by_id(document_id))

    async def read_one(self, selector: Document) -> StoredDocument | None:
        """Return one document that the selector finds."""
        found = await self.collection.find_one(selector, session=self.session)
        return None if found is None else StoredDocument(bytes(found.raw))

    async def atomically(self, work: "Callable[[Target], Awaitable[Written]]") -> Written:
        """Return what `work` gives inside a transaction: the one that is open, or one of its own."""
        if self.session is not None:
            return await work(self)
        self.entry.check_kind(Deed.TRANSACTION)
        return await transact(self.services, lambda session: work(with_changes(self, session=session)))


async def settle(
    target: Target,
    judge: Callable[[CollectionEntry], Admission],
    *judged: StoredDocument | Document | Change | None,
) -> Admission:
    """Return what `judge` says, once the collection's contract has learned what that takes.

    It learns before the document is stored, so that nothing is stored that no version of the contract knows. What it
    may learn can have changed by then, and so each time it is judged again.

    Args:
        target: Where the document will be stored.
        judge: Judges it. In a thread if something of what it looks at is large.
        judged: What it looks at, if it looks at all values of it.
    """
    catalog = target.services.catalog
    entry = catalog.at_hand(target.entry)
    large = any(map(_is_large, judged))
    for _ in range(ATTEMPTS):
        admission = await aside(partial(judge, entry), large=large)
        if not admission.learned:
            return admission
        entry = await catalog.learn(entry, admission.learned)
    raise WriteConflictError


def _is_large(value: StoredDocument | Document | Change | None) -> bool:
    """Say whether it takes a while to judge what is stored or sent."""
    match value:
        case StoredDocument():
            return len(value.raw) > LARGE_BYTES
        case MergePatch():
            return is_heavy(value.patch, LARGE_WEIGHT)
        case JsonPatch() | Update():
            return is_heavy(value.operations if isinstance(value, JsonPatch) else value.operators, LARGE_WEIGHT)
        case _:
            return is_heavy(value, LARGE_WEIGHT)


async def insert_admitted(target: Target, admission: Admission) -> Written:
    """Store a new document."""
    new = admission.new
    if target.session is None:
        await target.services.committer.insert(target.entry.name, new.raw, deadline=target.deadline)
    else:
        await target.collection.insert_one(as_bson(new.raw), session=target.session)
    return written_as("created", target, admission)


def written_as(outcome: Outcome, target: Target, admission: Admission) -> Written:
    """Return what became of a write, with what the contract left out."""
    discarded = Discarded(target.entry.name, admission.discarded) if admission.discarded else None
    return Written(outcome, admission.new.id, admission.new, discarded=discarded)


async def swap_until_done(
    target: Target,
    document_id: object,
    precondition: Precondition,
    change: Callable[[CollectionEntry, StoredDocument | None], Admission],
    sent: Document | Change,
    *,
    replaces: bool = False,
    seen: StoredDocument | Missing | None = MISSING,
) -> Written:
    """Change or replace the document with an id, or store it where there is none, until no other write comes between.

    Args:
        target: Where.
        document_id: Its id.
        precondition: What has to hold.
        change: Returns what is to be stored, of what is there.
        sent: What it was made from; only its size matters.
        replaces: Whether fields that are not in the new one go.
        seen: What was read there just now; MISSING if it was not read.
    """
    for _ in range(ATTEMPTS):
        before = await target.read(document_id) if isinstance(seen, Missing) else seen
        seen = MISSING
        check(precondition, before)
        admission = await settle(target, partial(_changed, change=change, before=before), before, sent)
        after = admission.new
        if before is None:
            try:
                return await insert_admitted(target, admission)
            except UniqueViolationError as error:
                if tuple(error.fields) != ("_id",):
                    raise
        elif after.raw == before.raw:
            return written_as("unchanged", target, admission)
        elif is_wide(target, before):
            return await target.atomically(
                lambda inside: swap_until_done(inside, document_id, precondition, change, sent, replaces=replaces)
            )
        elif (new := await swap(target, before, after, replaces=replaces)) is not None:
            return written_as("updated", target, with_changes(admission, new=new))
    raise WriteConflictError


def _changed(
    entry: CollectionEntry,
    *,
    change: Callable[[CollectionEntry, StoredDocument | None], Admission],
    before: StoredDocument | None,
) -> Admission:
    return change(entry, before)


async def swap(
    target: Target, before: StoredDocument, after: StoredDocument, *, replaces: bool
) -> StoredDocument | None:
    """Make `before` into `after`, or replace it; return it as stored, or None when it is no longer `before`."""
    if replaces and is_replaceable(after.raw):
        result = await target.collection.replace_one(
            selector_of(target, before), as_bson(after.raw), collation=collation_of(target), session=target.session
        )
        return after if result.matched_count else None
    change = partial(replacement, after.raw) if replaces else partial(update_of, before.raw, after.raw)
    update = await aside(change, large=_is_large(before))
    if not update:
        return before  # it differs in the order of its fields, which a patch cannot mean
    found = await target.collection.find_one_and_update(
        selector_of(target, before),
        cast("Any", update),
        return_document=ReturnDocument.AFTER,
        collation=collation_of(target),
        session=target.session,
    )
    return None if found is None else StoredDocument(bytes(found.raw))


def update_of(before: bytes, after: bytes) -> UpdateOperators:
    """Return the update that sets and unsets what differs; nothing if that is nothing but order."""
    operators = difference(before, after)
    return replacement(after) if operators is None else operators


def replacement(raw: bytes) -> Sequence[Mapping[str, Any]]:
    """Return the update that puts a whole document in the place of another, also where it is not `is_replaceable`."""
    return [{"$replaceWith": {"$literal": as_bson(raw)}}]


def collation_of(target: Target) -> Collation | None:
    """Compare byte by byte what has to be as it was read; inside a transaction only ids are compared, by the index."""
    return BINARY if target.session is None else None


def selector_of(target: Target, before: StoredDocument) -> Document:
    """Select a document while it is what was read."""
    # Inside a transaction the snapshot is the predicate: a write in between makes ours fail as a conflict.
    return as_read(before) if target.session is None else by_id(before.id)


def is_wide(target: Target, before: StoredDocument) -> bool:
    """Tell whether a predicate cannot name the document as it was read, so that a transaction has to serve.

    It may be too large; or its id be one that only the collection's collation finds by the index, while the rest has
    to be compared byte by byte.
    """
    return target.session is None and (len(before.raw) > WIDE_BYTES or is_collated(target.entry, before.id))


def check(precondition: Precondition, before: StoredDocument | None) -> None:
    """Check a precondition against what is there.

    Raises:
        PreconditionFailedError: It does not hold.
    """
    etag = None if before is None else before.etag
    required, forbidden = precondition.if_match, precondition.if_none_match
    if required is not None and (etag is None or not required.names(etag)):
        raise PreconditionFailedError(etag)
    if forbidden is not None and etag is not None and forbidden.names(etag, weakly=True):
        raise PreconditionFailedError(etag)
