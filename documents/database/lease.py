"""Locks on files that processes share. The kernel frees them when their holder dies, however it dies.

Each lock is a `flock` on a descriptor of its own, so that threads of one process exclude each other as processes do.
No child inherits one, save where it is passed on purpose.
"""

import os
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

if sys.platform != "win32":  # `find_mongod` refuses Windows before a lock is wanted
    import fcntl

OWNER_ONLY = 0o600
POLL_SECONDS = 0.02


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, OWNER_ONLY)


def _close(descriptor: int) -> None:
    # Closing alone would leave it locked while a child, forked by another thread, has not reached its exec.
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class GaveUpError(Exception):
    """A lock could not be had for as long as it was worth waiting."""


@contextmanager
def exclusive(path: Path, *, on_wait: Callable[[], None], gives_up: Callable[[], bool]) -> Generator[None]:
    """Hold `path` alone; when another has it, call `on_wait` and wait.

    Args:
        path: The lock.
        on_wait: Called once before waiting.
        gives_up: Asked every now and then while waiting; true ends that.

    Raises:
        GaveUpError: It was true before the lock could be had.
    """
    descriptor = _open(path)
    try:
        if not _try_lock(descriptor):
            on_wait()
            while not _try_lock(descriptor):  # a `flock` that waits would not end by itself
                if gives_up():
                    raise GaveUpError
                time.sleep(POLL_SECONDS)
        yield
    finally:
        _close(descriptor)


class SharedHold:
    """A share in `path`. Any number may have one; `is_free` says whether anyone has."""

    def __init__(self, path: Path) -> None:
        self._process = os.getpid()
        self._descriptor: int | None = _open(path)
        fcntl.flock(self._descriptor, fcntl.LOCK_SH)

    def release(self) -> None:
        """Give up the share, once. In a forked child this leaves the parent's alone."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is None:
            return
        if os.getpid() == self._process:
            _close(descriptor)
        else:
            os.close(descriptor)


@contextmanager
def bequeathed(path: Path) -> Generator[int]:
    """Lock `path` and yield the descriptor to pass to a child, with whom the lock then lives and dies."""
    descriptor = _open(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)  # never LOCK_UN, which would take it from the child too


def is_free(path: Path) -> bool:
    """Say whether nobody holds `path`, alone or in part."""
    descriptor = _open(path)
    try:
        return _try_lock(descriptor)
    finally:
        _close(descriptor)


def wait_until_free(path: Path, timeout: float | None = None) -> bool:
    """Wait until nobody holds `path`; return whether that came in time.

    Args:
        path: The lock.
        timeout: Seconds; None waits for as long as it takes.
    """
    if timeout is None:
        _wait_until_free(path)
        return True
    waiting = threading.Thread(target=_wait_until_free, args=(path,), daemon=True)  # no `flock` ends by itself
    waiting.start()
    waiting.join(timeout)
    return not waiting.is_alive()


def _wait_until_free(path: Path) -> None:
    descriptor = _open(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    finally:
        _close(descriptor)
