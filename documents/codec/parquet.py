"""Parquet in, with pyarrow, which the extra `parquet` installs.

A file's index is at its end, so the stream is first written to a temporary file. Rows are read some at a time. Columns
become fields, null stays null, and each value is what `parquet_values` makes of it. A file with a column that no
document can have, or in which a date or a decimal would lose digits, is refused as a whole, before its first row.
"""

import importlib
import importlib.util
from collections.abc import Iterator
from functools import cache
from types import ModuleType
from typing import IO, Any, Final, NamedTuple

from documents.codec.extras import load_extra
from documents.codec.parquet_values import Arrow, has_maps, is_risky, read_values, refuse_fields
from documents.codec.records import Record
from documents.codec.strict import check_keys
from documents.codec.whole_file import WholeFileReader
from documents.codec.writers import dump_canonical
from documents.errors import Fault
from documents.types import Document, child

MAGIC: Final = b"PAR1"
BATCH_ROWS: Final = 1024


def load_pyarrow() -> ModuleType:
    """Return pyarrow's module for Parquet.

    Raises:
        MissingExtraError: It is not installed.
    """
    return load_extra("pyarrow.parquet", "parquet")


@cache
def has_parquet() -> bool:
    """Tell whether pyarrow is installed. Does not import it."""
    return importlib.util.find_spec("pyarrow") is not None


class ParquetReader(WholeFileReader):
    """Reads a document from each row.

    Args:
        start: As for `WholeFileReader`.
        any_keys: Whether names may be such that no field can have them.

    Raises:
        MissingExtraError: pyarrow is not installed.
    """

    def __init__(self, *, start: int = 0, any_keys: bool = False) -> None:
        super().__init__(start=start)
        self._any_keys = any_keys
        self._parquet: Any = load_pyarrow()
        self._damage: Any = (importlib.import_module("pyarrow").ArrowException, OSError, ValueError)

    def read(self, file: IO[bytes]) -> Iterator[Record]:
        """Yield a record for each row, or one that says what is wrong with the file."""
        try:
            yield from self._read(file)
        except self._damage as error:
            fault = Fault("", "malformed-parquet", f"The Parquet file is damaged: {error}")
            yield Record(self.line + 1, self.line, self.line, b"", None, fault)

    def _read(self, file: IO[bytes]) -> Iterator[Record]:
        table = self._parquet.ParquetFile(file)
        refusal = refuse_fields(table.schema_arrow, any_keys=self._any_keys) or _refuse_values(table)
        if refusal:
            yield Record(1, 0, 0, b"", None, Fault("", "header-refused", refusal))
            return
        has_odd_keys = not self._any_keys and any(has_maps(field.type) for field in table.schema_arrow)
        for batch in table.iter_batches(batch_size=BATCH_ROWS):
            if self.line + batch.num_rows <= self._start:
                self.line += batch.num_rows
                continue
            for row in _rows(batch):
                self.line += 1
                if self.line > self._start:
                    yield _record(self.line, row, has_odd_keys=has_odd_keys)


def _refuse_values(table: Arrow) -> str | None:
    """Return why a column that may hold more digits than BSON keeps cannot be loaded; None if each value is exact."""
    for field in table.schema_arrow:
        if not is_risky(field.type):
            continue
        for batch in table.iter_batches(batch_size=BATCH_ROWS, columns=[field.name]):
            try:
                read_values(batch.column(0))
            except ValueError as error:
                return f"The column {field.name!r} cannot be loaded. {error}"
    return None


def _rows(batch: Arrow) -> list["Document | _BadRow"]:
    try:
        return _documents(batch)
    except (ValueError, OverflowError):  # of some rows: each is read alone
        return [_row(batch.slice(place, 1)) for place in range(batch.num_rows)]


def _documents(batch: Arrow) -> list[Any]:
    names = batch.schema.names
    columns = [read_values(column) for column in batch.columns]
    rows = zip(*columns, strict=True) if columns else ((),) * batch.num_rows
    return [dict(zip(names, row, strict=True)) for row in rows]


def _row(row: Arrow) -> "Document | _BadRow":
    fault: Fault | None = None
    document: Document = {}
    for name, column in zip(row.schema.names, row.columns, strict=True):
        try:
            [document[name]] = read_values(column)
        except (ValueError, OverflowError) as error:
            document[name] = {f"${column.type}": column.to_string()}  # which no replay takes for a value
            fault = fault or Fault(child("", name), "wrong-type", str(error))
    return document if fault is None else _BadRow(document, fault)


def _record(line: int, row: "Document | _BadRow", *, has_odd_keys: bool) -> Record:
    document, fault = (row.document, row.fault) if isinstance(row, _BadRow) else (row, None)
    if fault is None and has_odd_keys:
        fault = next(iter(check_keys(document)), None)
    if fault is None:
        return Record(line, line - 1, line, b"", document, None)
    return Record(line, line - 1, line, dump_canonical(document), None, fault)


class _BadRow(NamedTuple):
    """A row of which a value cannot be read. In `document`, its type and text stand for it."""

    document: Document
    fault: Fault
