"""Parquet needs pyarrow, an extra, which the tests install."""

import importlib
import io
import sys
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pytest
from bson.decimal128 import Decimal128

from documents.codec.extras import MissingExtraError
from documents.codec.formats import ReadOptions, make_reader
from documents.codec.records import Format
from tests.documents.codec.streams import read, said


def table_of(columns: Mapping[str, Any]) -> bytes:
    arrow: Any = importlib.import_module("pyarrow")
    parquet: Any = importlib.import_module("pyarrow.parquet")
    file = io.BytesIO()
    parquet.write_table(arrow.table(columns), file)
    return file.getvalue()


def test_without_pyarrow_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)  # as if it were not there
    with pytest.raises(MissingExtraError, match=r"pip install 'sheaf\[parquet\]'"):
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


def test_a_row_without_a_bson_type_is_one_fault() -> None:
    arrow: Any = importlib.import_module("pyarrow")
    data = table_of({"n": arrow.array([2**63, 1, 2], arrow.uint64()), "t": [None, time(1, 2), None]})
    records = read(Format.PARQUET, data)
    assert said(records) == [(1, "wrong-type"), (2, "wrong-type"), (3, {"n": 2, "t": None})]
    assert b"9223372036854775808" in records[0].raw
    assert said(read(Format.PARQUET, data, ReadOptions(start=records[1].end))) == [(3, {"n": 2, "t": None})]


def test_refused_columns() -> None:
    assert said(read(Format.PARQUET, table_of({"$a": [1], "b": [2]}))) == [(1, "key-refused")]


@pytest.mark.parametrize("data", [b"", b"PAR1", b"PAR1" + b"x" * 100, b"x" * 1000])
def test_a_damaged_file_is_one_fault(data: bytes) -> None:
    assert said(read(Format.PARQUET, data)) == [(1, "malformed-parquet")]


def test_damage_behind_the_first_rows() -> None:
    data = table_of({"n": list(range(5000))})
    assert said(read(Format.PARQUET, data))[-1] == (5000, {"n": 4999})
    assert said(read(Format.PARQUET, data[: len(data) // 2]))[-1][1] == "malformed-parquet"
