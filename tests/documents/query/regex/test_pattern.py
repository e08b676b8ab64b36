import re
import time
import warnings
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymongo import MongoClient

from documents.query.regex.parser import UnsafeRegexError
from documents.query.regex.pattern import check_regex
from tests.documents.query.filters import DATABASE


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "^abc$",
        "^shea?f",
        "colou?r",
        r"^\d{4}-\d{2}-\d{2}$",
        r"^[^@\s]+@[^@\s]+\.[a-z]{2,}$",
        "foo.*bar",
        "^(red|green|blue)$",
        "(foo|bar)+",
        "(ab)*c",
        r"(\.\d+)?$",
        "(?i)^sheaf",
        "(?:a|b)c",
        r"\$\{x\}",
        "[[:alpha:]]+-x",
        "[]x]".replace("[]", r"[\]"),
        "[a-z0-9_-]+@",
        "a+?b++",
        "^é+ü$",
        r"\x41b",
        ".*a.*b.*c",
        r"^(\d{3}-){2}\d{4}$",
        "[^a-c]x",
    ],
)
def test_ordinary_patterns_are_allowed(pattern: str) -> None:
    check_regex(pattern)
    re.compile(pattern.replace("[[:alpha:]]", "[a-z]"))


@pytest.mark.parametrize(
    "pattern",
    [
        "^(a+)+$",
        "(a*)*b",
        "(a|a)*b",
        "(a|ab)*c",
        "(.*a){20}",
        "(.*)*",
        "(a?){30}a{30}",
        "a?a?a?a?a?a?a?aaaaaaa",
        "(x+x+)+y",
        r"(\w+\s?)*$",
        "(a|b|ab)*c",
        "(|a)+",
        "(^)*",
        "(a|A)*",
        r"(\d|1)*x",
        r"([a-c]|[b-d])+x",
        ".*.*.*.*x",
        "(a|aa)(a|aa)(a|aa)(a|aa)$",
        "((a{100}){100}){100}",
        "a{2000}",
        "a{5,1001}",
        "(?=a)a",
        "(?!a)b",
        "(?<=a)b",
        "(?<!a)b",
        "(?P<n>a)",
        "(?<n>a)",
        "(?>a)",
        "(?R)",
        "(?1)",
        "(?x)a b",
        "a(?i)b",
        r"(a)\1",
        r"\g1",
        r"\k<n>",
        r"\Qa\E",
        r"\p{L}",
        r"\X",
        r"\C",
        r"\K",
        r"\x{41}",
        r"\00",
        "(*UTF8)a",
        "(*LIMIT_MATCH=1)a",
        "(",
        ")",
        "a)",
        "(a",
        "[",
        "[a",
        "[]",
        "[]a]",
        "[^]a]",
        "[z-a]",
        r"[\d-z]",
        r"[a-\d]",
        "[[:foo:]]",
        "[[.a.]]",
        "*a",
        "+",
        "?",
        "a**",
        "a{1}{2}",
        "a{",
        "a{,3}",
        "a{3,1}",
        "a{x}",
        "^*",
        r"\b+",
        "a\\",
        "a\0",
        "a" * 201,
        "(a)" * 21,
    ],
)
def test_dangerous_or_unknown_patterns_are_refused(pattern: str) -> None:
    with pytest.raises(UnsafeRegexError):
        check_regex(pattern, "i" if pattern == "(a|A)*" else "")


@pytest.mark.parametrize("pattern", ["(k|K)*", "(s|\u017f)*x", "(a|[^b])*c"])
def test_cases_are_one_when_they_are_ignored(pattern: str) -> None:
    with pytest.raises(UnsafeRegexError):
        check_regex(f"(?i){pattern}")


@pytest.mark.parametrize("options", ["x", "u", "ii", "g", "I"])
def test_other_options_are_refused(options: str) -> None:
    with pytest.raises(UnsafeRegexError):
        check_regex("a", options)


WORDS = r"a b é . ^ $ ( ) (?: | [ab] [^a] [a-z-] * + ? {2} {1,3} {2,} \d \W \s \b \. \x41 \n [ ] - { } / # (?i) [\w.]"
PIECES = st.lists(st.sampled_from([*WORDS.split(), "[[:alpha:]]", " "]), max_size=12).map("".join)


@given(PIECES, st.sampled_from(["", "i", "ms"]))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_mongodb_takes_every_pattern_that_is_allowed(mongo_uri: str, pattern: str, options: str) -> None:
    try:
        check_regex(pattern, options)
    except UnsafeRegexError:
        return
    with MongoClient[dict[str, Any]](mongo_uri) as client:
        client[DATABASE]["regex"].find_one({"a": {"$regex": pattern, "$options": options}})


@given(PIECES)
@settings(max_examples=300, deadline=None)
def test_allowed_patterns_do_not_blow_up(pattern: str) -> None:
    # Python backtracks as PCRE does, but without a limit: a pattern that explodes would not end here.
    try:
        check_regex(pattern)
    except UnsafeRegexError:
        return
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of sets in sets, which PCRE has not
            compiled = re.compile(pattern.replace("[[:alpha:]]", "[a-zA-Z]"))
    except re.error:
        return
    began = time.perf_counter()
    for text in ("a" * 40, "ab" * 20, "a" * 40 + "!", "é" * 30 + "b", "1.A" * 12):
        compiled.search(text)
    assert time.perf_counter() - began < 2
