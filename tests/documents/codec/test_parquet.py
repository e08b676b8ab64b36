"""Parquet needs pyarrow, an extra, which the tests install."""

import importlib
import io
import sys
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from bson.datetime_ms import DatetimeMS
from bson.decimal128 import Decimal128

from documents.codec.extended import parse_extended
from documents.codec.extras import MissingExtraError
from documents.codec.formats import ReadOptions, make_reader
from documents.codec.records import Format
from documents.errors import InputError
from tests.documents.codec.streams import read, said

arrow: Any = importlib.import_module("pyarrow")
parquet: Any = importlib.import_module("pyarrow.parquet")

A_UUID = UUID("73ffd264-44b3-4c69-90e8-e7d1dfc035d4")
UTC_TIME = datetime(2026, 1, 2, 3, 4, 5, 678000)  # noqa: DTZ001  # as stored
SECOND_NS = 10**9


def table_of(columns: Mapping[str, Any]) -> bytes:
    return file_of(arrow.table(columns))


def file_of(table: Any) -> bytes:
    file = io.BytesIO()
    parquet.write_table(table, file)
    return file.getvalue()


def column_of(values: list[Any], kind: Any) -> bytes:
    return table_of({"x": arrow.array(values, kind)})


def test_without_pyarrow_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)  # as if it were not there
    with pytest.raises(MissingExtraError, match=r"pip install 'sheaf-api\[parquet\]'"):
        make_reader(Format.PARQUET)


def test_types() -> None:
    row: dict[str, Any] = {
        "i": 1,
        "d": 1.5,
        "s": "x",
        "b": True,
        "none": None,
        "m": Decimal("1.10"),
        "t": datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
        "day": date(2026, 1, 2),
        "o": {"a": [1, 2], "z": None},
        "raw": b"\0\xff",
    }
    expected = {
        **row,
        "m": Decimal128("1.10"),
        "t": datetime(2026, 1, 2, 3, 4, 5, 678000),  # noqa: DTZ001  # as stored
        "day": datetime(2026, 1, 2),  # noqa: DTZ001  # likewise
    }
    for cuts in (), range(0, 9000, 100):
        assert said(read(Format.PARQUET, table_of({key: [value] for key, value in row.items()}), cuts=cuts)) == [
            (1, expected)
        ]


PAIRS = arrow.map_(arrow.string(), arrow.int64())
NUMBERS = arrow.list_(arrow.int8())

