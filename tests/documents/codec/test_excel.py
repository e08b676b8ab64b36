"""Workbooks need openpyxl, an extra, which the tests install."""

import importlib
import io
import sys
import zipfile
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

import pytest

from documents.codec import excel
from documents.codec.dialect import Dialect, FirstRow
from documents.codec.extras import MissingExtraError
from documents.codec.formats import make_reader
from documents.codec.options import ReadOptions
from documents.codec.records import Format
from documents.codec.sniff import sniff
from tests.documents.codec.streams import read, said

openpyxl: Any = importlib.import_module("openpyxl")
MOMENT = datetime(2026, 1, 2, 3, 4, 5, 678000)  # noqa: DTZ001  # as stored


def workbook_of(rows: Sequence[Sequence[Any]], *, is_1904: bool = False, **more: Sequence[Sequence[Any]]) -> bytes:
    workbook = openpyxl.Workbook()
    if is_1904:
        workbook.epoch = importlib.import_module("openpyxl.utils.datetime").CALENDAR_MAC_1904
    workbook.active.title = "First"
    for row in rows:
        workbook.active.append(row)
    for title, others in more.items():
        sheet = workbook.create_sheet(title)
        for row in others:
            sheet.append(row)
    file = io.BytesIO()
    workbook.save(file)
    return file.getvalue()


def test_without_openpyxl_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openpyxl", None)  # as if it were not there
    with pytest.raises(MissingExtraError, match=r"Excel needs openpyxl.*pip install 'sheaf-api\[excel\]'"):
        make_reader(Format.XLSX)


@pytest.mark.parametrize("is_1904", [False, True])
def test_cells_are_typed(*, is_1904: bool) -> None:
    cells = [1, 2.5, "x", True, MOMENT, date(2026, 1, 2), time(13, 30), timedelta(days=1, hours=2), None, "end"]
    data = workbook_of([list("abcdefghij"), cells], is_1904=is_1904)
    [record] = read(Format.XLSX, data, cuts=range(0, 9000, 500))
    assert record.document == {
        "a": 1,
        "b": 2.5,
        "c": "x",
        "d": True,
        "e": MOMENT,
        "f": datetime(2026, 1, 2),  # noqa: DTZ001  # as stored
        "g": "13:30:00",
        "h": "P1DT2H",
        "j": "end",
    }


def test_rows() -> None:
    data = workbook_of([[], ["id", "n"], [1], [], [2, 3, None], [4, 5, 6], ["#N/A", 1]])
    records = read(Format.XLSX, data)
    assert said(records) == [(1, {"id": 1}), (2, {"id": 2, "n": 3}), (3, "wrong-cell-count"), (4, "wrong-type")]
    assert records[2].raw == b'{"id":{"$numberInt":"4"},"n":{"$numberInt":"5"},"column_3":{"$numberInt":"6"}}'
    assert said(read(Format.XLSX, data, ReadOptions(start=1)))[0] == (2, {"id": 2, "n": 3})


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (ReadOptions(), {"a": 1}),
        (ReadOptions(sheet="Second"), {"b": 2}),
        (ReadOptions(sheet="2"), {"b": 2}),
        (ReadOptions(header=["c"], dialect=Dialect(first_row=FirstRow.SKIP)), {"c": 1}),
        (ReadOptions(header=["c"], dialect=Dialect(skip=1)), {"c": 1}),
    ],
)
def test_which_sheet_and_names(options: ReadOptions, expected: dict[str, Any]) -> None:
    data = workbook_of([["a"], [1]], Second=[["b"], [2]])
    assert said(read(Format.XLSX, data, options)) == [(1, expected)]


@pytest.mark.parametrize(
    ("rows", "options", "reason"),
    [
        ([["a"], [1]], ReadOptions(sheet="Third"), "no sheet Third; there are First"),
        ([["a"], [1]], ReadOptions(sheet="2"), "no sheet 2"),
        ([["a", "a"], [1]], ReadOptions(), "two columns 'a'"),
        ([["a", None, "b"], [1]], ReadOptions(), "fix_header would call the columns a,column_2,b"),
        ([["a.b"], [1]], ReadOptions(), "'a.b'"),
    ],
)
def test_what_cannot_be_read_is_refused_whole(rows: list[list[Any]], options: ReadOptions, reason: str) -> None:
    [record] = read(Format.XLSX, workbook_of(rows), options)
    assert record.fault is not None
    assert record.fault.code == "header-refused"
    assert reason in record.fault.detail


def test_a_bomb_is_refused_before_it_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    data = workbook_of([["a"], ["x" * 30_000]])
    monkeypatch.setattr(excel, "MAX_UNPACKED_BYTES", 20_000)
    [record] = read(Format.XLSX, data)
    assert record.fault is not None
    assert (record.fault.code, "Save the sheet as CSV" in record.fault.detail) == ("header-refused", True)


def test_what_is_no_workbook() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("xl/x", b"")
    whole = workbook_of([["a"], [1]])
    for data in b"", b"PK\3\4 xl/", file.getvalue(), whole[: len(whole) // 2]:
        assert said(read(Format.XLSX, data)) == [(1, "malformed-xlsx")]


def test_it_is_known_by_its_first_bytes() -> None:
    assert sniff(workbook_of([["a"], [1]])[: 64 * 1024]).format is Format.XLSX
