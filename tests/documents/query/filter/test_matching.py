from datetime import datetime
from typing import Any, TypeAlias

import pytest
from bson import Decimal128, Int64, ObjectId
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from documents.lifecycle import Store
from documents.query.filter.matching import LOGICAL, OPERATORS, matches

Query: TypeAlias = dict[str, Any]
Strategy: TypeAlias = st.SearchStrategy[Any]
DATES = [datetime(2026, month, 1) for month in (1, 6)]  # noqa: DTZ001  # as BSON decodes
SCALARS: Strategy = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from([1.5, -0.0, float("nan"), Int64(2), Decimal128("1"), Decimal128("NaN")]),
    st.sampled_from(["", "a", "b", "B"]),
    st.sampled_from([ObjectId(b"a" * 12), ObjectId(b"b" * 12)]),
    st.sampled_from(DATES),
)
NAMES: Strategy = st.sampled_from(["a", "b", "0"])
VALUES: Strategy = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=2)),
    max_leaves=6,
)
DOCUMENTS: Strategy = st.dictionaries(NAMES, VALUES, max_size=3)
PATHS: Strategy = st.sampled_from(["a", "b", "a.b", "a.0", "a.0.b", "a.b.a", "0.a"])


def one_of(names: list[str], operands: Strategy) -> Strategy:
    """Return objects of one member, an operator and its operand."""
    return st.dictionaries(st.sampled_from(names), operands, min_size=1, max_size=1)


def conditions(inner: Strategy) -> Strategy:
    return st.one_of(
        one_of(["$eq", "$ne", "$gt", "$gte", "$lt", "$lte"], VALUES),
        one_of(["$in", "$nin"], st.lists(SCALARS, max_size=3)),
        one_of(["$exists"], st.booleans()),
        one_of(["$size"], st.integers(0, 2)),
        one_of(["$elemMatch"], st.one_of(one_of(["$gte"], SCALARS), inner)),
        one_of(["$not"], one_of(["$gt"], SCALARS)),
    )


FIELDS: Strategy = st.deferred(lambda: st.dictionaries(PATHS, conditions(FIELDS), min_size=1, max_size=2))
QUERIES: Strategy = st.recursive(
    FIELDS,
    lambda inner: one_of(["$and", "$or", "$nor"], st.lists(inner, min_size=1, max_size=2)),
    max_leaves=3,
)


@pytest.mark.parametrize(
    ("query", "document", "expected"),
    [
        ({}, {"a": 1}, True),
        ({"a": {"$eq": 1}}, {"a": [1, 2]}, True),
        ({"a": {"$ne": 1}}, {"a": [1, 2]}, False),
        ({"a": {"$eq": None}}, {}, True),
        ({"a": {"$exists": False}}, {"a": None}, False),
        ({"a": {"$gt": 1}}, {"a": "2"}, False),
        ({"a.b": {"$eq": 1}}, {"a": [{"b": 1}, {"b": 2}]}, True),
        ({"$or": [{"a": {"$eq": 1}}, {"a": {"$eq": 2}}]}, {"a": 2}, True),
    ],
)
def test_answers(query: Query, document: Query, *, expected: bool) -> None:
    assert matches(query, document) is expected


async def test_decides_as_mongodb_does(store: Store, collection: str) -> None:
    stored = store.connection.collection(collection)

    async def holds(number: int, query: Query) -> bool:
        return await stored.find_one({"$and": [{"_id": number}, query]}) is not None

    pairs: list[tuple[Query, Query]] = []

    @settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(QUERIES, DOCUMENTS)
    def collect(query: Query, document: Query) -> None:
        pairs.append((query, document))

    collect()
    await stored.insert_many([{"_id": number, **document} for number, (_, document) in enumerate(pairs)])
    for number, (query, document) in enumerate(pairs):
        assert matches(query, document) == await holds(number, query), (query, document)


def test_knows_no_operator_that_a_policy_may_not_use() -> None:
    assert "$regex" not in OPERATORS
    assert set(LOGICAL) == {"$and", "$or", "$nor"}
