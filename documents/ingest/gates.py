"""What stops a load: records that are not what they were said to be, and too many that cannot be loaded."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Self, cast

from documents.codec.csv_reader import UNKNOWN_ENCODING
from documents.codec.formats import FORMATS, formats_with
from documents.errors import (
    Fault,
    NothingFitsError,
    QuarantineFullError,
    SourceMisreadError,
    TooManyBadError,
)
from documents.ingest.batches import Counts
from documents.ingest.jobs import Load, Mode
from documents.ingest.limit import Limit
from documents.ingest.quarantine import Usage
from documents.ingest.reading import Batch
from documents.query.paths import value_at
from documents.settings import Settings
from documents.types import MISSING

JUDGED: Final = 10_000
"""Records after which a load may be stopped before its end for the share of those that are bad."""

NAMED: Final = 20

# So many unreadable records say that a source is not of its format. Fewer can be large ones that were cut.
TELLING: Final = 10
HEADER_REFUSED: Final = "header-refused"


def are_too_many(max_bad: Limit, counts: Counts, *, is_end: bool) -> bool:
    """Say whether too many records are put aside. A share is judged from 10,000 records on, and at the end."""
    if max_bad.number is None and not is_end and counts.received < JUDGED:
        return False
    return max_bad.is_exceeded_by(counts.quarantined, counts.received)


@dataclass(frozen=True, slots=True)
class Budget:
    """What may be in quarantine.

    Args:
        load: Of one load.
        collection: Of all loads into one collection.
    """

    load: Usage
    collection: Usage

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return what the settings say."""
        return cls(
            Usage(settings.quarantine_load_records, settings.quarantine_load_bytes),
            Usage(settings.quarantine_collection_records, settings.quarantine_collection_bytes),
        )


class Gates:
    """Stops a load of which too much is put aside.

    Args:
        load: What is loaded.
        budget: What may be in quarantine.
        of_load: What is there of this load already.
        of_collection: What is there of all loads into its collection.
    """

    def __init__(self, load: Load, budget: Budget, of_load: Usage, of_collection: Usage) -> None:
        self._max_bad = None if load.max_bad is None else Limit.parse("max_bad", load.max_bad)
        self._stays = "Nothing was written." if load.all_or_nothing else "What is loaded stays."
        self._told = load.max_bad
        self._budget = budget
        self._of_load = of_load
        self._of_collection = of_collection

    def add(self, records: int, size_bytes: int) -> None:
        """Count what was put aside."""
        self._of_load = self._of_load.plus(records, size_bytes)
        self._of_collection = self._of_collection.plus(records, size_bytes)

    def check(self, counts: Counts, *, is_end: bool = False) -> None:
        """Stop a load that must not go on.

        Raises:
            TooManyBadError: More records are put aside than it was told to bear.
            QuarantineFullError: More is in quarantine than the settings allow.
            NothingFitsError: Of its first 10,000 records, all are put aside.
        """
        if self._max_bad is not None and are_too_many(self._max_bad, counts, is_end=is_end):
            raise TooManyBadError(
                f"{counts.quarantined:,} of {counts.received:,} records had to be put aside, and the load was to bear "
                f"{self._told} at most. {self._stays}"
            )
        if not is_end and counts.received >= JUDGED and counts.quarantined == counts.received:
            raise NothingFitsError(f"All of the first {counts.received:,} records had to be put aside.")
        if self._of_load.exceeds(self._budget.load):
            raise _full("this load", self._of_load, self._budget.load, "load")
        if self._of_collection.exceeds(self._budget.collection):
            raise _full("this collection", self._of_collection, self._budget.collection, "collection")


def _full(what: str, used: Usage, allowed: Usage, name: str) -> QuarantineFullError:
    return QuarantineFullError(
        f"{used.describe()} of {what} are in quarantine, and {allowed.describe()} may be "
        f"(SHEAF_QUARANTINE_{name.upper()}_RECORDS, SHEAF_QUARANTINE_{name.upper()}_BYTES). "
        "What is loaded stays. Discard some, or allow more, and the load can go on."
    )


def check_first(load: Load, batch: Batch) -> None:
    """Stop a load before it writes anything whose first records show that it was told wrong things about its source.

    Args:
        load: What is loaded.
        batch: The first records.

    Raises:
        SourceMisreadError: The header cannot be used, nothing can be read as it was told, or no record has the key.
        NothingFitsError: The batch is full, has at least 10 records, and none can be read.
    """
    faults = [record.fault for record in batch.records if record.fault is not None]
    refused = next((fault for fault in faults if fault.code == HEADER_REFUSED), None)
    if refused is not None:
        raise _misread("header" if "header" in FORMATS[load.form].options else "format", refused.detail)
    documents = [record.document for record in batch.records if record.document is not None]
    if batch.records and not documents:
        _refuse_unreadable(load, batch, faults)
    if load.mode is not Mode.INSERT and documents and not any(_has_key(document, load.on) for document in documents):
        raise _keyless(load, documents)


def check_encoding(load: Load, batch: Batch) -> None:
    """Stop a load of a table at the first row that shows that its encoding is another one.

    Raises:
        SourceMisreadError: There is such a row. Nothing of its batch is written.
    """
    if load.form not in formats_with("encoding"):
        return
    for record in batch.records:
        if record.fault is not None and record.fault.code == UNKNOWN_ENCODING:
            raise _misread(
                "encoding",
                f"Line {record.line:,} is the first that is not ASCII. {record.fault.detail} Say its encoding with "
                "encoding, or utf-8 to put such lines aside. Lines before it may be loaded: take this load back first.",
            )


def _refuse_unreadable(load: Load, batch: Batch, faults: Sequence[Fault]) -> None:
    first = faults[0].detail if faults else ""
    told = [name for name in ("items", "header", "types") if getattr(load.options, name)]
    if told:
        detail = f"None of the first {len(batch.records):,} records can be read with this {told[0]}. {first}"
        raise _misread(told[0], detail)
    if not batch.is_last and len(batch.records) >= TELLING:
        raise NothingFitsError(
            f"None of the first {len(batch.records):,} records can be read as {load.form}. {first} Nothing was written."
        )


def _keyless(load: Load, documents: Sequence[dict[str, Any]]) -> SourceMisreadError:
    paths = list(dict.fromkeys(path for document in documents for path in _paths_of(document)))
    lacking = [path for path in load.on if path not in paths] or list(load.on)
    near = difflib.get_close_matches(lacking[0], paths, n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    more = ", …" if len(paths) > NAMED else ""
    return _misread(
        "on",
        f"None of the first {len(documents):,} records has a value in {', '.join(lacking)}, which is to be its key."
        f"{hint} Their fields are {', '.join(paths[:NAMED])}{more}. Nothing was written.",
    )


def _misread(parameter: str, detail: str) -> SourceMisreadError:
    return SourceMisreadError(detail, [Fault(f"?{parameter}", SourceMisreadError.code, detail)])


def _has_key(document: dict[str, Any], on: Sequence[str]) -> bool:
    return not any(value is MISSING or isinstance(value, list | dict) for value in (value_at(document, p) for p in on))


def _paths_of(document: dict[str, Any]) -> list[str]:
    """Return the names of a document's fields, and those in its objects."""
    paths: list[str] = []
    for name, value in document.items():
        paths.append(name)
        if isinstance(value, dict):
            paths += [f"{name}.{inner}" for inner in cast("dict[str, Any]", value)]
    return paths
