import pytest
from hypothesis import given
from hypothesis import strategies as st

from documents.codec.formats import ReadOptions
from documents.codec.records import HEAD_BYTES, PIECE_BYTES, Format
from tests.documents.codec.streams import CUTS, EVERY_BYTE, LIMIT, check_places, read, said

POISON = b"\n".join(
    [
        b'\xef\xbb\xbf{"n":1}',
        b'{"n":"\xff"}',
        b'{"n":3',
        b"",
        b'{"n":5}\r',
        b" \t\r",
        b'{"n":NaN}',
        b'{"n":9223372036854775808}',
        b'{"n":9,"n":9}',
        b'{"$n":10}',
        b'{"n":"\\u0000"}',
        b'{"a\\u0000":1}',
        b"[" * 10_000,
        b'{"a.b":14}',
        b"[15]",
        b'{"x":"' + b"y" * HEAD_BYTES + b'"}',
        b"\xff\xfe\x00\x01",
        b'{"n":18}{"n":18}',
        b'{"n":19}',
        b'{"n":20',
    ]
)
FOUND = [
    (1, {"n": 1}),
    (2, "malformed-json"),
    (3, "malformed-json"),
    (5, {"n": 5}),
    (7, "malformed-json"),
    (8, "integer-out-of-range"),
    (9, "duplicate-key"),
    (10, "key-refused"),
    (11, {"n": "\0"}),
    (12, "key-refused"),
    (13, "too-deep"),
    (14, "key-refused"),
    (15, "wrong-type"),
    (16, "document-too-large"),
    (17, "malformed-json"),
    (18, "malformed-json"),
    (19, {"n": 19}),
    (20, "malformed-json"),
]
OPTIONS = ReadOptions(limit=20_000)


@pytest.mark.parametrize("cuts", [(), range(0, len(POISON), 1000), EVERY_BYTE, [3], [1, 2], [11, 12]])
def test_no_good_line_is_lost_and_each_bad_one_is_accounted_for(cuts: range) -> None:
    records = read(Format.NDJSON, POISON, OPTIONS, cuts=cuts)
    assert said(records) == FOUND
    check_places(records, POISON)
    large = records[13]
    assert large.end - large.offset == HEAD_BYTES + 8
    assert large.raw == POISON[large.offset : large.offset + 20_000]


def test_a_line_of_20_mb_is_one_fault() -> None:
    data = b'{"n":1}\n{"n":"' + b"x" * (20 * 1024 * 1024) + b'"}\n{"n":3}\n'
    records = read(Format.NDJSON, data, cuts=range(0, len(data), PIECE_BYTES))
    assert said(records) == [(1, {"n": 1}), (2, "document-too-large"), (3, {"n": 3})]
    assert len(records[1].raw) == HEAD_BYTES
    check_places(records, data)


def test_one_long_chunk_is_read_in_pieces() -> None:
    data = b"".join(b'{"n":%d}\n' % number for number in range(50_000))
    assert len(data) > 2 * PIECE_BYTES
    assert said(read(Format.NDJSON, data)) == [(number + 1, {"n": number}) for number in range(50_000)]


LINES = st.lists(
    st.sampled_from([b'{"a":1}', b"", b"\r", b'{"a":', b"x" * LIMIT, b"y" * (LIMIT + 1), b"\xef\xbb\xbf", b" {}  "]),
    max_size=8,
)


@given(LINES, CUTS, st.booleans())
def test_chunks_make_no_difference(lines: list[bytes], cuts: list[int], ends: bool) -> None:  # noqa: FBT001  # given by Hypothesis
    data = b"\n".join(lines) + b"\n" * ends
    options = ReadOptions(limit=LIMIT)
    records = read(Format.NDJSON, data, options)
    assert read(Format.NDJSON, data, options, cuts=cuts) == records
    check_places(records, data)
    assert [line for line, _ in said(records)] == [
        number
        for number, line in enumerate(lines, 1)
        if (line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line).strip()
    ]


@given(LINES, st.integers(0, 8))
def test_reading_goes_on_where_it_was_broken_off(lines: list[bytes], done: int) -> None:
    data = b"\n".join(lines)
    records = read(Format.NDJSON, data, ReadOptions(limit=LIMIT))
    start = records[done - 1].end if 0 < done <= len(records) else 0
    assert read(Format.NDJSON, data, ReadOptions(limit=LIMIT, start=start)) == [
        each for each in records if each.offset >= start
    ]


def test_extended_json_in_lines_and_in_an_array() -> None:
    lines = b'\xef\xbb\xbf\n{"n":{"$numberLong":"1"}}\n{"n":{"$oid":"x"}}\n{"n":{"$date":"2026-01-02T00:00:00Z"}}'
    for cuts in (), EVERY_BYTE:
        in_lines = read(Format.EJSON, lines, cuts=cuts)
        assert [type(value) for _, value in said(in_lines)] == [dict, str, dict]
        assert [record.line for record in in_lines] == [2, 3, 4]
        items = read(Format.EJSON, b" [" + b",\n".join(lines.split(b"\n")[1:]) + b"]", cuts=cuts)
        assert [record.document for record in items] == [record.document for record in in_lines]
    assert read(Format.EJSON, b" \n ") == []
