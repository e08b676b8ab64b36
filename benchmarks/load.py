"""Making the load: wrk with a Lua script for what speaks HTTP, orders to a process for what does not."""

import json
import resource
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from benchmarks.dataset import CATEGORIES, ID_PREFIX
from benchmarks.process import BenchError, Child
from benchmarks.request import Request
from benchmarks.workload import SIZES, Workload

SCRIPT: Final = Path(__file__).parent / "lua" / "requests.lua"
MARK: Final = "RESULT "
TIMEOUT_SECONDS: Final = 120
MISSING: Final = (
    "The benchmark drives its contenders with wrk, and there is none on the PATH. "
    "Install it, on Debian and Ubuntu with: apt-get install wrk"
)


@dataclass(frozen=True, kw_only=True)
class Load:
    """What came back in a span of time."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    errors: int = 0
    "Answers of status 400 or more, timeouts and broken connections."
    cpu_seconds: float = 0.0
    "What making the load cost."


@dataclass(frozen=True)
class Order:
    """A span of load to be made."""

    workload: Workload
    seconds: float
    seed: int


class Driver(Protocol):
    """Makes load on one contender."""

    def drive(self, order: Order) -> Load:
        """Return when the time is up, with what was measured."""
        ...


@dataclass(frozen=True)
class WrkDriver:
    """wrk, one thread, which two cores don't let become the limit."""

    url: str
    templates: Sequence[tuple[int, Request]]

    def drive(self, order: Order) -> Load:
        """Run wrk.

        Raises:
            BenchError: It failed.
        """
        workload = order.workload
        command = ["wrk", "--threads", "1", "--connections", str(workload.connections)]
        command += ["--duration", f"{round(order.seconds)}s", "--timeout", f"{TIMEOUT_SECONDS}s"]
        command += ["--script", str(SCRIPT), self.url, "--", *script_arguments(self.templates, order)]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=order.seconds * 2 + 60)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode:
            raise BenchError(f"wrk failed: {done.stderr.strip() or done.stdout.strip()}")
        cpu_seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return parse_wrk(done.stdout, cpu_seconds=cpu_seconds)


@dataclass(frozen=True)
class RawDriver:
    """Orders to `benchmarks.raw_driver`, which calls the database itself."""

    child: Child

    def drive(self, order: Order) -> Load:
        """Send the order and wait for the answer.

        Raises:
            BenchError: The process ended instead.
        """
        stdin, stdout = self.child.process.stdin, self.child.process.stdout
        if stdin is None or stdout is None:
            raise BenchError("The raw driver was started without its pipes.")
        workload = order.workload
        message = {"action": workload.action, "connections": workload.connections, "seconds": order.seconds}
        stdin.write(json.dumps(message | {"documents": SIZES[workload.dataset]}) + "\n")
        stdin.flush()
        line = stdout.readline()
        if not line:
            raise BenchError(f"The raw driver ended:\n{self.child.tail()}")
        return Load(**json.loads(line))


def require_wrk() -> str:
    """Return the version of wrk.

    Raises:
        BenchError: There is none.
    """
    if not shutil.which("wrk"):
        raise BenchError(MISSING)
    # It has no flag that prints the version and succeeds.
    text = subprocess.run(["wrk", "--version"], capture_output=True, text=True, check=False)
    return (text.stdout + text.stderr).split("\n", 1)[0].split("Copyright")[0].removeprefix("wrk").strip()


def script_arguments(templates: Sequence[tuple[int, Request]], order: Order) -> list[str]:
    """Return what the Lua script reads: see its first lines."""
    arguments = [str(order.seed), str(SIZES[order.workload.dataset]), str(CATEGORIES), ID_PREFIX]
    for share, request in templates:
        headers = "\n".join(f"{name}: {value}" for name, value in request.headers.items())
        arguments += [str(share), request.method, request.path, headers, request.body]
    return arguments


def parse_wrk(output: str, *, cpu_seconds: float = 0.0) -> Load:
    """Return what the script printed at the end.

    Raises:
        BenchError: It printed nothing, so that wrk did not run to its end.
    """
    line = next((line for line in output.splitlines() if line.startswith(MARK)), None)
    if line is None:
        raise BenchError(f"wrk printed no result:\n{output.strip()}")
    result: dict[str, int] = json.loads(line.removeprefix(MARK))
    return Load(
        requests=result["requests"],
        seconds=result["microseconds"] / 1e6,
        p50_ms=result["p50_microseconds"] / 1e3,
        p99_ms=result["p99_microseconds"] / 1e3,
        errors=sum(result[kind] for kind in ("connect", "read", "write", "status", "timeout")),
        cpu_seconds=cpu_seconds,
    )
