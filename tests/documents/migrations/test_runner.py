"""Revisions run, are interrupted, go on, and are taken back, on a real MongoDB."""

import asyncio
import hashlib
from contextlib import aclosing
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from bson.raw_bson import RawBSONDocument
from pymongo import IndexModel

from documents.database.connection import Connection
from documents.errors import DuplicateValuesError, IndexConflictError
from documents.migrations import steps as steps_module
from documents.migrations.errors import (
    DocumentFailedError,
    DocumentsRemainError,
    IndexBlockedError,
    LockHeldError,
    LockLostError,
    MigrationError,
    NotReversibleError,
    OperationEditedError,
    RevisionEditedError,
    RevisionMissingError,
    RevisionUnfinishedError,
    SeveralHeadsError,
    UnknownRevisionError,
)
from documents.migrations.events import EventState, MigrationEvent
from documents.migrations.graph import Phase
from documents.migrations.lock import break_lock, hold_lock
from documents.migrations.records import Record, RecordState, read_records
from documents.migrations.runner import downgrade, resume, upgrade
from documents.migrations.stamps import accept_edits, forget_revisions, stamp
from documents.migrations.state import MigrationState, read_state
from tests.documents.migrations.revision_files import FIRST, FOURTH, SECOND, THIRD, load, write

pytestmark = pytest.mark.slow

ADD: Final = 'AddField("things", "a", 1),'
RENAME: Final = 'RenameField("things", "colour", "color"),'
REMOVE: Final = 'RemoveField("things", "old"),'
COUNT: Final = (
    'UpdateDocuments("things", {}, {"$inc": {"times": 1}}, back=({"times": {"$gt": 0}}, {"$inc": {"times": -1}})),'
)
INDEX: Final = 'CreateIndex("things", [("n", 1)]),'
SIZE: Final = 120


async def fill(connection: Connection) -> None:
    rows = [
        {"_id": each, "colour": f"c{each}", "n": each, "old": each % 3, "more": {"x": each}} for each in range(SIZE)
    ]
    await connection.collection("things").insert_many(rows)


async def up(connection: Connection, folder: Path, **options: Any) -> list[MigrationEvent]:
    async with hold_lock(connection.database, purpose="a test") as lock:
        return [event async for event in upgrade(connection, load(folder), lock=lock, **options)]


async def down(connection: Connection, folder: Path, to: str) -> list[MigrationEvent]:
    async with hold_lock(connection.database, purpose="a test") as lock:
        return [event async for event in downgrade(connection, load(folder), lock=lock, to=to)]


async def go_on(connection: Connection, folder: Path) -> list[MigrationEvent]:
    async with hold_lock(connection.database, purpose="a test") as lock:
        return [event async for event in resume(connection, load(folder), lock=lock)]


async def state(connection: Connection, folder: Path) -> MigrationState:
    return await read_state(connection, load(folder))


async def record(connection: Connection, revision: str = FIRST) -> Record:
    return (await read_records(connection.database))[revision]


async def content(connection: Connection) -> str:
    """Return a hash of every byte of every document of the collection, and of its indexes."""
    digest = hashlib.sha256()
    async for document in connection.raw_collection("things").find(sort={"_id": 1}):
        assert isinstance(document, RawBSONDocument)
        digest.update(document.raw)
    digest.update(repr(sorted((await connection.collection("things").index_information()).items())).encode())
    return digest.hexdigest()


async def find(connection: Connection, **where: Any) -> int:
    return await connection.collection("things").count_documents(where)


