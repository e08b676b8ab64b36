"""CSV and TSV in: a document a row.

- The first row is the header, unless columns are given. A header that cannot be used is one fault, and so is then each
  row.
- An empty cell, quoted or not, is a field that is missing, and so is one that the dialect takes for null.
- Places are those of the text in UTF-8, whatever its encoding was.
- A cell is a string, unless the type of its column is declared or inferred from the first rows.
- A dot in a header is refused, unless `nested` says that `a.b` is the field `b` of the object `a`.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final

from documents.codec.csv_columns import CELLS, Cells, Column, infer_columns
from documents.codec.csv_rows import Quoting, Row, Rows
from documents.codec.dialect import FirstRow
from documents.codec.encodings import find_encoding
from documents.codec.header import fix_names, path_of_column
from documents.codec.options import ReadOptions
from documents.codec.records import Cut, Record, size_of, too_large
from documents.codec.strict import refuse_key
from documents.codec.transcode import make_transcoder
from documents.errors import Fault
from documents.types import MAX_DEPTH, MAX_DOCUMENT_BYTES, Document, child

SAMPLE_ROWS: Final = 1000
"""Rows from which types are inferred: those that are whole. Fewer if they take more bytes than one row may."""

UNKNOWN_ENCODING: Final = "unknown-encoding"


class HeaderError(ValueError):
    """No document can be made with these columns."""


class CsvReader:
    """Reads a document from each row.

    Args:
        options: How; settings of its dialect that are not given are those of RFC 4180. Rows that begin before `start`
            are passed over; the header and the first `SAMPLE_ROWS` rows, which tell the types, are still read.

    Raises:
        HeaderError: The given header cannot be used.
        ValueError: There is no such type.
    """

    def __init__(self, options: ReadOptions) -> None:
        unknown = set(options.types.values()) - CELLS.keys()
        if unknown:
            raise ValueError(f"There is no type {min(unknown)}; there are {', '.join(CELLS)}.")
        dialect, limit = options.dialect, options.limit or MAX_DOCUMENT_BYTES
        escape = "" if dialect.escape is None else dialect.escape
        quote = '"' if dialect.quote is None else dialect.quote
        self._quoting = Quoting(dialect.delimiter or ",", quote, escape)
        self._rows = Rows(self._quoting, limit, (dialect.line_end or "\n").encode())
        self._text = make_transcoder(dialect.encoding or "utf-8")
        self._cells_of_types = Cells(dialect)
        self._dialect = dialect
        self._limit = limit
        self._options = options
        self._to_skip = dialect.skip or 0
        self._is_ascii = True  # all that was read so far
        self._first_row = dialect.first_row or (FirstRow.NAMES if options.header is None else FirstRow.DATA)
        self._names: Sequence[str] | None = None
        self._refusal: Fault | None = None  # of the header, and so of all rows
        self._table: Table | None = None
        self._sample: list[tuple[Row, list[str] | Fault]] = []
        self._sample_bytes = 0
        if options.header is not None:
            self._use(options.header)
        elif self._first_row is FirstRow.SKIP:
            raise HeaderError("A first row that is skipped needs names in its place: say them with header.")

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
        for row in self._rows.feed(self._text.feed(chunk)):
            yield from self._take(row)

    def end(self) -> Iterator[Record]:
        """Yield what is left."""
        for row in self._rows.feed(self._text.feed(b"", is_last=True)):
            yield from self._take(row)
        for row in self._rows.end():
            yield from self._take(row)
        if self._sample:
            yield from self._end_sample()

    def _take(self, row: Row) -> Iterator[Record]:
        if row.line <= self._to_skip:
            return
        if self._refusal:
            yield _refused(row, self._refusal)
        elif self._first_row is FirstRow.SKIP:
            self._first_row = FirstRow.DATA
        elif self._table:
            if row.offset >= self._options.start:
                yield self._table.read(row, self._cells(row))
            elif not row.raw.isascii():
                self._is_ascii = False
        elif self._names is None and self._first_row is FirstRow.NAMES:
            yield from self._take_header(row)
        elif self._names is None:
            yield from self._take_unnamed(row)
        else:
            self._sample.append((row, self._cells(row)))
            self._sample_bytes += len(row.raw)
            if len(self._sample) >= SAMPLE_ROWS or self._sample_bytes > self._limit:
                yield from self._end_sample()

    def _take_unnamed(self, row: Row) -> Iterator[Record]:
        """Number the columns of a table that has no names, by the first row that can be read."""
        cells = self._cells(row)
        if isinstance(cells, Fault):
            yield _refused(row, cells)
            return
        self._use([f"column_{place + 1}" for place in range(len(cells))])
        yield from self._take(row)

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
        if self._dialect.fix_header:
            names = fix_names(names, nested=self._options.nested)
        self._names = names
        columns = [self._column(name) for name in names]
        table = self._table_of(columns)  # which may refuse them
        unknown = self._options.types.keys() - set(names)
        if unknown:
            raise HeaderError(f"A type is declared for {min(unknown)}, which is no column.")
        if not self._options.infer:
            self._table = table

    def _column(self, name: str) -> Column:
        declared = self._options.types.get(name) or self._options.known.get(name, "string")
        return Column(name, declared, sampled=0 if name in self._options.inferred else None)

    def _table_of(self, columns: Sequence[Column]) -> "Table":
        return Table(
            columns,
            self._cells_of_types,
            nested=self._options.nested,
            nulls=self._dialect.nulls or (),
            any_keys=self._options.any_keys,
        )

    def _end_sample(self) -> Iterator[Record]:
        names = self._names or ()
        rows = [cells for _, cells in self._sample if not isinstance(cells, Fault) and len(cells) == len(names)]
        nulls = self._dialect.nulls or ()
        rows = [["" if cell in nulls else cell for cell in row] for row in rows] if nulls else rows
        columns = infer_columns(names, {**self._options.known, **self._options.types}, rows, self._cells_of_types)
        table = self._table = self._table_of(columns)
        for row, cells in self._sample:
            if row.offset >= self._options.start:
                yield table.read(row, cells)
        self._sample = []

    def _cells(self, row: Row) -> list[str] | Fault:
        if isinstance(row.raw, Cut):
            return too_large(row.raw.size, self._limit)
        if not row.is_quoted_well:
            return Fault("", "malformed-csv", "A quoted cell must end with a quote, and a delimiter behind it.")
        try:
            cells = self._quoting.split(row.raw.decode())
        except UnicodeDecodeError as error:
            if self._is_ascii and self._dialect.encoding is None:
                return _of_unknown_encoding(row.raw)
            encoding = (self._dialect.encoding or "utf-8").upper()
            byte = row.raw[error.start]
            detail = f"The text is not {encoding}: byte {error.start} of it, {byte:02X}, does not belong there."
            return Fault("", "malformed-csv", detail)
        if self._is_ascii and not row.raw.isascii():
            self._is_ascii = False
        return [cell.strip() for cell in cells] if self._dialect.trim else cells


class Table:
    """Columns, and how rows become documents.

    Args:
        columns: Of the table.
        cells: How cells of each type are read.
        nested: Whether dots in names mean objects.
        nulls: Cells that mean that there is no value.
        any_keys: Whether names may be such that no field can have them.

    Raises:
        HeaderError: Two columns have one name or one lies within another, or a name is none of a field.
    """

    def __init__(
        self,
        columns: Sequence[Column],
        cells: Cells,
        *,
        nested: bool,
        nulls: Collection[str] = (),
        any_keys: bool = False,
    ) -> None:
        self.columns: Final = columns
        self._readers = [cells.of(column) for column in columns]
        self._nulls = frozenset({"", *nulls})
        self._paths = [path_of_column(column.name, nested=nested) for column in columns]
        _check_paths(self._paths, any_keys=any_keys)
        self._fields = [(column.name, read) for column, read in zip(columns, self._readers, strict=True)]
        self._is_flat = all(len(path) == 1 for path in self._paths)

    def read(self, row: Row, cells: list[str] | Fault) -> Record:
        """Return what a row says."""
        if isinstance(cells, Fault):
            return _refused(row, cells)
        if len(cells) != len(self._fields):
            detail = f"The row has {len(cells)} cells, and there are {len(self._fields)} columns."
            return _refused(row, Fault("", "wrong-cell-count", detail))
        try:
            values = {
                name: read(cell)
                for (name, read), cell in zip(self._fields, cells, strict=True)
                if cell not in self._nulls
            }
        except ValueError:
            return _refused(row, self._fault_of(cells))
        document = values if self._is_flat else self._nest(values)
        return Record(row.line, row.offset, row.offset + len(row.raw), row.raw, document, None)

    def _fault_of(self, cells: list[str]) -> Fault:
        """Return the fault of the first cell that its column does not take."""
        for column, path, read, cell in zip(self.columns, self._paths, self._readers, cells, strict=True):
            try:
                if cell not in self._nulls:
                    read(cell)
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


def check_names(names: Sequence[str], *, nested: bool, any_keys: bool = False) -> str | None:
    """Return why no document can be made with columns of these names; None if one can."""
    try:
        _check_paths([path_of_column(name, nested=nested) for name in names], any_keys=any_keys)
    except HeaderError as error:
        return str(error)
    return None


def _check_paths(paths: Sequence[Sequence[str]], *, any_keys: bool) -> None:
    seen: set[tuple[str, ...]] = set()
    for path in paths:
        name = ".".join(path)
        reason = next((reason for step in path if (reason := refuse_key(step))), None)
        if reason and not any_keys:
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


def _of_unknown_encoding(raw: bytes) -> Fault:
    """Return the fault of a first row that is not ASCII, and no UTF-8 either: the text is in another encoding."""
    _, doubt = find_encoding(raw)
    return Fault("", UNKNOWN_ENCODING, doubt or "The text is not UTF-8.")


def _refused(row: Row, fault: Fault) -> Record:
    return Record(row.line, row.offset, row.offset + size_of(row.raw), row.raw, None, fault)
