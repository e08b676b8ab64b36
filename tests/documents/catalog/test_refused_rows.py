"""A collection that this user may not read: its row says so, and hides no other."""

from collections.abc import AsyncGenerator

import orjson
import pytest
from bson import ObjectId

from api import render
from documents.catalog.catalog import Catalog
from documents.database.connection import Connection
from documents.database.embedded import EmbeddedMongo

NAMES = ["first", "secret", "third"]


@pytest.fixture
async def reader(mongo: EmbeddedMongo) -> AsyncGenerator[Connection]:
    """Return the connection of a user who may list all collections and read all but one."""
    connection = Connection(mongo.admin_uri, database=f"refused_{ObjectId()}", max_pool_size=2)
    database = connection.database
    for name in NAMES:
        await database[name].insert_one({"_id": 1})
    user = f"reader_{ObjectId()}"
    read = [{"resource": {"db": database.name, "collection": name}, "actions": ["find", "collStats"]}
            for name in ("first", "third", "_sheaf.collections")]  # fmt: skip
    listing = {"resource": {"db": database.name, "collection": ""}, "actions": ["listCollections"]}
    await database.command("createRole", user, privileges=[*read, listing], roles=[])
    await database.command("createUser", user, pwd="pw", roles=[user])
    hosts = ",".join(f"{host}:{port}" for host, port in connection.client.nodes)
    uri = f"mongodb://{user}:pw@{hosts}/?authSource={database.name}"
    opened = Connection(uri, database=database.name, max_pool_size=2)
    yield opened
    await opened.close()
    await database.command("dropUser", user)
    await database.command("dropRole", user)
    await connection.client.drop_database(database.name)
    await connection.close()


async def test_a_row_with_its_problem(reader: Connection) -> None:
    rows = orjson.loads(render.collections(await Catalog(reader, ()).summaries(), 100).body)["items"]
    assert [row["name"] for row in rows] == NAMES
    for row in rows:
        if row["name"] == "secret":
            assert (row["id_type"], row["estimated_count"]) == (None, None)
            assert row["problem"]["code"] != "internal-error"
            assert 400 <= row["problem"]["status"] < 600
        else:
            assert (row["id_type"], row["estimated_count"], "problem" in row) == ("int", 1, False)
