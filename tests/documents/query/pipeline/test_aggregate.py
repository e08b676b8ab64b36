from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from bson import Binary, Code, Decimal128, Int64, ObjectId, Regex
from hypothesis import given, settings
from hypothesis import strategies as st
from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.errors import OperationFailure

from documents.errors import Fault, InvalidPipelineError
from documents.query.filter.filter import LOGICAL
from documents.query.filter.operands import OPERATORS as FILTER_OPERATORS
from documents.query.pipeline.accumulators import ACCUMULATORS, UNWINDOWED, WINDOWED
from documents.query.pipeline.aggregate import FIRST_STAGES, STAGES, parse_pipeline
from documents.query.pipeline.growth import NAMED, PRESENT, SCALAR
from documents.query.pipeline.loops import LINEAR
from documents.query.pipeline.operators import OPERATORS
from documents.query.pipeline.text_limits import MAX_MADE, ShortText
from documents.query.shapes import is_array, is_object
from tests.documents.query.filters import DATABASE, json_values, no_types, one_of_name, scalars, shop_types
from tests.documents.query.pipelines import (
    ACCUMULATED,
    ATTACKS,
    DOCUMENTS,
    EXAMPLES,
    FUNCTION,
    GROWTH,
    LINEAR_GROWTH,
    STAGE_EXAMPLES,
    WHOLE_PARTITION,
    WINDOWS,
)

ID = ObjectId()
NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)


def fault(stages: object, **options: int) -> Fault:
    with pytest.raises(InvalidPipelineError) as caught:
        parse_pipeline(stages, shop_types, **options)  # pyright: ignore[reportArgumentType]  # max_stages alone
    [found] = caught.value.faults
    return found


def nested(levels: int, innermost: object = "$a") -> Any:
    for _ in range(levels):
        innermost = {"$abs": innermost}
    return innermost


ACCEPTED: list[tuple[Any, Any]] = [
    ({"$match": {"n": 1}}, {"$match": {"n": {"$eq": 1}}}),
    ({"$match": {"$text": {"$search": "red"}, "n": 1}}, {"$match": {"$text": {"$search": "red"}, "n": {"$eq": 1}}}),
    ({"$project": {"a": 1, "b": True, "_id": 0}}, {"$project": {"a": 1, "b": 1, "_id": 0}}),
    ({"$project": {"a": 0, "b.c": False}}, {"$project": {"a": 0, "b.c": 0}}),
    ({"$project": {"a": {"b": 1, "c": "$d"}}}, {"$project": {"a": {"b": 1, "c": "$d"}}}),
    ({"$project": {"a": [1, "$b", None]}}, {"$project": {"a": [1, "$b", None]}}),
    ({"$addFields": {"a.b": "$$ROOT.c"}}, {"$addFields": {"a.b": "$$ROOT.c"}}),
    ({"$set": {"a": ID, "b": Int64(5), "c": Binary(b"x")}}, {"$set": {"a": ID, "b": Int64(5), "c": Binary(b"x")}}),
    ({"$set": {"a": {"$literal": "$5"}}}, {"$set": {"a": {"$literal": "$5"}}}),
    ({"$set": {"a": {"$cond": [1, "x", {}]}}}, {"$set": {"a": {"$cond": [1, "x", {}]}}}),
    ({"$unset": "a"}, {"$unset": "a"}),
    ({"$unwind": "$a.b"}, {"$unwind": {"path": "$a.b"}}),
    ({"$group": {"_id": None}}, {"$group": {"_id": None}}),
    ({"$group": {"_id": {}, "n": {"$count": {}}}}, {"$group": {"_id": {}, "n": {"$count": {}}}}),
    ({"$sort": {"a": 1.0, "b": -1}}, {"$sort": {"a": 1, "b": -1}}),
    ({"$bucket": {"groupBy": "$a", "boundaries": ["$a", "b"], "default": 0}},
     {"$bucket": {"groupBy": "$a", "boundaries": [{"$literal": "$a"}, "b"], "default": 0}}),
    ({"$bucket": {"groupBy": "$created", "boundaries": ["2024-01-01T12:00:00+00:00", NOON.replace(year=2025)],
                  "default": 0}},
     {"$bucket": {"groupBy": "$created", "boundaries": [NOON, NOON.replace(year=2025)], "default": 0}}),
    ({"$project": {"a": {"$regexMatch": {"input": "$t", "regex": Regex("^a", 2)}}}},
     {"$project": {"a": {"$regexMatch": {"input": ShortText("$t", MAX_MADE), "regex": {"$literal": "^a"}, "options": "i"}}}}),
    ({"$project": {"a": {"$getField": "a.b"}}}, {"$project": {"a": {"$getField": {"$literal": "a.b"}}}}),
    ({"$project": {"a": {"$map": {"input": "$l", "in": "$$this"}}}},
     {"$project": {"a": {"$map": {"input": "$l", "as": "this", "in": "$$this"}}}}),
    ({"$geoNear": {"near": [10, 59], "distanceField": "d", "spherical": True}},
     {"$geoNear": {"near": [10, 59], "distanceField": "d", "spherical": True}}),
    ({"$fill": {"partitionBy": "$a", "output": {"b": {"value": 0}}}},
     {"$fill": {"partitionBy": {"by": "$a"}, "output": {"b": {"value": 0}}}}),
    ({"$densify": {"field": "q", "range": {"step": 0.5, "bounds": [0, 3]}}},
     {"$densify": {"field": "q", "range": {"step": 0.5, "bounds": [0.0, 3.0]}}}),
    ({"$densify": {"field": "t", "range": {"step": 1, "unit": "day", "bounds": [NOON, NOON]}}},
     {"$densify": {"field": "t", "range": {"step": 1, "unit": "day", "bounds": [NOON, NOON]}}}),
]  # fmt: skip


