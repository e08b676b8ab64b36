"""Files, as long as they were when they were looked at; known again by what is in them."""

import asyncio
from collections.abc import AsyncGenerator
from hashlib import blake2b
from pathlib import Path
from typing import Final

from documents.codec.sniff import HEAD_BYTES
from documents.ingest.jobs import Origin
from documents.ingest.sources.source import CHUNK_BYTES, Seen, SourceError

HASH_BYTES: Final = 8 * 1024 * 1024


class FilePlace:
    """A file. What is appended after it was looked at is left for the next time.

    Args:
        path: Of the file.
        name: For people; None for its path.
    """

    origin: Origin = Origin.FILE

    def __init__(self, path: Path, name: str | None = None) -> None:
        self.path = path
        self.name = name or str(path)

    async def look(self) -> Seen:
        """Return its beginning and its size."""
        try:
            return await asyncio.to_thread(self._look)
        except OSError as error:
            raise self._refusal(error) from error

    def _look(self) -> Seen:
        with self.path.open("rb") as file:
            return Seen(file.read(HEAD_BYTES), self.path.stat().st_size)

    async def digest(self, seen: Seen) -> str | None:
        """Return a hash of its bytes, whatever it is called."""
        try:
            return await asyncio.to_thread(hash_file, self.path, seen.size_bytes or 0)
        except OSError as error:
            raise self._refusal(error) from error

    async def open(self, seen: Seen, offset: int) -> AsyncGenerator[bytes]:
        """Yield its bytes from an offset to the end that was seen."""
        left = (seen.size_bytes or 0) - offset
        try:
            with await asyncio.to_thread(self.path.open, "rb") as file:
                file.seek(offset)
                while left and (chunk := await asyncio.to_thread(file.read, min(CHUNK_BYTES, left))):
                    left -= len(chunk)
                    yield chunk
        except OSError as error:
            raise self._refusal(error) from error
        if left:
            raise SourceError(f"{self.name} has become shorter while it was read.")

    def _refusal(self, error: OSError) -> SourceError:
        return SourceError(f"{self.name} cannot be read: {error.strerror}.")


def hash_file(path: Path, size_bytes: int) -> str:
    """Return a hash of the first bytes of a file: equal for the same data, whatever the file is called.

    Args:
        path: Of the file.
        size_bytes: How many bytes.
    """
    found = blake2b(digest_size=16)
    with path.open("rb") as file:
        left = size_bytes
        while left and (chunk := file.read(min(HASH_BYTES, left))):
            found.update(chunk)
            left -= len(chunk)
    return found.hexdigest()