async def test_an_upgrade_runs_what_is_pending_and_records_it(connection: Connection, tmp_path: Path) -> None:
    await fill(connection)
    write(tmp_path, FIRST, expand=INDEX, backfill=ADD + RENAME, contract=REMOVE)
    write(tmp_path, SECOND, [FIRST], backfill='AddField("things", "b", {"$literal": [1]}),')
    events = await up(connection, tmp_path)
    assert [(event.revision.id, event.key) for event in events if event.state is EventState.DONE] == [
        (FIRST, "expand/0"),
        (FIRST, "backfill/0"),
        (FIRST, "backfill/1"),
        (FIRST, "contract/0"),
        (FIRST, None),
        (SECOND, "backfill/0"),
        (SECOND, None),
    ]
    assert all(event.to_dict()["revision"] == event.revision.id for event in events)
    assert await find(connection, a=1, color={"$exists": True}, old={"$exists": False}) == SIZE
    found = await record(connection)
    assert (found.state, found.phase, found.error, found.is_stamped) == (
        RecordState.APPLIED,
        Phase.CONTRACT,
        None,
        False,
    )
    assert found.counts["backfill/0"] == {"matched": SIZE, "modified": SIZE, "had_it": False, "is_done": True}
    assert found.counts["expand/0"]["action"] == "create"
    assert found.checksum == load(tmp_path)[FIRST].checksum
    assert found.finished is not None
    assert found.started <= found.finished
    assert found.to_dict()["duration_ms"] == found.duration_ms
    assert (await state(connection, tmp_path)).is_current
    assert (await state(connection, tmp_path)).current == (SECOND,)
    assert await up(connection, tmp_path) == []


async def test_what_can_be_taken_back_gives_the_same_bytes(connection: Connection, tmp_path: Path) -> None:
    await fill(connection)
    things = connection.collection("things")
    await things.create_indexes([IndexModel([("old", 1)], name="by_old", expireAfterSeconds=10**8)])
    await things.create_indexes([IndexModel([("more.x", -1)], name="by_x", unique=True, sparse=True)])
    before = await content(connection)
    convert = 'ConvertField("things", "n", BsonType.LONG, back=BsonType.INT),'
    write(tmp_path, FIRST, expand=INDEX, backfill=ADD + RENAME + COUNT.replace("times", "n"))
    write(tmp_path, SECOND, [FIRST], backfill=convert + 'RenameField("things", "more.x", "y"),')
    drop = 'DropIndex("things", [("more.x", -1)]),'
    change = 'CreateIndex("things", [("old", 1)], {"expireAfterSeconds": 10**9, "hidden": True}),'
    write(tmp_path, THIRD, [SECOND], expand=change + INDEX, contract=drop)
    for _ in range(2):
        await up(connection, tmp_path)
        assert await content(connection) != before
        information = await things.index_information()
        assert (set(information), information["by_old"]["hidden"]) == ({"_id_", "by_old", "n_1"}, True)
        await down(connection, tmp_path, "-1")
        assert (await state(connection, tmp_path)).current == (SECOND,)
        assert "n_1" in await things.index_information(), "another revision made it"
        await down(connection, tmp_path, "base")
        assert await content(connection) == before
        assert await read_records(connection.database) == {}
        assert await connection.collection("_sheaf.checkpoints").count_documents({}) == 0


async def test_one_works_and_the_other_is_told_who(connection: Connection, tmp_path: Path) -> None:
    await fill(connection)
    write(tmp_path, FIRST, backfill=COUNT)
    async with hold_lock(connection.database, purpose="the first") as lock:
        events = upgrade(connection, load(tmp_path), lock=lock)
        async with aclosing(events):
            await anext(events)
            with pytest.raises(LockHeldError, match="the first"):
                await up(connection, tmp_path)
    assert await find(connection, times={"$exists": True}) == 0


async def test_one_works_and_the_other_waits_and_finds_nothing_to_do(connection: Connection, tmp_path: Path) -> None:
    await fill(connection)
    write(tmp_path, FIRST, backfill=COUNT)

    async def run() -> int:
        async with hold_lock(connection.database, purpose="one of two", wait=timedelta(seconds=30)) as lock:
            return len([event async for event in upgrade(connection, load(tmp_path), lock=lock)])

    events = await asyncio.gather(run(), run())
    assert min(events) == 0
    assert await find(connection, times=1) == SIZE


