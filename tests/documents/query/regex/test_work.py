"""Patterns that take linear time, and their equals."""

import time
from collections.abc import Iterator
from itertools import product
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymongo import MongoClient
from pymongo.collection import Collection

from documents.errors import InvalidFilterError
from documents.query.filter.filter import parse_filter
from documents.query.regex.parser import UnsafeRegexError
from documents.query.regex.pattern import check_regex
from documents.query.regex.work import MAX_WORK, linear_regex, longest_text
from tests.documents.query.filters import DATABASE, no_types

pytestmark = pytest.mark.slow

AS_THEY_ARE: Final = [
    "", "abc", "^abc$", "^shea?f", "colou?r", r"^\d{4}-\d{2}-\d{2}$", r"^[^@\s]+@[^@\s]+\.[a-z]{2,}$",
    "^(red|green|blue)$", "(foo|bar)+", r"(\.\d+)?$", "(?i)^sheaf", "(?:a|b)c", r"\$\{x\}", "^é+ü$", "x+", "foo.*",
    r"^(\d{3}-){2}\d{4}$", "[^a-c]x", "^.*x", "^x*y", "^foo.*bar", r"foo\s+bar", r'"[^"]*"', r"\b\w+@", r"\b\d+ EUR", ",.*",
    "(?m)^x*y", "(?m)^[a-z]+: [0-9]+$", "a{3,9}b", "<[^<>]*>", "a phrase of many words that somebody remembers",
]  # fmt: skip
EQUALS: Final = {
    "x*y1": "y1", "[a-z0-9_-]+@": "[a-z0-9_-]@", "a{2,}b": "a{2}b", ".*a": "a", r"\s+$": r"\s$", "(ab)*c": "c",
    "(?i)x+y": "(?i)xy", r"\w+@\w+\.com": r"\w@\w+\.com", "a+?b++": "ab++", "[[:alpha:]]+-x": "[[:alpha:]]-x",
    "foo.*bar": "foo(?:.*bar|.*+(*SKIP)(*F))", "^a.*b.*c": "^a(?>.*?b).*c", "x+|y+z": "x+|yz",
    ".*a.+b.{2,}c.*": "a(?:(?>.+?b).{2,}c|.*+(*SKIP)(*F))", "(?s)foo.*bar": "(?s)foo(?:.*bar|.*+(*SKIP)(*F))",
    "foo.*[0-9]+(bar|x)": "foo(?:.*[0-9](bar|x)|.*+(*SKIP)(*F))",
}  # fmt: skip
REFUSED: Final = [
    "ax*x*y", "ax*y.*z", "[a-f]{100}y", "(?:[a-f]b){300}y", "<[^>]*>", "(a|b){40}x", "^a{0,500}a{0,500}b",
    "a[^b]*c.*d", r"a.*\sb.*c", "b[^a].*a", "(a|bc).*d", "a?b.*c".replace("a?", "xa?"), "foo.*bar|baz", "a[a-z]{0,90}b", "(?s)^a*.*b.*c.*[d-f]?x+y", "(a|bc)(a|bc)(a|bc)(a|bc)(a|bc).*d",
]  # fmt: skip


@pytest.mark.parametrize("pattern", AS_THEY_ARE)
def test_a_pattern_that_takes_linear_time_stays_as_it_is(pattern: str) -> None:
    check_regex(pattern)
    assert linear_regex(pattern)[0] == pattern
    assert parse_filter({"a": {"$regex": pattern}}, no_types).to_mongo() == {"a": {"$regex": pattern}}


@pytest.mark.parametrize("pattern", EQUALS)
def test_others_have_an_equal_that_does(pattern: str) -> None:
    check_regex(pattern)
    assert linear_regex(pattern)[0] == EQUALS[pattern]


@pytest.mark.parametrize("pattern", REFUSED)
def test_a_pattern_without_such_an_equal_is_refused(pattern: str) -> None:
    with pytest.raises(UnsafeRegexError):
        linear_regex(pattern)


