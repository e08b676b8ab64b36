"""Names of columns that no field can have, changed by a mapping, whatever the format; and encodings that show late."""

import importlib
import io
from collections.abc import Callable, Mapping
from typing import Any, Final

import pytest

from documents.codec.dialect import Dialect
from documents.codec.options import ReadOptions
from documents.codec.records import Format
from documents.errors import SourceMisreadError
from documents.ingest.jobs import Load, State
from documents.lifecycle import Store
from documents.mapping.mapping import read_mapping
from tests.documents.ingest.loading import load, open_job, report, run, stored, without_ids

ESCAPE: Final = read_mapping("- escape: true").to_text()


def parquet() -> bytes:
    file, arrow = io.BytesIO(), importlib.import_module("pyarrow")
    rows = [{"a.b": 1, "in": {"$ref": 2}}]
    importlib.import_module("pyarrow.parquet").write_table(arrow.Table.from_pylist(rows), file)
    return file.getvalue()


def workbook() -> bytes:
    file, book = io.BytesIO(), importlib.import_module("openpyxl").Workbook()
    for row in ["a.b", "$ref"], [1, 2]:
        book.active.append(row)
    book.save(file)
    return file.getvalue()


def avro() -> bytes:
    file, field = io.BytesIO(), {"name": "m", "type": {"type": "map", "values": "int"}}
    schema = {"type": "record", "name": "Row", "fields": [field]}
    importlib.import_module("fastavro").writer(file, schema, [{"m": {"a.b": 1, "$ref": 2}}])
    return file.getvalue()


FILES: Final[Mapping[Format, tuple[Callable[[], bytes], dict[str, Any]]]] = {
    Format.PARQUET: (parquet, {"a%2Eb": 1, "in": {"%24ref": 2}}),
    Format.XLSX: (workbook, {"a%2Eb": 1, "%24ref": 2}),
    Format.AVRO: (avro, {"m": {"a%2Eb": 1, "%24ref": 2}}),
}


@pytest.mark.parametrize("form", FILES)
async def test_they_are_escaped(store: Store, collection: str, form: Format) -> None:
    make, document = FILES[form]
    job = await open_job(store, Load(collection, form, mapping=ESCAPE))
    await run(store, job, make())
    assert without_ids(await stored(store, collection)) == [document]


LATE: Final = b"n,city\n" + b"1,Porto\n" * 20_000


async def test_an_encoding_that_shows_late_stops_the_load(store: Store, collection: str) -> None:
    job = await open_job(store, Load(collection, Format.CSV))
    with pytest.raises(SourceMisreadError, match=r"Line 20,002 is the first.*As windows-1252 it has 'K\u00f6ln'"):
        await run(store, job, LATE + b"2,K\xf6ln\n" * 5)
    told = await report(store, job)
    assert (told.job.state, told.books.counts.quarantined) == (State.FAILED, 0)


@pytest.mark.parametrize(
    ("encoding", "before", "aside"), [("utf-8", b"", 1), ("latin-1", b"", 0), (None, "3,Köln\n".encode(), 1)]
)
async def test_it_is_as_said_or_a_line_with_a_fault(
    store: Store, collection: str, encoding: str | None, before: bytes, aside: int
) -> None:
    options = ReadOptions(dialect=Dialect(encoding=encoding))
    told = await load(store, collection, LATE + before + b"2,K\xf6ln\n", form=Format.CSV, options=options)
    assert told.books.counts.quarantined == aside
