from datetime import datetime
from typing import Any

import pytest
from bson import Binary, DBRef, Decimal128, Int64, ObjectId, Regex
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymongo import MongoClient

from documents.errors import InvalidFilterError, InvalidParameterError
from documents.query.filter.filter import LOGICAL, conjunction, parse_filter, parse_search
from documents.query.filter.operands import OPERATORS
from tests.documents.query.filters import (
    BOMBS,
    DATABASE,
    compiled_or_none,
    json_values,
    nested,
    no_types,
    one_of_name,
    operators_in,
    shop_types,
)

ALLOWED = frozenset({*OPERATORS, *LOGICAL, "$not", "$all", "$elemMatch", "$regex", "$options"})
SHAPES = frozenset({"$geometry", "$box", "$polygon", "$center", "$centerSphere"})
SQUARE = [[0, 0], [2, 0], [2, 2], [0, 2], [0, 0]]


@pytest.mark.parametrize(
    ("sent", "compiled"),
    [
        ({}, {}),
        ({"a": 1}, {"a": {"$eq": 1}}),
        ({"a": None}, {"a": {"$eq": None}}),
        ({"a.b.0": "x"}, {"a.b.0": {"$eq": "x"}}),
        ({"a": {}}, {"a": {"$eq": {}}}),
        ({"a": {"b": [1]}}, {"a": {"$eq": {"b": [1]}}}),
        ({"a": [1, {"b": 2}]}, {"a": {"$eq": [1, {"b": 2}]}}),
        ({"a": {"$gt": 1, "$lte": 5}}, {"a": {"$gt": 1, "$lte": 5}}),
        ({"a": {"$in": [1, "x", None]}}, {"a": {"$in": [1, "x", None]}}),
        ({"a": {"$not": {"$gt": 1}}}, {"a": {"$not": {"$gt": 1}}}),
        ({"a": {"$exists": False}}, {"a": {"$exists": False}}),
        ({"a": {"$type": "string"}}, {"a": {"$type": ["string"]}}),
        ({"a": {"$type": [16, "long"]}}, {"a": {"$type": [16, "long"]}}),
        ({"a": {"$size": 0}}, {"a": {"$size": 0}}),
        ({"a": {"$mod": [4, 0]}}, {"a": {"$mod": [4, 0]}}),
        ({"a": {"$all": ["x", "y"]}}, {"a": {"$all": ["x", "y"]}}),
        ({"a": {"$all": [{"$elemMatch": {"b": 1}}]}}, {"a": {"$all": [{"$elemMatch": {"b": {"$eq": 1}}}]}}),
        ({"a": {"$elemMatch": {"$gt": 1, "$lt": 5}}}, {"a": {"$elemMatch": {"$gt": 1, "$lt": 5}}}),
        ({"a": {"$elemMatch": {"b": 1, "$or": [{"c": 2}]}}},
         {"a": {"$elemMatch": {"b": {"$eq": 1}, "$or": [{"c": {"$eq": 2}}]}}}),
        ({"$and": [{"a": 1}, {"$or": [{"b": 1}, {"c": 1}]}]},
         {"$and": [{"a": {"$eq": 1}}, {"$or": [{"b": {"$eq": 1}}, {"c": {"$eq": 1}}]}]}),
        ({"$nor": [{"a": 1}]}, {"$nor": [{"a": {"$eq": 1}}]}),
        ({"a": {"$regex": "^x", "$options": "im"}}, {"a": {"$regex": "^x", "$options": "im"}}),
        ({"a": {"$options": "i", "$regex": "^x", "$ne": 1}}, {"a": {"$regex": "^x", "$options": "i", "$ne": 1}}),
        ({"a": Regex("^x", "i")}, {"a": {"$regex": "^x", "$options": "i"}}),
        ({"a": {"$not": Regex("^x")}}, {"a": {"$not": {"$regex": "^x", "$options": ""}}}),
        ({"a": {"$in": [Regex("^x", "i"), 1]}}, {"a": {"$in": [Regex("^x", "i"), 1]}}),
        ({"a": {"$bitsAllSet": 5, "$bitsAnyClear": [0, 9]}}, {"a": {"$bitsAllSet": 5, "$bitsAnyClear": [0, 9]}}),
        ({"a": {"$geoWithin": {"$box": [[0, 0], [1, 1]]}}}, {"a": {"$geoWithin": {"$box": [[0, 0], [1, 1]]}}}),
        ({"a": {"$geoIntersects": {"$geometry": {"type": "Point", "coordinates": [1, 2]}}}},
         {"a": {"$geoIntersects": {"$geometry": {"type": "Point", "coordinates": [1, 2]}}}}),
        ({"a": {"$geoWithin": {"$geometry": {"type": "Polygon", "coordinates": [SQUARE]}}}},
         {"a": {"$geoWithin": {"$geometry": {"type": "Polygon", "coordinates": [SQUARE]}}}}),
        ({"author.$id": 5}, {"author.$id": {"$eq": 5}}),
        ({"author": DBRef("people", 5)}, {"author": {"$eq": DBRef("people", 5)}}),
        ({"a": Decimal128("1.5"), "b": Binary(b"x")}, {"a": {"$eq": Decimal128("1.5")}, "b": {"$eq": Binary(b"x")}}),
    ],
)  # fmt: skip
def test_compiles(sent: Any, compiled: Any) -> None:
    assert parse_filter(sent, no_types).to_mongo() == compiled


