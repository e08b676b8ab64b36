"""One request as the endpoints see it: its parts read once, its time limited, its sender watched."""

from collections.abc import Awaitable, Callable, Mapping
from functools import cached_property
from typing import Any, Final, TypeVar
from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect, Request

from api.media import Media, negotiate
from api.preferences import Preferences, parse_preferences
from api.problems import BadRequestError, BodyTooLargeError, UnsupportedMediaTypeError
from api.sites import SAFE_METHODS
from documents.access.policy import Policy
from documents.database.deadline import Deadline, Running
from documents.errors import Fault, InvalidParameterError, UnavailableError
from documents.ingest.runner import JobRunner
from documents.lifecycle import Store

T = TypeVar("T")
P = TypeVar("P")
MAX_PARAMETERS: Final = 200
MAX_DIGITS: Final = 18
"""Of a length in bytes. Python refuses to read a number of thousands of digits."""

OF_FORMS: Final = frozenset({"", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"})
"""What a browser sends to any site without asking it, and so no route reads."""

FREEING: Final = (":undo", ":cancel")
"""What is served, as DELETE is, while the disk has too little room for anything to be added."""

READING: Final = (":query", ":count", ":aggregate")
"""What POST only asks for."""


class Exchange(Request):
    """A request, with what Sheaf adds to it."""

    reading: bool = False
    """Whether somebody waits for the body, and so hears of a client that goes away."""

    storing: bool = False
    """Whether what has come of the body is being stored, so that it is not the client who is waited for."""

    @property
    def store(self) -> Store:
        """The open store."""
        return self.scope["state"]["store"]

    @cached_property
    def runner(self) -> JobRunner:
        """What works on jobs in the background."""
        return self.scope["state"]["runner"]

    @property
    def policy(self) -> Policy:
        """What the caller may do."""
        return self.scope.get("policy") or self.store.policy

    @cached_property
    def raw_headers(self) -> Mapping[bytes, bytes]:
        """Headers by lower-case name. Lists sent in several lines are joined, as RFC 9110 has it."""
        headers: dict[bytes, bytes] = {}
        for name, value in self.scope["headers"]:
            headers[name] = headers[name] + b", " + value if name in headers else value
        return headers

    def header(self, name: bytes) -> str | None:
        """Return a header's value, or None."""
        value = self.raw_headers.get(name)
        return None if value is None else value.decode("latin-1")

    @cached_property
    def preferences(self) -> Preferences:
        """What `Prefer` asks for."""
        return parse_preferences(self.header(b"prefer"))

    @property
    def is_literal(self) -> bool:
        """Whether the values of the body are of the types that it says, whatever is stored."""
        kind = self.raw_headers.get(b"content-type", b"")
        return self.preferences.literal or kind.lower().startswith(Media.EJSON.value.encode())

    @cached_property
    def deadline(self) -> Deadline:
        """When this request must be answered: the setting, or less where `Prefer: wait` says so."""
        limit = self.store.settings.request_timeout.total_seconds()
        wait = self.preferences.wait
        return Deadline(limit if wait is None else min(limit, wait))

    def renew(self) -> None:
        """Begin the time anew, as something of a long body has come."""
        self.deadline = Deadline(self.store.settings.request_timeout.total_seconds())

    def end_reading(self) -> None:
        """Note that the whole body is here: the request has its time from now on."""
        self.reading = False
        del self.deadline

    @cached_property
    def accepts(self) -> Media:
        """The form the answer is wanted in."""
        return negotiate(self.header(b"accept"))

    @cached_property
    def parameters(self) -> list[tuple[str, str]]:
        """The URL's parameters, in their order."""
        raw: bytes = self.scope["query_string"]
        if not raw:
            return []
        try:
            return parse_qsl(
                raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MAX_PARAMETERS
            )
        except ValueError:
            detail = f"The query is not percent-encoded UTF-8, or has more than {MAX_PARAMETERS} parameters."
            raise InvalidParameterError(detail, [Fault("?", "malformed", detail)]) from None

    def has_body(self) -> bool:
        """Whether the client announced a body."""
        return b"transfer-encoding" in self.raw_headers or self.raw_headers.get(b"content-length", b"0") != b"0"

    def ignore_body(self) -> None:
        """Leave a body unread, but refuse one that does not say what it is, as where bodies are read.

        Raises:
            UnsupportedMediaTypeError: It has no `Content-Type`, or one of those that forms send.
        """
        if not self.has_body():
            return
        kind = (self.header(b"content-type") or "").partition(";")[0].strip().lower()
        if kind in OF_FORMS:
            raise UnsupportedMediaTypeError("A body needs a Content-Type that says what it is, and no form sends.")

    async def read(self) -> bytes:
        """Return the whole body.

        Raises:
            UnsupportedMediaTypeError: It is compressed.
            BodyTooLargeError: It is larger than the setting allows.
        """
        if self.raw_headers.get(b"content-encoding", b"identity") != b"identity":
            raise UnsupportedMediaTypeError("Compressed bodies are not read.", {"Accept-Encoding": "identity"})
        limit = self.store.settings.max_body_bytes
        self.refuse_larger(limit)
        self.reading = True
        try:
            return await self._read(limit)  # the guard sees to it that it does not take for ever
        finally:
            self.reading = False

    def refuse_larger(self, limit: int) -> None:
        """Refuse a body that is announced as larger.

        Raises:
            BodyTooLargeError: It is.
        """
        announced = self.raw_headers.get(b"content-length", b"0")
        if not announced.isdigit():
            raise BadRequestError("Content-Length is not a number.")
        if len(announced.lstrip(b"0")) > MAX_DIGITS or int(announced) > limit:
            raise too_large(limit)

    async def _read(self, limit: int) -> bytes:
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            chunk: bytes = message.get("body", b"")
            size += len(chunk)
            if size > limit:
                raise too_large(limit)
            chunks.append(chunk)
            if not message.get("more_body", False):
                return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    async def plan(
        self,
        planning: Callable[[T, Policy], Awaitable[P]],
        operation: T,
        *,
        at_once: Callable[[T, Policy], P | None] | None = None,
    ) -> P:
        """Return the plan for an operation under the caller's policy.

        Looking a collection up may ask MongoDB, within the request's time.

        Args:
            planning: Plans it, whatever it takes.
            operation: What was asked for.
            at_once: Plans it if that asks nobody. It is tried first: to set a time limit costs more than such a plan.

        Raises:
            NotAcceptableError: Nothing is done whose answer the client could not read.
            DatabaseUnavailableError: No server is there for it; nothing was sent.
            DiskFullError: It would add something, and there is too little room.
        """
        _, deadline = self.accepts, self.deadline
        writes = not self.only_reads
        if not self.store.connection.is_reachable(writes=writes):
            await self.store.connection.reach(deadline, writes=writes)
        if writes and self.method != "DELETE" and not self.scope["path"].endswith(FREEING):
            self.store.connection.check_room()
        if at_once is not None and (plan := at_once(operation, self.policy)) is not None:
            return plan
        try:
            with Running(deadline, writes=False):
                return await planning(operation, self.policy)
        except UnavailableError as error:
            if not self.only_reads:
                error.outcome = "not-applied"
            raise

    @property
    def only_reads(self) -> bool:
        """Whether the request can change nothing, whatever becomes of it."""
        return self.method in SAFE_METHODS or (self.method == "POST" and self.scope["path"].endswith(READING))


def too_large(limit: int) -> BodyTooLargeError:
    """Return what is wrong with a body of more bytes."""
    return BodyTooLargeError(f"A body may have {limit} bytes at most.", {"Connection": "close"})


def path_parameter(exchange: Exchange, name: str) -> str:
    """Return a part of the path."""
    parameters: dict[str, Any] = exchange.scope["path_params"]
    return parameters[name]
