"""What the README and the guides tell people to type, typed, against a fresh server."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest
from bson import Decimal128, ObjectId

from documents.database.embedded import EmbeddedMongo
from documents.types import EMPTY
from tests.journeys.guide import Step, compare, is_like, parse_values, read_files, read_steps, run_steps
from tests.journeys.theirs import Theirs, other_peoples
from tests.journeys.users import user_of
from tests.server import Server, serve

pytestmark = pytest.mark.xdist_group("guides")

ROOT: Final = Path(__file__).parent.parent.parent
SHEAF: Final = Path(sys.executable).with_name("sheaf")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where people type: a folder like the repository, with a `.sheaf` of its own."""
    folder = tmp_path_factory.mktemp("guides")
    shutil.copy(ROOT / "pyproject.toml", folder)
    shutil.copytree(ROOT / "examples", folder / "examples", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    """The server of `make run`, with its embedded MongoDB and the sample shop."""
    with serve(folder, uri="", database="sheaf", data_dir=folder / ".sheaf", project="", prepare="") as running:
        yield running


def type_in(
    steps: list[Step], folder: Path, server: Server, replacements: Mapping[str, str] = EMPTY, /, **environ: str
) -> list[str]:
    """Return what each step prints when it is typed."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("SHEAF_")}
    words = {"localhost:8000": f"{server.host}:{server.port}", ".venv/bin/sheaf": str(SHEAF), **replacements}
    return run_steps(steps, folder, {**inherited, "COLUMNS": "200", "NO_COLOR": "1", **environ}, words)


def run_guide(name: str, folder: Path, server: Server, **environ: str) -> None:
    """Assert that everything in a guide prints what the guide shows."""
    steps = read_steps(ROOT / "docs" / name)
    assert steps
    for step, printed in zip(steps, type_in(steps, folder, server, **environ), strict=True):
        compare(step, printed)


def the_typed_insert(said: str) -> None:
    [product] = parse_values(said)
    assert is_like(
        {"_id": "…", "sku": "TEA-1", "name": "Green tea", "description": ""}, dict(list(product.items())[:4])
    )
    assert product["price"] == "4.90"


def the_refusal(said: str) -> None:
    [problem] = parse_values(said)
    assert (problem["status"], problem["code"]) == (422, "invalid-document")
    assert {fault["pointer"] for fault in problem["faults"]} == {"/price", "/colour"}


def the_new_collection(said: str) -> None:
    assert outcomes(said) == [(201, "created")] * 3


def the_filtered_lists(said: str) -> None:
    sorted_list, inside = parse_values(said)
    assert [item["ms"] for item in sorted_list["items"]] == [48, 12]
    assert is_like([{"_id": "…", "page": "/tea"}], inside["items"])


def the_next_page(said: str) -> None:
    [page] = parse_values(said)
    prices = [float(item["price"]) for item in page["items"]]
    assert prices == sorted(prices)
    assert len(prices) == 2
    assert prices[0] > 4.90, "the first page began with the cheapest"
    assert page["prev"]
    assert page["next"]


def the_patch(said: str) -> None:
    [product] = parse_values(said)
    assert (product["price"], product["attributes"]) == ("5.40", {"grams": 125})


def the_failed_precondition(said: str) -> None:
    head, _, body = said.replace("\r", "").strip().partition("\n\n")
    assert head.startswith("HTTP/1.1 412 ")
    assert "\netag: " in head
    assert parse_values(body)[0]["code"] == "precondition-failed"


def the_upserts(said: str) -> None:
    assert outcomes(said) == [(200, "replaced"), (201, "created"), (200, "updated")]


def the_transaction(said: str) -> None:
    assert outcomes(said) == [(200, "updated"), (201, "created")]


CLAIMS: Final[Mapping[str, Callable[[str], None]]] = {
    "A typed insert.": the_typed_insert,
    "A bad one is refused": the_refusal,
    "Any JSON makes a collection.": the_new_collection,
    "Filter and sort.": the_filtered_lists,
    "Page on.": the_next_page,
    "Change what you have read": the_patch,
    "The same again is refused": the_failed_precondition,
    "Upsert in bulk, by natural key.": the_upserts,
    "All or nothing, across collections.": the_transaction,
}
"""What the README says will happen, by the words in bold before each of its commands."""


def outcomes(said: str) -> list[tuple[int, str]]:
    [answer] = parse_values(said)
    return [(item["status"], item["outcome"]) for item in answer["items"]]


@pytest.fixture(scope="module")
def answers(folder: Path, server: Server) -> Mapping[str, str]:
    """What the README's commands print, pasted block by block."""
    steps = read_steps(ROOT / "README.md")
    said = type_in(steps, folder, server)
    assert [step.lead for step in steps] == list(CLAIMS)
    return {step.lead: printed for step, printed in zip(steps, said, strict=True)}


@pytest.mark.parametrize("lead", CLAIMS)
def test_the_first_five_minutes_do_what_they_say(answers: Mapping[str, str], lead: str) -> None:
    CLAIMS[lead](answers[lead])


def test_the_transaction_took_stock_and_wrote_the_sale(answers: Mapping[str, str], server: Server) -> None:
    assert answers
    with server.client() as client:
        [tea] = client.get("/v1/products", params={"sku": "TEA-1"}).json()["items"]
        [sale] = client.get("/v1/sales").json()["items"]
    assert (tea["stock"], tea["price"]) == (3, "5.20")
    assert (sale["sku"], sale["pieces"]) == ("TEA-1", 1)


@pytest.mark.timeout(300)  # a command of a guide is a process, and some guides have twenty
@pytest.mark.parametrize(
    "name",
    [
        "api.md",
        "json-and-bson.md",
        "operations.md",
        "indexes.md",
        "ingest.md",
        "export.md",
        "contracts.md",
        "migrations.md",
        "seeds.md",
        "schema.md",
    ],
)
def test_the_guide_shows_what_happens(name: str, folder: Path, server: Server) -> None:
    run_guide(name, folder, server)


def test_the_guide_of_a_database_that_was_there_before(mongo: EmbeddedMongo, tmp_path: Path) -> None:
    guide = ROOT / "docs" / "existing-databases.md"
    writing = guide.read_text("utf-8").partition("## Then writes")[0].count("\n")
    steps = read_steps(guide)
    parts = [step for step in steps if step.line <= writing], [step for step in steps if step.line > writing]
    with other_peoples(mongo.uri) as theirs:
        add_orders(theirs)
        for part, user, rights in zip(parts, ("reader", "writer"), (["read"], ["readWrite", "dbAdmin"]), strict=True):
            assert part
            with (
                user_of(mongo.admin_uri, theirs.name, rights) as uri,
                serve(
                    tmp_path, uri=uri, database=theirs.name, project="", prepare="", read_only=user == "reader"
                ) as server,
            ):
                words = {
                    f"mongodb://{user}:secret@db1/?replicaSet=rs0": uri,
                    "SHEAF_DATABASE=shop": f"SHEAF_DATABASE={theirs.name}",
                }
                for step, printed in zip(part, type_in(part, tmp_path, server, words), strict=True):
                    compare(step, printed)


def add_orders(theirs: Theirs) -> None:
    """Store what the guide shows."""
    theirs["orders"].insert_many(
        [
            {
                "_id": ObjectId(f"5f000000000000000000000{number}"),
                "number": number,
                "placed": datetime(2026, 11, number + 1, 9, 30, tzinfo=UTC),
                "total": Decimal128(total),
            }
            for number, total in ((1, "19.90"), (2, "5.00"))
        ]
    )
    day = {"$dateToString": {"format": "%Y-%m-%d", "date": "$placed"}}
    sums = [{"$group": {"_id": day, "sum": {"$sum": "$total"}}}, {"$sort": {"_id": 1}}]
    theirs.create_collection(
        "totals", viewOn="orders", pipeline=[*sums, {"$project": {"_id": 0, "day": "$_id", "sum": 1}}]
    )


def test_the_worked_example_of_a_model(folder: Path, server: Server, tmp_path: Path) -> None:
    assert server.port, "the data folder has a MongoDB that runs"
    for name, text in read_files(ROOT / "docs" / "models.md").items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, "utf-8")
    data = folder / ".sheaf"
    with serve(tmp_path, uri="", database="library", data_dir=data, project="", prepare="") as with_model:
        run_guide("models.md", tmp_path, with_model, SHEAF_DATABASE="library", SHEAF_DATA_DIR=str(data))