REFUSED: list[tuple[Any, str, str]] = [
    ([], "", "wrong-type"),
    (None, "", "wrong-type"),
    ({"$where": "1"}, "/$where", "unknown-operator"),
    ({"$not": {"a": 1}}, "/$not", "unknown-operator"),
    ({"a": {"$foo": 1}}, "/a/$foo", "unknown-operator"),
    ({"a": {"$gt": 1, "b": 2}}, "/a/b", "mixed-operators"),
    ({"a": {"$eq": {"$gt": 1}}}, "/a/$eq/$gt", "invalid-name"),
    ({"a": {"b": {"$gt": 1}}}, "/a/b/$gt", "invalid-name"),
    ({"$and": []}, "/$and", "wrong-type"),
    ({"$or": {"a": 1}}, "/$or", "wrong-type"),
    ({"$or": [{"a": 1}, 5]}, "/$or/1", "wrong-type"),
    ({"a": {"$in": 5}}, "/a/$in", "wrong-type"),
    ({"a": {"$in": [1] * 1001}}, "/a/$in", "too-large"),
    ({"a": {"$in": [{"$gt": 1}]}}, "/a/$in/0/$gt", "invalid-name"),
    ({"a": {"$not": 5}}, "/a/$not", "wrong-type"),
    ({"a": {"$not": {}}}, "/a/$not", "wrong-type"),
    ({"a": {"$exists": 1}}, "/a/$exists", "wrong-type"),
    ({"a": {"$type": "text"}}, "/a/$type", "wrong-type"),
    ({"a": {"$type": []}}, "/a/$type", "wrong-type"),
    ({"a": {"$type": True}}, "/a/$type", "wrong-type"),
    ({"a": {"$size": -1}}, "/a/$size", "wrong-type"),
    ({"a": {"$size": 1.5}}, "/a/$size", "wrong-type"),
    ({"a": {"$size": 2**31}}, "/a/$size", "wrong-type"),
    ({"a": {"$mod": [0, 1]}}, "/a/$mod", "wrong-type"),
    ({"a": {"$mod": [1]}}, "/a/$mod", "wrong-type"),
    ({"a": {"$mod": [1, "x"]}}, "/a/$mod/1", "wrong-type"),
    ({"a": {"$all": 1}}, "/a/$all", "wrong-type"),
    ({"a": {"$all": [{"$elemMatch": {}}, 1]}}, "/a/$all/1", "mixed-operators"),
    ({"a": {"$elemMatch": [1]}}, "/a/$elemMatch", "wrong-type"),
    ({"a": {"$elemMatch": {"$gt": 1, "b": 1}}}, "/a/$elemMatch/b", "mixed-operators"),
    ({"a": {"$regex": 5}}, "/a/$regex", "wrong-type"),
    ({"a": {"$regex": "^(a+)+$"}}, "/a/$regex", "invalid-regex"),
    ({"a": {"$regex": "("}}, "/a/$regex", "invalid-regex"),
    ({"a": {"$regex": "x", "$options": "x"}}, "/a/$regex", "invalid-regex"),
    ({"a": {"$options": "i"}}, "/a/$options", "invalid-regex"),
    ({"a": {"$regex": Regex("x"), "$options": "i"}}, "/a/$regex", "invalid-regex"),
    ({"a": {"$gt": Regex("x")}}, "/a/$gt", "wrong-type"),
    ({"a": {"$ne": Regex("x")}}, "/a/$ne", "wrong-type"),
    ({"a": {"$in": [Regex("^(a+)+$")]}}, "/a/$in/0", "invalid-regex"),
    ({"a": Regex("(a|a)*b")}, "/a", "invalid-regex"),
    ({"a": 2**63}, "/a", "number-out-of-range"),
    ({"a": "\ud800"}, "/a", "invalid-text"),
    ({"a": {"b\0": 1}}, "/a/b\0", "invalid-name"),
    ({"": 1}, "/", "invalid-path"),
    ({"a..b": 1}, "/a..b", "invalid-path"),
    ({".": 1}, "/.", "invalid-path"),
    ({"a\0": 1}, "/a\0", "invalid-path"),
    ({"\ud800": 1}, "/\ud800", "invalid-path"),
    ({"a.$where": 1}, "/a.$where", "invalid-path"),
    ({"$id": 1}, "/$id", "unknown-operator"),
    ({"a/b~c.": 1}, "/a~1b~0c.", "invalid-path"),
    ({".".join("a" * 101): 1}, "/" + ".".join("a" * 101), "path-too-long"),
    ({"a": {"$geoWithin": {"$box": [[0, 0]]}}}, "/a/$geoWithin/$box", "invalid-geometry"),
    ({"a": {"$geoWithin": {"$geometry": {"type": "Point", "coordinates": [0, 0]}}}},
     "/a/$geoWithin/$geometry/type", "invalid-geometry"),
    ({"a": {"$geoWithin": {"$centerSphere": [[0, 91], 1]}}}, "/a/$geoWithin/$centerSphere/0", "invalid-geometry"),
    ({"a": {"$geoWithin": {"$center": [[0, 0], -1]}}}, "/a/$geoWithin/$center", "invalid-geometry"),
    ({"a": {"$geoWithin": {"$geometry": {"type": "Polygon", "coordinates": [SQUARE[:4]]}}}},
     "/a/$geoWithin/$geometry/coordinates/0", "invalid-geometry"),
    ({"a": {"$geoIntersects": {"$geometry": {"type": "Point", "coordinates": [1, 2], "crs": {}}}}},
     "/a/$geoIntersects/$geometry", "invalid-geometry"),
    ({"a": {"$geoWithin": {"$box": [[0, 0], [1, 1]]}, "$exists": True}}, "/a", "mixed-operators"),
    ({"a": {"$bitsAllSet": -1}}, "/a/$bitsAllSet", "wrong-type"),
    ({"a": {"$gt": {1, 2}}}, "/a/$gt", "wrong-type"),
]  # fmt: skip


