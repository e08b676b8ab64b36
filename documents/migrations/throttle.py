"""How fast a backfill may go: a rate, a limit of the replication lag, and a flag with which operators pause it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import OperationFailure

from documents.database.connection import Connection
from documents.database.deadline import Deadline, Running
from documents.types import SYSTEM_PREFIX, Document

FLAGS: Final = f"{SYSTEM_PREFIX}throttle"
MIGRATIONS: Final = "migrations"
STEP_LIMIT: Final = timedelta(seconds=30)
"""Longest that one read or write may take."""

UNREADABLE: Final = frozenset({13, 59, 76})
"""Unauthorized, CommandNotFound (a router of a sharded cluster), NoReplicationEnabled."""

PRIMARY: Final = 1
SECONDARY: Final = 2


@dataclass(frozen=True, slots=True)
class Throttle:
    """How fast a backfill may go. Whatever this says, it stands still while it is paused (`set_paused`).

    Args:
        rate: Documents a second, above 0; None for no limit.
        max_lag: It stands still while the slowest secondary is further behind; None for no limit.
        poll: Time between two looks at the lag and at the flag.
    """

    rate: float | None = None
    max_lag: timedelta | None = None
    poll: timedelta = timedelta(seconds=1)

    def seconds_ahead(self, documents: int, seconds: float) -> float:
        """Return how long to wait after so many documents in so many seconds, to keep to the rate."""
        return 0.0 if self.rate is None else max(0.0, documents / self.rate - seconds)

    def limit(self, batch_size: int) -> int:
        """Return how many documents to take at once: no more than a second's worth."""
        return batch_size if self.rate is None else max(1, min(batch_size, int(self.rate)))


FULL_SPEED: Final = Throttle()


async def set_paused(database: AsyncDatabase[Document], is_paused: bool) -> None:  # noqa: FBT001  # it is the value
    """Pause every backfill of this database, those that start later too, or let them go on."""
    with Running(Deadline(STEP_LIMIT.total_seconds()), writes=True):
        await database[FLAGS].update_one(
            {"_id": MIGRATIONS},
            {"$set": {"is_paused": is_paused}, "$currentDate": {"at": True}},
            upsert=True,
        )


async def is_paused(database: AsyncDatabase[Document]) -> bool:
    """Say whether backfills of this database are paused."""
    with Running(Deadline(STEP_LIMIT.total_seconds()), writes=False):
        found = await database[FLAGS].find_one({"_id": MIGRATIONS})
    return found is not None and bool(found.get("is_paused"))


async def read_lag(connection: Connection) -> timedelta | None:
    """Return how far the slowest secondary is behind the primary; None if this user may not know.

    Source:
        MongoDB manual, replSetGetStatus; it needs the role clusterMonitor.
    """
    with Running(Deadline(STEP_LIMIT.total_seconds()), writes=False):
        try:
            status = await connection.client.admin.command("replSetGetStatus")
        except OperationFailure as error:
            if error.code in UNREADABLE:
                return None
            raise
    return lag_of(status)


def lag_of(status: Mapping[str, Any]) -> timedelta | None:
    """Return how far the slowest secondary is behind; zero without secondaries, None without a primary.

    Args:
        status: What `replSetGetStatus` answers.
    """
    members = status["members"]
    newest = [member["optimeDate"] for member in members if member["state"] == PRIMARY]
    if not newest:
        return None
    behind = [newest[0] - member["optimeDate"] for member in members if member["state"] == SECONDARY]
    return max([*behind, timedelta(0)])
