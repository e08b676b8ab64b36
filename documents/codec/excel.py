"""Excel workbooks in, with openpyxl, which the extra `excel` installs.

One sheet is read, row by row: its first row that is not empty has the names. A cell has the type that Excel gives it:
text, number, true or false, date, time of day, duration; of a formula its last result. An empty cell is a field that is
missing, and empty rows are passed over. Dates have no time zone in Excel, and are taken for UTC.

A workbook is a zip archive of XML, a little of which may unpack to very much. So its parts are added up before any of
them is read.
"""

import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import IO, Any, Final

from documents.codec.csv_reader import check_names
from documents.codec.dialect import FirstRow
from documents.codec.extras import load_extra
from documents.codec.header import fix_names, path_of_column
from documents.codec.options import ReadOptions
from documents.codec.parquet_values import duration_text
from documents.codec.records import Record
from documents.codec.whole_file import WholeFileReader
from documents.codec.writers import dump_canonical
from documents.errors import Fault
from documents.types import Document, child

MAX_UNPACKED_BYTES: Final = 64 * 1024 * 1024
"""What the parts of a workbook may have, unpacked."""

_MICROSECOND: Final = timedelta(microseconds=1)
_MIDNIGHT: Final = time()


class WorkbookError(ValueError):
    """A workbook cannot be read as it was told."""


class ExcelReader(WholeFileReader):
    """Reads a document from each row of a sheet.

    Args:
        options: Which sheet, and where the names of its columns are.

    Raises:
        MissingExtraError: openpyxl is not installed.
    """

    def __init__(self, options: ReadOptions) -> None:
        super().__init__(start=options.start)
        self._openpyxl: Any = load_extra("openpyxl", "excel")
        self._options = options

    def read(self, file: IO[bytes]) -> Iterator[Record]:
        """Yield a record for each row, or one that says what is wrong with the workbook."""
        try:
            check_size(file)
            yield from self._read(file)
        except WorkbookError as error:
            yield self._refused("header-refused", str(error))
        except Exception as error:  # noqa: BLE001  # openpyxl raises whatever its parsers meet
            yield self._refused("malformed-xlsx", f"The workbook is damaged: {type(error).__name__}: {error}")

    def _refused(self, code: str, detail: str) -> Record:
        return Record(self.line + 1, self.line, self.line, b"", None, Fault("", code, detail))

    def _read(self, file: IO[bytes]) -> Iterator[Record]:
        workbook = self._openpyxl.load_workbook(file, read_only=True, data_only=True, keep_links=False)
        sheet = _find_sheet(workbook, self._options.sheet)
        sheet.reset_dimensions()  # which a file may say wrongly
        rows = _rows_of(sheet, self._options.dialect.skip or 0)
        names = self._options.header
        if names is None or self._options.dialect.first_row is FirstRow.SKIP:
            _, first = next(rows, (0, list[Any]()))
            names = names or [_name_of(cell) for cell in first]
        paths = self._paths(names)
        for number, cells in rows:
            self.line += 1
            if self.line > self._start:
                yield _record(self.line, number, paths, cells)

    def _paths(self, names: Sequence[str]) -> list[list[str]]:
        nested = self._options.nested
        fixed = fix_names(names, nested=nested)
        if self._options.dialect.fix_header:
            names = fixed
        if reason := check_names(names, nested=nested, any_keys=self._options.any_keys):
            raise WorkbookError(f"{reason} fix_header would call the columns {','.join(fixed)}.")
        return [path_of_column(name, nested=nested) for name in names]


def check_size(file: IO[bytes]) -> None:
    """Refuse a workbook that would unpack to too much. Python's zipfile gives no part more bytes than it says to have.

    Raises:
        WorkbookError: It would.
        BadZipFile: It is none.
    """
    with zipfile.ZipFile(file) as archive:
        size = sum(part.file_size for part in archive.infolist())
    if size > MAX_UNPACKED_BYTES:
        raise WorkbookError(
            f"The workbook unpacks to {size:,} bytes, and {MAX_UNPACKED_BYTES:,} are allowed. Save the sheet as CSV."
        )


def _find_sheet(workbook: Any, said: str | None) -> Any:  # noqa: ANN401  # openpyxl has no types
    sheets: list[Any] = list(workbook.worksheets)
    names = [sheet.title for sheet in sheets]
    if said is None and sheets:
        return sheets[0]
    if said in names:
        return sheets[names.index(said)]
    if said is not None and said.isascii() and said.isdigit() and 1 <= int(said) <= len(sheets):
        return sheets[int(said) - 1]
    raise WorkbookError(f"There is no sheet {said or ''}; there are {', '.join(names) or 'none'}.")


def _rows_of(sheet: Any, skip: int) -> Iterator[tuple[int, list[Any]]]:  # noqa: ANN401  # as above
    """Yield the rows that are not empty, each with its number, without the empty cells at its end."""
    for number, row in enumerate(sheet.iter_rows(), start=1):
        cells = list(row)
        while cells and cells[-1].value is None:
            cells.pop()
        if cells and number > skip:
            yield number, cells


def _name_of(cell: Any) -> str:  # noqa: ANN401  # as above
    return "" if cell.value is None else str(cell.value)


def _record(line: int, number: int, paths: Sequence[Sequence[str]], cells: Sequence[Any]) -> Record:
    document: Document = {}
    fault: Fault | None = None
    if len(cells) > len(paths):
        detail = f"Row {number} of the sheet has {len(cells)} cells, and there are {len(paths)} columns."
        fault = Fault("", "wrong-cell-count", detail)
    for place, cell in enumerate(cells):
        if cell.value is None:
            continue
        path = paths[place] if place < len(paths) else [f"column_{place + 1}"]
        try:
            value = _value_of(cell)
        except ValueError as error:
            value = {"$cell": str(cell.value)}  # which no replay takes for a value
            fault = fault or Fault(child("", *path), "wrong-type", f"Row {number} of the sheet: {error}")
        parent = document
        for step in path[:-1]:
            parent = parent.setdefault(step, {})
        parent[path[-1]] = value
    raw = b"" if fault is None else dump_canonical(document)
    return Record(line, line - 1, line, raw, document if fault is None else None, fault)


def _value_of(cell: Any) -> Any:  # noqa: ANN401  # as above
    value: object = cell.value
    if cell.data_type == "e":
        raise ValueError(f"A formula has failed: {value}")
    convert = _VALUES.get(type(value))
    if convert is None:
        raise ValueError(f"A cell has a value of the type {type(value).__name__}.")
    return convert(value)


def _integer(value: int) -> int:
    if not -(2**63) <= value < 2**63:
        raise ValueError("An integer must fit into 64 bits, from -2^63 to 2^63-1.")
    return value


def _moment(value: datetime) -> datetime:
    return value.replace(microsecond=value.microsecond // 1000 * 1000)


_VALUES: Final[Mapping[type, Callable[[Any], object]]] = {
    str: str,
    bool: bool,
    int: _integer,
    float: float,
    datetime: _moment,
    date: lambda value: datetime.combine(value, _MIDNIGHT),
    time: lambda value: value.isoformat(),
    timedelta: lambda value: duration_text("us", value // _MICROSECOND),
}