EXACT: list[tuple[Any, list[Any], list[Any] | None]] = [
    (arrow.uint64(), [2**63 - 1], [2**63 - 1]),
    (arrow.float16(), [1.5, None], [1.5, None]),
    (arrow.large_string(), ["é"], ["é"]),
    (arrow.binary(2), [b"\0\1"], [b"\0\1"]),
    (arrow.dictionary(arrow.int8(), arrow.string()), ["a", None, "a"], ["a", None, "a"]),
    (arrow.decimal128(38, 2), [Decimal("1.10")], [Decimal128("1.10")]),
    (arrow.decimal256(76, 10), [Decimal("123456789012345678901234.5678901234")], None),
    (arrow.decimal256(76, 0), [Decimal(10) ** 33, None], [Decimal128("1" + "0" * 33), None]),
    (arrow.timestamp("s"), [UTC_TIME.replace(microsecond=0)], [UTC_TIME.replace(microsecond=0)]),
    (arrow.timestamp("ms", tz="Asia/Tokyo"), [UTC_TIME.replace(tzinfo=UTC)], [UTC_TIME]),
    (arrow.timestamp("us"), [UTC_TIME, None], [UTC_TIME, None]),
    (arrow.timestamp("ns"), [1_767_323_045_678_000_000], [UTC_TIME]),
    (arrow.timestamp("ns", tz="UTC"), [-1_000_000], [datetime(1969, 12, 31, 23, 59, 59, 999000)]),  # noqa: DTZ001
    (arrow.timestamp("ms"), [10**15], [DatetimeMS(10**15)]),  # the year 33658
    (arrow.date32(), [date(1969, 12, 31)], [datetime(1969, 12, 31)]),  # noqa: DTZ001
    (arrow.date32(), [10**7], [DatetimeMS(10**7 * 86_400_000)]),
    (arrow.date64(), [date(2026, 1, 2)], [datetime(2026, 1, 2)]),  # noqa: DTZ001
    (arrow.time32("s"), [time(1, 2)], ["01:02:00"]),
    (arrow.time32("ms"), [time(23, 59, 59, 5000)], ["23:59:59.005"]),
    (arrow.time64("us"), [time(0, 0, 0, 1), None], ["00:00:00.000001", None]),
    (arrow.time64("ns"), [1, 500_000_000], ["00:00:00.000000001", "00:00:00.500"]),
    (arrow.duration("s"), [timedelta(days=1, hours=2), timedelta(0)], ["P1DT2H", "PT0S"]),
    (arrow.duration("ms"), [-1500], ["-PT1.500S"]),
    (arrow.duration("us"), [timedelta(minutes=1, microseconds=1)], ["PT1M0.000001S"]),
    (arrow.duration("ns"), [1, 90 * 60 * SECOND_NS], ["PT0.000000001S", "PT1H30M"]),
    (PAIRS, [[("a", 1), ("b", None)], [], None], [{"a": 1, "b": None}, {}, None]),
    (arrow.map_(arrow.int32(), arrow.string()), [[(7, "x")]], [{"7": "x"}]),
    (arrow.list_(arrow.list_(arrow.int64())), [[[1], [], None], [], None], [[[1], [], None], [], None]),
    (arrow.large_list(arrow.string()), [["a"], None], [["a"], None]),
    (arrow.list_(arrow.int8(), 2), [[1, 2], None, [3, 4]], [[1, 2], None, [3, 4]]),
    (arrow.struct({"a": PAIRS, "t": arrow.time32("s")}), [{"a": [("k", 1)], "t": time(1)}, None], None),
    (arrow.list_(arrow.struct({"n": NUMBERS})), [[{"n": [1]}, {"n": None}, None]], [[{"n": [1]}, {"n": None}, None]]),
    (arrow.uuid(), [A_UUID.bytes, None], [A_UUID, None]),
    (arrow.null(), [None], [None]),
]
DERIVED = {
    "decimal256(76, 10)": [Decimal128("123456789012345678901234.5678901234")],
    "struct<a: map<string, int64>, t: time32[s]>": [{"a": {"k": 1}, "t": "01:00:00"}, None],
}


@pytest.mark.parametrize(("kind", "values", "expected"), EXACT, ids=[str(kind) for kind, *_ in EXACT])
def test_every_type_is_exact(kind: Any, values: list[Any], expected: list[Any] | None) -> None:
    expected = DERIVED[str(kind)] if expected is None else expected
    values = [*values, *values]
    found = [record.document for record in read(Format.PARQUET, column_of(values, kind))]
    assert found == [{"x": value} for value in [*expected, *expected]]
    assert [type(each and each["x"]) for each in found] == [type(value) for value in [*expected, *expected]]


def test_uuids_in_lists() -> None:
    ids = arrow.ListArray.from_arrays([0, 2], arrow.array([A_UUID.bytes, None], arrow.uuid()))
    assert said(read(Format.PARQUET, table_of({"x": ids}))) == [(1, {"x": [A_UUID, None]})]


def test_values_without_a_schema_of_arrow() -> None:
    file = io.BytesIO()
    table = arrow.table({"u": arrow.array([A_UUID.bytes], arrow.uuid()), "t": arrow.array([0], arrow.timestamp("ns"))})
    parquet.write_table(table, file, store_schema=False, use_deprecated_int96_timestamps=True)
    assert said(read(Format.PARQUET, file.getvalue())) == [(1, {"u": A_UUID, "t": datetime(1970, 1, 1)})]  # noqa: DTZ001


