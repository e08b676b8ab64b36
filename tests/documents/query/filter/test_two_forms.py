"""Texts that also mean an ObjectId, a UUID or a date, on fields that nobody declared."""

from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from bson import Binary, ObjectId
from hypothesis import given
from hypothesis import strategies as st

from documents.plain_forms import date_of, filter_reading, object_id_of, uuid_of
from documents.query.filter.filter import parse_filter
from documents.query.filter.parameters import parse_parameters
from tests.documents.query.filters import no_types, shop_types

HEX, OID = "65920080090dc4cfcb0320c3", ObjectId("65920080090dc4cfcb0320c3")
A, DATE_A = "2026-01-01T00:00:00Z", datetime(2026, 1, 1)  # noqa: DTZ001  # as stored
B, DATE_B = "2026-02-01T00:00:00.000Z", datetime(2026, 2, 1)  # noqa: DTZ001  # as stored
UUID_TEXT = "73ffd264-44b3-4c69-90e8-e7d1dfc035d4"
UUID_VALUE = Binary.from_uuid(UUID(UUID_TEXT))
TEXTS, DATES = {"$gte": A, "$lt": B}, {"$gte": DATE_A, "$lt": DATE_B}

COMPILED: list[tuple[Any, Any]] = [
    ({"a": HEX}, {"a": {"$in": [HEX, OID]}}),
    ({"a": UUID_TEXT}, {"a": {"$in": [UUID_TEXT, UUID_VALUE]}}),
    ({"a": {"$eq": A}}, {"a": {"$in": [A, DATE_A]}}),
    ({"a": {"$ne": HEX}}, {"a": {"$nin": [HEX, OID]}}),
    ({"a": {"$in": [HEX, 1]}}, {"a": {"$in": [HEX, OID, 1]}}),
    ({"a": {"$nin": ["x", HEX], "$ne": A}}, {"a": {"$nin": ["x", HEX, OID, A, DATE_A]}}),
    ({"a": {"$eq": HEX, "$in": [HEX, A]}}, {"a": {"$in": [HEX, OID]}}),
    ({"a": TEXTS}, {"$or": [{"a": TEXTS}, {"a": DATES}]}),
    ({"a": TEXTS, "b": 1}, {"$and": [{"b": {"$eq": 1}}, {"$or": [{"a": TEXTS}, {"a": DATES}]}]}),
    ({"a": {"$not": {"$gte": A}}}, {"$and": [{"a": {"$not": {"$gte": A}}}, {"a": {"$not": {"$gte": DATE_A}}}]}),
    ({"a": {"$not": {"$eq": HEX}}}, {"a": {"$not": {"$in": [HEX, OID]}}}),
    ({"a": {"$all": [HEX, "x"]}}, {"$and": [{"a": {"$in": [HEX, OID]}}, {"a": {"$all": ["x"]}}]}),
    ({"a": {"$all": [HEX]}}, {"a": {"$in": [HEX, OID]}}),
    ({"a": {"$elemMatch": {"$eq": HEX}}}, {"a": {"$elemMatch": {"$in": [HEX, OID]}}}),
    ({"a": {"$elemMatch": {"b": HEX}}}, {"a": {"$elemMatch": {"b": {"$in": [HEX, OID]}}}}),
    (
        {"a": {"$elemMatch": {"b": TEXTS}}},
        {"a": {"$elemMatch": {"$or": [{"b": TEXTS}, {"b": DATES}]}}},
    ),
    (
        {"a": {"$elemMatch": TEXTS}},
        {"$or": [{"a": {"$elemMatch": TEXTS}}, {"a": {"$elemMatch": DATES}}]},
    ),
    ({"$or": [{"a": HEX}]}, {"$or": [{"a": {"$in": [HEX, OID]}}]}),
    ({"$or": [{"a": 1}], "b": TEXTS}, {"$and": [{"$or": [{"a": {"$eq": 1}}]}, {"$or": [{"b": TEXTS}, {"b": DATES}]}]}),
    # What is no plain form, and what is no text.
    ({"a": HEX.upper()}, {"a": {"$eq": HEX.upper()}}),
    ({"a": "2026-01-01"}, {"a": {"$eq": "2026-01-01"}}),
    ({"a": "2026-13-01T00:00:00Z"}, {"a": {"$eq": "2026-13-01T00:00:00Z"}}),
    ({"a": "0001-01-01T00:00:00+23:59"}, {"a": {"$eq": "0001-01-01T00:00:00+23:59"}}),
    ({"a": OID}, {"a": {"$eq": OID}}),
    ({"a": {"b": HEX}}, {"a": {"$eq": {"b": HEX}}}),
]


@pytest.mark.parametrize(("asked", "compiled"), COMPILED)
def test_compiles(asked: Any, compiled: Any) -> None:
    assert parse_filter(asked, no_types).to_mongo() == compiled


@pytest.mark.parametrize(
    ("pairs", "compiled"),
    [
        ([("a", HEX)], {"a": {"$in": [HEX, OID]}}),
        ([("a", f'"{HEX}"')], {"a": {"$in": [HEX, OID]}}),
        ([("a[in]", f"{HEX},x")], {"a": {"$in": [HEX, OID, "x"]}}),
        ([("a[gte]", A), ("a[lt]", B)], {"$or": [{"a": TEXTS}, {"a": DATES}]}),
        (
            [("a[gte]", A), ("b", "1"), ("a[lt]", B)],
            {"$and": [{"$or": [{"a": TEXTS}, {"a": DATES}]}, {"b": {"$eq": 1}}]},
        ),
    ],
)
def test_compiles_parameters(pairs: Any, compiled: Any) -> None:
    assert parse_parameters(pairs, no_types).to_mongo() == compiled


@pytest.mark.parametrize(
    ("asked", "compiled"),
    [({"name": HEX}, {"name": {"$eq": HEX}}), ({"tags": {"$in": [A]}}, {"tags": {"$in": [A]}})],
)
def test_declared_fields_have_one_form(asked: Any, compiled: Any) -> None:
    assert parse_filter(asked, shop_types).to_mongo() == compiled


def test_literal_texts_have_one_form() -> None:
    assert parse_filter({"a": HEX}, no_types, literal=True).to_mongo() == {"a": {"$eq": HEX}}
    assert parse_parameters([("a", HEX)], no_types, literal=True).to_mongo() == {"a": {"$eq": HEX}}


def test_a_quoted_text_is_the_same_on_declared_fields() -> None:
    pairs = [("name", '"MUG"')]
    assert parse_parameters(pairs, shop_types) == parse_parameters(pairs, no_types)
    assert parse_parameters(pairs, shop_types).to_mongo() == {"name": {"$eq": "MUG"}}


@given(st.binary(min_size=12, max_size=12).map(ObjectId))
def test_reads_what_an_object_id_is_shown_as(value: ObjectId) -> None:
    assert object_id_of(str(value)) == filter_reading(str(value)) == value


@given(st.uuids())
def test_reads_what_a_uuid_is_shown_as(value: UUID) -> None:
    assert uuid_of(str(value)) == filter_reading(str(value)) == Binary.from_uuid(value)


@given(st.datetimes())
def test_reads_what_a_date_is_shown_as(value: datetime) -> None:
    cut = value.replace(microsecond=value.microsecond // 1000 * 1000)
    text = f"{cut.isoformat(timespec='milliseconds')}Z"
    assert date_of(text) == filter_reading(text) == cut
