"""How often fields were discarded, and which: kept in the database, so that nothing goes unnoticed."""

import asyncio
import logging
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Final

from pymongo import UpdateOne

from documents.database.connection import Connection
from documents.database.deadline import Deadline, Running
from documents.errors import StoreError
from documents.types import SYSTEM_PREFIX

DISCARDED: Final = f"{SYSTEM_PREFIX}discarded"
MAX_PATHS: Final = 500
"""Paths of one collection that a process counts by name; the others are counted together, under `…`."""

OTHERS: Final = "…"
MAX_SHOWN: Final = 1000
MAX_PATH: Final = 200
COUNT_SECONDS: Final = 5.0
_POSITION: Final = re.compile(r"(?<=/)[0-9]+(?=/|$)")
_log = logging.getLogger("sheaf")


@dataclass(frozen=True, slots=True)
class Discarded:
    """What one write left out.

    Args:
        collection: Where it was written to.
        pointers: Of the fields, in the document as it was sent.
    """

    collection: str
    pointers: tuple[str, ...]


class DiscardCounts:
    """Counts what is discarded, those who wait at the same moment in one round trip.

    Args:
        connection: To MongoDB.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._pending: Counter[tuple[str, str]] = Counter()
        self._known: dict[str, set[str]] = {}
        self._lock = asyncio.Lock()

    async def add(self, discards: Iterable[Discarded]) -> None:
        """Count what writes that are done have left out.

        What cannot be counted for want of a database is logged, and counted with the next.
        """
        for each in discards:
            self._pending.update((each.collection, self._path(each.collection, pointer)) for pointer in each.pointers)
        async with self._lock:
            pending, self._pending = self._pending, Counter()
            if not pending:
                return
            try:
                with Running(Deadline(COUNT_SECONDS), writes=True):
                    await self._write(pending)
            except StoreError as error:
                self._pending.update(pending)
                _log.warning("%d discarded fields are not counted yet: %s", pending.total(), error.detail)
            except BaseException:
                self._pending.update(pending)  # rather too many than too few
                raise

    async def of(self, collection: str) -> dict[str, int]:
        """Return how often each path was discarded, those most often first."""
        await self.add(())  # what could not be counted before
        cursor = self._connection.collection(DISCARDED).find({"collection": collection}, sort=[("count", -1)])
        return {found["path"]: found["count"] async for found in cursor.limit(MAX_SHOWN)}

    async def _write(self, pending: Counter[tuple[str, str]]) -> None:
        now = datetime.now(UTC)
        await self._connection.collection(DISCARDED).bulk_write(
            [
                UpdateOne(
                    {"_id": blake2b(f"{collection}\0{path}".encode(errors="replace"), digest_size=16).hexdigest()},
                    {
                        "$setOnInsert": {"collection": collection, "path": path, "since": now},
                        "$inc": {"count": count},
                        "$max": {"last": now},
                    },
                    upsert=True,
                )
                for (collection, path), count in pending.items()
            ],
            ordered=False,
        )

    def _path(self, collection: str, pointer: str) -> str:
        """Return what a field is counted under: its pointer, with `*` for positions in arrays."""
        path = path_of(pointer)
        known = self._known.setdefault(collection, set())
        if path not in known and len(known) >= MAX_PATHS:
            return OTHERS
        known.add(path)
        return path


def path_of(pointer: str) -> str:
    """Return a pointer with `*` for positions in arrays, cut where it is very long."""
    return _POSITION.sub("*", pointer)[:MAX_PATH]