@pytest.mark.parametrize(
    "query",
    [
        {"a": {"$regex": "<[^>]*>"}},
        {"a": {"$not": {"$regex": "<[^>]*>"}}},
        {"a": {"$elemMatch": {"$regex": "<[^>]*>"}}},
        {"a": {"$elemMatch": {"b": {"$regex": "<[^>]*>"}}}},
        {"$nor": [{"a": {"$regex": "<[^>]*>"}}]},
        {"$or": [{"a": {"$regex": "^x"}} for _ in range(MAX_WORK + 1)]},
    ],
)
def test_filters_refuse_it_wherever_it_stands(query: Any) -> None:
    with pytest.raises(InvalidFilterError):
        parse_filter(query, no_types)


PIECES: Final = st.lists(
    st.sampled_from(
        [
            *[
                "a",
                "b",
                "ab",
                ".",
                ".*",
                ".+",
                "a*",
                "b+",
                "[ab]",
                "[^a]",
                "^",
                "$",
                "(a|ab)",
                "(?:a|b)",
                "(ab)?",
                "a?",
                "a{2}",
                "b{1,3}",
                "|",
                "(b|ba)*",
                "\\b",
                "\\w+",
                "\\n",
            ],
            " ",
        ]
    ),
    max_size=7,
).map("".join)


def test_the_longest_text_shrinks_with_the_power() -> None:
    lengths = [longest_text(pattern) for pattern in ("abc", "x*y1", "foo.*bar", "x*x*y", "x*x*x*y")]
    assert lengths == sorted(lengths, reverse=True)
    assert longest_text("^x*y") > 10**6
    assert 1000 < longest_text("foo.*bar") < 10_000


# Against MongoDB


@pytest.fixture(scope="module")
def texts(mongo_uri: str) -> Iterator[Collection[Any]]:
    with MongoClient[dict[str, Any]](mongo_uri) as client:
        collection = client[DATABASE]["long_texts"]
        collection.drop()
        for unit in ("x", "foo", "ab", "a\n", "foo foo\n"):
            collection.insert_one({"unit": unit, "s": unit * (1_500_000 // len(unit)), "t": [unit * 900] * 1000})
        yield collection
        collection.drop()


@pytest.fixture(scope="module")
def short_texts(mongo_uri: str) -> Iterator[Collection[Any]]:
    with MongoClient[dict[str, Any]](mongo_uri) as client:
        collection = client[DATABASE]["short_texts"]
        collection.drop()
        every = ("".join(letters) for length in range(6) for letters in product("aBb \n", repeat=length))
        collection.insert_many([{"s": text} for text in every])
        yield collection
        collection.drop()


@given(PIECES, st.sampled_from(["", "i", "m", "s", "ims"]))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_equal_matches_the_same_texts(short_texts: Collection[Any], pattern: str, options: str) -> None:
    try:
        check_regex(pattern, options)
        linear, work = linear_regex(pattern, options)
    except UnsafeRegexError:
        return
    assert 1 <= work <= MAX_WORK
    if linear == pattern:
        return
    one, other = (
        [row["s"] for row in short_texts.find({"s": {"$regex": source, "$options": options}}).sort("_id")]
        for source in (pattern, linear)
    )
    assert one == other


@pytest.mark.parametrize("pattern", [*AS_THEY_ARE, *EQUALS, "(?ms)^a.*^b", "f.*o.*x", "[a-z]{30}1"])
def test_mongodb_is_through_a_long_text_soon(texts: Collection[Any], pattern: str) -> None:
    began = time.monotonic()
    for field in ("s", "t"):
        texts.count_documents(parse_filter({field: {"$not": {"$regex": pattern}}}, no_types).to_mongo())
    # 12 MB of text: 0.1 to 2 s on a quiet machine, hours for `x*y1` as it stands.
    assert time.monotonic() - began < 10
