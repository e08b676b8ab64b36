"""Who works on a job: a process, of which its own machine can say whether it is no more."""

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from documents.types import Document


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that has taken a job.

    Args:
        host: The machine it runs on.
        pid: Its number there.
        boot: What is another after that machine was started again; None where it cannot be told.
        is_alive: Whether its lease runs on, by MongoDB's clock.
    """

    host: str
    pid: int
    boot: str | None
    is_alive: bool

    @classmethod
    def from_record(cls, record: Mapping[str, Any], *, is_alive: bool) -> Self:
        """Return what `this_process` gave."""
        return cls(record["host"], record["pid"], record["boot"], is_alive)

    def is_dead(self) -> bool:
        """Say whether it was a process of this machine that is no more. Of other machines nobody can say."""
        if self.host != socket.gethostname():
            return False
        if self.boot != _boot():
            return True
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        return False


def this_process() -> Document:
    """Return this process, to be written down."""
    return {"host": socket.gethostname(), "pid": os.getpid(), "boot": _boot()}


def _boot() -> str | None:
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:  # noqa: PTH123  # a few bytes of the kernel's
            return file.read().strip()
    except OSError:
        return None
