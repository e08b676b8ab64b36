"""Numbers for Prometheus. Requests are counted as they end; everything else is looked at now and then.

With several processes prometheus-client shares the numbers through files, in the folder that PROMETHEUS_MULTIPROC_DIR
names, so that any process answers for all.
"""

import asyncio
import os
import time
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from starlette.types import Scope

from api.observe import SHARED
from api.observe.access_log import GONE, route_of
from api.slots import Slots
from documents.lifecycle import Store
from documents.telemetry import Observation
from documents.vitals import Vitals, read_vitals

BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
SAMPLE_SECONDS: Final = 1.0
VITALS_SECONDS: Final = 5.0
"""How old what MongoDB told may be. However often `/metrics` is read, it asks no more often than that."""

LIVE: Final = "livesum"


class Metrics:
    """The numbers of one process.

    Args:
        slots: For requests served at once.
    """

    def __init__(self, slots: Slots) -> None:
        self._slots = slots
        self._registry = registry = CollectorRegistry()
        self._requests = Counter(
            "sheaf_requests", "Requests that have ended.", ("method", "route", "status"), registry=registry
        )
        self._seconds = Histogram(
            "sheaf_request_seconds",
            "From the first byte of a request to the last of its answer.",
            ("method", "route"),
            buckets=BUCKETS,
            registry=registry,
        )
        self._problems = Counter("sheaf_problems", "Errors that were answered, by code.", ("code",), registry=registry)
        self._batches = Counter(
            "sheaf_batches", "Round trips of requests that went together.", ("kind",), registry=registry
        )
        self._batched = Counter("sheaf_batched_requests", "Requests in such round trips.", ("kind",), registry=registry)
        self._in_flight = _gauge("sheaf_requests_in_flight", "Requests that are being served.", registry)
        self._waiting = _gauge("sheaf_batch_waiting", "Requests that wait to go together.", registry, "kind")
        self._pool = _gauge("sheaf_pool_connections", "Connections to MongoDB, by state.", registry, "state")
        self._pool_failures = Counter(
            "sheaf_pool_failures", "Connections that were not had in time.", registry=registry
        )
        self._lookups = Counter(
            "sheaf_catalog_lookups", "Collections looked up in MongoDB, not in memory.", registry=registry
        )
        self._children: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self._followed: dict[str, int] = {}
        self._vitals: tuple[float, Vitals] = (float("-inf"), Vitals())
        self._reading = asyncio.Lock()

    def __call__(self, scope: Scope, observation: Observation, seconds: float) -> None:
        """Count a request that has ended."""
        key = (scope["method"], route_of(scope), observation.status or GONE)
        children = self._children.get(key)
        if children is None:
            children = self._children[key] = self._children_of(key)
        children[0].inc()
        children[1].observe(seconds)
        if observation.code:
            self._problems.labels(observation.code).inc()

    def _children_of(self, key: tuple[str, str, int]) -> tuple[Counter, Histogram]:
        method, route, status = key
        method = method if method in METHODS else "other"
        return self._requests.labels(method, route, str(status)), self._seconds.labels(method, route)

    @asynccontextmanager
    async def sampling(self, store: Store) -> AsyncGenerator[None]:
        """Look at what changes all the time, once a second."""

        async def sample_for_ever() -> None:
            while True:
                self.sample(store)
                await asyncio.sleep(SAMPLE_SECONDS)

        task = asyncio.create_task(sample_for_ever())
        try:
            yield
        finally:
            task.cancel()

    def sample(self, store: Store) -> None:
        """Look at what changes all the time. No I/O."""
        self._in_flight.set(self._slots.total)
        services, pool = store.planner.services, store.connection.pool
        coalescers = {
            "get": services.loader.coalescer,
            "list": services.finder.coalescer,
            "insert": services.committer.coalescer,
        }
        for kind, coalescer in coalescers.items():
            self._follow(f"batches {kind}", coalescer.batches, self._batches.labels(kind))
            self._follow(f"items {kind}", coalescer.items, self._batched.labels(kind))
            self._waiting.labels(kind).set(coalescer.waiting)
        for state, count in (("open", pool.open), ("in_use", pool.in_use), ("waiting", pool.waiting)):
            self._pool.labels(state).set(count)
        self._follow("pool", pool.failures, self._pool_failures)
        self._follow("catalog", store.catalog.lookups, self._lookups)

    def _follow(self, name: str, count: int, counter: Counter) -> None:
        counter.inc(count - self._followed.get(name, 0))
        self._followed[name] = count

    async def expose(self, store: Store) -> bytes:
        """Return all numbers in Prometheus's text format."""
        self.sample(store)
        registry = self._registry
        if SHARED in os.environ:
            registry = CollectorRegistry()
            MultiProcessCollector(registry)
        asked = CollectorRegistry()
        asked.register(_Families(await self._vitals_of(store), store))
        return generate_latest(registry) + generate_latest(asked)

    async def _vitals_of(self, store: Store) -> Vitals:
        async with self._reading:
            read, vitals = self._vitals
            if time.monotonic() - read > VITALS_SECONDS:
                vitals = await read_vitals(store.connection)
                self._vitals = time.monotonic(), vitals
            return vitals


METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""Any other would be a label that a client makes up."""


def _gauge(name: str, text: str, registry: CollectorRegistry, *labels: str) -> Gauge:
    return Gauge(name, text, labels, registry=registry, multiprocess_mode=LIVE)


class _Families(Collector):
    """What MongoDB told, as metrics."""

    def __init__(self, vitals: Vitals, store: Store) -> None:
        self._vitals = vitals
        self._store = store

    def collect(self) -> Iterator[Metric]:
        """Yield what is known."""
        vitals = self._vitals
        yield _family("sheaf_mongodb_primary", "Whether a primary of MongoDB answers.", int(vitals.has_primary))
        yield _family("sheaf_pool_size", "Connections that each process may have.", self._store.settings.max_pool_size)
        if vitals.jobs is not None:
            yield _by("sheaf_jobs", "Loads, by state.", "state", vitals.jobs)
        if vitals.quarantined is not None:
            yield _by("sheaf_quarantined_records", "Records put aside.", "collection", vitals.quarantined)
        if vitals.index_builds is not None:
            yield _family("sheaf_index_builds", "Indexes that are being built.", vitals.index_builds)
        if vitals.lag_seconds:
            yield _by("sheaf_mongodb_lag_seconds", "How far members are behind.", "member", vitals.lag_seconds)
        for name, value in (vitals.server or {}).items():
            yield _family(f"sheaf_mongodb_{name}", f"{name} of MongoDB's serverStatus.", value)


def _family(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, value=value)


def _by(name: str, text: str, label: str, values: Mapping[str, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=(label,))
    for key, value in sorted(values.items()):
        family.add_metric((key,), value)
    return family
