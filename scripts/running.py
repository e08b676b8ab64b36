"""Runs what a command awaits, on uvloop where there is one. SIGTERM ends it as Ctrl-C does: what is held is given back.

`sheaf serve` does without: it has a handler of its own, which the one of an event loop would take away.
"""

import asyncio
import signal
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from importlib import import_module
from typing import Any, TypeVar

import typer

from scripts.exits import TERMINATED

T = TypeVar("T")


def run(work: Coroutine[Any, Any, T]) -> T:
    """Return what `work` gives.

    Raises:
        typer.Exit: SIGTERM came; `work` was cancelled, and has cleaned up.
    """
    try:
        with asyncio.Runner(loop_factory=_find_loop()) as runner:
            return runner.run(_until_terminated(work))
    except asyncio.CancelledError:
        raise typer.Exit(TERMINATED) from None


def _find_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        return import_module("uvloop").new_event_loop
    except ImportError:  # on Windows
        return None


async def _until_terminated(work: Coroutine[Any, Any, T]) -> T:
    task = asyncio.current_task()
    if task is not None and threading.current_thread() is threading.main_thread():  # which alone hears signals
        with suppress(NotImplementedError):  # of Windows, where there is no such signal
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await work
