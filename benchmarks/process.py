"""Starting, stopping and measuring processes. Linux only: what they cost is read from /proc."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PROC: Final = Path("/proc")
TICKS: Final = os.sysconf("SC_CLK_TCK")
POLL_SECONDS: Final = 0.05
STOP_SECONDS: Final = 10.0
QUIET_SECONDS: Final = 30.0
TAIL_LINES: Final = 4


class BenchError(Exception):
    """Something that the measurement needs is missing, broken or wrong; the message says what."""


@dataclass(frozen=True)
class Child:
    """A process of ours, with the processes that it started."""

    name: str
    process: subprocess.Popen[str]
    log: Path

    def find_pids(self) -> list[int]:
        """Return the process and its descendants that are alive."""
        children: dict[int, list[int]] = {}
        for pid, parent in _find_parents():
            children.setdefault(parent, []).append(pid)
        found = [self.process.pid]
        for pid in found:
            found.extend(children.get(pid, []))
        return found

    def cpu_seconds(self) -> float:
        """Return the processor time used so far, by descendants too, alive or reaped."""
        return sum(_cpu_seconds(pid) for pid in self.find_pids())

    def rss_bytes(self) -> int:
        """Return the memory in use now; pages that processes share count once for each."""
        return sum(_status_bytes(pid, "VmRSS") for pid in self.find_pids())

    def peak_rss_bytes(self) -> int:
        """Return the most memory used since `reset_peak`."""
        return sum(_status_bytes(pid, "VmHWM") for pid in self.find_pids())

    def reset_peak(self) -> None:
        """Let `peak_rss_bytes` start from what is in use now."""
        for pid in self.find_pids():
            (PROC / str(pid) / "clear_refs").write_text("5")

    def tail(self) -> str:
        """Return the end of its log."""
        return "\n".join(self.log.read_text(errors="replace").strip().splitlines()[-TAIL_LINES:])

    def wait_until(self, is_ready: Callable[[], bool], *, seconds: float) -> None:
        """Return when `is_ready` says so.

        Raises:
            BenchError: The process ended, or the time ran out.
        """
        deadline = time.monotonic() + seconds
        while not is_ready():
            if self.process.poll() is not None:
                raise BenchError(f"{self.name} ended with exit code {self.process.returncode}:\n{self.tail()}")
            if time.monotonic() > deadline:
                raise BenchError(f"{self.name} was not ready within {seconds:g} s:\n{self.tail()}")
            time.sleep(POLL_SECONDS)  # another process's state: there is no event to wait for

    def wait_until_quiet(self) -> None:
        """Return when it does next to nothing, or after half a minute of doing something else."""
        deadline = time.monotonic() + QUIET_SECONDS
        before = self.cpu_seconds()
        while time.monotonic() < deadline:
            time.sleep(2 * POLL_SECONDS)  # another process's state: there is no event to wait for
            now = self.cpu_seconds()
            if now - before <= 1 / TICKS:
                return
            before = now

    def stop(self) -> None:
        """Ask the process and its descendants to end, and end them if they have not in ten seconds."""
        pids = self.find_pids()
        self._signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
            self.process.wait()
        if any((PROC / str(pid)).exists() for pid in pids):
            self._signal(signal.SIGKILL)  # descendants that outlived their parent

    def _signal(self, number: signal.Signals) -> None:
        try:
            os.killpg(self.process.pid, number)
        except ProcessLookupError:
            return  # all have ended


@contextmanager
def run(
    name: str,
    command: Sequence[str | Path],
    *,
    log: Path,
    environment: Mapping[str, str] | None = None,
    talks: bool = False,
) -> Generator[Child]:
    """Start a process in a group of its own, and stop the group at the end whatever happens.

    Args:
        name: How errors call it.
        command: Program and arguments.
        log: File for what it prints. Its folder is also the process's working directory.
        environment: Variables beside this process's own, of which those of Sheaf are left out.
        talks: Whether to speak with it through its standard input and output.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("SHEAF_")}
    with log.open("w") as output:
        process = subprocess.Popen(
            [*_die_with_parent(), *map(str, command)],
            cwd=log.parent,
            env={**inherited, **(environment or {})},
            stdin=subprocess.PIPE if talks else subprocess.DEVNULL,
            stdout=subprocess.PIPE if talks else output,
            stderr=output,
            start_new_session=True,
            text=True,
        )
    child = Child(name, process, log)
    try:
        yield child
    finally:
        child.stop()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()


def free_port() -> int:
    """Return a port of the loopback interface that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def resident_bytes(pid: int) -> int:
    """Return the memory that one process has now."""
    return _status_bytes(pid, "VmRSS")


def _die_with_parent() -> list[str]:
    # Even a `kill -9` of the benchmark leaves nothing running.
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM", "--"] if setpriv else []


def _stat(pid: int) -> list[str] | None:
    try:
        text = (PROC / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None  # it has just ended
    return text[text.rindex(")") + 2 :].split()  # the name before may hold anything, even spaces


def _find_parents() -> Iterator[tuple[int, int]]:
    for entry in PROC.iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))):
            yield int(entry.name), int(fields[1])


def _cpu_seconds(pid: int) -> float:
    # utime, stime and those of reaped children: fields 14 to 17 of proc(5), which counts the two cut off above.
    fields = _stat(pid)
    return sum(map(int, fields[11:15])) / TICKS if fields else 0.0


def _status_bytes(pid: int, key: str) -> int:
    try:
        lines = (PROC / str(pid) / "status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0  # it has just ended
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{key}:")), 0)
