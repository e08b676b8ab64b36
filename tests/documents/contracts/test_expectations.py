"""What can be expected of records, and what is found; and records unlike those that are there."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from bson.decimal128 import Decimal128
from bson.int64 import Int64

from documents.codec.formats import ReadOptions
from documents.codec.records import Format
from documents.contracts import expectations
from documents.contracts.expectations import Expectations, Tally, to_json
from documents.errors import DriftError, InvalidParameterError
from documents.ingest.jobs import Load, Mode
from documents.lifecycle import Store
from tests.documents.ingest.loading import load, ndjson, open_job, run
from tests.documents.ingest.test_gates import fails

MOMENT = datetime(2026, 1, 2, tzinfo=UTC)


RULES: list[tuple[dict[str, Any], list[Any], list[Any]]] = [
    ({"not_null": True}, [1, "", [], False], [None]),
    (
        {"min": 1},
        [1, 1.5, Int64(2), Decimal128("1.0"), None, [1, 2]],
        [0, 0.5, Decimal128("0.99"), "1", True, [1, 0]],
    ),
    ({"max": 1.5}, [1, 1.5, Decimal128("1.5"), None], [2, Decimal128("1.51"), "a", Decimal128("NaN")]),
    ({"min": "b"}, ["b", "ba"], ["a", 1]),
    ({"min": "2026-01-02"}, [MOMENT, MOMENT.replace(tzinfo=None)], [MOMENT.replace(year=2025), 3]),
    ({"in": [1, "new"]}, [1, 1.0, Decimal128("1"), "new", None, ["new", 1]], [True, "1", 2, ["new", "old"]]),
    ({"in": ["2026-01-02T00:00:00Z"]}, [MOMENT], [MOMENT.replace(day=3)]),
    ({"not_null": False, "unique": False}, [None, 1], []),
]


@pytest.mark.parametrize(("rule", "good", "bad"), RULES, ids=str)
def test_what_a_field_is_expected_to_be(rule: dict[str, Any], good: list[Any], bad: list[Any]) -> None:
    expected = Expectations.parse(to_json({"fields": {"a.b": rule}}))
    for value in good:
        assert not expected.tally([(1, {"a": {"b": value}})]).broken, value
    for value in bad:
        assert expected.tally([(7, {"a": {"b": value}})]).broken == {0: (1, 7)}, value


def test_a_field_that_is_not_there_is_null() -> None:
    expected = Expectations.parse('{"fields": {"a": {"not_null": true, "min": 1}}}')
    assert expected.tally([(1, {}), (2, {"a": 0})]).broken == {0: (1, 1), 1: (1, 2)}


@pytest.mark.parametrize("at_once", [2, 1000])
def test_values_are_unique_over_batches(monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    monkeypatch.setattr(expectations, "AT_ONCE", at_once)
    expected = Expectations.parse('{"unique": ["a", ["a", "b"]]}')
    batches = [[{"a": 1, "b": 1}, {"a": 2, "b": 1}, {}], [{"a": 1.0, "b": 2}, {"a": "1", "b": 1}, {}]]
    tallies = [Tally.from_record(expected.tally(enumerate(batch)).to_record()) for batch in batches]
    assert [(each.is_met, each.detail) for each in expected.judge(6, tallies)] == [
        (False, "1 record with a value that came before"),
        (True, "so in all"),
    ]


@pytest.mark.parametrize(("rows", "is_met"), [(1, False), (2, True), (3, True), (4, False)])
def test_rows(rows: int, is_met: bool) -> None:  # noqa: FBT001  # a column of the table
    (finding,) = Expectations.parse('{"rows": {"min": 2, "max": 3}}').judge(rows, [])
    assert finding.is_met is is_met


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "null", '{"row": {}}', '{"rows": 1}', '{"rows": {"min": -1}}', '{"rows": {"min": true}}',
        '{"rows": {"least": 1}}', '{"fields": []}', '{"fields": {"a": 1}}', '{"fields": {"$a": {}}}',
        '{"fields": {"a": {"nul": true}}}', '{"fields": {"a": {"not_null": 1}}}', '{"fields": {"a": {"in": []}}}',
        '{"fields": {"a": {"in": [{}]}}}', '{"fields": {"a": {"min": true}}}', '{"fields": {"a": {"max": null}}}',
        '{"unique": "a"}', '{"unique": [[]]}', '{"unique": [1]}', '{"unique": ["a..b"]}',
        to_json({"unique": [f"f{number}" for number in range(101)]}),
    ],
)  # fmt: skip
def test_what_cannot_be_expected(text: str) -> None:
    with pytest.raises(InvalidParameterError):
        Expectations.parse(text)


STORED = [{"sku": "a", "price": 1.5, "size": 3}, {"sku": "b", "price": 2.5, "size": 4}]


@pytest.mark.parametrize(
    ("came", "mode", "told"),
    [
        ([{"sku": "c", "price": 2, "size": 2**40}], Mode.INSERT, None),
        ([{"sku": "c", "price": "n/a", "size": 1}], Mode.INSERT, "in 1 field, and 0 may: price has string"),
        ([{"sku": "c", "price": None, "size": 1}], Mode.INSERT, "price has null"),
        ([{"sku": "c", "price": 1.0, "size": 1, "colour": "red"}], Mode.INSERT, "colour is new"),
        ([{"sku": "c", "price": 1.0}], Mode.INSERT, "size is gone"),
        ([{"sku": "c", "price": 1.0}], Mode.UPSERT, "size is gone"),
        ([{"sku": "c", "price": 1.0}], Mode.MERGE, None),
    ],
)
async def test_drift_stops_a_load(
    store: Store, collection: str, came: list[dict[str, Any]], mode: Mode, told: str | None
) -> None:
    await load(store, collection, ndjson(STORED), Mode.UPSERT, on=("sku",))
    wanted = Load(collection, Format.NDJSON, mode, ("sku",), max_drift="0", key="k")
    if told is None:
        await run(store, await open_job(store, wanted), ndjson(came))
        return
    job, error = await fails(store, wanted, ndjson(came))
    assert isinstance(error, DriftError)
    assert told in error.detail
    assert await store.connection.collection(collection).count_documents({}) == 2
    again = await open_job(store, replace(wanted, max_drift="50%"))
    assert again.id == job.id
    await run(store, again, ndjson(came))


async def test_a_table_with_other_types_is_noticed(store: Store, collection: str) -> None:
    options = ReadOptions(infer=True)
    await load(store, collection, b"sku,price\na,1.5\nb,2.5\n", form=Format.CSV, options=options)
    wanted = Load(collection, Format.CSV, options=options, max_drift="0")
    _, error = await fails(store, wanted, b"sku,price\na,1.5\nb,n/a\n")
    assert "price has string" in error.detail


async def test_nothing_differs_from_an_empty_collection(store: Store, collection: str) -> None:
    await run(store, await open_job(store, Load(collection, Format.NDJSON, max_drift="0")), ndjson(STORED))
