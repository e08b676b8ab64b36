"""The rounds: datasets are loaded once, contenders take turns on them in an order that rotates, samples add up."""

import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, TypeVar

from benchmarks import dataset, install, turn
from benchmarks.contender import Contender
from benchmarks.database import Mongod, run_mongod
from benchmarks.machine import describe_machine
from benchmarks.process import BenchError
from benchmarks.result import Named, Outcome, Report, Sample
from benchmarks.turn import Plan
from benchmarks.workload import Dataset, Workload

Entry = TypeVar("Entry")
NAME_WIDTH: Final = 26


@dataclass(frozen=True, kw_only=True)
class Bench:
    """A run, and what it has found so far."""

    contenders: Sequence[Contender]
    workloads: Sequence[Workload]
    rounds: int
    plan: Plan
    samples: dict[tuple[str, str], list[Sample]] = field(default_factory=dict[tuple[str, str], list[Sample]])
    failures: dict[tuple[str, str], list[str]] = field(default_factory=dict[tuple[str, str], list[str]])
    started: float = field(default_factory=time.monotonic)

    def measure(self, versions: Mapping[str, str]) -> Report:
        """Install, start the database, measure all of it, stop everything, and return the report.

        Args:
            versions: Of what the caller brings, for the report.

        Raises:
            BenchError: The database cannot be started.
        """
        machine = describe_machine()
        ready = self._install()
        with run_mongod(install.CACHE) as mongod:
            self._load(ready, mongod)
            for number in range(self.rounds):
                self._tell(f"round {number + 1} of {self.rounds}")
                for kind in self._find_datasets():
                    for contender in rotate(ready, number):
                        self._take_turn(contender, kind, mongod)
            versions = {"mongod": mongod.version(), **versions, **find_versions()}
        return self._report(machine, versions)

    def add(self, contender: str, workload: str, found: Sample | str) -> None:
        """Count a run, or why it doesn't count."""
        key = (contender, workload)
        samples, failures = self.samples.setdefault(key, []), self.failures.setdefault(key, [])
        if isinstance(found, str):
            failures.append(found)
            return
        samples.append(found)
        if found.errors:
            failures.append(f"{found.errors} of {found.requests} requests failed")

    def _tell(self, text: str) -> None:
        print(f"{time.monotonic() - self.started:7.1f} s  {text}", file=sys.stderr, flush=True)

    def _install(self) -> list[Contender]:
        # One that cannot be installed is shown as failed, and the others go on.
        ready: list[Contender] = []
        for contender in self.contenders:
            self._tell(f"install {contender.name}")
            try:
                install.install(contender.name, contender.environment)
            except BenchError as error:
                self._tell(str(error))
                for workload in turn.choose(contender, self.workloads):
                    self.add(contender.name, workload.name, str(error))
            else:
                ready.append(contender)
        return ready

    def _find_datasets(self) -> list[Dataset]:
        return [kind for kind in Dataset if any(each.dataset is kind for each in self.workloads)]

    def _load(self, contenders: Sequence[Contender], mongod: Mongod) -> None:
        shapes = [shape for shape in dataset.Shape if any(each.shape is shape for each in contenders)]
        for kind in self._find_datasets():
            if kind is Dataset.WRITES:
                continue  # made anew for each turn
            for shape in shapes:
                self._tell(f"load {dataset.database_name(kind, shape)}")
                dataset.load(mongod.client, kind, shape)

    def _take_turn(self, contender: Contender, kind: Dataset, mongod: Mongod) -> None:
        chosen = [each for each in turn.choose(contender, self.workloads) if each.dataset is kind]
        if not chosen:
            return
        for workload, found in turn.take(contender, kind, chosen, mongod=mongod, plan=self.plan):
            self.add(contender.name, workload.name, found)
            self._tell(f"{contender.name:{NAME_WIDTH}} {workload.name:16} {summarise(found)}")

    def _report(self, machine: Mapping[str, str | int], versions: Mapping[str, str]) -> Report:
        settings = {"rounds": self.rounds, "seconds": self.plan.seconds, "warm-up seconds": self.plan.warmup_seconds}
        return Report(
            date=datetime.now(UTC).isoformat(timespec="seconds"),
            machine=dict(machine),
            settings=settings | {"write concern": "w: majority, j: true", "seed": self.plan.seed},
            versions=dict(versions),
            contenders=tuple(
                Named(name=each.name, title=each.title, note=each.note, versions=each.versions())
                for each in self.contenders
            ),
            workloads=tuple(Named(name=each.name, title=each.title) for each in self.workloads),
            outcomes=tuple(
                Outcome(contender=who, workload=what, samples=tuple(found), failures=tuple(self.failures[who, what]))
                for (who, what), found in self.samples.items()
            ),
        )


def rotate(entries: Sequence[Entry], by: int) -> list[Entry]:
    """Return the entries beginning with another, so that none is always first."""
    start = by % len(entries) if entries else 0
    return [*entries[start:], *entries[:start]]


def summarise(found: Sample | str) -> str:
    """Return a line on one run."""
    if isinstance(found, str):
        return f"FAILED: {' '.join(found.split())}"
    text = f"{found.requests_per_second:10,.1f} /s  p50 {found.p50_ms:8.2f} ms  CPU {found.server_cpu_us:6,.0f} µs"
    return f"{text}  {found.errors} ERRORS" if found.errors else text


def find_versions() -> dict[str, str]:
    """Return the versions of the runtimes."""
    found = {"python": platform.python_version()}
    if shutil.which("node"):
        answer = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False)
        found["node"] = answer.stdout.strip().removeprefix("v")
    return found