async def test_a_failure_is_recorded_and_gone_on_with(connection: Connection, tmp_path: Path) -> None:
    await fill(connection)
    await connection.database.command(
        "collMod", "things", validator={"$nor": [{"_id": 70, "times": {"$exists": True}}]}
    )
    write(tmp_path, FIRST, expand=INDEX, backfill=ADD + COUNT, contract=REMOVE)
    with pytest.raises(DocumentFailedError, match="70"):
        await up(connection, tmp_path, batch_size=25)
    found = await record(connection)
    assert (found.state, found.phase) == (RecordState.FAILED, Phase.BACKFILL)
    assert found.error is not None
    assert found.error.startswith("DocumentFailedError: ")
    assert found.counts["backfill/0"]["is_done"]
    assert await find(connection, times=1) == 70
    now = await state(connection, tmp_path)
    assert [word for word, _, _ in now.troubles()] == ["failed"]
    await connection.database.command("collMod", "things", validator={})
    await go_on(connection, tmp_path)
    assert await find(connection, times=1, a=1, old={"$exists": False}) == SIZE
    done = await record(connection)
    assert (done.state, done.error, done.started) == (RecordState.APPLIED, None, found.started)
    assert await go_on(connection, tmp_path) == []


async def test_one_that_was_left_in_the_middle_is_gone_on_with_up_to_where_it_was_meant(
    connection: Connection, tmp_path: Path
) -> None:
    await fill(connection)
    write(tmp_path, FIRST, backfill=COUNT, contract=REMOVE)
    write(tmp_path, SECOND, [FIRST], backfill=ADD)
    async with hold_lock(connection.database, purpose="left") as lock:
        events = upgrade(connection, load(tmp_path), lock=lock, phase=Phase.BACKFILL, batch_size=10)
        async for event in events:
            if event.state is EventState.PROGRESS and event.to_dict()["report"]["done"] >= 30:
                assert [each.id for each in (await state(connection, tmp_path)).running] == [FIRST]
                break
        await events.aclose()
    now = await state(connection, tmp_path)
    assert [(word, mend) for word, _, mend in now.troubles()] == [
        ("interrupted", "sheaf migrate resume"),
        ("pending", "sheaf migrate upgrade"),
    ]
    await go_on(connection, tmp_path)
    assert await find(connection, times=1, old={"$exists": True}, a={"$exists": False}) == SIZE
    assert (await record(connection)).state is RecordState.BACKFILLED
    await up(connection, tmp_path)
    assert await find(connection, times=1, old={"$exists": False}, a=1) == SIZE


async def test_who_has_lost_the_lock_writes_nothing(connection: Connection, tmp_path: Path) -> None:
    await fill(connection)
    write(tmp_path, FIRST, backfill=COUNT)

    async def run_and_lose() -> None:
        async with hold_lock(connection.database, purpose="slow") as lock:
            async for event in upgrade(connection, load(tmp_path), lock=lock, batch_size=10):
                if event.state is EventState.PROGRESS:
                    await break_lock(connection.database)

    with pytest.raises(LockLostError):
        await run_and_lose()
    assert (await record(connection)).state is RecordState.BACKFILLING
    await up(connection, tmp_path)
    assert await find(connection, times=1) == SIZE


async def test_phase_by_phase(connection: Connection, tmp_path: Path) -> None:
    await fill(connection)
    write(tmp_path, FIRST, expand=INDEX, backfill=RENAME, contract=REMOVE)
    write(tmp_path, SECOND, [FIRST], backfill=ADD)
    await up(connection, tmp_path, phase=Phase.EXPAND)
    assert (await record(connection)).state is RecordState.EXPANDED
    assert SECOND not in await read_records(connection.database), "it has nothing to expand"
    assert await up(connection, tmp_path, phase=Phase.EXPAND) == []
    assert await find(connection, colour={"$exists": True}) == SIZE
    await up(connection, tmp_path, phase=Phase.BACKFILL)
    assert (await record(connection)).state is RecordState.BACKFILLED
    assert (await record(connection, SECOND)).state is RecordState.APPLIED
    assert [word for word, _, _ in (await state(connection, tmp_path)).troubles()] == ["backfilled"]
    await up(connection, tmp_path)
    assert (await record(connection)).state is RecordState.APPLIED


