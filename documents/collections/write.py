"""Writing one document: insert, replace, patch, delete, upsert.

A write that depends on what is stored reads first, computes, and then writes under a predicate that holds
only while the document is still what was read. Whoever loses that race reads again. Nothing is ever
written first and checked later.
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
from pymongo.errors import DuplicateKeyError

from documents.aside import LARGE_BYTES, LARGE_WEIGHT, aside
from documents.catalog.addresses import is_same_id, twins_of
from documents.catalog.catalog import CollectionEntry
from documents.catalog.ids import admit_id
from documents.catalog.metadata import Deed
from documents.codec.difference import difference
from documents.codec.elements import is_replaceable
from documents.codec.encode import encode
from documents.codec.json_patch import apply_json_patch
from documents.codec.merge import merge_patch
from documents.codec.splice import splice
from documents.codec.stored import StoredDocument
from documents.codec.stored_types import StoredTypes, keep_widths
from documents.codec.strict import check_keys
from documents.codec.tree import is_heavy
from documents.collections.operations import (
    UNCONDITIONAL,
    Change,
    JsonPatch,
    MergePatch,
    Precondition,
    Update,
)
from documents.collections.selectors import BINARY, as_read, by_id, is_collated
from documents.collections.services import Services
from documents.collections.transactions import transact
from documents.contracts.counts import Discarded
from documents.contracts.verdict import Lesson
from documents.database.connection import as_bson
from documents.database.deadline import Deadline
from documents.database.failures import unique_violation
from documents.errors import (
    DocumentNotFoundError,
    DocumentTooLargeError,
    Fault,
    InvalidDocumentError,
    PreconditionFailedError,
    UniqueViolationError,
    WriteConflictError,
)
from documents.query.update import parse_update
from documents.types import MAX_DOCUMENT_BYTES, MISSING, Document, IdType, Missing

UpdateOperators: TypeAlias = Mapping[str, Any] | Sequence[Mapping[str, Any]]
Outcome: TypeAlias = Literal["created", "replaced", "updated", "unchanged", "deleted"]

ATTEMPTS: Final = 1000
"""How often a write starts over because others were faster; the deadline usually comes first."""

MISSES: Final = 3
"""How often an upsert does not find the document that stands in the way of its insert before it gives up."""

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
class Admission:
    """A document as it may be stored.

    Args:
        new: Its bytes.
        discarded: What the contract had left out.
        learned: What the contract has to learn first.
    """

    new: StoredDocument
    discarded: tuple[str, ...] = ()
    learned: tuple[Lesson, ...] = ()


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


def to_stored(document: Document) -> StoredDocument:
    """Return the document as the bytes MongoDB will hold.

    Raises:
        DocumentTooLargeError: Over 16 MB.
    """
    raw = encode(document)
    if len(raw) > MAX_DOCUMENT_BYTES:
        raise DocumentTooLargeError(f"The document takes {len(raw)} bytes as BSON; 16 MB is the most.")
    return StoredDocument(raw)


def admit(
    entry: CollectionEntry, document: Document, *, before: Document | None = None, stored_id: object = MISSING
) -> Admission:
    """Return a document as it may be stored in a collection: valid, its `_id` first and of the right type."""
    admitted = entry.admit(document, before=before, stored_id=stored_id)
    return Admission(to_stored(admitted.document), admitted.discarded, admitted.learned)


def admit_over(
    entry: CollectionEntry,
    document: Document,
    stored: StoredDocument,
    *,
    before: Document | None,
    literal: bool = False,
) -> Admission:
    """Return a document as it may be stored in the place of another, with the bytes of all that is as it was.

    Args:
        entry: The collection.
        document: As Python values.
        stored: What is there.
        before: What was there before the change, for a patch; None where the document replaces the stored one.
        literal: Whether numbers are as wide as they were sent.
    """
    admitted = entry.admit(document, before=before, stored_id=stored.id)
    values = stored.decode()
    wanted = admitted.document
    if entry.is_judged or not literal:
        wanted = keep_widths(values, wanted)
    new = to_stored(wanted)
    kept = to_stored(values)
    if kept.raw != stored.raw:  # it holds what Python's values do not tell
        new = stored if new.raw == kept.raw else StoredDocument(splice(stored.raw, wanted, replaces=before is None))
    return Admission(new, admitted.discarded, admitted.learned)


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


async def insert(target: Target, document: Document) -> Written:
    """Store a new document."""
    judged = (document,) if target.entry.is_judged else ()
    admission = await settle(target, lambda entry: admit(entry, document), *judged)
    if target.entry.id_type is IdType.ANY and "_id" in document:
        await _refuse_twin(target, admission.new.id)
    return await _insert(target, admission)


async def _refuse_twin(target: Target, document_id: object) -> None:
    """Refuse a new id that lists would show as they show another one: both would have the same address.

    Raises:
        UniqueViolationError: There is such a document.
    """
    for twin in twins_of(document_id):
        if twin is not None and await target.read(twin) is not None:
            raise UniqueViolationError(["_id"])


async def _insert(target: Target, admission: Admission) -> Written:
    new = admission.new
    if target.session is None:
        await target.services.committer.insert(target.entry.name, new.raw, deadline=target.deadline)
    else:
        await target.collection.insert_one(as_bson(new.raw), session=target.session)
    return _written("created", target, admission)


def _written(outcome: Outcome, target: Target, admission: Admission) -> Written:
    discarded = Discarded(target.entry.name, admission.discarded) if admission.discarded else None
    return Written(outcome, admission.new.id, admission.new, discarded=discarded)


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
    _same_id(target.entry, document, document_id)
    stored_id = MISSING if seen is None else document_id
    named = _under_id(document, document_id)
    replaced = partial(_replaced, document=named, literal=literal, stored_id=stored_id)
    if precondition.is_empty:
        before = None if literal else seen
        admission = await settle(target, partial(replaced, before=before), before, named)
        is_plain = admission.new.raw == to_stored(named).raw  # nothing of it depends on what is stored
        if before is None or (is_plain and is_replaceable(admission.new.raw)):
            return await _put(target, admission)
    written = await _swap_until_done(target, document_id, precondition, replaced, named, replaces=True, seen=seen)
    return with_changes(written, outcome="replaced") if written.outcome == "updated" else written


def _replaced(
    entry: CollectionEntry,
    before: StoredDocument | None,
    *,
    document: Document,
    literal: bool,
    stored_id: object = MISSING,
) -> Admission:
    if literal:
        return admit(entry, document, stored_id=stored_id)
    if before is None:
        check_sent(document)
        return admit(entry, document, stored_id=stored_id)
    read = StoredTypes(entry.coerce).read_document(before.decode(), document)
    return admit_over(entry, read, before, before=None)


def check_sent(document: Document) -> None:
    """Refuse a document with keys that none may have.

    Raises:
        InvalidDocumentError: With a fault for each.
    """
    faults = check_keys(document)
    if faults:
        raise InvalidDocumentError("A document has keys that cannot be stored.", faults)


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
            return _written("replaced" if result.matched_count else "created", target, admission)
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
        _check(precondition, before)
        if before is None:
            raise DocumentNotFoundError
        if _is_wide(target, before):
            return await target.atomically(lambda inside: delete(inside, document_id, precondition))
        result = await target.collection.delete_one(
            _selector(target, before), collation=_collation(target), session=target.session
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

    return await _swap_until_done(target, document_id, precondition, changed, change)


def apply_change(
    entry: CollectionEntry, before: StoredDocument, change: MergePatch | JsonPatch, *, literal: bool = False
) -> Admission:
    """Return the document after a patch, valid. What the patch does not name is as stored, to the byte.

    Args:
        entry: The collection.
        before: What is stored.
        change: The patch.
        literal: Whether each value is what JSON says, whatever is stored.

    Raises:
        InvalidDocumentError: The patch would change `_id`, or its result does not fit the model or the contract.
    """
    stored = before.decode()
    types = StoredTypes(entry.coerce)
    if isinstance(change, MergePatch):
        wanted = {key: value for key, value in change.patch.items() if key != "_id"}
        _same_id(entry, change.patch, stored["_id"])
        patched = merge_patch(stored, wanted if literal else types.read_document(stored, wanted))
    else:
        patched = apply_json_patch(stored, change.operations, read=None if literal else types.read)
        types.finish()
    return admit_over(entry, patched, before, before=stored, literal=literal)


async def _update(target: Target, document_id: object, update: Document, precondition: Precondition) -> Written:
    """Let MongoDB apply update operators, in one step."""
    selector = by_id(document_id)
    collation = None if is_collated(target.entry, document_id) else BINARY
    for _ in range(ATTEMPTS):
        before = None
        if not precondition.is_empty:
            before = await target.read(document_id)
            _check(precondition, before)
            if before is not None and _is_wide(target, before):
                return await target.atomically(lambda inside: _update(inside, document_id, update, precondition))
            selector = selector if before is None else _selector(target, before)
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
    _check(precondition, before)
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
    return _written("unchanged" if valid.raw == before.raw else "updated", target, admission)


def validated(entry: CollectionEntry, *, before: StoredDocument, after: StoredDocument) -> Admission:
    """Return what MongoDB made of a document by update operators, valid."""
    return admit_over(entry, after.decode(), after, before=before.decode())


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
            return _written("unchanged", target, admission)
        after = await _swap(target, before, admission.new, replaces=not merge)
        if after is not None:
            return _written("updated" if merge else "replaced", target, with_changes(admission, new=after))
    raise WriteConflictError


def _is_written_so(before: StoredDocument, selector: Document) -> bool:
    """Tell whether a document has the very texts of a key, and not such that its collation takes for the same."""
    stored = before.decode()
    texts = [(each["$eq"], value_at(stored, path)) for path, each in selector.items()]
    return all(wanted == found for wanted, found in texts if isinstance(wanted, str) and isinstance(found, str))


def upserted(
    entry: CollectionEntry, before: StoredDocument, document: Document, *, merge: bool, literal: bool = False
) -> Admission:
    """Return the document that takes the place of another one with the same key, valid."""
    if merge:
        return apply_change(entry, before, MergePatch(document), literal=literal)
    _same_id(entry, document, before.id)
    return _replaced(entry, before, document=_under_id(document, before.id), literal=literal)


def key_of(entry: CollectionEntry, document: Document, on: Sequence[str]) -> Document:
    """Return the selector of the documents with the same values in `on`.

    Raises:
        InvalidDocumentError: It has no single value there, or one of the wrong type.
    """
    typed = admit_id(document, entry.id_type) if "_id" in on and entry.id_type and "_id" in document else document
    selector: Document = {}
    for path in on:
        value = value_at(typed, path)
        if value is MISSING or isinstance(value, list | dict):
            detail = f"An upsert on {path} needs a single value there."
            raise InvalidDocumentError(detail, [Fault("/" + path.replace(".", "/"), "key-missing", detail)])
        coerce = entry.coerce(path)
        try:
            selector[path] = {"$eq": value if coerce is None or value is None else coerce(value)}
        except ValueError as error:
            raise InvalidDocumentError(
                "The key is of the wrong type.", [Fault("/" + path.replace(".", "/"), "wrong-type", str(error))]
            ) from None
    return selector


def value_at(value: object, path: str) -> object:
    """Return what a document has at a dotted path, not looking into arrays; MISSING if it has nothing there."""
    for segment in path.split("."):
        value = cast("Document", value).get(segment, MISSING) if isinstance(value, dict) else MISSING
    return value


async def _swap_until_done(
    target: Target,
    document_id: object,
    precondition: Precondition,
    change: Callable[[CollectionEntry, StoredDocument | None], Admission],
    sent: Document | Change,
    *,
    replaces: bool = False,
    seen: StoredDocument | Missing | None = MISSING,
) -> Written:
    for _ in range(ATTEMPTS):
        before = await target.read(document_id) if isinstance(seen, Missing) else seen
        seen = MISSING
        _check(precondition, before)
        admission = await settle(target, partial(_changed, change=change, before=before), before, sent)
        after = admission.new
        if before is None:
            try:
                return await _insert(target, admission)
            except UniqueViolationError as error:
                if tuple(error.fields) != ("_id",):
                    raise
        elif after.raw == before.raw:
            return _written("unchanged", target, admission)
        elif _is_wide(target, before):
            return await target.atomically(
                lambda inside: _swap_until_done(inside, document_id, precondition, change, sent, replaces=replaces)
            )
        elif (new := await _swap(target, before, after, replaces=replaces)) is not None:
            return _written("updated", target, with_changes(admission, new=new))
    raise WriteConflictError


def _changed(
    entry: CollectionEntry,
    *,
    change: Callable[[CollectionEntry, StoredDocument | None], Admission],
    before: StoredDocument | None,
) -> Admission:
    return change(entry, before)


async def _swap(
    target: Target, before: StoredDocument, after: StoredDocument, *, replaces: bool
) -> StoredDocument | None:
    """Make `before` into `after`, or replace it; return it as stored, or None when it is no longer `before`."""
    if replaces and is_replaceable(after.raw):
        result = await target.collection.replace_one(
            _selector(target, before), as_bson(after.raw), collation=_collation(target), session=target.session
        )
        return after if result.matched_count else None
    change = partial(replacement, after.raw) if replaces else partial(update_of, before.raw, after.raw)
    update = await aside(change, large=_is_large(before))
    if not update:
        return before  # it differs in the order of its fields, which a patch cannot mean
    found = await target.collection.find_one_and_update(
        _selector(target, before),
        cast("Any", update),
        return_document=ReturnDocument.AFTER,
        collation=_collation(target),
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


def _collation(target: Target) -> Collation | None:
    """Compare byte by byte what has to be as it was read; inside a transaction only ids are compared, by the index."""
    return BINARY if target.session is None else None


def _selector(target: Target, before: StoredDocument) -> Document:
    # Inside a transaction the snapshot is the predicate: a write in between makes ours fail as a conflict.
    return as_read(before) if target.session is None else by_id(before.id)


def _is_wide(target: Target, before: StoredDocument) -> bool:
    """Tell whether a predicate cannot name the document as it was read, so that a transaction has to serve.

    It may be too large; or its id be one that only the collection's collation finds by the index, while the rest has
    to be compared byte by byte.
    """
    return target.session is None and (len(before.raw) > WIDE_BYTES or is_collated(target.entry, before.id))


def _check(precondition: Precondition, before: StoredDocument | None) -> None:
    etag = None if before is None else before.etag
    required, forbidden = precondition.if_match, precondition.if_none_match
    if required is not None and (etag is None or not required.names(etag)):
        raise PreconditionFailedError(etag)
    if forbidden is not None and etag is not None and forbidden.names(etag, weakly=True):
        raise PreconditionFailedError(etag)


def _under_id(document: Document, document_id: object) -> Document:
    return {"_id": document_id, **{key: value for key, value in document.items() if key != "_id"}}


def _same_id(entry: CollectionEntry, document: Document, document_id: object) -> None:
    """Refuse a document that names another `_id` than the one it is about."""
    if "_id" not in document or is_same_id(document["_id"], document_id):
        return
    if entry.id_type and admit_id(document, entry.id_type)["_id"] != document_id:
        detail = "The _id of a document never changes."
        raise InvalidDocumentError(detail, [Fault("/_id", "immutable", detail)])


def _is_about_id(details: Mapping[str, Any] | None) -> bool:
    return unique_violation(details or {}).fields == ("_id",)
