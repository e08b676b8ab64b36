"""Export: a collection as a file, streamed.

The status says only that MongoDB has begun to answer. A file is whole when the response ends as HTTP says that it ends,
with its last chunk; where something fails on the way, the connection is closed without that.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import Final, TypeVar
from urllib.parse import urlencode

from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from api.exchange import Exchange
from api.parse import parse_find
from api.problems import NotAcceptableError
from api.server import ANSWER_SECONDS
from documents.codec.compressed import Compression
from documents.codec.parquet import has_parquet
from documents.codec.records import Format
from documents.collections.export import TABLES, Export, Piece, plan_export
from documents.database.deadline import Running
from documents.errors import Fault, InvalidParameterError, StoreError

T = TypeVar("T")

MEDIA_TYPES: Final[Mapping[Format, str]] = {
    Format.NDJSON: "application/x-ndjson",
    Format.JSON: "application/json",
    Format.EJSON: "application/ejson",
    Format.CSV: "text/csv",
    Format.TSV: "text/tab-separated-values",
    Format.BSON: "application/bson",
    Format.PARQUET: "application/vnd.apache.parquet",
}
"""What is asked for with `Accept`, those first that a wildcard means."""

COMPRESSED: Final[Mapping[Compression, tuple[str, str]]] = {
    Compression.ZSTD: ("application/zstd", ".zst"),
    Compression.GZIP: ("application/gzip", ".gz"),
}
"""Media types and endings of compressed files; as codings, the first one that a client accepts is taken."""

OPTIONS: Final = ("format", "compress", "trailer", "unescape")
SEND_BYTES: Final = 64 * 1024
"""What is handed to the server at once: it waits in between until the client has taken most of it."""

_FORMATS: Final[Mapping[str, Format]] = {str(form): form for form in MEDIA_TYPES}
_COMPRESSIONS: Final[Mapping[str, Compression]] = {str(each): each for each in Compression}
_TRUTHS: Final[Mapping[str, bool]] = {"true": True, "false": False}

_log = logging.getLogger("sheaf")


class ExportCutError(RuntimeError):
    """An export ended early. Raised to the server, which closes the connection without the last chunk."""


async def export_documents(exchange: Exchange) -> Response:
    """Write the documents that a query selects as a file."""
    operation = _parse(exchange)
    is_compressed = bool(operation.compression) or operation.form is Format.PARQUET
    coding = None if is_compressed else _coding(exchange.header(b"accept-encoding"))
    headers = _headers(operation, coding)
    with Running(exchange.deadline, writes=False):
        plan = await plan_export(exchange.store.planner, _coded(operation, coding), exchange.policy)
    if exchange.method == "HEAD":
        return FileStream(_nothing(), headers)
    pieces = plan.run(seconds=exchange.store.settings.request_timeout.total_seconds())
    await anext(pieces)  # MongoDB answers; what it refuses is still a problem document
    return FileStream(pieces, headers)


class FileStream(Response):
    """A response that is written piece by piece, as fast as its client takes it."""

    def __init__(self, pieces: AsyncGenerator[Piece], headers: Mapping[str, str]) -> None:
        super().__init__(headers=headers)
        del self.headers["content-length"]
        self._pieces = pieces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, unless the client goes away.

        Raises:
            ExportCutError: It could not be sent as a whole.
        """
        sending = asyncio.create_task(self._send(scope, send))
        leaving = asyncio.create_task(_gone(receive))
        try:
            await asyncio.wait((sending, leaving), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sending, leaving):
                task.cancel()
            await asyncio.wait((sending, leaving))
        if not sending.cancelled():
            sending.result()

    async def _send(self, scope: Scope, send: Send) -> None:
        async with aclosing(self._pieces) as pieces:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            try:
                async for piece in pieces:
                    for start in range(0, len(piece.data), SEND_BYTES):
                        await _sent(send, piece.data[start : start + SEND_BYTES], more=True)
                await _sent(send, b"", more=False)
            except (StoreError, TimeoutError) as error:
                reason = error.detail if isinstance(error, StoreError) else "The client took nothing for too long."
                _log.warning("Export cut: %s %r. %s", scope["method"], scope["path"], reason)
                raise ExportCutError(reason) from None


