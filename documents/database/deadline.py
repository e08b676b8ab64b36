"""The time a request has, handed to the driver, and the one place where the driver's errors become ours."""

import time
from collections.abc import Iterable, Iterator
from time import perf_counter
from types import TracebackType
from typing import TypeVar

import pymongo
from bson.errors import BSONError
from pymongo.errors import PyMongoError

from documents.database.failures import translate
from documents.errors import DeadlineExceededError, UnavailableError
from documents.telemetry import current

T = TypeVar("T")


class Deadline:
    """A moment on the local monotonic clock by which a request must be answered."""

    __slots__ = ("at",)

    def __init__(self, seconds: float) -> None:
        self.at = time.monotonic() + seconds

    def remaining(self) -> float:
        """Return the seconds left; negative once it has passed."""
        return self.at - time.monotonic()

    def watch(self, items: Iterable[T]) -> Iterator[T]:
        """Yield items as long as there is time: for work in a thread, which nobody can cancel.

        Raises:
            DeadlineExceededError: There is none left. What was done so far has changed nothing.
        """
        for item in items:
            if self.remaining() <= 0:
                raise DeadlineExceededError("The body took longer to read than the request may take.", "not-applied")
            yield item


class Running:
    """Await MongoDB inside this: what is left of the deadline goes to the driver as `timeoutMS`.

    Args:
        deadline: When the request must be answered.
        writes: Whether something may have been changed when an answer is lost.

    Raises:
        StoreError: In place of any error of the driver.

    Source:
        MongoDB driver specifications, Client Side Operations Timeout.
    """

    __slots__ = ("_began", "_deadline", "_observation", "_timeout", "_writes")

    def __init__(self, deadline: Deadline, *, writes: bool) -> None:
        self._deadline = deadline
        self._writes = writes

    def __enter__(self) -> None:
        remaining = self._deadline.remaining()
        if remaining <= 0:
            raise DeadlineExceededError("There was no time left to begin.", "not-applied" if self._writes else None)
        self._observation = observation = current()
        if observation is not None:
            observation.depth += 1
            self._began = perf_counter()
        self._timeout = pymongo.timeout(remaining)
        self._timeout.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timeout.__exit__(kind, error, trace)
        if self._observation is not None:
            self._observation.depth -= 1
            if not self._observation.depth:
                self._observation.database_seconds += perf_counter() - self._began
        if isinstance(error, PyMongoError | BSONError | OverflowError):
            raise translate(error, writes=self._writes) from error
        if isinstance(error, UnavailableError) and self._writes and error.outcome is None:
            error.outcome = "unknown"
