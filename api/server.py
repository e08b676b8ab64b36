"""uvicorn, with the manners that it lacks: slow clients are cut off, and SIGTERM drains."""

import asyncio
import logging
import os
import signal
import threading
from asyncio import TimerHandle
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from importlib import import_module
from multiprocessing import parent_process
from socket import socket
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Final, cast

import uvicorn
from prometheus_client.multiprocess import mark_process_dead  # pyright: ignore[reportUnknownVariableType]  # its path has no type
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.supervisors.multiprocess import Multiprocess, Process

from api.collector import spare_the_collector
from api.draining import Draining
from api.observe import SHARED
from api.problems import BadRequestError, HeadersTooLargeError, RequestTimeoutError, TooManyRequestsError, respond
from api.transport import GatheringTransport
from documents.errors import OverloadedError, StoreError
from documents.settings import Settings, SettingsError

HEADER_SECONDS: Final = 10.0
HEADER_BYTES: Final = 64 * 1024
HEADERS_END: Final = b"\r\n\r\n"
ANSWER_SECONDS: Final = 10.0
"""How often it is looked whether a client takes its answer fast enough."""

HALF_CLOSED_SECONDS: Final = 0.5
"""How long a client that has closed its half still gets its answer. It looks the same as one that has gone."""

KEEP_ALIVE_SECONDS: Final = 30
LAST_CALL_SECONDS: Final = 0.25
"""Between the last connection that is accepted and the end of those that ask for nothing."""

HEALTHCHECK_SECONDS: Final = 60
"""After so long a process that says nothing is replaced. On a busy machine it takes a while until it has started."""

ORPHAN_SECONDS: Final = 1
"""What requests get to finish when the process that started the servers has died."""

BACKLOG: Final = 2048
_log = logging.getLogger("sheaf")


class PatientProtocol(HttpToolsProtocol):
    """HTTP/1.1 that waits for a client to send its headers and to take its answer, but not for ever."""

    config: "ServerConfig"
    transport: GatheringTransport  # pyright: ignore[reportIncompatibleVariableOverride]  # which `connection_made` sees to
    _header_timer: TimerHandle | None = None
    _header_bytes = 0
    _header_tail = b""
    _in_headers = True
    _answer_timer: TimerHandle | None = None
    _sent = 0
    _unread_since = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]  # as uvicorn has it
        """Begin to wait for the first request."""
        super().connection_made(GatheringTransport(transport, self.loop))
        objection = self._objection()
        if objection is None:
            self._expect_headers()
        else:
            self._refuse(objection)

    def pause_writing(self) -> None:
        """Stop sending, and see to it that the client takes what was sent."""
        super().pause_writing()
        self._watch()

    def _objection(self) -> StoreError | None:
        """Return why a new connection is not served, None if it is."""
        limits = self.config.limits
        if limits is None:
            return None
        if len(self.connections) > limits.max_connections:
            return OverloadedError("The server has as many connections as it may.", "not-applied")
        mine = sum(other.client is not None and other.client[:1] == (self.client or ())[:1] for other in self._others())
        if mine > limits.max_connections * limits.client_share:
            return TooManyRequestsError("This address has as many connections as one may.", {"Retry-After": "1"})
        return None

    def _others(self) -> "list[PatientProtocol]":
        return [other for other in self.connections if isinstance(other, PatientProtocol)]

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._stop_expecting()
        self._stop_watching()
        super().connection_lost(exc)

    def eof_received(self) -> bool:  # pyright: ignore[reportIncompatibleMethodOverride]  # uvicorn's returns nothing
        """Stay for a moment where a whole request is being answered: its client may only have nothing more to ask."""
        cycle = self.cycle
        if cycle is None or cycle.response_complete or cycle.more_body:  # pyright: ignore[reportUnnecessaryComparison]  # None before the first request
            return False
        cycle.keep_alive = False
        self.loop.call_later(HALF_CLOSED_SECONDS, self.transport.close)
        return True

    def data_received(self, data: bytes) -> None:
        """Take some bytes, unless they make headers larger than any client needs."""
        if self._in_headers:
            self._header_bytes += self._count_header_bytes(data)
            if self._header_bytes > HEADER_BYTES:
                self._refuse(HeadersTooLargeError(f"The headers may have {HEADER_BYTES} bytes at most."))
                return
        super().data_received(data)
        if self._in_headers and self._header_timer is None:  # most often they are here as a whole
            self._expect_headers()

    def on_message_begin(self) -> None:
        """Note that a request has begun, on a connection that may have had one before."""
        super().on_message_begin()
        self._in_headers = True

    def on_headers_complete(self) -> None:
        """Stop waiting: the request is here."""
        self._in_headers = False
        self._header_bytes = 0
        self._header_tail = b""
        self._stop_expecting()
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        """Send the answer, go on to the next request, and see to it that the client takes what was answered."""
        self.transport.flush()
        super().on_response_complete()
        if self.transport.get_write_buffer_size():
            self._watch()
            self._cut_oldest()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  # uvicorn passes it; the parser's words are of no use to a client
        """Answer what is not HTTP."""
        self._refuse(BadRequestError("The request breaks the rules of HTTP."))

    def _count_header_bytes(self, data: bytes) -> int:
        """Return how many bytes of `data` come before the end of the headers, which may be cut anywhere."""
        seen = self._header_tail + data
        end = seen.find(HEADERS_END)
        self._header_tail = seen[-len(HEADERS_END) + 1 :]
        return len(data) if end < 0 else end

    def _expect_headers(self) -> None:
        late = RequestTimeoutError("The headers did not arrive in time.")
        self._header_timer = self.loop.call_later(HEADER_SECONDS, self._refuse, late)

    def _stop_expecting(self) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None

    def _watch(self) -> None:
        self._stop_watching()
        self._sent = self.transport.sent_bytes
        self._unread_since = self._unread_since or self.loop.time()
        self._answer_timer = self.loop.call_later(ANSWER_SECONDS, self._end_if_stalled)

    def _stop_watching(self) -> None:
        if self._answer_timer is not None:
            self._answer_timer.cancel()
            self._answer_timer = None

    def _end_if_stalled(self) -> None:
        floor = (self.config.limits.min_bytes_per_second if self.config.limits else 0) * ANSWER_SECONDS
        if not self.transport.get_write_buffer_size():
            self._unread_since = 0.0
        elif self.transport.sent_bytes - self._sent < max(floor, 1):
            self.transport.abort()
        else:
            self._watch()

    def _cut_oldest(self) -> None:
        """Cut off those who have not read for the longest time, where too much waits for readers."""
        if self.config.limits is None:
            return
        unsent = {other: other.transport.get_write_buffer_size() for other in self._others()}
        excess = sum(unsent.values()) - self.config.limits.max_unsent_bytes
        for other in sorted((each for each in unsent if unsent[each]), key=lambda each: each._unread_since):  # noqa: SLF001  # of this class
            if excess <= 0:
                return
            excess -= unsent[other]
            other.transport.abort()

    def _refuse(self, error: StoreError) -> None:
        self._stop_expecting()
        if self.transport.is_closing():
            return
        answer = respond(error)
        lines = [
            f"HTTP/1.1 {answer.status_code} {HTTPStatus(answer.status_code).phrase}".encode(),
            b"connection: close",
        ]
        lines += [name + b": " + value for name, value in answer.raw_headers]
        self.transport.write(b"\r\n".join([*lines, b"", bytes(answer.body)]))
        self.transport.close()


