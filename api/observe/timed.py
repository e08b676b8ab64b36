"""How long the event loop is kept by one request, without what the request waits for."""

from collections.abc import Coroutine, Generator
from time import perf_counter
from typing import Any

from documents.telemetry import Observation


class Timed:
    """Awaits a coroutine and adds the time of each of its steps to an observation.

    Args:
        work: The coroutine.
        observation: Whose `processor_seconds` grow.
    """

    __slots__ = ("_observation", "_work")

    def __init__(self, work: Coroutine[Any, Any, None], observation: Observation) -> None:
        self._work = work
        self._observation = observation

    def __await__(self) -> Generator[Any, Any, None]:
        """Run it, step by step; what cancels this cancels it."""
        work, observation = self._work, self._observation
        error: BaseException | None = None
        while True:
            began = perf_counter()
            try:
                waited_for = work.send(None) if error is None else work.throw(error)
            except StopIteration:
                return
            finally:
                observation.processor_seconds += perf_counter() - began
            error = None
            try:
                yield waited_for
            except BaseException as thrown:  # noqa: BLE001  # it is the coroutine's, also where it ends it
                error = thrown
