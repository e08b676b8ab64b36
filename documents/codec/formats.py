"""Readers and writers, by format."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from documents.codec.avro import MAGIC as AVRO_MAGIC
from documents.codec.avro import AvroReader
from documents.codec.batch import (
    ParseBatch,
    parse_any_batch,
    parse_any_extended_batch,
    parse_batch,
    parse_extended_batch,
)
from documents.codec.bson_dump import BsonReader
from documents.codec.compressed import Compression, DecompressingReader
from documents.codec.csv_reader import CsvReader
from documents.codec.csv_writer import CsvWriter
from documents.codec.dialect import SETTINGS, Dialect
from documents.codec.excel import ExcelReader
from documents.codec.extended_file import ExtendedReader
from documents.codec.json_array import JsonArrayReader
from documents.codec.json_member import JsonMemberReader
from documents.codec.lines import LineReader
from documents.codec.options import ReadOptions
from documents.codec.parquet import MAGIC, ParquetReader
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
from documents.types import MAX_DOCUMENT_BYTES

EXTENDED_FACTOR: Final = 6
"""Bytes that canonical Extended JSON may take for one of BSON, as `{"$minKey":1}` and control characters do."""

_DELIMITERS: Final[Mapping[Format, str]] = {Format.CSV: ",", Format.TSV: "\t"}


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


@dataclass(frozen=True, slots=True)
class FormatEntry:
    """What there is to know of a format that is loaded: its flag, media type, reader and docs are made from it.

    Args:
        media_type: Of a body that holds it.
        endings: Of names of files; empty where the content alone tells.
        holds: What such a file is, for the docs.
        read: Makes a reader.
        options: Names of the options that have a meaning for it.
        extra: Which of Sheaf's extras it needs.
        kept_as: Format in which its records are put aside; None for its own.
    """

    media_type: str
    endings: tuple[str, ...]
    holds: str
    read: Callable[[ReadOptions], Reader]
    options: tuple[str, ...] = ()
    extra: str | None = None
    kept_as: Format | None = None
    begins: Callable[[bytes], bool] | None = None
    """Tells whether a file that begins so is one, where its first bytes are enough to tell."""

    grows: bool = False
    """Whether records can be read as they are appended to a file."""

    delimiter: str | None = None
    """What separates the cells of a table in text, unless its dialect says otherwise."""


def make_reader(form: Format, options: ReadOptions | None = None) -> DecompressingReader:
    """Return a reader for a stream, compressed or not.

    Raises:
        HeaderError: The given header cannot be used.
        MissingExtraError: What reads the format is not installed.
        ValueError: An option cannot be meant.
    """
    options = options or ReadOptions()
    return DecompressingReader(FORMATS[form].read(options), max_bytes=options.max_bytes)


def make_writer(form: Format, options: WriteOptions | None = None) -> Writer:
    """Return a writer.

    Raises:
        MissingExtraError: pyarrow is not installed.
        ValueError: A table without columns.
    """
    options = options or WriteOptions()
    writer = _plain_writer(form, options)
    return CompressingWriter(writer, options.compression) if options.compression else writer


def _limit(options: ReadOptions) -> int:
    return options.limit or MAX_DOCUMENT_BYTES


def parser_of(form: Format, options: ReadOptions) -> ParseBatch:
    """Return what makes documents of texts in a format of JSON."""
    if form is Format.EJSON:
        return parse_any_extended_batch if options.any_keys else parse_extended_batch
    return parse_any_batch if options.any_keys else parse_batch


def _read_table(delimiter: str, options: ReadOptions) -> Reader:
    dialect = options.dialect.or_else(Dialect(delimiter=delimiter))
    return CsvReader(replace(options, dialect=dialect, limit=_limit(options)))


def _read_json(options: ReadOptions) -> Reader:
    if options.items is None:
        return JsonArrayReader(parser_of(Format.JSON, options), limit=_limit(options), start=options.start)
    parse = parser_of(Format.JSON, options)
    return JsonMemberReader(options.items, parse, limit=_limit(options), start=options.start)


def _read_extended(options: ReadOptions) -> Reader:
    limit = options.limit or EXTENDED_FACTOR * MAX_DOCUMENT_BYTES
    return ExtendedReader(parser_of(Format.EJSON, options), limit=limit, start=options.start)


TABLE_OPTIONS: Final = ("header", "types", "infer", "nested", *SETTINGS)

FORMATS: Final[Mapping[Format, FormatEntry]] = {
    Format.NDJSON: FormatEntry(
        "application/x-ndjson",
        (".ndjson", ".jsonl"),
        "a JSON document a line; empty lines are passed over",
        lambda options: LineReader(parser_of(Format.NDJSON, options), limit=_limit(options), start=options.start),
        grows=True,
    ),
    Format.JSON: FormatEntry(
        "application/json",
        (".json", ".geojson"),
        "one array of JSON documents, read as a stream; or one object, which is one document",
        _read_json,
        ("items",),
    ),
    Format.EJSON: FormatEntry(
        "application/ejson",
        (".ejson",),
        "Extended JSON, a document a line or as an array: every type of BSON",
        _read_extended,
    ),
    Format.CSV: FormatEntry(
        "text/csv", (".csv",), "[a table](#tables)", partial(_read_table, ","), TABLE_OPTIONS, grows=True, delimiter=","
    ),
    Format.TSV: FormatEntry(
        "text/tab-separated-values",
        (".tsv", ".tab"),
        "[a table](#tables) whose cells are separated by tabs",
        partial(_read_table, "\t"),
        TABLE_OPTIONS,
        grows=True,
        delimiter="\t",
    ),
    Format.BSON: FormatEntry(
        "application/bson",
        (".bson",),
        "documents one behind the other, as `mongodump` writes them",
        lambda options: BsonReader(limit=_limit(options), start=options.start, any_keys=options.any_keys),
        grows=True,
    ),
    Format.PARQUET: FormatEntry(
        "application/vnd.apache.parquet",
        (".parquet",),
        "a document a row",
        lambda options: ParquetReader(start=options.start, any_keys=options.any_keys),
        extra="parquet",
        kept_as=Format.EJSON,
        begins=lambda head: head.startswith(MAGIC),
    ),
    Format.AVRO: FormatEntry(
        "application/vnd.apache.avro",
        (".avro",),
        "a document a record, as its schema says",
        lambda options: AvroReader(start=options.start, any_keys=options.any_keys),
        extra="avro",
        kept_as=Format.EJSON,
        begins=lambda head: head.startswith(AVRO_MAGIC),
    ),
    Format.XLSX: FormatEntry(
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        (".xlsx", ".xlsm"),
        "a document a row of one sheet of an Excel workbook",
        ExcelReader,
        ("sheet", "header", "nested", "skip", "first_row", "fix_header"),
        extra="excel",
        kept_as=Format.EJSON,
        begins=lambda head: head.startswith(b"PK\x03\x04") and b"xl/" in head,
    ),
}
"""Every format that is loaded."""


def is_written(form: Format) -> bool:
    """Tell whether a format is exported, too."""
    return form in _WRITERS or form in _DELIMITERS or form is Format.PARQUET


def formats_with(option: str) -> list[Format]:
    """Return the formats for which an option has a meaning."""
    return [form for form, entry in FORMATS.items() if option in entry.options]


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
