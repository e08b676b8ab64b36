"""How far a load is, how fast it goes, and how long it will take."""

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from documents.codec.csv_columns import Column
from documents.ingest.batches import Counts
from documents.ingest.claim import Claim
from documents.ingest.jobs import Pace, State
from documents.ingest.sources.source import Source

WINDOW: Final = 30
"""Batches over which the rate is taken."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a load is.

    Args:
        counts: Of all its records so far, those of earlier runs too.
        pace: How fast it goes.
        resumed: Records that were committed before this run.
        state: Of the job.
        columns: Of CSV and TSV, as soon as they are known.
    """

    counts: Counts
    pace: Pace
    resumed: int
    state: State = State.OPEN
    columns: Sequence[Column] = ()


class Meter:
    """Counts, and tells how long it will take."""

    def __init__(self, claim: Claim, source: Source, before: Counts) -> None:
        self._claim = claim
        self._source = source
        self._counts = Counts()
        self._counts.add(before)
        self._resumed = before.received
        self._seen: deque[tuple[float, int, int]] = deque([(time.monotonic(), 0, 0)], maxlen=WINDOW)
        self._received = 0
        self._waiting_for: str | None = None
        self.is_done = False
        self.columns: Sequence[Column] = ()

    def wait(self, reason: str | None) -> None:
        """Note why it stands still; None when it goes on."""
        self._waiting_for = reason

    @property
    def counts(self) -> Counts:
        """What is committed, of earlier runs too."""
        return self._counts

    @property
    def received(self) -> int:
        """Records that are committed."""
        return self._counts.received

    def add(self, counts: Counts) -> None:
        """Count a batch."""
        self._counts.add(counts)
        self._received += counts.received
        self._seen.append((time.monotonic(), self._received, self._source.read_bytes))

    def read(self, state: State = State.OPEN) -> Progress:
        """Return how far it is, and have it written down with the next renewal."""
        (began, before, at), (now, received, read) = self._seen[0], self._seen[-1]
        seconds, total = now - began, self._source.total_bytes
        eta = (total - read) * seconds / (read - at) if total and read > at else None
        pace = Pace(
            read_bytes=self._source.read_bytes,
            total_bytes=total,
            rate=(received - before) / seconds if seconds > 0 else 0.0,
            eta_seconds=eta,
            waiting_for=self._waiting_for,
        )
        self._claim.pace = pace
        counts = Counts()
        counts.add(self._counts)
        return Progress(counts, pace, self._resumed, state, self.columns)
