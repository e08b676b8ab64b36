"""Material for the tests of the compilers: types, attacks, and arbitrary JSON."""

import os
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

from hypothesis import strategies as st

from documents.errors import InputError
from documents.query.shapes import is_array, is_object
from documents.types import Coerce

T = TypeVar("T")

DATABASE = f"query_{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}"
"""One for each process of pytest-xdist."""


def compiled_or_none(compiler: Callable[[], T]) -> T | None:
    """Return what `compiler` makes, or None when it refuses as it should: with faults."""
    try:
        return compiler()
    except InputError as refused:
        if not refused.faults:
            raise
        return None


def no_types(_: str) -> Coerce | None:
    return None


def _moment(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError(value)  # noqa: TRY004  # the contract of a coercion
    return datetime.fromisoformat(value)


def _whole(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(value)  # noqa: TRY004  # the contract of a coercion
    return value


def _words(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError(value)  # noqa: TRY004  # the contract of a coercion
    return value


DECLARED: dict[str, Coerce] = {
    "created": _moment,
    "stock": _whole,
    "name": _words,
    "tags": _words,
    "items.sold": _moment,
}


def shop_types(path: str) -> Coerce | None:
    return DECLARED.get(path)


CODE = {"$where": "sleep(2000)"}
FUNCTION: dict[str, Any] = {"$expr": {"$function": {"body": "function(){return true}", "args": [], "lang": "js"}}}
BOMBS: tuple[dict[str, Any], ...] = (
    CODE,
    FUNCTION,
    {"$expr": {"$eq": ["$role", "admin"]}},
    {"$jsonSchema": {"required": ["x"]}},
    {"$comment": "x"},
    {"$text": {"$search": "x"}},
    {"$alwaysTrue": 1},
    {"$sampleRate": 0.5},
    {"a": {"$where": "1"}},
    {"a": {"$expr": 1}},
    {"a": {"$near": [0, 0]}},
    {"a": {"$nearSphere": [0, 0]}},
    {"a": {"$rand": {}}},
    {"a": {"$accumulator": {}}},
)


def nested(bomb: Any) -> list[Any]:
    """Return `bomb` inside everything that has an inside."""
    return [
        bomb,
        {"$and": [{"x": 1}, bomb]},
        {"$or": [bomb]},
        {"$nor": [{"$and": [bomb]}]},
        {"f": {"$elemMatch": bomb}},
        {"f": {"$elemMatch": {"$or": [bomb]}}},
        {"f": {"$not": bomb}},
        {"f": {"$not": {"$elemMatch": bomb}}},
        {"f": {"$all": [{"$elemMatch": bomb}]}},
        {"f": bomb},
        {"f": {"$eq": bomb}},
        {"f": {"$in": [1, bomb]}},
        {"f": {"x": {"y": [bomb]}}},
        {"$and": [{"$or": [{"$nor": [{"f": {"$elemMatch": {"$and": [bomb]}}}]}]}]},
    ]


scalars = (
    st.none()
    | st.booleans()
    | st.integers(min_value=-(2**70), max_value=2**70)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["$a", "a.b", "a\0", "\ud800", "number", "^(a+)+$", "^a"])
)


def one_of_name(names: st.SearchStrategy[str], values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return objects with a single name."""
    return st.tuples(names, values).map(lambda pair: {pair[0]: pair[1]})


def json_values(names: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    return st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
        max_leaves=12,
    )


def operators_in(value: object) -> set[str]:
    """Return every name beginning with $ anywhere in `value`."""
    if is_object(value):
        return {name for name in value if name.startswith("$")}.union(*map(operators_in, value.values()))
    return set[str]().union(*map(operators_in, value)) if is_array(value) else set()
