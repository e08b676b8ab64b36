"""What MongoDB cannot interrupt is small: work on texts in expressions."""

import time
from collections.abc import Iterator
from typing import Any, Final

import pytest
from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.errors import OperationFailure

from documents.errors import InvalidPipelineError
from documents.query.pipeline.aggregate import parse_pipeline
from tests.documents.query.filters import DATABASE, no_types

LONG: Final = "x" * 1_500_000
SECONDS: Final = 10.0
"""For one query, on a machine that is busy. Without limits the queries here would take minutes or hours."""


@pytest.fixture(scope="module")
def texts(mongo_uri: str) -> Iterator[Collection[Any]]:
    with MongoClient[dict[str, Any]](mongo_uri) as client:
        collection = client[DATABASE]["texts"]
        collection.drop()
        collection.insert_many(
            [
                {"_id": "short", "s": "xxy", "t": ["x", "xy1"]},
                {"_id": "long", "s": LONG, "t": ["x"] * 20_000},
            ]
        )
        yield collection
        collection.drop()


def _doubled(times: int) -> list[dict[str, Any]]:
    return [{"$set": {"s": {"$concat": ["$s", "$s"]}}}] * times


def _of(expression: Any) -> dict[str, Any]:
    return {"$project": {"x": expression}}


def _match(pattern: str, text: Any = "$s") -> dict[str, Any]:
    return _of({"$regexMatch": {"input": text, "regex": pattern}})


@pytest.mark.parametrize(
    "stages",
    [
        [_of({"$regexFind": {"input": "$s", "regex": "x*y1"}})],
        [_of({"$regexFindAll": {"input": "$s", "regex": "x*x*y"}})],
        [_match("<[^>]*>")],
        [{"$match": {"_id": "short"}}, *_doubled(30), _of({"$strLenCP": "$s"})],
        [{"$match": {"_id": "short"}}, *_doubled(19), _of({"$regexFind": {"input": "$s", "regex": "x*y1"}})],
        [_of({"$map": {"input": {"$range": [0, 100_000]}, "in": {"$strLenCP": "$s"}}})],
        [_of({"$map": {"input": "$t", "in": {"$toUpper": "$$this"}}})],
        [_of({"$map": {"input": {"$range": [0, 9000]}, "in": {"$toUpper": "$s"}}})],
        [_of({"$reduce": {"input": {"$range": [0, 100_000]}, "initialValue": "", "in": {"$concat": ["$$value", "x"]}}})],
        [_of({"$reduce": {"input": {"$range": [0, 9000]}, "initialValue": "", "in": {"$concat": ["$$value", "xxx"]}}})],
        [_of({"$replaceAll": {"input": "$s", "find": "x", "replacement": "y" * 1000}})],
        [_of({"$indexOfBytes": ["$s", {"$concat": [{"$substrBytes": ["$s", 0, 700_000]}, "y"]}]})],
        [_of({"$split": ["$s", "$s"]})],
        [_of({"$trim": {"input": "$s", "chars": "$s"}})],
    ],
)  # fmt: skip
def test_long_texts_end_a_pipeline_soon(texts: Collection[Any], stages: Any) -> None:
    began = time.monotonic()
    with pytest.raises(OperationFailure) as caught:
        list(texts.aggregate(parse_pipeline(stages, no_types)))
    assert caught.value.code in (34449, 13548)
    assert time.monotonic() - began < SECONDS


@pytest.mark.parametrize("pattern", ["x*y1", "foo.*bar", "^x+$", "[a-z]+@"])
def test_a_pattern_with_a_linear_equal_meets_a_megabyte(texts: Collection[Any], pattern: str) -> None:
    stages = parse_pipeline([_match(pattern, {"$substrBytes": ["$s", 0, 1_000_000]})], no_types)
    began = time.monotonic()
    assert len(list(texts.aggregate(stages))) == 2
    assert time.monotonic() - began < SECONDS


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ({"$concat": ["$s", "!"]}, "xxy!"),
        ({"$concat": ["$s", None]}, None),
        ({"$map": {"input": "$t", "in": {"$toUpper": "$$this"}}}, ["X", "XY1"]),
        ({"$map": {"input": "$t", "in": {"$substrCP": ["$$this", 0, 1]}}}, ["x", "x"]),
        ({"$map": {"input": {"$range": [0, {"$strLenCP": "$s"}]}, "in": {"$substrCP": ["$s", "$$this", 1]}}}, [*"xxy"]),
        ({"$map": {"input": "$t", "in": {"$trim": {"input": "$$this", "chars": "1"}}}}, ["x", "xy"]),
        ({"$filter": {"input": "$t", "cond": {"$regexMatch": {"input": "$$this", "regex": "^xy"}}}}, ["xy1"]),
        ({"$reduce": {"input": "$t", "initialValue": "", "in": {"$concat": ["$$value", "$$this"]}}}, "xxy1"),
        ({"$split": ["$s", "x"]}, ["", "", "y"]),
        ({"$replaceAll": {"input": "$s", "find": "x", "replacement": "$s"}}, "xxyxxyy"),
        ({"$regexMatch": {"input": "$s", "regex": "x*y"}}, True),
        ({"$regexMatch": {"input": "$missing", "regex": "x*y"}}, False),
        ({"$regexFind": {"input": "$s", "regex": "x*y"}}, {"match": "xxy", "idx": 0, "captures": []}),
    ],
)
def test_short_texts_are_worked_on(texts: Collection[Any], expression: Any, value: Any) -> None:
    stages = parse_pipeline([{"$match": {"_id": "short"}}, _of(expression)], no_types)
    assert [row["x"] for row in texts.aggregate(stages)] == [value]


UPPER: Final = {"$toUpper": "$s"}
PATTERN: Final = {"$match": {"x": {"$regex": "foo"}}}


@pytest.mark.parametrize(
    "stages",
    [
        [_of({"$map": {"input": "$t", "in": [{"$toUpper": "$$this"}] * 21}})],
        [_of([UPPER] * 51), _of([UPPER] * 50)],
        [_match("x")] * 21,
        [{"$set": {"x": {"$map": {"input": "$t", "in": {"$concat": ["$$this", "y"]}}}}}, PATTERN],
        [{"$set": {"x": {"$map": {"input": "$t", "in": "$s"}}}}, {"$unwind": "$t"}, PATTERN],
        [{"$set": {"x": ["$x"] * 20}}] * 2 + [{"$facet": {"a": [{"$match": {"$or": [{"x": {"$not": {"$regex": "y"}}}]}}]}}],
    ],
)  # fmt: skip
def test_work_on_texts_is_counted(stages: Any) -> None:
    with pytest.raises(InvalidPipelineError):
        parse_pipeline(stages, no_types)


def test_a_pattern_may_come_first() -> None:
    parse_pipeline([PATTERN, {"$set": {"x": {"$map": {"input": "$t", "in": "$s"}}}}, {"$match": {"n": 1}}], no_types)
