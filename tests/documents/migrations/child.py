"""A process that backfills, for tests that kill it.

It says how far it is, a line for each batch, and waits each time for a line in return; at its end it says what memory
it took.
"""

import asyncio
import sys
from datetime import timedelta
from pathlib import Path

from documents.database.connection import Connection
from documents.migrations.backfill import run_backfill
from documents.migrations.compile import compile_operation
from documents.migrations.errors import LockLostError
from documents.migrations.lock import hold_lock
from documents.migrations.operations import UpdateDocuments

NAME = "things"
KEY = "killed"
LOST = 3
COUNT = UpdateDocuments(NAME, {}, {"$inc": {"times": 1}})
"""Must not be done twice."""


async def backfill(uri: str, database: str, seconds: float) -> None:
    """Backfill until it is done, holding the lock for so long at a time."""
    connection = Connection(uri, database=database, max_pool_size=5)
    change = compile_operation(COUNT)
    try:
        async with hold_lock(connection.database, purpose="test", ttl=timedelta(seconds=seconds)) as lock:
            async for progress in run_backfill(connection, change, key=KEY, lock=lock, batch_size=100):
                _say(f"done {progress.done}")
                await asyncio.to_thread(sys.stdin.readline)
    finally:
        await connection.close()
    _say(f"peak {_peak_kb()}")


def _peak_kb() -> int:
    """Return the most memory that this program had. What `getrusage` says may be of the process that started it."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    try:
        asyncio.run(backfill(sys.argv[1], sys.argv[2], float(sys.argv[3])))
    except LockLostError as error:
        _say(f"lost {error}")
        sys.exit(LOST)
