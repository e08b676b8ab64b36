"""Loads of all or nothing: killed anywhere and run again, all records are there or none is."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import uuid4

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from documents.codec.records import Format
from documents.contracts.expectations import to_json
from documents.errors import ExpectationError, JobConflictError, TooManyBadError
from documents.ingest import reading, staged, staging
from documents.ingest.jobs import Job, Load, Mode, State
from documents.lifecycle import Store
from tests.documents.ingest.loading import load, ndjson, open_job, report, run, stored, undo, without_ids
from tests.documents.ingest.test_gates import fails
from tests.documents.ingest.test_resuming import go_on

pytestmark = pytest.mark.slow

BAD = b"{\n"
CHANGES = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 99)), max_size=40)


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "BATCH_RECORDS", 3)
    monkeypatch.setattr(staged, "MOVE_RECORDS", 12)
    monkeypatch.setattr(staging, "PART_BYTES", 100)


async def leftovers(store: Store, job: Job) -> bool:
    return f"{staging.STAGING}{job.id}" in await store.connection.database.list_collection_names()


async def is_empty(store: Store, collection: str) -> bool:
    return collection not in await store.connection.database.list_collection_names()


@pytest.mark.parametrize("mode", [Mode.INSERT, Mode.UPSERT, Mode.MERGE])
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=CHANGES, breaks=st.lists(st.integers(1, 6), max_size=4))
async def test_broken_off_and_run_again_it_is_as_any_load(
    store: Store, mode: Mode, changes: Sequence[tuple[int, int]], breaks: Sequence[int]
) -> None:
    collection, other = f"c{uuid4().hex}", f"c{uuid4().hex}"
    own = {} if mode is Mode.INSERT else {"_id": 0}
    records = [{**({"_id": key} if own else {"key": key}), f"v{value % 3}": value} for key, value in changes]
    data = ndjson(records)
    job = await open_job(store, Load(collection, Format.NDJSON, mode, all_or_nothing=True))
    for batches in breaks:
        if (await report(store, job)).job.state is State.OPEN:
            await go_on(store, job.id, data, step=50, batches=batches)
    if (await report(store, job)).job.state is State.OPEN:
        await run(store, job, data)

    told = await report(store, job)
    counts = told.books.counts
    assert told.job.state is State.DONE
    assert counts.received == counts.written + counts.duplicates + counts.quarantined == len(records)
    assert counts.valid == len(records)
    if own:
        await load(store, other, data, mode)
        assert await stored(store, collection) == await stored(store, other)
    else:
        assert sorted(map(orjson.dumps, without_ids(await stored(store, collection)))) == sorted(
            map(orjson.dumps, records)
        )
    assert not await leftovers(store, job)


async def test_nothing_is_seen_before_the_end(store: Store, collection: str) -> None:
    data = ndjson([{"n": number} for number in range(30)])
    job = await open_job(store, Load(collection, Format.NDJSON, all_or_nothing=True))
    await go_on(store, job.id, data, step=50, batches=4)
    assert await is_empty(store, collection)
    assert await leftovers(store, job)
    await run(store, job, data)
    assert [document["n"] for document in await stored(store, collection)] == [*range(30)]


@pytest.mark.parametrize("size", [5, 50])
async def test_one_bad_record_keeps_all_out_until_it_is_allowed(store: Store, collection: str, size: int) -> None:
    data = ndjson([{"n": number} for number in range(size)]) + BAD
    wanted = Load(collection, Format.NDJSON, all_or_nothing=True, key="k")
    job, error = await fails(store, wanted, data)
    assert isinstance(error, TooManyBadError)
    assert "Nothing was written." in error.detail
    assert await is_empty(store, collection)
    again = await open_job(store, replace(wanted, max_bad="1"))
    assert again.id == job.id
    await run(store, again, data)
    counts = (await report(store, job)).books.counts
    assert (counts.inserted, counts.quarantined, counts.valid) == (size, 1, size)


async def test_what_does_not_fit_what_is_stored_gives_a_small_move_up(store: Store, collection: str) -> None:
    await load(store, collection, ndjson([{"_id": 1}]))
    wanted = Load(collection, Format.NDJSON, Mode.REPLACE, all_or_nothing=True)
    _, error = await fails(store, wanted, ndjson([{"_id": 1, "a": 1}, {"_id": 2, "a": 2}]))
    assert isinstance(error, TooManyBadError)
    assert await stored(store, collection) == [{"_id": 1}]
    assert not await store.ingestion.stores.quarantine.counts(collection)


async def test_ids_of_several_kinds_are_judged_by_the_first(store: Store, collection: str) -> None:
    data = ndjson([{"_id": number} for number in range(5)] + [{"_id": "a"}])
    _, error = await fails(store, Load(collection, Format.NDJSON, all_or_nothing=True), data)
    assert isinstance(error, TooManyBadError)
    assert await is_empty(store, collection)


async def test_undo_takes_the_staged_records_away(store: Store, collection: str) -> None:
    job, _ = await fails(store, Load(collection, Format.NDJSON, all_or_nothing=True), ndjson([{"n": 1}] * 5) + BAD)
    assert await leftovers(store, job)
    assert (await undo(store, job)).job.state is State.UNDONE
    assert not await leftovers(store, job)


async def test_undo_takes_back_what_was_moved(store: Store, collection: str) -> None:
    job = await open_job(store, Load(collection, Format.NDJSON, all_or_nothing=True))
    await run(store, job, ndjson([{"n": number} for number in range(30)]))
    assert (await undo(store, job)).job.undone == {"inserted": 30, "deleted": 30, "kept": 0, "absent": 0}
    assert await stored(store, collection) == []


async def test_forgotten_it_cannot_go_on(store: Store, collection: str) -> None:
    wanted = Load(collection, Format.NDJSON, all_or_nothing=True, key="k")
    job, _ = await fails(store, wanted, ndjson([{"n": 1}]) + BAD)
    assert await store.ingestion.stores.jobs.forget_staging(job.id)
    with pytest.raises(JobConflictError, match="staged is forgotten"):
        await open_job(store, replace(wanted, max_bad="1"))


@pytest.mark.parametrize("size", [5, 50])
async def test_expectations_are_judged_before_anything_is_written(store: Store, collection: str, size: int) -> None:
    data = ndjson([{"n": number} for number in range(size)])
    expect = to_json({"rows": {"min": 100}, "fields": {"n": {"unique": True}}})
    wanted = Load(collection, Format.NDJSON, all_or_nothing=True, expect=expect, key="k")
    job, error = await fails(store, wanted, data)
    assert isinstance(error, ExpectationError)
    assert f"There are at least 100 records: {size} records" in error.detail
    assert [finding["met"] for finding in (await report(store, job)).job.findings] == [False, True]
    assert await is_empty(store, collection)
    with pytest.raises(JobConflictError, match="other expectations"):
        await open_job(store, replace(wanted, expect=None))


async def test_otherwise_they_are_judged_afterwards(store: Store, collection: str) -> None:
    data = ndjson([{"n": number % 40} for number in range(50)])
    expect = to_json({"unique": ["n"], "fields": {"n": {"max": 10}}})
    job = await open_job(store, Load(collection, Format.NDJSON, expect=expect))
    await go_on(store, job.id, data, step=50, batches=5)
    await run(store, job, data)
    told = await report(store, job)
    assert told.job.state is State.DONE
    assert [(finding["met"], finding["found"]) for finding in told.job.findings] == [
        (False, "not so in 29 records, first in line 12"),
        (False, "10 records with a value that came before"),
    ]
