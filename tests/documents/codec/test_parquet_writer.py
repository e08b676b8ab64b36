"""Parquet out: every row is there, each value is held as its column's type says, and nothing is lost in silence."""

import importlib
import io
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson
import pytest
from bson import Binary, Code, DBRef, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.datetime_ms import DatetimeMS
from hypothesis import given, settings
from hypothesis import strategies as st

from documents.codec import parquet_columns, parquet_writer
from documents.codec.encode import encode
from documents.codec.extras import MissingExtraError
from documents.codec.formats import WriteOptions, make_writer
from documents.codec.number_text import format_decimal
from documents.codec.parquet_columns import Column, ColumnFinder, ColumnType, Reason
from documents.codec.parquet_writer import OtherDocumentsError, ParquetWriter
from documents.codec.plain import dump
from documents.codec.records import Format
from documents.codec.stored import StoredDocument
from documents.codec.writers import TooManyColumnsError
from documents.types import Document
from tests.documents.codec.streams import read
from tests.documents.codec.test_extended import DOCUMENTS, KEYS, SCALARS, TEXT

OID = ObjectId("65a1f0c2d4b5e6f708192a3b")
WHEN = datetime(2026, 1, 2, 3, 4, 5, 678000)  # noqa: DTZ001  # as stored
NUMBER = UUID("73ffd264-44b3-4c69-90e8-e7d1dfc035d4")


def columns_of(documents: Sequence[Document], limit: int = 1000) -> tuple[Column, ...]:
    finder = ColumnFinder(limit=limit)
    middle = len(documents) // 2
    finder.see(documents[:middle])
    finder.see(documents[middle:])
    return finder.columns()


def written(documents: Sequence[Document], columns: Sequence[Column] | None = None) -> bytes:
    columns = columns or columns_of(documents)
    writer = make_writer(Format.PARQUET, WriteOptions(typed_columns=columns))
    middle = len(documents) // 2
    parts = [writer.start(), writer.write(documents[:middle]), writer.write([]), writer.write(documents[middle:])]
    return b"".join([*parts, writer.end()])


def opened(data: bytes) -> Any:
    parquet: Any = importlib.import_module("pyarrow.parquet")
    return parquet.ParquetFile(io.BytesIO(data))


def rows_of(data: bytes) -> list[dict[str, Any]]:
    return opened(data).read().to_pylist()


def stored(*documents: Document) -> list[Document]:
    return [StoredDocument(encode(document)).decode() for document in documents]


def types_of(*values: Any) -> str:
    """Return the Arrow type of a column of these values."""
    return str(opened(written(stored(*({"a": value} for value in values)))).schema_arrow.field("a").type)


TYPED: list[tuple[list[Any], str, list[Any]]] = [
    ([True, None], "bool", [True, None]),
    ([1, Int64(2**63 - 1)], "int64", [1, 2**63 - 1]),
    ([1.5, float("inf")], "double", [1.5, float("inf")]),
    ([1.5, 2, Int64(2**53)], "double", [1.5, 2.0, 2.0**53]),
    (["é\0", ""], "string", ["é\0", ""]),
    ([b"\0\xff", Binary(b"a", 128)], "binary", [b"\0\xff", b"a"]),
    ([OID], "string", [str(OID)]),
    ([NUMBER], "string", [str(NUMBER)]),
    ([WHEN], "timestamp[ms, tz=UTC]", [WHEN.replace(tzinfo=UTC)]),
    ([Decimal128("1.10"), Decimal128("-1E+3")], "decimal128(38, 2)", [Decimal("1.10"), Decimal(-1000)]),
    ([Decimal128("0"), Decimal128("-0.00")], "decimal128(38, 2)", [Decimal(0), Decimal(0)]),
    ([Decimal128("0E+6111"), Decimal128("0E-70")], "decimal256(76, 70)", [Decimal(0), Decimal(0)]),
    ([Decimal128("1" * 34), Decimal128("1E-10")], "decimal256(76, 10)", [Decimal("1" * 34), Decimal("1E-10")]),
    ([Decimal128("1E+75")], "decimal256(76, 0)", [Decimal("1E+75")]),
    ([Decimal128("1E+76"), Decimal128("1.50")], "string", ["1E+76", "1.50"]),
    ([Decimal128("NaN"), Decimal128("1")], "string", ["NaN", "1"]),
    ([[1, None], [], None], "list<element: int64>", [[1, None], [], None]),
    ([[[1], []], [None]], "list<element: list<element: int64>>", [[[1], []], [None]]),
    ([[], []], "list<element: string>", [[], []]),
    ([[1, "a"]], "list<element: string>", [["1", '"a"']]),
    ([{"b": 1}, {}, None], "struct<b: int64>", [{"b": 1}, {"b": None}, None]),
    ([{"b": {"c": "x"}}, {"d": [OID]}], "struct<b: struct<c: string>, d: list<element: string>>",
     [{"b": {"c": "x"}, "d": None}, {"b": None, "d": [str(OID)]}]),
    ([[{"b": 1}, {"c": None}, None]], "list<element: struct<b: int64, c: string>>",
     [[{"b": 1, "c": None}, {"b": None, "c": None}, None]]),
]  # fmt: skip


