from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymongo import MongoClient

from documents.errors import InvalidParameterError
from documents.query.paging.sort import parse_sort
from documents.query.projection import Projection, parse_fields
from tests.documents.query.filters import DATABASE, compiled_or_none, json_values


@pytest.mark.parametrize(
    ("sent", "compiled"),
    [
        (None, None),
        ("", None),
        ("name,price", {"name": 1, "price": 1, "_id": 1}),
        ("a.b, a.c", {"_id": 1, "a.b": 1, "a.c": 1}),
        ("_id", {"_id": 1}),
        ("-secret,-a.b", {"secret": 0, "a.b": 0}),
        (["name"], {"name": 1, "_id": 1}),
        ({"name": 1, "price": True}, {"name": 1, "price": 1, "_id": 1}),
        ({"secret": 0}, {"secret": 0}),
    ],
)
def test_compiles(sent: Any, compiled: Any) -> None:
    assert parse_fields(sent).to_mongo() == compiled


@pytest.mark.parametrize(
    ("sent", "pointer", "code"),
    [
        ("a,a", "?fields", "path-collision"),
        ("a,a.b", "?fields", "path-collision"),
        ("a.b.c,a", "?fields", "path-collision"),
        ("a,-b", "?fields", "mixed-projection"),
        ("-_id", "?fields", "mixed-projection"),
        ("-_id.x", "?fields", "mixed-projection"),
        ("a,,b", "?fields", "invalid-path"),
        ("$a", "?fields", "invalid-path"),
        ("a.$", "?fields", "invalid-path"),
        ({"leak": "$secret"}, "?fields/leak", "wrong-type"),
        ({"a": {"$slice": 1}}, "?fields/a", "wrong-type"),
        ({"a": {"$function": {}}}, "?fields/a", "wrong-type"),
        ({"a": 2}, "?fields/a", "wrong-type"),
        ([5], "?fields/0", "wrong-type"),
        (5, "?fields", "wrong-type"),
        ([f"f{n}" for n in range(201)], "?fields", "too-large"),
    ],
)
def test_refuses(sent: Any, pointer: str, code: str) -> None:
    with pytest.raises(InvalidParameterError) as refused:
        parse_fields(sent)
    fault = refused.value.faults[0]
    assert (fault.pointer, fault.code) == (pointer, code)


@pytest.mark.parametrize(
    ("fields", "sort", "read"),
    [
        ("name", "price", {"name": 1, "price": 1, "_id": 1}),
        ("a.b", "a", {"a": 1, "_id": 1}),
        ("a", "a.b", {"a": 1, "_id": 1}),
        ("-secret", "price", {"secret": 0}),
        ("-a", "a.b", None),
        ("-a.b,-c", "a", {"c": 0}),
    ],
)
def test_a_page_reads_what_its_cursor_needs(fields: str, sort: str, read: Any) -> None:
    assert parse_fields(fields).to_mongo(parse_sort(sort)) == read


def test_only_a_sort_by_other_fields_widens() -> None:
    assert parse_fields("name").is_widened_by(parse_sort("price"))
    assert not parse_fields("name,price").is_widened_by(parse_sort("price"))
    assert not parse_fields(None).is_widened_by(parse_sort("price"))
    assert parse_fields("-a.b").is_widened_by(parse_sort("a"))


@given(json_values(st.sampled_from(["a", "b.c", "_id", "$x", "", "-a"])))
def test_arbitrary_json_is_compiled_or_refused(sent: Any) -> None:
    compiled = compiled_or_none(lambda: parse_fields(sent).to_mongo())
    assert set((compiled or {}).values()) <= {0, 1}


VALUES = st.recursive(
    st.integers(0, 3) | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=10,
)
PATHS = st.sampled_from(["a", "b", "a.a", "a.b", "a.b.c", "b.c", "c.a.a", "c"])


@given(
    st.dictionaries(st.sampled_from("abc"), VALUES, max_size=3),
    st.lists(PATHS, min_size=1, max_size=3, unique=True),
    PATHS,
    st.booleans(),
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_projects_as_mongodb_does(
    mongo_uri: str, document: Any, paths: list[str], sort: str, excludes: Any
) -> None:  # fmt: skip
    try:
        projection: Projection = parse_fields([f"-{path}" if excludes else path for path in paths])
    except InvalidParameterError:
        return
    with MongoClient[dict[str, Any]](mongo_uri) as client:
        stored = client[DATABASE]["projection"]
        stored.delete_many({})
        stored.insert_one({"_id": 1, **document})
        expected = stored.find_one({}, projection.to_mongo())
        read = stored.find_one({}, projection.to_mongo(parse_sort(sort)))
        assert projection.apply(read or {}) == expected
