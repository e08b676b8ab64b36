"""What would become of records, from the collection as it is now and what its contract would learn. Awaits nothing."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from documents.catalog.catalog import CollectionEntry
from documents.codec.records import Record
from documents.codec.stored import StoredDocument
from documents.collections.admission import admit
from documents.contracts.verdict import Lesson
from documents.errors import InputError
from documents.ingest.jobs import Load, Mode
from documents.ingest.prepare import Keyed, ObjectIds, Prepared, first_type_of, note_admission, prepare, reject_of
from documents.types import Document


def rehearse(
    entry: CollectionEntry,
    records: Sequence[Record],
    load: Load,
    object_ids: ObjectIds,
    *,
    on_lesson: Callable[[Lesson], None] = lambda _: None,
) -> tuple[CollectionEntry, Prepared]:
    """Return the entry as it would be after some records, and what would become of them.

    Args:
        entry: The collection as it is.
        records: Records to try.
        load: How they are loaded.
        object_ids: Gives ids.
        on_lesson: Called with what the contract would learn.
    """
    if entry.id_type is None and (id_type := first_type_of(entry, records)) is not None:
        entry = replace(entry, id_type=id_type)
    while True:
        prepared = _prepare(entry, records, load, object_ids)
        taught = _teach(entry, prepared, on_lesson)
        if taught is entry:
            return entry, prepared
        entry = taught


def documents_of(prepared: Prepared) -> list[Document]:
    """Return documents as they would be stored, or of modes that depend on what is stored as they came."""
    return [StoredDocument(item.raw).decode() for item in prepared.items] + [each.document for each in prepared.keyed]


def _teach(entry: CollectionEntry, prepared: Prepared, on_lesson: Callable[[Lesson], None]) -> CollectionEntry:
    """Return the entry after its contract has learned what it still can; itself where that is nothing."""
    if entry.contract is None:
        return entry
    contract = entry.contract
    for lesson in prepared.lessons:
        taught = contract.taught((lesson,))
        if taught is not contract:
            on_lesson(lesson)
            contract = taught
    return entry if contract is entry.contract else replace(entry, contract=contract)


def _prepare(entry: CollectionEntry, records: Sequence[Record], load: Load, object_ids: ObjectIds) -> Prepared:
    prepared = prepare(entry, records, load.mode, load.on, object_ids.reserve(len(records)))
    if load.mode not in (Mode.UPSERT, Mode.REPLACE):
        return prepared
    keyed, prepared.keyed = prepared.keyed, []
    for each in keyed:
        try:
            admission = admit(entry, each.document)
        except InputError as error:
            prepared.rejects.append(reject_of(entry, each.record, error))
        else:
            note_admission(prepared.lessons, prepared.discarded, admission)
            prepared.keyed.append(Keyed(each.record, admission.new.decode(), each.selector))
    prepared.rejects.sort(key=lambda reject: reject.record.offset)
    return prepared