@pytest.mark.parametrize(("values", "arrow_type", "cells"), TYPED)
def test_types(values: list[Any], arrow_type: str, cells: list[Any]) -> None:
    assert types_of(*values) == arrow_type
    data = written(stored(*({"a": value} for value in values)))
    assert [row["a"] for row in rows_of(data)] == cells
    assert b"sheaf:json" not in opened(data).schema_arrow.field("a").metadata


AS_JSON: list[tuple[list[Any], Reason, str]] = [
    ([1, "a", None], Reason.MIXED, "int,string"),
    ([1.5, 2**53 + 1], Reason.MIXED, "double,long"),
    ([1, Decimal128("1.10")], Reason.MIXED, "decimal,int"),
    ([OID, "a"], Reason.MIXED, "objectId,string"),
    ([NUMBER, b"a"], Reason.MIXED, "binData,uuid"),
    (["a", ["a"]], Reason.MIXED, "array,string"),
    ([{"a": 1}, [{"a": {"b": 1}}]], Reason.MIXED, "array,object"),
    ([None, None], Reason.EMPTY, "null"),
    ([{}, {}], Reason.EMPTY, "object"),
    ([Timestamp(1, 2)], Reason.NO_TYPE, "timestamp"),
    ([Regex("a", "i")], Reason.NO_TYPE, "regex"),
    ([Code("f"), Code("f", {"a": 1})], Reason.NO_TYPE, "javascript"),
    ([DBRef("c", OID)], Reason.NO_TYPE, "dbRef"),
    ([MinKey(), MaxKey()], Reason.MIXED, "maxKey,minKey"),
    ([{str(key): key} for key in range(300)], Reason.KEYS, "object"),
    ([{str(key): key for key in range(300)}], Reason.KEYS, "object"),
]


@pytest.mark.parametrize(("values", "reason", "kinds"), AS_JSON)
def test_what_has_no_type_is_json_and_says_why(values: list[Any], reason: Reason, kinds: str) -> None:
    documents = stored(*({"a": value} for value in values))
    data = written(documents)
    field = opened(data).schema_arrow.field("a")
    assert str(field.type) == "string"
    assert field.metadata == {b"sheaf:bson": kinds.encode(), b"sheaf:json": str(reason).encode()}
    cells = [row["a"] for row in rows_of(data)]
    assert cells == [None if row["a"] is None else dump(row["a"]).decode() for row in documents]


def test_columns_come_in_the_order_in_which_they_came_up() -> None:
    documents: list[Document] = [{"_id": 1, "b": 1}, {"_id": 2, "a": 1, "b": 2}, {}]
    assert [column.name for column in columns_of(documents)] == ["_id", "b", "a"]
    assert rows_of(written(documents))[2] == {"_id": None, "b": None, "a": None}
    finder = ColumnFinder(["a", "gone"], limit=10)
    finder.see(documents)
    assert [column.name for column in finder.columns()] == ["a", "gone", "_id", "b"]


def test_nothing() -> None:
    assert opened(written([])).schema_arrow.names == ["_id"]
    assert rows_of(written([])) == []
    assert rows_of(written([{}, {}])) == [{"_id": None}, {"_id": None}]


def test_what_is_read_again_is_what_was_there() -> None:
    document: Document = {
        "_id": 1,
        "flag": True,
        "long": Int64(2**60),
        "double": -0.5,
        "price": Decimal128("12.50"),
        "text": "é",
        "when": WHEN,
        "raw": b"\0\1",
        "list": [[1, 2], [], None],
        "object": {"a": {"b": [{"c": "x"}]}},
    }
    other: Document = {**document, "_id": 2, "double": 1, "price": None, "object": {"a": {"b": []}}}
    records = read(Format.PARQUET, written(stored(document, other)))
    assert [record.document for record in records] == [document, other]
    [record] = read(Format.PARQUET, written(stored({"_id": OID, "mixed": [1, "a"]})))
    assert record.document == {"_id": str(OID), "mixed": ["1", '"a"']}


