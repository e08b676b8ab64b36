"""Uploads: the bytes of a request, kept in the database until they are loaded, so that any process can load them.

They are cut into chunks as they come. An upload that broke off goes on behind its last chunk.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Final

from bson.int64 import Int64
from pymongo.errors import DuplicateKeyError

from documents.database.connection import Connection
from documents.database.deadline import Deadline, Running
from documents.errors import JobConflictError, UploadConflictError
from documents.ingest.jobs import JobStore, State
from documents.types import SYSTEM_PREFIX, Document

UPLOADS: Final = f"{SYSTEM_PREFIX}uploads"
CHUNK_BYTES: Final = 1024 * 1024
STEP_SECONDS: Final = 30.0
POLL_SECONDS: Final = 0.2
SILENCE_SECONDS: Final = 60.0
"""A load does not wait longer for more of its upload. It goes on when there is some."""


class UploadStore:
    """The uploads of all jobs.

    Args:
        connection: Where they are kept.
    """

    def __init__(self, connection: Connection) -> None:
        self._chunks = connection.collection(UPLOADS)
        self._arrivals: dict[str, asyncio.Event] = {}

    async def offset(self, job_id: str) -> tuple[int, int]:
        """Return how many bytes of an upload are here, in how many chunks."""
        last = await self._chunks.find_one(_of(job_id), {"end": 1, "number": 1}, sort=[("_id", -1)])
        return (0, 0) if last is None else (int(last["end"]), last["number"] + 1)

    async def append(self, job_id: str, number: int, start: int, data: bytes) -> None:
        """Keep one more chunk, durably.

        Raises:
            UploadConflictError: Somebody else sends the same upload.
        """
        chunk: Document = {
            "_id": _key(job_id, number),
            "number": number,
            "end": Int64(start + len(data)),
            "data": data,
            "at": datetime.now(UTC),
        }
        try:
            await self._chunks.insert_one(chunk)
        except DuplicateKeyError:
            raise UploadConflictError((await self.offset(job_id))[0]) from None
        self.announce(job_id)

    async def read(self, job_id: str, number: int) -> bytes | None:
        """Return a chunk; None if it is not here yet."""
        found = await self._chunks.find_one({"_id": _key(job_id, number)}, {"data": 1})
        return None if found is None else bytes(found["data"])

    async def last_arrival(self, job_id: str) -> datetime | None:
        """Return when the last chunk came, in UTC; None if none has."""
        last = await self._chunks.find_one(_of(job_id), {"at": 1}, sort=[("_id", -1)])
        return None if last is None else last["at"]

    async def remove(self, job_id: str) -> None:
        """Forget an upload."""
        self._arrivals.pop(job_id, None)
        await self._chunks.delete_many(_of(job_id))

    def announce(self, job_id: str) -> None:
        """Wake who waits in this process for more of an upload."""
        self._arrivals.pop(job_id, asyncio.Event()).set()

    async def arrival(self, job_id: str, *, seconds: float) -> None:
        """Return when there is more of an upload; of what comes through another process nobody tells."""
        event = self._arrivals.setdefault(job_id, asyncio.Event())
        try:
            async with asyncio.timeout(seconds):
                await event.wait()
        except TimeoutError:
            return


class UploadSource:
    """An upload as a load reads it, while it still comes in.

    Args:
        uploads: Where it is.
        jobs: Where it stands whether all of it is here.
        job_id: Whose.
        is_wanted: Tells whether other jobs wait for this one to make room.
    """

    def __init__(
        self, uploads: UploadStore, jobs: JobStore, job_id: str, *, is_wanted: Callable[[], bool] = lambda: False
    ) -> None:
        self._uploads = uploads
        self._jobs = jobs
        self._job_id = job_id
        self._is_wanted = is_wanted
        self.read_bytes = 0
        self.total_bytes: int | None = None

    async def chunks(self) -> AsyncGenerator[bytes]:
        """Yield the upload in pieces.

        Raises:
            UploadPausedError: Nothing more has come for a minute, or for a moment while other jobs wait; or the job
                has ended.
        """
        number, silence, has_waited = 0, Deadline(SILENCE_SECONDS), False
        while True:
            with Running(Deadline(STEP_SECONDS), writes=False):
                chunk = await self._uploads.read(self._job_id, number)
                job = None if chunk is not None else await self._jobs.get(self._job_id)
            if chunk is not None:
                number, silence, has_waited = number + 1, Deadline(SILENCE_SECONDS), False
                self.read_bytes += len(chunk)
                yield chunk
            elif job is None or job.upload is None or job.state is not State.OPEN or job.is_cancelling:
                raise UploadPausedError
            elif job.upload.is_complete:
                if self.read_bytes >= (job.upload.size_bytes or 0):
                    self.total_bytes = job.upload.size_bytes
                    return
            elif silence.remaining() <= 0 or (has_waited and self._is_wanted()):
                raise UploadPausedError
            else:
                await self._uploads.arrival(self._job_id, seconds=POLL_SECONDS)
                has_waited = True


class UploadPausedError(Exception):
    """Nothing more of an upload is there to be read. The load goes on when there is, unless nobody wants it to."""


class Receiver:
    """Takes the bytes of one upload in, from wherever it was.

    Args:
        uploads: Where they are kept.
        jobs: Where it is noted that all of them are here.
        job_id: Whose they are.
        on_chunk: Called for each chunk that was read or kept, as many of them take a while.
    """

    def __init__(
        self, uploads: UploadStore, jobs: JobStore, job_id: str, *, on_chunk: Callable[[], None] = lambda: None
    ) -> None:
        self._uploads = uploads
        self._jobs = jobs
        self._job_id = job_id
        self._on_chunk = on_chunk
        self._digest = new_digest()
        self._is_digest_whole = True
        self._pieces: list[bytes] = []
        self._pending_bytes = 0
        self._number = 0
        self._known: bytes | None = None
        self.offset = 0
        """Bytes that are kept, and known to be those that were sent."""

    async def skip(self) -> int:
        """Pass over what is here already, and return how many bytes that are: what comes is what follows them.

        However many they are, this takes no time; they are read when all are here, to hash them.
        """
        with Running(Deadline(STEP_SECONDS), writes=False):
            self.offset, self._number = await self._uploads.offset(self._job_id)
        self._is_digest_whole = self._number == 0
        return self.offset

    async def take(self, data: bytes) -> None:
        """Keep some more bytes; they are safe when there are enough for a chunk, or with `flush`.

        Raises:
            JobConflictError: They are not those that are here already.
            UploadConflictError: Somebody else sends the same upload.
        """
        self._pieces.append(data)
        self._pending_bytes += len(data)
        if self._pending_bytes >= CHUNK_BYTES:
            await self.flush()

    async def flush(self) -> None:
        """Keep what was taken."""
        data = b"".join(self._pieces)
        while data and (known := self._known or await self._read()) is not None:
            self._known = known
            if len(data) < len(known):  # recognised when there is more of it
                break
            if not data.startswith(known):
                raise JobConflictError("This key was used for other data.")
            data = data[len(known) :]
            self._keep(known)
        if data and self._known is None:
            with Running(Deadline(STEP_SECONDS), writes=True):
                await self._uploads.append(self._job_id, self._number, self.offset, data)
            self._keep(data)
            data = b""
        self._pieces, self._pending_bytes = [data], len(data)

    async def complete(self) -> None:
        """Note that this was all.

        Raises:
            JobConflictError: There was more of it before.
        """
        await self.flush()
        if self._pending_bytes or await self._read() is not None:
            raise JobConflictError("This key was used for other data.")
        if not self._is_digest_whole:
            await self._hash()
        with Running(Deadline(STEP_SECONDS), writes=True):
            await self._jobs.complete_upload(self._job_id, size_bytes=self.offset, digest=self._digest.hexdigest())
        self._uploads.announce(self._job_id)

    async def _hash(self) -> None:
        digest = new_digest()
        for number in range(self._number):
            digest.update(await self._read(number) or b"")
        self._digest = digest

    def _keep(self, chunk: bytes) -> None:
        self._digest.update(chunk)
        self._number += 1
        self.offset += len(chunk)
        self._known = None
        self._on_chunk()

    async def _read(self, number: int | None = None) -> bytes | None:
        with Running(Deadline(STEP_SECONDS), writes=False):
            chunk = await self._uploads.read(self._job_id, self._number if number is None else number)
        self._on_chunk()
        return chunk


def new_digest() -> blake2b:
    """Return what hashes an upload."""
    return blake2b(digest_size=16)


def _key(job_id: str, number: int) -> str:
    return f"{job_id}:{number:08d}"


def _of(job_id: str) -> Document:
    return {"_id": {"$gt": f"{job_id}:", "$lt": f"{job_id};"}}
