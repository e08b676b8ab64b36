"""Arrays that are members of an object."""

from typing import Any

import pytest

from documents.codec.formats import ReadOptions
from documents.codec.records import Format
from tests.documents.codec.streams import EVERY_BYTE, LIMIT, read, said

BAD = "malformed-json"
TEXTS: list[tuple[bytes, list[tuple[int, Any]]]] = [
    (b'{"f":[]}', []),
    (b'\xef\xbb\xbf {"a":1, "f" : [{"a":1},\n{"a":2}], "g":[{"a":3}]}', [(1, {"a": 1}), (2, {"a": 2})]),
    (b'{"a":{"f":[1]},"b":"\\"f\\":[","c":[[],{"f":2}],\n"f":[{"a":"]}"}]}', [(2, {"a": "]}"})]),
    (b'{"f":[{"a":1},{"a":},{"a":3}]}', [(1, {"a": 1}), (1, BAD), (1, {"a": 3})]),
    (b'{"\\u0066":[{}]}', [(1, {})]),
    (b'{"f":[{"a":1}', [(1, {"a": 1}), (1, BAD)]),
    # One fault for all of it.
    (b'{"g":[{}]}', [(1, BAD)]),
    (b'{"f":3}', [(1, "wrong-type")]),
    (b'[{"f":[{}]}]', [(1, BAD)]),
    (b'{"g":[1,2', [(1, BAD)]),
    (b"{f:[]}", [(1, BAD)]),
    (b"", [(1, BAD)]),
]


@pytest.mark.parametrize(("data", "expected"), TEXTS)
def test_items_of_a_member(data: bytes, expected: list[tuple[int, Any]]) -> None:
    options = ReadOptions(items="f")
    records = read(Format.JSON, data, options)
    assert said(records) == expected
    assert all(data[record.offset : record.end] == record.raw for record in records if record.document is not None)
    assert read(Format.JSON, data, options, cuts=EVERY_BYTE) == records


def test_it_goes_on_where_it_was() -> None:
    data = b'{"x":[9,9],"f":[{"a":1},{"a":2},{"a":3}],"y":0}'
    first, *others = read(Format.JSON, data, ReadOptions(items="f"))
    assert read(Format.JSON, data, ReadOptions(items="f", start=first.end)) == others


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b'{"a":1}', [(1, {"a": 1})]),
        (b'\n {"a":\n[1,\n2]}\n', [(2, {"a": [1, 2]})]),
        (b'{"a":1}]', [(1, {"a": 1}), (1, BAD)]),
        (b'{"a":1}\n{"a":2}', [(1, BAD)]),
        (b'{"a":1', [(1, BAD)]),
        (b'{"a":"' + b"x" * LIMIT + b'"}', [(1, "document-too-large")]),
    ],
)
def test_an_object_is_one_document(data: bytes, expected: list[tuple[int, Any]]) -> None:
    records = read(Format.JSON, data, ReadOptions(limit=LIMIT))
    assert said(records) == expected
    assert read(Format.JSON, data, ReadOptions(limit=LIMIT), cuts=EVERY_BYTE) == records
