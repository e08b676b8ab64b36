"""What a run found, as it is kept in JSON: samples of each contender on each workload, and their medians."""

from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, computed_field

SCHEMA_VERSION: Final = 1

Count = Annotated[int, Field(ge=0)]
Amount = Annotated[float, Field(ge=0)]


class Record(BaseModel):
    """A frozen part of the result."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Sample(Record):
    """One run of one contender on one workload, or the median of several."""

    requests: Count
    seconds: Amount
    requests_per_second: Amount
    p50_ms: Amount
    p99_ms: Amount
    server_cpu_us: Amount
    "Processor time of the contender for each request."
    mongod_cpu_us: Amount
    load_cpu_us: Amount
    busy_share: Amount
    "Share of all processors that contender, database and load used together."
    others_share: Amount
    "Share that everything else on the machine used: where it isn't small, the run was disturbed."
    idle_rss_bytes: Count
    peak_rss_bytes: Count
    errors: Count


class Outcome(Record):
    """One contender on one workload."""

    model_config = ConfigDict(extra="ignore")  # the median is written for readers, and computed anew when read

    contender: str
    workload: str
    samples: tuple[Sample, ...] = ()
    failures: tuple[str, ...] = ()
    "Why a run did not count, one text for each that did not."

    @computed_field
    @property
    def median(self) -> Sample | None:
        """Medians of the runs without errors, each number for itself; None where there is no such run."""
        return summarise([sample for sample in self.samples if not sample.errors])


class Named(Record):
    """A contender or workload as the report calls it."""

    name: str
    title: str
    note: str = ""
    versions: dict[str, str] = {}


class Report(Record):
    """A whole run."""

    schema_version: int = SCHEMA_VERSION
    date: str
    machine: dict[str, str | int]
    settings: dict[str, str | int | float | bool]
    versions: dict[str, str]
    contenders: tuple[Named, ...]
    workloads: tuple[Named, ...]
    outcomes: tuple[Outcome, ...]

    def get_median_or_none(self, contender: str, workload: str) -> Sample | None:
        """Return what a contender did on a workload; None where it was not measured or failed."""
        found = (each for each in self.outcomes if (each.contender, each.workload) == (contender, workload))
        outcome = next(found, None)
        return outcome.median if outcome else None

    def find_medians(self, contender: str) -> list[Sample]:
        """Return what a contender did on each workload that it ran."""
        return [each.median for each in self.outcomes if each.contender == contender and each.median]


def summarise(samples: Sequence[Sample]) -> Sample | None:
    """Return the median of each number; None of nothing."""
    if not samples:
        return None
    values: dict[str, Any] = {}
    for name, field in Sample.model_fields.items():
        middle = median(getattr(sample, name) for sample in samples)
        values[name] = middle if field.annotation is float else round(middle)
    return Sample(**values)


def percentile(ordered: Sequence[float], percent: float) -> float:
    """Return the smallest of the ordered values that `percent` of them do not exceed; 0 of nothing."""
    if not ordered:
        return 0.0
    rank = -(-len(ordered) * percent // 100)
    return ordered[max(int(rank), 1) - 1]


def write_report(report: Report, path: Path) -> None:
    """Write the report as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(report.model_dump_json(indent=1) + "\n")


def read_report(path: Path) -> Report:
    """Read a report that `write_report` wrote."""
    return Report.model_validate_json(path.read_text())
