"""The embedded MongoDB: a real mongod, started by whoever comes first and stopped by whoever leaves last.

Three locks keep it straight, all freed by the kernel when a process dies:

transition.lock   held alone by whoever starts, joins or stops, so these happen one after the other
holders.lock      shared by everyone who has a lease: the last to leave is the one who finds it free
running.lock      held by the mongod itself, from before it starts until it is gone: whether it runs, and waiting
                  for its end, need no process id, which might belong to another process by now
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from pymongo.errors import AutoReconnect, OperationFailure, PyMongoError

from documents.database.data_folder import DataFolder, Endpoint
from documents.database.lease import GaveUpError, SharedHold, exclusive, is_free, wait_until_free
from documents.database.mongod import EmbeddedMongoError, PortTakenError, find_mongod, launch, offer_ports
from documents.database.replica_set import ADMIN, USER, NoPrimaryError, prepare, render_uri, shut_down

__all__ = ["EmbeddedMongo", "EmbeddedMongoError", "acquire"]

PATIENCE_SECONDS = 60.0
STOP_SECONDS = 10.0
"""How long a mongod may take to stop cleanly. One that takes longer is killed: its journal has all that counts."""

CACHE_GB = 0.5

Announce = Callable[[str], None]


def _say_nothing(_: str) -> None:
    """Announce to nobody."""


def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True)
class _Launch:
    """How a mongod is started."""

    program: Path
    cache_gb: float
    parameters: Mapping[str, str | int | bool]


class EmbeddedMongo:
    """A lease on a data folder's mongod: while one is held, it is not stopped. `acquire` gives leases.

    Attributes:
        uri: For reading and writing every database. A secret, as is `admin_uri`.
        admin_uri: For what only an administrator may do, such as fail points in tests.
        version: MongoDB's.
        pid: The mongod's process id at the time of `acquire`, or of the last `revive`.
        started: Whether this lease started the mongod; False when it found it running.
    """

    def __init__(
        self, folder: DataFolder, endpoint: Endpoint, hold: SharedHold, launch: _Launch, *, started: bool
    ) -> None:
        self.uri = render_uri(USER, endpoint.password, endpoint.port)
        self.admin_uri = render_uri(ADMIN, endpoint.admin_password, endpoint.port)
        self.version = endpoint.version or ""
        self.pid = endpoint.pid or 0
        self.data_dir = folder.path
        self.started = started
        self._folder = folder
        self._endpoint = endpoint
        self._launch = launch
        self._key = folder.key()
        self._hold: SharedHold | None = hold
        self._releasing = threading.Lock()

    def __repr__(self) -> str:
        return f"EmbeddedMongo(data_dir={str(self.data_dir)!r}, version={self.version!r}, started={self.started})"

    def wait_until_ended(self) -> None:
        """Wait until the mongod has ended, however it did."""
        wait_until_free(self._folder.running_lock)

    def revive(self) -> None:
        """Start a mongod that has ended again, at the port where it was, unless another holder has done so.

        Raises:
            EmbeddedMongoError: It cannot be started, or not there.
        """
        with _explaining(self._folder), _transition(self._folder, _say_nothing, _never):
            endpoint = _join(self._folder, _say_nothing) or _start(
                self._folder, _say_nothing, self._launch, known=self._endpoint, ports=[self._endpoint.port]
            )
        if endpoint.port != self._endpoint.port:
            raise EmbeddedMongoError(
                f"The MongoDB in {self.data_dir} has moved from port {self._endpoint.port} to {endpoint.port}. "
                "Start this process again."
            )
        self._endpoint, self.pid = endpoint, endpoint.pid or 0

    def release(self) -> None:
        """Give up the lease, once. The last one stops mongod and waits for its end; one that does not answer is killed.

        Raises:
            EmbeddedMongoError: It does not answer.
        """
        with self._releasing:
            hold, self._hold = self._hold, None
        if hold is None:
            return
        until = time.monotonic() + STOP_SECONDS
        try:
            with _transition(self._folder, _say_nothing, lambda: time.monotonic() > until):
                hold.release()
                if is_free(self._folder.holders_lock):
                    _stop(self._folder, self._folder.load() or self._endpoint)
        except GaveUpError:  # another process is about to join it, and will be the one that leaves last
            hold.release()
        except FileNotFoundError:
            hold.release()
            self._stop_without_folder()

    def _stop_without_folder(self) -> None:
        """Stop a mongod whose folder was deleted; it cannot live long without its files in any case."""
        with suppress(PyMongoError):
            shut_down(self._endpoint, self._key, patience=STOP_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def acquire(
    data_dir: Path,
    *,
    announce: Announce = _say_nothing,
    cache_gb: float = CACHE_GB,
    parameters: Mapping[str, str | int | bool] | None = None,
    mongod: Path | None = None,
    gives_up: Callable[[], bool] = _never,
) -> EmbeddedMongo:
    """Join the mongod of `data_dir`, or start it, and return a lease on it once it takes writes.

    Args:
        data_dir: Made if it lacks. Whatever a killed process left there is mended.
        announce: Told in a sentence what takes time.
        cache_gb: Memory for the data cache when this call starts mongod, 0.25 or more.
        parameters: Further mongod parameters (`setParameter`) when this call starts it.
        mongod: The program to start; None for the installed wheel's.
        gives_up: Asked every now and then while it waits for a mongod to answer, or for another process.

    Raises:
        EmbeddedMongoError: It cannot be had; the message says what to do.
        GaveUpError: `gives_up` was true before it could be had.
    """
    start = _Launch(find_mongod(mongod), cache_gb, parameters or {})
    folder = DataFolder(data_dir)
    with _explaining(folder):
        folder.create()
        with _transition(folder, announce, gives_up):
            is_first = is_free(folder.holders_lock)
            hold = SharedHold(folder.holders_lock)
            try:
                joined = _join(folder, announce, gives_up)
                endpoint = joined or _start_afresh(folder, announce, start, may_move=is_first)
            except BaseException:
                hold.release()
                raise
            return EmbeddedMongo(folder, endpoint, hold, start, started=joined is None)


@contextmanager
def _explaining(folder: DataFolder) -> Generator[None]:
    """Say what to do about a data folder that cannot be used."""
    try:
        yield
    except OSError as error:
        raise EmbeddedMongoError(
            f"The data folder {folder.path} cannot be used: {error}. Mend that, or choose another with SHEAF_DATA_DIR."
        ) from error


def _transition(folder: DataFolder, announce: Announce, gives_up: Callable[[], bool]) -> AbstractContextManager[None]:
    return exclusive(
        folder.transition_lock,
        gives_up=gives_up,
        on_wait=lambda: announce(f"Another process is starting or stopping MongoDB in {folder.path}; waiting for it."),
    )


def _join(folder: DataFolder, announce: Announce, gives_up: Callable[[], bool] = _never) -> Endpoint | None:
    """Return how to reach the running mongod, or None if none runs."""
    if is_free(folder.running_lock):
        return None
    endpoint = folder.load()
    if endpoint is None:
        raise EmbeddedMongoError(
            _advise(folder, f"{folder.connection_file} is missing or damaged, so nobody can reach it")
        )
    announce(f"Joining the MongoDB that runs in {folder.path}.")
    return _prepare(folder, endpoint, gives_up)


def _start_afresh(folder: DataFolder, announce: Announce, start: _Launch, *, may_move: bool) -> Endpoint:
    """Start mongod for a new lease; others that are held already would not find it at another port."""
    known = folder.load() or Endpoint()
    announce(f"Starting MongoDB in {folder.path}.")
    ports = offer_ports(known.port) if may_move or not known.port else [known.port]
    return _start(folder, announce, start, known=known, ports=ports)


def _start(
    folder: DataFolder, announce: Announce, start: _Launch, *, known: Endpoint, ports: Iterable[int]
) -> Endpoint:
    """Start mongod at the first of `ports` that can be had."""
    folder.key()
    for port in ports:
        if known.port not in (0, port):
            announce(f"Port {known.port} is taken, so MongoDB moves to {port}.")
        # Saved first: should this process be killed now, the next one finds the mongod that comes up.
        folder.save(endpoint := known.model_copy(update={"port": port, "pid": None}))
        try:
            launch(start.program, folder, port=port, cache_gb=start.cache_gb, parameters=start.parameters)
            prepared = _prepare(folder, endpoint)
        except PortTakenError:
            continue
        except BaseException as error:
            _stop_after(error, folder, endpoint)
            raise
        if prepared is None:
            lines = "\n".join(folder.read_complaints())
            raise EmbeddedMongoError(
                f"MongoDB ended while it was starting in {folder.path}.\n{lines}\nThe whole log is {folder.log}."
            )
        return prepared
    where = f"Port {known.port} is taken" if known.port else "No port was free"
    raise EmbeddedMongoError(f"{where}, so MongoDB cannot start. Stop what listens there, or set SHEAF_MONGODB_URI.")


def _prepare(folder: DataFolder, endpoint: Endpoint, gives_up: Callable[[], bool] = _never) -> Endpoint | None:
    """Await the running mongod and save how to reach it; None if it ends instead."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            prepared = prepare(endpoint, folder.key(), deadline=deadline)
        except OperationFailure as error:
            raise EmbeddedMongoError(_advise(folder, f"it refused: {error.details or error}")) from error
        except (AutoReconnect, NoPrimaryError) as error:  # not listening yet, or gone
            if is_free(folder.running_lock):
                return None
            if gives_up():
                raise GaveUpError from error
            if time.monotonic() > deadline:
                raise EmbeddedMongoError(_advise(folder, "it does not answer, or takes no writes")) from error
        else:
            if prepared != endpoint:
                folder.save(prepared)
            return prepared


