import csv
import io
from datetime import datetime
from typing import Any

import pytest
from bson.decimal128 import Decimal128
from bson.objectid import ObjectId
from hypothesis import given
from hypothesis import strategies as st

from documents.codec.csv_reader import check_names
from documents.codec.csv_writer import CsvWriter, find_columns
from documents.codec.encode import encode
from documents.codec.formats import ReadOptions, WriteOptions, make_writer
from documents.codec.header import path_of_column, split_column
from documents.codec.records import Format
from documents.codec.stored import StoredDocument
from tests.documents.codec.streams import read

DOCUMENT = {
    "_id": ObjectId("65a000000000000000000001"),
    "name": 'A "big", red one',
    "price": Decimal128("1.10"),
    "at": datetime(2026, 1, 2),  # noqa: DTZ001  # as stored
    "maker": {"name": "Acme", "in": {"city": "Łódź"}},
    "tags": ["a", {"b": 1}],
    "none": None,
    "empty": "",
    "void": {},
    "flag": True,
    "n": -1.5,
    "nan": float("nan"),
}


def write(writer: CsvWriter, documents: list[dict[str, Any]]) -> list[str]:
    return (writer.start() + writer.write(documents) + writer.end()).decode().split("\r\n")[:-1]


def test_a_row() -> None:
    columns = find_columns([DOCUMENT])
    assert columns == [
        "_id",
        "name",
        "price",
        "at",
        "maker.name",
        "maker.in.city",
        "tags",
        "none",
        "empty",
        "void",
        "flag",
        "n",
        "nan",
    ]
    for document in DOCUMENT, StoredDocument(encode(DOCUMENT)):
        writer = CsvWriter(columns)
        assert writer.write([document]).decode() == (
            '65a000000000000000000001,"A ""big"", red one",1.10,2026-01-02T00:00:00.000Z,Acme,Łódź,'
            '"[""a"",{""b"":1}]",,"",{},true,-1.5,"{""$numberDouble"":""NaN""}"\r\n'
        )


def test_columns_are_what_they_are_asked_to_be() -> None:
    assert write(CsvWriter(["n", "maker", "maker.none", "name.x", "x"]), [DOCUMENT, {}]) == [
        "n,maker,maker.none,name.x,x",
        '-1.5,"{""name"":""Acme"",""in"":{""city"":""Łódź""}}",,,',
        ",,,,",
    ]
    assert write(CsvWriter(["x"]), [{}, {"x": 1}]) == ["x", '""', "1"]
    assert find_columns([{"b": 1}, {"a": {"c": 1}, "b": 2}, {"a": 1}]) == ["b", "a.c", "a"]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\t=1", "\rx", " =1"])
def test_formulas_are_guarded_when_asked(text: str) -> None:
    for guard, expected in (False, text), (True, f"'{text}"):
        writer = CsvWriter(["a", "n"], guard_formulas=guard)
        [[cell, number]] = csv.reader(io.StringIO(writer.write([{"a": text, "n": -1}]).decode(), newline=""))
        assert (cell, number) == (expected, "-1")


CELLS = st.text('a,";\t\n\r é', max_size=6)


@given(st.lists(st.fixed_dictionaries({"a": CELLS, "b": CELLS}), max_size=5), st.sampled_from([Format.CSV, Format.TSV]))
def test_strings_come_back(documents: list[dict[str, str]], form: Format) -> None:
    writer = make_writer(form, WriteOptions(columns=["a", "b"]))
    data = writer.start() + writer.write(documents) + writer.end()
    rows = list(csv.reader(io.StringIO(data.decode(), newline=""), delimiter="," if form is Format.CSV else "\t"))
    assert rows == [["a", "b"], *([document["a"], document["b"]] for document in documents)]
    kept = [{key: cell for key, cell in document.items() if cell} for document in documents]
    assert [record.document for record in read(form, data)] == kept


def test_nested_types_come_back_when_declared() -> None:
    document = {"a": {"n": 1, "d": Decimal128("1.10")}, "t": datetime(2026, 1, 2)}  # noqa: DTZ001  # as stored
    writer = CsvWriter(find_columns([document]))
    types = {"a.n": "int", "a.d": "decimal", "t": "date"}
    [record] = read(Format.CSV, writer.start() + writer.write([document]), ReadOptions(types=types, nested=True))
    assert record.document == document


@pytest.mark.parametrize(
    "document",
    [
        {"a": {"b": 1}, "a.b": 2},
        {"a.b": 2, "a": {"b": 1}},
        {"a.b": {"c": 1}, "a": {"b.c": 2, "b": {"c": 3}}, "a.b.c": 4},
        {"a.b": {"c": 1}, "a": {"b.c": 2}},
        {"a.": {"b": 1}, "a": {".b": 2}},
        {"a.b": 5},
    ],
)
def test_fields_of_the_same_name_lose_no_value(document: dict[str, Any]) -> None:
    columns = find_columns([document])
    header, row = write(CsvWriter(columns), [document])
    assert len(set(header.split(","))) == len(columns)
    assert sorted(row.split(",")) == sorted(digit for digit in "12345" if digit in str(document))


def test_a_column_that_shares_its_name_takes_nothing_of_the_other() -> None:
    documents: list[dict[str, Any]] = [{"a": {"b": 1}, "a.b": 2}, {"a.b": 3}, {"a": {"b": 4}}]
    assert write(CsvWriter(find_columns(documents)), documents) == ["a.b,a\\.b", "1,2", ",3", "4,"]


@given(st.lists(st.lists(st.text("ab.\\", min_size=1), min_size=1, max_size=3), max_size=4))
def test_escaped_names_lead_back_to_the_same_keys(paths: list[list[str]]) -> None:
    for path in paths:
        name = ".".join(key.replace("\\", "\\\\").replace(".", "\\.") for key in path)
        assert split_column(name) == path
        assert path_of_column(name, nested=False) == [name]
        if any("." in key for key in path):
            assert path_of_column(name, nested=True) == path


def test_a_dot_that_is_part_of_a_key_is_refused_and_not_taken_for_an_object() -> None:
    assert "'a.b' cannot be a field" in (check_names(["a\\.b"], nested=True) or "")
    assert check_names(["a.b", "C:\\temp"], nested=True) is None
