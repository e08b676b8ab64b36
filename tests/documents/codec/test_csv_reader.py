import csv
import io
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from bson.decimal128 import Decimal128
from bson.objectid import ObjectId
from hypothesis import example, given
from hypothesis import strategies as st

from documents.codec.csv_columns import Column, infer_type, parse_columns
from documents.codec.csv_reader import SAMPLE_ROWS, HeaderError
from documents.codec.formats import ReadOptions, make_reader
from documents.codec.records import Format
from tests.documents.codec.streams import CUTS, EVERY_BYTE, LIMIT, check_places, read, said

POISON = (
    b"\xef\xbb\xbfa,b\r\n"
    b"1,2\r\n"
    b"only\r\n"
    b"1,2,3\r\n"
    b"\r\n"
    b'"x, ""y""","two\r\nlines"\r\n'
    b"\xff,1\n"
    b'"never closed,1\n'
    b"9,9\n"
    b'5" disk,6" "\n'
    b'"x"y,1\n'
    b"12,12\n" + b"x" * 20_000 + b",1\n"
    b",\n"
    b'"1\n"x,1\n'
    b"17,17\n"
    b'18,"y'
)
FOUND: list[tuple[int, Any]] = [
    (2, {"a": "1", "b": "2"}),
    (3, "wrong-cell-count"),
    (4, "wrong-cell-count"),
    (6, {"a": 'x, "y"', "b": "two\r\nlines"}),
    (8, "unknown-encoding"),
    (9, "malformed-csv"),
    (10, {"a": "9", "b": "9"}),
    (11, {"a": '5" disk', "b": '6" "'}),
    (12, "malformed-csv"),
    (13, {"a": "12", "b": "12"}),
    (14, "document-too-large"),
    (15, {}),
    (16, "malformed-csv"),
    (17, "malformed-csv"),
    (18, {"a": "17", "b": "17"}),
    (19, "malformed-csv"),
]


@pytest.mark.parametrize("cuts", [(), EVERY_BYTE, range(3, 30_000, 100)])
@pytest.mark.parametrize("infer", [False, True])
def test_no_good_row_is_lost_and_each_bad_one_is_accounted_for(*, cuts: range, infer: bool) -> None:
    records = read(Format.CSV, POISON, ReadOptions(limit=1000, infer=infer), cuts=cuts)
    assert said(records) == FOUND
    check_places(records, POISON)


TYPES = "s:string,i:int,d:double,m:decimal,b:bool,t:date,o:objectid,u:uuid"


def test_declared_types() -> None:
    data = (
        b"s,i,d,m,b,t,o,u,x\n"
        b"01,-7,1e3,1.10,TRUE,2026-01-02T03:04:05.6789+01:00,65a000000000000000000001,73ffd264-44b3-4c69-90e8-e7d1dfc035d4,1\n"
        b"null,9223372036854775807,0,5,false,2026-01-02,,,\n"
    )
    first, second = read(Format.CSV, data, ReadOptions(types=parse_columns(TYPES)))
    assert first.document == {
        "s": "01",
        "i": -7,
        "d": 1000.0,
        "m": Decimal128("1.10"),
        "b": True,
        "t": datetime.fromisoformat("2026-01-02T02:04:05.678"),
        "o": ObjectId("65a000000000000000000001"),
        "u": UUID("73ffd264-44b3-4c69-90e8-e7d1dfc035d4"),
        "x": "1",
    }
    assert second.document == {
        "s": "null",
        "i": 2**63 - 1,
        "d": 0.0,
        "m": Decimal128("5"),
        "b": False,
        "t": datetime.fromisoformat("2026-01-02"),
    }