@pytest.mark.parametrize(("sent", "pointer", "code"), REFUSED)
def test_refuses(sent: Any, pointer: str, code: str) -> None:
    with pytest.raises(InvalidFilterError) as refused:
        parse_filter(sent, no_types)
    fault = refused.value.faults[0]
    assert (fault.pointer, fault.code) == (pointer, code)


def test_points_into_the_whole_request() -> None:
    with pytest.raises(InvalidFilterError) as refused:
        parse_filter({"$where": 1}, no_types, pointer="/filter")
    assert refused.value.faults[0].pointer == "/filter/$where"


@pytest.mark.parametrize("sent", [attack for bomb in BOMBS for attack in nested(bomb)], ids=str)
def test_attacks_are_refused(sent: Any) -> None:
    with pytest.raises(InvalidFilterError):
        parse_filter(sent, no_types)


def test_nesting_has_an_end() -> None:
    sent: Any = {"a": 1}
    for _ in range(20):
        sent = {"$and": [sent]}
    assert parse_filter(sent, no_types)
    with pytest.raises(InvalidFilterError, match="20 levels"):
        parse_filter({"$or": [sent]}, no_types)


@pytest.mark.parametrize(
    "sent",
    [
        {"$and": [{"a": 1}] * 501},
        {f"f{n}": 1 for n in range(501)},
        {"$or": [{"a": {"$in": [0] * 900}}] * 30},
        {"a": "x" * 1_100_000},
    ],
    ids=["clauses", "fields", "values", "bytes"],
)
def test_size_has_an_end(sent: Any) -> None:
    with pytest.raises(InvalidFilterError) as refused:
        parse_filter(sent, no_types)
    assert refused.value.faults[0].code == "too-large"


