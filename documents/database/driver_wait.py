"""Mends how PyMongo waits on its pool's conditions under Python 3.11.

PyMongo awaits `asyncio.wait_for(condition.wait(), ...)` while it holds the condition's lock. Before Python 3.12
`wait_for` runs its argument as a task of its own, and when it is cancelled a second time it returns while that task
has yet to take the lock back. The pool then releases a lock that somebody else holds, and the task takes it for good:
every later request waits until its deadline. `asyncio.timeout`, on which `wait_for` stands since 3.12, makes no task.

See docs/decisions/0011-python-3-11-and-the-pool.md.
"""

import asyncio
import sys
from collections.abc import Awaitable
from typing import TypeVar

import pymongo.lock

T = TypeVar("T")


async def wait_in_this_task(awaitable: Awaitable[T], timeout: float | None) -> T:  # noqa: ASYNC109  # as `wait_for` has it
    """Await in the current task, as `asyncio.wait_for` does since Python 3.12."""
    async with asyncio.timeout(timeout):
        return await awaitable


def mend_driver_wait() -> None:
    """Have PyMongo wait in the task that holds the lock. Idempotent; does nothing from Python 3.12 on."""
    if sys.version_info < (3, 12) and hasattr(pymongo.lock, "wait_for"):
        pymongo.lock.wait_for = wait_in_this_task  # pyright: ignore[reportPrivateImportUsage, reportAttributeAccessIssue]  # a name of that module alone
