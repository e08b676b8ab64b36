"""A temporary copy of what nothing tells the version of, so that it is known again by what is in it."""

import asyncio
import tempfile
import weakref
from collections.abc import AsyncGenerator
from hashlib import blake2b
from typing import Final

from documents.codec.sniff import HEAD_BYTES
from documents.ingest.jobs import Origin
from documents.ingest.sources.source import CHUNK_BYTES, BrokenOffError, Seen, SourceError

_MEMORY_BYTES: Final = 1024 * 1024


class CopiedPlace:
    """Bytes in a temporary file, which goes with this.

    Args:
        name: For people.
    """

    origin: Origin = Origin.URL

    def __init__(self, name: str) -> None:
        self.name = name
        self._file = tempfile.SpooledTemporaryFile[bytes](max_size=_MEMORY_BYTES)  # open until the end
        weakref.finalize(self, self._file.close)
        self._hash = blake2b(digest_size=16)
        self._size_bytes = 0

    async def fill(self, pieces: AsyncGenerator[bytes]) -> Seen:
        """Copy bytes, and return what they are like."""
        try:
            async for piece in pieces:
                self._hash.update(piece)
                self._size_bytes += len(piece)
                await asyncio.to_thread(self._file.write, piece)
        except BrokenOffError as error:
            raise SourceError(f"{self.name} cannot be read: {error}") from error
        self._file.seek(0)
        return Seen(self._file.read(HEAD_BYTES), self._size_bytes)

    async def look(self) -> Seen:
        """Return what was copied."""
        self._file.seek(0)
        return Seen(self._file.read(HEAD_BYTES), self._size_bytes)

    async def digest(self, seen: Seen) -> str | None:  # noqa: ARG002  # as every place has it
        """Return a hash of the bytes."""
        return self._hash.hexdigest()

    async def open(self, seen: Seen, offset: int) -> AsyncGenerator[bytes]:  # noqa: ARG002
        """Yield the bytes from an offset on."""
        self._file.seek(offset)
        while chunk := await asyncio.to_thread(self._file.read, CHUNK_BYTES):
            yield chunk
