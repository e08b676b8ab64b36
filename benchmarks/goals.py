"""What Sheaf promises of its speed, and whether a report keeps it: `python -m benchmarks.goals [report.json]`."""

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.contender import SHEAF
from benchmarks.report import MB, ratio, render_table
from benchmarks.result import Report, read_report

BEANIE: Final = "textbook_beanie"
EVE: Final = "eve"
RAW: Final = "raw_driver"
TWO_WORKERS: Final = "sheaf_two_workers"

Measure = Callable[[Report], float | None]


@dataclass(frozen=True, kw_only=True)
class Goal:
    """One number that is to be at least, or at most, another."""

    title: str
    measure: Measure
    limit: float
    is_ceiling: bool = False
    unit: str = " x"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """A goal, and what was found; None where the report doesn't say."""

    goal: Goal
    value: float | None

    @property
    def holds(self) -> bool | None:
        """Whether the goal is met."""
        if self.value is None:
            return None
        return self.value <= self.goal.limit if self.goal.is_ceiling else self.value >= self.goal.limit


def _times(workload: str, peer: str) -> Measure:
    return lambda report: ratio(report, workload, peer)


def _p99_over_p50(workload: str) -> Measure:
    def measure(report: Report) -> float | None:
        ours, theirs = (report.get_median_or_none(name, workload) for name in (SHEAF, BEANIE))
        return ours.p99_ms / theirs.p50_ms if ours and theirs else None

    return measure


def _idle_mb(report: Report) -> float | None:
    return max((sample.idle_rss_bytes / MB for sample in report.find_medians(SHEAF)), default=None)


def _peak_mb(report: Report) -> float | None:
    return max((sample.peak_rss_bytes / MB for sample in report.find_medians(SHEAF)), default=None)


def _scaling(workload: str) -> Measure:
    def measure(report: Report) -> float | None:
        times = ratio(report, workload, TWO_WORKERS)
        return 1 / times if times else None

    return measure


# Requests a second of Sheaf over the peer's, at 64 connections.
RATIOS: Final[tuple[tuple[str, str, float], ...]] = (
    ("get-64", BEANIE, 4),
    ("get-64", EVE, 4),
    ("get-64", RAW, 1.3),
    ("insert-64", BEANIE, 5),
    ("insert-64", EVE, 5),
    ("insert-64", RAW, 1.5),
    ("list-64", BEANIE, 5),
    ("list-64", EVE, 5),
    ("patch-64", BEANIE, 1.5),
    ("patch-64", EVE, 1.5),
    ("deep-64", BEANIE, 100),
    ("deep-64", EVE, 100),
    ("get-1", BEANIE, 1),
    ("insert-1", BEANIE, 1),
)

GOALS: Final = (
    *(
        Goal(title=f"{workload}: requests/s over {peer}", measure=_times(workload, peer), limit=limit)
        for workload, peer, limit in RATIOS
    ),
    *(
        Goal(title=f"{name}: p99 over p50 of {BEANIE}", measure=_p99_over_p50(name), limit=1, is_ceiling=True)
        for name in ("get-64", "insert-64")
    ),
    Goal(title="memory of an idle worker", measure=_idle_mb, limit=120, is_ceiling=True, unit=" MB"),
    Goal(title="memory of a worker under load", measure=_peak_mb, limit=220, is_ceiling=True, unit=" MB"),
    *(
        Goal(title=f"{name}: requests/s of two workers over one", measure=_scaling(name), limit=1.6)
        for name in ("get-64", "insert-64")
    ),
)

WORDS: Final = {True: "holds", False: "MISSED", None: "not measured"}


def judge(report: Report) -> list[Verdict]:
    """Return each goal with what the report says of it."""
    return [Verdict(goal=goal, value=goal.measure(report)) for goal in GOALS]


def render(verdicts: list[Verdict]) -> str:
    """Return the verdicts as a Markdown table."""
    rows = [
        [
            verdict.goal.title,
            f"{'at most' if verdict.goal.is_ceiling else 'at least'} {verdict.goal.limit:g}{verdict.goal.unit}",
            "" if verdict.value is None else f"{verdict.value:,.2f}{verdict.goal.unit}",
            WORDS[verdict.holds],
        ]
        for verdict in verdicts
    ]
    return render_table(("goal", "wanted", "found", "verdict"), rows)


def main() -> int:
    """Print the verdicts; exit with 1 where a goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.goals", description=__doc__)
    parser.add_argument("report", type=Path, nargs="?", default=Path(__file__).parent / "results" / "full.json")
    verdicts = judge(read_report(parser.parse_args().report))
    print(render(verdicts))
    return 1 if any(verdict.holds is False for verdict in verdicts) else 0


if __name__ == "__main__":
    sys.exit(main())
