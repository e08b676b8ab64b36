import json
from contextlib import suppress
from typing import Any, cast

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from documents.codec import strict
from documents.codec.ndjson import parse_ndjson
from documents.codec.strict import check_keys, parse_json
from documents.errors import Fault, InputError, InvalidDocumentError, MalformedJsonError
from documents.types import MAX_DEPTH

INT64 = st.integers(-(2**63), 2**63 - 1)
# Names that collide often, and texts that look like JSON themselves.
TEXTS = st.text('ab:\\"{[0123456789\u003a\n', max_size=24) | st.text(max_size=8)
SCALARS = st.none() | st.booleans() | INT64 | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4), max_leaves=10
)


def faults_of(body: bytes) -> list[tuple[str, str]]:
    with pytest.raises(InvalidDocumentError) as caught:
        parse_json(body)
    return [(fault.pointer, fault.code) for fault in caught.value.faults]


def nest(levels: int) -> bytes:
    return b'[{"a":' * (levels // 2) + b"[" * (levels % 2) + b"1" + b"]" * (levels % 2) + b"}]" * (levels // 2)


@given(value=VALUES, ensure_ascii=st.booleans(), indent=st.sampled_from([None, 1]))
def test_what_json_writes_is_read(*, value: object, ensure_ascii: bool, indent: int | None) -> None:
    assert parse_json(json.dumps(value, ensure_ascii=ensure_ascii, indent=indent).encode()) == value


@given(st.lists(st.tuples(st.sampled_from(["a", "b", ":", "\\:", "a\\"]), VALUES), min_size=1, max_size=5))
def test_a_key_twice_is_found_and_one_once_is_not(pairs: list[tuple[str, object]]) -> None:
    body = "{" + ",".join(f"{json.dumps(key)} : {json.dumps(value)}" for key, value in pairs) + "}"
    if len({key for key, _ in pairs}) == len(pairs):
        assert parse_json(body.encode()) == dict(pairs)
    else:
        assert "duplicate-key" in {code for _, code in faults_of(body.encode())}


@pytest.mark.parametrize(
    ("body", "faults"),
    [
        (b'{"a":1,"a":2}', [("/a", "duplicate-key")]),
        (b'{"a":1,"\\u0061":2}', [("/a", "duplicate-key")]),
        (b'{"a" :1,"b":{"a":1},"a" :2}', [("/a", "duplicate-key")]),
        (b'{"a":"\\u003a","b":1,"b":2}', [("/b", "duplicate-key")]),
        (b'{"a":"\\\\u003a","b":1,"b":2}', [("/b", "duplicate-key")]),
        (b'[{"x/y":1},{"x/y":{"z":"]"},"x/y":[3]}]', [("/1/x~1y", "duplicate-key")]),
        (b'{"a":[{"b":1,"b":2,"b":3}],"c":1,"c":2}', [("/a/0/b", "duplicate-key")] * 2 + [("/c", "duplicate-key")]),
        (b"[9223372036854775808]", [("/0", "integer-out-of-range")]),
        (b"-9223372036854775809", [("", "integer-out-of-range")]),
        (b'{"a": [0, {"b": 18446744073709551616}]}', [("/a/1/b", "integer-out-of-range")]),
        (b"[1," + b"9" * 300 + b"]", [("/1", "integer-out-of-range")]),
        (b'{"a":1,"a":99999999999999999999}', [("/a", "duplicate-key"), ("/a", "integer-out-of-range")]),
        (nest(MAX_DEPTH + 1), [("/0/a" * (MAX_DEPTH // 2), "too-deep")]),
        (nest(10_000), [("/0/a" * (MAX_DEPTH // 2), "too-deep")]),
        (b"[" * 10_000, [("/0" * MAX_DEPTH, "too-deep")]),
        (b'{"s":"[[","a":' * 2000, [("/a" * MAX_DEPTH, "too-deep")]),
    ],
)
def test_refused(body: bytes, faults: list[tuple[str, str]]) -> None:
    assert faults_of(body) == faults


@pytest.mark.parametrize(
    "body",
    [
        b"[9223372036854775807,-9223372036854775808]",
        b"[9223372036854775808.0,1e20,-1.8446744073709552E19,0.99999999999999999999,1e-9]",
        b'["99999999999999999999", "\\"99999999999999999999", {"99999999999999999999": 1}]',
        b"9223372036854775807",
        nest(MAX_DEPTH),
        b"[" + b"{}," * 200 + b"{}]",
        b'{"a":"a\\u003ab","b":":\\":","c" : "\\\\u003a"}',
        b' \r\n\t{"a"\n:\n1}\n',
        b'"text"',
        b"null",
    ],
)
def test_taken(body: bytes) -> None:
    assert parse_json(body) == json.loads(body)


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b"", "The body is empty where JSON is expected."),
        (b" \n", "The body is empty where JSON is expected."),
        (b"\xef\xbb\xbf{}", "The text is not JSON at column 1: UTF-8 byte order mark (BOM) is not supported."),
        (b'{"a":"\xff"}', "The text is not UTF-8: byte 6 does not belong there."),
        (b"[" * 2000 + b"\xff]", "The text is not UTF-8: byte 2000 does not belong there."),
        (b'"\xed\xa0\x80"', "The text is not UTF-8: byte 1 does not belong there."),
        (b'["\\ud800"]', "The text is not JSON at column 3: no low surrogate in string."),
        (b"[NaN]", "JSON has no NaN and no Infinity (column 2)."),
        (b"[-Infinity]", "JSON has no NaN and no Infinity (column 3)."),
        (b'{\n"a": Infinity}', "JSON has no NaN and no Infinity (line 2, column 6)."),
        (b"1e999", "The text is not JSON at column 1: number is infinity when parsed as double."),
        (b"[1,\n 2,, 3]", "The text is not JSON at line 2, column 4: unexpected character, expected a JSON value."),
        (b'{"a":1}x', "The text is not JSON at column 8: unexpected content after document."),
    ],
)
def test_malformed(body: bytes, detail: str) -> None:
    with pytest.raises(MalformedJsonError) as caught:
        parse_json(body)
    assert caught.value.detail == detail
    assert caught.value.faults == (Fault("", "malformed-json", detail),)


JSON_CRUMBS = st.lists(
    st.sampled_from([b"{", b"}", b"[", b"]", b":", b",", b'"', b'"a"', b"\\", b"\\u003a", b"1", b"9" * 19, b"e", b"-"])
)


@given(st.binary() | JSON_CRUMBS.map(b"".join) | st.integers(0, 3000).map(b"[".__mul__))
@example(b"\x00")
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    with suppress(InputError):
        assert parse_json(body) == orjson.loads(body)


def test_a_long_text_is_refused_without_a_pointer() -> None:
    body = b'{"a":1,"a":2,"b":"' + b"x" * strict.SPOTS_LIMIT + b'"}'
    assert faults_of(body) == [("", "duplicate-key")]


def test_faults_are_not_endless() -> None:
    assert len(faults_of(b"[" + b",".join([b"99999999999999999999"] * 5000) + b"]")) == strict.MAX_FAULTS


@pytest.mark.parametrize(
    ("value", "pointers"),
    [
        ({"a": {"b": [1, {"c": 2}]}, "a$": 1, "_": 2}, []),
        ({"$set": 1, "b": {"c.d": 1}}, ["/$set", "/b/c.d"]),
        ([{"ok": 1}, {"": {"\0": 1}}], ["/1/", "/1//\0"]),
        ({"line\n$feed": {"x": 1}}, []),
        ({"a": {"line\n$feed": {".": 1}}}, ["/a/line\n$feed/."]),
        ({"a/b": [{"~": {"$": 1}}]}, ["/a~1b/0/~0/$"]),
        ("$text", []),
        (None, []),
    ],
)
def test_refused_keys(value: object, pointers: list[str]) -> None:
    assert [fault.pointer for fault in check_keys(value)] == pointers
    assert {fault.code for fault in check_keys(value)} <= {"key-refused"}
    assert [fault.pointer for fault in check_keys(value, pointer="/at")] == [f"/at{pointer}" for pointer in pointers]


@given(VALUES)
def test_keys_are_refused_just_where_there_are_such(value: object) -> None:
    def refused(tree: Any) -> int:
        if isinstance(tree, dict):
            members = cast("dict[str, Any]", tree)
            own = [key for key in members if key == "" or key.startswith("$") or "." in key or "\0" in key]
            return len(own) + sum(map(refused, members.values()))
        return sum(map(refused, cast("list[Any]", tree))) if isinstance(tree, list) else 0

    assert len(check_keys(value)) == refused(value)


def test_ndjson() -> None:
    body = b'{"a":1}\r\n\n \t\r\n[NaN]\n{"b":1,"b":2}\n2'
    lines = dict(parse_ndjson(body))
    assert list(lines) == [1, 4, 5, 6]
    assert lines[1] == {"a": 1}
    assert isinstance(lines[4], MalformedJsonError)
    assert isinstance(lines[5], InvalidDocumentError)
    assert lines[6] == 2
    assert list(parse_ndjson(b"")) == []


@given(st.lists(VALUES, max_size=5))
def test_ndjson_reads_what_is_written_a_line_each(values: list[object]) -> None:
    body = b"\n".join(orjson.dumps(value) for value in values)
    assert [value for _, value in parse_ndjson(body)] == values
