"""Records as they are to be written: those that fit a collection, and those that are put aside. Awaits nothing."""

import itertools
import os
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

from bson.objectid import ObjectId

from documents.catalog.catalog import CollectionEntry
from documents.catalog.ids import first_id_type
from documents.codec.encode import encode_with_id
from documents.codec.formats import FORMATS
from documents.codec.records import Format, Record
from documents.codec.writers import dump_canonical
from documents.collections.admission import Admission, admit, key_of
from documents.contracts.expectations import Tally
from documents.contracts.verdict import Lesson
from documents.errors import Fault, InputError
from documents.ingest.jobs import Mode
from documents.ingest.quarantine import Reject
from documents.types import Document, IdType

_COUNTER_END: Final = 2**24


class Item(NamedTuple):
    """A record whose document fits, ready to be stored as a new one."""

    record: Record
    id: Any
    raw: bytes


class Keyed(NamedTuple):
    """A record that goes by a key."""

    record: Record
    document: Document
    selector: Document


@dataclass(slots=True)
class Prepared:
    """Some records, sorted out.

    Args:
        items: To be inserted.
        keyed: That go by a key.
        rejects: That are put aside.
        duplicates: That are there already.
        lessons: What the contract has to learn before anything of this is written.
        discarded: How often each path was left out.
        is_stepwise: Whether each record that goes by a key needs a write of its own.
        tally: What they say of the expectations; None where there are none.
        packed: By their offsets, records as they are staged.
    """

    items: list[Item] = field(default_factory=list[Item])
    keyed: list[Keyed] = field(default_factory=list[Keyed])
    rejects: list[Reject] = field(default_factory=list[Reject])
    duplicates: list[Reject] = field(default_factory=list[Reject])
    lessons: dict[Lesson, None] = field(default_factory=dict[Lesson, None])
    discarded: Counter[str] = field(default_factory=Counter[str])
    is_stepwise: bool = False
    tally: Tally | None = None
    packed: dict[int, bytes] = field(default_factory=dict[int, bytes])


class ObjectIds:
    """Makes ids that rise from batch to batch, for less than `ObjectId()` costs.

    Source:
        MongoDB manual, ObjectId: seconds, five random bytes, and a counter that begins anywhere.
    """

    def __init__(self) -> None:
        self._random = os.urandom(5)
        self._next = 0
        self._seconds = 0

    def reserve(self, count: int) -> "IdRange":
        """Return a range of `count` ids, all of them greater than those of earlier ranges."""
        self._seconds = max(self._seconds, int(time.time()))
        if self._next + count > _COUNTER_END:
            self._next, self._seconds = 0, self._seconds + 1
        start, self._next = self._next, self._next + count
        return IdRange(self._seconds.to_bytes(4, "big") + self._random, start)


class IdRange(NamedTuple):
    """Ids set apart for one batch. Each attempt to write it uses the same ones."""

    prefix: bytes
    start: int

    def maker(self) -> Callable[[], ObjectId]:
        """Return a function that gives one id after the other, from the first."""
        prefix, counter = self.prefix, itertools.count(self.start)
        return lambda: ObjectId(prefix + next(counter).to_bytes(3, "big"))


def prepare(entry: CollectionEntry, records: Sequence[Record], mode: Mode, on: Sequence[str], ids: IdRange) -> Prepared:
    """Return records as a mode needs them. The type of the collection's ids must be known."""
    prepared = Prepared()
    gives_ids = mode is Mode.INSERT and entry.model is None and entry.id_type is IdType.OBJECTID
    takes_anything = gives_ids and not entry.is_judged
    make_id = ids.maker()
    for record in records:
        document = record.document
        if document is None:
            prepared.rejects.append(Reject(record, record.fault or _UNREADABLE))
            continue
        try:
            if takes_anything and "_id" not in document:  # as most loads are: what `admit` does, in half the time
                new_id = make_id()
                prepared.items.append(Item(record, new_id, encode_with_id(document, new_id)))
            elif mode is Mode.INSERT:
                if gives_ids and "_id" not in document:
                    document = {"_id": make_id(), **document}
                admission = admit(entry, document)
                note_admission(prepared.lessons, prepared.discarded, admission)
                prepared.items.append(Item(record, admission.new.id, admission.new.raw))
            else:
                prepared.keyed.append(Keyed(record, document, key_of(entry, document, on)))
        except InputError as error:
            prepared.rejects.append(reject_of(entry, record, error))
    return prepared


def note_admission(lessons: dict[Lesson, None], discarded: Counter[str], admission: Admission) -> None:
    """Note what a contract has to learn, and what it left out."""
    if admission.learned:
        lessons.update(dict.fromkeys(admission.learned))
    if admission.discarded:
        discarded.update(admission.discarded)


def first_type_of(entry: CollectionEntry, records: Sequence[Record]) -> IdType | None:
    """Return the type that the first document that can be stored gives to the ids of a new collection."""
    for record in records:
        if record.document is None:
            continue
        try:
            id_type = first_id_type(record.document)
            admit(replace(entry, id_type=id_type), record.document)
        except InputError:
            continue
        return id_type
    return None


def reject_of(entry: CollectionEntry, record: Record, error: InputError) -> Reject:
    """Return a record that is put aside for an error."""
    first = error.faults[0] if error.faults else Fault("", error.code, error.detail)
    contract = entry.contract
    version = None if contract is None else contract.version
    return Reject(record, first, version)


def kept_form(form: Format) -> Format:
    """Return the form in which records of a source are put aside."""
    return FORMATS[form].kept_as or form


def with_bytes(reject: Reject) -> Reject:
    """Return a record that has bytes: a row of Parquet has none of its own, and so gets its document's."""
    record = reject.record
    if record.raw or record.document is None:
        return reject
    return replace(reject, record=record._replace(raw=dump_canonical(record.document)))


_UNREADABLE: Final = Fault("", "unreadable", "The record could not be read.")
