"""Shows what pages of a list cost that is sorted by an index which knows nothing of `_id`, beside a bare find."""

import argparse
import json
import sys
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from statistics import median
from typing import Any, Final

from pymongo.collection import Collection
from pymongo.cursor import Cursor

from benchmarks import install
from benchmarks.client import Client, connect
from benchmarks.contender import CONTENDERS, SHEAF, Launch
from benchmarks.database import Mongod, run_mongod
from benchmarks.dataset import BATCH, Document, id_of, make_documents
from benchmarks.process import BenchError, free_port, run
from benchmarks.report import render_table
from benchmarks.request import Request
from benchmarks.turn import START_SECONDS

RESULT: Final = install.HERE / "results" / "plain_index.json"
DATABASE: Final = "bench_plain_index"
START: Final = datetime(2026, 1, 1, tzinfo=UTC)
PAGE: Final = 20
LATE_PAGE: Final = 1_000
STRIDE: Final = 1_000
"Documents of a page on the way to the late one."
TIMES: Final = 1.5
"Times that a page may take what the bare find takes, and a get beside."
KEYS: Final = 3 * PAGE
WARMUP: Final = 20


@dataclass(frozen=True, kw_only=True)
class Ordered:
    """A list, as Sheaf and as MongoDB are asked for it."""

    query: str
    where: Document
    field: str
    direction: int


LISTS: Final = (
    Ordered(query="sort=price", where={}, field="price", direction=1),
    Ordered(query="status=a&sort=-created", where={"status": "a"}, field="created", direction=-1),
)


def make(collection: Collection[Document], documents: int) -> None:
    """Make the documents and their indexes anew."""
    collection.drop()
    collection.create_index("price")
    collection.create_index([("status", 1), ("created", 1)])
    for start in range(0, documents, BATCH):
        numbers = range(start, min(start + BATCH, documents))
        more = ({"status": "abcd"[n % 4], "created": START + timedelta(seconds=n * 7919 % documents)} for n in numbers)
        collection.insert_many([each | fields for each, fields in zip(make_documents(numbers), more, strict=True)])


def find_late(client: Client, ordered: Ordered) -> tuple[str, Any]:
    """Return the cursor of the late page, and the value that the page before it ends with."""
    path = f"/v1/items?{ordered.query}&limit={STRIDE}&fields={ordered.field}"
    answer: Any = client.send(Request("GET", path))
    for _ in range((LATE_PAGE - 1) * PAGE // STRIDE - 1):
        answer = client.send(Request("GET", f"{path}&cursor={answer['next']}"))
    return answer["next"], answer["items"][-1][ordered.field]


def compare(*asks: Callable[[], object], requests: int) -> list[list[float]]:
    """Return the seconds that each took, asked in turn so that what disturbs one disturbs all."""
    times: list[list[float]] = [[] for _ in asks]
    for number in range(WARMUP + requests):
        for ask, taken in zip(asks, times, strict=True):
            before = time.perf_counter()
            ask()
            if number >= WARMUP:
                taken.append(time.perf_counter() - before)
    return times


def count_keys(collection: Collection[Document], ask: Callable[[], object]) -> int:
    """Return how many keys MongoDB examined for a request.

    Source:
        MongoDB manual, database profiler output.
    """
    database = collection.database
    database.command("profile", 2)
    try:
        ask()
    finally:
        database.command("profile", 0)
    found = list(database["system.profile"].find({"ns": collection.full_name, "command.find": collection.name}))
    database.drop_collection("system.profile")
    if not found:
        raise BenchError("Sheaf answered a page without a find.")
    return sum(each["keysExamined"] for each in found)


def judge(times: Sequence[Sequence[float]], keys: int) -> dict[str, Any]:
    """Return the medians in milliseconds of a page, a bare find and a get, and whether they are as wanted."""
    page, bare, get = (median(each) * 1000 for each in times)
    holds = page <= TIMES * bare + get and keys <= KEYS
    return {"page_ms": page, "bare_ms": bare, "get_ms": get, "keys_examined": keys, "holds": holds}


def _read_again(found: Cursor[Document]) -> list[Document]:
    return list(found.clone())


def _measure(client: Client, collection: Collection[Document], *, requests: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for ordered in LISTS:
        cursor, value = find_late(client, ordered)
        if isinstance(value, str):
            value = datetime.fromisoformat(value)
        beyond = {ordered.field: {"$gt" if ordered.direction == 1 else "$lt": value}}
        places: tuple[tuple[int, str, Document], ...] = ((1, "", {}), (LATE_PAGE, f"&cursor={cursor}", beyond))
        for number, place, where in places:
            page = Request("GET", f"/v1/items?{ordered.query}&limit={PAGE}{place}")
            cursor_of = collection.find(ordered.where | where).sort(ordered.field, ordered.direction).limit(PAGE)
            asks = (
                partial(client.send, page),
                partial(_read_again, cursor_of),
                partial(client.send, Request("GET", f"/v1/items/{id_of(1)}")),
            )
            times = compare(*asks, requests=requests)
            found.append({"list": ordered.query, "page": number} | judge(times, count_keys(collection, asks[0])))
    return found


@contextmanager
def _serve(mongod: Mongod) -> Generator[Client]:
    sheaf = next(each for each in CONTENDERS if each.name == SHEAF)
    folder = install.folder_of(sheaf.name)
    launch = Launch(folder=folder, port=free_port(), uri=mongod.uri, database=DATABASE)
    command = sheaf.launch(launch)
    log = folder / "output.log"
    with (
        run(sheaf.title, command.arguments, log=log, environment=command.variables) as child,
        connect(launch.port) as client,
    ):
        child.wait_until(lambda: client.is_ready("/health/ready"), seconds=START_SECONDS)
        yield client


def _render(found: Sequence[dict[str, Any]]) -> str:
    rows = [
        [
            each["list"],
            f"{each['page']:,}",
            *(f"{each[name]:.2f}" for name in ("page_ms", "bare_ms", "get_ms")),
            str(each["keys_examined"]),
            "yes" if each["holds"] else "NO",
        ]
        for each in found
    ]
    return render_table(("list", "page", "page ms", "bare find ms", "get ms", "keys", "holds"), rows)


def main() -> int:
    """Measure, print and keep the result; exit with 1 where it does not hold."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.plain_index", description=__doc__)
    parser.add_argument("--documents", type=int, default=1_000_000, metavar="N", help="in the collection (1,000,000)")
    parser.add_argument("--requests", type=int, default=300, metavar="N", help="times to ask for each page (300)")
    options = parser.parse_args()
    try:
        with run_mongod(install.CACHE) as mongod:
            collection = mongod.client[DATABASE]["items"]
            make(collection, options.documents)
            with _serve(mongod) as client:
                found = _measure(client, collection, requests=options.requests)
    except BenchError as error:
        print(error, file=sys.stderr)
        return 2
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps({"documents": options.documents, "pages": found}, indent=1) + "\n")
    print(_render(found))
    return 0 if all(each["holds"] for each in found) else 1


if __name__ == "__main__":
    sys.exit(main())
