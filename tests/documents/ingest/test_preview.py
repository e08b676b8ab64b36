"""Dry runs: what they say is what a load then does, and they do nothing."""

from collections.abc import Mapping, Sequence
from contextlib import aclosing

import pytest

from documents.access.policy import FULL, READ_ONLY
from documents.codec.formats import ReadOptions
from documents.codec.records import Format
from documents.contracts.contract import parse_contract
from documents.contracts.verdict import Lesson
from documents.errors import ForbiddenError, IndexRequiredError, InvalidParameterError
from documents.ingest.jobs import Load, Mode
from documents.ingest.preview import FAULTS, NOT_SEEN, PROFILED, Preview, lesson_to_text
from documents.lifecycle import Store
from documents.profile.report import read_profile
from tests.documents.ingest.loading import Bytes, load, ndjson, stored

BAD = b'{"a": 1}\n{"a": \n{"a": NaN}\n[1]\n{"a": 2}\n'


async def preview(store: Store, wanted: Load, data: bytes) -> tuple[Preview, int]:
    async with aclosing(store.ingestion.preview(wanted, Bytes(data), FULL)) as previews:
        steps = [step async for step in previews]
    return steps[-1], len(steps)


async def set_contract(store: Store, collection: str, contract: Mapping[str, object]) -> None:
    await store.catalog.contracts.write(collection, parse_contract(contract), by="test", check=lambda _: None)


async def touched(store: Store) -> Sequence[str]:
    return sorted(await store.connection.database.list_collection_names())


async def test_it_says_what_the_load_then_does(store: Store, collection: str) -> None:
    before = await touched(store)
    told, _ = await preview(store, Load(collection, Format.NDJSON), BAD)
    assert await touched(store) == before
    assert (told.received, told.valid, told.quarantined) == (5, 2, {"malformed-json": 2, "wrong-type": 1})
    assert [fault.line for fault in told.faults["malformed-json"]] == [2, 3]
    assert told.notes == (NOT_SEEN,)
    assert told.to_dict()["faults"][2]["line"] == 4
    done = await load(store, collection, BAD)
    counts = done.books.counts
    assert (counts.received, counts.valid, counts.quarantined) == (5, 2, 3)


async def test_it_yields_as_it_goes_and_bounds_what_it_keeps(store: Store, collection: str) -> None:
    data = ndjson([{"n": number} for number in range(PROFILED + 3000)]) + b"{\n" * 10
    told, steps = await preview(store, Load(collection, Format.NDJSON), data)
    assert steps >= 7
    assert told.profile.documents == PROFILED
    assert (told.valid, len(told.faults["malformed-json"])) == (PROFILED + 3000, FAULTS)
    assert (told.read_bytes, told.total_bytes) == (len(data), len(data))
    [first, second] = read_profile(told.profile).fields
    assert (first.parts, second.parts) == (("_id",), ("n",))


async def test_columns_and_their_types(store: Store, collection: str) -> None:
    wanted = Load(collection, Format.CSV, options=ReadOptions(infer=True))
    told, _ = await preview(store, wanted, b"n,t\n1,x\n2,y\n")
    assert [(column.name, column.type) for column in told.columns] == [("n", "int"), ("t", "string")]
    assert told.to_dict()["columns"][0] == {"name": "n", "type": "int"}


class TestContracts:
    async def test_what_it_would_learn(self, store: Store, collection: str) -> None:
        contract = {"schema": {"properties": {"n": {"bsonType": "int"}}}, "fields": "evolve", "types": "evolve"}
        await set_contract(store, collection, {**contract, "max_new_fields": 1})
        data = ndjson([{"n": 1, "m": True}, {"n": "x"}, {"n": 2, "third": 3}])
        told, _ = await preview(store, Load(collection, Format.NDJSON), data)
        assert [lesson_to_text(lesson) for lesson in told.learned] == [
            "a new field m: bool",
            "one more type of n: string",
        ]
        assert (told.valid, told.quarantined) == (2, {"unknown-field": 1})
        found = await store.catalog.contracts.read(collection)
        assert found is not None
        assert found.version == 1
        done = await load(store, collection, data)
        assert (done.books.counts.valid, done.books.counts.quarantined) == (2, 1)

    async def test_what_it_would_leave_out(self, store: Store, collection: str) -> None:
        await set_contract(store, collection, {"schema": {"properties": {"a": {}}}, "fields": "discard-field"})
        told, _ = await preview(store, Load(collection, Format.NDJSON), ndjson([{"a": 1, "b": 2}, {"b": 3}]))
        assert told.discarded == {"/b": 2}
        assert [field.parts for field in read_profile(told.profile).fields] == [("_id",), ("a",)]

    @pytest.mark.parametrize("mode", [Mode.INSERT, Mode.UPSERT, Mode.REPLACE])
    async def test_it_judges(self, store: Store, collection: str, mode: Mode) -> None:
        await set_contract(store, collection, {"schema": {"properties": {"a": {"bsonType": "int"}}}})
        data = ndjson([{"_id": "1", "a": 1}, {"_id": "2", "a": "x"}, {"_id": "3"}])
        told, _ = await preview(store, Load(collection, Format.NDJSON, mode), data)
        assert (told.valid, told.quarantined) == (2, {"wrong-type": 1})

    def test_lessons_in_words(self) -> None:
        assert lesson_to_text(Lesson("required", ("properties", "a"), "b")) == "a.b may lack"


@pytest.mark.parametrize("mode", [Mode.UPSERT, Mode.REPLACE, Mode.MERGE, Mode.DELETE])
async def test_records_without_their_key(store: Store, collection: str, mode: Mode) -> None:
    told, _ = await preview(store, Load(collection, Format.NDJSON, mode), ndjson([{"_id": "a"}, {"b": 1}]))
    assert (told.valid, told.quarantined) == (1, {"key-missing": 1})
    assert await stored(store, collection) == []


async def test_what_cannot_be_meant(store: Store, collection: str) -> None:
    await load(store, collection, ndjson([{"name": "x"}]))
    with pytest.raises(IndexRequiredError):
        await preview(store, Load(collection, Format.NDJSON, Mode.UPSERT, ("name",)), b"")
    with pytest.raises(InvalidParameterError):
        await preview(store, Load(collection, Format.CSV, options=ReadOptions(header=("a", "a"))), b"")
    with pytest.raises(ForbiddenError):
        async with aclosing(
            store.ingestion.preview(Load(collection, Format.NDJSON), Bytes(b""), READ_ONLY)
        ) as previews:
            await anext(previews)
