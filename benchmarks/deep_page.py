"""Shows that page 10,000 of a million documents takes Sheaf no longer than page 1, and by which plan it is found."""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from statistics import median
from typing import Any, Final

from pymongo.database import Database

from benchmarks import dataset, install
from benchmarks.client import Client, connect
from benchmarks.contender import CONTENDERS, SHEAF
from benchmarks.database import run_mongod
from benchmarks.dataset import Document, Shape
from benchmarks.dialect import SHEAF as SPEAKS
from benchmarks.dialect import SKIPPED
from benchmarks.process import BenchError
from benchmarks.report import render_table
from benchmarks.request import Request
from benchmarks.result import percentile
from benchmarks.turn import Served, serve
from benchmarks.walk import walk
from benchmarks.workload import DEEP_PAGE, Action, Dataset

RESULT: Final = install.HERE / "results" / "deep_page.json"
NOISE: Final = 1.1
"Times that the median of the deep page may be that of the first and still be called the same."
WARMUP: Final = 50
QUERY: Final = frozenset({"find", "filter", "sort", "limit", "projection", "hint", "skip", "collation"})
SCANS: Final = frozenset({"COLLSCAN", "SORT"})


def compare(client: Client, first: Request, deep: Request, *, requests: int) -> tuple[list[float], list[float]]:
    """Return the seconds that each page took, asked for in turn so that what disturbs one disturbs both."""
    times: tuple[list[float], list[float]] = ([], [])
    for number in range(WARMUP + requests):
        for request, taken in zip((first, deep), times, strict=True):
            before = time.perf_counter()
            client.send(request)
            if number >= WARMUP:
                taken.append(time.perf_counter() - before)
    return times


def find_plan(client: Client, database: Database[Document], request: Request) -> Document:
    """Return how MongoDB answers a request: the plan it chose, and what it looked at.

    Source:
        MongoDB manual, database profiler output and explain results.
    """
    database.command("profile", 2)
    try:
        client.send(request)
    finally:
        database.command("profile", 0)
    query: Document = {"ns": f"{database.name}.items", "command.find": "items"}
    entry = database["system.profile"].find_one(query, sort=[("ts", -1)])
    database.drop_collection("system.profile")
    if entry is None:
        raise BenchError("Sheaf answered the deep page without a find.")
    command = {name: value for name, value in entry["command"].items() if name in QUERY}
    explained = database.command("explain", command, verbosity="queryPlanner")
    return {
        "summary": entry["planSummary"],
        "stages": list_stages(explained["queryPlanner"]["winningPlan"]),
        "keys_examined": entry["keysExamined"],
        "documents_examined": entry["docsExamined"],
        "returned": entry["nreturned"],
    }


def list_stages(plan: Document) -> list[str]:
    """Return the stages of a winning plan, the outermost first."""
    inner: list[Document] = [plan[key] for key in ("inputStage", "queryPlan") if key in plan]
    inner += plan.get("inputStages", [])
    stages = [str(plan["stage"])] if "stage" in plan else []
    return stages + [stage for each in inner for stage in list_stages(each)]


def is_indexed(plan: Document) -> bool:
    """Return whether a plan walks an index, sorts nothing and looks at no more than about what it returns."""
    stages: set[str] = set(plan["stages"])
    return "IXSCAN" in stages and not stages & SCANS and plan["keys_examined"] <= plan["returned"] + 1


def summarise(times: Sequence[float]) -> dict[str, float]:
    """Return milliseconds: median and 99th percentile."""
    ordered = sorted(times)
    return {"p50_ms": median(ordered) * 1000, "p99_ms": percentile(ordered, 99) * 1000}


def _measure(served: Served, *, requests: int) -> dict[str, Any]:
    with connect(served.port) as client:
        cursor = walk(client, documents=SKIPPED)
        first, deep = SPEAKS.requests[Action.LIST], SPEAKS.requests[Action.DEEP].fill({"cursor": cursor})
        opening, ending = client.send(deep)["items"][0]["_id"], dataset.id_of(SKIPPED)
        if opening != ending:
            raise BenchError(f"Page {DEEP_PAGE:,} begins with {opening}, and should with {ending}.")
        first_times, deep_times = compare(client, first, deep, requests=requests)
        plan = find_plan(client, served.collection.database, deep)
    ratio = median(deep_times) / median(first_times)
    return {
        "first": summarise(first_times),
        "deep": summarise(deep_times),
        "ratio": ratio,
        "plan": plan,
        "holds": ratio <= NOISE and is_indexed(plan),
    }


def _render(found: dict[str, Any]) -> str:
    rows = [
        [title, f"{found[key]['p50_ms']:.2f}", f"{found[key]['p99_ms']:.2f}"]
        for title, key in (("1", "first"), (f"{DEEP_PAGE:,}", "deep"))
    ]
    plan = found["plan"]
    return (
        f"{render_table(('page', 'p50 ms', 'p99 ms'), rows)}\n\n"
        f"Page {DEEP_PAGE:,} takes {found['ratio']:.2f} times page 1 (at most {NOISE:g} counts as the same).\n"
        f"Plan: {' > '.join(plan['stages'])} ({plan['summary']}); {plan['keys_examined']} keys and "
        f"{plan['documents_examined']} documents looked at for {plan['returned']} returned.\n"
        f"{'It holds.' if found['holds'] else 'It does NOT hold.'}"
    )


def main() -> int:
    """Measure, print and keep the result; exit with 1 where it does not hold."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.deep_page", description=__doc__)
    parser.add_argument("--requests", type=int, default=500, metavar="N", help="times to ask for each page (500)")
    requests: int = parser.parse_args().requests
    sheaf = next(each for each in CONTENDERS if each.name == SHEAF)
    try:
        with run_mongod(install.CACHE) as mongod:
            dataset.load(mongod.client, Dataset.MILLION, Shape.PLAIN)
            with serve(sheaf, Dataset.MILLION, mongod) as served:
                found = _measure(served, requests=requests)
    except BenchError as error:
        print(error, file=sys.stderr)
        return 2
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps(found, indent=1) + "\n")
    print(_render(found))
    return 0 if found["holds"] else 1


if __name__ == "__main__":
    sys.exit(main())
