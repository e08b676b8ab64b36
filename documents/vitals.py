"""What MongoDB tells of itself and of what Sheaf keeps in it, for metrics. Reads only."""

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from documents.database.connection import Connection
from documents.database.deadline import Deadline, Running
from documents.errors import StoreError
from documents.ingest.jobs import JOBS
from documents.ingest.quarantine import QUARANTINE
from documents.types import EMPTY

T = TypeVar("T")
SECONDS: Final = 2.0
"""For each question. A scrape must not wait for a MongoDB that does not answer."""


@dataclass(frozen=True, slots=True)
class Vitals:
    """What was found. What could not be asked, for want of rights or of an answer, is None.

    Args:
        has_primary: Whether a primary answered.
        jobs: Number of loads by state.
        quarantined: Number of records that are put aside, by collection.
        index_builds: Indexes that are being built.
        server: Numbers of `serverStatus` by name.
        lag_seconds: How far each secondary is behind the primary, by host.
    """

    has_primary: bool = False
    jobs: Mapping[str, int] | None = None
    quarantined: Mapping[str, int] | None = None
    index_builds: int | None = None
    server: Mapping[str, float] | None = None
    lag_seconds: Mapping[str, float] = field(default_factory=lambda: EMPTY)


async def read_vitals(connection: Connection) -> Vitals:
    """Return what MongoDB tells now."""
    hello = await _asked(connection.ping())
    if hello is None or not (hello.get("isWritablePrimary") or hello.get("msg") == "isdbgrid"):
        return Vitals()
    return Vitals(
        has_primary=True,
        jobs=await _asked(_counts(connection, JOBS, "$state")),
        quarantined=await _asked(_counts(connection, QUARANTINE, "$collection")),
        index_builds=await _asked(_index_builds(connection)),
        server=await _asked(_server(connection)),
        lag_seconds=await _asked(_lag(connection)) or {},
    )


async def _asked(question: Awaitable[T]) -> T | None:
    try:
        with Running(Deadline(SECONDS), writes=False):
            return await question
    except StoreError:
        return None


async def _counts(connection: Connection, name: str, path: str) -> dict[str, int]:
    pipeline = [{"$group": {"_id": path, "count": {"$sum": 1}}}]
    cursor = await connection.collection(name).aggregate(pipeline)
    return {str(found["_id"]): int(found["count"]) async for found in cursor}


async def _index_builds(connection: Connection) -> int:
    own = {"currentOp": 1, "$ownOps": True, "command.createIndexes": {"$exists": True}}
    return len((await connection.client.admin.command(own))["inprog"])


async def _server(connection: Connection) -> dict[str, float]:
    unwanted = dict.fromkeys(("wiredTiger", "metrics", "locks", "tcmalloc", "transactions"), 0)
    status: Mapping[str, Any] = await connection.client.admin.command({"serverStatus": 1, **unwanted})
    found = {
        "uptime_seconds": status.get("uptime"),
        "connections": status.get("connections", {}).get("current"),
        "connections_available": status.get("connections", {}).get("available"),
        "resident_bytes": status.get("mem", {}).get("resident", 0) * 1024 * 1024,
        **{f"operations_{name}": count for name, count in status.get("opcounters", {}).items()},
    }
    return {name: float(value) for name, value in found.items() if isinstance(value, int | float)}


async def _lag(connection: Connection) -> dict[str, float]:
    members: list[dict[str, Any]] = (await connection.client.admin.command("replSetGetStatus"))["members"]
    last = {member["stateStr"]: member["optimeDate"] for member in members if "optimeDate" in member}
    primary = last.get("PRIMARY")
    return {
        str(member["name"]): max((primary - member["optimeDate"]).total_seconds(), 0.0)
        for member in members
        if primary is not None and member["stateStr"] == "SECONDARY" and "optimeDate" in member
    }
