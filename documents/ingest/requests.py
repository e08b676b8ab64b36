"""What can be asked about loads and the quarantine."""

from collections.abc import Callable
from dataclasses import dataclass

from documents.ingest.jobs import Doing, State
from documents.ingest.quarantine import EVERYTHING, Chosen


@dataclass(frozen=True, slots=True)
class FindJobs:
    """Read jobs, the newest first."""

    collection: str | None = None
    state: State | Doing | None = None
    key: str | None = None
    before: str | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class UndoJob:
    """Take a load back."""

    id: str
    force: bool = False


@dataclass(frozen=True, slots=True)
class ContinueUpload:
    """Go on with an upload.

    Args:
        id: Of the job.
        offset: Where its sender takes it to be.
        on_chunk: Called for each chunk that was read or kept.
    """

    id: str
    offset: int
    on_chunk: Callable[[], None] = lambda: None


@dataclass(frozen=True, slots=True)
class FindLoads:
    """Read which loads wrote a document, whose id is as in a URL."""

    collection: str
    id: str


@dataclass(frozen=True, slots=True)
class FindQuarantined:
    """Read records of the quarantine."""

    collection: str
    chosen: Chosen = EVERYTHING
    after: str | None = None
    limit: int = 50
    head_bytes: int | None = None
    """How much to have of each record; None for all that is kept beside it, which of large ones is a part."""


@dataclass(frozen=True, slots=True)
class ReadQuarantined:
    """Read one record of the quarantine."""

    collection: str
    id: str


@dataclass(frozen=True, slots=True)
class ChangeQuarantine:
    """Try records of the quarantine again, or discard them. Some must be chosen, if only by `is_all`."""

    collection: str
    chosen: Chosen
    is_all: bool = False
    force: bool = False
    """Of a replay: write also over documents that were written since a record was put aside."""
