from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from documents.errors import InvalidParameterError
from documents.query.paging.sort import parse_sort
from tests.documents.query.filters import compiled_or_none, json_values


@pytest.mark.parametrize(
    ("sent", "keys"),
    [
        (None, [("_id", 1)]),
        ("", [("_id", 1)]),
        ([], [("_id", 1)]),
        ("-price,name", [("price", -1), ("name", 1), ("_id", 1)]),
        ("name,-price", [("name", 1), ("price", -1), ("_id", -1)]),
        ("+a, -b.c ", [("a", 1), ("b.c", -1), ("_id", -1)]),
        ("-_id", [("_id", -1)]),
        ("a,_id,b", [("a", 1), ("_id", 1)]),
        ("_id.x,a", [("_id.x", 1), ("a", 1), ("_id", 1)]),
        (["-price", "name"], [("price", -1), ("name", 1), ("_id", 1)]),
        ({"price": -1, "name": 1}, [("price", -1), ("name", 1), ("_id", 1)]),
        ([{"price": -1}, {"name": 1.0}], [("price", -1), ("name", 1), ("_id", 1)]),
    ],
)
def test_compiles(sent: Any, keys: list[tuple[str, int]]) -> None:
    assert parse_sort(sent).to_mongo() == keys


@pytest.mark.parametrize(
    ("sent", "pointer", "code"),
    [
        ("a,a", "?sort", "path-collision"),
        ("a,-a", "?sort", "path-collision"),
        ("a,a.b", "?sort", "path-collision"),
        ("a,,b", "?sort", "invalid-path"),
        ("-", "?sort", "invalid-path"),
        ("$where", "?sort", "invalid-path"),
        ("a.$meta", "?sort", "invalid-path"),
        ("a\0", "?sort", "invalid-path"),
        ("items.0.price", "?sort", "sort-by-position"),
        ("a,b,c,d,e,f,g,h,i", "?sort", "too-large"),
        (5, "?sort", "wrong-type"),
        ([5], "?sort/0", "wrong-type"),
        ({"a": 2}, "?sort/a", "wrong-type"),
        ({"a": True}, "?sort/a", "wrong-type"),
        ({"a": {"$meta": "textScore"}}, "?sort/a", "wrong-type"),
        ([{"a": 1}, {"a": -1}], "?sort/1/a", "path-collision"),
    ],
)
def test_refuses(sent: Any, pointer: str, code: str) -> None:
    with pytest.raises(InvalidParameterError) as refused:
        parse_sort(sent)
    fault = refused.value.faults[0]
    assert (fault.pointer, fault.code) == (pointer, code)


def test_reversed_and_fingerprint() -> None:
    sort = parse_sort("-price,name")
    assert sort.reversed().to_mongo() == [("price", 1), ("name", -1), ("_id", -1)]
    assert sort.reversed().reversed() == sort
    assert sort.fingerprint() != sort.reversed().fingerprint()
    assert sort.paths == ("price", "name", "_id")


@given(json_values(st.sampled_from(["a", "b.c", "_id", "$x", ""])))
def test_arbitrary_json_is_compiled_or_refused(sent: Any) -> None:
    sort = compiled_or_none(lambda: parse_sort(sent))
    assert sort is None or sort.keys[-1][0] == "_id"