def test_the_guide_of_projects(folder: Path, server: Server, tmp_path: Path) -> None:
    assert server.port, "the data folder has a MongoDB that runs"
    own = {"SHEAF_DATABASE": "notes", "SHEAF_DATA_DIR": str(folder / ".sheaf")}
    subprocess.run([SHEAF, "init", "served"], cwd=tmp_path, check=True, capture_output=True)
    with serve(
        tmp_path, uri="", database="notes", data_dir=folder / ".sheaf", project=tmp_path / "served", prepare=True
    ) as with_project:
        run_guide("projects.md", tmp_path, with_project, **own)


@pytest.mark.parametrize(
    ("shown", "actual", "expected"),
    [
        ({"a": 1}, {"a": 1}, True),
        ({"a": 1}, {"a": 2}, False),
        ({"a": 1}, {"a": 1.0}, False),
        ({"a": 1}, {"a": 1, "b": 2}, False),
        ({"a": "…"}, {"a": {"b": 1}}, True),
        ({"a": "b…d"}, {"a": "bcd"}, True),
        ({"a": "b…d"}, {"a": "bc"}, False),
        (["…"], [], False),
        (["a", "…"], ["a", None], True),
    ],
)
def test_what_is_shown_is_compared(shown: Any, actual: Any, *, expected: bool) -> None:
    assert is_like(shown, actual) is expected


def test_a_problem_that_is_not_shown_is_noticed() -> None:
    step = Step("guide.md", 1, "", "curl …")
    with pytest.raises(AssertionError):
        compare(step, '{"type": "/problems/not-found"}')