def test_dates_that_python_cannot_hold() -> None:
    documents = stored({"a": DatetimeMS(2**62)}, {"a": WHEN}, {"a": DatetimeMS(-(2**63))})
    data = written(documents)
    arrow: Any = importlib.import_module("pyarrow")
    milliseconds = opened(data).read().column("a").cast(arrow.int64()).to_pylist()
    assert milliseconds == [2**62, 1767323045678, -(2**63)]
    found = [record.document for record in read(Format.PARQUET, data)]
    assert found == [{"a": DatetimeMS(2**62)}, {"a": WHEN}, {"a": DatetimeMS(-(2**63))}]


HELD_AS: dict[ColumnType, Callable[[Any], object]] = {
    ColumnType.BOOL: bool,
    ColumnType.INT: int,
    ColumnType.DOUBLE: float,
    ColumnType.DECIMAL: lambda value: value.to_decimal(),
    ColumnType.STRING: lambda value: format_decimal(value) if isinstance(value, Decimal128) else str(value),
    ColumnType.BINARY: bytes,
    ColumnType.DATE: lambda value: value.replace(tzinfo=UTC),
}


def check(column: Column, value: Any, cell: Any) -> None:
    """Check that a cell holds a value as its column says."""
    if value is None:
        assert cell is None
        return
    match column.type:
        case ColumnType.JSON:
            assert orjson.loads(cell) == orjson.loads(dump(value))
        case ColumnType.STRUCT:
            assert value.keys() <= cell.keys() == {member.name for member in column.members}
            for member in column.members:
                check(member, value.get(member.name), cell[member.name])
        case ColumnType.LIST:
            assert len(cell) == len(value)
            for item, inner in zip(value, cell, strict=True):
                check(column.members[0], item, inner)
        case _:
            expected = HELD_AS[column.type](value)
            assert type(cell) is type(expected)
            assert cell == expected or repr(cell) == repr(expected) == "nan"


HELD = SCALARS.filter(lambda value: not isinstance(value, DatetimeMS))
"""Dates that Python cannot hold are in a test of their own."""
ALIKE = st.one_of(
    *(st.just(each) for each in (1, Int64(2**53 + 1), 1.5, float("nan"), "x", OID, NUMBER, b"x", WHEN)),
    *(st.just(Decimal128(each)) for each in ("1.10", "1E+40", "1E-40", "NaN", "-0")),
)
NAMES = KEYS | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=3)


def trees(leaves: st.SearchStrategy[Any], names: st.SearchStrategy[str]) -> st.SearchStrategy[list[Document]]:
    values = st.recursive(
        st.none() | leaves,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
        max_leaves=8,
    )
    return st.lists(st.dictionaries(names, values, max_size=4), max_size=6)


@settings(max_examples=300)
@given(trees(HELD, NAMES) | trees(ALIKE, st.sampled_from("ab")) | trees(st.integers(0, 3), st.sampled_from("ab")))
def test_every_row_is_there_and_every_value_is_held(documents: list[Document]) -> None:
    documents = stored(*documents)
    columns = columns_of(documents)
    rows = rows_of(written(documents, columns))
    assert len(rows) == len(documents)
    top = Column("", ColumnType.STRUCT, ("object",), columns)
    for document, row in zip(documents, rows, strict=True):
        check(top, document, row)


@given(st.lists(DOCUMENTS, max_size=6))
def test_nothing_fails_and_a_reader_finds_a_record_for_each(documents: list[Document]) -> None:
    documents = stored(*documents)
    assert len(read(Format.PARQUET, written(documents))) == len(documents)


@given(st.lists(st.dictionaries(st.sampled_from("abc"), st.text("ab", max_size=2) | TEXT, min_size=3), max_size=5))
def test_documents_of_one_shape_come_back_equal(documents: list[Document]) -> None:
    assert [record.document for record in read(Format.PARQUET, written(documents))] == documents


def test_names_of_any_kind() -> None:
    document: Document = {"a.b": 1, "a": {"b": 2, "": 3, "$c": 4}, "": 5, "A": 6, "é ,;{}()\n\t=": 7}
    assert rows_of(written([document])) == [document]


def nested(levels: int) -> Any:
    return {"a": nested(levels - 1)} if levels else 1


def test_what_lies_too_deep_is_json() -> None:
    [column] = columns_of([{"a": nested(parquet_columns.MAX_LEVELS + 2)}])
    for _ in range(parquet_columns.MAX_LEVELS - 1):
        assert column.type is ColumnType.STRUCT
        [column] = column.members
    assert (column.type, column.reason) == (ColumnType.JSON, Reason.DEEP)
    deep: Any = 1
    for _ in range(95):
        deep = [deep]
    assert len(rows_of(written(stored({"a": deep}, {"a": nested(95)}, {"b": nested(95)})))) == 3