@pytest.mark.parametrize(("stage", "compiled"), ACCEPTED)
def test_accepts(stage: Any, compiled: Any) -> None:
    assert parse_pipeline([stage], shop_types) == [compiled]


REFUSED: list[tuple[Any, str, str]] = [
    ({}, "", "wrong-type"),
    (None, "", "wrong-type"),
    ([5], "/0", "wrong-type"),
    ([{}], "/0", "wrong-type"),
    ([{"$limit": 1, "$skip": 1}], "/0", "wrong-type"),
    ([{"$out": "x"}], "/0/$out", "unknown-stage"),
    ([{"limit": 1}], "/0/limit", "unknown-stage"),
    ([{"$limit": 1}, {"$geoNear": {}}], "/1/$geoNear", "misplaced-stage"),
    ([{"$facet": {"a": [{"$facet": {}}]}}], "/0/$facet/a/0/$facet", "misplaced-stage"),
    ([{"$facet": {}}], "/0/$facet", "wrong-type"),
    ([{"$facet": {"a.b": []}}], "/0/$facet/a.b", "invalid-name"),
    ([{"$match": {"n": {"$where": 1}}}], "/0/$match/n/$where", "unknown-operator"),
    ([{"$match": {"created": {"$gt": "soon"}}}], "/0/$match/created/$gt", "wrong-type"),
    ([{"$limit": 1}, {"$match": {"$text": {"$search": "x"}}}], "/1/$match/$text", "unknown-operator"),
    ([{"$match": {"$text": {"$search": " "}}}], "/0/$match/$text/$search", "invalid-search"),
    ([{"$project": {}}], "/0/$project", "wrong-type"),
    ([{"$project": {"a": 1, "b": 0}}], "/0/$project/b", "mixed-projection"),
    ([{"$project": {"a": {"b": 0}, "c": "$d"}}], "/0/$project/a/b", "mixed-projection"),
    ([{"$project": {"a": 5}}], "/0/$project/a", "wrong-type"),
    ([{"$project": {"a": {}}}], "/0/$project/a", "wrong-type"),
    ([{"$project": {"a": 1, "a.b": 1}}], "/0/$project/a.b", "path-collision"),
    ([{"$project": {"a.b": 1, "a": {"b": 1}}}], "/0/$project/a/b", "path-collision"),
    ([{"$project": {"a": {"b.c": 1}}}], "/0/$project/a/b.c", "invalid-name"),
    ([{"$project": {"$a": 1}}], "/0/$project/$a", "invalid-path"),
    ([{"$project": {"": 1}}], "/0/$project/", "invalid-path"),
    ([{"$project": {"a\0": 1}}], "/0/$project/a\0", "invalid-path"),
    ([{"$project": {"a~/b": FUNCTION}}], "/0/$project/a~0~1b/$function", "unknown-operator"),
    ([{"$addFields": {"a": {"$add": 1, "b": 1}}}], "/0/$addFields/a", "mixed-operators"),
    ([{"$addFields": {"a": {"$sum": 1, "$min": 1}}}], "/0/$addFields/a", "mixed-operators"),
    ([{"$set": {"a": {"$divide": ["$a"]}}}], "/0/$set/a/$divide", "wrong-arity"),
    ([{"$set": {"a": {"$divide": "$a"}}}], "/0/$set/a/$divide", "wrong-arity"),
    ([{"$set": {"a": {"$ifNull": ["$a"]}}}], "/0/$set/a/$ifNull", "wrong-arity"),
    ([{"$set": {"a": {"$cond": {"if": 1, "then": 2}}}}], "/0/$set/a/$cond", "missing-member"),
    ([{"$set": {"a": {"$cond": {"if": 1, "then": 2, "other": 3}}}}], "/0/$set/a/$cond/other", "unknown-member"),
    ([{"$set": {"a": {"$let": {"vars": {"CURRENT": 1}, "in": 1}}}}], "/0/$set/a/$let/vars/CURRENT", "invalid-name"),
    ([{"$set": {"a": {"$let": {"vars": {"v": "$$v"}, "in": 1}}}}], "/0/$set/a/$let/vars/v", "unknown-variable"),
    ([{"$set": {"a": {"$map": {"input": ["$$this"], "in": 1}}}}], "/0/$set/a/$map/input/0", "unknown-variable"),
    ([{"$set": {"a": {"$regexMatch": {"input": "$a", "regex": "(a+)+"}}}}], "/0/$set/a/$regexMatch/regex",
     "invalid-regex"),
    ([{"$set": {"a": {"$literal": {"$add": 1}}}}], "/0/$set/a/$literal/$add", "invalid-name"),
    ([{"$set": {"a": {"$setField": {"field": "$x", "input": {}, "value": 1}}}}], "/0/$set/a/$setField/field",
     "invalid-name"),
    ([{"$set": {"a": {"b": {"": 1}}}}], "/0/$set/a/b/", "invalid-name"),
    ([{"$set": {"a": [{"x.y": 1}]}}], "/0/$set/a/0/x.y", "invalid-name"),
    ([{"$set": {"a": 2**63}}], "/0/$set/a", "number-out-of-range"),
    ([{"$set": {"a": "\ud800"}}], "/0/$set/a", "invalid-text"),
    ([{"$set": {"a": Code("x")}}], "/0/$set/a", "wrong-type"),
    ([{"$set": {"a": Regex("a")}}], "/0/$set/a", "wrong-type"),
    ([{"$set": {"a": {"$range": [0, 10**9]}}}], "/0/$set/a/$range", "too-large"),
    ([{"$set": {"a": {"$range": [0, 10, 0]}}}], "/0/$set/a/$range", "too-large"),
    ([{"$unset": []}], "/0/$unset", "wrong-type"),
    ([{"$unset": ["a", "a.b"]}], "/0/$unset/1", "path-collision"),
    ([{"$unset": "$a"}], "/0/$unset", "invalid-path"),
    ([{"$unwind": "a"}], "/0/$unwind", "wrong-type"),
    ([{"$unwind": "$$ROOT"}], "/0/$unwind", "wrong-type"),
    ([{"$replaceWith": 5}], "/0/$replaceWith", "wrong-type"),
    ([{"$group": {"n": {"$sum": 1}}}], "/0/$group", "missing-member"),
    ([{"$group": {"_id": 1, "n": {"$sum": [1, 2]}}}], "/0/$group/n/$sum", "wrong-type"),
    ([{"$group": {"_id": 1, "n": {"$add": [1, 2]}}}], "/0/$group/n/$add", "unknown-operator"),
    ([{"$group": {"_id": 1, "n": "$n"}}], "/0/$group/n", "wrong-type"),
    ([{"$group": {"_id": 1, "a.b": {"$sum": 1}}}], "/0/$group/a.b", "invalid-name"),
    ([{"$sort": {}}], "/0/$sort", "wrong-type"),
    ([{"$sort": {"a": 2}}], "/0/$sort/a", "wrong-type"),
    ([{"$limit": 0}], "/0/$limit", "wrong-type"),
    ([{"$limit": True}], "/0/$limit", "wrong-type"),
    ([{"$skip": -1}], "/0/$skip", "wrong-type"),
    ([{"$sample": {"size": 10**6}}], "/0/$sample/size", "wrong-type"),
    ([{"$count": "$n"}], "/0/$count", "invalid-name"),
    ([{"$count": "_id"}], "/0/$count", "invalid-name"),
    ([{"$sortByCount": "a"}], "/0/$sortByCount", "wrong-type"),
    ([{"$bucket": {"groupBy": "$a", "boundaries": [2, 1]}}], "/0/$bucket/boundaries", "wrong-type"),
    ([{"$bucket": {"groupBy": "$a", "boundaries": [1, "2"]}}], "/0/$bucket/boundaries", "wrong-type"),
    ([{"$bucketAuto": {"groupBy": "$a", "buckets": 0}}], "/0/$bucketAuto/buckets", "wrong-type"),
    ([{"$geoNear": {"near": [200, 0], "distanceField": "d"}}], "/0/$geoNear/near", "invalid-geometry"),
    ([{"$setWindowFields": {"output": {"a": {"$rank": {}, "window": {"documents": [0, 1]}}}}}],
     "/0/$setWindowFields/output/a/$rank", "unknown-operator"),
    ([{"$setWindowFields": {"output": {"a": {"$sum": 1, "window": {"documents": [1, 0]}}}}}],
     "/0/$setWindowFields/output/a/window/documents", "wrong-type"),
    ([{"$densify": {"field": "a", "range": {"step": 0, "bounds": "full"}}}], "/0/$densify/range/step", "wrong-type"),
]  # fmt: skip


