"""A job with its numbers, as people and programs are told of it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from documents.codec.strict import parse_json
from documents.ingest.batches import Books
from documents.ingest.jobs import Doing, Job, Mode, State


@dataclass(frozen=True, slots=True)
class JobReport:
    """A job, and what its batches say.

    Args:
        job: The job.
        books: In numbers, and the first things that were wrong.
        upload_offset: Bytes of its upload that are here; None where it has none, or it is loaded.
    """

    job: Job
    books: Books
    upload_offset: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the job report as JSON values."""
        job, load, pace = self.job, self.job.load, self.job.pace
        return {
            "id": job.id,
            "collection": load.collection,
            "state": self.state,
            "mode": load.mode,
            "on": None if load.mode is Mode.INSERT else list(load.on),
            "format": load.form,
            "origin": load.origin,
            "mapping": None if load.mapping is None else parse_json(load.mapping.encode()),
            "source": load.name,
            "key": load.key,
            "created": _moment(job.created),
            "finished": _moment(job.finished),
            **self.books.counts.to_dict(),
            "discarded": dict(self.books.discarded),
            "bytes": pace.read_bytes,
            "total_bytes": pace.total_bytes,
            "upload_offset": self.upload_offset,
            "rate": round(pace.rate),
            "eta_seconds": None if pace.eta_seconds is None or not self.is_open else round(pace.eta_seconds),
            "waiting_for": pace.waiting_for if self.is_open else None,
            "faults": [fault.to_dict() for fault in self.books.faults],
            "cursor": None if load.cursor is None else {"name": load.cursor.name, "field": load.cursor.field},
            "error": job.error,
            "undone": job.undone,
            "notes": list(job.notes),
            "expectations": [dict(finding) for finding in job.findings],
        }

    @property
    def is_open(self) -> bool:
        """Whether it is to be worked on."""
        return self.job.state in (State.OPEN, State.UNDOING)

    @property
    def state(self) -> str:
        """The state in a word: an open job is receiving, running or waiting."""
        job = self.job
        if job.state is not State.OPEN:
            return job.state
        if job.upload is not None and not job.upload.is_complete:
            return Doing.RECEIVING
        return Doing.RUNNING if job.holder is not None and job.holder.is_alive else Doing.WAITING


def _moment(at: datetime | None) -> str | None:
    return None if at is None else f"{at.replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"
