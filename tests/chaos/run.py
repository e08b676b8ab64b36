"""One run of faults at random."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from pymongo import AsyncMongoClient
from pymongo.errors import PyMongoError

from tests.chaos.ledger import Ledger, Writer
from tests.chaos.targets import KINDS, Target

WRITERS = 50
PATIENCE_SECONDS = 60.0
CALM_SECONDS = (0.3, 2.0)


@dataclass
class Report:
    """What came of a run.

    Args:
        kind: Of the target.
        seed: That makes the same faults again.
        returns: Seconds by which the server was later than MongoDB itself, after each fault.
        acknowledged: Writes that were acknowledged.
        unknown: Writes of which nobody can say.
        asked: Requests of the writers.
        faults: What did not hold.
    """

    kind: str
    seed: int
    returns: list[tuple[str, float]] = field(default_factory=list[tuple[str, float]])
    acknowledged: int = 0
    unknown: int = 0
    asked: int = 0
    faults: list[str] = field(default_factory=list[str])


async def run(
    kind: str, folder: Path, *, seconds: float, seed: int, on_fault: Callable[[str, float], None] | None = None
) -> Report:
    """Make faults for some time while fifty writers write, and compare what is stored with what they were told.

    Args:
        kind: One of `KINDS`.
        folder: An empty one.
        seconds: How long.
        seed: Of the faults, and when they come.
        on_fault: Called after each with its name and the share of the time that is over.
    """
    report, chance, ledger = Report(kind, seed), random.Random(seed), Ledger()  # not for secrets
    async with KINDS[kind](folder) as target, target.server.async_client(seconds=30) as client:
        writers = [asyncio.create_task(Writer(client, ledger, f"w{number}").run()) for number in range(WRITERS)]
        try:
            began = time.monotonic()
            while (passed := time.monotonic() - began) < seconds:
                await asyncio.sleep(chance.uniform(*CALM_SECONDS))
                name = chance.choice(sorted(target.faults))
                await target.faults[name](chance)
                late = await _come_back(target, client)
                report.returns.append((name, late))
                if late > target.return_seconds:
                    report.faults.append(f"after {name} the server came back {late:.1f} s later than MongoDB")
                if on_fault is not None:
                    on_fault(name, min(passed / seconds, 1.0))
        finally:
            for writer in writers:
                writer.cancel()
            ended = await asyncio.gather(*writers, return_exceptions=True)
        report.faults += [repr(end) for end in ended if not isinstance(end, asyncio.CancelledError)]
        report.faults += await _compare(target, ledger)
    report.acknowledged, report.asked = ledger.acknowledged, ledger.asked
    report.unknown = len(ledger.unknown) + sum(ledger.uncertain.values())
    return report


async def _come_back(target: Target, client: httpx.AsyncClient) -> float:
    """Return by how much the server is later than MongoDB itself to take a write."""
    bare, served = await asyncio.gather(_until_written(target), _until_served(client))
    return max(served - bare, 0.0)


async def _until_written(target: Target) -> float:
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        bare = AsyncMongoClient[dict[str, Any]](target.uri(), serverSelectionTimeoutMS=500, timeoutMS=1000)
        async with bare:
            with suppress(PyMongoError):
                await bare["bare"]["things"].insert_one({})
                return time.monotonic()
        assert time.monotonic() < until, "MongoDB does not come back"


async def _until_served(client: httpx.AsyncClient) -> float:
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        with suppress(httpx.TransportError):
            answer = await client.put("/v1/back/again", json={}, headers={"Prefer": "wait=1"})
            if answer.is_success:
                return time.monotonic()
        assert time.monotonic() < until, "the server does not come back"
        await asyncio.sleep(0.02)


async def _compare(target: Target, ledger: Ledger) -> list[str]:
    async with AsyncMongoClient[dict[str, Any]](target.uri()) as bare:
        database = bare["sheaf"]
        kept = Counter([each["_id"] async for each in database["kept"].find({}, {"_id": 1})])
        counters = {each["_id"]: each["n"] async for each in database["counters"].find()}
    return ledger.check(kept, counters)