async def test_contracting_waits_until_nothing_is_as_before(connection: Connection, tmp_path: Path) -> None:
    await fill(connection)
    write(tmp_path, FIRST, backfill=RENAME, contract=REMOVE)
    await up(connection, tmp_path, phase=Phase.BACKFILL)
    await connection.collection("things").insert_many([{"_id": "late", "colour": "red"}, {"_id": 0.5, "colour": 1}])
    before = await content(connection)
    for _ in range(2):
        with pytest.raises(DocumentsRemainError, match=r"2 documents of things .*rename colour.*--phase backfill"):
            await up(connection, tmp_path)
    assert await content(connection) == before
    assert (await record(connection)).state is RecordState.BACKFILLED
    await up(connection, tmp_path, phase=Phase.BACKFILL)
    assert (await record(connection)).counts["backfill/0/sweep"] == {"matched": 2, "modified": 2}
    assert await find(connection, color={"$exists": True}) == SIZE + 2
    await connection.collection("things").insert_one({"_id": "both", "colour": "red", "color": "red"})
    await up(connection, tmp_path, phase=Phase.BACKFILL)
    with pytest.raises(DocumentsRemainError, match="1 document of things still waits"):
        await up(connection, tmp_path)
    await connection.collection("things").delete_one({"_id": "both"})
    await up(connection, tmp_path)
    assert (await record(connection)).state is RecordState.APPLIED


async def test_what_must_not_be_done_twice_is_not_swept(connection: Connection, tmp_path: Path) -> None:
    await fill(connection)
    write(tmp_path, FIRST, backfill=COUNT, contract=REMOVE)
    for _ in range(3):
        await up(connection, tmp_path, phase=Phase.BACKFILL)
    assert await find(connection, times=1) == SIZE


async def test_an_edited_file_is_named_and_nothing_runs(connection: Connection, tmp_path: Path) -> None:
    await fill(connection)
    path = write(tmp_path, FIRST, backfill=ADD)
    await up(connection, tmp_path)
    write(tmp_path, FIRST, backfill=ADD + COUNT)
    write(tmp_path, SECOND, [FIRST], backfill=COUNT)
    for run in (up(connection, tmp_path), go_on(connection, tmp_path), down(connection, tmp_path, "-1")):
        with pytest.raises(RevisionEditedError, match=f"--accept {FIRST}") as caught:
            await run
        assert str(path) in caught.value.detail
    assert await find(connection, times={"$exists": True}) == 0
    assert [word for word, _, _ in (await state(connection, tmp_path)).troubles()] == ["edited", "pending"]
    async with hold_lock(connection.database, purpose="stamp") as lock:
        assert await accept_edits(connection, load(tmp_path), [FIRST[:4]], lock=lock) == [FIRST]
        assert await accept_edits(connection, load(tmp_path), [FIRST], lock=lock) == []
    await up(connection, tmp_path)
    assert await find(connection, times=1) == SIZE


async def test_white_space_is_no_edit(connection: Connection, tmp_path: Path) -> None:
    path = write(tmp_path, FIRST, backfill=ADD)
    await up(connection, tmp_path)
    path.write_bytes(path.read_bytes().replace(b"\n", b" \r\n") + b"\r\n")
    assert (await state(connection, tmp_path)).is_current


