"""`sheaf seed`, as people type it."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from pymongo import MongoClient
from pymongo.database import Database

from documents.seeds.files import SeedError
from scripts.cli import main
from scripts.commands.seed import parse_counts
from scripts.exits import REFUSED

Type = Callable[..., tuple[int, str, str]]
"""Types `sheaf seed` with these words; answers with the exit code, standard output and standard error."""


@pytest.fixture
def database(mongo_uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database[dict[str, Any]]]:
    """An empty database, which the command finds in its environment."""
    name = f"seeding_{uuid4().hex}"
    monkeypatch.chdir(tmp_path)
    for variable, value in (("MONGODB_URI", mongo_uri), ("DATABASE", name), ("ENVIRONMENT", "")):
        monkeypatch.setenv(f"SHEAF_{variable}", value)
    with MongoClient[dict[str, Any]](mongo_uri) as client:
        yield client[name]
        client.drop_database(name)


@pytest.fixture
def type_in(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Type:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("NO_COLOR", "1")

    def type_words(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["sheaf", "seed", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err.lstrip()  # a progress bar leaves an empty line

    return type_words


def test_seeds_from_files(database: Database[dict[str, Any]], type_in: Type, tmp_path: Path) -> None:
    folder = tmp_path / "seeds"
    folder.mkdir()
    (folder / "customers.yaml").write_text(
        "- {email: ada@example.com, name: Ada}\n- {email: bo@example.com, name: Bo}\n"
    )
    (folder / "orders.ndjson").write_text(
        '{"_id": "6b02c1805eed000000000001", "customer_id": {"$seed": "customers", "email": "bo@example.com"},'
        ' "lines": [{"sku": "A", "quantity": 1, "price": "2.00"}], "created_at": "2026-01-01T00:00:00Z",'
        ' "updated_at": "2026-01-01T00:00:00Z"}\n'
    )
    words = ("--folder", str(folder))
    assert type_in(*words, "--dry-run")[::2] == (0, "Would seed customers: 2 inserted\nWould seed orders: 1 inserted\n")
    assert database.list_collection_names() == []
    assert type_in(*words)[::2] == (0, "Seeded customers: 2 inserted\nSeeded orders: 1 inserted\n")
    [order] = database["orders"].find()
    assert order["customer_id"] == (database["customers"].find_one({"name": "Bo"}) or {})["_id"]
    code, out, _ = type_in(*words, "--json")
    assert (code, json.loads(out)["counts"]) == (0, {"customers": {"unchanged": 2}, "orders": {"unchanged": 1}})


def test_generates(database: Database[dict[str, Any]], type_in: Type) -> None:
    code, out, err = type_in("--generate", "customers=3,products=2", "--generate", "orders=4", "--dry-run")
    assert code == 0
    assert "Would generate products: 2 inserted\n" in err
    assert '"sku": ' in out
    assert database.list_collection_names() == []
    words = ("--generate", "customers=3,products=2", "--generate", "orders=4", "--json")
    code, out, _ = type_in(*words)
    assert (code, json.loads(out)) == (
        0,
        {
            "counts": {"customers": {"inserted": 3}, "products": {"inserted": 2}, "orders": {"inserted": 4}},
            "random_seed": 1,
            "dry_run": False,
        },
    )
    before = list(database["orders"].find())
    assert {order["customer_id"] for order in before} <= set(database["customers"].distinct("_id"))
    assert set(database["orders"].distinct("lines.sku")) <= set(database["products"].distinct("sku"))
    code, out, _ = type_in(*words)
    assert json.loads(out)["counts"]["orders"] == {"unchanged": 4}
    assert list(database["orders"].find()) == before
    assert type_in("--generate", "products=2", "--random-seed", "7")[::2] == (0, "Generated products: 2 inserted\n")


@pytest.mark.parametrize(
    ("words", "code", "expected"),
    [
        (["--generate", "prods=3"], 1, "Error: No model declares prods. Declared are carts, customers,"),
        (["--generate", "products=0"], 1, "Error: The number of products is 0"),
        (["--generate", "products=-2"], 1, "Error: The number of products is -2"),
        (["--generate", "products=many"], 1, "Error: --generate takes a collection and a number"),
        (["--generate", "orders=3"], 1, "Error: orders.customer_id needs documents of customers"),
        (["--generate", "products=3", "--folder", "."], 2, "Give one of them"),
        (["--folder", "nowhere"], 1, "Error: There is no folder nowhere."),
    ],
)
def test_refusals(
    database: Database[dict[str, Any]], type_in: Type, words: list[str], code: int, expected: str
) -> None:
    ended, out, err = type_in(*words)
    assert (ended, out) == (code, "")
    assert expected in err
    assert all(database[name].estimated_document_count() == 0 for name in ("products", "orders"))


def test_production_needs_a_yes(
    database: Database[dict[str, Any]], type_in: Type, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHEAF_ENVIRONMENT", "production")
    for words in ([], ["--generate", "products=2"]):
        code, _, err = type_in(*words)
        assert code == REFUSED
        assert "SHEAF_ENVIRONMENT is production" in err
    assert database.list_collection_names() == []
    assert type_in("--generate", "products=2", "--dry-run")[0] == 0, "a dry run harms nobody"
    assert type_in("--yes")[::2] == (0, "No seed is meant for production.\n")
    assert type_in("--generate", "products=2", "--yes")[::2] == (0, "Generated products: 2 inserted\n")


def test_an_address_elsewhere_needs_a_yes(type_in: Type) -> None:
    code, _, err = type_in("--mongodb-uri", "mongodb://db.example.com/", "--generate", "products=2")
    assert code == REFUSED
    assert "The deployment is on db.example.com" in err


def test_killed_and_run_again(database: Database[dict[str, Any]], type_in: Type) -> None:
    sheaf = Path(sys.executable).with_name("sheaf")
    with subprocess.Popen([sheaf, "seed", "--generate", "products=4000"], stderr=subprocess.PIPE) as process:
        while process.poll() is None and not database["products"].count_documents({}):
            pass  # until the first batch is there
        process.send_signal(signal.SIGKILL)
    made = database["products"].count_documents({})
    assert made
    code, out, _ = type_in("--generate", "products=4000", "--json")
    assert code == 0
    counts = json.loads(out)["counts"]["products"]
    assert counts.get("unchanged", 0) >= made
    assert sum(counts.values()) == database["products"].count_documents({}) == 4000
    assert len(database["products"].distinct("sku")) == 4000


def test_counts_as_they_are_typed() -> None:
    assert parse_counts(["products=10", "customers=2, orders=3"]) == {"products": 10, "customers": 2, "orders": 3}
    for wrong in ("products", "=3", "products=", "products=1.5", "a=1,", "a=1,a=2"):
        with pytest.raises(SeedError):
            parse_counts([wrong])
