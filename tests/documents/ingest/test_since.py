"""Which records are new, by a field of any type that has an order."""

from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest
from bson.decimal128 import Decimal128
from bson.objectid import ObjectId

from documents.codec.records import Record
from documents.ingest.jobs import Cursor
from documents.ingest.since import SinceFilter, rank_of


@pytest.mark.parametrize(
    "rising",
    [
        [-(2**40), -1.5, 0, Decimal128("0.1"), 0.5, 1, 2**53, 2**53 + 1, Decimal128("1E+30")],
        ["", "2026-01-01", "2026-01-01T00:00:00Z", "é", "😀"],
        [datetime(2026, 1, 1), datetime(2026, 1, 1, 1, tzinfo=UTC), datetime(2026, 1, 2)],  # noqa: DTZ001
        [ObjectId("0" * 24), ObjectId("0" * 23 + "1")],
    ],
    ids=["numbers", "texts", "dates", "ids"],
)
def test_values_of_a_kind_are_in_order(rising: list[Any]) -> None:
    for less, more in pairwise(rising):
        at_less = SinceFilter(Cursor("x", "a", less))
        assert at_less.judge(Record(1, 0, 1, b"", {"a": more}, None)) is not None
        assert at_less.judge(Record(1, 0, 1, b"", {"a": less}, None)) is None
        assert SinceFilter(Cursor("x", "a", more)).judge(Record(1, 0, 1, b"", {"a": less}, None)) is None
        assert at_less.high == more


@pytest.mark.parametrize("value", [None, True, float("nan"), float("inf"), Decimal128("NaN"), [1], {"a": 1}], ids=str)
def test_values_without_an_order(value: Any) -> None:
    assert rank_of(value) is None
