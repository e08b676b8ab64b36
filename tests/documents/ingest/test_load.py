"""Loads: what goes in is there, and every record is accounted for."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from documents.access.policy import FULL, READ_ONLY
from documents.catalog.catalog import CollectionEntry
from documents.codec.records import Format
from documents.contracts.contract import parse_contract
from documents.database.deadline import Deadline
from documents.errors import ForbiddenError, IndexRequiredError, JobConflictError, QueryRefusedError
from documents.ingest.jobs import Load, Mode, Origin, State
from documents.ingest.profiles import EVERY, WHOLE, read_load_profile
from documents.ingest.requests import FindJobs, FindQuarantined
from documents.lifecycle import Store
from tests.documents.ingest.loading import (
    SECONDS,
    load,
    ndjson,
    open_job,
    replay,
    report,
    run,
    stored,
    undo,
    without_ids,
)

PEOPLE = [{"name": f"Person {number}", "age": number} for number in range(5000)]


async def set_contract(store: Store, collection: str, contract: Mapping[str, object]) -> None:
    await store.catalog.contracts.write(collection, parse_contract(contract), by="test", check=lambda _: None)


async def in_quarantine(store: Store, collection: str) -> list[tuple[int, str, str, bytes]]:
    plan = await store.ingestion.quarantined(FindQuarantined(collection, limit=1000), FULL)
    return [(each.line, each.code, each.pointer, each.raw) for each in await plan.run(Deadline(SECONDS))]


async def test_what_goes_in_is_there(store: Store, collection: str) -> None:
    told = await load(store, collection, ndjson(PEOPLE))
    assert told.job.state is State.DONE
    assert told.books.counts.inserted == len(PEOPLE)
    found = without_ids(await stored(store, collection))
    assert sorted(found, key=lambda each: each["age"]) == PEOPLE
    entry: CollectionEntry = await store.catalog.get(collection)
    assert entry.id_type == "objectid"


async def test_bad_lines_are_put_aside_with_their_place(store: Store, collection: str) -> None:
    data = b'{"a": 1}\n{"a": \n\n{"a": NaN}\n[1]\n{"$a": 1}\n{"a": 2, "a": 3}\n{"a": 4}\n'
    told = await load(store, collection, data)
    assert without_ids(await stored(store, collection)) == [{"a": 1}, {"a": 4}]
    assert await in_quarantine(store, collection) == [
        (2, "malformed-json", "", b'{"a":'),
        (4, "malformed-json", "", b'{"a": NaN}'),
        (5, "wrong-type", "", b"[1]"),
        (6, "key-refused", "/$a", b'{"$a": 1}'),
        (7, "duplicate-key", "/a", b'{"a": 2, "a": 3}'),
    ]
    assert [each.line for each in told.books.faults] == [2, 4, 5, 6, 7]


async def test_the_same_ids_again_are_duplicates(store: Store, collection: str) -> None:
    documents = [{"_id": f"p{number:04}", "n": number} for number in range(3000)]
    await load(store, collection, ndjson(documents[:1500]))
    told = await load(store, collection, ndjson([*documents, documents[0], documents[2999]]))
    assert (told.books.counts.inserted, told.books.counts.duplicates) == (1500, 1502)
    assert await stored(store, collection) == documents
    assert told.books.faults[0].to_dict() == {
        "line": 1,
        "offset": 0,
        "code": "unique-violation",
        "pointer": "/_id",
        "detail": "Another document has the same _id.",
    }


@pytest.mark.parametrize("options", [{}, {"partialFilterExpression": {"email": {"$exists": True}}}, {"sparse": True}])
async def test_other_unique_values_are_duplicates_too(
    store: Store, collection: str, options: dict[str, object]
) -> None:
    await store.connection.collection(collection).create_index([("email", 1)], unique=True, **options)  # pyright: ignore[reportArgumentType]  # of several types
    documents = [{"email": f"{number % 40}@example.com", "n": number} for number in range(60)]
    told = await load(store, collection, ndjson([*documents, {"n": 60}]))
    assert (told.books.counts.inserted, told.books.counts.duplicates) == (41, 20)
    told = await load(store, collection, ndjson(documents))
    assert (told.books.counts.inserted, told.books.counts.duplicates) == (0, 60)


async def test_a_key_loads_once(store: Store, collection: str) -> None:
    first = await load(store, collection, ndjson(PEOPLE[:10]), key="k")
    job = await open_job(store, Load(collection, Format.NDJSON, key="k"))
    assert (job.id, job.state) == (first.job.id, State.DONE)
    with pytest.raises(JobConflictError):
        await run(store, job, ndjson(PEOPLE[:10]))
    with pytest.raises(JobConflictError):
        await open_job(store, Load(collection, Format.CSV, key="k"))
    assert len(await stored(store, collection)) == 10


class TestModes:
    async def test_upsert(self, store: Store, collection: str) -> None:
        await load(store, collection, ndjson([{"sku": "a", "n": 1, "x": 1}, {"sku": "b", "n": 1}]))
        await store.connection.collection(collection).create_index([("sku", 1)], unique=True)
        data = ndjson(
            [{"sku": "a", "n": 2}, {"sku": "b", "n": 1}, {"sku": "c", "n": 3}, {"sku": "c", "n": 4}, {"n": 5}]
        )
        told = await load(store, collection, data, Mode.UPSERT, on=("sku",))
        counts = told.books.counts
        assert (counts.inserted, counts.updated, counts.unchanged, counts.quarantined) == (1, 2, 1, 1)
        found = sorted(without_ids(await stored(store, collection)), key=lambda each: each["sku"])
        assert found == [
            {"sku": "a", "n": 2},
            {"sku": "b", "n": 1},
            {"sku": "c", "n": 4},
        ]
        assert [each[:3] for each in await in_quarantine(store, collection)] == [(5, "key-missing", "/sku")]

    async def test_merge(self, store: Store, collection: str) -> None:
        await load(store, collection, ndjson([{"_id": 1, "n": 1, "x": {"y": 1}}]))
        data = ndjson([{"_id": 1, "x": {"z": 2}}, {"_id": 2, "n": 5}, {"_id": 2, "n": None}])
        told = await load(store, collection, data, Mode.MERGE)
        assert (told.books.counts.inserted, told.books.counts.updated) == (1, 2)
        assert await stored(store, collection) == [{"_id": 1, "n": 1, "x": {"y": 1, "z": 2}}, {"_id": 2}]

    async def test_replace(self, store: Store, collection: str) -> None:
        await load(store, collection, ndjson([{"_id": 1, "n": 1}]))
        told = await load(store, collection, ndjson([{"_id": 1, "m": 2}, {"_id": 7, "m": 2}]), Mode.REPLACE)
        assert (told.books.counts.updated, told.books.counts.quarantined) == (1, 1)
        assert await stored(store, collection) == [{"_id": 1, "m": 2}]
        assert (await in_quarantine(store, collection))[0][:2] == (2, "document-not-found")

    async def test_delete(self, store: Store, collection: str) -> None:
        await load(store, collection, ndjson([{"_id": number} for number in range(10)]))
        told = await load(store, collection, ndjson([{"_id": 3}, {"_id": 99}, {"_id": 3}]), Mode.DELETE)
        assert (told.books.counts.deleted, told.books.counts.unchanged) == (1, 2)
        assert len(await stored(store, collection)) == 9

    async def test_a_key_without_an_index_is_refused(self, store: Store, collection: str) -> None:
        await load(store, collection, ndjson(PEOPLE[:2]))
        with pytest.raises(IndexRequiredError):
            await open_job(store, Load(collection, Format.NDJSON, Mode.UPSERT, ("name",)))

    async def test_an_empty_collection_gets_the_index(self, store: Store, collection: str) -> None:
        told = await load(store, collection, ndjson([{"a": 1, "b": 1}, {"a": 1, "b": 2}]), Mode.UPSERT, on=("a",))
        assert (told.books.counts.inserted, told.books.counts.updated) == (1, 1)
        assert told.job.notes == ("The empty collection got a unique index over a.",)

    @pytest.mark.parametrize("mode", Mode)
    async def test_a_policy_that_may_not_write_loads_nothing(self, store: Store, collection: str, mode: Mode) -> None:
        with pytest.raises(ForbiddenError):
            await store.ingestion.load(Load(collection, Format.NDJSON, mode), READ_ONLY)


class TestContracts:
    async def test_what_does_not_fit_is_put_aside_and_replayed(self, store: Store, collection: str) -> None:
        strict = {"schema": {"properties": {"n": {"bsonType": "int"}}}, "types": "quarantine", "fields": "quarantine"}
        await set_contract(store, collection, strict)
        told = await load(store, collection, ndjson([{"n": 1}, {"n": "two"}, {"n": 3, "m": 4}]))
        assert told.books.counts.quarantined == 2
        held = await in_quarantine(store, collection)
        assert [each[:3] for each in held] == [(2, "wrong-type", "/n"), (3, "unknown-field", "/m")]

        wider = {"schema": {"properties": {"n": {"bsonType": "int"}, "m": {}}}, "types": "quarantine"}
        await set_contract(store, collection, wider)
        again = await replay(store, collection)
        assert (again.books.counts.inserted, again.books.counts.quarantined) == (1, 1)
        plan = await store.ingestion.quarantined(FindQuarantined(collection), FULL)
        (left,) = await plan.run(Deadline(SECONDS))
        assert (left.line, left.attempts, left.contract_version, left.rule) == (2, 1, 2, "/properties/n")
        found = without_ids(await stored(store, collection))
        assert sorted(found, key=lambda each: each["n"]) == [{"n": 1}, {"n": 3, "m": 4}]

    async def test_it_learns(self, store: Store, collection: str) -> None:
        await set_contract(store, collection, {"schema": {}, "fields": "evolve", "types": "evolve"})
        told = await load(store, collection, ndjson([*PEOPLE, {"name": 7, "more": True}]))
        assert told.books.counts.inserted == len(PEOPLE) + 1
        found = await store.catalog.contracts.read(collection)
        assert found is not None
        assert found.contract is not None
        assert set(found.contract.schema["properties"]) == {"name", "age", "more"}

    async def test_what_is_discarded_is_counted(self, store: Store, collection: str) -> None:
        await set_contract(store, collection, {"schema": {"properties": {"age": {}}}, "fields": "discard-field"})
        told = await load(store, collection, ndjson(PEOPLE))
        assert told.books.discarded == {"/name": len(PEOPLE)}
        assert await store.catalog.contracts.discards.of(collection) == {"/name": len(PEOPLE)}


class TestUndo:
    async def test_inserts_go_and_changes_stay(self, store: Store, collection: str) -> None:
        await load(store, collection, ndjson([{"_id": "old", "n": 1}]))
        told = await load(store, collection, ndjson([{"_id": f"{number}"} for number in range(5000)]))
        await store.connection.collection(collection).update_one({"_id": "17"}, {"$set": {"mine": True}})
        await store.connection.collection(collection).delete_one({"_id": "18"})
        undone = await undo(store, told.job)
        assert undone.job.state is State.UNDONE
        assert undone.job.undone == {"inserted": 5000, "deleted": 4998, "kept": 1, "absent": 1}
        assert await stored(store, collection) == [{"_id": "17", "mine": True}, {"_id": "old", "n": 1}]

    async def test_by_force_everything_goes(self, store: Store, collection: str) -> None:
        told = await load(store, collection, ndjson(PEOPLE[:10]), key="again")
        await store.connection.collection(collection).update_many({}, {"$set": {"mine": True}})
        await undo(store, told.job, force=True)
        assert await stored(store, collection) == []
        again = await load(store, collection, ndjson(PEOPLE[:10]), key="again")
        assert again.job.id != told.job.id
        assert len(await stored(store, collection)) == 10

    async def test_each_document_knows_its_load(self, store: Store, collection: str) -> None:
        first = await load(store, collection, ndjson([{"_id": 1}, {"_id": 2}]))
        second = await load(store, collection, ndjson([{"_id": 2, "n": 1}]), Mode.UPSERT)
        found = await store.ingestion.stores.batches.find_loads(collection, [2])
        assert found == [(first.job.id, True), (second.job.id, False)]


async def test_a_job_that_is_cancelled_can_go_on(store: Store, collection: str) -> None:
    job = await open_job(store, Load(collection, Format.NDJSON, key="c"))
    cancelled = await (await store.ingestion.cancel(job.id, FULL)).run(Deadline(SECONDS))
    assert cancelled.state == "cancelled"
    with pytest.raises(JobConflictError):
        await run(store, job, ndjson(PEOPLE))
    again = await open_job(store, Load(collection, Format.NDJSON, key="c"))
    assert again.id == job.id
    await run(store, again, ndjson(PEOPLE))
    assert (await report(store, again)).books.counts.inserted == len(PEOPLE)


async def test_what_it_loaded_is_looked_at(store: Store, collection: str) -> None:
    told = await load(store, collection, ndjson([*PEOPLE, *PEOPLE, {"name": None}]))
    found = await read_load_profile(store.connection, told.job.id)
    assert found is not None
    profile, population = found
    assert population == 2 * len(PEOPLE) + 1
    assert profile.documents == WHOLE + len(PEOPLE) // EVERY + 1
    assert set(profile.root.fields) == {"_id", "name", "age"}


async def test_an_upload_that_was_abandoned_does_not_go_on(store: Store, collection: str) -> None:
    wanted = Load(collection, Format.NDJSON, origin=Origin.UPLOAD, key="k")
    job = await open_job(store, wanted)
    assert await store.ingestion.stores.jobs.give_up(job.id)
    with pytest.raises(JobConflictError, match="Undo it"):
        await open_job(store, wanted)
    await undo(store, job)
    assert (await open_job(store, wanted)).id != job.id


async def test_the_upload_of_a_load_that_stopped_is_not_kept_for_ever(store: Store, collection: str) -> None:
    jobs, soon = store.ingestion.stores.jobs, datetime.now(UTC).replace(tzinfo=None) + timedelta(minutes=1)
    wanted = Load(collection, Format.NDJSON, origin=Origin.UPLOAD, key="k")
    job = await open_job(store, wanted)
    await jobs.cancel(job.id)
    assert job.id in {each.id for each in await jobs.stopped(soon)}
    assert job.id not in {each.id for each in await jobs.stopped(soon - timedelta(hours=1))}
    assert await jobs.forget_upload(job.id)
    assert job.id not in {each.id for each in await jobs.stopped(soon)}
    with pytest.raises(JobConflictError, match="Undo it"):
        await open_job(store, wanted)
    await undo(store, job)
    assert (await open_job(store, wanted)).id != job.id


async def test_a_load_that_goes_on_keeps_its_upload(store: Store, collection: str) -> None:
    job = await open_job(store, Load(collection, Format.NDJSON, origin=Origin.UPLOAD))
    assert not await store.ingestion.stores.jobs.forget_upload(job.id)


async def test_the_list_needs_not_read_what_was_written(store: Store, collection: str) -> None:
    told = await load(store, collection, ndjson(PEOPLE) + b"{\n")
    await store.ingestion.stores.batches.records.delete_many({"job": told.job.id})
    plan = await store.ingestion.jobs(FindJobs(collection), FULL)
    [listed] = await plan.run(Deadline(SECONDS))
    assert (listed.books.counts, listed.books.discarded) == (told.books.counts, told.books.discarded)


async def test_a_view_takes_no_load(store: Store, collection: str) -> None:
    await store.connection.database.create_collection(f"{collection}_view", viewOn=collection, pipeline=[])
    with pytest.raises(QueryRefusedError, match="view"):
        await open_job(store, Load(f"{collection}_view", Format.NDJSON))
