from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from documents.errors import InvalidParameterError
from documents.query.filter.filter import parse_filter
from documents.query.filter.parameters import OPERATORS, RESERVED, parse_parameters
from tests.documents.query.filter.test_filter import ALLOWED, NEW_YEAR, SHAPES
from tests.documents.query.filters import compiled_or_none, no_types, operators_in, shop_types


@pytest.mark.parametrize(
    ("pairs", "compiled"),
    [
        ([], {}),
        ([("price[gte]", "10")], {"price": {"$gte": 10}}),
        ([("price[gte]", "10"), ("price[lt]", "2e1")], {"$and": [{"price": {"$gte": 10}}, {"price": {"$lt": 20.0}}]}),
        ([("tags", "red"), ("tags", "blue")], {"$and": [{"tags": {"$eq": "red"}}, {"tags": {"$eq": "blue"}}]}),
        ([("a", "true")], {"a": {"$eq": True}}),
        ([("a", "null")], {"a": {"$eq": None}}),
        ([("a", "-1.5")], {"a": {"$eq": -1.5}}),
        ([("a", '"12"')], {"a": {"$eq": "12"}}),
        ([("a", '"bad\\x"')], {"a": {"$eq": '"bad\\x"'}}),
        ([("a", "012")], {"a": {"$eq": "012"}}),
        ([("a", "NaN")], {"a": {"$eq": "NaN"}}),
        ([("a", "[1]")], {"a": {"$eq": "[1]"}}),
        ([("a", "")], {"a": {"$eq": ""}}),
        ([("a.b.0[ne]", "x")], {"a.b.0": {"$ne": "x"}}),
        ([("a[in]", "x,1,null")], {"a": {"$in": ["x", 1, None]}}),
        ([("a[nin]", '"x,y",z')], {"a": {"$nin": ["x,y", "z"]}}),
        ([("a[all]", '"1",1')], {"a": {"$all": ["1", 1]}}),
        ([("a[in]", "x,")], {"a": {"$in": ["x", ""]}}),
        ([("a[in]", '"say \\"hi\\", twice"')], {"a": {"$in": ['say "hi", twice']}}),
        ([("a[exists]", "false")], {"a": {"$exists": False}}),
        ([("a[regex]", "(?i)^x")], {"a": {"$regex": "(?i)^x"}}),
        ([("a[size]", "3")], {"a": {"$size": 3}}),
        ([("a[elemMatch]", '{"b": 1, "c": {"$gt": 2}}')], {"a": {"$elemMatch": {"b": {"$eq": 1}, "c": {"$gt": 2}}}}),
        ([("a[near]", "13.4,52.5,6378.1")], {"a": {"$geoWithin": {"$centerSphere": [[13.4, 52.5], 0.001]}}}),
        ([("sort", "-a"), ("limit", "5"), ("a", "1")], {"a": {"$eq": 1}}),
        ([(name, "x") for name in sorted(RESERVED)], {}),
    ],
)
def test_compiles(pairs: Any, compiled: Any) -> None:
    assert parse_parameters(pairs, no_types).to_mongo() == compiled


@pytest.mark.parametrize(
    ("pairs", "compiled"),
    [
        ([("created[gte]", "2026-01-01")], {"created": {"$gte": NEW_YEAR}}),
        ([("created", "null")], {"created": {"$eq": None}}),
        ([("stock", "5")], {"stock": {"$eq": 5}}),
        ([("name", "5")], {"name": {"$eq": "5"}}),
        ([("name", "null")], {"name": {"$eq": "null"}}),
        ([("tags[in]", '5,"a,b"')], {"tags": {"$in": ["5", "a,b"]}}),
        ([("items.1.sold[lt]", "2026-01-01")], {"items.1.sold": {"$lt": NEW_YEAR}}),
    ],
)
def test_declared_fields_read_the_text(pairs: Any, compiled: Any) -> None:
    assert parse_parameters(pairs, shop_types).to_mongo() == compiled