async def test_a_file_that_is_gone_is_named_and_nothing_runs_again(connection: Connection, tmp_path: Path) -> None:
    await fill(connection)
    path = write(tmp_path, FIRST, backfill=COUNT)
    await up(connection, tmp_path)
    path.rename(tmp_path / "gone")
    write(tmp_path, SECOND, backfill=COUNT)
    for run in (up(connection, tmp_path), go_on(connection, tmp_path), down(connection, tmp_path, "base")):
        with pytest.raises(RevisionMissingError, match=f"--forget {FIRST}") as caught:
            await run
        assert path.name in caught.value.detail
    assert await find(connection, times=1) == SIZE
    async with hold_lock(connection.database, purpose="stamp") as lock:
        assert await forget_revisions(connection, [FIRST], lock=lock) == [FIRST]
        with pytest.raises(UnknownRevisionError, match=FIRST):
            await forget_revisions(connection, [FIRST], lock=lock)
    await up(connection, tmp_path)
    assert await find(connection, times=2) == SIZE


async def test_a_renamed_file_is_the_same_revision(connection: Connection, tmp_path: Path) -> None:
    path = write(tmp_path, FIRST, backfill=COUNT)
    await up(connection, tmp_path)
    path.rename(tmp_path / f"{FIRST}_other_words.py")
    assert await up(connection, tmp_path) == []


async def test_branches_and_their_merge(connection: Connection, tmp_path: Path) -> None:
    await fill(connection)
    write(tmp_path, FIRST, backfill=COUNT)
    write(tmp_path, THIRD, [FIRST], backfill=ADD)
    await up(connection, tmp_path)
    write(tmp_path, SECOND, [FIRST], backfill=COUNT)
    with pytest.raises(SeveralHeadsError, match="merge"):
        await up(connection, tmp_path)
    assert await find(connection, times=1) == SIZE
    await up(connection, tmp_path, to=SECOND[:3])
    assert await find(connection, times=2) == SIZE, "one that comes late is run all the same"
    with pytest.raises(SeveralHeadsError):
        await down(connection, tmp_path, "-1")
    write(tmp_path, FOURTH, [SECOND, THIRD])
    await up(connection, tmp_path)
    now = await state(connection, tmp_path)
    assert (now.current, now.is_current) == ((FOURTH,), True)
    with pytest.raises(SeveralHeadsError):
        await down(connection, tmp_path, "-2")
    await down(connection, tmp_path, SECOND)
    assert (await state(connection, tmp_path)).current == (SECOND, THIRD)
    await down(connection, tmp_path, FIRST)
    assert await find(connection, times=1, a={"$exists": False}) == SIZE
    with pytest.raises(UnknownRevisionError, match="not applied"):
        await down(connection, tmp_path, SECOND)


@pytest.mark.parametrize(
    ("phases", "reason"),
    [
        ({"contract": REMOVE}, "contract/0, things: remove old: it has no way back"),
        ({"backfill": 'UpdateDocuments("things", {"n": 1}, {"$set": {"n": 2}}),'}, "update documents"),
        ({"backfill": 'ConvertField("things", "n", BsonType.STRING),'}, "convert n to string"),
        ({"backfill": 'RewriteDocuments("things", {"n": 1}, same),', "more": "def same(d): return d"}, "with same"),
        ({"backfill": 'AddField("things", "old", 7),'}, "had the field before"),
    ],
)
async def test_what_cannot_be_taken_back_is_refused_before_anything_is(
    connection: Connection, tmp_path: Path, phases: dict[str, str], reason: str
) -> None:
    await fill(connection)
    write(tmp_path, FIRST, **phases)
    write(tmp_path, SECOND, [FIRST], backfill=COUNT)
    await up(connection, tmp_path)
    before = await content(connection)
    with pytest.raises(NotReversibleError, match=reason):
        await down(connection, tmp_path, "base")
    assert await content(connection) == before
    assert (await state(connection, tmp_path)).is_current
    await down(connection, tmp_path, "-1")
    assert await find(connection, times=0) == SIZE


