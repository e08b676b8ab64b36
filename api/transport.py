"""A transport that gathers what is written in one turn of the event loop, and sends it at once.

uvicorn writes the headers of a response and its body one after the other, which are two calls of the kernel and two
packets. Those calls were a third of the time that a small request took.
"""

import asyncio
from collections.abc import Iterable
from typing import Any, Final

AT_ONCE_BYTES: Final = 64 * 1024
"""More than this is not held back."""


class GatheringTransport(asyncio.Transport):
    """Stands before a transport and gathers writes.

    Args:
        transport: The real one.
        loop: On whose next turn what was gathered is sent.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._transport = transport
        self._loop = loop
        self._gathered: list[bytes] = []
        self._size = 0
        self._written = 0

    @property
    def sent_bytes(self) -> int:
        """How much the client's side has taken."""
        return self._written - self.get_write_buffer_size()

    def write(self, data: "bytes | bytearray | memoryview[Any]") -> None:
        """Send `data` soon, together with what else is written by then."""
        if not self._gathered:
            self._loop.call_soon(self.flush)
        self._gathered.append(bytes(data))
        self._written += len(data)
        self._size += len(data)
        if self._size > AT_ONCE_BYTES:
            self.flush()

    def writelines(self, list_of_data: "Iterable[bytes | bytearray | memoryview[Any]]") -> None:
        """Send several pieces soon."""
        for data in list_of_data:
            self.write(data)

    def flush(self) -> None:
        """Send now what was gathered."""
        if self._gathered:
            gathered, self._gathered, self._size = self._gathered, [], 0
            self._transport.write(gathered[0] if len(gathered) == 1 else b"".join(gathered))

    def close(self) -> None:
        """Send what was gathered, and close."""
        self.flush()
        self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        self._gathered.clear()
        self._transport.abort()

    def is_closing(self) -> bool:
        """Say whether the transport is closing or closed."""
        return self._transport.is_closing()

    def get_extra_info(self, name: str, default: object = None) -> object:
        """Return what the real transport knows."""
        return self._transport.get_extra_info(name, default)

    def pause_reading(self) -> None:
        """Stop reading."""
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Read again."""
        self._transport.resume_reading()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Give the connection to another protocol."""
        self._transport.set_protocol(protocol)

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Return the protocol."""
        return self._transport.get_protocol()

    def get_write_buffer_size(self) -> int:
        """Return the bytes that are not sent yet."""
        return self._size + self._transport.get_write_buffer_size()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Set when the protocol is told to stop writing."""
        self._transport.set_write_buffer_limits(high, low)
