"""The report as a page of Markdown: a table for each workload, then how each contender was set up."""

from collections.abc import Sequence
from typing import Final

from benchmarks.contender import SHEAF
from benchmarks.result import Named, Outcome, Report, Sample

HEADER: Final = (
    "contender",
    "requests/s",
    "Sheaf is",
    "p50 ms",
    "p99 ms",
    "server CPU µs",
    "mongod CPU µs",
    "idle MB",
    "peak MB",
    "busy",
    "others",
)
MB: Final = 1_000_000
FEW: Final = 10


def render(report: Report) -> str:
    """Return the page."""
    parts = [
        "# Benchmark",
        _describe(report),
        LEGEND,
        *(_render_workload(report, workload) for workload in report.workloads),
        _render_notes(report),
        _render_failures(report),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def render_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table, its columns aligned for a reader of the text too."""
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]
    lines = [header, ["-" * width for width in widths], *rows]
    return "\n".join("| " + " | ".join(map(str.ljust, line, widths)) + " |" for line in lines)


def ratio(report: Report, workload: str, contender: str) -> float | None:
    """Return Sheaf's requests a second over the contender's; None where either has none."""
    ours, theirs = (report.get_median_or_none(name, workload) for name in (SHEAF, contender))
    return ours.requests_per_second / theirs.requests_per_second if ours and theirs else None


def format_rate(rate: float) -> str:
    """Return requests a second, with decimals where whole numbers lose too much."""
    return f"{rate:,.0f}" if rate >= FEW else f"{rate:.2f}"


LEGEND: Final = (
    "Medians of the rounds. *Sheaf is*: Sheaf's requests a second over the contender's. CPU: processor time for each "
    "request. *idle*, *peak*: resident memory of the server's processes, MB of a million bytes. *busy*: share of all "
    "processors that server, mongod and load generator used; *others*: share that everything else on the machine used, "
    "which should be small."
)


def _describe(report: Report) -> str:
    facts = {**report.machine, **report.versions, **report.settings}
    return f"{report.date}. " + ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in facts.items()) + "."


def _render_workload(report: Report, workload: Named) -> str:
    outcomes = {each.contender: each for each in report.outcomes if each.workload == workload.name}
    rows = [_render_row(report, each, outcomes[each.name]) for each in report.contenders if each.name in outcomes]
    return f"## {workload.title}\n\n" + render_table(HEADER, rows) if rows else ""


def _render_row(report: Report, contender: Named, outcome: Outcome) -> list[str]:
    sample = outcome.median
    if sample is None:
        return [contender.title, "failed", *[""] * (len(HEADER) - 2)]
    times = ratio(report, outcome.workload, outcome.contender)
    return [
        contender.title,
        format_rate(sample.requests_per_second),
        f"{times:,.2f} x" if times is not None and contender.name != SHEAF else "",
        *_render_costs(sample),
    ]


def _render_costs(sample: Sample) -> list[str]:
    return [
        f"{sample.p50_ms:,.2f}",
        f"{sample.p99_ms:,.2f}",
        f"{sample.server_cpu_us:,.0f}",
        f"{sample.mongod_cpu_us:,.0f}",
        f"{sample.idle_rss_bytes / MB:,.0f}",
        f"{sample.peak_rss_bytes / MB:,.0f}",
        f"{sample.busy_share:.0%}",
        f"{sample.others_share:.0%}",
    ]


def _render_notes(report: Report) -> str:
    lines = [
        f"- **{each.title}** ({', '.join(f'{name} {number}' for name, number in each.versions.items())}). {each.note}"
        for each in report.contenders
    ]
    return "## How each was set up\n\n" + "\n".join(lines)


def _render_failures(report: Report) -> str:
    lines = [
        f"- {each.contender}, {each.workload}: {' '.join(failure.split())}"
        for each in report.outcomes
        for failure in each.failures
    ]
    return "## Runs that do not count\n\n" + "\n".join(lines) if lines else ""
