"""Readers and writers, by format."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from documents.codec.batch import parse_batch, parse_extended_batch
from documents.codec.bson_dump import BsonReader
from documents.codec.compressed import Compression, DecompressingReader
from documents.codec.csv_reader import CsvReader
from documents.codec.csv_writer import CsvWriter
from documents.codec.extended_file import ExtendedReader
from documents.codec.json_array import JsonArrayReader
from documents.codec.json_member import JsonMemberReader
from documents.codec.lines import LineReader
from documents.codec.parquet import ParquetReader
from documents.codec.parquet_columns import Column
from documents.codec.parquet_writer import ParquetWriter
from documents.codec.records import Format, Reader
from documents.codec.writers import (
    BsonWriter,
    CompressingWriter,
    JsonArrayWriter,
    LineWriter,
    Writer,
    dump_canonical,
    dump_plain,
)
from documents.types import EMPTY, MAX_DOCUMENT_BYTES

EXTENDED_FACTOR: Final = 6
"""Bytes that canonical Extended JSON may take for one of BSON, as `{"$minKey":1}` and control characters do."""

_DELIMITERS: Final[Mapping[Format, str]] = {Format.CSV: ",", Format.TSV: "\t"}


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How records are read.

    Args:
        limit: Bytes of one record. None is 16 MB, and in Extended JSON six times that, since its canonical form is that
            much longer than the BSON it stands for.
        start: Records that begin before this byte, decompressed, are passed over: where a reading that was broken off
            goes on, the `end` of the last record had of it.
        max_bytes: What a compressed stream may hold when decompressed.
        items: JSON: the member of an object whose array holds the documents, as `features` in GeoJSON.
        header: CSV: names of the columns, where the first row is already data.
        types: CSV: types of columns by name; see `csv_columns.parse_columns`.
        infer: CSV: infer the types of the others.
        nested: CSV: dots in names mean objects.
    """

    limit: int | None = None
    start: int = 0
    max_bytes: int | None = None
    items: str | None = None
    header: Sequence[str] | None = None
    types: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    infer: bool = False
    nested: bool = False


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """How documents are written.

    Args:
        compression: Of the whole file.
        columns: CSV: dotted paths; see `csv_writer.find_columns`.
        typed_columns: Parquet: see `parquet_columns.ColumnFinder`.
        guard_formulas: CSV: keep spreadsheets from running strings as formulas.
    """

    compression: Compression | None = None
    columns: Sequence[str] | None = None
    typed_columns: Sequence[Column] | None = None
    guard_formulas: bool = False


def make_reader(form: Format, options: ReadOptions | None = None) -> DecompressingReader:
    """Return a reader for a stream, compressed or not.

    Raises:
        HeaderError: The given header cannot be used.
        MissingParquetError: pyarrow is not installed.
        ValueError: An option cannot be meant.
    """
    options = options or ReadOptions()
    return DecompressingReader(_READERS[form](form, options), max_bytes=options.max_bytes)


def make_writer(form: Format, options: WriteOptions | None = None) -> Writer:
    """Return a writer.

    Raises:
        MissingParquetError: pyarrow is not installed.
        ValueError: A table without columns.
    """
    options = options or WriteOptions()
    writer = _plain_writer(form, options)
    return CompressingWriter(writer, options.compression) if options.compression else writer


def _limit(options: ReadOptions) -> int:
    return options.limit or MAX_DOCUMENT_BYTES


def _read_csv(form: Format, options: ReadOptions) -> Reader:
    return CsvReader(
        delimiter=_DELIMITERS[form],
        limit=_limit(options),
        header=options.header,
        types=options.types,
        infer=options.infer,
        nested=options.nested,
        start=options.start,
    )


def _read_json(_: Format, options: ReadOptions) -> Reader:
    if options.items is None:
        return JsonArrayReader(parse_batch, limit=_limit(options), start=options.start)
    return JsonMemberReader(options.items, parse_batch, limit=_limit(options), start=options.start)


def _read_extended(_: Format, options: ReadOptions) -> Reader:
    return ExtendedReader(
        parse_extended_batch, limit=options.limit or EXTENDED_FACTOR * MAX_DOCUMENT_BYTES, start=options.start
    )


_READERS: Final[Mapping[Format, Callable[[Format, ReadOptions], Reader]]] = {
    Format.NDJSON: lambda _, options: LineReader(parse_batch, limit=_limit(options), start=options.start),
    Format.JSON: _read_json,
    Format.EJSON: _read_extended,
    Format.CSV: _read_csv,
    Format.TSV: _read_csv,
    Format.BSON: lambda _, options: BsonReader(limit=_limit(options), start=options.start),
    Format.PARQUET: lambda _, options: ParquetReader(start=options.start),
}


def _plain_writer(form: Format, options: WriteOptions) -> Writer:
    if form in _DELIMITERS:
        if not options.columns:
            raise ValueError("CSV needs columns: name them, or find them in a first pass.")
        return CsvWriter(options.columns, delimiter=_DELIMITERS[form], guard_formulas=options.guard_formulas)
    if form is Format.PARQUET:
        if not options.typed_columns:
            raise ValueError("Parquet needs columns and their types: find them in a first pass.")
        return ParquetWriter(options.typed_columns)
    return _WRITERS[form]()


_WRITERS: Final[Mapping[Format, Callable[[], Writer]]] = {
    Format.NDJSON: lambda: LineWriter(dump_plain),
    Format.JSON: JsonArrayWriter,
    Format.EJSON: lambda: LineWriter(dump_canonical),
    Format.BSON: BsonWriter,
}
