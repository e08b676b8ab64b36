"""The report as a chart: a panel for each workload, a bar for each contender. Runs where matplotlib is installed."""

import argparse
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from benchmarks.contender import SHEAF
from benchmarks.report import format_rate
from benchmarks.result import Named, Report, read_report

COLUMNS: Final = 3
OURS: Final = "#d97706"
THEIRS: Final = "#94a3b8"


def draw(report: Report, path: Path) -> None:
    """Write the chart as PNG."""
    # By name: only the environment that the chart is drawn in has it.
    pyplot: Any = import_module("matplotlib.pyplot")
    workloads = [each for each in report.workloads if find_bars(report, each)]
    rows = -(-len(workloads) // COLUMNS)
    figure, axes = pyplot.subplots(rows, COLUMNS, figsize=(15, 2.6 * rows), squeeze=False, layout="constrained")
    for axis, workload in zip(axes.flat, workloads, strict=False):
        _draw_panel(axis, report, workload)
    for axis in axes.flat[len(workloads) :]:
        axis.set_visible(False)
    figure.suptitle(f"Requests per second, more is better ({report.date[:10]}, {report.machine['processor']})")
    figure.savefig(path, dpi=120, metadata={"Software": None})
    pyplot.close(figure)


def find_bars(report: Report, workload: Named) -> list[tuple[str, str, float]]:
    """Return name, title and requests a second of each contender that was measured on a workload."""
    return [
        (each.name, each.title, sample.requests_per_second)
        for each in report.contenders
        if (sample := report.get_median_or_none(each.name, workload.name))
    ]


def _draw_panel(axis: Any, report: Report, workload: Named) -> None:  # noqa: ANN401  # Axes, which only the environment of the chart has
    bars = find_bars(report, workload)[::-1]
    colours = [OURS if name.startswith(SHEAF) else THEIRS for name, _, _ in bars]
    drawn = axis.barh([title for _, title, _ in bars], [rate for _, _, rate in bars], color=colours)
    axis.bar_label(drawn, labels=[f" {format_rate(rate)}" for _, _, rate in bars], fontsize=8)
    axis.set_title(workload.title, fontsize=10)
    axis.tick_params(labelsize=8)
    axis.margins(x=0.18)
    axis.spines[["top", "right"]].set_visible(False)


def main() -> None:
    """Draw the chart of a report."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.chart", description=__doc__)
    parser.add_argument("report", type=Path)
    parser.add_argument("chart", type=Path)
    arguments = parser.parse_args()
    draw(read_report(arguments.report), arguments.chart)


if __name__ == "__main__":
    main()
