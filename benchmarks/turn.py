"""One contender's turn on one dataset: started, probed, warmed up, measured on each workload, stopped."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Final

from pymongo.collection import Collection

from benchmarks import dataset, install
from benchmarks.client import connect
from benchmarks.contender import Contender, Launch
from benchmarks.database import Mongod
from benchmarks.dataset import Document
from benchmarks.dialect import SKIPPED
from benchmarks.laps import LapDriver
from benchmarks.load import Driver, Load, Order, RawDriver, WrkDriver
from benchmarks.machine import count_cores, read_busy_seconds
from benchmarks.probe import Probe
from benchmarks.process import BenchError, Child, free_port, run
from benchmarks.raw_driver import OPERATIONS, READY
from benchmarks.result import Sample
from benchmarks.walk import walk
from benchmarks.workload import Action, Dataset, Workload

START_SECONDS: Final = 60.0
LAPS: Final = 5
"Answers that each connection should get within the time, lest what is cut off at its end weigh too much."


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How long to measure."""

    seconds: float
    warmup_seconds: float
    seed: int = 1


@dataclass(frozen=True, kw_only=True)
class Served:
    """A contender that is up."""

    contender: Contender
    child: Child
    collection: Collection[Document]
    idle_rss_bytes: int
    port: int
    values: dict[str, str] = field(default_factory=dict[str, str])
    "What was found out of it, such as the cursor of the deep page."


@dataclass(frozen=True, kw_only=True)
class Costs:
    """Processor time used while the load lasted, and memory."""

    server_seconds: float
    mongod_seconds: float
    machine_seconds: float
    "By everything on this machine."
    idle_rss_bytes: int
    peak_rss_bytes: int


def choose(contender: Contender, workloads: Sequence[Workload]) -> list[Workload]:
    """Return the workloads that a contender can be measured on."""
    return [
        workload
        for workload in workloads
        if (contender.only is None or workload.name in contender.only)
        and (contender.dialect is not None or workload.action in OPERATIONS)
    ]


def take(
    contender: Contender, kind: Dataset, workloads: Sequence[Workload], *, mongod: Mongod, plan: Plan
) -> Iterator[tuple[Workload, Sample | str]]:
    """Measure a contender on workloads of one dataset.

    Yields:
        Each workload with its sample, or with why there is none.
    """
    try:
        if kind is Dataset.WRITES:
            dataset.load(mongod.client, kind, contender.shape)
        with serve(contender, kind, mongod) as served:
            for workload in workloads:
                yield workload, _try_measure(served, workload, mongod, plan)
        mongod.settle()
    except BenchError as error:
        for workload in workloads:
            yield workload, str(error)


@contextmanager
def serve(contender: Contender, kind: Dataset, mongod: Mongod) -> Generator[Served]:
    """Start a contender on a dataset, and stop it at the end.

    Raises:
        BenchError: It does not start.
    """
    name = dataset.database_name(kind, contender.shape)
    folder = install.folder_of(contender.name)
    launch = Launch(folder=folder, port=free_port(), uri=mongod.uri, database=name)
    command = contender.launch(launch)
    is_raw = contender.dialect is None
    log = folder / "output.log"
    with run(contender.title, command.arguments, log=log, environment=command.variables, talks=is_raw) as child:
        _wait(contender, child, launch.port)
        yield Served(
            contender=contender,
            child=child,
            collection=mongod.client[name][dataset.COLLECTIONS[contender.shape]],
            idle_rss_bytes=child.rss_bytes(),
            port=launch.port,
        )


def _wait(contender: Contender, child: Child, port: int) -> None:
    if contender.dialect:
        path = contender.dialect.ready
        with connect(port) as client:
            child.wait_until(lambda: client.is_ready(path), seconds=START_SECONDS)
    elif child.process.stdout and child.process.stdout.readline().strip() != READY:
        raise BenchError(f"{contender.title} did not start:\n{child.tail()}")


