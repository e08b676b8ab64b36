"""`sheaf migrate revision` and `merge`, as they are typed, and the sample's own revision."""

import hashlib
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias
from uuid import uuid4

import pytest
from bson import Decimal128
from pymongo import MongoClient
from pymongo.database import Database

from documents.migrations.drafts import Draft, write_draft
from documents.migrations.proposal import Proposal
from documents.migrations.revisions import load_revisions
from documents.migrations.snapshot import Snapshot, read_snapshot, take_snapshot, write_snapshot
from scripts.cli import main
from tests.documents.migrations.revision_files import FIRST, SECOND, THIRD, write
from tests.shop import SHOP, shop_models

Sheaf: TypeAlias = Callable[..., int]
Stored: TypeAlias = Database[dict[str, Any]]
Captured: TypeAlias = pytest.CaptureFixture[str]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "revisions"


@pytest.fixture
def sheaf(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Sheaf:
    """Return what runs `sheaf migrate`, with no database in reach, and returns its exit code."""
    monkeypatch.chdir(folder.parent)
    monkeypatch.setenv("SHEAF_MONGODB_URI", "mongodb://127.0.0.1:9/?serverSelectionTimeoutMS=1")
    monkeypatch.setenv("COLUMNS", "300")

    def run(*words: str) -> int:
        monkeypatch.setattr(sys, "argv", ["sheaf", "migrate", *words, "--folder", str(folder)])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0)

    return run


@pytest.fixture
def database(mongo_uri: str, sheaf: Sheaf, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stored]:
    """A database of its own, which the command finds in its environment."""
    assert sheaf
    name = f"m{uuid4().hex}"
    monkeypatch.setenv("SHEAF_MONGODB_URI", mongo_uri)
    monkeypatch.setenv("SHEAF_DATABASE", name)
    with MongoClient[dict[str, Any]](mongo_uri) as client:
        yield client[name]
        client.drop_database(name)


