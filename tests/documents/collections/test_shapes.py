"""Shapes of queries: counted, bounded, written down without values, and no burden on the hot path."""

import logging
import time
from collections.abc import AsyncIterator

import pytest
from bson import ObjectId
from pydantic import SecretStr

from documents.collections import shapes
from documents.collections.operations import Count, DeleteMany, Find, Get, Selection
from documents.collections.shapes import EXACT, MAX_SHAPES, SHAPES, STRIDE, ShapeLog
from documents.database.connection import Connection
from documents.database.deadline import Deadline
from documents.errors import StoreError
from documents.indexes.usage import AskedShape, read_usage
from documents.lifecycle import open_store
from documents.query.filter.filter import Filter, parse_filter
from documents.query.filter.query_shape import QueryShape
from documents.settings import Settings


@pytest.fixture
async def connection(mongo_uri: str) -> AsyncIterator[Connection]:
    opened = Connection(mongo_uri, database=f"shapes_{ObjectId()}", max_pool_size=2)
    yield opened
    await opened.client.drop_database(opened.database.name)
    await opened.close()


def filter_of(**fields: object) -> Filter:
    return parse_filter(fields, lambda _: None)


async def recorded(connection: Connection, collection: str) -> list[AskedShape]:
    return list((await read_usage(connection.collection(collection))).shapes)


async def test_counts_add_up_over_flushes(connection: Connection) -> None:
    await connection.collection("c").insert_one({})
    for _ in range(2):
        log = ShapeLog()
        for number in range(3):
            log.note("c", filter_of(city=f"secret {number}"), [("_id", 1)], seconds=0.5 * (number == 0))
        await log.flush(connection)
    [found] = await recorded(connection, "c")
    assert (found.shape, found.count, found.slow) == (QueryShape(("city",), (), (("_id", 1),)), 6, 2)
    assert "secret" not in str([entry async for entry in connection.collection(SHAPES).find()])
    assert await recorded(connection, "other") == []


async def test_many_are_sampled_and_slow_ones_are_all_seen(connection: Connection) -> None:
    log, quick, slow = ShapeLog(), filter_of(quick=1), filter_of(slow=1)
    many = EXACT + 100 * STRIDE
    for number in range(many):
        log.note("c", quick, seconds=0.001)
        if number % 1000 == 0:
            log.note("c", slow, seconds=1)
    await log.flush(connection)
    counts = {found.shape.equality: found.count for found in await recorded(connection, "c")}
    assert counts["quick",] == pytest.approx(many, rel=0.05)
    assert counts["slow",] == len(range(0, many, 1000))


async def test_there_is_an_end_to_them(connection: Connection) -> None:
    log = ShapeLog()
    for number in range(MAX_SHAPES + 50):
        log.note("c", filter_of(**{f"f{number}": 1}), seconds=1)
    await log.flush(connection)
    assert await connection.collection(SHAPES).count_documents({}) == MAX_SHAPES


async def test_what_is_stored_has_an_end_too(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shapes, "MAX_STORED", 1)
    log = ShapeLog()
    for name in ("a", "b", "a"):
        log.note("c", filter_of(**{name: 1}))
        await log.flush(connection)
    assert [(found.shape.equality, found.count) for found in await recorded(connection, "c")] == [(("a",), 2)]


async def test_what_cannot_be_written_is_logged(mongo_uri: str, caplog: pytest.LogCaptureFixture) -> None:
    closed = Connection(mongo_uri, database="x", max_pool_size=1)
    await closed.close()
    log = ShapeLog()
    log.note("c", filter_of(a=1))
    with caplog.at_level(logging.WARNING, "sheaf"):
        await log.flush(closed)
    assert "The shapes of 1 queries were not recorded" in caplog.text


async def test_the_store_records_what_it_is_asked(settings: Settings, mongo_uri: str) -> None:
    database = f"shapes_{ObjectId()}"
    chosen = settings.model_copy(update={"mongodb_uri": SecretStr(mongo_uri), "database": database})
    async with open_store(chosen, counts_queries=True) as store:
        await store.connection.collection("things").insert_one({"_id": "a", "kind": "x"})
        kind, deadline = Selection(filter={"kind": "x"}), Deadline(30)
        for operation, planning in (
            (Find("things", kind, sort="-size"), store.planner.find),
            (Count("things", kind), store.planner.count),
            (DeleteMany("things", kind), store.planner.delete_many),
        ):
            plan = await planning(operation, store.policy)  # pyright: ignore[reportArgumentType]  # each takes its own
            await plan.run(deadline)
        with pytest.raises(StoreError):
            await (await store.planner.get(Get("things", "a"), store.policy)).run(deadline)
    async with open_store(chosen) as store:
        found = await recorded(store.connection, "things")
        assert [(each.shape, each.count) for each in found] == [
            (QueryShape(("kind",)), 2),
            (QueryShape(("kind",), (), (("size", -1),)), 1),
        ]
        await store.connection.client.drop_database(database)


@pytest.mark.alone
def test_noting_costs_less_than_a_microsecond() -> None:
    log, selected, sort = ShapeLog(), filter_of(a=1, b={"$gt": 1}), (("c", -1), ("_id", -1))
    rounds = 100_000
    best = float("inf")
    for _ in range(5):
        began = time.perf_counter()
        for _ in range(rounds):
            log.note("c", selected, sort, seconds=0.001)
        best = min(best, time.perf_counter() - began)
    assert best / rounds < 1e-6
