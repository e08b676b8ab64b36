"""`http://` and `https://`: read in ranges, and known again by their validators (RFC 9110, sections 8.8 and 14).

Only the command reads them. No route of the API fetches what a client names, which would let clients reach what only
the server can.
"""

import base64
import http.client
import re
import urllib.error
import urllib.request
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import SplitResult, parse_qsl, unquote, urlencode, urlsplit

from documents.codec.sniff import HEAD_BYTES
from documents.ingest.jobs import Origin
from documents.ingest.sources.copied import CopiedPlace
from documents.ingest.sources.source import CHUNK_BYTES, BrokenOffError, Seen, SourceChangedError, SourceError
from documents.ingest.sources.threads import in_thread

TIMEOUT_SECONDS: Final = 30.0
"""Longest time that a server may send nothing."""

_RANGE: Final = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")
_EMPTY: Final = re.compile(r"bytes \*/(\d+)")
_SIGNING: Final = ("x-amz-", "x-goog-")
_PASSING: Final = frozenset(
    {
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)


class HttpPlace:
    """A URL. Where the server names neither ETag nor Last-Modified, it is copied to a temporary file first.

    Args:
        url: With a user and a password, if the server asks for them (Basic).
    """

    origin: Origin = Origin.URL

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._url, self._headers = _without_user(parts)
        self.name = self._url.partition("?")[0]
        self._copy: CopiedPlace | None = None

    async def look(self) -> Seen:
        """Return the beginning, the size and the validator, by a request for the first bytes."""
        try:
            with await self._request({"Range": f"bytes=0-{HEAD_BYTES - 1}"}) as answer:
                head = await _read_to(answer, HEAD_BYTES)
                seen = Seen(head, _size_of(answer), _version_of(answer.headers))
        except BrokenOffError as error:
            raise SourceError(f"{self.name} cannot be read: {error}") from error
        if seen.version is not None:
            return seen
        self._copy = CopiedPlace(self.name)
        return await self._copy.fill(self._all())

    async def digest(self, seen: Seen) -> str | None:
        """Return a hash of the URL and its validator, or of the bytes where it has none."""
        if self._copy is not None:
            return await self._copy.digest(seen)
        return seen.digest(_identity(self._url))

    async def open(self, seen: Seen, offset: int) -> AsyncGenerator[bytes]:
        """Yield the bytes from an offset on, if they are still those that were seen."""
        if self._copy is not None:
            async for piece in self._copy.open(seen, offset):
                yield piece
            return
        with await self._request({"Range": f"bytes={offset}-"} if offset else {}) as answer:
            if answer.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                return
            if _version_of(answer.headers) != seen.version:
                raise SourceChangedError(f"{self.name} has changed since the load began.")
            passed = 0 if answer.status == HTTPStatus.PARTIAL_CONTENT else offset  # a server may know no ranges
            if answer.status == HTTPStatus.PARTIAL_CONTENT and _start_of(answer) != offset:
                raise SourceError(f"{self.name} cannot be read: the server sent another range than it was asked for.")
            while chunk := await _read(answer):
                if passed >= len(chunk):
                    passed -= len(chunk)
                    continue
                yield chunk[passed:]
                passed = 0

    async def _all(self) -> AsyncGenerator[bytes]:
        with await self._request({}) as answer:
            while chunk := await _read(answer):
                yield chunk

    async def _request(self, headers: Mapping[str, str]) -> Any:  # noqa: ANN401  # http.client's answer
        # As it is stored: a body that is compressed for the way has no ranges that mean anything.
        sent = {"Accept-Encoding": "identity", "User-Agent": "sheaf", **self._headers, **headers}
        request = urllib.request.Request(self._url, headers=sent)  # noqa: S310  # the opener knows HTTP alone
        try:
            answer = await in_thread(partial(_opener().open, request, timeout=TIMEOUT_SECONDS))
        except urllib.error.HTTPError as error:
            if error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                return error
            error.close()
            detail = f"The server answered {error.code} {error.reason}."
            if error.code in _PASSING:
                raise BrokenOffError(detail) from error
            raise SourceError(f"{self.name} cannot be read: {detail}") from error
        except (OSError, http.client.HTTPException) as error:
            raise BrokenOffError(_reason(error)) from error
        if answer is None:  # no handler knows the scheme, as after a redirection to FTP
            raise SourceError(f"{self.name} cannot be read: it leads away from HTTP.")
        return answer


def _opener() -> urllib.request.OpenerDirector:
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPRedirectHandler,
        urllib.request.HTTPErrorProcessor,
    ):
        opener.add_handler(handler())
    return opener


async def _read(answer: Any) -> bytes:  # noqa: ANN401
    try:
        return await in_thread(partial(answer.read1, CHUNK_BYTES))
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise BrokenOffError(_reason(error)) from error


async def _read_to(answer: Any, size_bytes: int) -> bytes:  # noqa: ANN401
    if answer.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:  # of a body of no bytes
        return b""
    head = b""
    while len(head) < size_bytes and (chunk := await _read(answer)):
        head += chunk
    return head[:size_bytes]


def _reason(error: Exception) -> str:
    reason = getattr(error, "reason", None) or error
    return f"{getattr(reason, 'strerror', None) or str(reason) or type(error).__name__}."


def _size_of(answer: Any) -> int | None:  # noqa: ANN401
    told = answer.headers.get("Content-Range", "")
    if found := _EMPTY.fullmatch(told):
        return int(found[1])
    if found := _RANGE.fullmatch(told):
        return None if found[3] == "*" else int(found[3])
    with suppress(ValueError):
        return int(answer.headers.get("Content-Length", ""))
    return None


def _start_of(answer: Any) -> int | None:  # noqa: ANN401
    found = _RANGE.fullmatch(answer.headers.get("Content-Range", ""))
    return None if found is None else int(found[1])


def _version_of(headers: Mapping[str, str]) -> str | None:
    return headers.get("ETag") or headers.get("Last-Modified")


def _without_user(parts: SplitResult) -> tuple[str, dict[str, str]]:
    """Return a URL without its user and password, and the header that has them."""
    host = parts.netloc.rpartition("@")[2]
    url = parts._replace(netloc=host, fragment="").geturl()
    if parts.username is None:
        return url, {}
    told = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return url, {"Authorization": f"Basic {base64.b64encode(told.encode()).decode()}"}


def _identity(url: str) -> str:
    """Return a URL without what signs it, which is another one each time."""
    parts = urlsplit(url)
    query = [
        pair for pair in parse_qsl(parts.query, keep_blank_values=True) if not pair[0].lower().startswith(_SIGNING)
    ]
    return parts._replace(query=urlencode(query)).geturl()
