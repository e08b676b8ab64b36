"""The profile of a whole collection, which goes on where it was when it is killed."""

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from documents.collections.profile_checkpoints import SECONDS, Checkpoint, ProfileCheckpoints, key_of
from documents.collections.profiling import add_slowly
from documents.collections.walk import PAGE, walk
from documents.database.connection import Connection
from documents.database.deadline import Deadline, Running
from documents.profile.accumulator import Profile
from documents.types import Document

CHECKPOINT_EVERY: Final = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class ProfileProgress:
    """How far a profile is.

    Args:
        profile: What was seen so far; it grows on.
        done: Documents walked past.
        total: About how many there are.
        resumed: How many of `done` were walked past before, by a run that was stopped.
        is_done: Whether all were seen.
    """

    profile: Profile
    done: int
    total: int
    resumed: int
    is_done: bool = False


async def profile_all(
    connection: Connection,
    collection: str,
    *,
    where: Document | None = None,
    redact: bool = False,
    fresh: bool = False,
    page: int = PAGE,
    checkpoint_every: timedelta = CHECKPOINT_EVERY,
) -> AsyncGenerator[ProfileProgress]:
    """Look at all documents in the order of `_id`, and yield how far it is after each page.

    Goes on where an earlier run with the same arguments was stopped. Documents that are stored meanwhile with an id
    that was passed already are not seen. Writes checkpoints, which are deleted at the end, and nothing else.

    Args:
        connection: To MongoDB.
        collection: Name of the collection.
        where: Which of its documents.
        redact: Keep no values.
        fresh: Begin anew, whatever an earlier run has seen.
        page: Documents from one place to the next.
        checkpoint_every: Time between two checkpoints.

    Raises:
        StoreError: MongoDB cannot answer. Run it again, and it goes on.
    """
    profile = Profile(redact=redact)
    checkpoints = ProfileCheckpoints(connection, await key_of(connection, collection, where or {}, profile))
    known = None if fresh else await checkpoints.read()
    with Running(Deadline(SECONDS), writes=False):
        total = await connection.collection(collection).estimated_document_count()
    profile = profile if known is None else known.profile
    resumed = done = 0 if known is None else known.done
    place = None if known is None else known.place
    yield ProfileProgress(profile, done, max(total, done), resumed)
    saved = time.monotonic()
    async with aclosing(walk(connection, collection, where=where, place=place, page=page)) as strides:
        async for stride in strides:
            await add_slowly(profile, stride.documents)
            if not stride.passed:
                continue
            done += stride.passed
            if stride.place is not None and time.monotonic() - saved >= checkpoint_every.total_seconds():
                await checkpoints.write(Checkpoint(profile, stride.place, done), collection)
                saved = time.monotonic()
            yield ProfileProgress(profile, done, max(total, done), resumed)
    await checkpoints.forget()
    yield ProfileProgress(profile, done, done, resumed, is_done=True)