@pytest.mark.parametrize(("stages", "pointer", "code"), REFUSED)
def test_refuses_and_says_where(stages: Any, pointer: str, code: str) -> None:
    found = fault(stages)
    assert (found.pointer, found.code) == (f"/pipeline{pointer}", code)


@pytest.mark.parametrize("stages", ATTACKS)
def test_no_attack_is_compiled(stages: list[Any]) -> None:
    fault(stages)
    fault([{"$limit": 1}, *stages])
    fault([{"$facet": {"inner": stages}}])


def test_a_refusal_lists_what_is_allowed() -> None:
    join: dict[str, Any] = {"$lookup": {}}
    assert all(name in fault([join]).detail for name in STAGES)
    assert all(name in fault([{"$set": {"a": FUNCTION}}]).detail for name in OPERATORS)


def test_declared_types_hold_until_a_field_has_a_new_value() -> None:
    asked = {"$match": {"created": "2024-01-01T12:00:00+00:00"}}
    either = [asked["$match"]["created"], NOON.replace(tzinfo=None)]
    typed, plain = {"$match": {"created": {"$eq": NOON}}}, {"$match": {"created": {"$in": either}}}
    cases: list[tuple[dict[str, Any], Any]] = [
        ({"$limit": 1}, typed),
        ({"$set": {"other": 1}}, typed),
        ({"$project": {"created": 1}}, typed),
        ({"$unwind": "$tags"}, typed),
        ({"$set": {"created": 1}}, plain),
        ({"$set": {"created.x": 1}}, plain),
        ({"$project": {"created": "$x"}}, plain),
        ({"$unwind": {"path": "$tags", "includeArrayIndex": "created"}}, plain),
        ({"$group": {"_id": "$created"}}, plain),
        ({"$replaceWith": "$sub"}, plain),
        ({"$facet": {"a": []}}, plain),
    ]
    for before, expected in cases:
        assert parse_pipeline([before, asked], shop_types)[1] == expected
    assert parse_pipeline([{"$facet": {"a": [asked]}}], shop_types) == [{"$facet": {"a": [typed]}}]


