"""What becomes of a document before it is written: it is read, judged and made into bytes. Asks nobody."""

from collections.abc import Sequence
from dataclasses import dataclass

from documents.catalog.addresses import is_same_id
from documents.catalog.catalog import CollectionEntry
from documents.catalog.ids import admit_id
from documents.codec.encode import encode
from documents.codec.json_patch import apply_json_patch
from documents.codec.merge import merge_patch
from documents.codec.splice import splice
from documents.codec.stored import StoredDocument
from documents.codec.stored_types import StoredTypes, keep_widths
from documents.codec.strict import check_keys
from documents.collections.operations import JsonPatch, MergePatch
from documents.contracts.verdict import Lesson
from documents.errors import DocumentTooLargeError, Fault, InvalidDocumentError
from documents.query.paths import value_at
from documents.types import MAX_DOCUMENT_BYTES, MISSING, Document


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


def check_sent(document: Document) -> None:
    """Refuse a document with keys that none may have.

    Raises:
        InvalidDocumentError: With a fault for each.
    """
    faults = check_keys(document)
    if faults:
        raise InvalidDocumentError("A document has keys that cannot be stored.", faults)


def admit_replacement(
    entry: CollectionEntry,
    before: StoredDocument | None,
    *,
    document: Document,
    literal: bool,
    stored_id: object = MISSING,
) -> Admission:
    """Return a document as it may be stored under an id, in the place of `before` if there is one."""
    if literal:
        return admit(entry, document, stored_id=stored_id)
    if before is None:
        check_sent(document)
        return admit(entry, document, stored_id=stored_id)
    read = StoredTypes(entry.coerce).read_document(before.decode(), document)
    return admit_over(entry, read, before, before=None)


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
        same_id(entry, change.patch, stored["_id"])
        patched = merge_patch(stored, wanted if literal else types.read_document(stored, wanted))
    else:
        patched = apply_json_patch(stored, change.operations, read=None if literal else types.read)
        types.finish()
    return admit_over(entry, patched, before, before=stored, literal=literal)


def validated(entry: CollectionEntry, *, before: StoredDocument, after: StoredDocument) -> Admission:
    """Return what MongoDB made of a document by update operators, valid."""
    return admit_over(entry, after.decode(), after, before=before.decode())


def upserted(
    entry: CollectionEntry, before: StoredDocument, document: Document, *, merge: bool, literal: bool = False
) -> Admission:
    """Return the document that takes the place of another one with the same key, valid."""
    if merge:
        return apply_change(entry, before, MergePatch(document), literal=literal)
    same_id(entry, document, before.id)
    return admit_replacement(entry, before, document=under_id(document, before.id), literal=literal)


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


def under_id(document: Document, document_id: object) -> Document:
    """Return a document with this `_id`, first."""
    return {"_id": document_id, **{key: value for key, value in document.items() if key != "_id"}}


def same_id(entry: CollectionEntry, document: Document, document_id: object) -> None:
    """Refuse a document that names another `_id` than the one it is about."""
    if "_id" not in document or is_same_id(document["_id"], document_id):
        return
    if entry.id_type and admit_id(document, entry.id_type)["_id"] != document_id:
        detail = "The _id of a document never changes."
        raise InvalidDocumentError(detail, [Fault("/_id", "immutable", detail)])
