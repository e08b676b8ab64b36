"""Parquet in, with pyarrow, which the extra `parquet` installs.

A file's index is at its end, so the stream is first written to a temporary file. Rows are read some at a time. Columns
become fields, null stays null, and each value is of the BSON type nearest to its own; one without such a type, as a
time of day or a duration, is a fault of its row.
"""

import importlib
import importlib.util
import tempfile
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, DecimalException
from functools import cache
from types import ModuleType
from typing import Any, Final, cast

from bson.decimal128 import Decimal128

from documents.codec.extras import load_extra
from documents.codec.records import Record
from documents.codec.strict import check_keys
from documents.codec.tree import is_deep
from documents.errors import Fault
from documents.types import MAX_DEPTH, Document

MAGIC: Final = b"PAR1"
BATCH_ROWS: Final = 1024
_MEMORY_BYTES: Final = 1024 * 1024
_MILLISECOND_US: Final = 1000


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


class ParquetReader:
    """Reads a document from each row, all of them at the end. Numbers of rows stand for lines and bytes.

    Args:
        start: Rows before this one, counted from 0, are passed over.

    Raises:
        MissingExtraError: pyarrow is not installed.
    """

    def __init__(self, *, start: int = 0) -> None:
        self._parquet: Any = load_pyarrow()
        self._damage: Any = (importlib.import_module("pyarrow").ArrowException, OSError, ValueError)
        self._start = start
        self._file: tempfile.SpooledTemporaryFile[bytes] | None = None
        self.line = 0

    @property
    def offset(self) -> int:
        """How many rows have been read."""
        return self.line

    def feed(self, chunk: bytes) -> Iterator[Record]:
        """Yield nothing yet; writes the chunk to a temporary file."""
        self._opened().write(chunk)
        return iter(())

    def end(self) -> Iterator[Record]:
        """Yield a record for each row. Removes the temporary file."""
        with self._opened() as file:
            file.seek(0)
            try:
                yield from self._read(file)
            except self._damage as error:
                detail = f"The Parquet file is damaged: {error}"
                fault = Fault("", "malformed-parquet", detail)
                yield Record(self.line + 1, self.line, self.line, b"", None, fault)

    def _opened(self) -> "tempfile.SpooledTemporaryFile[bytes]":
        if self._file is None:  # there is none before it is needed, as nobody closes the reader that is fed nothing
            self._file = tempfile.SpooledTemporaryFile(max_size=_MEMORY_BYTES)  # noqa: SIM115  # open until the end
        return self._file

    def _read(self, file: "tempfile.SpooledTemporaryFile[bytes]") -> Iterator[Record]:
        for batch in self._parquet.ParquetFile(file).iter_batches(batch_size=BATCH_ROWS):
            try:
                rows = batch.to_pylist()
            except (ValueError, OverflowError):  # a value that Python cannot hold
                rows = [_row(batch, place) for place in range(batch.num_rows)]
            for row in rows:
                self.line += 1
                if self.line > self._start:
                    yield _record(self.line, row)


def _row(batch: Any, place: int) -> Document | Fault:  # noqa: ANN401  # pyarrow has no types here
    try:
        return batch.slice(place, 1).to_pylist()[0]
    except (ValueError, OverflowError) as error:
        return Fault("", "wrong-type", f"A value is beyond what a document can hold: {error}")


def _record(line: int, row: Document | Fault) -> Record:
    if isinstance(row, Fault):
        return Record(line, line - 1, line, b"", None, row)
    try:
        document = cast("Document", _convert(row))
    except ValueError as error:
        fault = Fault("", "wrong-type", str(error))
    else:
        if is_deep(document):
            fault = Fault("", "too-deep", f"Nothing may nest deeper than {MAX_DEPTH} levels.")
        else:
            fault = next(iter(check_keys(document)), None)
        if fault is None:
            return Record(line, line - 1, line, b"", document, None)
    return Record(line, line - 1, line, str(row).encode(errors="replace"), None, fault)


def _convert(value: object) -> object:
    convert = _CONVERSIONS.get(type(value))
    if convert is None:
        raise ValueError(f"BSON has no type for a {type(value).__name__}.")
    return convert(value)


def _integer(value: int) -> int:
    if not -(2**63) <= value < 2**63:
        raise ValueError("An integer must fit into 64 bits, from -2^63 to 2^63-1.")
    return value


def _decimal(value: Decimal) -> Decimal128:
    try:
        return Decimal128(value)
    except DecimalException:
        raise ValueError("A decimal has at most 34 digits.") from None


def _moment(value: datetime) -> datetime:
    if value.tzinfo is not None:
        value = value.astimezone(UTC).replace(tzinfo=None)
    return value.replace(microsecond=value.microsecond // _MILLISECOND_US * _MILLISECOND_US)


_CONVERSIONS: Final[Mapping[type, Callable[[Any], object]]] = {
    type(None): lambda _: None,
    bool: bool,
    int: _integer,
    float: float,
    str: str,
    bytes: bytes,
    Decimal: _decimal,
    datetime: _moment,
    date: lambda value: datetime(value.year, value.month, value.day),  # noqa: DTZ001  # naive means UTC
    list: lambda value: [_convert(item) for item in value],
    dict: lambda value: {key: _convert(item) for key, item in value.items()},
}
