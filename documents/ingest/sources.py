"""Where the bytes of a load come from."""

import asyncio
from collections.abc import AsyncGenerator
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO, Final, Protocol

CHUNK_BYTES: Final = 256 * 1024
HASH_BYTES: Final = 8 * 1024 * 1024


class Source(Protocol):
    """Bytes, from the beginning; they may be asked for once."""

    @property
    def read_bytes(self) -> int:
        """How many have been given."""
        ...

    @property
    def total_bytes(self) -> int | None:
        """How many there are; None where nobody knows yet."""
        ...

    def chunks(self) -> AsyncGenerator[bytes]:
        """Yield them in pieces."""
        ...


class FileSource:
    """A file, as long as it was when it was looked at; what is appended meanwhile is left for the next time.

    Args:
        path: Of the file.
        size_bytes: How much of it to read.
    """

    def __init__(self, path: Path, size_bytes: int) -> None:
        self._path = path
        self.read_bytes = 0
        self.total_bytes: int | None = size_bytes

    async def chunks(self) -> AsyncGenerator[bytes]:
        """Yield the file in pieces."""
        left = self.total_bytes or 0
        with await asyncio.to_thread(self._path.open, "rb") as file:
            while left and (chunk := await asyncio.to_thread(file.read, min(CHUNK_BYTES, left))):
                left -= len(chunk)
                self.read_bytes += len(chunk)
                yield chunk


class StreamSource:
    """A pipe, or whatever else can be read once.

    Args:
        stream: What to read.
        head: What has been read of it already.
    """

    def __init__(self, stream: BinaryIO, head: bytes = b"") -> None:
        self._stream = stream
        self._head = head
        self.read_bytes = 0
        self.total_bytes: int | None = None

    async def chunks(self) -> AsyncGenerator[bytes]:
        """Yield the stream in pieces."""
        chunk, self._head = self._head, b""
        while chunk or (chunk := await asyncio.to_thread(self._stream.read, CHUNK_BYTES)):
            self.read_bytes += len(chunk)
            yield chunk
            chunk = b""


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
