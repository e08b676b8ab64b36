"""What a load would do, from its records and the collection as it is now. Writes nothing, and takes no job."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any, Final

import orjson

from documents.catalog.catalog import CollectionEntry
from documents.catalog.cell_types import find_cell_types
from documents.codec.csv_columns import Column
from documents.codec.formats import FORMATS
from documents.codec.plain import dump
from documents.codec.records import Record
from documents.collections.services import Services
from documents.contracts.counts import path_of
from documents.contracts.verdict import Lesson
from documents.database.deadline import Deadline, Running
from documents.errors import Fault
from documents.ingest.batches import RecordFault
from documents.ingest.drift import describe, find_drift
from documents.ingest.gates import check_encoding, check_first
from documents.ingest.jobs import Load, Mode
from documents.ingest.mapped import Mappings
from documents.ingest.prepare import ObjectIds
from documents.ingest.reading import BatchReader, Done
from documents.ingest.rehearsal import documents_of, rehearse
from documents.ingest.since import SinceFilter
from documents.ingest.sources.source import Source
from documents.mapping.mapping import mapping_from_text
from documents.profile.accumulator import Profile
from documents.profile.report import read_profile
from documents.profile.table import report_to_dict
from documents.types import Document

PROFILED: Final = 10_000
"""Valid documents that are profiled, the first ones."""

FAULTS: Final = 3
"""Records of each code that are told of, the first ones."""

LOOK_UP_SECONDS: Final = 30.0
NOT_SEEN: Final = "Whether documents are there already was not looked at, so there may be duplicates."
ONLY_KEYS: Final = "Only the keys of records were looked at: what a {mode} makes of a document depends on the document."


@dataclass(slots=True)
class Preview:
    """What is known of a load that was not done.

    Args:
        load: The load.
        received: Records that were read.
        skipped: Records that the cursor passed over, which are not among them.
        valid: Those of them that are documents and fit.
        quarantined: How many of the others would be put aside, by what is wrong with them.
        faults: The first of them, by the same.
        learned: What the contract would learn.
        discarded: How often the contract would leave each path out.
        profile: Of the first of the valid documents, as they would be stored.
        columns: Of CSV and TSV, as soon as they are known.
        read_bytes: Of the source.
        total_bytes: Of the source, where that is known.
        notes: What this cannot tell.
        drift: In which fields the first records differ from what is there, and how; empty where they do not.
        mapped: The first records before and after the mapping, if there is one.
    """

    load: Load
    received: int = 0
    skipped: int = 0
    valid: int = 0
    quarantined: Counter[str] = field(default_factory=Counter[str])
    faults: dict[str, list[RecordFault]] = field(default_factory=dict[str, list[RecordFault]])
    learned: dict[Lesson, None] = field(default_factory=dict[Lesson, None])
    discarded: Counter[str] = field(default_factory=Counter[str])
    drift: str = ""
    profile: Profile = field(default_factory=Profile)
    columns: Sequence[Column] = ()
    read_bytes: int = 0
    total_bytes: int | None = None
    notes: Sequence[str] = ()
    mapped: Sequence[tuple[Document, Document | Fault]] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the preview as JSON values."""
        report = read_profile(self.profile, population=self.valid)
        return {
            "collection": self.load.collection,
            "source": self.load.name,
            "format": self.load.form,
            "mode": self.load.mode,
            "received": self.received,
            "valid": self.valid,
            "quarantined": dict(self.quarantined.most_common()),
            "faults": [fault.to_dict() for faults in self.faults.values() for fault in faults],
            "learned": [lesson_to_text(lesson) for lesson in self.learned],
            "discarded": dict(self.discarded.most_common()),
            "drift": self.drift,
            "columns": [{"name": column.name, "type": column.type} for column in self.columns],
            "bytes": self.read_bytes,
            "notes": list(self.notes),
            "mapped": [_pair_to_dict(before, after) for before, after in self.mapped],
            "profile": report_to_dict(report),
        }


