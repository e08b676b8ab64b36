"""CSV and TSV in: a document a row.

- The first row is the header, unless columns are given. A header that cannot be used is one fault, and so is then each
  row.
- An empty cell, quoted or not, is a field that is missing. No word is taken for null.
- A cell is a string, unless the type of its column is declared or inferred from the first rows.
- A dot in a header is refused, unless `nested` says that `a.b` is the field `b` of the object `a`.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from documents.codec.csv_columns import CELLS, Column, infer_columns
from documents.codec.csv_rows import Quoting, Row, Rows
from documents.codec.records import Cut, Record, size_of, too_large
from documents.codec.strict import refuse_key
from documents.errors import Fault
from documents.types import MAX_DEPTH, Document, child

SAMPLE_ROWS: Final = 1000
"""Rows from which types are inferred: those that are whole. Fewer if they take more bytes than one row may."""


class HeaderError(ValueError):
    """No document can be made with these columns."""


class CsvReader:
    """Reads a document from each row.

    Args:
        delimiter: What separates cells: one ASCII character.
        limit: Bytes of a row. A longer one is one fault.
        header: Names of the columns, where the first row is already data.
        types: Types of columns, by name; see `csv_columns`. All others are strings, or inferred.
        infer: Whether other columns get their types from the first `SAMPLE_ROWS` rows, which are held back until then.
        nested: Whether dots in names mean objects.
        start: Rows that begin before this byte are passed over; the header, and those to infer from, are still read.

    Raises:
        HeaderError: The given header cannot be used.
        ValueError: There is no such type.
    """

    def __init__(
        self,
        *,
        limit: int,
        delimiter: str = ",",
        header: Sequence[str] | None = None,
        types: Mapping[str, str] | None = None,
        infer: bool = False,
        nested: bool = False,
        start: int = 0,
    ) -> None:
        unknown = set((types or {}).values()) - CELLS.keys()
        if unknown:
            raise ValueError(f"There is no type {min(unknown)}; there are {', '.join(CELLS)}.")
        self._quoting = Quoting(delimiter)
        self._rows = Rows(self._quoting, limit)
        self._limit = limit
        self._types = types or {}
        self._infer = infer
        self._nested = nested
        self._start = start
        self._names: Sequence[str] | None = None
        self._refusal: Fault | None = None  # of the header, and so of all rows
        self._table: Table | None = None
        self._sample: list[tuple[Row, list[str] | Fault]] = []
        self._sample_bytes = 0
        if header is not None:
            self._use(header)

    @property
    def columns(self) -> Sequence[Column] | None:
        """The columns and their types, as soon as they are known."""
        return self._table.columns if self._table else None

    @property
    def line(self) -> int:
        """How many lines have been read to their end."""
        return self._rows.line

    @property
    def offset(self) -> int:
        """How many bytes have been read."""
        return self._rows.offset

    def feed(self, chunk: bytes) -> Iterator[Record]:
        """Yield a record for each row that ends in this chunk, if the types are known."""
        for row in self._rows.feed(chunk):
            yield from self._take(row)

    def end(self) -> Iterator[Record]:
        """Yield what is left."""
        for row in self._rows.end():
            yield from self._take(row)
        if self._sample:
            yield from self._end_sample()

    def _take(self, row: Row) -> Iterator[Record]:
        if self._refusal:
            yield _refused(row, self._refusal)
        elif self._table:
            if row.offset >= self._start:
                yield self._table.read(row, self._cells(row))
        elif self._names is None:
            yield from self._take_header(row)
        else:
            self._sample.append((row, self._cells(row)))
            self._sample_bytes += len(row.raw)
            if len(self._sample) >= SAMPLE_ROWS or self._sample_bytes > self._limit:
                yield from self._end_sample()

    def _take_header(self, row: Row) -> Iterator[Record]:
        cells = self._cells(row)
        if isinstance(cells, Fault):
            yield self._refuse_header(row, cells.detail)
            return
        try:
            self._use(cells)
        except HeaderError as error:
            yield self._refuse_header(row, str(error))

    def _refuse_header(self, row: Row, reason: str) -> Record:
        self._refusal = Fault("", "header-refused", f"No row can be read with this header. {reason}")
        return _refused(row, Fault("", "header-refused", reason))

    def _use(self, names: Sequence[str]) -> None:
        self._names = names
        columns = [Column(name, self._types.get(name, "string")) for name in names]
        table = Table(columns, nested=self._nested)  # which may refuse them
        unknown = self._types.keys() - set(names)
        if unknown:
            raise HeaderError(f"A type is declared for {min(unknown)}, which is no column.")
        if not self._infer:
            self._table = table

    def _end_sample(self) -> Iterator[Record]:
        names = self._names or ()
        rows = [cells for _, cells in self._sample if not isinstance(cells, Fault) and len(cells) == len(names)]
        table = self._table = Table(infer_columns(names, self._types, rows), nested=self._nested)
        for row, cells in self._sample:
            if row.offset >= self._start:
                yield table.read(row, cells)
        self._sample = []

    def _cells(self, row: Row) -> list[str] | Fault:
        if isinstance(row.raw, Cut):
            return too_large(row.raw.size, self._limit)
        if not row.is_quoted_well:
            return Fault("", "malformed-csv", "A quoted cell must end with a quote, and a delimiter behind it.")
        try:
            return self._quoting.split(row.raw.decode())
        except UnicodeDecodeError as error:
            return Fault("", "malformed-csv", f"The text is not UTF-8: byte {error.start} of it does not belong there.")


class Table:
    """Columns, and how rows become documents.

    Raises:
        HeaderError: Two columns have one name or one lies within another, or a name is none of a field.
    """

    def __init__(self, columns: Sequence[Column], *, nested: bool) -> None:
        self.columns: Final = columns
        self._paths = [column.name.split(".") if nested else [column.name] for column in columns]
        _check_paths(self._paths)
        self._fields = [(column.name, CELLS[column.type]) for column in columns]
        self._is_flat = all(len(path) == 1 for path in self._paths)

    def read(self, row: Row, cells: list[str] | Fault) -> Record:
        """Return what a row says."""
        if isinstance(cells, Fault):
            return _refused(row, cells)
        if len(cells) != len(self._fields):
            detail = f"The row has {len(cells)} cells, and there are {len(self._fields)} columns."
            return _refused(row, Fault("", "wrong-cell-count", detail))
        try:
            values = {name: read(cell) for (name, read), cell in zip(self._fields, cells, strict=True) if cell}
        except ValueError:
            return _refused(row, self._fault_of(cells))
        document = values if self._is_flat else self._nest(values)
        return Record(row.line, row.offset, row.offset + len(row.raw), row.raw, document, None)

    def _fault_of(self, cells: list[str]) -> Fault:
        """Return the fault of the first cell that its column does not take."""
        for column, path, cell in zip(self.columns, self._paths, cells, strict=True):
            try:
                if cell:
                    CELLS[column.type](cell)
            except ValueError as error:
                inferred = f", as the first {column.sampled} rows suggest" if column.sampled else ""
                detail = f"The column {column.name} is of type {column.type}{inferred}. {error}"
                return Fault(child("", *path), "wrong-type", detail)
        raise AssertionError("a cell was refused, and now none is")

    def _nest(self, values: Mapping[str, Any]) -> Document:
        document: Document = {}
        for column, path in zip(self.columns, self._paths, strict=True):
            if column.name in values:
                parent = document
                for step in path[:-1]:
                    parent = parent.setdefault(step, {})
                parent[path[-1]] = values[column.name]
        return document


def _check_paths(paths: Sequence[Sequence[str]]) -> None:
    seen: set[tuple[str, ...]] = set()
    for path in paths:
        name = ".".join(path)
        reason = next((reason for step in path if (reason := refuse_key(step))), None)
        if reason:
            raise HeaderError(f"The column {name!r} cannot be a field. {reason}")
        if tuple(path) in seen:
            raise HeaderError(f"There are two columns {name!r}.")
        if len(path) > MAX_DEPTH:
            raise HeaderError(f"The column {name!r} nests deeper than {MAX_DEPTH} levels.")
        seen.add(tuple(path))
    for path in seen:
        for length in range(1, len(path)):
            if path[:length] in seen:
                raise HeaderError(f"The column {'.'.join(path)!r} lies within another, which then holds no value.")


def _refused(row: Row, fault: Fault) -> Record:
    return Record(row.line, row.offset, row.offset + size_of(row.raw), row.raw, None, fault)