@pytest.mark.parametrize(
    ("kind", "cells"),
    [
        ("int", ["01", "1.0", "9223372036854775808", "+1", "1_000", " 1", "1" * 5000, "١"]),
        ("double", ["NaN", "inf", "1e999", "0x1", "1,5", ".5", "1."]),
        ("decimal", ["x", "1" * 35]),
        ("bool", ["0", "yes", "t"]),
        (
            "date",
            [
                "2026-01-02T03:04:05",
                "02.01.2026",
                "2026-02-30",
                "2026-01-02T25:00:00Z",
                "20260102",
                "0001-01-01T00:00:00+23:00",
                "2026-W01-1",
            ],
        ),
        ("objectid", ["x", "65a00000000000000000000"]),
        ("uuid", ["73ffd26444b34c6990e8e7d1dfc035d4"]),
    ],
)
def test_a_cell_that_does_not_fit_names_its_column(kind: str, cells: list[str]) -> None:
    data = "a,v\n" + "".join(f'x,"{cell}"\n' for cell in cells) + "y,\n"
    *refused, last = read(Format.CSV, data.encode(), ReadOptions(types={"v": kind}))
    assert last.document == {"a": "y"}
    assert [(record.line, record.fault.pointer, record.fault.code) for record in refused if record.fault] == [
        (line, "/v", "wrong-type") for line in range(2, len(cells) + 2)
    ]
    assert all(f"of type {kind}" in record.fault.detail for record in refused if record.fault)


def test_inferred_types_are_reported_and_then_hold() -> None:
    rows = b"".join(
        b"%d,%d.5,00%d,2026-01-02,true,,%d\n" % (number, number, number, number) for number in range(SAMPLE_ROWS)
    )
    reader = make_reader(Format.CSV, ReadOptions(infer=True, types={"x": "string"}))
    data = b"i,d,s,t,b,e,x\n" + rows
    assert list(reader.feed(data[:-1])) == []
    assert reader.columns is None
    assert len(list(reader.feed(data[-1:]))) == SAMPLE_ROWS
    assert reader.columns == [
        Column("i", "int", SAMPLE_ROWS),
        Column("d", "double", SAMPLE_ROWS),
        Column("s", "string", SAMPLE_ROWS),
        Column("t", "date", SAMPLE_ROWS),
        Column("b", "bool", SAMPLE_ROWS),
        Column("e", "string", SAMPLE_ROWS),
        Column("x", "string"),
    ]
    [late] = reader.feed(b"n/a,1,x,,,e,1\n")
    assert late.line == SAMPLE_ROWS + 2
    assert late.fault
    assert (late.fault.pointer, late.fault.code) == ("/i", "wrong-type")
    assert "the first 1000 rows" in late.fault.detail
    assert list(reader.end()) == []


def test_a_sample_ends_with_the_stream() -> None:
    options = ReadOptions(infer=True)
    assert said(read(Format.CSV, b"a,b\n1,x\n2\n3,y", options)) == [
        (2, {"a": 1, "b": "x"}),
        (3, "wrong-cell-count"),
        (4, {"a": 3, "b": "y"}),
    ]
    assert read(Format.CSV, b"a,b\n", options) == []


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["1", "", "2"], "int"),
        (["1", "2.5"], "double"),
        (["1", "x"], "string"),
        ([""], "string"),
        (["0", "01"], "string"),
        (["true", "False"], "bool"),
        (["9223372036854775808"], "string"),
        (["89351060000000000000"], "string"),
        (["1.5", "557E90"], "string"),
        (["1.5e3", "2"], "double"),
        (["1234567890123456.78", "1"], "decimal"),
        (["1.5", "1" * 40 + ".5"], "string"),
        (["2026-01-02T03:04:05.123Z"], "date"),
        (["2026-01-02T03:04:05.123456Z"], "string"),
    ],
)
def test_inference(cells: list[str], kind: str) -> None:
    assert infer_type(cells) == kind


def test_dots_nest_only_when_asked() -> None:
    data = b"a.b,a.c.d,e\n1,2,3\n,,4\n"
    assert said(read(Format.CSV, data)) == [(1, "header-refused"), (2, "header-refused"), (3, "header-refused")]
    assert said(read(Format.CSV, data, ReadOptions(nested=True))) == [
        (2, {"a": {"b": "1", "c": {"d": "2"}}, "e": "3"}),
        (3, {"e": "4"}),
    ]
    for header in b"a,a.b", b"a.b,a.b.c", b"a..b,c":
        assert said(read(Format.CSV, header + b"\n1,2\n", ReadOptions(nested=True))) == [
            (1, "header-refused"),
            (2, "header-refused"),
        ]


