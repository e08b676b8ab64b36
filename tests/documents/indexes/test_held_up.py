"""Index builds that are held up: their progress, giving them up, and two at once.

What holds them up holds up every build of that mongod, so that these tests have one to themselves.
"""

import asyncio
from collections.abc import AsyncIterator, Generator
from contextlib import contextmanager
from typing import Any

import pytest
from bson import ObjectId
from pymongo import AsyncMongoClient, IndexModel, MongoClient

from documents.database.embedded import EmbeddedMongo
from documents.indexes.apply import IndexEvent, State, apply_plan
from documents.indexes.build import read_progress
from tests.documents.indexes.test_apply import QUICK, Collection, apply, plan
from tests.faults import GROUP, failing_mongo

__all__ = ["failing_mongo"]

pytestmark = pytest.mark.xdist_group(GROUP)

A = [("a", 1)]


@pytest.fixture
async def collection(failing_mongo: EmbeddedMongo) -> AsyncIterator[Collection]:
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(failing_mongo.uri)
    name = f"indexes_{ObjectId()}"
    yield client[name]["held"]
    await client.drop_database(name)
    await client.close()


@contextmanager
def held_up(mongo: EmbeddedMongo) -> Generator[None]:
    """Hold every index build up after its start."""
    with MongoClient[dict[str, Any]](mongo.admin_uri) as client:
        client.admin.command("configureFailPoint", "hangAfterStartingIndexBuild", mode="alwaysOn")
        try:
            yield
        finally:
            client.admin.command("configureFailPoint", "hangAfterStartingIndexBuild", mode="off")


async def test_progress(failing_mongo: EmbeddedMongo, collection: Collection) -> None:
    await collection.insert_many([{"a": number} for number in range(100)])
    planned = await plan(collection, IndexModel(A))
    states: list[IndexEvent] = []
    with held_up(failing_mongo):
        events = apply_plan(collection, planned, poll=QUICK)
        async for event in events:
            states.append(event)
            if event.state is State.PROGRESS:
                break
        unfinished = await plan(collection, IndexModel(A))
    states += [event async for event in events]
    assert (states[1].names, states[1].state, states[1].total) == (("a_1",), State.PROGRESS, 100)
    assert states[1].detail == "scanning collection"
    assert states[-1].state is State.DONE
    assert [change.note for change in unfinished.changes] == ["It is being built already."]
    assert await read_progress(collection) is None


@pytest.mark.parametrize("how", ["cancel", "close"])
async def test_giving_up_aborts_the_build(failing_mongo: EmbeddedMongo, collection: Collection, how: str) -> None:
    await collection.insert_many([{"a": number} for number in range(100)])
    planned = await plan(collection, IndexModel(A), IndexModel([("b", 1)]))
    seen = asyncio.Event()

    async def run() -> None:
        events = apply_plan(collection, planned, poll=QUICK)
        async for event in events:
            if event.state is State.PROGRESS:
                seen.set()
                if how == "close":
                    await events.aclose()

    with held_up(failing_mongo):
        task = asyncio.create_task(run())
        await seen.wait()
        if how == "cancel":
            task.cancel()
        await asyncio.wait({task})
        assert task.cancelled() is (how == "cancel")
    assert await read_progress(collection) is None
    assert set(await collection.index_information()) == {"_id_"}


async def test_a_second_apply_waits_for_the_first(failing_mongo: EmbeddedMongo, collection: Collection) -> None:
    await collection.insert_one({"a": 1})
    with held_up(failing_mongo):
        first = asyncio.create_task(apply(collection, IndexModel(A)))
        while await read_progress(collection) is None:  # noqa: ASYNC110  # MongoDB offers no event for this
            await asyncio.sleep(0.01)
        second = asyncio.create_task(apply(collection, IndexModel(A), IndexModel([("b", 1)])))
        await asyncio.wait({second}, timeout=0.2)
        assert not second.done()
    assert (await first)[-1].state is State.DONE
    assert (await second)[-1].state is State.DONE
    assert set(await collection.index_information()) == {"_id_", "a_1", "b_1"}
