"""Keyed loads: the last record of a key in the file wins, whatever the batches, retries, kills and other loads."""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from typing import Any
from uuid import uuid4

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from documents.codec.records import Format
from documents.errors import NothingFitsError
from documents.ingest import reading
from documents.ingest.jobs import Job, Load, Mode, State
from documents.lifecycle import Store
from tests.documents.ingest.loading import Bytes, load, ndjson, open_job, report, run, stored, without_ids

pytestmark = pytest.mark.slow

KEYED = (Mode.UPSERT, Mode.REPLACE, Mode.MERGE, Mode.DELETE)
RECORDS = st.lists(
    st.one_of(
        st.tuples(st.integers(0, 5), st.sampled_from("xyz"), st.one_of(st.none(), st.integers(0, 99))),
        st.none(),
    ),
    max_size=60,
)
"""A key, a field and its value; None is a line that is no record."""


def lines_of(records: Sequence[tuple[int, str, int | None] | None]) -> bytes:
    bad = b"{\n"
    return b"".join(bad if record is None else ndjson([{"_id": record[0], record[1]: record[2]}]) for record in records)


def apply_to(documents: dict[int, dict[str, Any]], mode: Mode, record: tuple[int, str, int | None]) -> bool:
    """Do to a dict what a record does to a collection, and tell whether it is carried out."""
    key, name, value = record
    if mode is Mode.DELETE:
        documents.pop(key, None)
        return True
    if mode is Mode.REPLACE and key not in documents:
        return False
    if mode is Mode.MERGE and key in documents:
        documents[key][name] = value
        if value is None:
            del documents[key][name]
    else:
        documents[key] = {"_id": key, name: value}
    return True


async def break_off(store: Store, job: Job, data: bytes, *, after: int) -> None:
    """Run a load until it has told so many times how far it is; what is under way is given up."""
    async with aclosing(store.ingestion.run(job.id, Bytes(data, step=50))) as progresses:
        seen = 0
        async for _ in progresses:
            seen += 1
            if seen == after:
                return


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "BATCH_RECORDS", 3)


@pytest.mark.parametrize("mode", KEYED)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(records=RECORDS, breaks=st.lists(st.integers(1, 5), max_size=4), there=st.sets(st.integers(0, 5)))
async def test_a_keyed_file_does_what_it_would_do_to_a_dict(
    store: Store,
    mode: Mode,
    records: Sequence[tuple[int, str, int | None] | None],
    breaks: Sequence[int],
    there: set[int],
) -> None:
    collection = f"c{uuid4().hex}"
    expected: dict[int, dict[str, Any]] = {key: {"_id": key, "x": -1} for key in there}
    if there:
        await load(store, collection, ndjson([expected[key] for key in sorted(there)]))
    before = [expected[key] for key in sorted(expected)]
    done = sum(record is not None and apply_to(expected, mode, record) for record in records)

    data = lines_of(records)
    job = await open_job(store, Load(collection, Format.NDJSON, mode))
    try:
        for after in breaks:
            if (await report(store, job)).job.state is State.OPEN:
                await break_off(store, job, data, after=after)
        if (await report(store, job)).job.state is State.OPEN:
            await run(store, job, data, step=50)
    except NothingFitsError:  # such a load stops before it writes
        assert not any(records[:3])
        assert await stored(store, collection) == before
        return

    counts = (await report(store, job)).books.counts
    assert await stored(store, collection) == [expected[key] for key in sorted(expected)]
    assert (counts.received, counts.written, counts.duplicates) == (len(records), done, 0)
    assert counts.quarantined == len(records) - done


@pytest.mark.parametrize("keys", [1, 100])
async def test_the_last_of_many_versions_wins(
    store: Store, collection: str, keys: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "BATCH_RECORDS", 500)
    changes = [{"_id": number * 7 % keys, "v": number} for number in range(6000)]
    told = await load(store, collection, ndjson(changes), Mode.UPSERT)
    assert await stored(store, collection) == sorted(changes[-keys:], key=lambda each: each["_id"])
    assert (told.books.counts.inserted, told.books.counts.updated) == (keys, 6000 - keys)


async def test_each_of_two_loads_keeps_its_own_order(
    store: Store, collection: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "BATCH_RECORDS", 200)
    files = [[{"_id": number * 7 % 20, "of": name, "v": number} for number in range(3000)] for name in "ab"]
    await asyncio.gather(*(load(store, collection, ndjson(file), Mode.UPSERT) for file in files))
    found = await stored(store, collection)
    assert len(found) == 20
    assert all(each["v"] >= 2980 for each in found)


async def test_ids_that_are_written_in_two_ways_are_one_key(store: Store, collection: str) -> None:
    await load(store, collection, ndjson([{"_id": f"{'a' * 23}{number}"} for number in range(2)]), Mode.UPSERT)
    changes = [{"_id": (f"{'A' * 23}0" if number % 2 else f"{'a' * 23}0"), "v": number} for number in range(60)]
    await load(store, collection, ndjson(changes), Mode.UPSERT)
    assert [each.get("v") for each in await stored(store, collection)] == [59, None]


async def test_values_may_be_handed_on_within_a_file(store: Store, collection: str) -> None:
    await store.connection.collection(collection).create_index([("email", 1)], unique=True)
    await load(store, collection, ndjson([{"_id": 1, "email": "x"}, {"_id": 2, "email": "y"}]))
    moves = [{"_id": 1, "email": "z"}, {"_id": 2, "email": "x"}, {"_id": 1, "email": "w"}]
    told = await load(store, collection, ndjson(moves), Mode.UPSERT)
    assert (told.books.counts.updated, told.books.counts.quarantined) == (3, 0)
    assert await stored(store, collection) == [{"_id": 1, "email": "w"}, {"_id": 2, "email": "x"}]


@pytest.mark.parametrize("mode", [Mode.UPSERT, Mode.REPLACE, Mode.MERGE])
async def test_a_clash_on_another_unique_value_is_put_aside(store: Store, collection: str, mode: Mode) -> None:
    await store.connection.collection(collection).create_index([("email", 1)], unique=True)
    before = [{"_id": 1, "email": "x"}, {"_id": 2, "email": "y"}, {"_id": 3, "email": "z"}]
    await load(store, collection, ndjson(before))
    changes = [{"_id": 2, "email": "x"}, {"_id": 3, "email": "a"}, {"_id": 3, "email": "y"}, {"_id": 3, "email": "b"}]
    told = await load(store, collection, ndjson(changes), mode)
    counts = told.books.counts
    assert (counts.updated, counts.duplicates, counts.quarantined) == (2, 0, 2)
    assert [each.fault.code for each in told.books.faults] == ["unique-violation"] * 2
    assert [each["email"] for each in await stored(store, collection)] == ["x", "y", "b"]


async def test_inserted_documents_lie_in_the_order_of_the_file(store: Store, collection: str) -> None:
    lines = [orjson.dumps({"n": number}) for number in range(500)]
    await load(store, collection, b"\n".join(lines))
    assert without_ids(await stored(store, collection)) == [{"n": number} for number in range(500)]
