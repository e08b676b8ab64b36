"""What a contract expects of the records of a load together."""

from typing import Any

import orjson
import pytest

from documents.codec.records import Format
from documents.contracts.contract import parse_contract
from documents.contracts.expectations import to_json
from documents.errors import ExpectationError, InvalidContractError
from documents.ingest.jobs import Load, Mode
from documents.lifecycle import Store
from tests.documents.ingest.loading import load, ndjson, open_job, report, run, stored
from tests.documents.ingest.test_preview import preview, set_contract

EXPECT: dict[str, Any] = {
    "rows": {"min": 2, "max": 3},
    "fields": {"n": {"not_null": True, "in": [1, 2, 3]}, "sku": {"unique": True}},
}
CONTRACT: dict[str, Any] = {"schema": {}, "fields": "evolve", "types": "evolve", "expect": EXPECT}
UNLIKE: list[list[dict[str, Any]]] = [
    [{"n": 1}],
    [{"n": 1}] * 4,
    [{"n": 1}, {"n": None}],
    [{"n": 1}, {"n": 9}],
    [{"n": 1, "sku": "a"}, {"n": 2, "sku": "a"}],
]


async def test_records_that_are_unlike_it_are_not_moved_in(store: Store, collection: str) -> None:
    await set_contract(store, collection, CONTRACT)
    for records in UNLIKE:
        job = await open_job(store, Load(collection, Format.NDJSON, all_or_nothing=True))
        with pytest.raises(ExpectationError):
            await run(store, job, ndjson(records))
        assert await stored(store, collection) == []
    job = await open_job(store, Load(collection, Format.NDJSON, all_or_nothing=True))
    await run(store, job, ndjson([{"n": 1, "sku": "a"}, {"n": 2, "sku": "b"}]))
    assert len(await stored(store, collection)) == 2


async def test_a_load_in_parts_says_so_and_one_that_expects_otherwise_does_not(store: Store, collection: str) -> None:
    await set_contract(store, collection, CONTRACT)
    told = await load(store, collection, ndjson([{"n": 9}, {"n": 1}]))
    assert [finding["expected"] for finding in told.job.findings if not finding["met"]] == ["n is one of [1,2,3]"]
    job = await open_job(store, Load(collection, Format.NDJSON, expect=to_json({"rows": {"min": 1}})))
    await run(store, job, ndjson([{"n": 8}]))
    assert all(finding["met"] for finding in (await report(store, job)).job.findings)
    job = await open_job(store, Load(collection, Format.NDJSON, Mode.MERGE))
    await run(store, job, ndjson([{"_id": told.job.id, "n": 9}]))
    assert (await report(store, job)).job.findings == ()


async def test_it_is_kept_with_the_contract_and_with_what_that_learns(store: Store, collection: str) -> None:
    await set_contract(store, collection, CONTRACT)
    await load(store, collection, ndjson([{"n": 1, "sku": "a", "new": 1}, {"n": 2}]))
    entry = await store.catalog.get(collection)
    assert entry.contract
    assert entry.contract.expect == EXPECT
    assert parse_contract(orjson.loads(orjson.dumps(entry.contract.to_dict()))).expect == EXPECT
    assert "expect" not in parse_contract({"schema": {}}).to_dict()


@pytest.mark.parametrize("expect", [[], {"rows": 5}, {"fields": {"$a": {}}}, {"fields": {"a": {"in": []}}}], ids=str)
def test_what_cannot_be_meant_is_refused(expect: object) -> None:
    with pytest.raises(InvalidContractError) as refused:
        parse_contract({"schema": {}, "expect": expect})
    assert {fault.pointer for fault in refused.value.faults} == {"/expect"}


async def test_a_dry_run_says_what_differs_from_what_is_there(store: Store, collection: str) -> None:
    assert (await preview(store, Load(collection, Format.NDJSON), ndjson([{"n": 1}])))[0].drift == ""
    await load(store, collection, ndjson([{"n": 1, "old": 1}] * 20))
    told, _ = await preview(store, Load(collection, Format.NDJSON), ndjson([{"n": "x", "new": 1}] * 20))
    assert set(told.drift.split(", ")) >= {"new is new", "old is gone"}
    assert told.to_dict()["drift"] == told.drift
