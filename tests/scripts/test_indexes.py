"""`sheaf indexes`, as it is typed."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from bson import ObjectId
from pymongo import AsyncMongoClient, MongoClient
from pymongo.database import Database as SyncDatabase
from typer.testing import CliRunner, Result

from documents.database.embedded import EmbeddedMongo
from documents.indexes.build import read_progress
from documents.migrations.lock import hold_lock, read_holder
from scripts.cli import app
from scripts.commands import indexes
from tests.faults import GROUP, failing_mongo

__all__ = ["failing_mongo"]

SHEAF: Final = Path(sys.executable).with_name("sheaf")
Database = SyncDatabase[dict[str, Any]]


@pytest.fixture
def database(mongo_uri: str) -> Iterator[Database]:
    with MongoClient[dict[str, Any]](mongo_uri) as client:
        name = f"cli_{ObjectId()}"
        yield client[name]
        client.drop_database(name)


@pytest.fixture
def sheaf(database: Database, mongo_uri: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> "Sheaf":
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("SHEAF_MONGODB_URI", mongo_uri)
    monkeypatch.setenv("SHEAF_DATABASE", database.name)
    return Sheaf()


class Sheaf:
    """Calls the command inside this process."""

    def __call__(self, *words: str, code: int = 0, answer: str | None = None) -> Result:
        result = CliRunner().invoke(app, ["indexes", *words], input=answer)
        assert result.exit_code == code, (result.output, result.exception)
        return result


def names(database: Database, collection: str) -> set[str]:
    return set(database[collection].index_information()) - {"_id_"}


def test_from_nothing_to_all_is_there(sheaf: Sheaf, database: Database) -> None:
    assert "price_1__id_1" in sheaf("plan").stdout
    checked = sheaf("check", code=2)
    assert "To mend it: sheaf indexes apply" in checked.stderr
    sheaf("apply", "--dry-run")
    assert names(database, "products") == set()
    assert "products: create sku_1, search, price_1__id_1, tags_1__id_1: done" in sheaf("apply").stderr
    assert "Every declared index is there." in sheaf("check").stderr
    assert "Every declared index is there." in sheaf("apply").stderr
    assert names(database, "products") == {"sku_1", "search", "price_1__id_1", "tags_1__id_1"}


def test_one_collection(sheaf: Sheaf, database: Database) -> None:
    sheaf("apply", "--collection", "carts")
    assert (names(database, "carts"), names(database, "orders")) == ({"expires_at_1"}, set())
    sheaf("check", "-c", "carts")
    assert "indexes apply --collection orders" in sheaf("check", "-c", "orders", code=2).stderr


def test_json(sheaf: Sheaf) -> None:
    planned = json.loads(sheaf("plan", "--json", "-c", "carts").stdout)
    assert planned["carts"]["changes"][0]["declared"] == {
        "name": "expires_at_1", "keys": {"expires_at": 1}, "expireAfterSeconds": 0,
    }  # fmt: skip
    assert json.loads(sheaf("check", "--json", "-c", "carts", code=2).stdout) == planned
    events = json.loads(sheaf("apply", "--json", "-c", "carts").stdout)
    assert [(event["collection"], event["state"]) for event in events] == [("carts", "started"), ("carts", "done")]
    assert json.loads(sheaf("advise", "--json", "-c", "carts").stdout) == {"carts": []}


def test_what_could_hurt_is_named(sheaf: Sheaf, database: Database) -> None:
    database["carts"].create_index("expires_at", expireAfterSeconds=90)
    database["products"].create_index([("price", 1), ("_id", 1)], sparse=True)
    sheaf("apply", code=2)
    checked = sheaf("check", code=2)
    command = "sheaf indexes apply --shorten-ttl carts.expires_at_1 --rebuild products.price_1__id_1"
    assert command in checked.stderr
    assert "expireAfterSeconds: 90 -> 0" in checked.stdout
    sheaf(*command.split()[2:])
    sheaf("check")
    assert database["carts"].index_information()["expires_at_1"]["expireAfterSeconds"] == 0


@pytest.mark.parametrize(("answer", "code", "expiry"), [("y\n", 0, 0), ("n\n", 2, 90)])
def test_lowering_a_ttl_asks(
    sheaf: Sheaf, database: Database, monkeypatch: pytest.MonkeyPatch, *, answer: str, code: int, expiry: int
) -> None:
    database["carts"].create_index("expires_at", expireAfterSeconds=90)
    monkeypatch.setattr(indexes, "is_asked", lambda: True)
    result = sheaf("apply", "-c", "carts", code=code, answer=answer)
    assert "delete documents after 0 s, until now after 90 s?" in result.stderr
    assert database["carts"].index_information()["expires_at_1"]["expireAfterSeconds"] == expiry


def test_undeclared_ones(sheaf: Sheaf, database: Database) -> None:
    database["notes"].create_index("a")
    database["products"].create_index("tmp")
    assert "tmp_1" in sheaf("plan").stdout
    assert "tmp_1" not in sheaf("plan", "--ignore", "tmp_*").stdout
    sheaf("apply", "--hide", "notes.a_1")
    assert database["notes"].index_information()["a_1"]["hidden"]
    sheaf("apply", "--unhide", "notes.a_1")
    assert "hidden" not in database["notes"].index_information()["a_1"]
    sheaf("apply", "--drop", "notes.a_1", "--drop", "products.tmp_1")
    assert names(database, "notes") == set()
    assert "tmp_1" not in names(database, "products")


def test_unknown_names(sheaf: Sheaf, database: Database) -> None:
    sheaf("apply", "-c", "products")
    refused = sheaf("apply", "--drop", "products.nope", "--rebuild", "products.sku", code=1)
    assert "products: There is no index 'nope' here. There are: none." in str(refused.exception)
    assert "There are: price_1__id_1, search, sku_1, tags_1__id_1." in str(refused.exception)
    assert "is declared" in str(sheaf("apply", "--drop", "products.sku_1", code=1).exception)
    assert "There is no collection 'x'. There are: carts" in str(sheaf("plan", "-c", "x", code=1).exception)
    assert "--drop takes a collection and an index" in sheaf("apply", "--drop", "products", code=2).stderr
    assert names(database, "products") == {"sku_1", "search", "price_1__id_1", "tags_1__id_1"}


def test_duplicates_are_listed(sheaf: Sheaf, database: Database) -> None:
    database["products"].insert_many([{"_id": number, "sku": "A" if number < 3 else "B"} for number in range(4)])
    failed = sheaf("apply", code=1)
    assert "products.sku_1: equal values" in failed.stdout
    assert '{"sku": "A"}' in failed.stdout
    assert "│ 3 " in failed.stdout
    assert names(database, "products") == set()
    assert names(database, "orders"), "the other collections have theirs"
    [event] = [event for event in json.loads(sheaf("apply", "--json", code=1).stdout) if event["state"] == "failed"]
    [group] = event["groups"]["sku_1"]
    assert (group["key"], group["count"], sorted(group["ids"])) == ({"sku": "A"}, 3, [0, 1, 2])


def test_production_wants_yes(sheaf: Sheaf, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHEAF_ENVIRONMENT", "production")
    sheaf("plan")
    assert "Add --yes" in str(sheaf("apply", code=1).exception)
    assert names(database, "products") == set()
    sheaf("apply", "--yes")


async def test_the_lock_is_shared(sheaf: Sheaf, database: Database, mongo_uri: str) -> None:
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(mongo_uri)
    async with hold_lock(client[database.name], purpose="a test"):
        refused = await asyncio.to_thread(sheaf, "apply", code=4)
    assert "a test" in refused.stderr
    await asyncio.to_thread(sheaf, "apply")
    await client.close()


def test_advice(sheaf: Sheaf, database: Database) -> None:
    database["notes"].insert_many([{"n": number} for number in range(1000)])
    database["notes"].create_index("unused")
    now = datetime.now(UTC) - timedelta(days=1)
    database["_sheaf.query_shapes"].insert_one(
        {"collection": "notes", "equality": ["city"], "range": [], "sort": [["at", -1]],
         "count": 70, "slow": 2, "seconds": 1.0, "since": now, "last": now}
    )  # fmt: skip
    said = sheaf("advise", "-c", "notes").stdout
    assert "notes: city_1_at_-1 is missing" in said
    assert "70 queries since" in said
    assert 'IndexModel([("city", 1), ("at", -1)]),' in said
    assert 'PUT /v1/notes:indexes {"indexes": [{"keys": {"city": 1, "at": -1}}]}' in said
    assert "notes: unused_1 is too young to tell" in said
    assert "sheaf indexes apply --hide notes.unused_1" in sheaf("advise", "-c", "notes", "--min-age", "0").stdout
    database["_sheaf.query_shapes"].update_one({}, {"$set": {"slow": 0}})
    assert "is missing" not in sheaf("advise", "-c", "notes", "--min-count", "71").stdout


@pytest.mark.xdist_group(GROUP)
@pytest.mark.parametrize(("ending", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
async def test_a_signal_ends_the_build_in_mongodb(
    failing_mongo: EmbeddedMongo, tmp_path: Path, ending: signal.Signals, code: int
) -> None:
    name = f"cli_{ObjectId()}"
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(failing_mongo.admin_uri)
    products = client[name]["products"]
    await products.insert_one({"sku": "A"})
    point = "hangAfterStartingIndexBuild"
    await client.admin.command("configureFailPoint", point, mode="alwaysOn")
    environ = {**os.environ, "SHEAF_MONGODB_URI": failing_mongo.uri, "SHEAF_DATABASE": name}
    command = [SHEAF, "indexes", "apply", "-c", "products"]
    process = subprocess.Popen(  # noqa: ASYNC220  # nothing else is to be done meanwhile
        command, cwd=tmp_path, env=environ, stderr=subprocess.PIPE, text=True
    )
    try:
        until = time.monotonic() + 60
        while await read_progress(products) is None and time.monotonic() < until:  # noqa: ASYNC110  # MongoDB offers no event for this
            await asyncio.sleep(0.05)
        process.send_signal(ending)
        _, said = await asyncio.to_thread(process.communicate, timeout=60)
    finally:
        await client.admin.command("configureFailPoint", point, mode="off")
        process.kill()
    assert process.returncode == code, said
    assert "was aborted in MongoDB" in said
    assert await read_holder(client[name]) is None
    assert set(await products.index_information()) == {"_id_"}
    await client.drop_database(name)
    await client.close()
