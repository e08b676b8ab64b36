"""Work on large values in a thread, so that other requests are served in the meantime."""

import asyncio
from collections.abc import Callable
from typing import Final, TypeVar
from weakref import WeakKeyDictionary

T = TypeVar("T")

LARGE_BYTES: Final = 128 * 1024
"""From this size on it takes longer to work on a document than to hand it to a thread."""

LARGE_WEIGHT: Final = 4096
"""The same of a document that is Python values already, as `is_heavy` weighs it."""

AT_ONCE: Final = 2
"""Large values that are worked on at once, by one event loop. Others wait, before they take memory for what they make;
and the loop never finds more of them done at a time than it can send in a moment."""

_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()


async def aside(work: Callable[[], T], *, large: bool) -> T:
    """Return what some work gives, which is done in a thread if it is `large`.

    A thread that is at work is not stopped when nobody waits for it any more, so the work has to be bounded.
    """
    if not large:
        return work()
    async with _turns.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(AT_ONCE)):
        return await asyncio.to_thread(work)
