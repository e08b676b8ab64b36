"""Keeps a request within its time, and ends it when its client goes away."""

import asyncio
from enum import Enum, auto
from typing import Final

from api.exchange import Exchange

PATIENCE_SECONDS: Final = 0.1
"""Most requests are answered sooner, and for them nobody has to watch."""

GRACE_SECONDS: Final = 0.1
"""How much later than the deadline the guard ends a request: what has the deadline itself ends sooner, and knows what
became of a write."""


class Ending(Enum):
    """Why a request was cut short: its client has gone, its time is up, or its body did not come in time."""

    GONE = auto()
    LATE = auto()
    UNSENT = auto()


class Guard:
    """Watches one request from the side.

    Args:
        exchange: The request, served by the current task.
    """

    __slots__ = ("_exchange", "_target", "_timer", "_watcher", "ending")

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        loop = asyncio.get_running_loop()
        self._target: asyncio.Task[object] | None = asyncio.current_task(loop)
        self._watcher: asyncio.Task[None] | None = None
        self.ending: Ending | None = None
        self._timer = loop.call_later(PATIENCE_SECONDS, self._begin)

    def stop(self) -> None:
        """Stop watching."""
        self._timer.cancel()
        if self._watcher is not None:
            self._watcher.cancel()

    def claims(self, task: asyncio.Task[object] | None) -> bool:
        """Whether the cancellation of `task` was this guard's doing; if so, it is taken back."""
        if self.ending is None or task is None:
            return False
        task.uncancel()
        return True

    def _begin(self) -> None:
        loop = asyncio.get_running_loop()
        if not self._exchange.reading:
            self._watcher = loop.create_task(self._watch())
        elif self._exchange.deadline.remaining() > 0:
            self._timer = loop.call_later(PATIENCE_SECONDS, self._begin)
        else:
            self._end(Ending.LATE if self._exchange.storing else Ending.UNSENT)

    async def _watch(self) -> None:
        try:
            async with asyncio.timeout(max(self._exchange.deadline.remaining() + GRACE_SECONDS, 0)):
                while (await self._exchange.receive())["type"] != "http.disconnect":
                    pass
            self._end(Ending.GONE)
        except TimeoutError:
            self._end(Ending.LATE)

    def _end(self, ending: Ending) -> None:
        self.ending = ending
        if self._target is not None:
            self._target.cancel()
