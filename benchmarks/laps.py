"""Load for those so slow that a span of time would cut most requests off: each connection sends one, to its end."""

import resource
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPException
from threading import Barrier

from benchmarks.client import connect
from benchmarks.load import Load, Order
from benchmarks.process import BenchError
from benchmarks.request import Request
from benchmarks.result import percentile


@dataclass(frozen=True)
class LapDriver:
    """As many threads as connections, which start together and send one request each."""

    port: int
    request: Request

    def drive(self, order: Order) -> Load:
        """Send them all, and return when the last is answered; the order's seconds don't matter."""
        connections = order.workload.connections
        start_line = Barrier(connections)
        before = resource.getrusage(resource.RUSAGE_SELF)
        with ThreadPoolExecutor(connections) as pool:
            start = time.perf_counter()
            ends = [pool.submit(self._send, start_line) for _ in range(connections)]
            times = sorted(taken for end in ends if (taken := end.result()) is not None)
            seconds = time.perf_counter() - start
        after = resource.getrusage(resource.RUSAGE_SELF)
        return Load(
            requests=len(times),
            seconds=seconds,
            p50_ms=percentile(times, 50) * 1000,
            p99_ms=percentile(times, 99) * 1000,
            errors=connections - len(times),
            cpu_seconds=after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        )

    def _send(self, start_line: Barrier) -> float | None:
        with connect(self.port) as client:
            start_line.wait()
            start = time.perf_counter()
            try:
                client.send(self.request)
            except (BenchError, OSError, HTTPException):
                return None  # counted as an error, and the run with it
            return time.perf_counter() - start