def test_what_it_may_cost_is_bounded() -> None:
    parse_pipeline([{"$set": {"a": nested(49)}}], no_types)
    assert fault([{"$set": {"a": nested(51)}}]).code == "too-deep"
    assert fault([{"$set": {"a": nested(5000)}}]).code == "too-deep"
    assert fault([{"$set": {"a": ["$a"] * 2000}}]).code == "too-large"
    assert fault([{"$set": {"a": ["x" * 1000] * 1500}}]).code == "too-large"
    assert fault([{"$limit": 1}] * 51).code == "too-large"
    assert fault([{"$facet": {"a": [{"$limit": 1}] * 3}}], max_stages=3).pointer == "/pipeline/0/$facet/a/2"


def reducing(body: object) -> list[Any]:
    return [{"$project": {"x": {"$reduce": {"input": "$list", "initialValue": [], "in": body}}}}]


@pytest.mark.parametrize("body", GROWTH)
def test_no_reduce_grows_without_bounds(body: Any) -> None:
    assert fault(reducing(body)).code == "unbounded-growth"
    assert fault(reducing({"$let": {"vars": {"v": body}, "in": "$$v"}})).code == "unbounded-growth"
    assert fault(reducing({"$cond": ["$$this", "$$value", body]})).code == "unbounded-growth"