@pytest.mark.parametrize("header", [b"a,a", b"a,", b"$a,b", b"a\0,b", b"\xff,b", b'"a"x,b', b"x" * 2000])
def test_without_a_header_each_row_is_a_fault(header: bytes) -> None:
    data = header + b"\n1,2\n\n3,4\n"
    for cuts in (), EVERY_BYTE:
        records = read(Format.CSV, data, ReadOptions(limit=1000), cuts=cuts)
        assert said(records) == [(1, "header-refused"), (2, "header-refused"), (4, "header-refused")]
        check_places(records, data)


def test_a_given_header() -> None:
    assert said(read(Format.CSV, b"1,2\n3,4", ReadOptions(header=["a", "b"], types={"a": "int"}))) == [
        (1, {"a": 1, "b": "2"}),
        (2, {"a": 3, "b": "4"}),
    ]
    with pytest.raises(HeaderError):
        make_reader(Format.CSV, ReadOptions(header=["a", "a"]))
    with pytest.raises(HeaderError):
        make_reader(Format.CSV, ReadOptions(header=["a"], types={"b": "int"}))
    with pytest.raises(ValueError, match="no type number"):
        make_reader(Format.CSV, ReadOptions(types={"b": "number"}))


def test_tabs() -> None:
    assert said(read(Format.TSV, b'a\tb\n1,5\t"x\ty"\n')) == [(2, {"a": "1,5", "b": "x\ty"})]


@pytest.mark.parametrize("text", ["", "a", "a:number", ":int", "a:int,a:int", "a:int,"])
def test_columns_that_cannot_be_meant(text: str) -> None:
    with pytest.raises(ValueError, match="is no column and its type"):
        parse_columns(text)


CELLS = st.text('a,"\n\r é', max_size=5)


@given(
    st.lists(st.lists(CELLS, min_size=2, max_size=2), max_size=6),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    CUTS,
)
def test_what_the_standard_library_writes_is_read(rows: list[list[str]], quoting: Any, cuts: list[int]) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, quoting=quoting).writerows([["a", "b"], *rows])
    data = text.getvalue().encode()
    records = read(Format.CSV, data, cuts=cuts)
    assert [record.document for record in records] == [
        {key: cell for key, cell in zip("ab", row, strict=True) if cell} for row in rows
    ]
    assert [record.line for record in records] == [data.count(b"\n", 0, record.offset) + 1 for record in records]


@given(
    st.lists(st.sampled_from(["a", ",", '"', "\n", "\r\n", '""', ',"', '",', "x" * LIMIT]), max_size=30).map("".join),
    CUTS,
    st.booleans(),
)
@example('"a\n"b\n"c\n"d\n', [], False)
def test_chunks_make_no_difference_and_no_line_is_lost(text: str, cuts: list[int], infer: bool) -> None:  # noqa: FBT001  # likewise
    data = text.encode()
    options = ReadOptions(limit=LIMIT, header=["a", "b"], infer=infer)
    records = read(Format.CSV, data, options)
    assert read(Format.CSV, data, options, cuts=cuts) == records
    check_places(records, data)
    left = bytearray(data)
    for record in reversed(records):
        del left[record.offset : record.end]
    assert left.strip() == b""


@given(st.lists(st.sampled_from(["a", ",", '"', "\n", '""']), max_size=20).map("".join))
def test_a_good_row_is_what_the_standard_library_reads(text: str) -> None:
    for record in read(Format.CSV, text.encode(), ReadOptions(header=["a", "b"])):
        if record.document is not None:
            [cells] = csv.reader(io.StringIO(record.raw.decode(), newline=""), strict=True)
            assert record.document == {key: cell for key, cell in zip("ab", cells, strict=True) if cell}
