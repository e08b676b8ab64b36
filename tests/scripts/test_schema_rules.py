"""`sheaf schema promote` of a collection with a contract, and what migrations find afterwards."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bson import ObjectId
from pymongo import MongoClient
from pymongo.database import Database as SyncDatabase

from documents.contracts.contract import parse_contract
from documents.lifecycle import open_store
from documents.settings import load_settings
from tests.scripts.typed import Typed, start

Database = SyncDatabase[dict[str, Any]]
SCHEMA: dict[str, Any] = {
    "properties": {
        "colour": {"enum": ["red", "green"]},
        "price": {"bsonType": "int", "minimum": 1, "maximum": 99, "multipleOf": 1},
        "sku": {"type": "string", "pattern": "^[A-Z]+$", "maxLength": 8},
        "note": {"type": "string", "minLength": 2},
        "lines": {"type": "array", "minItems": 1, "items": {"properties": {"n": {"bsonType": "int", "minimum": 0}}}},
    },
    "required": ["colour", "price"],
}


@pytest.fixture
def database(mongo_uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    name = f"rules_{ObjectId()}"
    (tmp_path / "sheaf.toml").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SHEAF_PROJECT", str(tmp_path))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.setenv("SHEAF_MONGODB_URI", mongo_uri)
    monkeypatch.setenv("SHEAF_DATABASE", name)
    with MongoClient[dict[str, Any]](mongo_uri) as client:
        found = client[name]
        found["things"].insert_one(
            {"colour": "red", "price": 5, "sku": "TEA", "lines": [{"n": 1}]},
        )
        asyncio.run(set_contract())
        yield found
        client.drop_database(name)


async def set_contract() -> None:
    async with open_store(load_settings(), prepares=False) as store:
        await store.catalog.contracts.write(
            "things", parse_contract({"schema": SCHEMA}), by="test", check=lambda _: None
        )


def test_rules_are_in_the_model_and_changes_are_found(
    database: Database, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert database.name
    sheaf = Typed(monkeypatch, capsys)
    _, messages = sheaf("schema", "promote", "things")
    [model] = Path("models").glob("*.py")
    source = model.read_text()
    assert 'colour: Literal["red", "green"]\n' in source
    assert "price: int = Field(ge=1, le=99)\n" in source
    assert 'sku: str = Field(max_length=8, pattern="^[A-Z]+$")\n' in source
    assert "lines: list[Line] = Field(min_length=1)\n" in source
    assert "n: int = Field(ge=0)\n" in source
    assert "does not say: note: minLength; price: multipleOf." in messages
    assert '"things"' in Path("migrations/snapshot.json").read_text()
    assert "Nothing was written" in sheaf("migrate", "revision", "--autogenerate", "none")[1]

    changed = source.replace("price: int", "cost: int").replace(
        "sku: str = Field(max_length=8, pattern=", "sku: int = Field(title="
    )
    model.write_text(changed)
    finding = start("migrate", "revision", "change", "--autogenerate", "--rename", "things.price:cost")
    finding.communicate(timeout=60)
    assert finding.returncode == 0
    [revision] = [file.read_text() for file in Path("migrations").glob("*.py")]
    assert "price" in revision
    assert "cost" in revision
    assert "sku" in revision