def test_following_a_reduce_takes_bounded_time() -> None:
    doubling: Any = "$$v"
    for _ in range(20):
        doubling = {"$let": {"vars": {"v": ["$$v", "$$v"]}, "in": doubling}}
    assert fault(reducing({"$let": {"vars": {"v": "$$value"}, "in": doubling}})).code == "too-large"
    branches = [{"$cond": ["$$this", f"$$value.a{number}", f"$$value.b{number}"]} for number in range(300)]
    assert fault(reducing({"$concatArrays": branches})).code == "too-large"


def test_loops_are_nested_four_deep_at_most() -> None:
    loops: Any = "$a"
    for level in range(5):
        loops = {"$map": {"input": "$list", "as": f"v{level}", "in": loops}}
        if level < 4:
            parse_pipeline([{"$set": {"a": loops}}], no_types)
    assert fault([{"$set": {"a": loops}}]).code == "too-deep"


COPYING: list[Any] = [
    {"both": ["$x", "$x"]},
    {"a": "$x", "b": {"c": "$$ROOT.x"}},
    {"$let": {"vars": {"v": ["$x", "$x"]}, "in": ["$$v", "$$v"]}},
    {"$map": {"input": "$list", "in": "$x"}},
    {"$map": {"input": "$x", "in": ["$$this", "$$this"]}},
    {"$setField": {"field": "y", "input": "$x", "value": {"$getField": "x"}}},
    {"$reduce": {"input": "$list", "initialValue": ["$x"], "in": {"$concatArrays": ["$$value", ["$x"]]}}},
    {"$cond": ["$y", ["$x", "$x"], 0]},
]


@pytest.mark.parametrize("expression", COPYING)
def test_copies_do_not_pile_up(expression: Any) -> None:
    parse_pipeline([{"$set": {"x": expression}}], no_types)
    for stage in ({"$set": {"x": expression}}, {"$group": {"_id": None, "x": {"$push": expression}}}):
        assert fault([stage] * 40).code == "unbounded-growth"
    doubled: Any = "$x"
    for _ in range(40):
        doubled = {"$let": {"vars": {"v": doubled}, "in": ["$$v", "$$v"]}}
    assert fault([{"$set": {"same": {"$eq": [doubled, 1]}}}]).code in ("unbounded-growth", "too-deep")


def test_distinct_fields_do_not_count_as_copies() -> None:
    wide = {"$project": {f"f{number}": f"$f{number}" for number in range(100)}}
    parse_pipeline([wide] * 15, no_types)


def test_the_tables_know_the_same_operators() -> None:
    assert set(OPERATORS) >= SCALAR | PRESENT | NAMED | LINEAR


# Arbitrary JSON


names = st.sampled_from([*OPERATORS, *STAGES, *ACCUMULATORS, *UNWINDOWED]) | st.sampled_from(
    ["$where", "$function", "$lookup", "$out", "a", "_id", "input", "in", "cond", "as", "vars", "output", "", "a.b"]
)
stages = st.lists(
    one_of_name(st.sampled_from([*STAGES, *FIRST_STAGES, "$lookup"]), json_values(names)), max_size=3
) | json_values(names)