HALF_NS = arrow.timestamp("ns")
REFUSED: dict[str, tuple[bytes, str]] = {
    "a name twice": (file_of(arrow.Table.from_arrays([arrow.array([1])] * 2, names=["a", "a"])), "two columns 'a'"),
    "a name twice below": (
        file_of(
            arrow.table({"o": arrow.StructArray.from_arrays([arrow.array([1]), arrow.array([2])], names=["a", "a"])})
        ),
        "two columns 'a'",
    ),
    "an operator": (table_of({"$a": [1], "b": [2]}), "'$a'"),
    "a dot": (table_of({"b": [2], "a.b": [1]}), "'a.b'"),
    "nanoseconds": (column_of([10**6] * 2000 + [1], HALF_NS), "nanoseconds"),
    "nanoseconds below": (column_of([[1]], arrow.list_(HALF_NS)), "nanoseconds"),
    "digits": (column_of([1] * 2000 + [Decimal(f"1{0:060}1")], arrow.decimal256(76, 0)), "at most 34 digits"),
    "digits of 128 bits": (column_of([Decimal(f"1{0:036}1")], arrow.decimal128(38, 0)), "at most 34 digits"),
    "keys of a map": (column_of([[(1.5, 1)]], arrow.map_(arrow.float64(), arrow.int8())), "type double"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_file_of_which_something_would_be_lost_is_refused_whole(name: str) -> None:
    data, reason = REFUSED[name]
    [record] = read(Format.PARQUET, data)
    assert record.fault is not None
    assert record.fault.code == "header-refused"
    assert reason in record.fault.detail


def test_a_row_without_a_bson_value_is_one_fault() -> None:
    data = table_of({"n": arrow.array([2**63, 1, 2], arrow.uint64()), "t": [None, time(1, 2), None]})
    records = read(Format.PARQUET, data)
    assert said(records) == [(1, "wrong-type"), (2, {"n": 1, "t": "01:02:00"}), (3, {"n": 2, "t": None})]
    assert b"9223372036854775808" in records[0].raw
    assert said(read(Format.PARQUET, data, ReadOptions(start=records[1].end))) == [(3, {"n": 2, "t": None})]


def test_rows_of_maps_whose_keys_are_refused_are_kept_as_they_are() -> None:
    pairs = [[("a.b", 1)], [("a", 1), ("a", 2)], [("a", 1)]]
    records = read(Format.PARQUET, column_of(pairs, PAIRS))
    assert said(records) == [(1, "key-refused"), (2, "wrong-type"), (3, {"x": {"a": 1}})]
    assert records[0].raw == b'{"x":{"a.b":{"$numberInt":"1"}}}'


def test_text_that_is_not_utf8_is_kept() -> None:
    broken = arrow.array([b"\xff", b"ok"], arrow.binary()).view(arrow.string())
    records = read(Format.PARQUET, table_of({"n": [1, 2], "x": broken}))
    assert said(records) == [(1, "wrong-type"), (2, {"n": 2, "x": "ok"})]
    with pytest.raises(InputError):  # a replay does not take it for a value
        parse_extended(records[0].raw)


@pytest.mark.parametrize("data", [b"", b"PAR1", b"PAR1" + b"x" * 100, b"x" * 1000])
def test_a_damaged_file_is_one_fault(data: bytes) -> None:
    assert said(read(Format.PARQUET, data)) == [(1, "malformed-parquet")]


def test_damage_behind_the_first_rows() -> None:
    data = table_of({"n": list(range(5000))})
    assert said(read(Format.PARQUET, data))[-1] == (5000, {"n": 4999})
    assert said(read(Format.PARQUET, data[: len(data) // 2]))[-1][1] == "malformed-parquet"
