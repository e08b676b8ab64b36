"""`python -m tests.chaos`: minutes of faults at random against each kind of MongoDB. Exits with 1 if something did not hold."""

import argparse
import asyncio
import random
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from tests.chaos.run import Report, run
from tests.chaos.targets import KINDS

CONSOLE = Console()


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="for each kind (10)")
    parser.add_argument("--seed", type=int, default=None, help="make the faults of an earlier run again")
    parser.add_argument("--kind", choices=sorted(KINDS), action="append", help="embedded, three; both without it")
    options = parser.parse_args()
    seed = random.randrange(1_000_000) if options.seed is None else options.seed  # not for secrets
    CONSOLE.print(f"seed {seed}")
    reports = [_run(kind, options.minutes, seed) for kind in options.kind or sorted(KINDS)]
    CONSOLE.print(_table(reports))
    for report in reports:
        for fault in report.faults[:20]:
            CONSOLE.print(f"{report.kind}: {fault}", style="red", markup=False)
    sys.exit(1 if any(report.faults for report in reports) else 0)


def _run(kind: str, minutes: float, seed: int) -> Report:
    with tempfile.TemporaryDirectory(prefix="sheaf-chaos-") as folder, Progress(console=CONSOLE) as progress:
        task = progress.add_task(kind, total=1.0)

        def tell(name: str, share: float) -> None:
            progress.update(task, completed=share, description=f"{kind}, after {name}")

        return asyncio.run(run(kind, Path(folder), seconds=minutes * 60, seed=seed, on_fault=tell))


def _table(reports: list[Report]) -> Table:
    table = Table("kind", "fault", "times", "later: median", "most", "written", "unknown", "asked")
    for report in reports:
        by_fault: defaultdict[str, list[float]] = defaultdict(list)
        for name, late in report.returns:
            by_fault[name].append(late)
        for name, late in sorted(by_fault.items()):
            table.add_row(report.kind, name, str(len(late)), f"{median(late):.2f} s", f"{max(late):.2f} s")
        told = (f"{number:,}" for number in (report.acknowledged, report.unknown, report.asked))
        table.add_row(report.kind, "all", str(len(report.returns)), "", "", *told)
    return table


if __name__ == "__main__":
    main()