def _try_measure(served: Served, workload: Workload, mongod: Mongod, plan: Plan) -> Sample | str:
    try:
        return _measure(served, workload, mongod, plan)
    except (BenchError, OSError, HTTPException, LookupError, TypeError, ValueError) as error:
        # Whatever shape a wrong answer has, it is this workload's failure and not the run's.
        return f"{type(error).__name__}: {error}" if not isinstance(error, BenchError) else str(error)


def _measure(served: Served, workload: Workload, mongod: Mongod, plan: Plan) -> Sample:
    _settle(served, mongod)
    single_seconds = _probe(served, workload)
    driver = _choose_driver(served, workload, single_seconds, plan)
    if not isinstance(driver, LapDriver):
        driver.drive(Order(workload, plan.warmup_seconds, plan.seed))
    _settle(served, mongod)
    served.child.reset_peak()
    stored = served.collection.estimated_document_count()
    server, database, machine = served.child.cpu_seconds(), mongod.child.cpu_seconds(), read_busy_seconds()
    load = driver.drive(Order(workload, plan.seconds, plan.seed + 1))
    costs = Costs(
        server_seconds=served.child.cpu_seconds() - server,
        mongod_seconds=mongod.child.cpu_seconds() - database,
        machine_seconds=read_busy_seconds() - machine,
        idle_rss_bytes=served.idle_rss_bytes,
        peak_rss_bytes=served.child.peak_rss_bytes(),
    )
    if workload.action is Action.INSERT:
        _require_stored(load, served.collection.estimated_document_count() - stored)
    return make_sample(load, costs)


def _settle(served: Served, mongod: Mongod) -> None:
    # When its time is up, wrk leaves requests behind that are still being answered.
    served.child.wait_until_quiet()
    mongod.settle()


def _probe(served: Served, workload: Workload) -> float:
    speaks = served.contender.dialect
    if speaks is None:
        return 0.0
    with connect(served.port) as client:  # anew: servers close what has been idle during a measurement
        if workload.action is Action.DEEP and speaks.needs_cursor:
            served.values["cursor"] = walk(client, documents=SKIPPED)
        probe = Probe(
            client=client,
            dialect=speaks,
            collection=served.collection,
            shape=served.contender.shape,
            values=served.values,
        )
        return probe.check(workload)


def _choose_driver(served: Served, workload: Workload, single_seconds: float, plan: Plan) -> Driver:
    speaks = served.contender.dialect
    if speaks is None:
        return RawDriver(served.child)
    templates = [(share, request.fill(served.values)) for share, request in speaks.templates(workload.action)]
    if workload.action is Action.DEEP and single_seconds * workload.connections / count_cores() > plan.seconds / LAPS:
        return LapDriver(served.port, templates[0][1])
    return WrkDriver(f"http://127.0.0.1:{served.port}", templates)


def _require_stored(load: Load, stored: int) -> None:
    if stored < load.requests:
        raise BenchError(f"{load.requests} inserts were acknowledged, and {stored} documents are there.")


def make_sample(load: Load, costs: Costs) -> Sample:
    """Return the sample of a load and what it cost.

    Raises:
        BenchError: Nothing came back.
    """
    if not load.requests:
        raise BenchError(f"No request was answered within {load.seconds:.0f} s.")
    ours = costs.server_seconds + costs.mongod_seconds + load.cpu_seconds
    capacity = load.seconds * count_cores()
    return Sample(
        requests=load.requests,
        seconds=load.seconds,
        requests_per_second=load.requests / load.seconds,
        p50_ms=load.p50_ms,
        p99_ms=load.p99_ms,
        server_cpu_us=costs.server_seconds / load.requests * 1e6,
        mongod_cpu_us=costs.mongod_seconds / load.requests * 1e6,
        load_cpu_us=load.cpu_seconds / load.requests * 1e6,
        busy_share=ours / capacity,
        others_share=max(costs.machine_seconds - ours, 0) / capacity,
        idle_rss_bytes=costs.idle_rss_bytes,
        peak_rss_bytes=costs.peak_rss_bytes,
        errors=load.errors,
    )
