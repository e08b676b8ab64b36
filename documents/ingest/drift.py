"""How far the first records of a load differ from the documents that are there: new fields, other types, gone ones."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from documents.collections.profiling import sample_into
from documents.collections.services import Services
from documents.database.deadline import Deadline, Running
from documents.errors import DriftError
from documents.ingest.jobs import Load, Mode
from documents.ingest.limit import Limit
from documents.ingest.prepare import ObjectIds
from documents.ingest.reading import Batch
from documents.ingest.rehearsal import documents_of, rehearse
from documents.profile import kinds
from documents.profile.accumulator import Profile
from documents.profile.diff import Difference, Severity, diff
from documents.profile.report import Field, Report, read_profile

SAMPLE: Final = 1000
SECONDS: Final = 30.0
NAMED: Final = 10
_NUMBERS: Final = frozenset({kinds.INT, kinds.LONG, kinds.DOUBLE})
_PARTIAL: Final = frozenset({Mode.MERGE, Mode.DELETE})
"""Modes whose records need not have all the fields of a document."""

_WORDS: Final[Mapping[str, str]] = {"path-new": "is new", "path-gone": "is gone"}


async def check_drift(services: Services, load: Load, batch: Batch) -> None:
    """Stop a load whose first records differ in more fields from what is there than it was told to bear.

    Raises:
        DriftError: They do. Nothing was written.
    """
    if load.max_drift is None:
        return
    fields, drifted = await find_drift(services, load, batch)
    if Limit.parse("max_drift", load.max_drift).is_exceeded_by(len(drifted), fields):
        raise DriftError(
            f"The first {len(batch.records):,} records differ from what is in {load.collection} in {len(drifted)} "
            f"field{'' if len(drifted) == 1 else 's'}, and {load.max_drift} may: {describe(drifted)}. "
            "Nothing was written."
        )


async def find_drift(services: Services, load: Load, batch: Batch) -> tuple[int, Sequence[Difference]]:
    """Return how many fields a collection has, and those in which some records differ from its documents.

    An empty collection has none, and nothing differs from it. Integers and doubles are one type here.
    """
    stored, came = Profile(redact=True), Profile(redact=True)
    with Running(Deadline(SECONDS), writes=False):
        entry = await services.catalog.get_or_new(load.collection)
        population = await sample_into(stored, services.connection, load.collection, {}, size=SAMPLE)
    if not population or entry.id_type is None:
        return 0, ()

    def look() -> Report:
        _, prepared = rehearse(entry, batch.records, load, ObjectIds())
        came.add_all(documents_of(prepared))
        return read_profile(came, population=came.documents)

    after = await asyncio.to_thread(look)
    before = await asyncio.to_thread(read_profile, stored, population=population)
    return len(before.fields), _drifted(before, after, load.mode)


def describe(drifted: Sequence[Difference]) -> str:
    """Return in which way fields differ."""
    told = [f"{each.path} {_WORDS.get(each.kind) or f'has {each.after}'}" for each in drifted]
    return ", ".join([*told[:NAMED], *(["…"] if len(told) > NAMED else [])])


def _drifted(before: Report, after: Report, mode: Mode) -> Sequence[Difference]:
    known = {field.path: field for field in before.fields}
    first: dict[str, Difference] = {}
    for each in diff(before, after) if after.fields else ():
        if each.path != "_id" and _is_drift(each, known.get(each.path), mode):
            first.setdefault(each.path, each)
    return [*first.values()]


def _is_drift(difference: Difference, field: Field | None, mode: Mode) -> bool:
    match difference.kind:
        case "path-new":
            return True
        case "path-gone":  # of what few had, none may come by chance
            return difference.severity is Severity.BREAKING and mode not in _PARTIAL
        case "type-new":
            kind = difference.after.split(" ")[0]
            return field is not None and not (kind in _NUMBERS and _NUMBERS & set(field.types))
        case _:
            return False
