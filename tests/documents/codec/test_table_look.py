"""Tables as people have them: each is read as it is meant, or is a doubt that says what was seen."""

from typing import Any

import pytest

from documents.codec.csv_reader import HeaderError
from documents.codec.dialect import Dialect, FirstRow
from documents.codec.formats import make_reader
from documents.codec.options import ReadOptions
from documents.codec.records import Format
from documents.codec.table_look import look_at_table
from tests.documents.codec.streams import read_with, said

TWO = [{"id": "1", "name": "a b"}, {"id": "2", "name": "c"}]


@pytest.mark.parametrize(
    "data",
    [
        b"id,name\n1,a b\n2,c\n",
        b"id;name\n1;a b\n2;c\n",
        b"id\tname\n1\ta b\n2\tc\n",
        b"id|name\n1|a b\n2|c",
        b"sep=;\nid;name\n1;a b\n2;c\n",
        b"id,name\r1,a b\r2,c\r",
        b"id,name\r\n1,a b\r\n2,c\r\n",
        b"\xef\xbb\xbfid,name\n1,a b\n2,c\n",
        "id,name\n1,a b\n2,c\n".encode("utf-16"),
        "id,name\n1,a b\n2,c\n".encode("utf-16-le"),
        "id;name\n1;a b\n2;c\n".encode("utf-16-be"),
    ],
)
def test_dialects_that_are_certain(data: bytes) -> None:
    look = look_at_table(data, ReadOptions(), ",")
    assert (list(look.rows), look.doubts) == (TWO, ())
    for step in 1, 3, len(data):
        records = read_with(make_reader(Format.CSV, look.options), data, range(0, len(data), step))
        assert [record.document for record in records] == TWO


@pytest.mark.parametrize(
    ("data", "settings", "rows"),
    [
        ("name,n\nK\u00e4se,1\n".encode("latin-1"), ["encoding"], [{"name": "K\u00e4se", "n": "1"}]),
        (b"5.1,3.5,setosa\n4.9,3.0,setosa\n", ["first_row"], [{"column_1": "5.1", "column_2": "3.5"}]),
        (b"Sepal.Length,Species\nx,y\n", ["nested"], [{"Sepal": {"Length": "x"}, "Species": "y"}]),
        (b"Chins Situps\n5  162\n2 110\n", ["delimiter"], [{"Chins": "5", "Situps": "162"}]),
        (b"A title\na;b;c\n1;2;3\n4;5;6\n", ["delimiter"], []),
        (b"Weight,Pig\n" + b"1,26,4601\n" * 12, ["delimiter"], []),  # R leaves out the name of the first column
        (b"a,b\n" + b"1,2\n" * 3 + b"a title\n" * 12, ["delimiter"], []),  # several tables in a file
    ],
)
def test_doubts(data: bytes, settings: list[str], rows: list[dict[str, Any]]) -> None:
    look = look_at_table(data, ReadOptions(), ",")
    assert [doubt.setting for doubt in look.doubts] == settings
    assert [{**found, **wanted} == found for wanted, found in zip(rows, look.rows, strict=False)] == [True] * len(rows)


def test_what_is_said_is_not_looked_for() -> None:
    told = Dialect(encoding="windows-1252", first_row=FirstRow.NAMES, delimiter=";")
    look = look_at_table("2019;K\u00e4se\n1;2\n".encode("cp1252"), ReadOptions(dialect=told), ",")
    assert (look.doubts, look.rows[0]) == ((), {"2019": "1", "K\u00e4se": "2"})


def test_names_that_no_field_can_have_are_refused_with_ones_that_it_can() -> None:
    for data, offered in (
        (b",a,b\n0,1,2\n", "column_1,a,b"),
        (b"a,a,b\n0,1,2\n", "a,a_2,b"),
        (b"$a,,$a\n0,1,2\n", "a,column_2,a_2"),
    ):
        with pytest.raises(HeaderError, match=f"{offered}."):
            look_at_table(data, ReadOptions(), ",")
        fixed = look_at_table(data, ReadOptions(dialect=Dialect(fix_header=True)), ",")
        assert ",".join(column.name for column in fixed.columns) == offered


def test_years_are_names_and_an_export_of_ours_nests() -> None:
    assert look_at_table(b"country,2019,2020\nPT,1,2\n", ReadOptions(), ",").doubts == ()
    look = look_at_table(b"_id,a.b,a.c\n1,2,3\n", ReadOptions(), ",")
    assert (look.doubts, list(look.rows)) == ((), [{"_id": "1", "a": {"b": "2", "c": "3"}}])


def test_escaped_quotes() -> None:
    data = b'a,b\n"say \\"hi\\", he said",2\n'
    look = look_at_table(data, ReadOptions(), ",")
    assert (look.doubts, list(look.rows)) == ((), [{"a": 'say "hi", he said', "b": "2"}])


def test_cells_of_a_dialect() -> None:
    dialect = Dialect(
        delimiter=";", decimal=",", thousands=".", nulls=("NA",), booleans=("ja", "nein"), dates="dmy", trim=True
    )
    options = ReadOptions(dialect=dialect, types={"m": "decimal", "n": "double", "b": "bool", "t": "date"})
    data = b"m;n;b;t\n1.234,50; 1,5 ;JA;3.2.2026\nNA;12.34;nein;\nNA;;nein;31.2.2026\n"
    first, second, third = said(read_with(make_reader(Format.CSV, options), data))
    assert (str(first[1]["m"]), first[1]["n"], first[1]["b"], first[1]["t"].isoformat()) == (
        "1234.50",
        1.5,
        True,
        "2026-02-03T00:00:00",
    )
    assert (second[1], third[1]) == ("wrong-type", "wrong-type")


def test_a_byte_that_its_encoding_lacks_is_a_fault_of_its_row() -> None:
    options = ReadOptions(dialect=Dialect(encoding="windows-1252"))
    assert said(read_with(make_reader(Format.CSV, options), b"a\n\xe4\n\x81\nz\n")) == [
        (2, {"a": "\u00e4"}),
        (3, "malformed-csv"),
        (4, {"a": "z"}),
    ]


@pytest.mark.parametrize(
    ("encoding", "raw"),
    [
        ("windows-1252", b"b,\x81\x8d"),
        ("utf-8", b"b,\xff\xe9"),
        ("utf-8", b"b,K\xe4se"),  # Latin-1 that begins late
        ("ascii", b"b,\xff\xc3\xff\xa9"),  # of what would be a character in UTF-8, FF keeps the bytes apart
    ],
)
def test_bytes_that_are_no_text_are_kept(encoding: str, raw: bytes) -> None:
    data = b"a,b\n1,2\n" + raw.replace(b"\xff\xc3\xff", b"\xc3") + b"\n3,4\n"
    options = ReadOptions(dialect=Dialect(encoding=encoding))
    for cuts in (), range(1, 40):
        first, bad, last = read_with(make_reader(Format.CSV, options), data, cuts)
        assert (first.document, last.document) == ({"a": "1", "b": "2"}, {"a": "3", "b": "4"})
        assert bad.fault is not None
        assert bad.fault.code == "malformed-csv"
        assert bad.raw in (raw, raw.replace(b"\xff\xa9", b"\xa9"))
