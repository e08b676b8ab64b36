"""Exports beside a bare loop over a cursor: `python -m benchmarks.export --documents 1000000`.

It starts a mongod of its own in a temporary folder, fills a collection with documents of about 400 bytes, and writes
them to a file in turns: with a loop over `find` that writes a line of orjson a document, and with an export, as NDJSON.
At the end it tells the peak memory of this process, in which both ran, and of the export alone if `--only-export`.
"""

import argparse
import asyncio
import resource
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Final

import orjson
from pydantic import SecretStr

from benchmarks.filling import NAME, fill
from documents.access.policy import FULL
from documents.collections.export import Export, plan_export
from documents.collections.operations import Find
from documents.database.embedded import acquire
from documents.lifecycle import Store, open_store
from documents.settings import Environment, Settings

KB: Final = 1024

Lap = Callable[[Store, Path], Awaitable[None]]


async def loop(store: Store, file: Path) -> None:
    """Write a line a document with nothing but the driver and orjson."""
    with file.open("wb") as output:
        async for document in store.connection.collection(NAME).find():
            output.write(orjson.dumps(document, default=str))
            output.write(b"\n")


async def export(store: Store, file: Path) -> None:
    """Export as NDJSON."""
    plan = await plan_export(store.planner, Export(Find(NAME)), FULL)
    with file.open("wb") as output:
        async with aclosing(plan.run(seconds=60)) as pieces:
            async for piece in pieces:
                output.write(piece.data)


async def measure(documents: int, rounds: int, *, only_export: bool) -> None:
    """Print how many documents a second each writes."""
    with tempfile.TemporaryDirectory(prefix="sheaf-export-") as folder, acquire(Path(folder) / "mongo") as lease:
        settings = Settings(
            _env_file=None,  # pyright: ignore[reportCallIssue]  # pydantic-settings adds it
            mongodb_uri=SecretStr(lease.uri),
            database="bench_export",
            environment=Environment.PRODUCTION,
        )
        async with open_store(settings) as store:
            await fill(store.connection, documents)
            laps: dict[str, Lap] = {"export": export} if only_export else {"loop": loop, "export": export}
            rates: dict[str, list[float]] = {name: [] for name in laps}
            for number in range(rounds):
                for name in (*laps,) if number % 2 == 0 else (*reversed(laps),):
                    began = time.perf_counter()
                    await laps[name](store, Path(folder) / "out")
                    rates[name].append(documents / (time.perf_counter() - began))
    medians = {name: statistics.median(several) for name, several in rates.items()}
    for name, several in rates.items():
        print(f"{name}: {medians[name]:,.0f} documents/s, {', '.join(f'{rate:,.0f}' for rate in several)}")
    if not only_export:
        print(f"export / loop: {medians['export'] / medians['loop']:.2f}")
    print(f"peak RSS: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // KB} MB")


def main() -> None:
    """Read the flags, and measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--documents", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only-export", action="store_true")
    arguments = parser.parse_args()
    asyncio.run(measure(arguments.documents, arguments.rounds, only_export=arguments.only_export))


if __name__ == "__main__":
    main()
