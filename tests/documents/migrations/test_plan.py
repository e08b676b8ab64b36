"""What an upgrade would do is told without writing anything."""

import hashlib
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from bson.raw_bson import RawBSONDocument

from documents.database.connection import RAW_OPTIONS, Connection
from documents.migrations.errors import RevisionEditedError
from documents.migrations.graph import Phase
from documents.migrations.lock import hold_lock
from documents.migrations.plan import OperationPlan, RevisionPlan, plan_upgrade
from documents.migrations.remaining import count_matching
from documents.migrations.runner import upgrade
from tests.documents.migrations.revision_files import FIRST, SECOND, load, write

BACKFILL = (
    'AddField("things", "a", 1), ConvertField("things", "n", BsonType.INT, back=BsonType.STRING),'
    'UpdateDocuments("things", {"_id": {"$gt": 90}}, {"$set": {"high": True}}), AddField("nowhere", "a", 1),'
)


async def fill(connection: Connection) -> None:
    rows = [{"_id": each, "n": "x" if each < 3 else str(each), "twice": each // 2} for each in range(100)]
    await connection.collection("things").insert_many(rows)


async def whole(connection: Connection) -> str:
    """Return a hash of the whole database: every collection, its options, its indexes, its documents."""
    digest = hashlib.sha256()
    async for found in await connection.database.list_collections():
        collection = connection.database.get_collection(found["name"], codec_options=RAW_OPTIONS)
        indexes = await collection.index_information()
        digest.update(repr((found["name"], found["options"], indexes)).encode())
        async for document in collection.find(sort=[("_id", 1)]):
            assert isinstance(document, RawBSONDocument)
            digest.update(document.raw)
    return digest.hexdigest()


def by_key(plan: RevisionPlan) -> dict[str, OperationPlan]:
    return {operation.key: operation for operation in plan.operations}


async def test_it_says_what_would_be_done(connection: Connection, tmp_path: Path) -> None:
    await fill(connection)
    indexes = 'CreateIndex("things", [("n", 1)]), CreateIndex("things", [("twice", 1)], {"unique": True}),'
    write(tmp_path, FIRST, expand=indexes, backfill=BACKFILL, contract='RemoveField("things", "twice"),')
    write(tmp_path, SECOND, [FIRST])
    plan, merge = await plan_upgrade(connection, load(tmp_path))
    assert (plan.state, merge.operations) == ("pending", ())
    found = by_key(plan)
    assert [(each.index, len(each.duplicates)) for key, each in found.items() if key.startswith("expand")] == [
        ("create", 0),
        ("create", 10),
    ]
    add, convert, update, nowhere = (found[f"backfill/{each}"] for each in range(4))
    assert (add.documents, add.size, add.scans, add.is_reversible) == (100, 100, True, True)
    assert (convert.documents, convert.unconvertible) == (97, 3)
    assert (update.documents, update.scans, update.is_reversible) == (9, False, False)
    assert (nowhere.documents, nowhere.size) == (0, 0)
    assert not found["contract/0"].is_reversible
    assert found["contract/0"].notes
    told = orjson.loads(orjson.dumps([plan.to_dict(), merge.to_dict()], default=str))
    assert told[0]["operations"][1]["duplicates"][0]["count"] == 2


@pytest.mark.parametrize("is_migrated", [False, True])
async def test_it_writes_nothing(connection: Connection, tmp_path: Path, *, is_migrated: bool) -> None:
    await fill(connection)
    write(tmp_path, FIRST, expand='CreateIndex("new", [("n", 1)], {"unique": True}),', backfill=BACKFILL)
    if is_migrated:
        async with hold_lock(connection.database, purpose="a test") as lock:
            assert [event async for event in upgrade(connection, load(tmp_path), lock=lock)]
    write(tmp_path, SECOND, [FIRST], backfill=BACKFILL, contract='DropIndex("things", [("n", 1)]),')
    before = await whole(connection)
    assert len(await plan_upgrade(connection, load(tmp_path))) == (1 if is_migrated else 2)
    assert await whole(connection) == before


async def test_only_what_is_left_is_planned(connection: Connection, tmp_path: Path) -> None:
    await fill(connection)
    write(tmp_path, FIRST, backfill='AddField("things", "a", 1),', contract='RemoveField("things", "twice"),')
    async with hold_lock(connection.database, purpose="a test") as lock:
        assert [event async for event in upgrade(connection, load(tmp_path), lock=lock, phase=Phase.BACKFILL)]
    [plan] = await plan_upgrade(connection, load(tmp_path))
    assert (plan.state, list(by_key(plan))) == ("backfilled", ["contract/0"])
    assert await plan_upgrade(connection, load(tmp_path), phase=Phase.BACKFILL) == []
    path = load(tmp_path)[FIRST].path
    path.write_text(path.read_text() + "# edited\n")
    with pytest.raises(RevisionEditedError):
        await plan_upgrade(connection, load(tmp_path))


async def test_what_takes_too_long_is_not_counted(
    connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(connection)
    write(tmp_path, FIRST, backfill='AddField("things", "a", 1),')

    async def give_up(*_: object, **__: object) -> Any:
        return None

    assert await count_matching(connection, "things", {}, seconds=0) is None
    monkeypatch.setattr("documents.migrations.plan.count_matching", give_up)
    [plan] = await plan_upgrade(connection, load(tmp_path), patience=timedelta(seconds=5))
    assert by_key(plan)["backfill/0"].documents is None


@pytest.mark.parametrize(
    ("before", "wanted", "action"),
    [
        ({}, {}, "keep"),
        ({"expireAfterSeconds": 90}, {"expireAfterSeconds": 9}, "modify"),
        ({"sparse": True}, {}, "blocked"),
    ],
)
async def test_what_becomes_of_an_index(
    connection: Connection, tmp_path: Path, before: dict[str, Any], wanted: dict[str, Any], action: str
) -> None:
    await connection.collection("things").create_index([("n", 1)], **before)
    write(tmp_path, FIRST, expand=f'CreateIndex("things", [("n", 1)], {wanted}),')
    [plan] = await plan_upgrade(connection, load(tmp_path))
    assert by_key(plan)["expand/0"].index == action
