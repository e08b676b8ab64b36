"""The log: one event a line, as JSON or for people, on standard error."""

import asyncio
import logging
import os
import sys
import traceback
from collections.abc import Callable, MutableMapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final

import orjson
import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor

from documents.settings import LogFormat, Settings
from documents.telemetry import current

STDERR: Final = 2
LOGGERS: Final = ("sheaf", "uvicorn", "uvicorn.error")
HANDLER: Final = "sheaf-lines"
GATHER_SECONDS: Final = 0.05
MAX_GATHERED: Final = 500
LEVELS: Final = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}

Write = Callable[[bytes], None]


class LineWriter:
    """Writes lines to a file descriptor. Drops and counts lines where it would have to wait.

    Args:
        descriptor: Where they go.
    """

    def __init__(self, descriptor: int = STDERR) -> None:
        self._descriptor = descriptor
        self._lines: list[bytes] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self.dropped = 0

    def write(self, line: bytes) -> None:
        """Write a line at once, behind those that have gathered."""
        self._lines.append(line)
        self.flush()

    def gather(self, line: bytes) -> None:
        """Write a line within a moment, together with others: for each of them a call of the kernel is dear."""
        lines = self._lines
        lines.append(line)
        if len(lines) == 1:
            if self._loop is None:
                self._loop = asyncio.get_running_loop()
            self._loop.call_later(GATHER_SECONDS, self.flush)
        elif len(lines) >= MAX_GATHERED:
            self.flush()

    def flush(self) -> None:
        """Write what has gathered."""
        lines = len(self._lines)
        data = b"".join(self._lines)
        self._lines.clear()
        with suppress(BrokenPipeError):  # nobody reads it any more
            try:
                while data:
                    data = data[os.write(self._descriptor, data) :]
            except BlockingIOError:
                self.dropped += lines


def add_time(_: object, __: str, event: EventDict) -> EventDict:
    """Add the moment, in UTC."""
    event["time"] = f"{datetime.now(UTC).isoformat(timespec='milliseconds')[:-6]}Z"
    return event


def add_request(_: object, __: str, event: EventDict) -> EventDict:
    """Add the ids of the request that the task works for."""
    observation = current()
    if observation is not None:
        event.setdefault("request_id", observation.request_id)
        if observation.trace_id:
            event.setdefault("trace_id", observation.trace_id)
    return event


def add_exception(_: object, __: str, event: EventDict) -> EventDict:
    """Put in the place of an exception its type and where it was raised. Its message may have values of documents."""
    given = event.pop("exc_info", None)
    if not given:
        return event
    error = sys.exc_info()[1] if given is True else given if isinstance(given, BaseException) else given[1]
    if error is not None:
        event["exception"] = type(error).__name__
        event["stack"] = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in _frames(error)]
    return event


def _frames(error: BaseException) -> list[traceback.FrameSummary]:
    return list(traceback.extract_tb(error.__traceback__, limit=-12))


def to_json(_: object, __: str, event: EventDict) -> bytes:
    """Write an event as JSON: time, level and event first."""
    members = {name: event.pop(name) for name in ("time", "level", "event") if name in event} | dict(event)
    return orjson.dumps(members, default=str, option=orjson.OPT_APPEND_NEWLINE)


class ToText:
    """Writes an event for people."""

    def __init__(self, *, colors: bool) -> None:
        self._render = structlog.dev.ConsoleRenderer(colors=colors, timestamp_key="time", pad_event_to=0)

    def __call__(self, logger: object, name: str, event: MutableMapping[str, Any]) -> bytes:
        """Write the event."""
        stack = event.pop("stack", ())
        text = self._render(logger, name, event)
        # A line feed in a value would begin a line that no event has.
        lines = [text.replace("\r", "\\r").replace("\n", "\\n"), *(f"    {frame}" for frame in stack)]
        return ("\n".join(lines) + "\n").encode("utf-8", "replace")


def renderer_of(settings: Settings) -> Processor:
    """Return what writes an event as the settings want it: for people on a terminal, else as JSON."""
    is_terminal = os.isatty(STDERR)
    chosen = settings.log_format or (LogFormat.TEXT if is_terminal else LogFormat.JSON)
    return to_json if chosen is LogFormat.JSON else ToText(colors=is_terminal and "NO_COLOR" not in os.environ)


def writes_json(settings: Settings) -> bool:
    """Return whether events of the level of requests are written, and as JSON."""
    return renderer_of(settings) is to_json and LEVELS[settings.log_level] <= logging.INFO


def make_logger(settings: Settings, write: Write) -> FilteringBoundLogger:
    """Return a logger for events of the server: the quick way, past Python's logging."""

    class Sink:
        """What structlog hands a rendered line to."""

        debug = info = warning = error = staticmethod(write)

    return structlog.wrap_logger(
        Sink(),
        processors=[structlog.processors.add_log_level, add_request, add_time, renderer_of(settings)],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[settings.log_level]),
        cache_logger_on_first_use=True,
    ).bind()


class _Handler(logging.Handler):
    """Writes records of Python's logging as events."""

    def __init__(self, settings: Settings, write: Write) -> None:
        super().__init__(LEVELS[settings.log_level])
        self.name = HANDLER
        self._write = write
        self._render = renderer_of(settings)

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record."""
        try:
            event: EventDict = {"event": record.getMessage(), "level": record.levelname.lower()}
            if record.name != "sheaf":
                event["logger"] = record.name
            event |= getattr(record, "fields", {})
            if record.exc_info:
                event["exc_info"] = record.exc_info
            for add in (add_exception, add_request, add_time):
                event = dict(add(None, "", event))
            self._write(self._render(None, "", event))  # pyright: ignore[reportArgumentType]  # both renderers return bytes
        except Exception:  # noqa: BLE001  # as every handler does: a line that cannot be written stops nobody
            self.handleError(record)


def send_records(settings: Settings, write: Write) -> None:
    """Send what goes to Python's logging the same way, from now on."""
    for name in LOGGERS:
        logger = logging.getLogger(name)
        logger.handlers = [handler for handler in logger.handlers if handler.name != HANDLER]
    for name in ("sheaf", "uvicorn"):
        logging.getLogger(name).addHandler(_Handler(settings, write))
    logging.getLogger("sheaf").setLevel(LEVELS[settings.log_level])
