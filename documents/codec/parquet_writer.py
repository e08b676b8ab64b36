"""Parquet out, with pyarrow: in row groups of about 16 MB, compressed with zstd.

Memory stays within one row group, and what the index at the end of the file takes: some bytes for each column of each
row group. `parquet_columns` says what types the columns have.
"""

import importlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from bson.datetime_ms import DatetimeMS
from bson.decimal128 import Decimal128

from documents.codec.number_text import format_decimal
from documents.codec.parquet import load_pyarrow
from documents.codec.parquet_columns import KINDS, NARROW_DIGITS, Column, ColumnType
from documents.codec.plain import dump
from documents.codec.writers import Exported, values_of

ROW_GROUP_BYTES: Final = 16 * 1024 * 1024
"""What is gathered before it is written, as Arrow holds it."""

ROW_GROUP_ROWS: Final = 1024 * 1024
BATCH_CELLS: Final = 1_000_000
"""Cells that are made at once."""


class OtherDocumentsError(ValueError):
    """A document does not fit the columns, so it was not there when they were found."""


class ParquetWriter:
    """Writes a row for each document.

    Args:
        columns: As a `ColumnFinder` found them in the same documents.

    Raises:
        MissingExtraError: pyarrow is not installed.
    """

    def __init__(self, columns: Sequence[Column]) -> None:
        parquet: Any = load_pyarrow()
        self._arrow: Any = importlib.import_module("pyarrow")
        self._columns = columns
        self._types = _Types(self._arrow)
        self._schema = self._arrow.schema([self._types.field(column) for column in columns])
        self._sink = _Sink()
        self._writer = parquet.ParquetWriter(self._sink, self._schema, compression="zstd")
        self._rows = max(BATCH_CELLS // sum(column.cells for column in columns), 1)
        self._waiting: list[Any] = []

    def start(self) -> bytes:
        """Return what every such file begins with."""
        return self._sink.take()

    def write(self, documents: Iterable[Exported]) -> bytes:
        """Return a row group if one is full by now, else nothing.

        Raises:
            OtherDocumentsError: A document does not fit the columns.
        """
        rows = [values_of(document) for document in documents]
        for start in range(0, len(rows), self._rows):
            self._gather(rows[start : start + self._rows])
        return self._sink.take()

    def end(self) -> bytes:
        """Return what is left, and the index."""
        self._flush()
        self._writer.close()
        return self._sink.take()

    def _gather(self, rows: Sequence[Mapping[str, Any]]) -> None:
        try:
            arrays = self._members(self._columns, rows)
        except (self._arrow.ArrowException, ValueError, TypeError, OverflowError) as error:
            raise OtherDocumentsError(str(error)) from error
        self._waiting.append(self._arrow.RecordBatch.from_arrays(arrays, schema=self._schema))
        size = sum(batch.nbytes for batch in self._waiting)
        if size >= ROW_GROUP_BYTES or sum(batch.num_rows for batch in self._waiting) >= ROW_GROUP_ROWS:
            self._flush()

    def _flush(self) -> None:
        if self._waiting:
            table = self._arrow.Table.from_batches(self._waiting)
            self._waiting = []
            self._writer.write_table(table, row_group_size=table.num_rows)

    def _members(self, columns: Sequence[Column], rows: Sequence[Mapping[str, Any] | None]) -> list[Any]:
        names = {column.name for column in columns}
        if not all(names.issuperset(row) for row in rows if row):
            raise OtherDocumentsError("An object has another field.")
        return [self._array(column, [row.get(column.name) if row else None for row in rows]) for column in columns]

    def _array(self, column: Column, values: Sequence[Any]) -> Any:  # noqa: ANN401  # pyarrow has no types here
        if column.type is ColumnType.JSON:
            return self._arrow.array([None if value is None else dump(value).decode() for value in values], "string")
        kinds = {KINDS.get(each, "unknown") for each in set(map(type, values))}  # of few types, not of many values
        if not kinds <= {*column.kinds, "null"}:
            raise OtherDocumentsError("A value has another type.")
        if column.type is ColumnType.STRUCT:
            return self._structs(column, values)
        if column.type is ColumnType.LIST:
            return self._lists(column, values)
        convert = _CONVERSIONS.get((column.type, column.kinds[0]))
        if convert:
            values = [None if value is None else convert(value) for value in values]
        return self._arrow.array(values, self._types.of(column))

    def _structs(self, column: Column, values: Sequence[Mapping[str, Any] | None]) -> Any:  # noqa: ANN401  # as above
        arrays = self._members(column.members, values)
        fields = [self._types.field(member) for member in column.members]
        return self._arrow.StructArray.from_arrays(arrays, fields=fields, mask=self._nulls(values))

    def _lists(self, column: Column, values: Sequence[Sequence[Any] | None]) -> Any:  # noqa: ANN401  # as above
        offsets, items = [0], list[Any]()
        for value in values:
            items.extend(value or ())
            offsets.append(len(items))
        array = self._array(column.members[0], items)
        starts = self._arrow.array(offsets, "int32")
        return self._arrow.ListArray.from_arrays(starts, array, type=self._types.of(column), mask=self._nulls(values))

    def _nulls(self, values: Sequence[object]) -> Any:  # noqa: ANN401  # as above
        return self._arrow.array([value is None for value in values], "bool")


class _Types:
    """Arrow's types for columns."""

    def __init__(self, arrow: Any) -> None:  # noqa: ANN401  # as above
        self._arrow = arrow

    def field(self, column: Column) -> Any:  # noqa: ANN401  # as above
        """Return a field, whose metadata say which BSON types it holds, and if it is JSON, why."""
        metadata = {"sheaf:bson": ",".join(column.kinds) or "null"}
        if column.reason:
            metadata["sheaf:json"] = str(column.reason)
        return self._arrow.field(column.name, self.of(column), metadata=metadata)

    def of(self, column: Column) -> Any:  # noqa: ANN401  # as above
        """Return the type of a column."""
        arrow = self._arrow
        match column.type:
            case ColumnType.DATE:
                return arrow.timestamp("ms", tz="UTC")
            case ColumnType.DECIMAL:
                make = arrow.decimal128 if column.digits <= NARROW_DIGITS else arrow.decimal256
                return make(column.digits, column.scale)
            case ColumnType.LIST:
                return arrow.list_(self.field(column.members[0]))
            case ColumnType.STRUCT:
                return arrow.struct([self.field(member) for member in column.members])
            case _:
                return _SIMPLE[column.type](arrow)


class _Sink:
    """A file for pyarrow, from which what was written is taken."""

    closed: Final = False

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, data: Any) -> int:  # noqa: ANN401  # a buffer
        """Keep some bytes."""
        piece = bytes(data)
        self._pieces.append(piece)
        return len(piece)

    def flush(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""

    def take(self) -> bytes:
        """Return what was written since it was last asked for."""
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)


