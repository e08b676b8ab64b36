"""What is noted of a request while it is served, for its line in the log, its metrics and its trace.

The request that a task works for is in `CURRENT`. Work that is shared by several requests, such as a batch of reads,
runs in a context of its own and has none; each of them notes how long it waited for it.
"""

from contextvars import ContextVar
from time import perf_counter
from typing import Final


class Observation:
    """One request, as it is served. Times are in seconds.

    Args:
        request_id: Given by the client, or made.
        trace_id: Of the trace that it belongs to, 32 hexadecimal digits; empty without one.
    """

    status = 0
    sent_bytes = 0
    is_answered = False
    """Whether the last byte has been sent."""

    documents = 0
    processor_seconds = 0.0
    database_seconds = 0.0
    depth = 0
    """Of waits for MongoDB inside one another; only the outermost counts."""

    code = ""
    reason = ""

    def __init__(self, request_id: str, trace_id: str = "") -> None:
        self.request_id: Final = request_id
        self.trace_id: Final = trace_id
        self.began: Final = perf_counter()

    def fail(self, code: str, reason: str) -> None:
        """Note the error that the answer tells."""
        self.code, self.reason = code, reason


CURRENT: Final[ContextVar[Observation | None]] = ContextVar("sheaf_observation", default=None)


def current() -> Observation | None:
    """Return the observation of the request that this task works for, if it works for one."""
    return CURRENT.get()


def note_documents(count: int) -> None:
    """Note that the answer has so many documents."""
    observation = CURRENT.get()
    if observation is not None:
        observation.documents += count