async def test_what_failed_half_way_can_be_taken_back(connection: Connection, tmp_path: Path) -> None:
    await fill(connection)
    before = await content(connection)
    await connection.database.command(
        "collMod", "things", validator={"$nor": [{"_id": 70, "color": {"$exists": True}}]}
    )
    write(tmp_path, FIRST, expand=INDEX, backfill=ADD + RENAME + COUNT, contract=REMOVE)
    with pytest.raises(DocumentFailedError):
        await up(connection, tmp_path, batch_size=20)
    await down(connection, tmp_path, "base")
    assert await content(connection) == before
    assert await read_records(connection.database) == {}


async def test_the_second_error_does_not_hide_the_first(connection: Connection, tmp_path: Path) -> None:
    await fill(connection)
    validator = {"$nor": [{"_id": 70, "color": {"$exists": True}}]}
    await connection.database.command("collMod", "things", validator=validator)
    write(tmp_path, FIRST, backfill=ADD + RENAME)
    with pytest.raises(DocumentFailedError):
        await up(connection, tmp_path, batch_size=20)
    await connection.database.command("collMod", "things", validator={"$or": [{"_id": {"$ne": 5}}, {"a": 1}]})
    with pytest.raises(DocumentFailedError):
        await down(connection, tmp_path, "base")
    found = await record(connection)
    assert found.error is not None
    assert found.rollback_error is not None
    assert "70" in found.error
    assert "with _id 5 " in found.rollback_error
    with pytest.raises(RevisionUnfinishedError, match="resume"):
        await up(connection, tmp_path)
    await connection.database.command("collMod", "things", validator={})
    await go_on(connection, tmp_path)
    assert await read_records(connection.database) == {}
    assert await find(connection, a={"$exists": False}, color={"$exists": False}) == SIZE


