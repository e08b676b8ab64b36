"""Mappings of loads as they are planned, in every format that has records of its own."""

from typing import Any

import bson
import pytest

from documents.codec.options import ReadOptions
from documents.codec.records import Format
from documents.contracts.contract import parse_contract
from documents.errors import InvalidParameterError
from documents.ingest.jobs import Load
from documents.ingest.mapped import Mappings
from documents.lifecycle import Store
from tests.documents.ingest.loading import open_job, report, run, stored

ESCAPE = '[{"escape":true}]'


async def mapped(store: Store, collection: str, data: bytes, form: Format, mapping: str) -> list[dict[str, Any]]:
    job = await open_job(store, Load(collection, form, options=ReadOptions(), mapping=mapping, name="a"))
    await run(store, job, data)
    assert (await report(store, job)).to_dict()["mapping"] is not None
    return [{key: value for key, value in each.items() if key != "_id"} for each in await stored(store, collection)]


@pytest.mark.parametrize(
    ("form", "data", "value"),
    [
        (Format.NDJSON, b'{"a.b": {"$ref": 1}}\n', {"%24ref": 1}),
        (Format.JSON, b'[{"a.b": {"$ref": 1}}]', {"%24ref": 1}),
        (Format.EJSON, b'{"a.b": {"$x": {"$numberInt": "1"}}}\n', {"%24x": 1}),
        (Format.BSON, bson.encode({"a.b": {"$x": 1}}), {"%24x": 1}),
        (Format.CSV, b"a.b\nx\n", "x"),
        (Format.TSV, b"a.b\tc\nx\t\n", "x"),
    ],
    ids=str,
)
async def test_each_format_reads_keys_that_are_escaped(
    store: Store, collection: str, form: Format, data: bytes, value: object
) -> None:
    assert await mapped(store, collection, data, form, ESCAPE) == [{"a%2Eb": value}]


async def test_columns_get_the_types_of_the_fields_that_they_become(store: Store, collection: str) -> None:
    contract = {"schema": {"properties": {"price": {"bsonType": "int"}, "tags": {"type": "array"}}}}
    await store.catalog.contracts.write(collection, parse_contract(contract), by="test", check=lambda _: None)
    mapping = '[{"rename":{"preis":"price"}},{"split":{"tags":";"}}]'
    found = await mapped(store, collection, b"preis,tags\n5,a;b\n", Format.CSV, mapping)
    assert found == [{"price": 5, "tags": ["a", "b"]}]


async def test_a_mapping_that_cannot_be_meant_makes_no_job(store: Store, collection: str) -> None:
    with pytest.raises(InvalidParameterError, match="dorp") as raised:
        await open_job(store, Load(collection, Format.NDJSON, mapping='[{"dorp":["a"]}]'))
    assert raised.value.faults[0].pointer == "?mapping"


@pytest.mark.parametrize("name", ["none", "../m", "", "m.yaml", "/etc/passwd"])
def test_only_mappings_of_the_folder_have_names(tmp_path: Any, name: str) -> None:
    (tmp_path / "mappings").mkdir()
    (tmp_path / "mappings" / "m.yaml").write_text("drop: a")
    (tmp_path / "m.yaml").write_text("drop: a")
    mappings = Mappings(tmp_path / "mappings")
    assert mappings.resolve(Load("c", Format.NDJSON, mapping="m")).mapping == '{"drop":"a"}'
    with pytest.raises(InvalidParameterError):
        mappings.resolve(Load("c", Format.NDJSON, mapping=name))


def test_a_load_does_not_go_on_with_another_key() -> None:
    began = Mappings(hash_key=b"0123456789abcdef").resolve(Load("c", Format.NDJSON, mapping='{"hash":"a"}'))
    with pytest.raises(InvalidParameterError, match="another SHEAF_HASH_KEY"):
        Mappings(hash_key=b"another key here").open(began)
    with pytest.raises(InvalidParameterError, match="SHEAF_HASH_KEY_FILE"):
        Mappings().open(began)