def _pair_to_dict(before: Document, after: Document | Fault) -> dict[str, Any]:
    shown = {"before": as_plain(before)}
    return shown | ({"fault": after.detail} if isinstance(after, Fault) else {"after": as_plain(after)})


def as_plain(document: Document) -> Any:  # noqa: ANN401  # JSON
    """Return a document as plain JSON has it, whatever its keys are."""
    return orjson.loads(dump(document))


def lesson_to_text(lesson: Lesson) -> str:
    """Return what a contract would learn, in a few words."""
    path = ".".join([*(name for name in lesson.at if name != "properties"), *([lesson.name] if lesson.name else [])])
    match lesson.kind:
        case "field":
            return f"a new field {path}" + (f": {', '.join(lesson.types)}" if lesson.types else "")
        case "type":
            return f"one more type of {path}: {', '.join(lesson.types)}"
        case "required":
            return f"{path} may lack"


async def preview_load(services: Services, load: Load, source: Source, mappings: Mappings) -> AsyncGenerator[Preview]:
    """Read a source as a load of it would, and yield what is known so far: the same object, at least once.

    Args:
        services: What it stands on.
        load: What would be loaded.
        source: Its bytes, from the beginning.
        mappings: Where its mapping is.

    Raises:
        SourceMisreadError: It was told wrong things about the source.
        StoreError: The collection cannot be looked up.
    """
    preview = Preview(load, total_bytes=source.total_bytes, notes=_notes(load.mode))
    yield preview
    with Running(Deadline(LOOK_UP_SECONDS), writes=False):
        entry = await services.catalog.get_or_new(load.collection)
    mapped = mappings.open(load)
    since = None if load.cursor is None else SinceFilter(load.cursor)
    reader = BatchReader(load.form, typed(load, entry).options, Done(()), mapped, since=since)
    object_ids = ObjectIds()
    async with aclosing(reader.batches(source)) as batches:
        async for batch in batches:
            check_encoding(load, batch)
            if not preview.received and batch.records:
                check_first(load, batch)
                preview.drift = describe((await find_drift(services, load, batch))[1])
            preview.skipped += batch.skipped
            entry = await asyncio.to_thread(_look, preview, entry, batch.records, object_ids)
            preview.columns = reader.columns or ()
            preview.mapped = [] if mapped is None else mapped.shown
            preview.read_bytes = source.read_bytes
            yield preview
    preview.read_bytes = source.read_bytes
    yield preview


def typed(load: Load, entry: CollectionEntry) -> Load:
    """Return a load that reads the cells of a table as the fields of its collection are declared."""
    if "types" not in FORMATS[load.form].options:
        return load
    known = find_cell_types(entry, has_dates=load.options.dialect.dates is not None)
    if load.mapping is not None:
        known = mapping_from_text(load.mapping).types_before(known)
    return replace(load, options=replace(load.options, known=known))


def _notes(mode: Mode) -> Sequence[str]:
    if mode is Mode.INSERT:
        return (NOT_SEEN,)
    return (ONLY_KEYS.format(mode=mode),) if mode in (Mode.MERGE, Mode.DELETE) else ()


def _look(
    preview: Preview, entry: CollectionEntry, records: Sequence[Record], object_ids: ObjectIds
) -> CollectionEntry:
    """Take in some records, and return the entry as it would be after them."""
    entry, prepared = rehearse(entry, records, preview.load, object_ids, on_lesson=preview.learned.setdefault)
    preview.received += len(records)
    preview.valid += len(records) - len(prepared.rejects)
    for reject in prepared.rejects:
        preview.quarantined[reject.fault.code] += 1
        faults = preview.faults.setdefault(reject.fault.code, [])
        if len(faults) < FAULTS:
            faults.append(RecordFault(reject.record.line, reject.record.offset, reject.fault))
    for pointer, count in prepared.discarded.items():
        preview.discarded[path_of(pointer)] += count
    room = PROFILED - preview.profile.documents
    if room > 0:
        preview.profile.add_all(documents_of(prepared)[:room])
    return entry
