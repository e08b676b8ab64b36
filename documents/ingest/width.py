"""How many transactions of a load run side by side: as many as make it faster."""

import time
from collections.abc import Callable
from typing import Final

WINDOW_SECONDS: Final = 1.0
NOTICEABLE: Final = 1.03


class Width:
    """Climbs towards the number at which most records are written a second, and tries again now and then.

    Args:
        most: The largest number, 1 or more.
        clock: Tells the time in seconds.

    Attributes:
        value: The number at the moment.
    """

    def __init__(self, most: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self.value = min(2, most)
        self._step = 1
        self._rate = 0.0
        self._records = 0
        self._since = clock()

    def wrote(self, records: int) -> None:
        """Note that so many records are committed."""
        self._records += records
        seconds = self._clock() - self._since
        if seconds < WINDOW_SECONDS:
            return
        rate = self._records / seconds
        if rate < self._rate * NOTICEABLE:  # the last step was of no use
            self._step = -self._step
        self._rate = rate
        self._go(self.value + self._step)

    def failed(self) -> None:
        """Note that the database is in trouble: it gets one transaction at a time."""
        self._step, self._rate = 1, 0.0
        self._go(1)

    def _go(self, value: int) -> None:
        self.value = min(max(value, 1), self._most)
        self._records, self._since = 0, self._clock()
