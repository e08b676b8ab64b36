"""Formats of which nothing can be read before all is there: the stream is first written to a temporary file."""

import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import IO, Final

from documents.codec.records import Record

_MEMORY_BYTES: Final = 1024 * 1024


class WholeFileReader(ABC):
    """Reads a document from each row, all of them at the end. Numbers of rows stand for lines and bytes.

    Args:
        start: Rows before this one, counted from 0, are passed over.
    """

    def __init__(self, *, start: int = 0) -> None:
        self._start = start
        self._file: tempfile.SpooledTemporaryFile[bytes] | None = None
        self.line: int = 0

    @property
    def offset(self) -> int:
        """How many rows have been read."""
        return self.line

    def feed(self, chunk: bytes) -> Iterator[Record]:
        """Yield nothing yet; writes the chunk to a temporary file."""
        self._opened().write(chunk)
        return iter(())

    def end(self) -> Iterator[Record]:
        """Yield a record for each row. Removes the temporary file."""
        with self._opened() as file:
            file.seek(0)
            yield from self.read(file)

    @abstractmethod
    def read(self, file: IO[bytes]) -> Iterator[Record]:
        """Yield the records of a file."""

    def _opened(self) -> "tempfile.SpooledTemporaryFile[bytes]":
        if self._file is None:  # there is none before it is needed, as nobody closes the reader that is fed nothing
            self._file = tempfile.SpooledTemporaryFile(max_size=_MEMORY_BYTES)  # noqa: SIM115  # open until the end
        return self._file