@pytest.mark.parametrize(
    ("name", "text", "code"),
    [
        ("a[foo]", "1", "unknown-operator"),
        ("a[]", "1", "unknown-operator"),
        ("a[$gt]", "1", "unknown-operator"),
        ("limit[gte]", "5", "reserved-name"),
        ("", "1", "invalid-path"),
        ("[gt]", "1", "invalid-path"),
        ("$where", "1", "invalid-path"),
        ("a.$expr", "1", "invalid-path"),
        ("a..b", "1", "invalid-path"),
        ("a", "9223372036854775808", "number-out-of-range"),
        ("a", "1e400", "number-out-of-range"),
        ("a", "9" * 5000, "number-out-of-range"),
        ("a", "\ud800", "invalid-text"),
        ("a[in]", "", "invalid-list"),
        ("a[in]", 'x,"y', "invalid-list"),
        ("a[in]", '"x"y', "invalid-list"),
        ("a[in]", '"\\x"', "invalid-list"),
        ("a[in]", "," * 1001, "too-large"),
        ("a[exists]", "1", "wrong-type"),
        ("a[size]", "x", "wrong-type"),
        ("a[regex]", "^(a+)+$", "invalid-regex"),
        ("a[elemMatch]", "{", "malformed-json"),
        ("a[elemMatch]", '{"a": NaN}', "malformed-json"),
        ("a[elemMatch]", '{"a": 1, "a": 2}', "malformed-json"),
        ("a[elemMatch]", "[" * 100_000, "malformed-json"),
        ("a[elemMatch]", '{"$where": 1}', "unknown-operator"),
        ("a[near]", "1,2", "invalid-geometry"),
        ("a[near]", "1,x,3", "invalid-geometry"),
        ("a[near]", "nan,0,3", "invalid-geometry"),
        ("a[near]", "0,91,3", "invalid-geometry"),
        ("a[near]", "0,0,-1", "invalid-geometry"),
        ("a[near]", "0,0,inf", "invalid-geometry"),
        ("a[within]", "0,1,1,0", "invalid-geometry"),
        ("a[within]", "0,0,181,1", "invalid-geometry"),
        ("stock", "x", "wrong-type"),
        ("created[in]", "2026-01-01,x", "wrong-type"),
    ],
)
def test_refuses(name: str, text: str, code: str) -> None:
    with pytest.raises(InvalidParameterError) as refused:
        parse_parameters([(name, text)], shop_types)
    assert [(fault.pointer, fault.code) for fault in refused.value.faults] == [(f"?{name}", code)]


def test_every_bad_parameter_has_its_fault() -> None:
    with pytest.raises(InvalidParameterError) as refused:
        parse_parameters([("a[x]", "1"), ("b", "1"), ("c[exists]", "maybe")], no_types)
    assert [fault.pointer for fault in refused.value.faults] == ["?a[x]", "?c[exists]"]


def test_faults_in_json_say_where() -> None:
    with pytest.raises(InvalidParameterError, match="At /b/\\$where of the JSON"):
        parse_parameters([("a[elemMatch]", '{"b": {"$where": 1}}')], no_types)


def test_elem_match_is_decoded_as_the_caller_does() -> None:
    found = parse_parameters([("a[elemMatch]", "anything")], no_types, decode=lambda text: {"b": text})
    assert found == parse_filter({"a": {"$elemMatch": {"b": "anything"}}}, no_types)


def test_paths_are_without_positions() -> None:
    assert parse_parameters([("a.0.b", "1"), ("c[elemMatch]", '{"d": 1}')], no_types).paths == {"a.b", "c", "c.d"}


NAMES = st.tuples(
    st.sampled_from(["a", "a.b", "$where", "", "limit", "created", "tags", "a[b]", "\0"]) | st.text(max_size=5),
    st.sampled_from(["", "[]", "[foo]", *(f"[{name}]" for name in OPERATORS)]),
).map("".join)
TEXTS = st.text(max_size=10) | st.sampled_from(
    ["1,2,3", "1,2,3,4", '{"a": {"$where": 1}}', '{"$gt": 1}', "true", "1e999", '"x",y', "-180,-90,180,90", "^a|b"]
)


@given(st.lists(st.tuples(NAMES, TEXTS), max_size=4))
def test_arbitrary_parameters_are_compiled_or_refused(pairs: list[tuple[str, str]]) -> None:
    compiled = compiled_or_none(lambda: parse_parameters(pairs, shop_types).to_mongo())
    assert operators_in(compiled) <= ALLOWED | SHAPES