NEW_YEAR = datetime.fromisoformat("2026-01-01")


@pytest.mark.parametrize(
    ("sent", "compiled"),
    [
        ({"created": {"$gte": "2026-01-01"}}, {"created": {"$gte": NEW_YEAR}}),
        ({"created": {"$in": ["2026-01-01", None]}}, {"created": {"$in": [NEW_YEAR, None]}}),
        ({"created": None}, {"created": {"$eq": None}}),
        ({"created": {"$not": {"$lt": "2026-01-01"}}}, {"created": {"$not": {"$lt": NEW_YEAR}}}),
        ({"created": NEW_YEAR}, {"created": {"$eq": NEW_YEAR}}),
        ({"tags": ["red", "blue"]}, {"tags": {"$eq": ["red", "blue"]}}),
        ({"items.0.sold": "2026-01-01"}, {"items.0.sold": {"$eq": NEW_YEAR}}),
        ({"items": {"sold": "2026-01-01"}}, {"items": {"$eq": {"sold": NEW_YEAR}}}),
        ({"items": {"$elemMatch": {"sold": "2026-01-01"}}}, {"items": {"$elemMatch": {"sold": {"$eq": NEW_YEAR}}}}),
        ({"created": {"$elemMatch": {"$gt": "2026-01-01"}}}, {"created": {"$elemMatch": {"$gt": NEW_YEAR}}}),
        ({"created": {"$exists": True, "$type": "date"}}, {"created": {"$exists": True, "$type": ["date"]}}),
        ({"other": "2026-01-01"}, {"other": {"$eq": "2026-01-01"}}),
    ],
)
def test_declared_fields_read_their_operands(sent: Any, compiled: Any) -> None:
    assert parse_filter(sent, shop_types).to_mongo() == compiled


@pytest.mark.parametrize(
    ("sent", "pointer"),
    [
        ({"stock": "5"}, "/stock"),
        ({"created": {"$in": ["2026-01-01", "yesterday"]}}, "/created/$in/1"),
        ({"items": {"$elemMatch": {"sold": 5}}}, "/items/$elemMatch/sold"),
        ({"tags": ["red", 5]}, "/tags/1"),
    ],
)
def test_declared_fields_refuse_other_types(sent: Any, pointer: str) -> None:
    with pytest.raises(InvalidFilterError) as refused:
        parse_filter(sent, shop_types)
    assert refused.value.faults[0].pointer == pointer
    assert refused.value.faults[0].code == "wrong-type"


def test_paths_are_what_policies_ask_about() -> None:
    sent = {
        "$or": [{"a.0.b": 1}, {"c": {"$not": {"$elemMatch": {"d.1": 1}}}}],
        "e": {"$all": [{"$elemMatch": {"f": 1}}]},
    }
    assert parse_filter(sent, no_types).paths == {"a.b", "c", "c.d", "e", "e.f"}


def test_fingerprints_tell_filters_apart() -> None:
    one, same, other = (parse_filter({"a": value}, no_types) for value in (1, 1, True))
    assert one.fingerprint() == same.fingerprint() != other.fingerprint()
    assert one == same != other
    assert len({one, same, other}) == 2


