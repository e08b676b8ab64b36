"""Bodies that are kept as they come, in the database, so that a load can read them whatever becomes of the client."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from typing import Final

from starlette.requests import ClientDisconnect

from api.exchange import Exchange, too_large
from api.problems import BodyTooLargeError, RequestTimeoutError, UnsupportedMediaTypeError
from documents.database.deadline import Deadline, Running
from documents.errors import StoreError
from documents.ingest.uploads import CHUNK_BYTES, Receiver, new_digest

SMALL_BYTES: Final = CHUNK_BYTES
"""A body of so many bytes is loaded while its client waits."""

FLUSH_SECONDS: Final = 5.0
CODINGS: Final = frozenset({"identity", "gzip", "zstd"})
"""What a body may be compressed with for the way: readers find out by its first bytes."""


class Arrival:
    """The body of a request as it comes. Each piece of it gives the request its time anew.

    Args:
        exchange: The request. From now on this is who hears of a client that goes away.
        limit: Bytes that it may have.

    Raises:
        UnsupportedMediaTypeError: It is compressed in a way that nobody knows here.
        BodyTooLargeError: It is announced as larger.
    """

    def __init__(self, exchange: Exchange, limit: int) -> None:
        exchange.reading = True
        exchange.renew()
        coding = (exchange.header(b"content-encoding") or "identity").strip().lower()
        if coding not in CODINGS:
            raise UnsupportedMediaTypeError("Bodies may be compressed with gzip or zstd.", _accepted_codings())
        exchange.refuse_larger(limit)
        self._exchange = exchange
        self._limit = limit
        self._head: list[bytes] = []
        self._is_whole = False
        self._waited = 0.0
        self.size_bytes = 0
        """What has come so far."""

    def follow(self, size_bytes: int) -> None:
        """Bound the body by what its limit leaves for it behind so many bytes.

        Raises:
            BodyTooLargeError: It is announced as larger.
        """
        self._limit = max(self._limit - size_bytes, 0)
        self._exchange.refuse_larger(self._limit)

    async def head(self, size: int) -> bytes:
        """Return the first bytes, at least so many if there are. They come again with `pieces`."""
        while not self._is_whole and self.size_bytes < size:
            self._head.append(await self._next())
        return b"".join(self._head)

    async def pieces(self) -> AsyncGenerator[bytes]:
        """Yield all of it, from its beginning, in pieces that fit into a chunk.

        Raises:
            ClientDisconnect: The client has gone.
            BodyTooLargeError: It is larger than it may be.
        """
        head, self._head = b"".join(self._head), []
        for start in range(0, len(head), CHUNK_BYTES):
            yield head[start : start + CHUNK_BYTES]
        while not self._is_whole:
            data = await self._next()
            for start in range(0, len(data), CHUNK_BYTES):
                yield data[start : start + CHUNK_BYTES]

    async def _next(self) -> bytes:
        began = time.monotonic()
        message = await self._exchange.receive()
        self._waited += time.monotonic() - began
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        data: bytes = message.get("body", b"")
        self._exchange.renew()
        self.size_bytes += len(data)
        settings = self._exchange.store.settings
        patience = settings.request_timeout.total_seconds()
        if self.size_bytes < (self._waited - patience) * settings.min_bytes_per_second:
            raise RequestTimeoutError("The body comes too slowly.", {"Connection": "close"})
        if self.size_bytes > self._limit:
            raise too_large(self._limit)
        self._is_whole = not message.get("more_body", False)
        return data


async def keep(
    exchange: Exchange, arrival: Arrival, receiver: Receiver, job_id: str, *, on_kept: Callable[[], object]
) -> None:
    """Keep a body as it comes. What has come stays when the client goes away, or sends nothing more.

    Args:
        exchange: The request.
        arrival: Its body.
        receiver: Takes it in.
        job_id: Whose upload it is.
        on_kept: Called whenever some more of it is safe.

    Raises:
        ClientDisconnect: The client has gone.
        BodyTooLargeError: There is more than there may be. What has come is forgotten.
        RequestTimeoutError: It comes too slowly.
        JobConflictError: It is not what is here already.
        UploadConflictError: Somebody else sends the same upload.
    """
    kept = receiver.offset
    try:
        async with aclosing(arrival.pieces()) as pieces:
            async for piece in pieces:
                exchange.storing = True
                await receiver.take(piece)
                exchange.storing = False
                exchange.renew()
                if receiver.offset > kept:
                    kept = receiver.offset
                    on_kept()
    except BodyTooLargeError as error:
        with Running(exchange.deadline, writes=True):
            await exchange.store.ingestion.refuse(job_id, error)
        raise
    except (ClientDisconnect, RequestTimeoutError, asyncio.CancelledError):
        if not exchange.storing:
            await _flush(receiver)
        raise


async def complete(exchange: Exchange, receiver: Receiver) -> None:
    """Note that the whole body is here, and let the request have its time from now on."""
    exchange.storing = True
    await receiver.complete()
    exchange.storing = False
    exchange.end_reading()


async def hash_body(exchange: Exchange, arrival: Arrival) -> str:
    """Return the hash of a body that need not be kept, as that of an upload is made."""
    digest = new_digest()
    async with aclosing(arrival.pieces()) as pieces:
        async for piece in pieces:
            digest.update(piece)
    exchange.end_reading()
    return digest.hexdigest()


async def _flush(receiver: Receiver) -> None:
    # The request is at its end, but this may still take a moment. What cannot be kept will have to be sent again.
    with suppress(StoreError, TimeoutError):
        async with asyncio.timeout(FLUSH_SECONDS):
            with Running(Deadline(FLUSH_SECONDS), writes=True):
                await receiver.flush()


def _accepted_codings() -> dict[str, str]:
    return {"Accept-Encoding": ", ".join(sorted(CODINGS))}
