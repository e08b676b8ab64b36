"""Where the bytes of a load come from."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from functools import partial
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
        stream: What to read, without a buffer of its own: a process that ends must not wait for a pipe in which nothing
            comes.
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
        while chunk or (chunk := await read_stream(self._stream, CHUNK_BYTES)):
            self.read_bytes += len(chunk)
            yield chunk
            chunk = b""


async def read_stream(stream: BinaryIO, size_bytes: int) -> bytes:
    """Return the next bytes of a stream, as many as it has to give and at most so many; none at its end.

    It is read in a thread that nobody waits for, as they wait for those of `asyncio.to_thread`: who stops waiting for a
    silent pipe can end.
    """
    loop = asyncio.get_running_loop()
    found: asyncio.Future[bytes] = loop.create_future()

    def settle(settling: Callable[[], None]) -> None:
        if not found.done():
            settling()

    def read() -> None:
        settling: Callable[[], None]
        try:
            data = stream.read(size_bytes)
            settling = partial(found.set_result, data)
        except (OSError, ValueError) as error:
            settling = partial(found.set_exception, error)
        with suppress(RuntimeError):  # the loop is closed, as nobody waits any more
            loop.call_soon_threadsafe(settle, settling)

    threading.Thread(target=read, name="stream", daemon=True).start()
    return await found


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