async def test_a_failure_that_cannot_be_recorded_is_told_all_the_same(
    connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(connection)
    write(tmp_path, FIRST, backfill=ADD)

    async def fail(*_: object, **__: object) -> None:
        monkeypatch.setattr("documents.migrations.journal.save_record", refuse)
        raise DocumentFailedError("things", 1, "first")

    async def refuse(*_: object, **__: object) -> None:
        raise MigrationError("second")

    monkeypatch.setattr(steps_module, "find_first", fail)
    with pytest.raises(DocumentFailedError, match="first") as caught:
        await up(connection, tmp_path)
    assert "second" in caught.value.__notes__[0]


async def test_a_unique_index_that_values_stand_in_the_way_of(connection: Connection, tmp_path: Path) -> None:
    await fill(connection)
    write(tmp_path, FIRST, expand='CreateIndex("things", [("old", 1)], {"unique": True}),', backfill=ADD)
    with pytest.raises(DuplicateValuesError):
        await up(connection, tmp_path)
    assert (await record(connection)).state is RecordState.FAILED
    assert await find(connection, a=1) == 0
    await down(connection, tmp_path, "-1")
    assert set(await connection.collection("things").index_information()) == {"_id_"}


async def test_an_index_that_would_have_to_be_built_anew(connection: Connection, tmp_path: Path) -> None:
    await connection.collection("things").create_index([("n", 1)], sparse=True, name="mine")
    write(tmp_path, FIRST, expand=INDEX)
    with pytest.raises(IndexBlockedError, match="DropIndex"):
        await up(connection, tmp_path)
    await down(connection, tmp_path, "-1")
    write(tmp_path, FIRST, expand='DropIndex("things", [("n", 1)]),' + INDEX)
    await up(connection, tmp_path)
    assert "sparse" not in (await connection.collection("things").index_information())["n_1"]
    await down(connection, tmp_path, "-1")
    assert (await connection.collection("things").index_information())["mine"]["sparse"]


async def test_an_index_that_was_there_before_stays(connection: Connection, tmp_path: Path) -> None:
    await connection.collection("things").create_index([("n", 1)], name="mine")
    write(tmp_path, FIRST, expand=INDEX + 'DropIndex("things", [("nowhere", 1)]),')
    await up(connection, tmp_path)
    await down(connection, tmp_path, "-1")
    assert set(await connection.collection("things").index_information()) == {"_id_", "mine"}


async def test_an_index_conflict_is_of_the_store(connection: Connection, tmp_path: Path) -> None:
    await connection.collection("things").create_index([("m", 1)], name="n_1")
    write(tmp_path, FIRST, expand='CreateIndex("things", [("n", 1)], {"name": "n_1"}),')
    try:
        await up(connection, tmp_path)
    except IndexConflictError:
        pytest.fail("a free name is found")
    assert len(await connection.collection("things").index_information()) == 3


async def test_a_stamp_runs_nothing(connection: Connection, tmp_path: Path) -> None:
    await fill(connection)
    write(tmp_path, FIRST, backfill=COUNT)
    write(tmp_path, SECOND, [FIRST], backfill=COUNT)
    write(tmp_path, THIRD, [SECOND], backfill=COUNT)
    async with hold_lock(connection.database, purpose="stamp") as lock:
        assert await stamp(connection, load(tmp_path), lock=lock, to=SECOND) == [FIRST, SECOND]
        assert await stamp(connection, load(tmp_path), lock=lock, to=SECOND) == []
        with pytest.raises(UnknownRevisionError):
            await accept_edits(connection, load(tmp_path), [THIRD], lock=lock)
    assert await find(connection, times={"$exists": True}) == 0
    await up(connection, tmp_path)
    assert await find(connection, times=1) == SIZE
    with pytest.raises(NotReversibleError, match="stamped"):
        await down(connection, tmp_path, "base")
    await down(connection, tmp_path, "-1")
    assert await find(connection, times=0) == SIZE


async def test_a_rewriting_and_its_way_back(connection: Connection, tmp_path: Path) -> None:
    await fill(connection)
    before = await content(connection)
    functions = (
        "def to_text(document):\n    return {**document, 'n': str(document['n'])}\n\n"
        "def to_number(document):\n    return {**document, 'n': int(document['n'])}\n"
    )
    back = 'back=({"n": {"$type": "string"}}, to_number)'
    rewriting = f'RewriteDocuments("things", {{"n": {{"$type": "int"}}}}, to_text, {back}),'
    write(tmp_path, FIRST, backfill=rewriting, more=functions)
    await up(connection, tmp_path, batch_size=50)
    assert await find(connection, n="7") == 1
    await down(connection, tmp_path, "-1")
    assert await content(connection) == before


async def test_an_operation_that_was_edited_in_the_middle_is_not_mixed(connection: Connection, tmp_path: Path) -> None:
    await fill(connection)
    await connection.database.command("collMod", "things", validator={"_id": {"$ne": 70}})
    write(tmp_path, FIRST, backfill='UpdateDocuments("things", {}, {"$inc": {"times": 1}}),')
    with pytest.raises(DocumentFailedError):
        await up(connection, tmp_path, batch_size=25)
    write(tmp_path, FIRST, backfill='UpdateDocuments("things", {}, {"$inc": {"times": 5}}),')
    async with hold_lock(connection.database, purpose="stamp") as lock:
        await accept_edits(connection, load(tmp_path), [FIRST], lock=lock)
    with pytest.raises(OperationEditedError, match=f"{FIRST}/backfill/0"):
        await up(connection, tmp_path)
    assert await find(connection, times=5) == 0


async def test_a_database_that_was_never_migrated(connection: Connection, tmp_path: Path) -> None:
    assert (await state(connection, tmp_path)).is_current
    assert await up(connection, tmp_path) == []
    assert await down(connection, tmp_path, "base") == []
    assert await down(connection, tmp_path, "-1") == []
    write(tmp_path, FIRST, expand=INDEX, backfill=ADD + COUNT)
    await up(connection, tmp_path)
    assert (await state(connection, tmp_path)).is_current