def _stop(folder: DataFolder, endpoint: Endpoint) -> None:
    """Stop the mongod, if one runs, and wait for its end."""
    if is_free(folder.running_lock):
        return
    try:
        shut_down(endpoint, folder.key(), patience=STOP_SECONDS)
    except AutoReconnect as error:
        _kill(folder, endpoint, error)
    except PyMongoError as error:
        if not is_free(folder.running_lock):
            raise EmbeddedMongoError(_advise(folder, "it does not let itself be stopped")) from error
    if not wait_until_free(folder.running_lock, STOP_SECONDS):
        _kill(folder, endpoint)
        wait_until_free(folder.running_lock)


def _kill(folder: DataFolder, endpoint: Endpoint, reason: Exception | None = None) -> None:
    """Kill a mongod that does not answer, such as one that is frozen.

    The endpoint's process id is that of the mongod that runs: it is unset before one starts, and set once it answers.
    """
    if is_free(folder.running_lock):
        return
    if endpoint.pid is None:
        raise EmbeddedMongoError(_advise(folder, "it does not let itself be stopped")) from reason
    with suppress(ProcessLookupError):
        os.kill(endpoint.pid, signal.SIGKILL)


def _stop_after(failure: BaseException, folder: DataFolder, endpoint: Endpoint) -> None:
    """Stop what this process started and could not finish, such as after Ctrl-C."""
    try:
        _stop(folder, endpoint)
    except EmbeddedMongoError as error:
        failure.add_note(str(error))


def _advise(folder: DataFolder, trouble: str) -> str:
    pid_file = folder.db / "mongod.lock"
    pid = pid_file.read_text(encoding="ascii").strip() if pid_file.exists() else ""
    return (
        f"A MongoDB{f' (process {pid})' if pid else ''} runs in {folder.path}, but {trouble}. Its log is {folder.log}. "
        f"Stop it{f' with `kill {pid}`' if pid else ''} and try again, choose another folder with SHEAF_DATA_DIR, "
        "or set SHEAF_MONGODB_URI."
    )
