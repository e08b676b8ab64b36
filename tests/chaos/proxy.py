"""A TCP proxy that can cut every connection through it, and let none through for a while."""

import asyncio
from contextlib import suppress
from typing import Final

from documents.database.mongod import LOOPBACK

CHUNK: Final = 1 << 16


class Proxy:
    """Passes on what comes to a port.

    Args:
        port: Where it listens.
        target: Where it passes on to, on the same machine.
    """

    def __init__(self, port: int, target: int) -> None:
        self.port, self._target = port, target
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        """Let connections through."""
        if self._server is None:
            self._server = await asyncio.start_server(self._pass_on, LOOPBACK, self.port)

    async def cut(self) -> None:
        """Cut every connection, and refuse new ones."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in list(self._writers):
            writer.transport.abort()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection(LOOPBACK, self._target)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, back}
        try:
            await asyncio.gather(self._copy(reader, back), self._copy(there, writer))
        finally:
            self._writers -= {writer, back}

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(CHUNK):
                writer.write(data)
                await writer.drain()
        writer.close()
