"""Standard input, pipes, and whatever else can be read once."""

import os
from collections.abc import AsyncGenerator
from functools import partial
from typing import BinaryIO

from documents.codec.sniff import HEAD_BYTES
from documents.ingest.jobs import Origin
from documents.ingest.sources.source import CHUNK_BYTES, Seen, SourceError
from documents.ingest.sources.threads import in_thread


class StreamPlace:
    """A pipe. Looking at it reads its beginning, which is kept until it is opened.

    Args:
        name: For people.
        descriptor: What to read. It is not closed, and read without a buffer: a process that ends must not wait for a
            pipe in which nothing comes.
    """

    origin: Origin = Origin.STREAM

    def __init__(self, name: str, descriptor: int) -> None:
        self.name = name
        self._stream: BinaryIO = os.fdopen(descriptor, "rb", buffering=0, closefd=False)

    async def look(self) -> Seen:
        """Return its beginning."""
        head = b""
        try:
            while len(head) < HEAD_BYTES and (piece := await self._read(HEAD_BYTES - len(head))):
                head += piece
        except OSError as error:
            raise SourceError(f"{self.name} cannot be read: {error.strerror}.") from error
        return Seen(head)

    async def digest(self, seen: Seen) -> str | None:  # noqa: ARG002  # as every place has it
        """Return None: nobody knows what it will hold."""
        return None

    async def open(self, seen: Seen, offset: int) -> AsyncGenerator[bytes]:
        """Yield its bytes, once, from the beginning."""
        if offset:
            raise SourceError(f"{self.name} can be read once only.")
        chunk = seen.head
        try:
            while chunk or (chunk := await self._read(CHUNK_BYTES)):
                yield chunk
                chunk = b""
        except OSError as error:
            raise SourceError(f"{self.name} cannot be read: {error.strerror}.") from error

    async def _read(self, size_bytes: int) -> bytes:
        return await in_thread(partial(self._stream.read, size_bytes))
