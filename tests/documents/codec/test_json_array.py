import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from documents.codec.formats import ReadOptions
from documents.codec.records import Format
from tests.documents.codec.streams import CUTS, EVERY_BYTE, LIMIT, check_places, read, said

BAD = "malformed-json"
ARRAYS: list[tuple[bytes, list[tuple[int, Any]]]] = [
    (b"[]", []),
    (b"\xef\xbb\xbf [ \n ] \n", []),
    (b'[{"a":1}]', [(1, {"a": 1})]),
    (b'[\n{"a":1},\n\n{"a":2}\n]\n', [(2, {"a": 1}), (4, {"a": 2})]),
    (
        b'[{"a":"]},{\\"[{"},{"b":[{"c":1},{"c":2}]},{"d":{}}]',
        [(1, {"a": ']},{"[{'}), (1, {"b": [{"c": 1}, {"c": 2}]}), (1, {"d": {}})],
    ),
    # One bad item, and on behind its comma.
    (b'[{"a":1},{"a":},{"a":3}]', [(1, {"a": 1}), (1, BAD), (1, {"a": 3})]),
    (b'[{"a":1}},{"a":2}]', [(1, BAD), (1, {"a": 2})]),
    (b'[{"a":1] ,{"a":2}]', [(1, BAD), (1, {"a": 2})]),
    (b'[{"a":1} {"a":1},{"a":2}]', [(1, BAD), (1, {"a": 2})]),
    (b'[{"a":"raw\nfeed"},{"a":2}]', [(1, BAD), (2, {"a": 2})]),
    (b'[{"a":"\xff"},{"a":2}]', [(1, BAD), (1, {"a": 2})]),
    (
        b'[{"a":NaN},{"a":99999999999999999999},{"a":1,"a":2},{"$a":1},{"a\\u0000":1},{}]',
        [(1, BAD), (1, "integer-out-of-range"), (1, "duplicate-key"), (1, "key-refused"), (1, "key-refused"), (1, {})],
    ),
    (b"[" + b"[" * 10_000 + b"]" * 10_000 + b",{}]", [(1, "too-deep"), (1, {})]),
    (b'[1,"x",null,[],{}]', [*[(1, "wrong-type")] * 4, (1, {})]),
    (b"[{},,{}]", [(1, {}), (1, BAD), (1, {})]),
    (b"[{},\n]", [(1, {}), (2, BAD)]),
    (b"[,]", [(1, BAD)] * 2),
    # One fault for the rest.
    (b'[{},\n{"a":[1},{},{}]', [(1, {}), (2, BAD)]),
    (b'[{},\n{"a":"x},{},{}]', [(1, {}), (2, BAD)]),
    (b"[{},{", [(1, {}), (1, BAD)]),
    (b'[{},{"a":"\\', [(1, {}), (1, BAD)]),
    (b"[{},{}", [(1, {}), (1, {}), (1, BAD)]),
    (b"[{},", [(1, {}), (1, BAD)]),
    (b"[", [(1, BAD)]),
    (b"", [(1, BAD)]),
    (b'{"a":1}\n{"a":2}', [(1, BAD)]),
    (b"[{}]\n[{}]", [(1, {}), (2, BAD)]),
    (b"\xef\xbbx", [(1, BAD)]),
]


@pytest.mark.parametrize(("data", "expected"), ARRAYS)
def test_items(data: bytes, expected: list[tuple[int, Any]]) -> None:
    records = read(Format.JSON, data)
    assert said(records) == expected
    check_places(records, data)
    for cuts in EVERY_BYTE, range(2, 3000, 7):
        assert read(Format.JSON, data, cuts=cuts) == records


def test_the_rest_is_counted() -> None:
    data = b'[{},{"a":"x},{}' + b"y" * 100_000
    *_, rest = read(Format.JSON, data, ReadOptions(limit=1000))
    assert (rest.offset, rest.end, len(rest.raw)) == (4, len(data), 1000)
    data = b'"a"' + b"\n{}" * 100
    [rest] = read(Format.JSON, data)
    assert (rest.offset, rest.end) == (0, len(data))
    assert rest.fault
    assert f"{len(data)} bytes" in rest.fault.detail


def test_an_item_that_is_too_large_is_one_fault() -> None:
    data = b'[{"a":1},{"a":"' + b"x" * 100 + b'"},{"a":3}]'
    records = read(Format.JSON, data, ReadOptions(limit=LIMIT))
    assert said(records) == [(1, {"a": 1}), (1, "document-too-large"), (1, {"a": 3})]
    assert (records[1].end - records[1].offset, len(records[1].raw)) == (108, LIMIT)
    assert read(Format.JSON, data, ReadOptions(limit=LIMIT), cuts=EVERY_BYTE) == records


VALUES = st.recursive(
    st.none() | st.integers(-9, 9) | st.text('a"\\,:[]{}\n\u20ac', max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("ab,{}[]", min_size=1, max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)
DOCUMENTS = st.lists(st.dictionaries(st.sampled_from("abc"), VALUES, max_size=3), max_size=80)


@given(DOCUMENTS, st.sampled_from([None, 1]), st.sampled_from([",", ",\n", " , "]), CUTS)
def test_what_json_writes_is_read(
    documents: list[dict[str, Any]], indent: int | None, comma: str, cuts: list[int]
) -> None:
    items = [json.dumps(document, indent=indent) for document in documents]
    data = f"[{comma.join(items)}]".encode()
    records = read(Format.JSON, data, cuts=cuts)
    assert [record.document for record in records] == documents
    assert [record.raw.decode() for record in records] == items
    assert [record.line for record in records] == [data.count(b"\n", 0, record.offset) + 1 for record in records]
    for record in records[1:3]:
        assert read(Format.JSON, data, ReadOptions(start=record.offset)) == [
            each for each in records if each.offset >= record.offset
        ]


@given(
    st.lists(
        st.sampled_from([b"{", b"}", b"[", b"]", b",", b'"', b"\\", b'{"a":1}', b"{},", b"\n", b"1"]), max_size=80
    ),
    CUTS,
    st.sampled_from([4, 16, 10_000]),
)
def test_chunks_make_no_difference(parts: list[bytes], cuts: list[int], limit: int) -> None:
    data = b"[" + b"".join(parts)
    options = ReadOptions(limit=limit)
    records = read(Format.JSON, data, options)
    assert read(Format.JSON, data, options, cuts=cuts) == records
    assert read(Format.JSON, data, options, cuts=range(200)) == records
    check_places(records, data)
