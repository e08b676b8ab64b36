"""Backfills beside a bare loop of batched updates: `python -m benchmarks.backfill --documents 1000000 --kills 10`.

It starts a mongod of its own in a temporary folder. Each round gives every document a field, once with `run_backfill`
(transactions, checkpoints, the lock) and once with `update_many` over the same ranges of `_id`, in turns. Both write
with the same write concern, majority and journaled.
"""

import argparse
import asyncio
import random
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from benchmarks.filling import NAME, fill
from benchmarks.process import BenchError
from documents.database.connection import Connection
from documents.database.embedded import acquire
from documents.migrations.backfill import run_backfill
from documents.migrations.compile import compile_operation
from documents.migrations.lock import break_lock, hold_lock
from documents.migrations.operations import AddField, FieldOperation, UpdateDocuments

DATABASE: Final = "bench_backfill"
BATCH: Final = 1000
COUNT: Final = UpdateDocuments(NAME, {}, {"$inc": {"times": 1}})
"""Must not be done twice."""

Lap = Callable[[Connection, str], Awaitable[None]]


async def migrate(connection: Connection, field: str) -> None:
    """Add a field as a migration does."""
    await _migrate(connection, AddField(NAME, field, "EUR"), key=field)


async def _migrate(connection: Connection, op: FieldOperation, *, key: str, report: bool = False) -> None:
    async with hold_lock(connection.database, purpose="benchmark") as lock:
        change = compile_operation(op)
        async for progress in run_backfill(connection, change, key=key, lock=lock, batch_size=BATCH):
            if report:
                print(progress.done, flush=True)


async def update(connection: Connection, field: str) -> None:
    """Add a field with nothing but batched updates."""
    collection = connection.collection(NAME)
    last: object = None
    while True:
        after = {} if last is None else {"_id": {"$gt": last}}
        ids = await collection.find(after, {"_id": 1}, sort={"_id": 1}, limit=BATCH).to_list()
        if not ids:
            return
        first, last = ids[0]["_id"], ids[-1]["_id"]
        await collection.update_many(
            {"_id": {"$gte": first, "$lte": last}, field: {"$exists": False}}, {"$set": {field: "EUR"}}
        )


async def compare(connection: Connection, documents: int, rounds: int) -> None:
    """Print the speeds of both, and what the one is of the other."""
    speeds: dict[str, list[float]] = {"run_backfill": [], "update_many": []}
    laps: list[tuple[str, Lap]] = [("run_backfill", migrate), ("update_many", update)]
    for number in range(rounds):
        for name, lap in laps if number % 2 else laps[::-1]:
            speeds[name].append(await _time(connection, lap, f"{name}_{number}", documents))
        print(f"round {number + 1}: " + ", ".join(f"{name} {each[-1]:,.0f}/s" for name, each in speeds.items()))
    ratios = [ours / raw for ours, raw in zip(speeds["run_backfill"], speeds["update_many"], strict=True)]
    for name, each in speeds.items():
        print(f"{name:>13} {statistics.median(each):>10,.0f} documents/s")
    print(f"{'ratio':>13} {statistics.median(ratios):>10.2f} (least {min(ratios):.2f})")
    print(f"{'peak RSS':>13} {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:>10,.0f} MB of this process")


async def _time(connection: Connection, lap: Lap, field: str, documents: int) -> float:
    began = time.perf_counter()
    await lap(connection, field)
    speed = documents / (time.perf_counter() - began)
    changed = await connection.collection(NAME).count_documents({field: "EUR"})
    if changed != documents:
        raise BenchError(f"{changed} of {documents} documents have {field}.")
    return speed


async def kill(connection: Connection, uri: str, *, documents: int, kills: int) -> None:
    """Kill a backfill of $inc at random moments, let it go on each time, and print how often each document was changed.

    Raises:
        BenchError: A document was not changed once.
    """
    seed = random.randrange(10_000)  # noqa: S311  # chooses moments, and guards nothing
    moments = sorted(random.Random(seed).sample(range(documents * 9 // 10), kills))  # noqa: S311  # seeded on purpose, so that a run can be repeated
    killed = 0
    for moment in [*moments, documents + 1]:
        killed += await _backfill_until(uri, moment)
        await break_lock(connection.database)
    once = await connection.collection(NAME).count_documents({"times": 1})
    print(f"killed {killed} times (seed {seed}): {once} of {documents} documents changed once")
    if once != documents:
        raise BenchError("Some documents were not changed once.")


async def _backfill_until(uri: str, moment: int) -> bool:
    """Start a backfill in a process of its own, and say whether it was killed, as so many documents were done."""
    command = [sys.executable, "-m", "benchmarks.backfill", "--child", uri]
    child = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    if child.stdout is None:
        raise BenchError("The backfill has no output.")
    async for line in child.stdout:
        if int(line) >= moment:
            child.kill()
            await child.wait()
            return True
    if await child.wait():
        raise BenchError("The backfill failed.")
    return False


async def _as_child(uri: str) -> None:
    connection = Connection(uri, database=DATABASE, max_pool_size=5)
    await _migrate(connection, COUNT, key="killed", report=True)
    await connection.close()


async def _measure(uri: str, choice: argparse.Namespace) -> None:
    connection = Connection(uri, database=DATABASE, max_pool_size=5)
    print(f"filling {choice.documents:,} documents, MongoDB {await connection.server_version()}")
    await fill(connection, choice.documents)
    await compare(connection, choice.documents, choice.rounds)
    if choice.kills:
        await kill(connection, uri, documents=choice.documents, kills=choice.kills)
    await connection.close()


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.backfill", description=__doc__)
    parser.add_argument("--documents", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--kills", type=int, default=0, help="then kill a backfill so often, and verify it")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    choice = parser.parse_args()
    if choice.child:
        asyncio.run(_as_child(choice.child))
        return
    with tempfile.TemporaryDirectory(prefix="sheaf-backfill-") as folder, acquire(Path(folder), cache_gb=1) as mongo:
        asyncio.run(_measure(mongo.uri, choice))


if __name__ == "__main__":
    main()
