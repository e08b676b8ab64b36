"""Waits for the embedded MongoDB, and keeps it running: who holds a lease on it starts it again when it has ended."""

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import chain, repeat
from typing import Final

from pymongo.errors import PyMongoError

from documents.database.connection import Connection
from documents.database.embedded import EmbeddedMongo, EmbeddedMongoError

OUTAGE: Final = "The embedded MongoDB has ended and is being started again."
PAUSES: Final = (0.0, 0.25, 0.5, 1.0)
LONGEST_PAUSE: Final = 2.0
"""Before a start: none before the first one, then longer and longer ones, until it has run for a while."""

STEADY_SECONDS: Final = 10.0
GIVE_UP_SECONDS: Final = 2.0

_log = logging.getLogger("sheaf")


async def await_lease(take: Callable[[Callable[[], bool]], EmbeddedMongo]) -> EmbeddedMongo:
    """Return a lease on the embedded MongoDB. Who is cancelled meanwhile gives up at once.

    Args:
        take: Takes the lease, in a thread. What it is given says when to give up.
    """
    loop, given_up = asyncio.get_running_loop(), threading.Event()
    taken: asyncio.Future[EmbeddedMongo] = loop.create_future()

    def tell(lease: EmbeddedMongo | None, error: BaseException | None) -> None:
        if taken.cancelled():
            return
        if error is not None:
            taken.set_exception(error)
        elif lease is not None:
            taken.set_result(lease)

    def work() -> None:
        lease, error = None, None
        try:
            lease = take(given_up.is_set)
        except BaseException as raised:  # noqa: BLE001  # told to who waits
            error = raised
        if lease is not None and given_up.is_set():
            lease.release()
            return
        with suppress(RuntimeError):  # the loop was closed meanwhile
            loop.call_soon_threadsafe(tell, lease, error)

    # Not one of the loop's own threads, for whose end it would wait when it closes.
    thread = threading.Thread(target=work, daemon=True, name="sheaf-lease")
    thread.start()
    try:
        return await taken
    except asyncio.CancelledError:
        given_up.set()
        await asyncio.to_thread(thread.join, GIVE_UP_SECONDS)
        raise


async def keep_running(lease: EmbeddedMongo, connection: Connection) -> None:
    """Start the mongod again whenever it ends, until cancelled. Meanwhile requests are answered at once.

    Its end is told by the kernel, through the lock that it holds. Of several processes that hold a lease on it, the
    first one starts it and the others join it.
    """
    loop, pauses = asyncio.get_running_loop(), _pauses()
    while True:
        began = loop.time()
        await _until_ended(lease)
        connection.fail(OUTAGE)
        _log.error("The embedded MongoDB in %s has ended. It is started again.", lease.data_dir)
        if loop.time() - began > STEADY_SECONDS:
            pauses = _pauses()
        await _revive(lease, pauses)
        connection.restore()
        _log.warning("The embedded MongoDB runs again, as process %d.", lease.pid)


def _pauses() -> Iterator[float]:
    return chain(PAUSES, repeat(LONGEST_PAUSE))


async def _until_ended(lease: EmbeddedMongo) -> None:
    loop, ended = asyncio.get_running_loop(), asyncio.Event()

    def wait() -> None:
        with suppress(OSError):  # of a folder that is gone: so is its MongoDB
            lease.wait_until_ended()
        with suppress(RuntimeError):  # the loop was closed meanwhile
            loop.call_soon_threadsafe(ended.set)

    # Not one of the loop's own threads, for whose end it would wait when it closes.
    threading.Thread(target=wait, daemon=True, name="sheaf-mongod").start()
    await ended.wait()


async def _revive(lease: EmbeddedMongo, pauses: Iterator[float]) -> None:
    said = ""
    for pause in pauses:
        await asyncio.sleep(pause)
        try:
            await asyncio.to_thread(lease.revive)
        except (EmbeddedMongoError, PyMongoError) as error:
            if str(error) != said:
                _log.error("%s", said := str(error))
        else:
            return
