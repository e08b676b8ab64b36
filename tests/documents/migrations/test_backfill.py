"""Backfills: each document once, whatever happens meanwhile."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, cast
from uuid import UUID

import pytest
from bson import Binary, Code, DBRef, Decimal128, Int64, MaxKey, MinKey, ObjectId, Timestamp
from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import AutoReconnect

from documents.codec.deprecated import DBPointer, Symbol
from documents.codec.encode import encode
from documents.database.connection import RAW_OPTIONS, Connection
from documents.database.embedded import EmbeddedMongo
from documents.migrations import backfill as module
from documents.migrations.backfill import BackfillProgress, run_backfill
from documents.migrations.batch import change_batch
from documents.migrations.checkpoints import CHECKPOINTS, forget_checkpoint, read_checkpoint
from documents.migrations.compile import compile_operation
from documents.migrations.errors import (
    DocumentFailedError,
    LagUnknownError,
    LockLostError,
    MigrationFailedError,
    OperationEditedError,
)
from documents.migrations.lock import MigrationLock, break_lock, hold_lock
from documents.migrations.operations import (
    AddField,
    BsonType,
    ConvertField,
    FieldOperation,
    RewriteDocuments,
    UpdateDocuments,
)
from documents.migrations.throttle import FULL_SPEED, Throttle, is_paused, lag_of, read_lag, set_paused
from documents.types import Document
from tests.documents.migrations.conftest import last_of

NAME = "things"
KEY = "3f9c2a7b10de/backfill/0"
COUNT = UpdateDocuments(NAME, {}, {"$inc": {"times": 1}})
"""Must not be done twice."""

QUICK: Final = Throttle(poll=timedelta(milliseconds=5))
MIXED_IDS: Final[Sequence[object]] = [
    MinKey(),
    None,
    float("nan"),
    float("-inf"),
    -1,
    Int64(0),
    0.5,
    Decimal128("0.75"),
    1,
    2,
    3,
    "",
    "a",
    Symbol("b"),
    "c",
    {},
    {"a": 1},
    {"b": {"gt": [None]}},
    DBRef("x", 1),
    b"",
    b"12",
    UUID(int=1),
    Binary(b"1", 9),
    ObjectId(b"a" * 12),
    ObjectId(b"b" * 12),
    False,
    True,
    datetime(1960, 1, 1, tzinfo=UTC),
    datetime(2026, 1, 1, tzinfo=UTC),
    Timestamp(1, 1),
    DBPointer("x.y", ObjectId()),
    Code("x"),
    Code("x", {"a": 1}),
    MaxKey(),
]


@pytest.fixture
async def lock(connection: Connection) -> AsyncGenerator[MigrationLock]:
    """Return a lock that a slow machine does not lose."""
    async with hold_lock(connection.database, purpose="test", ttl=timedelta(minutes=5)) as held:
        yield held


async def fill(connection: Connection, ids: Sequence[object], **fields: object) -> None:
    raw = connection.raw_collection(NAME)
    await raw.insert_many([RawBSONDocument(encode({"_id": each, **fields}), RAW_OPTIONS) for each in ids])


async def run(
    connection: Connection,
    lock: MigrationLock,
    op: FieldOperation,
    *,
    batch_size: int = 4,
    throttle: Throttle = FULL_SPEED,
) -> BackfillProgress:
    change = compile_operation(op)
    return await last_of(run_backfill(connection, change, key=KEY, lock=lock, batch_size=batch_size, throttle=throttle))


async def times(connection: Connection) -> list[int]:
    return [each.get("times", 0) async for each in connection.collection(NAME).find({}, {"_id": 0}, sort={"_id": 1})]


@pytest.mark.parametrize("batch_size", [1, 2, 5, 1000])
async def test_each_document_is_changed_once_whatever_its_id(
    connection: Connection, lock: MigrationLock, batch_size: int
) -> None:
    await fill(connection, MIXED_IDS, kept="x")
    end = await run(connection, lock, COUNT, batch_size=batch_size)
    size = len(MIXED_IDS)
    assert (end.done, end.matched, end.modified, end.total) == (size, size, size, size)
    assert await times(connection) == [1] * size
    assert await connection.collection(NAME).count_documents({"kept": "x"}) == size


async def test_an_empty_collection_is_done_at_once(connection: Connection, lock: MigrationLock) -> None:
    end = await run(connection, lock, COUNT)
    assert (end.done, end.total, end.waiting_for) == (0, 0, None)
    assert NAME not in await connection.database.list_collection_names()


async def test_a_clustered_collection_is_walked_through(connection: Connection, lock: MigrationLock) -> None:
    await connection.database.create_collection(NAME, clusteredIndex={"key": {"_id": 1}, "unique": True})
    await fill(connection, range(10))
    await run(connection, lock, COUNT)
    assert await times(connection) == [1] * 10


async def test_a_collation_of_the_collection_does_no_harm(connection: Connection, lock: MigrationLock) -> None:
    await connection.database.create_collection(NAME, collation={"locale": "en", "strength": 2})
    await fill(connection, ["b", "A", "C", "ä", "z", "Ö", 1, {"x": "Y"}])
    await run(connection, lock, COUNT, batch_size=3)
    assert await times(connection) == [1] * 8


async def test_it_goes_on_where_it_was(connection: Connection, lock: MigrationLock) -> None:
    await fill(connection, range(20))
    change = compile_operation(COUNT)
    async with aclosing(run_backfill(connection, change, key=KEY, lock=lock, batch_size=4)) as progress:
        async for each in progress:
            if each.done == 8:
                break
    assert await times(connection) == [1] * 8 + [0] * 12
    end = await run(connection, lock, COUNT)
    assert (end.done, end.modified) == (20, 20)
    assert await times(connection) == [1] * 20


async def test_once_complete_it_does_nothing_until_it_is_forgotten(connection: Connection, lock: MigrationLock) -> None:
    await fill(connection, range(5))
    first = await run(connection, lock, COUNT)
    await fill(connection, [99])
    again = await run(connection, lock, COUNT)
    assert (again.done, again.modified) == (first.done, first.modified)
    assert await times(connection) == [1] * 5 + [0]
    await forget_checkpoint(connection.database, KEY, lock=lock)
    assert await read_checkpoint(connection.database, KEY) is None
    await run(connection, lock, COUNT)
    assert await times(connection) == [2] * 5 + [1]


async def test_an_edited_operation_is_refused(connection: Connection, lock: MigrationLock) -> None:
    await fill(connection, range(5))
    await run(connection, lock, COUNT)
    with pytest.raises(OperationEditedError, match=KEY):
        await run(connection, lock, AddField(NAME, "a", 1))
    assert await times(connection) == [1] * 5


async def test_what_came_in_behind_is_swept_up(connection: Connection, lock: MigrationLock) -> None:
    await fill(connection, range(10))
    change = compile_operation(AddField(NAME, "currency", "EUR"))
    came: list[int] = []
    last: BackfillProgress | None = None
    async for each in run_backfill(connection, change, key=KEY, lock=lock, batch_size=4):
        if each.done == 8 and not came:
            came = [-1, -2]
            await fill(connection, came)
        last = each
    assert await connection.collection(NAME).count_documents({"currency": "EUR"}) == 12
    assert last is not None
    assert (last.done, last.modified) == (10, 12)
    checkpoint = await read_checkpoint(connection.database, KEY)
    assert checkpoint is not None
    assert (checkpoint.sweep, checkpoint.is_complete) == (2, True)


async def test_sweeps_come_to_an_end(connection: Connection, lock: MigrationLock) -> None:
    await fill(connection, range(4))
    change = compile_operation(AddField(NAME, "currency", "EUR"))
    next_id = -1
    async for _ in run_backfill(connection, change, key=KEY, lock=lock, batch_size=4):
        await fill(connection, [next_id])
        next_id -= 1
    assert await connection.collection(NAME).count_documents({"currency": None}) > 0


async def test_what_must_not_be_done_twice_is_not_swept(connection: Connection, lock: MigrationLock) -> None:
    await fill(connection, range(6))
    change = compile_operation(COUNT)
    async for each in run_backfill(connection, change, key=KEY, lock=lock, batch_size=4):
        if each.done == 4 and each.modified == 4:
            await connection.collection(NAME).update_one({"_id": 0}, {"$set": {"other": 1}})
    assert await times(connection) == [1] * 6


async def test_a_document_that_no_validator_lets_pass_is_named(connection: Connection, lock: MigrationLock) -> None:
    await fill(connection, range(20))
    await connection.collection(NAME).update_one({"_id": 13}, {"$set": {"is_bad": True}})
    await connection.database.command(
        "collMod", NAME, validator={"$or": [{"is_bad": None}, {"times": None}]}, validationLevel="strict"
    )
    with pytest.raises(DocumentFailedError, match="validat") as failed:
        await run(connection, lock, COUNT, batch_size=16)
    assert (failed.value.collection, failed.value.document_id) == (NAME, 13)
    assert await times(connection) == [1] * 13 + [0] * 7
    await connection.collection(NAME).update_one({"_id": 13}, {"$unset": {"is_bad": ""}})
    await run(connection, lock, COUNT, batch_size=16)
    assert await times(connection) == [1] * 20


async def test_a_unique_index_names_the_second_document(connection: Connection, lock: MigrationLock) -> None:
    await fill(connection, range(6))
    await connection.collection(NAME).create_index("code", unique=True, sparse=True)
    with pytest.raises(DocumentFailedError) as failed:
        await run(connection, lock, AddField(NAME, "code", 1))
    assert failed.value.document_id == 1


async def test_an_update_that_mongodb_cannot_carry_out_names_the_document(
    connection: Connection, lock: MigrationLock
) -> None:
    await fill(connection, range(3))
    await connection.collection(NAME).update_one({"_id": 2}, {"$set": {"n": "x"}})
    failing = UpdateDocuments(NAME, {"n": {"$exists": True}}, [{"$set": {"n": {"$toInt": "$n"}}}])
    with pytest.raises(DocumentFailedError, match="Failed to parse number 'x'") as failed:
        await run(connection, lock, failing)
    assert failed.value.document_id == 2


async def test_an_update_that_is_none_blames_no_document(connection: Connection, lock: MigrationLock) -> None:
    await fill(connection, range(3))
    with pytest.raises(MigrationFailedError, match=r"\$wrong") as failed:
        await run(connection, lock, UpdateDocuments(NAME, {}, {"$wrong": {"a": 1}}))
    assert not isinstance(failed.value, DocumentFailedError)


async def test_a_filter_that_is_none_blames_no_document(connection: Connection, lock: MigrationLock) -> None:
    await fill(connection, range(3))
    with pytest.raises(MigrationFailedError, match=r"\$wrong") as failed:
        await run(connection, lock, UpdateDocuments(NAME, {"a": {"$wrong": 1}}, {"$set": {"a": 1}}))
    assert not isinstance(failed.value, DocumentFailedError)


def double(document: Document) -> Document:
    if "n" in document:
        document["n"] *= 2
    return document


async def test_documents_are_rewritten_in_python(connection: Connection, lock: MigrationLock) -> None:
    await fill(connection, MIXED_IDS, other={"$a": [1, {"b": None}]})
    await connection.collection(NAME).update_many({"_id": {"$in": ["a", 1, 2]}}, {"$set": {"n": 21}})
    before = [bytes(each.raw) async for each in connection.raw_collection(NAME).find({"n": None}, sort={"_id": 1})]
    end = await run(connection, lock, RewriteDocuments(NAME, {}, double), batch_size=7)
    assert (end.matched, end.modified) == (len(MIXED_IDS), 3)
    assert await connection.collection(NAME).count_documents({"n": 42}) == 3
    after = [bytes(each.raw) async for each in connection.raw_collection(NAME).find({"n": None}, sort={"_id": 1})]
    assert after == before


async def test_rewritten_documents_are_sent_in_parts(
    connection: Connection, lock: MigrationLock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("documents.migrations.batch.HELD_BYTES", 100)
    await fill(connection, range(50), n=1)
    end = await run(connection, lock, RewriteDocuments(NAME, {}, double), batch_size=50)
    assert end.modified == 50
    assert await connection.collection(NAME).count_documents({"n": 2}) == 50


def fail(_: Document) -> Document:
    raise ZeroDivisionError


def change_id(document: Document) -> Document:
    return {**document, "_id": -1}


def drop_id(_: Document) -> Document:
    return {"a": 1}


def grow_number(document: Document) -> Document:
    return {**document, "a": 2**64}


def grow(document: Document) -> Document:
    return {**document, "a": "x" * 2**24}


def forget(_: Document) -> None:
    """Return nothing, as a function that changes its argument in place does."""


@pytest.mark.parametrize(
    ("rewrite", "reason"),
    [
        (fail, "ZeroDivisionError"),
        (change_id, "another _id"),
        (drop_id, "another _id"),
        (grow_number, "64 bits"),
        (grow, "bytes"),
        (forget, "no document"),
    ],
)
async def test_a_rewriting_that_fails_names_the_document(
    connection: Connection, lock: MigrationLock, rewrite: Any, reason: str
) -> None:
    await fill(connection, range(5))
    await connection.collection(NAME).update_one({"_id": 2}, {"$set": {"is_bad": True}})
    with pytest.raises(DocumentFailedError, match=reason) as failed:
        await run(connection, lock, RewriteDocuments(NAME, {"is_bad": True}, rewrite))
    assert failed.value.document_id == 2
    checkpoint = await read_checkpoint(connection.database, KEY)
    assert checkpoint is not None
    assert checkpoint.done == 2


async def test_what_python_cannot_hold_is_not_lost(connection: Connection, lock: MigrationLock) -> None:
    broken = encode({"_id": 1, "text": "aXb", "n": 1}).replace(b"X", b"\xff")
    await connection.raw_collection(NAME).insert_one(RawBSONDocument(broken, RAW_OPTIONS))
    with pytest.raises(DocumentFailedError, match="UTF-8"):
        await run(connection, lock, RewriteDocuments(NAME, {}, double))
    stored = await connection.raw_collection(NAME).find_one()
    assert stored is not None
    assert bytes(stored.raw) == broken


async def test_a_batch_waits_for_the_writes_of_others_and_keeps_them(
    connection: Connection, lock: MigrationLock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(connection, range(10), n=1)
    was_in_the_way = asyncio.Event()

    def backoff(_: int) -> float:
        was_in_the_way.set()
        return 0.01

    monkeypatch.setattr(module, "_backoff", backoff)
    async with connection.client.start_session() as other, await other.start_transaction():
        await connection.collection(NAME).update_one({"_id": 5}, {"$set": {"n": 100}}, session=other)
        running = asyncio.create_task(run(connection, lock, RewriteDocuments(NAME, {}, double), batch_size=8))
        await was_in_the_way.wait()
    end = await running
    assert (end.done, end.modified) == (10, 10)
    assert [each["n"] async for each in connection.collection(NAME).find(sort={"_id": 1})] == [2] * 5 + [200] + [2] * 4


async def test_a_commit_whose_answer_is_lost_is_not_done_again(
    connection: Connection, lock: MigrationLock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(connection, range(12))
    attempt, losses = lock.attempt, [True, False, True]

    async def lose(work: Callable[[AsyncClientSession], Awaitable[Any]]) -> object:
        result = await attempt(work)
        if work.__name__ == "<lambda>" and losses and losses.pop():
            error = AutoReconnect("lost")
            cast("Any", error)._add_error_label("UnknownTransactionCommitResult")
            raise error
        return result

    monkeypatch.setattr(lock, "attempt", lose)
    end = await run(connection, lock, COUNT)
    assert not losses
    assert (end.done, end.modified) == (12, 12)
    assert await times(connection) == [1] * 12


async def test_who_lost_the_lock_writes_nothing(connection: Connection) -> None:
    await fill(connection, range(12))
    change = compile_operation(COUNT)
    with pytest.raises(LockLostError):  # noqa: PT012  # the loss arises in what is inside
        async with hold_lock(connection.database, purpose="first", ttl=timedelta(minutes=5)) as first:
            async for each in run_backfill(connection, change, key=KEY, lock=first, batch_size=4):
                if each.done == 4:
                    await break_lock(connection.database)
    assert await times(connection) == [1] * 4 + [0] * 8
    async with hold_lock(connection.database, purpose="second", ttl=timedelta(minutes=5)) as second:
        await run(connection, second, COUNT)
        found = await connection.database[CHECKPOINTS].find_one({"_id": KEY})
    assert found is not None
    assert found["token"] == second.token
    assert await times(connection) == [1] * 12


async def test_it_stands_still_while_it_is_paused(connection: Connection, lock: MigrationLock) -> None:
    await fill(connection, range(8))
    assert not await is_paused(connection.database)
    await set_paused(connection.database, True)
    change = compile_operation(COUNT)
    reasons: list[str | None] = []
    async for each in run_backfill(connection, change, key=KEY, lock=lock, throttle=QUICK, batch_size=4):
        reasons.append(each.waiting_for)
        if len(reasons) == 4:
            assert each.done == 0
            await set_paused(connection.database, False)
    assert reasons[1:4] == ["an operator, who paused it"] * 3
    assert reasons[-1] is None
    assert await times(connection) == [1] * 8


async def test_a_limit_of_the_lag_that_nobody_may_read_is_an_error(
    mongo: EmbeddedMongo, connection: Connection
) -> None:
    await fill(connection, range(3))
    assert await read_lag(connection) == timedelta(0)
    admin: MongoClient[Document] = MongoClient(mongo.admin_uri)
    roles = [{"role": "readWrite", "db": connection.database.name}]
    admin[connection.database.name].command("createUser", "writer", pwd="secret", roles=roles)
    address = mongo.uri.rpartition("@")[2].partition("/")[0]
    uri = f"mongodb://writer:secret@{address}/?directConnection=true&authSource={connection.database.name}"
    writer = Connection(uri, database=connection.database.name, max_pool_size=2)
    try:
        with pytest.raises(LagUnknownError, match="clusterMonitor"):
            async with hold_lock(writer.database, purpose="test") as lock:
                await run(writer, lock, COUNT, throttle=Throttle(max_lag=timedelta(seconds=10)))
    finally:
        await writer.close()
        admin[connection.database.name].command("dropUser", "writer")
        admin.close()
    assert await times(connection) == [0] * 3


async def test_it_stands_still_while_a_secondary_is_behind(
    connection: Connection, lock: MigrationLock, monkeypatch: pytest.MonkeyPatch
) -> None:
    lags = [timedelta(0), timedelta(seconds=40)]

    async def read(_: Connection) -> timedelta:
        return lags.pop() if lags else timedelta(0)

    monkeypatch.setattr(module, "read_lag", read)
    await fill(connection, range(3))
    throttle = Throttle(max_lag=timedelta(seconds=10), poll=timedelta(milliseconds=5))
    change = compile_operation(COUNT)
    seen = [each.waiting_for async for each in run_backfill(connection, change, key=KEY, lock=lock, throttle=throttle)]
    assert "replication, which is 40 s behind" in seen
    assert await times(connection) == [1] * 3


def member(state: int, second: int) -> Document:
    return {"state": state, "optimeDate": datetime(2026, 1, 1, 0, 0, second, tzinfo=UTC)}


@pytest.mark.parametrize(
    ("members", "lag"),
    [
        ([member(1, 30)], timedelta(0)),
        ([member(1, 30), member(2, 29), member(2, 10)], timedelta(seconds=20)),
        ([member(1, 30), member(2, 31)], timedelta(0)),
        ([member(1, 30), {"state": 7}, {"state": 8}], timedelta(0)),
        ([member(2, 30)], None),
    ],
)
def test_the_lag_is_that_of_the_slowest_secondary(members: list[Document], lag: timedelta | None) -> None:
    assert lag_of({"members": members}) == lag


def test_a_rate_says_how_much_and_how_long() -> None:
    throttle = Throttle(rate=100)
    assert throttle.limit(1000) == 100
    assert throttle.limit(10) == 10
    assert Throttle(rate=0.5).limit(10) == 1
    assert throttle.seconds_ahead(50, 0.1) == pytest.approx(0.4)
    assert throttle.seconds_ahead(50, 1.0) == 0
    assert FULL_SPEED.limit(1000) == 1000
    assert FULL_SPEED.seconds_ahead(10**9, 0) == 0


async def test_conversions_are_backfilled_too(connection: Connection, lock: MigrationLock) -> None:
    await fill(connection, range(6), n="7")
    await connection.collection(NAME).update_one({"_id": 3}, {"$set": {"n": "x"}})
    end = await run(connection, lock, ConvertField(NAME, "n", BsonType.INT))
    assert (end.done, end.matched, end.modified) == (6, 5, 5)


async def test_a_change_has_something_to_do(connection: Connection, lock: MigrationLock) -> None:
    async def nothing(session: AsyncClientSession) -> None:
        empty = replace(compile_operation(COUNT), update=None)
        await change_batch(connection, empty, [RawBSONDocument(encode({"_id": 1}), RAW_OPTIONS)], session)

    with pytest.raises(TypeError):
        await lock.transact(nothing)
