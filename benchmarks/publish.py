"""Writing the results: JSON, a page of tables, and a chart drawn in an environment of its own."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from benchmarks import goals, install
from benchmarks.process import BenchError
from benchmarks.report import render
from benchmarks.result import Report, write_report

ROOT: Final = install.HERE.parent
LOCK: Final = ROOT / "requirements" / "bench.lock"


def publish(report: Report, path: Path) -> str:
    """Write `path` with the endings .json, .md and .png.

    Returns:
        The page, the verdict on each goal, and what was written, for the terminal.
    """
    data, page, chart = (path.with_suffix(ending) for ending in (".json", ".md", ".png"))
    write_report(report, data)
    verdicts = goals.render(goals.judge(report))
    text = f"{render(report)}\n## Goals\n\n{verdicts}\n"
    page.write_text(text)
    try:
        _draw(data, chart)
    except BenchError as error:
        return f"{text}\nWrote {data} and {page}, but no chart. {error}"
    return f"{text}\nWrote {data}, {page} and {chart}."


def _draw(data: Path, chart: Path) -> None:
    command = [_find_python(), "-m", "benchmarks.chart", data, chart]
    done = subprocess.run(list(map(str, command)), cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchError(f"Drawing it failed:\n{done.stderr.strip()[-1500:]}")


def _find_python() -> str:
    if find_spec("matplotlib"):
        return sys.executable
    if not LOCK.is_file():
        raise BenchError(f"It needs matplotlib, which {LOCK.relative_to(ROOT)} would name; run `make lock`.")
    return str(install.install_lock("chart", LOCK))
