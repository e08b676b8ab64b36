"""What is advised, for what was counted."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pymongo import IndexModel

from documents.indexes.advise import Verdict, advise, model_line
from documents.indexes.declared import parse_declared
from documents.indexes.usage import AskedShape, IndexUse, Usage
from documents.query.filter.query_shape import QueryShape, shapes_of, shapes_of_pipeline

NOW = datetime(2026, 6, 30, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=30)
BY_ID = (("_id", 1),)


def asked(shape: QueryShape, count: int = 100, slow: int = 0) -> AskedShape:
    return AskedShape(shape, count, slow, LONG_AGO)


def shape(equality: str = "", ranged: str = "", sort: tuple[tuple[str, int], ...] = BY_ID) -> QueryShape:
    return QueryShape(tuple(equality.split()), tuple(ranged.split()), sort)


def missing(*shapes: AskedShape, have: tuple[IndexModel, ...] = (), documents: int = 10_000) -> list[tuple[str, int]]:
    usage = Usage(documents, {}, shapes)
    found = advise(usage, parse_declared(have), now=NOW)
    assert all(advice.verdict is Verdict.MISSING for advice in found)
    return [(advice.name, advice.count) for advice in found]


PRICE = (("price", -1), ("_id", -1))
CASES: dict[str, tuple[list[AskedShape], tuple[IndexModel, ...], list[tuple[str, int]]]] = {
    "equality": ([asked(shape("city"))], (), [("city_1__id_1", 100)]),
    "range": ([asked(shape("", "price"))], (), [("price_1", 100)]),
    "sort": ([asked(shape(sort=PRICE))], (), [("price_-1__id_-1", 100)]),
    "equality, sort, range": ([asked(shape("city", "ms", PRICE))], (), [("city_1_price_-1__id_-1_ms_1", 100)]),
    "range on what is sorted by": ([asked(shape("city", "price", PRICE))], (), [("city_1_price_-1__id_-1", 100)]),
    "there is one": ([asked(shape("city"))], (IndexModel([("city", -1), ("x", 1)]),), []),
    "there is one, turned": (
        [asked(shape("city", "", PRICE))],
        (IndexModel([("city", 1), ("price", 1), ("_id", 1)]),),
        [],
    ),
    "there is one, half turned": (
        [asked(shape("city", "", PRICE))],
        (IndexModel([("city", 1), ("price", -1), ("_id", 1)]),),
        [("city_1_price_-1__id_-1", 100)],
    ),
    "in another order": ([asked(shape("a b"))], (IndexModel([("b", 1), ("a", 1)]),), []),
    "a unique one finds one document": (
        [asked(shape("a b", "", PRICE))],
        (IndexModel([("b", 1)], unique=True),),
        [],
    ),
    "a partial one serves some": (
        [asked(shape("a"))],
        (IndexModel([("a", 1)], partialFilterExpression={"b": 1}),),
        [("a_1__id_1", 100)],
    ),
    "neither does a sparse, hidden, hashed, or collated one": (
        [asked(shape("a"))],
        (
            IndexModel([("a", 1)], sparse=True),
            IndexModel([("a", -1)], hidden=True),
            IndexModel([("a", "hashed")]),
            IndexModel([("a", 1), ("b", 1)], collation={"locale": "fr"}),
        ),
        [("a_1__id_1", 100)],
    ),
    "one for two": (
        [asked(shape("a", sort=())), asked(shape("a b", sort=()), 50)],
        (),
        [("a_1_b_1", 150)],
    ),
    "what most compare comes first": (
        [asked(shape("z", sort=()), 90), asked(shape("a z", sort=()), 50)],
        (),
        [("z_1_a_1", 140)],
    ),
    "seldom": ([asked(shape("a"), 9)], (), []),
    "seldom, but slow": ([asked(shape("a"), 9, slow=1)], (), [("a_1__id_1", 9)]),
    "five at most, those that most want": (
        [asked(shape(f"f{number}"), 100 + number) for number in range(9)],
        (),
        [(f"f{number}_1__id_1", 100 + number) for number in (8, 7, 6, 5, 4)],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_missing(case: str) -> None:
    shapes, have, expected = CASES[case]
    assert missing(*shapes, have=have) == expected


def test_a_small_collection_needs_none() -> None:
    assert missing(asked(shape("a")), documents=999) == []
    assert missing(asked(shape("a"), slow=2), documents=999)


def test_what_speaks_for_it() -> None:
    [advice] = advise(Usage(5000, {}, (asked(shape("a", sort=()), 20, slow=3), asked(shape("a b"), 5))), [], now=NOW)
    assert advice.why == ("25 queries since 2026-05-31 00:00 UTC, 3 of them slowly: equal a, and 1 more shapes.")
    assert model_line(advice.keys) == 'IndexModel([("a", 1), ("b", 1), ("_id", 1)]),'
    assert advice.to_dict()["keys"] == {"a": 1, "b": 1, "_id": 1}


UNUSED: dict[str, tuple[dict[str, Any], IndexUse, Verdict | None]] = {
    "unused": ({}, IndexUse(0, LONG_AGO), Verdict.UNUSED),
    "used": ({}, IndexUse(1, LONG_AGO), None),
    "young": ({}, IndexUse(0, NOW - timedelta(days=6)), Verdict.TOO_YOUNG),
    "unique": ({"unique": True}, IndexUse(0, LONG_AGO), None),
    "ttl": ({"expireAfterSeconds": 5}, IndexUse(0, LONG_AGO), None),
    "hidden": ({"hidden": True}, IndexUse(0, LONG_AGO), Verdict.UNUSED),
}


@pytest.mark.parametrize("case", UNUSED)
@pytest.mark.parametrize("is_declared", [True, False])
def test_unused(case: str, *, is_declared: bool) -> None:
    options, use, verdict = UNUSED[case]
    specs = parse_declared([IndexModel([("a", 1)], **options)])
    found = advise(Usage(5000, {"a_1": use}, ()), specs, specs if is_declared else (), now=NOW)
    assert [advice.verdict for advice in found] == ([] if verdict is None else [verdict])
    assert all((advice.is_declared, advice.is_hidden) == (is_declared, "hidden" in options) for advice in found)


@pytest.mark.parametrize(
    ("query", "sort", "expected"),
    [
        ({}, (), []),
        ({}, BY_ID, []),
        ({"_id": 1, "a": 2}, (), []),
        ({"a": 1}, BY_ID, [shape("a")]),
        ({"a": {"$eq": 1}, "b": {"$in": [1, 2]}}, (), [shape("a b", sort=())]),
        ({"a": {"$gt": 1, "$lt": 5}, "b": {"$gte": 1, "$eq": 2}}, (), [shape("b", "a", sort=())]),
        ({"a": {"$ne": 1}, "b": {"$exists": True}, "c": {"$nin": []}}, (), []),
        ({"a": {"$regex": "^x"}, "b": {"$regex": "x"}}, (), [shape("", "a", sort=())]),
        ({"a": {"$elemMatch": {"b": 1, "c": {"$gt": 1}}}}, (), [shape("a.b", "a.c", sort=())]),
        ({"a": {"$elemMatch": {"$gt": 1}}}, (), [shape("", "a", sort=())]),
        ({"a": {"b": 1}}, (), [shape("a", sort=())]),
        ({"a": {}}, (), [shape("a", sort=())]),
        ({"$and": [{"a": 1}, {"$and": [{"b": {"$lt": 1}}]}]}, (), [shape("a", "b", sort=())]),
        ({"x": 1, "$or": [{"a": 1}, {"b": {"$gt": 1}}]}, (), [shape("a x", sort=()), shape("x", "b", sort=())]),
        ({"x": 1, "$or": [{"a": 1}, {"b": {"$ne": 1}}]}, (), [shape("x", sort=())]),
        ({"$nor": [{"a": 1}]}, (), []),
        ({"$text": {"$search": "x"}, "a": 1}, (), [shape("a", sort=())]),
        ({"a": 1}, (("a", -1), ("b", 1), ("_id", 1)), [shape("a", sort=(("b", 1), ("_id", 1)))]),
        ({f"f{number}": 1 for number in range(9)}, (), []),
        ({"a" * 201: 1}, (), []),
    ],
)
def test_shapes(query: dict[str, Any], sort: tuple[tuple[str, int], ...], expected: list[QueryShape]) -> None:
    assert shapes_of(query, sort) == expected


def test_shapes_of_pipelines() -> None:
    match, sort = {"$match": {"a": "secret"}}, {"$sort": {"b": -1, "c": {"$meta": "textScore"}}}
    assert shapes_of_pipeline([match, sort]) == [shape("a", sort=(("b", -1),))]
    assert shapes_of_pipeline([sort]) == [shape(sort=(("b", -1),))]
    assert shapes_of_pipeline([{"$limit": 1}, match]) == []
    assert shapes_of_pipeline([]) == []