def earlier(folder: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """Write the snapshot of models that were another: `change` gets the fields of products as the file has them."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "snapshot.json"
    content = json.loads(take_snapshot(shop_models()).to_text())
    change(content["collections"]["products"]["fields"])
    path.write_text(json.dumps(content))
    return path


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_by_hand(sheaf: Sheaf, folder: Path, capsys: Captured) -> None:
    assert sheaf("revision", "Add a currency") == 0
    [first] = load_revisions(folder).revisions
    assert (first.message, first.after, list(first.steps())) == ("Add a currency.", (), [])
    assert f"{first.id}_add_a_currency.py" in capsys.readouterr().err
    assert sheaf("revision", "Another") == 0
    assert load_revisions(folder).revisions[1].after == (first.id,)
    assert not (folder / "snapshot.json").exists()


def test_with_several_heads_the_parent_has_to_be_named(sheaf: Sheaf, folder: Path, capsys: Captured) -> None:
    for revision, after in ((FIRST, ()), (SECOND, (FIRST,)), (THIRD, (FIRST,))):
        write(folder, revision, after)
    before = files(folder)
    assert sheaf("revision", "Which") == 1
    assert "2 heads" in capsys.readouterr().err
    assert files(folder) == before
    assert sheaf("revision", "This", "--after", SECOND[:4]) == 0
    assert load_revisions(folder).heads[-1] not in (SECOND, THIRD)


def test_heads_are_merged(sheaf: Sheaf, folder: Path, capsys: Captured) -> None:
    assert sheaf("merge") == 0
    assert "no revision yet" in capsys.readouterr().err
    for revision, after in ((FIRST, ()), (SECOND, (FIRST,)), (THIRD, (FIRST,))):
        write(folder, revision, after)
    assert sheaf("merge", "Join", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    graph = load_revisions(folder)
    assert graph.heads == (told["revision"],)
    assert graph[told["revision"]].after == (SECOND, THIRD)
    count = len(files(folder))
    assert sheaf("merge") == 0
    assert "only one head" in capsys.readouterr().err
    assert len(files(folder)) == count


def test_from_the_models(sheaf: Sheaf, folder: Path, capsys: Captured) -> None:
    def change(products: dict[str, Any]) -> None:
        del products["stock"]
        products["colour"] = {"types": ["string"], "presence": "required"}

    snapshot = earlier(folder, change)
    assert sheaf("revision", "Keep stock", "--autogenerate", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert [(step["operation"], step["phase"]) for step in told["operations"]] == [
        ('AddField("products", "stock", 0)', "backfill"),
        ('RemoveField("products", "colour")', "contract"),
    ]
    assert told["operations"][1]["held_back"] == "What it holds would be lost."
    assert told["operations"][1]["documents"] is None
    [revision] = load_revisions(folder).revisions
    assert [key for _, key, _ in revision.steps()] == ["backfill/0"]
    assert "database was at hand" in revision.path.read_text(encoding="utf-8")
    assert snapshot.read_text(encoding="utf-8") == take_snapshot(shop_models()).to_text()
    assert files(folder) == [revision.path.name, "snapshot.json"]

    before = snapshot.stat()
    assert sheaf("revision", "Again", "--autogenerate") == 0
    assert "Nothing was written" in capsys.readouterr().err
    assert files(folder) == [revision.path.name, "snapshot.json"]
    assert snapshot.stat().st_mtime_ns == before.st_mtime_ns


def test_models_that_ask_for_nothing_are_still_noted(sheaf: Sheaf, folder: Path, capsys: Captured) -> None:
    snapshot = earlier(folder, lambda products: products["stock"].update(default=7))
    assert sheaf("revision", "Another default", "--autogenerate") == 0
    assert "No document has to change" in capsys.readouterr().err
    assert files(folder) == ["snapshot.json"]
    assert snapshot.read_text(encoding="utf-8") == take_snapshot(shop_models()).to_text()


def test_a_renaming_is_asked_for(sheaf: Sheaf, folder: Path, capsys: Captured) -> None:
    def change(products: dict[str, Any]) -> None:
        products["in_stock"] = products.pop("stock")

    earlier(folder, change)
    asked = ("revision", "Rename", "--autogenerate", "--rename")
    assert sheaf(*asked, "products.nothing:stock") == 1
    assert "had no field 'nothing'" in capsys.readouterr().err
    for wrong in (
        ("products:stock",),
        ("products.in_stock",),
        ("products.in_stock:a", "--rename", "products.in_stock:b"),
    ):
        assert sheaf(*asked, *wrong) == 2
    assert sheaf("revision", "Rename", "--rename", "products.in_stock:stock") == 2
    assert files(folder) == ["snapshot.json"]
    assert sheaf(*asked, "products.in_stock:stock") == 0
    [revision] = load_revisions(folder).revisions
    assert repr(revision.backfill) == "(RenameField(collection='products', path='in_stock', name='stock'),)"


def test_a_first_snapshot_asks_for_every_index(sheaf: Sheaf, folder: Path) -> None:
    assert sheaf("revision", "Begin", "--autogenerate") == 0
    [revision] = load_revisions(folder).revisions
    assert len(revision.expand) == len(list(revision.steps())) == 9
    assert read_snapshot(folder / "snapshot.json").collections.keys() == {"carts", "customers", "orders", "products"}


def test_what_is_held_back_is_counted(sheaf: Sheaf, folder: Path, database: Stored, capsys: Captured) -> None:
    database["products"].insert_many([{"colour": "red"}, {"colour": None}, {}])
    earlier(folder, lambda products: products.update(colour={"types": ["string"], "presence": "required"}))
    assert sheaf("revision", "Drop colours", "--autogenerate", "--count") == 0
    assert "2 documents have it." in capsys.readouterr().err
    [revision] = load_revisions(folder).revisions
    assert "# Held back: What it holds would be lost. 2 documents have it." in revision.path.read_text(encoding="utf-8")
    assert database.list_collection_names() == ["products"]
    assert len(list(database["products"].list_indexes())) == 1


def test_what_was_written_runs(sheaf: Sheaf, folder: Path, database: Stored) -> None:
    """A field with a unique index gets another name, one becomes a decimal, and a new one has a default."""
    products = database["products"]
    products.insert_many([{"x": 1, "article": f"A{n}", "y": {"z": n}, "price": n} for n in range(3)])
    products.create_index("article", unique=True)
    snapshot = earlier(folder, lambda fields: (fields.update(article=fields.pop("sku")), fields.pop("stock")))
    content = json.loads(snapshot.read_text(encoding="utf-8"))
    content["collections"]["products"]["fields"]["price"]["types"] = ["int"]
    for index in content["collections"]["products"]["indexes"]:
        if index["name"] == "sku_1":
            index.update(name="article_1", keys=[["article", 1]])
    snapshot.write_text(json.dumps(content), encoding="utf-8")

    before = hashes(database)
    assert sheaf("revision", "Say SKU", "--autogenerate", "--rename", "products.article:sku") == 0
    assert sheaf("upgrade") == 0
    assert products.find_one({"sku": "A1"}, {"_id": 0}) == {
        "x": 1,
        "sku": "A1",
        "y": {"z": 1},
        "price": Decimal128("1"),
        "stock": 0,
    }
    assert [index["name"] for index in products.list_indexes()] == ["_id_", "sku_1"]
    assert sheaf("downgrade", "--to", "base") == 0
    assert hashes(database) == before
    assert [index["name"] for index in products.list_indexes()] == ["_id_", "article_1"]
    assert products.index_information()["article_1"]["unique"]


def test_the_wrong_message_writes_nothing(sheaf: Sheaf, folder: Path, capsys: Captured) -> None:
    earlier(folder, lambda products: products.pop("stock"))
    assert sheaf("revision", "x" * 101, "--autogenerate") == 1
    assert "at most 100 characters" in capsys.readouterr().err
    assert files(folder) == ["snapshot.json"]


def test_the_revision_is_not_left_without_its_snapshot(tmp_path: Path) -> None:
    (tmp_path / "snapshot.json").mkdir()  # so that it cannot be put there
    draft = Draft(FIRST, tmp_path / f"{FIRST}_x.py", (), "text", Proposal(), Snapshot())
    with pytest.raises(OSError, match="snapshot"):
        write_draft(draft)
    assert files(tmp_path) == ["snapshot.json"]


def test_a_folder_is_made(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / f"{FIRST}_x.py"
    write_draft(Draft(FIRST, path, (), "text", Proposal(), Snapshot()))
    assert path.read_text(encoding="utf-8") == "text"
    assert read_snapshot(path.with_name("snapshot.json")) == Snapshot()
    write_snapshot(path.with_name("snapshot.json"), Snapshot())


def test_the_sample_goes_forth_and_back(
    sheaf: Sheaf, folder: Path, database: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(SHOP.migrations, folder)
    monkeypatch.setattr(sys, "argv", ["sheaf", "seed"])
    with pytest.raises(SystemExit):
        main()
    count = database["products"].count_documents({})
    before = hashes(database)
    assert count > 0
    assert sheaf("upgrade") == 0
    assert database["products"].count_documents({"attributes.currency": "EUR"}) == count
    assert hashes(database) != before
    assert sheaf("downgrade", "--to", "base") == 0
    assert hashes(database) == before


def hashes(database: Stored) -> dict[str, str]:
    return {
        name: hashlib.sha256(b"".join(raw_batches(database, name))).hexdigest()
        for name in ("carts", "customers", "orders", "products")
    }


def raw_batches(database: Stored, name: str) -> Iterator[bytes]:
    batches: Any = database[name].find_raw_batches({}, sort=[("_id", 1)])  # typed as documents in PyMongo
    yield from batches
