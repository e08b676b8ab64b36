"""Exports of every kind of collection, in every format."""

import csv
import io
import json
from datetime import UTC, datetime
from functools import partial
from typing import Any, cast

import bson
import httpx
import pytest

from documents.lifecycle import Store
from tests.api.answers import refusal

Client = httpx.AsyncClient
COUNT = 30
KINDS: dict[str, dict[str, Any]] = {
    "view": {"viewOn": "", "pipeline": [{"$project": {"_id": 0}}]},
    "view that repeats ids": {"viewOn": "", "pipeline": [{"$unwind": "$v"}]},
    "timeseries": {"timeseries": {"timeField": "at", "metaField": "of"}},
    "capped": {"capped": True, "size": 65536},
    "clustered": {"clusteredIndex": {"key": {"_id": 1}, "unique": True}},
    "collated": {"collation": {"locale": "en", "strength": 2}},
}


def read_bson(content: bytes) -> list[Any]:
    return list(bson.decode_all(content))  # pyright: ignore[reportUnknownMemberType]  # of mmap


def read_table(content: bytes, delimiter: str) -> list[Any]:
    return list(csv.DictReader(io.StringIO(content.decode()), delimiter=delimiter))


def read_parquet(content: bytes) -> list[Any]:
    parquet = pytest.importorskip("pyarrow.parquet", reason="the extra parquet is not installed")
    return parquet.read_table(io.BytesIO(content)).to_pylist()


def read_lines(content: bytes) -> list[Any]:
    return [json.loads(line) for line in content.splitlines()]


def number(shown: Any) -> int:
    return int(cast("dict[str, str]", shown)["$numberInt"] if isinstance(shown, dict) else shown)


READERS: dict[str, Any] = {
    "ndjson": read_lines,
    "json": json.loads,
    "ejson": read_lines,
    "csv": partial(read_table, delimiter=","),
    "tsv": partial(read_table, delimiter="\t"),
    "bson": read_bson,
    "parquet": read_parquet,
}


async def make(store: Store, name: str, kind: str, at: Any) -> int:
    options: dict[str, Any] = {**KINDS[kind]}
    database = store.connection.database
    filled = f"{name}_base" if "viewOn" in options else name
    if "viewOn" in options:
        options["viewOn"] = filled
    await database.command("create", name, **options)
    of_each = 2 if kind == "view that repeats ids" else 1
    documents = [{"at": at, "of": "x", "n": n, "v": list(range(of_each))} for n in range(COUNT)]
    await database[filled].insert_many(documents)
    return COUNT * of_each


@pytest.mark.parametrize("form", READERS)
@pytest.mark.parametrize("kind", KINDS)
async def test_each_row_is_there(client: Client, store: Store, collection: str, kind: str, form: str) -> None:
    rows = await make(store, collection, kind, datetime.now(UTC))
    exported = await client.get(f"/v1/{collection}:export?format={form}")
    assert exported.status_code == 200, exported.text
    found = READERS[form](exported.content)
    assert len(found) == rows
    assert {number(each["n"]) for each in found} == set(range(COUNT))
    ordered = READERS[form]((await client.get(f"/v1/{collection}:export?format={form}&sort=-n&fields=n")).content)
    assert [number(each["n"]) for each in ordered] == sorted((number(each["n"]) for each in found), reverse=True)


async def test_a_view_of_a_capped_collection_is_refused(client: Client, store: Store, collection: str) -> None:
    database = store.connection.database
    await database.command("create", f"{collection}_base", **KINDS["capped"])
    await database[f"{collection}_base"].insert_one({"n": 1})
    await database.command("create", collection, viewOn=f"{collection}_base", pipeline=[])
    problem = refusal(await client.get(f"/v1/{collection}:export"), 422, "query-refused")
    assert "Export the collection" in problem["detail"]
