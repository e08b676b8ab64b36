"""What the documents of a load look like: of all of them if they are few, else of a sample taken while they are loaded.

To look at a document costs as much as to load it, so of many only some are looked at, always the same ones. The profile
is written down every few seconds. When a load is killed, those that it had looked at since are not in it.
"""

import asyncio
import time
from collections.abc import Sequence
from typing import Any, Final

from bson.raw_bson import RawBSONDocument

from documents.codec.encode import encode
from documents.codec.stored import StoredDocument
from documents.collections.profile_checkpoints import Checkpoint, ProfileCheckpoints
from documents.database.connection import Connection
from documents.profile.accumulator import Profile

WHOLE: Final = 5000
"""Documents of which each is looked at."""

EVERY: Final = 50
"""Of those that follow, one in so many is."""

SAVE_SECONDS: Final = 5.0


class LoadProfile:
    """The profile of one load.

    Args:
        connection: Where it is kept.
        job_id: Whose.
        collection: Where the load goes.
    """

    def __init__(self, connection: Connection, job_id: str, collection: str) -> None:
        self._checkpoints = ProfileCheckpoints(connection, key_of(job_id))
        self._place = RawBSONDocument(encode({"_id": job_id}))
        self._collection = collection
        self._profile = Profile()
        self._offered = 0
        self._saved = time.monotonic()

    async def open(self, received: int) -> None:
        """Go on with what an earlier run has seen.

        Args:
            received: Records that are committed already.
        """
        known = await self._checkpoints.read()
        self._offered = received
        if known is not None:
            self._profile = known.profile

    def choose(self, documents: Sequence[Any]) -> Sequence[Any]:
        """Return those of some successive documents that are to be looked at."""
        start, self._offered = self._offered, self._offered + len(documents)
        return [each for place, each in enumerate(documents, start) if place < WHOLE or place % EVERY == 0]

    async def add(self, documents: Sequence[bytes], received: int) -> None:
        """Look at documents, as they are stored, and write down now and then what was seen.

        Args:
            documents: Chosen ones.
            received: Records of the load that are committed.
        """
        if documents:
            await asyncio.to_thread(self._add, documents)
        if time.monotonic() - self._saved >= SAVE_SECONDS:
            await self.save(received)

    async def save(self, received: int) -> None:
        """Write down what was seen."""
        if self._profile.documents:
            await self._checkpoints.write(Checkpoint(self._profile, self._place, received), self._collection)
        self._saved = time.monotonic()

    def _add(self, documents: Sequence[bytes]) -> None:
        self._profile.add_all([StoredDocument(raw).decode() for raw in documents])


def key_of(job_id: str) -> str:
    """Return under which name the profile of a load is kept."""
    return f"load:{job_id}"


async def read_load_profile(connection: Connection, job_id: str) -> tuple[Profile, int] | None:
    """Return what was seen of a load's documents, and how many records it had then; None if that was nothing."""
    found = await ProfileCheckpoints(connection, key_of(job_id)).read()
    return None if found is None else (found.profile, found.done)