class ServerConfig(uvicorn.Config):
    """uvicorn's configuration, with how long to drain."""

    drain_delay_seconds: float = 0.0
    limits: Settings | None = None


class DrainingServer(uvicorn.Server):
    """A server that goes on serving for a moment after SIGTERM, so that nobody runs into a closed door."""

    def __init__(self, config: ServerConfig, *, on_listening: Callable[[], None] | None = None) -> None:
        super().__init__(config)
        self._delay_seconds = config.drain_delay_seconds
        self._on_listening = on_listening
        self._loop: asyncio.AbstractEventLoop | None = None
        self._serving: asyncio.Task[object] | None = None
        self._gave_up = False

    async def startup(self, sockets: list[socket] | None = None) -> None:
        """Start to listen."""
        self._loop = asyncio.get_running_loop()
        self._serving = asyncio.current_task()
        self._stop_without_parent(self._loop)
        spare_the_collector()
        try:
            await super().startup(sockets=sockets)
        except SystemExit:
            if not self._gave_up:
                raise
            self.should_exit = True
        if self.started and self._on_listening is not None:
            self._on_listening()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to drain at the first SIGTERM; stop at once at Ctrl-C or at a second signal."""
        draining: Draining | None = self.lifespan.state.get("draining") if self._loop else None
        if self._loop is not None and draining is None:
            self._loop.call_soon_threadsafe(self._give_up_starting)
        if sig != signal.SIGTERM or self._loop is None or draining is None or draining.begun:
            super().handle_exit(sig, frame)
            return
        draining.begin()
        self._loop.call_soon_threadsafe(self._loop.call_later, self._delay_seconds, self._exit)

    def _give_up_starting(self) -> None:
        """Cancel what the application does to start, such as waiting for a MongoDB that does not answer."""
        if self.started or self.lifespan.startup_event.is_set():
            return
        self._gave_up = True
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # it would show that as a failure
        for task in asyncio.all_tasks():
            if task is not self._serving:
                task.cancel()

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        """Stop. After SIGTERM, those who have just connected get a moment to ask, and an answer."""
        draining: Draining | None = self.lifespan.state.get("draining")
        if draining is not None and draining.begun:
            await self._stop_listening(sockets or [])
            await asyncio.sleep(LAST_CALL_SECONDS)
        await super().shutdown(sockets)

    async def _stop_listening(self, sockets: list[socket]) -> None:
        doors = [socket(fileno=os.dup(each.fileno())) for server in self.servers for each in server.sockets]
        for listening in (*self.servers, *sockets):
            listening.close()
        waiting: list[socket] = []
        for door in doors:
            with door:
                waiting += _waiting_at(door)
        await asyncio.gather(*map(self._take_in, waiting))

    async def _take_in(self, connection: socket) -> None:
        loop = asyncio.get_running_loop()
        await loop.connect_accepted_socket(
            lambda: PatientProtocol(self.config, self.server_state, self.lifespan.state), connection
        )

    def _exit(self) -> None:
        self.should_exit = True

    def _stop_without_parent(self, loop: asyncio.AbstractEventLoop) -> None:
        """Stop as soon as the process that started this one has died: nobody else would, and the port stays taken."""
        parent = parent_process()
        if parent is None:
            return

        def stop() -> None:
            self.config.timeout_graceful_shutdown = ORPHAN_SECONDS
            self._exit()

        def wait() -> None:
            parent.join()
            with suppress(RuntimeError):  # the loop has ended before
                loop.call_soon_threadsafe(stop)

        threading.Thread(target=wait, daemon=True, name="sheaf-parent").start()


def _waiting_at(door: socket) -> list[socket]:
    """Accept those who have connected and whom nobody has accepted: the kernel would turn them away."""
    waiting: list[socket] = []
    door.setblocking(False)
    with suppress(BlockingIOError):
        while True:
            waiting.append(door.accept()[0])
    return waiting


class DrainingProcess(Process):
    """One of several processes."""

    @property
    def server(self) -> uvicorn.Server:
        """The server of this process, made when it first asks."""
        if self._server is None:
            self._server = DrainingServer(cast("ServerConfig", self.config))
        return self._server


class DrainingProcesses(Multiprocess):
    """Starts several processes on one address, and starts another when one dies."""

    def init_processes(self) -> None:
        """Start them all."""
        for _ in range(self.processes_num):
            process = DrainingProcess(self.config, self.sockets)
            process.start()
            self.processes.append(process)

    def keep_subprocess_alive(self) -> None:
        """Start another in the place of one that has died, and say so."""
        for worker in self.processes:
            if not self.should_exit.is_set() and not worker.process.is_alive():
                mark_process_dead(worker.pid, os.environ[SHARED])
                _log.error(
                    "Worker %s died: %s. Another one is started.", worker.pid, _cause_of(worker.process.exitcode)
                )
        super().keep_subprocess_alive()

    def terminate_all(self) -> None:
        """Tell them to stop. Nobody may connect once they listen no more, so the socket is not held open here."""
        for listening in self.sockets:
            listening.close()
        super().terminate_all()


def _cause_of(exit_code: int | None) -> str:
    if exit_code is None or exit_code >= 0:
        return f"exit code {exit_code}"
    return f"killed by {signal.Signals(-exit_code).name}"


def run_granian(settings: Settings, *, on_listening: Callable[[], None] = lambda: None) -> None:
    """Serve with granian, a server in Rust, until told to stop.

    It takes less time for each request, and lacks what this module adds to uvicorn: it neither cuts off slow
    clients nor says on SIGTERM that it is not ready any more.

    Args:
        settings: Where, and with how many processes. They reach the processes through the environment.
        on_listening: Called when the processes have been told to start.

    Raises:
        SettingsError: granian is not installed.
    """
    try:
        granian = import_module("granian")
    except ImportError:
        raise SettingsError("granian is not installed. It is an extra: pip install 'sheaf-api[granian]'") from None
    server = granian.Granian(
        "api.app:create_app",
        factory=True,
        interface="asgi",
        address=settings.host,
        port=settings.port,
        workers=settings.workers,
        loop="uvloop",
        websockets=False,
        log_level="warning",
        respawn_failed_workers=True,
        workers_kill_timeout=int(settings.drain_timeout.total_seconds()),
    )
    server.on_startup(on_listening)
    server.serve()


def run_server(
    settings: Settings, *, on_listening: Callable[[], None] = lambda: None, log_level: str = "warning"
) -> None:
    """Serve until told to stop.

    Args:
        settings: Where, and with how many processes. They reach the processes through the environment.
        on_listening: Called once the address answers; with several processes, once they have been told to start.
        log_level: Of uvicorn's own log.
    """
    config = ServerConfig(
        "api.app:create_app",
        factory=True,
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        loop="auto",
        http=PatientProtocol,
        ws="none",
        log_level=log_level,
        log_config=None,  # `send_records` sends its records the same way as ours
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=int(settings.drain_timeout.total_seconds()),
        backlog=BACKLOG,
        timeout_worker_healthcheck=HEALTHCHECK_SECONDS,
    )
    config.limits = settings
    config.drain_delay_seconds = settings.drain_delay.total_seconds()
    if settings.workers == 1:
        DrainingServer(config, on_listening=on_listening).run()
        return
    listening = config.bind_socket()
    listening.listen(BACKLOG)  # so that whoever comes before the processes are up waits, and is not refused
    on_listening()
    with TemporaryDirectory(prefix="sheaf-metrics-") as folder:
        os.environ[SHARED] = folder  # where the processes share their numbers
        DrainingProcesses(config, sockets=[listening]).run()
