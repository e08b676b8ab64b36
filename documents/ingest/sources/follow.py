"""A file that grows, followed: what is appended is read, until another file takes its place."""

import asyncio
import os
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import BinaryIO, Final

from documents.ingest.sources.file import hash_file
from documents.ingest.sources.source import CHUNK_BYTES, SourceError

POLL_SECONDS: Final = 0.5
"""How often a file is looked at. Where it lies on another machine, no event tells of what is appended."""

PRINT_BYTES: Final = 1024
"""First bytes by which a file is told from one that has taken its place."""


class FollowedFile:
    """The bytes of a file and those that are appended to it. Ends when the file was replaced or cut short.

    Args:
        path: Of the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.read_bytes = 0
        self.total_bytes: int | None = None
        self._head = b""

    async def chunks(self) -> AsyncGenerator[bytes]:
        """Yield the file in pieces, and an empty one whenever nothing more is there for now."""
        try:
            with await asyncio.to_thread(self._path.open, "rb") as file:
                while (chunk := await asyncio.to_thread(self._read, file)) is not None:
                    self.read_bytes += len(chunk)
                    yield chunk
                    if not chunk:
                        await asyncio.sleep(POLL_SECONDS)
        except OSError as error:
            raise SourceError(f"{self._path} cannot be read: {error.strerror}.") from error

    def _read(self, file: BinaryIO) -> bytes | None:
        """Return what is appended, nothing if nothing is, and None if no more will be: the file is another one."""
        is_replaced = self._is_replaced(file)  # before it is read to its end, so that nothing of it is left
        file.seek(0)
        if file.read(len(self._head)) != self._head:
            return None
        file.seek(self.read_bytes)
        chunk = file.read(CHUNK_BYTES)
        if len(self._head) < PRINT_BYTES:
            self._head += chunk[: PRINT_BYTES - len(self._head)]
        return None if is_replaced and not chunk else chunk

    def _is_replaced(self, file: BinaryIO) -> bool:
        here = os.fstat(file.fileno())
        if here.st_size < self.read_bytes:
            return True
        try:
            there = self._path.stat()
        except FileNotFoundError:  # moved away, and another one may come
            return False
        return (there.st_dev, there.st_ino) != (here.st_dev, here.st_ino)


class NoMore:
    """A source of which nothing more can be had."""

    read_bytes = 0
    total_bytes: int | None = None

    async def chunks(self) -> AsyncGenerator[bytes]:
        """Yield nothing."""
        return
        yield b""


async def wait_for_bytes(path: Path) -> None:
    """Return when a file is there and has a byte."""
    while not await asyncio.to_thread(_has_bytes, path):  # noqa: ASYNC110  # no event tells
        await asyncio.sleep(POLL_SECONDS)


def _has_bytes(path: Path) -> bool:
    try:
        return path.stat().st_size > 0
    except FileNotFoundError:
        return False


async def print_of(path: Path) -> str:
    """Return what tells a file from another, whatever is appended to it: the length and the hash of its first bytes."""
    return await asyncio.to_thread(_print_of, path, PRINT_BYTES)


async def has_print(path: Path, known: str, *, size_bytes: int) -> bool:
    """Tell whether a file still begins as it did, and has at least the bytes that were read of it."""
    length = int(known.partition(":")[0])
    size = (await asyncio.to_thread(path.stat)).st_size
    return size >= max(length, size_bytes) and await asyncio.to_thread(_print_of, path, length) == known


def _print_of(path: Path, length: int) -> str:
    length = min(length, path.stat().st_size)
    return f"{length}:{hash_file(path, length)}"
