"""The driver with no HTTP: reads orders from standard input, a JSON line each, and answers each with a JSON line.

An order is `{"action": "get", "connections": 64, "documents": 1000, "seconds": 5}`.
"""

import argparse
import asyncio
import json
import random
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from itertools import count
from typing import Any, Final

import uvloop
from bson import ObjectId
from pymongo import AsyncMongoClient
from pymongo.asynchronous.collection import AsyncCollection

from benchmarks.dataset import CATEGORIES, Document, category_of, id_of, make_fields
from benchmarks.result import percentile
from benchmarks.workload import FILTERED_PAGE, MIX, PAGE, Action

Items = AsyncCollection[Document]
READY: Final = "ready"
NUMBERS: Final = count()


async def _get(items: Items, documents: int) -> None:
    found = await items.find_one({"_id": ObjectId(id_of(random.randrange(documents)))})  # noqa: S311  # load, not secrets
    if found is None:
        raise LookupError("a document is missing")


async def _insert(items: Items, _: int) -> None:
    await items.insert_one(make_fields(next(NUMBERS)))


async def _list(items: Items, _: int) -> None:
    await items.find().sort("_id").limit(PAGE).to_list()


async def _filtered(items: Items, _: int) -> None:
    wanted = {"category": category_of(random.randrange(CATEGORIES))}  # noqa: S311  # load, not secrets
    await items.find(wanted).sort("price", -1).limit(FILTERED_PAGE).to_list()


async def _patch(items: Items, documents: int) -> None:
    wanted = {"_id": ObjectId(id_of(random.randrange(documents)))}  # noqa: S311  # load, not secrets
    await items.update_one(wanted, {"$set": {"stock": next(NUMBERS)}})


async def _mix(items: Items, documents: int) -> None:
    shares = [share for share, _ in MIX]
    (action,) = random.choices([part for _, part in MIX], shares)  # noqa: S311  # load, not secrets
    await OPERATIONS[action](items, documents)


OPERATIONS: Final[Mapping[Action, Callable[[Items, int], Awaitable[None]]]] = {
    Action.GET: _get,
    Action.INSERT: _insert,
    Action.LIST: _list,
    Action.FILTERED: _filtered,
    Action.PATCH: _patch,
    Action.MIX: _mix,
}


async def _drive(items: Items, order: Mapping[str, Any]) -> dict[str, float]:
    operation = OPERATIONS[Action(order["action"])]
    times: list[float] = []
    start = time.perf_counter()

    async def repeat() -> None:
        before = time.perf_counter()
        while before < start + order["seconds"]:
            await operation(items, order["documents"])
            after = time.perf_counter()
            times.append(after - before)
            before = after

    await asyncio.gather(*(repeat() for _ in range(order["connections"])))
    seconds = time.perf_counter() - start
    times.sort()
    return {
        "requests": len(times),
        "seconds": seconds,
        "p50_ms": percentile(times, 50) * 1000,
        "p99_ms": percentile(times, 99) * 1000,
    }


async def _serve(uri: str, database: str) -> None:
    loop = asyncio.get_running_loop()
    async with AsyncMongoClient[Document](uri) as client:
        items = client[database]["items"]
        await items.find_one()
        print(READY, flush=True)
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            print(json.dumps(await _drive(items, json.loads(line))), flush=True)


def main() -> None:
    """Obey orders until standard input ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--uri", required=True)
    parser.add_argument("--database", required=True)
    arguments = parser.parse_args()
    uvloop.run(_serve(arguments.uri, arguments.database))


if __name__ == "__main__":
    main()