@settings(max_examples=400, deadline=None)
@given(stages)
def test_arbitrary_json_is_compiled_or_refused(value: object) -> None:
    try:
        compiled = parse_pipeline(value, shop_types)
    except InvalidPipelineError:
        return
    assert operators_in(compiled) <= ALLOWED


def mapping(parts: tuple[Any, ...]) -> Any:
    return {"$map": {"input": parts[0], "as": "x", "in": parts[1]}}


def letting(parts: tuple[Any, ...]) -> Any:
    return {"$let": {"vars": {"x": parts[0]}, "in": parts[1]}}


def reducing_with(parts: tuple[Any, ...]) -> Any:
    return {"$reduce": {"input": parts[0], "initialValue": [], "in": {"$concatArrays": [parts[1]]}}}


def composed(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    two = st.tuples(inner, inner)
    several = st.lists(inner, min_size=1, max_size=3)
    return (
        several
        | one_of_name(st.sampled_from(sorted(OPERATORS)), several)
        | one_of_name(st.sampled_from(["$function", "$where", "a", "b.c"]), inner)
        | two.map(mapping)
        | two.map(letting)
        | two.map(reducing_with)
    )


references = st.sampled_from(["$a", "$$ROOT", "$$this", "$$value", "$$NOW", "$$x"])
operands: st.SearchStrategy[Any] = st.recursive(scalars | references, composed, max_leaves=8)


@settings(max_examples=400, deadline=None)
@given(operands)
def test_arbitrary_expressions_are_compiled_or_refused(operand: object) -> None:
    try:
        compiled = parse_pipeline([{"$addFields": {"a": [operand]}}], no_types)
    except InvalidPipelineError:
        return
    assert operators_in(compiled) <= ALLOWED


ALLOWED = {
    *OPERATORS, *STAGES, *FIRST_STAGES, *ACCUMULATORS, *WINDOWED, *UNWINDOWED, *FILTER_OPERATORS, *LOGICAL, "$not",
    "$all", "$elemMatch", "$regex", "$options", "$text", "$search", "$language", "$caseSensitive",
    "$diacriticSensitive", "$geometry", "$box", "$polygon", "$center", "$centerSphere",
}  # fmt: skip


def operators_in(value: object) -> set[str]:
    """Return every name that begins with $, except below $literal."""
    if is_object(value):
        here = {name for name in value if name.startswith("$")}
        return here.union(*(operators_in(member) for name, member in value.items() if name != "$literal"))
    return set[str]().union(*map(operators_in, value)) if is_array(value) else set()


# What MongoDB says


@pytest.fixture(scope="module")
def shop(mongo_uri: str) -> Iterator[Collection[Any]]:
    with MongoClient[Any](mongo_uri) as client:
        collection = client[f"pipelines_{DATABASE}"]["shop"]
        collection.drop()
        collection.insert_many(DOCUMENTS)
        collection.create_index([("text", "text")])
        collection.create_index([("place", "2dsphere")])
        yield collection
        client.drop_database(f"pipelines_{DATABASE}")


def run(shop: Collection[Any], *pipeline: object) -> list[Any]:
    return list(shop.aggregate(parse_pipeline(list(pipeline), no_types)))


def test_every_operator_has_an_example() -> None:
    assert set(EXAMPLES) | {"$meta"} == set(OPERATORS)
    assert set(ACCUMULATED) | {"$mergeObjects"} == set(ACCUMULATORS)
    assert set(WINDOWS) == set(WINDOWED)
    assert set(WHOLE_PARTITION) == set(UNWINDOWED)
    assert set(STAGE_EXAMPLES) == {*STAGES, *FIRST_STAGES}


@pytest.mark.parametrize("name", EXAMPLES)
def test_mongodb_knows_the_operator(shop: Collection[Any], name: str) -> None:
    assert len(run(shop, {"$project": {"result": EXAMPLES[name]}})) == len(DOCUMENTS)
    assert len(run(shop, {"$match": {"n": 1}}, {"$group": {"_id": {"key": EXAMPLES[name]}}})) == 1


def test_mongodb_knows_the_text_score(shop: Collection[Any]) -> None:
    rows = run(
        shop,
        {"$match": {"$text": {"$search": "hello"}}},
        {"$sort": {"score": {"$meta": "textScore"}}},
        {"$project": {"score": {"$meta": "textScore"}}},
    )
    assert len(rows) == len(DOCUMENTS)


@pytest.mark.parametrize("name", [*ACCUMULATED, "$mergeObjects"])
def test_mongodb_knows_the_accumulator(shop: Collection[Any], name: str) -> None:
    output = {"result": {name: ACCUMULATED.get(name, "$sub")}}
    assert len(run(shop, {"$group": {"_id": "$city", **output}})) == 2
    assert len(run(shop, {"$bucket": {"groupBy": "$n", "boundaries": [0, 3, 9], "output": output}})) == 2
    assert len(run(shop, {"$bucketAuto": {"groupBy": "$n", "buckets": 2, "output": output}})) == 2


@pytest.mark.parametrize("name", WINDOWS)
def test_mongodb_knows_the_window_function(shop: Collection[Any], name: str) -> None:
    window: dict[str, Any] = {"documents": [-1, "current"]}
    output = {"result": {name: WINDOWS[name], "window": window}}
    assert run(shop, {"$setWindowFields": {"sortBy": {"n": 1}, "output": output}})


@pytest.mark.parametrize("name", WHOLE_PARTITION)
def test_mongodb_knows_the_partition_function(shop: Collection[Any], name: str) -> None:
    output = {"result": {name: WHOLE_PARTITION[name]}}
    assert run(shop, {"$setWindowFields": {"partitionBy": "$city", "sortBy": {"n": 1}, "output": output}})


@pytest.mark.parametrize("name", STAGE_EXAMPLES)
def test_mongodb_knows_the_stage(shop: Collection[Any], name: str) -> None:
    assert run(shop, {name: STAGE_EXAMPLES[name]})


@pytest.mark.parametrize("stage", [stage for stage, _ in ACCEPTED])
def test_mongodb_takes_what_is_accepted(shop: Collection[Any], stage: Any) -> None:
    list(shop.aggregate([*parse_pipeline([stage], shop_types), {"$limit": 1}]))


@pytest.mark.parametrize(("start", "body", "result"), LINEAR_GROWTH)
def test_reduce_does_what_it_should(shop: Collection[Any], start: Any, body: Any, result: Any) -> None:
    reduce = {"$reduce": {"input": [3, 1, 2], "initialValue": {"$literal": start}, "in": body}}
    [row] = run(shop, {"$limit": 1}, {"$project": {"_id": 0, "x": reduce}})
    assert row == {"x": result}


@pytest.mark.parametrize(
    "expression",
    [
        {"$range": [0, {"$multiply": ["$n", 10**6]}]},
        {"$map": {"input": {"$range": [0, 20_000]}, "in": {"$map": {"input": "$list", "as": "v", "in": "$$v"}}}},
        {
            "$reduce": {
                "input": {"$range": [0, 60_000]},
                "initialValue": [],
                "in": {"$setUnion": ["$$value", ["$$this"]]},
            }
        },
    ],
)
def test_arrays_that_take_too_long_end_the_query(shop: Collection[Any], expression: Any) -> None:
    with pytest.raises(OperationFailure) as caught:
        run(shop, {"$project": {"size": {"$size": expression}}})
    assert caught.value.code == 34449


def test_doubling_stage_by_stage_ends_the_query(shop: Collection[Any]) -> None:
    doubling = {"$set": {"list": {"$concatArrays": ["$list", "$list"]}}}
    with pytest.raises(OperationFailure):
        run(shop, *[doubling] * 30, {"$project": {"size": {"$size": "$list"}}})


def test_decimals_and_dates_pass_through(shop: Collection[Any]) -> None:
    [row] = run(shop, {"$limit": 1}, {"$project": {"_id": 0, "d": {"$add": [Decimal128("0.1"), Decimal128("0.2")]}}})
    assert row == {"d": Decimal128("0.3")}
