"""What a load reads: a source, whose bytes come from a place of some kind."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final, Protocol

from documents.ingest.jobs import Origin

CHUNK_BYTES: Final = 256 * 1024
TRIES: Final = 6
"""Times that a place may break off or be out of reach, one directly after the other."""

FIRST_PAUSE_SECONDS: Final = 0.5


class SourceError(Exception):
    """A source cannot be read. The job stays open, and the same command goes on with it."""


class SourceChangedError(SourceError):
    """A source holds other bytes than when the load began."""


class BrokenOffError(Exception):
    """A place broke off, or is out of reach; another try may do."""


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
        """Yield them in pieces. An empty piece says that nothing more is there for now."""
        ...


@dataclass(frozen=True, slots=True)
class Seen:
    """What a place held when it was looked at.

    Args:
        head: Its first bytes.
        size_bytes: How many bytes there were; None where nobody knows.
        version: What changes when the bytes do, such as an ETag; None where nothing tells.
    """

    head: bytes
    size_bytes: int | None = None
    version: str | None = None

    def digest(self, address: str) -> str:
        """Return a hash of an address, the version and the size, which stands for that of the bytes."""
        told = f"{address}\n{self.version}\n{self.size_bytes}"
        return blake2b(told.encode(), digest_size=16).hexdigest()


class Place(Protocol):
    """Where bytes lie: a file, a URL, a pipe."""

    @property
    def name(self) -> str:
        """For people: without passwords and signatures."""
        ...

    @property
    def origin(self) -> Origin:
        """Which kind of place it is. A stream can be read once only."""
        ...

    async def look(self) -> Seen:
        """Return what is there now.

        Raises:
            SourceError: It cannot be read.
        """
        ...

    async def digest(self, seen: Seen) -> str | None:
        """Return what is equal for the same data only; None where nothing tells, as of a pipe."""
        ...

    def open(self, seen: Seen, offset: int) -> AsyncGenerator[bytes]:
        """Yield the bytes from an offset on.

        Raises:
            BrokenOffError: The rest may be had by opening it again.
            SourceChangedError: It is no more what was seen.
            SourceError: It cannot be read.
        """
        ...


class PlaceSource:
    """The bytes of a place as it was seen. Where they break off, it is opened again at that byte.

    Args:
        place: Where they lie.
        seen: What it held when it was looked at.
    """

    def __init__(self, place: Place, seen: Seen) -> None:
        self._place = place
        self._seen = seen
        self.read_bytes = 0
        self.total_bytes: int | None = seen.size_bytes

    async def chunks(self) -> AsyncGenerator[bytes]:
        """Yield them in pieces.

        Raises:
            SourceError: The place has changed, or stays out of reach.
        """
        failures = 0
        while True:
            try:
                async with aclosing(self._place.open(self._seen, self.read_bytes)) as pieces:
                    async for piece in pieces:
                        failures = 0
                        self.read_bytes += len(piece)
                        yield piece
                self._check_end()
            except BrokenOffError as error:
                failures += 1
                if failures >= TRIES:
                    raise SourceError(f"{self._place.name} cannot be read any further: {error}") from error
                await asyncio.sleep(FIRST_PAUSE_SECONDS * 2 ** (failures - 1))
            else:
                return

    def _check_end(self) -> None:
        if self.total_bytes is not None and self.read_bytes < self.total_bytes:
            raise BrokenOffError(f"It ended after {self.read_bytes:,} of {self.total_bytes:,} bytes.")
