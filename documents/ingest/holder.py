"""Who works on a job: a process, of which others beside it can say whether it is no more."""

import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from documents.types import Document

_KERNEL: Final = Path("/proc/sys/kernel/random/boot_id")
_NUMBERS: Final = Path("/proc/self/ns/pid")


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that has taken a job.

    Args:
        host: The machine it runs on, for people.
        pid: Its number there.
        space: Where that number means this process.
        is_alive: Whether its lease runs on, by MongoDB's clock.
    """

    host: str
    pid: int
    space: str
    is_alive: bool

    @classmethod
    def from_record(cls, record: Mapping[str, Any], *, is_alive: bool) -> Self:
        """Return what `this_process` gave."""
        return cls(record["host"], record["pid"], record.get("space", ""), is_alive)

    def is_dead(self) -> bool:
        """Say whether it is known to be no more. Of what ran elsewhere, or before a restart, nobody can say."""
        if self.space != _space():
            return False
        try:
            with suppress(PermissionError):  # another user's, and so there
                os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        return False


def this_process() -> Document:
    """Return this process, to be written down."""
    return {"host": socket.gethostname(), "pid": os.getpid(), "space": _space()}


def _space() -> str:
    """Return what two processes have in common that know each other by number.

    On Linux that is the run of the kernel, and the namespace: containers may share their host's name, and not these.
    Elsewhere it is the machine's name.
    """
    try:
        return f"{_KERNEL.read_text().strip()} {_NUMBERS.readlink()}"
    except OSError:
        return socket.gethostname()
