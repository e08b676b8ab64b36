import random
from datetime import datetime
from typing import Any

import pytest
from bson import Binary, Code, Decimal128, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.codec_options import CodecOptions, DatetimeConversion
from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.errors import OperationFailure

from documents.errors import InvalidParameterError
from documents.query.paging.cursor import Cursor, open_cursor, seal
from documents.query.paging.keyset import after, level
from documents.query.paging.order import bson_order
from documents.query.paging.sort import Sort, parse_sort
from documents.query.paging.sort_values import sort_key, sort_values
from documents.types import Document
from tests.documents.query.filters import DATABASE

pytestmark = pytest.mark.slow

NEW, OLD = datetime.fromisoformat("2020-01-01"), datetime.fromisoformat("1969-01-01")
SCALARS: list[Any] = [
    None, 1, 2.5, -3, 2**60, 0.1, float("nan"), float("-inf"), float("inf"), Decimal128("1.5"), Decimal128("NaN"), "",
    "a", "b", {}, {"x": 1}, {"x": 2, "y": 1}, {"z": None}, Binary(b""), Binary(b"a"), Binary(b"ab", 5),
    ObjectId(b"\0" * 12),
    ObjectId(b"\1" * 12), True, False, NEW, OLD, Timestamp(1, 1), Code("x"), Code("x", {}), Code("y"), MinKey(), MaxKey(),
]  # fmt: skip
PATHS = ["a", "b", "a.x", "a.y", "b.x", "b.y", "a.x.y", "a.x.x", "a.y.x", "_id", "_id.x"]
MIXED_IDS = [*range(12), "s1", "s2", "s3", ObjectId(b"\2" * 12), {"x": 1}, {"x": "s"}, 1.5, True, None]


def _value(chance: random.Random, depth: int, *, arrays: bool) -> Any:
    kind = chance.random()
    if arrays and kind < 0.25 and depth < 3:
        return [_value(chance, depth + 1, arrays=arrays) for _ in range(chance.randrange(3))]
    if kind < 0.5 and depth < 3:
        return {name: _value(chance, depth + 1, arrays=arrays) for name in chance.sample("xy", chance.randrange(3))}
    return chance.choice(SCALARS)


def _documents(chance: random.Random, *, arrays: bool, uniform: bool) -> list[Document]:
    ids: list[Any] = list(range(30)) if uniform else MIXED_IDS
    return [
        {"_id": key} | {name: _value(chance, 0, arrays=arrays) for name in "ab" if chance.random() < 0.8} for key in ids
    ]


def _sort(chance: random.Random) -> Sort | None:
    keys = [chance.choice(["", "-"]) + path for path in chance.sample(PATHS, chance.randrange(1, 4))]
    try:
        return parse_sort(keys)
    except InvalidParameterError:
        return None


def _paged(stored: Collection[Document], sort: Sort, size: int, *, uniform: bool, backwards: bool) -> list[Any]:
    order = sort.reversed() if backwards else sort
    found: list[Any] = []
    beyond: Document = {}
    while True:
        page = list(stored.find(beyond).sort(order.to_mongo()).limit(size))
        found += [document["_id"] for document in page]
        if len(page) < size or len(found) > 100:
            return found
        sealed = seal(Cursor(tuple(sort_values(page[-1], order)), backwards), secret=b"secret", scope=b"scope")
        cursor = open_cursor(sealed, secret=b"secret", scope=b"scope")
        beyond = after(sort, cursor.values, backwards=cursor.backwards, id_type_is_uniform=uniform)


@pytest.mark.parametrize("seed", range(60))
def test_pages_are_the_list(mongo_uri: str, seed: int) -> None:
    chance = random.Random(seed)
    uniform = chance.random() < 0.5
    documents = _documents(chance, arrays=chance.random() < 0.7, uniform=uniform)
    with MongoClient[Document](mongo_uri) as client:
        stored = client[DATABASE]["keyset"]
        stored.delete_many({})
        stored.insert_many(documents)
        for _ in range(3):
            sort = _sort(chance)
            for backwards in (False, True) if sort else ():
                assert sort
                order = sort.reversed() if backwards else sort
                try:
                    whole = [document["_id"] for document in stored.find().sort(order.to_mongo())]
                except OperationFailure as refused:
                    if "parallel arrays" not in str(refused):
                        raise
                    continue  # two arrays of one document cannot both be sorted by
                size = chance.choice([1, 2, 5])
                assert repr(_paged(stored, sort, size, uniform=uniform, backwards=backwards)) == repr(whole)


@pytest.mark.parametrize("seed", range(15))
def test_without_arrays_the_way_back_is_the_way_there(mongo_uri: str, seed: int) -> None:
    chance = random.Random(seed)
    sort = parse_sort("-a,b")
    with MongoClient[Document](mongo_uri) as client:
        stored = client[DATABASE]["keyset"]
        stored.delete_many({})
        stored.insert_many(_documents(chance, arrays=False, uniform=True))
        whole = list(stored.find().sort(sort.to_mongo()))
        here = chance.randrange(len(whole))
        before = after(sort, sort_values(whole[here], sort), backwards=True, id_type_is_uniform=True)
        found = list(stored.find(before).sort(sort.reversed().to_mongo()))
        assert repr(found[::-1]) == repr(whole[:here])


