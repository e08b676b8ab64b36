"""Replay never puts an older record over what was written since, and undo takes the quarantine of its load along."""

from collections.abc import Mapping
from typing import Any

import pytest

from documents.access.policy import FULL
from documents.contracts.contract import parse_contract
from documents.database.deadline import Deadline
from documents.ingest.job_report import JobReport
from documents.ingest.jobs import Mode
from documents.ingest.quarantine import EVERYTHING
from documents.ingest.requests import ChangeQuarantine
from documents.lifecycle import Store
from tests.documents.ingest.loading import SECONDS, load, ndjson, replay, report, stored, undo

NARROW: dict[str, Any] = {"schema": {"properties": {"_id": {}, "v": {"bsonType": "int"}}}, "types": "quarantine"}
WIDE: dict[str, Any] = {"schema": {"properties": {"_id": {}, "v": {}}}}


async def set_contract(store: Store, collection: str, contract: Mapping[str, object]) -> None:
    await store.catalog.contracts.write(collection, parse_contract(contract), by="test", check=lambda _: None)


async def by_force(store: Store, collection: str) -> JobReport:
    operation = ChangeQuarantine(collection, EVERYTHING, is_all=True, force=True)
    job = await (await store.ingestion.replay(operation, FULL)).run(Deadline(SECONDS))
    async for _ in store.ingestion.run(job.id):
        pass
    return await report(store, job)


async def codes(store: Store, collection: str) -> dict[str, int]:
    return {code: count for _, code, count in await store.ingestion.stores.quarantine.counts(collection)}


@pytest.mark.parametrize("mode", [Mode.UPSERT, Mode.MERGE, Mode.REPLACE])
async def test_a_newer_document_stays(store: Store, collection: str, mode: Mode) -> None:
    await set_contract(store, collection, NARROW)
    await load(store, collection, ndjson([{"_id": 1, "v": 0}]))
    await load(store, collection, ndjson([{"_id": 1, "v": "day 1"}]), mode)
    await load(store, collection, ndjson([{"_id": 1, "v": 2}]), mode)
    await set_contract(store, collection, WIDE)
    told = await replay(store, collection)
    assert (told.books.counts.written, told.books.counts.quarantined) == (0, 1)
    assert await codes(store, collection) == {"stored-is-newer": 1}
    assert await stored(store, collection) == [{"_id": 1, "v": 2}]
    assert (await by_force(store, collection)).books.counts.updated == 1
    assert await stored(store, collection) == [{"_id": 1, "v": "day 1"}]
    assert not await codes(store, collection)


async def test_a_document_that_was_deleted_since_does_not_come_back(store: Store, collection: str) -> None:
    await set_contract(store, collection, NARROW)
    await load(store, collection, ndjson([{"_id": 1, "v": 0}]))
    await load(store, collection, ndjson([{"_id": 1, "v": "x"}]), Mode.UPSERT)
    await store.connection.collection(collection).delete_one({"_id": 1})
    await set_contract(store, collection, WIDE)
    assert (await replay(store, collection)).books.counts.quarantined == 1
    assert not await stored(store, collection)


async def test_what_nobody_has_touched_is_written_in_the_order_of_the_file(store: Store, collection: str) -> None:
    await set_contract(store, collection, NARROW)
    await load(store, collection, ndjson([{"_id": 1, "v": 0}]))
    changes = [{"_id": number % 2, "v": f"x{number}"} for number in range(250)]  # more than a page of a replay
    await load(store, collection, ndjson(changes), Mode.UPSERT)
    await set_contract(store, collection, WIDE)
    told = await replay(store, collection)
    assert (told.books.counts.written, told.books.counts.quarantined) == (250, 0)
    assert await stored(store, collection) == [{"_id": 0, "v": "x248"}, {"_id": 1, "v": "x249"}]


@pytest.mark.parametrize("is_replayed_first", [False, True])
async def test_undone_and_loaded_again_each_record_is_there_once(
    store: Store, collection: str, *, is_replayed_first: bool
) -> None:
    data = ndjson([{"_id": 1, "v": 1}, {"_id": 2, "v": "two"}])
    await set_contract(store, collection, NARROW)
    first = await load(store, collection, data)
    if is_replayed_first:
        await set_contract(store, collection, WIDE)
        await replay(store, collection)
        await set_contract(store, collection, NARROW)
    await undo(store, first.job)
    assert not await stored(store, collection)
    assert not await codes(store, collection)
    await load(store, collection, data)
    await set_contract(store, collection, WIDE)
    await replay(store, collection)
    assert [each["_id"] for each in await stored(store, collection)] == [1, 2]
