"""A brake before the disk of the embedded MongoDB is full: mongod aborts when it cannot write."""

import asyncio
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

from documents.database.connection import Connection

SAMPLE_SECONDS: Final = 0.5
SHARE: Final = 0.1
"""Of a disk, what is kept free at most: a small one would have no room at all otherwise."""

RELEASE: Final = 1.1
"""Times what is kept free: the room there has to be before documents are added again."""

_log = logging.getLogger("sheaf")

Usage = Callable[[Path], tuple[int, int, int]]
"""Returns total, used and free bytes of the disk with a folder."""


def kept_free(total: int, reserve_bytes: int) -> int:
    """Return the bytes to keep free on a disk of `total` bytes."""
    return min(reserve_bytes, int(total * SHARE))


async def watch_disk(
    folder: Path, connection: Connection, reserve_bytes: int, *, usage: Usage = shutil.disk_usage
) -> None:
    """Have the connection refuse what adds documents while the disk is short of room, until cancelled.

    Args:
        folder: On the disk that MongoDB writes to.
        connection: Told of the shortage, and of its end.
        reserve_bytes: What is to stay free.
        usage: How the disk is measured.
    """
    while True:
        try:
            total, _, free = usage(folder)
        except OSError:  # the folder is gone; whoever reads it says so
            return
        reserve = kept_free(total, reserve_bytes)
        if connection.shortage is None and free < reserve:
            connection.shortage = (
                f"The disk with {folder} has {free:,} bytes left, and {reserve:,} are kept free "
                "(SHEAF_DISK_RESERVE_BYTES). Free some; nothing is added until then."
            )
            _log.error("%s", connection.shortage)
        elif connection.shortage is not None and free >= reserve * RELEASE:
            connection.shortage = None
            _log.warning("The disk with %s has room again.", folder)
        await asyncio.sleep(SAMPLE_SECONDS)