def _moment(value: datetime | DatetimeMS) -> datetime | int:
    return int(value) if isinstance(value, DatetimeMS) else value


def _decimal(value: Decimal128) -> Decimal:
    return Decimal(format_decimal(value)) or _ZERO  # of which pyarrow refuses those with a large exponent


_ZERO: Final = Decimal(0)

_CONVERSIONS: Final[Mapping[tuple[ColumnType, str], Callable[[Any], object]]] = {
    (ColumnType.STRING, "objectId"): str,
    (ColumnType.STRING, "uuid"): str,
    (ColumnType.STRING, "decimal"): format_decimal,
    (ColumnType.DECIMAL, "decimal"): _decimal,
    (ColumnType.DATE, "date"): _moment,
    (ColumnType.DOUBLE, "double"): float,
}

_SIMPLE: Final[Mapping[ColumnType, Callable[[Any], Any]]] = {
    ColumnType.BOOL: lambda arrow: arrow.bool_(),
    ColumnType.INT: lambda arrow: arrow.int64(),
    ColumnType.DOUBLE: lambda arrow: arrow.float64(),
    ColumnType.STRING: lambda arrow: arrow.string(),
    ColumnType.JSON: lambda arrow: arrow.string(),
    ColumnType.BINARY: lambda arrow: arrow.binary(),
}
