"""What a contract refuses of a file of any format is kept, and loads once the contract is wide enough."""

import importlib
import io
from collections.abc import Callable, Mapping
from typing import Any, Final

import bson
import pytest

from documents.codec.options import ReadOptions
from documents.codec.records import Format
from documents.lifecycle import Store
from tests.documents.ingest.loading import load, ndjson, replay, stored, without_ids
from tests.documents.ingest.test_replay_order import set_contract

ROWS: Final[list[dict[str, Any]]] = [{"n": 1, "s": "good"}, {"n": 7, "s": "bad"}]
NARROW: Final[dict[str, Any]] = {
    "schema": {"properties": {"_id": {}, "s": {}, "n": {"maximum": 5}}},
    "types": "quarantine",
}
WIDE: Final[dict[str, Any]] = {"schema": {"properties": {"_id": {}, "s": {}, "n": {"maximum": 9}}}}


def parquet() -> bytes:
    file, arrow = io.BytesIO(), importlib.import_module("pyarrow")
    importlib.import_module("pyarrow.parquet").write_table(arrow.Table.from_pylist(ROWS), file)
    return file.getvalue()


def avro() -> bytes:
    file = io.BytesIO()
    fields = [{"name": "n", "type": "int"}, {"name": "s", "type": "string"}]
    importlib.import_module("fastavro").writer(file, {"type": "record", "name": "Row", "fields": fields}, ROWS)
    return file.getvalue()


def workbook() -> bytes:
    file, book = io.BytesIO(), importlib.import_module("openpyxl").Workbook()
    for row in ["n", "s"], *(list(row.values()) for row in ROWS):
        book.active.append(row)
    book.save(file)
    return file.getvalue()


FILES: Final[Mapping[Format, Callable[[], bytes]]] = {
    Format.NDJSON: lambda: ndjson(ROWS),
    Format.JSON: lambda: b"[" + ndjson(ROWS).strip().replace(b"\n", b",") + b"]",
    Format.EJSON: lambda: ndjson(ROWS),
    Format.CSV: lambda: b"n,s\n1,good\n7,bad\n",
    Format.TSV: lambda: b"n\ts\n1\tgood\n7\tbad\n",
    Format.BSON: lambda: b"".join(map(bson.encode, ROWS)),
    Format.PARQUET: parquet,
    Format.AVRO: avro,
    Format.XLSX: workbook,
}


@pytest.mark.parametrize("form", Format)
async def test_a_record_of_any_format_is_replayed(store: Store, collection: str, form: Format) -> None:
    await set_contract(store, collection, NARROW)
    options = ReadOptions(types={"n": "int"}) if form in (Format.CSV, Format.TSV) else ReadOptions()
    told = await load(store, collection, FILES[form](), form=form, options=options)
    assert (told.books.counts.inserted, told.books.counts.quarantined) == (1, 1)
    await set_contract(store, collection, WIDE)
    told = await replay(store, collection)
    assert (told.books.counts.written, told.books.counts.quarantined) == (1, 0)
    documents = without_ids(await stored(store, collection))
    assert sorted(documents, key=lambda document: document["n"]) == ROWS