@pytest.mark.parametrize("seed", range(10))
def test_python_sorts_as_mongodb_does(mongo_uri: str, seed: int) -> None:
    chance = random.Random(seed)
    sort = parse_sort(chance.choice(["a", "-a", "a,-b", "a.x,-a.y"]))
    documents = _documents(chance, arrays="b" not in sort.paths, uniform=True)
    with MongoClient[Document](mongo_uri) as client:
        stored = client[DATABASE]["keyset"]
        stored.delete_many({})
        stored.insert_many(documents)
        there = [document["_id"] for document in stored.find().sort(sort.to_mongo())]
    here = sorted(documents, key=lambda document: sort_key(sort_values(document, sort), sort))
    assert [document["_id"] for document in here] == there


def test_order_of_types() -> None:
    ordered: list[Any] = [
        MinKey(), None, float("nan"), float("-inf"), -1, 0.5, Decimal128("0.6"), 2**62, "A", "a", "é", {},
        {"a": 1}, {"b": 1},
        {"a": "x"}, [], [1], Binary(b"z"), Binary(b"aa"), ObjectId(b"\0" * 12), False, True, OLD,
        NEW, Timestamp(0, 1), Regex("a"), Regex("a", "i"), Code("x"), Code("a", {}), MaxKey(),
    ]  # fmt: skip
    keys = [bson_order(value) for value in ordered]
    assert keys == sorted(keys)
    with pytest.raises(TypeError):
        bson_order(object())


@pytest.mark.parametrize(
    ("sort", "document", "values"),
    [
        ("a", {"_id": 1}, [None, 1]),
        ("a", {"_id": 1, "a": [3, 1, 2]}, [1, 1]),
        ("-a", {"_id": 1, "a": [3, 1, 2]}, [3, 1]),
        ("a.b", {"_id": 1, "a": [{"b": 2}, 5]}, [None, 1]),
        ("-a.b", {"_id": 1, "a": [{"b": 2}, 5]}, [2, 1]),
        ("a.b", {"_id": 1, "a": []}, [None, 1]),
        ("a.x,-a.y", {"_id": 1, "a": [{"x": 1, "y": 2}, {"x": 1, "y": 3}, {"x": 2, "y": 9}]}, [1, 3, 1]),
    ],
)
def test_sort_values(sort: str, document: Document, values: list[Any]) -> None:
    assert sort_values(document, parse_sort(sort)) == values


def test_regular_expressions_are_passed_together(mongo_uri: str) -> None:
    values: list[Any] = [Timestamp(1, 1), Regex("a"), Regex("b"), Code("a"), Code("b"), Code("a", {"n": 1}), MaxKey()]
    with MongoClient[Document](mongo_uri) as client:
        stored = client[DATABASE]["keyset"]
        stored.delete_many({})
        stored.insert_many([{"_id": n, "a": value} for n, value in enumerate(values)])

        def found(sort: str) -> list[Any]:
            beyond = after(parse_sort(sort), [Regex("a")], id_type_is_uniform=True)
            return [each["_id"] for each in stored.find(beyond).sort("_id")]

        assert (found("a"), found("-a")) == ([3, 4, 5, 6], [0])
        level_with = level(parse_sort("a"), [Regex("a")])
        assert [each["_id"] for each in stored.find(level_with).sort("_id")] == [1, 2]


def test_ids_of_one_type_need_only_a_comparison() -> None:
    assert after(parse_sort(None), [5], id_type_is_uniform=True) == {"_id": {"$gt": 5}}
    assert after(parse_sort("-_id"), [5], id_type_is_uniform=True) == {"_id": {"$lt": 5}}
    assert after(parse_sort(None), [5], id_type_is_uniform=True, backwards=True) == {"_id": {"$lt": 5}}


# The bounds reach from the least date that BSON has, which Python's datetime cannot hold.
ANY_DATE: CodecOptions[Document] = CodecOptions(datetime_conversion=DatetimeConversion.DATETIME_AUTO)


@pytest.mark.parametrize("sort", ["a", "-a", "m.x", "-m.x", "c,-m.x,_id", "_id"])
@pytest.mark.parametrize("backwards", [False, True])
def test_a_late_page_costs_what_an_early_one_does(mongo_uri: str, sort: str, *, backwards: bool) -> None:
    chance = random.Random(1)
    kinds: list[Any] = [None, 5, "s", NEW, float("nan")]
    order = parse_sort(sort)
    with MongoClient[Document](mongo_uri) as client:
        stored = client[DATABASE]["keyset_plans"]
        stored.drop()
        stored.create_index(order.to_mongo(), name="served")
        stored.insert_many(
            [
                {"_id": n, "a": chance.random(), "m": {"x": chance.choice(kinds)} if n % 9 else {}, "c": n % 3}
                for n in range(3000)
            ]
        )
        for skip in (700, 2000):
            [here] = stored.find().sort(order.to_mongo()).skip(skip).limit(1)
            beyond = after(order, sort_values(here, order), backwards=backwards, id_type_is_uniform=True)
            way = order.reversed() if backwards else order
            find = {"find": stored.name, "filter": beyond, "sort": dict(way.to_mongo()), "limit": 10}
            plan = stored.database.command("explain", find, verbosity="executionStats", codec_options=ANY_DATE)
            assert plan["executionStats"]["totalKeysExamined"] < 60