async def _sent(send: Send, data: bytes, *, more: bool) -> None:
    message: Message = {"type": "http.response.body", "body": data, "more_body": more}
    async with asyncio.timeout(ANSWER_SECONDS):
        await send(message)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _nothing() -> AsyncGenerator[Piece]:
    for piece in ():
        yield piece


def _parse(exchange: Exchange) -> Export:
    given: dict[str, str] = {}
    others: list[tuple[str, str]] = []
    for name, value in exchange.parameters:
        if name not in OPTIONS:
            others.append((name, value))
        elif given.setdefault(name, value) is not value:
            raise _invalid(name, "duplicate", f"{name} is given twice.")
    query = urlencode(others).encode()
    form, compression = given.get("format"), given.get("compress")
    return Export(
        find=parse_find(Exchange({**exchange.scope, "query_string": query}, exchange.receive)),
        form=_negotiated(exchange.header(b"accept")) if form is None else _one_of("format", form, _FORMATS),
        compression=None if compression is None else _one_of("compress", compression, _COMPRESSIONS),
        trailer=_one_of("trailer", given.get("trailer", "false"), _TRUTHS),
        unescape=_one_of("unescape", given.get("unescape", "false"), _TRUTHS),
    )


def _one_of(name: str, value: str, known: Mapping[str, T]) -> T:
    if value not in known:
        raise _invalid(name, "invalid", f"{name} is one of {', '.join(known)}.")
    return known[value]


def _invalid(name: str, code: str, detail: str) -> InvalidParameterError:
    return InvalidParameterError(detail, [Fault(f"?{name}", code, detail)])


def _negotiated(accept: str | None) -> Format:
    """Return the format that an `Accept` header prefers, as RFC 9110 has it, section 12.5.1."""
    weights = _weights(accept) or {"*/*": 1.0}

    def weight(media: str) -> tuple[float, bool]:
        wildcards = (f"{media.partition('/')[0]}/*", "*/*")
        return (
            (weights[media], True)
            if media in weights
            else (next((weights[each] for each in wildcards if each in weights), 0.0), False)
        )

    # Parquet is an extra, and who accepts something else as well gets that where it is not installed.
    offered = {form: media for form, media in MEDIA_TYPES.items() if form is not Format.PARQUET or has_parquet()}
    form = max(offered, key=lambda each: weight(offered[each]))  # the first of those that are equal
    if not weight(offered[form])[0]:
        raise NotAcceptableError(f"An export comes as {', '.join(offered.values())}.")
    return form


def _coding(accept: str | None) -> Compression | None:
    """Return the coding for a client that has a use for one; RFC 9110, section 12.5.3."""
    weights = _weights(accept)
    return next((each for each in COMPRESSED if weights.get(str(each), 0.0) > 0), None)


def _weights(header: str | None) -> dict[str, float]:
    """Return the members of a list such as `text/csv, application/json;q=0.5`, and what they weigh."""
    weights: dict[str, float] = {}
    for part in (header or "").split(","):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        quality = next((each[2:] for each in parameters if each.startswith("q=")), "1")
        if name:
            weights[name] = float(quality) if quality.replace(".", "", 1).isdecimal() else 0.0
    return weights


def _coded(operation: Export, coding: Compression | None) -> Export:
    return replace(operation, compression=coding) if coding else operation


def _headers(operation: Export, coding: Compression | None) -> dict[str, str]:
    media, ending = MEDIA_TYPES[operation.form], f".{operation.form}"
    if operation.form in TABLES:
        media += "; charset=utf-8"
    if operation.compression:
        media, compressed = COMPRESSED[operation.compression]
        ending += compressed
    return {
        "Content-Type": media,
        "Content-Disposition": f'attachment; filename="{operation.find.collection}{ending}"',
        "Vary": "Accept, Accept-Encoding",
        **({"Content-Encoding": str(coding)} if coding else {}),
    }
