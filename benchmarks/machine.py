"""What the numbers were measured on."""

import os
import platform
from pathlib import Path


def count_cores() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0))


def describe_machine() -> dict[str, str | int]:
    """Return processor, memory and system, and how busy it was before we began."""
    return {
        "processor": _read_field("/proc/cpuinfo", "model name"),
        "cores": count_cores(),
        "memory_mb": int(_read_field("/proc/meminfo", "MemTotal").split()[0]) // 1000,
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "load_average": f"{os.getloadavg()[0]:.2f}",
    }


def _read_field(path: str, name: str) -> str:
    for line in Path(path).read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return "0 unknown"


def read_busy_seconds() -> float:
    """Return the processor time that the machine has spent working since it was started."""
    # user, nice, system, idle, iowait, irq, softirq: the first line of /proc/stat, see proc(5).
    fields = list(map(int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:8]))
    return (sum(fields) - fields[3] - fields[4]) / os.sysconf("SC_CLK_TCK")