def test_conjunction() -> None:
    one, other = parse_filter({"a": 1}, no_types), parse_filter({"b": 2}, no_types)
    both = conjunction(one, parse_filter({}, no_types), other)
    assert both.to_mongo() == {"$and": [{"a": {"$eq": 1}}, {"b": {"$eq": 2}}]}
    assert both.paths == {"a", "b"}
    assert conjunction(one) == one
    assert conjunction().is_empty


def test_search() -> None:
    assert parse_search("blue shoes").to_mongo() == {"$text": {"$search": "blue shoes"}}
    for text in ("", " ", "x" * 1001, "\ud800"):
        with pytest.raises(InvalidParameterError):
            parse_search(text)


NAMES = st.sampled_from(sorted(ALLOWED | SHAPES | {"a", "b.c", "", "a\0", "$where", "$expr", "type", "coordinates"}))


@given(json_values(NAMES))
@settings(max_examples=300)
def test_arbitrary_json_is_compiled_or_refused(sent: Any) -> None:
    compiled = compiled_or_none(lambda: parse_filter(sent, no_types).to_mongo())
    assert operators_in(compiled) <= ALLOWED | SHAPES


OPERANDS: st.SearchStrategy[Any] = (
    st.integers(-3, 3) | st.floats() | st.text("ab", max_size=2) | st.none() | st.booleans()
    | st.sampled_from([ObjectId(b"x" * 12), Regex("^a"), DBRef("x", 1), [], {}, [1], {"b": [{"c": 1}]}, NEW_YEAR])
)  # fmt: skip
FIELDS = st.sampled_from(["a", "b", "a.b", "a.0", "c.d.e", "a.$id", "_id"])


def _conditions(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    asked = st.fixed_dictionaries(
        {},
        optional={
            **dict.fromkeys(("$eq", "$ne", "$gt", "$lte"), OPERANDS),
            "$in": st.lists(OPERANDS, max_size=3),
            "$nin": st.lists(OPERANDS, max_size=3),
            "$all": st.lists(OPERANDS, max_size=3) | st.lists(one_of_name(st.just("$elemMatch"), inner), max_size=2),
            "$size": st.integers(0, 3),
            "$exists": st.booleans(),
            "$type": st.sampled_from(["number", 2, ["string", 10], 19, "undefined"]),
            "$mod": st.tuples(st.integers(-5, 5), st.integers(-5, 5)).map(list),
            "$regex": st.sampled_from(["^a", "", "a|b", "[a-c]{2,}"]),
            "$bitsAllSet": st.integers(0, 9) | st.lists(st.integers(0, 200), max_size=3),
            "$elemMatch": inner,
            "$geoWithin": st.sampled_from([{"$centerSphere": [[0, 0], 1]}, {"$polygon": [[0, 0], [1, 1], [1, 0]]}]),
        },
    )
    return asked | asked.map(lambda condition: {"$not": condition}) | OPERANDS


FILTERS: st.SearchStrategy[Any] = st.recursive(
    st.dictionaries(FIELDS, OPERANDS, max_size=2),
    lambda inner: (
        st.dictionaries(FIELDS, _conditions(inner), max_size=2)
        | one_of_name(st.sampled_from(sorted(LOGICAL)), st.lists(inner, max_size=3))
    ),
    max_leaves=6,
)


@given(FILTERS)
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_mongodb_refuses_nothing_that_was_compiled(mongo_uri: str, sent: Any) -> None:
    compiled = compiled_or_none(lambda: parse_filter(sent, no_types).to_mongo())
    with MongoClient[dict[str, Any]](mongo_uri) as client:
        client[DATABASE]["filters"].find_one(compiled)


@pytest.mark.timeout(5)
@pytest.mark.parametrize("query", [{"n": Int64(5)}, {"n": {"$size": Int64(5)}}, {"n": {"$mod": [Int64(5), Int64(1)]}}])
def test_integers_of_bson_are_compared_at_once(query: dict[str, Any]) -> None:
    # `Int64(5) in range(...)` goes through the range one by one.
    assert parse_filter(query, no_types).paths == {"n"}