def test_where_there_are_too_many_columns_the_largest_objects_are_json() -> None:
    small: Document = {"x": 1, "y": {"z": 1}}
    documents: list[Document] = [
        {"_id": 1, "large": {str(key): {"k": key} for key in range(60)}, "small": small},
        {"_id": 2, "list": [{str(key): key} for key in range(30)]},
    ]
    columns = {column.name: column for column in columns_of(documents, limit=100)}
    assert (columns["large"].type, columns["large"].reason) == (ColumnType.JSON, Reason.KEYS)
    assert columns["small"].type is ColumnType.STRUCT
    assert columns["list"].type is ColumnType.LIST
    assert rows_of(written(documents, [*columns.values()]))[0]["small"] == small
    with pytest.raises(TooManyColumnsError):
        columns_of([{str(key): key for key in range(101)}], limit=100)


@given(trees(st.integers(0, 3), st.sampled_from("abcdefgh")), st.integers(8, 20))
def test_there_are_never_more_columns_than_allowed(documents: list[Document], limit: int) -> None:
    columns = columns_of(documents, limit=limit)
    assert sum(len([*named(column)]) for column in columns) <= max(limit, 1)
    rows = rows_of(written(documents, columns))
    for document, row in zip(documents, rows, strict=True):
        check(Column("", ColumnType.STRUCT, ("object",), columns), document, row)


def named(column: Column) -> Iterator[Column]:
    """Yield a column and those in it, but elements."""
    if column.name != "element":
        yield column
    for member in column.members:
        yield from named(member)


def test_objects_of_an_array_that_would_be_mostly_empty_are_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_columns, "MAX_CELLS", 1000)
    wide = {"a": [{str(key): key} for key in range(40)], "b": [{"c": 1, "d": 2}] * 40}
    a, b = columns_of([wide])
    assert (a.type, a.reason) == (ColumnType.JSON, Reason.SPARSE)
    assert (b.type, b.elements, b.width, b.cells) == (ColumnType.LIST, 40, 1, 81)


def test_cells_of_a_row() -> None:
    [column] = columns_of([{"a": {"b": [{"c": [1, 2]}, {"c": [3], "d": 4}]}}, {"a": {"b": [{}]}}])
    # b, c and d of two elements, and the three of c.
    assert column.cells == 1 + 2 * 2 + 3


def test_row_groups_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_writer, "ROW_GROUP_BYTES", 64 * 1024)
    monkeypatch.setattr(parquet_writer, "BATCH_CELLS", 500)
    documents: list[Document] = [{"_id": n, "text": f"{n:0100}", "n": [n] * (n % 3)} for n in range(5000)]
    writer = ParquetWriter(columns_of(documents))
    parts = [writer.start()]
    parts += [writer.write(documents[start : start + 250]) for start in range(0, 5000, 250)]
    assert len([part for part in parts if part]) > 5, "what is full is written at once"
    data = b"".join([*parts, writer.end()])
    file = opened(data)
    assert 8 < file.metadata.num_row_groups < 20
    assert file.metadata.row_group(0).column(0).compression == "ZSTD"
    assert file.read().to_pylist() == documents


OTHERS: list[tuple[Document, Document]] = [
    ({"a": 1}, {"a": 1, "b": 2}),
    ({"a": 1}, {"a": "x"}),
    ({"a": 1}, {"a": 1.5}),
    ({"a": "x"}, {"a": b"x"}),
    ({"a": True}, {"a": 1}),
    ({"a": {"b": 1}}, {"a": {"c": 1}}),
    ({"a": [1]}, {"a": ["x"]}),
    ({"a": Decimal128("1")}, {"a": Decimal128("1.5")}),
    ({"a": Decimal128("1")}, {"a": Decimal128("1E+40")}),
    ({"a": OID}, {"a": str(OID)}),
]


@pytest.mark.parametrize(("first", "then"), OTHERS)
def test_what_does_not_fit_is_refused_and_never_bent(first: Document, then: Document) -> None:
    writer = ParquetWriter(columns_of([first]))
    with pytest.raises(OtherDocumentsError):
        writer.write([then])


def test_without_pyarrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)  # as if it were not there
    with pytest.raises(MissingExtraError, match=r"pip install 'sheaf-api\[parquet\]'"):
        written([{"a": 1}])
