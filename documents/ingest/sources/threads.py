"""Blocking calls in threads that nobody has to wait for."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TypeVar

T = TypeVar("T")


async def in_thread(work: Callable[[], T]) -> T:
    """Return what `work` gives.

    The process does not wait for its thread, as it does for those of `asyncio.to_thread`: who stops waiting for a
    silent pipe or server can end.
    """
    loop = asyncio.get_running_loop()
    found: asyncio.Future[T] = loop.create_future()

    def settle(settling: Callable[[], None]) -> None:
        if not found.done():
            settling()

    def run() -> None:
        settling: Callable[[], None]
        try:
            settling = partial(found.set_result, work())
        except Exception as error:  # noqa: BLE001  # raised where it is awaited
            settling = partial(found.set_exception, error)
        with suppress(RuntimeError):  # the loop is closed, as nobody waits any more
            loop.call_soon_threadsafe(settle, settling)

    threading.Thread(target=run, name="source", daemon=True).start()
    return await found
