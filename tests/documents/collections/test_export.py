"""Exports as the library yields them: from one snapshot, in every format, and given up when nobody takes them."""

import asyncio
import zlib
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime
from typing import Any
from uuid import UUID

import bson
import orjson
import pytest
import zstandard
from bson import Binary, Code, DBRef, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.raw_bson import RawBSONDocument

from documents.access.policy import CLOSED, FULL
from documents.codec import parquet_writer
from documents.codec.compressed import Compression
from documents.codec.encode import encode
from documents.codec.formats import make_reader
from documents.codec.parquet_columns import ColumnFinder
from documents.codec.plain import CODEC_OPTIONS, dump
from documents.codec.records import Format
from documents.collections import export, snapshot
from documents.collections.export import Export, ExportPlan, plan_export
from documents.collections.operations import Find, Selection
from documents.errors import (
    CollectionNotFoundError,
    ForbiddenError,
    InvalidParameterError,
    QueryRefusedError,
)
from documents.lifecycle import Store
from documents.types import Document

SECONDS = 30.0
EVERY_TYPE: Document = {
    "_id": ObjectId("65a1f0c2d4b5e6f708192a3b"),
    "double": 1.0,
    "nan": float("-inf"),
    "int": 1,
    "long": Int64(1),
    "decimal": Decimal128("1.10"),
    "text": "é\n\"'\u2028",
    "date": datetime(2026, 1, 2, 3, 4, 5, 6000),  # noqa: DTZ001  # naive means UTC
    "uuid": UUID("73ffd264-44b3-4c69-90e8-e7d1dfc035d4"),
    "binary": Binary(b"\0\1", 128),
    "regex": Regex("^a", "i"),
    "code": Code("f()", {"a": 1}),
    "time": Timestamp(1, 2),
    "least": MinKey(),
    "most": MaxKey(),
    "reference": DBRef("others", 1),
    "null": None,
    "true": True,
    "list": [1, [2, {"a": Int64(3)}], {}],
    "object": {"b": 1, "a": {"c": []}},
}


@pytest.fixture
async def many(store: Store, collection: str) -> AsyncGenerator[str]:
    """A collection of 5,000 documents, which are several batches and several slices."""
    items: list[Document] = [{"_id": n, "n": n, "text": "x" * 200, "even": n % 2 == 0} for n in range(5000)]
    await store.connection.collection(collection).insert_many(items)
    yield collection
    await store.connection.collection(collection).drop()


async def planned(store: Store, find: Find, **how: Any) -> ExportPlan:
    return await plan_export(store.planner, Export(find, **how), FULL)


async def exported(store: Store, find: Find, **how: Any) -> bytes:
    plan = await planned(store, find, **how)
    return b"".join([piece.data async for piece in plan.run(seconds=SECONDS)])


def lines_of(data: bytes) -> list[Any]:
    return [orjson.loads(line) for line in data.splitlines()]


async def test_all_documents_in_several_pieces(store: Store, many: str) -> None:
    plan = await planned(store, Find(many))
    pieces = [piece async for piece in plan.run(seconds=SECONDS)]
    assert (pieces[0].data, pieces[0].documents) == (b"", 0)
    assert pieces[-1].documents == 5000
    assert len(pieces) > 4
    rows = lines_of(b"".join(piece.data for piece in pieces))
    assert sorted(row["_id"] for row in rows) == list(range(5000))


async def test_filter_sort_fields_and_limit(store: Store, many: str) -> None:
    selection = Selection([("even", "true"), ("n[gte]", "10")])
    data = await exported(store, Find(many, selection, sort="-n", fields="n", limit=3))
    assert lines_of(data) == [{"_id": n, "n": n} for n in (4998, 4996, 4994)]


@pytest.mark.parametrize("form", [Format.CSV, Format.PARQUET])
async def test_everything_is_from_one_snapshot(
    store: Store, many: str, monkeypatch: pytest.MonkeyPatch, form: Format
) -> None:
    monkeypatch.setattr(snapshot, "BATCH", 100)
    collection = store.connection.collection(many)
    plan = await planned(store, Find(many), form=form)
    async with aclosing(plan.run(seconds=SECONDS)) as pieces:
        data = (await anext(pieces)).data
        await collection.delete_many({"_id": {"$gte": 100}})
        await collection.insert_one({"_id": -1, "late": True})
        await collection.update_many({}, {"$set": {"text": "changed"}})
        data += b"".join([piece.data async for piece in pieces])
    reader = make_reader(form)
    rows = [record.document or {} for record in (*reader.feed(data), *reader.end())]
    assert [*rows[0]] == ["_id", "n", "text", "even"]
    assert len(rows) == 5000
    assert {row["text"] for row in rows} == {"x" * 200}


@pytest.mark.parametrize("form", [Format.EJSON, Format.BSON])
@pytest.mark.parametrize("compression", [None, *Compression])
async def test_what_is_read_again_is_equal_type_for_type(
    store: Store, collection: str, form: Format, compression: Compression | None
) -> None:
    raw = encode(EVERY_TYPE)
    await store.connection.raw_collection(collection).insert_one(RawBSONDocument(raw))
    data = await exported(store, Find(collection), form=form, compression=compression)
    reader = make_reader(form)
    [record] = [*reader.feed(data), *reader.end()]
    assert record.fault is None
    assert record.document is not None
    assert encode(record.document) == raw


async def test_plain_formats(store: Store, collection: str) -> None:
    first: Document = {"_id": 1, "a": {"b": Decimal128("1.50"), "c": [1, {"d": 2}]}, "t": "x,y"}
    await store.connection.collection(collection).insert_many([first, {"_id": 2, "late": None}])
    find = Find(collection, sort="_id")
    as_json = [{"_id": 1, "a": {"b": "1.50", "c": [1, {"d": 2}]}, "t": "x,y"}, {"_id": 2, "late": None}]
    assert orjson.loads(await exported(store, find, form=Format.JSON)) == as_json
    assert lines_of(await exported(store, find)) == as_json
    assert (await exported(store, find, form=Format.CSV)).decode() == (
        '_id,a.b,a.c,t,late\r\n1,1.50,"[1,{""d"":2}]","x,y",\r\n2,,,,\r\n'
    )
    assert (await exported(store, find, form=Format.TSV)).startswith(b"_id\ta.b\ta.c\tt\tlate\r\n")
    dump = await exported(store, find, form=Format.BSON)
    assert bson.decode_all(dump, CODEC_OPTIONS)[0] == first  # pyright: ignore[reportUnknownMemberType]  # takes `array`


async def test_columns_are_the_fields_that_are_named(store: Store, many: str) -> None:
    find = Find(many, sort="n", limit=2, fields="text,n,gone")
    assert await exported(store, find, form=Format.CSV) == (
        b"text,n,gone\r\n" + b"x" * 200 + b",0,\r\n" + b"x" * 200 + b",1,\r\n"
    )
    find = Find(many, sort="n", limit=1, fields="-text,-even")
    assert await exported(store, find, form=Format.CSV) == b"_id,n\r\n0,0\r\n"


async def test_parquet(store: Store, many: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_writer, "ROW_GROUP_BYTES", 128 * 1024)
    plan = await planned(store, Find(many, sort="n", limit=4000), form=Format.PARQUET)
    pieces = [piece async for piece in plan.run(seconds=SECONDS)]
    assert (pieces[0].data, pieces[0].documents, pieces[-1].documents) == (b"", 0, 4000)
    assert len([piece for piece in pieces if piece.data]) > 2, "what is full is written at once"
    rows = documents_of(b"".join(piece.data for piece in pieces))
    assert rows == [{"_id": n, "n": n, "text": "x" * 200, "even": n % 2 == 0} for n in range(4000)]


async def test_parquet_has_a_column_for_every_type(store: Store, collection: str) -> None:
    other: Document = {**EVERY_TYPE, "_id": ObjectId(), "late": [{"a": 1}, {"b": Decimal128("1.5")}]}
    await store.connection.collection(collection).insert_many([EVERY_TYPE, other])
    data = await exported(store, Find(collection), form=Format.PARQUET)
    first, second = documents_of(data)
    assert [*first] == [*other]
    plain = orjson.loads(dump(EVERY_TYPE))
    assert first["_id"] == plain["_id"]
    assert (first["date"], first["decimal"], first["binary"]) == (EVERY_TYPE["date"], Decimal128("1.10"), b"\0\1")
    for name in ("regex", "code", "time", "least", "most", "reference"):
        assert orjson.loads(first[name]) == plain[name]
    assert (first["null"], first["late"]) == (None, None)
    assert [orjson.loads(item) for item in first["list"]] == plain["list"], "items of several types"
    assert second["late"] == [{"a": 1, "b": None}, {"a": None, "b": Decimal128("1.5")}]


def documents_of(data: bytes) -> list[Document]:
    reader = make_reader(Format.PARQUET)
    records = [*reader.feed(data), *reader.end()]
    assert not [record.fault for record in records if record.fault]
    return [record.document or {} for record in records]


async def test_columns_of_parquet_are_the_fields_that_are_named(store: Store, many: str) -> None:
    for fields, names in (
        ("text,n,gone.a", ["text", "n", "gone"]),
        ("n,_id", ["n", "_id"]),
        ("-text,-even", ["_id", "n"]),
    ):
        [row] = documents_of(await exported(store, Find(many, sort="n", limit=1, fields=fields), form=Format.PARQUET))
        assert [*row] == names
        assert row["n"] == 0


async def test_other_documents_than_in_the_first_pass_are_never_bent(
    store: Store, many: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ColumnFinder, "see", len)  # as if a limit had cut elsewhere
    with pytest.raises(QueryRefusedError, match="with sort"):
        await exported(store, Find(many, limit=10), form=Format.PARQUET)


async def test_formulas_are_guarded_when_asked(store: Store, collection: str) -> None:
    await store.connection.collection(collection).insert_one({"_id": 1, "a": "=1+1"})
    find = Find(collection, fields="a")
    assert await exported(store, find, form=Format.CSV) == b"a\r\n=1+1\r\n"
    assert await exported(store, find, form=Format.CSV, guard_formulas=True) == b"a\r\n'=1+1\r\n"


async def test_keys_that_are_data_make_no_table(store: Store, collection: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "MAX_COLUMNS", 10)
    await store.connection.collection(collection).insert_one({str(n): n for n in range(11)})
    for form in (Format.CSV, Format.PARQUET):
        with pytest.raises(QueryRefusedError, match="10 fields"):
            await exported(store, Find(collection), form=form)


@pytest.mark.parametrize(
    ("form", "empty"),
    [
        (Format.NDJSON, b""),
        (Format.JSON, b"[\n]\n"),
        (Format.EJSON, b""),
        (Format.CSV, b"_id\r\n"),
        (Format.TSV, b"_id\r\n"),
        (Format.BSON, b""),
    ],
)
async def test_nothing_to_export(store: Store, many: str, form: Format, empty: bytes) -> None:
    assert await exported(store, Find(many, Selection([("n", "-1")])), form=form) == empty


@pytest.mark.parametrize("form", [Format.NDJSON, Format.EJSON])
async def test_a_trailer_says_that_it_is_whole(store: Store, many: str, form: Format) -> None:
    data = await exported(store, Find(many, limit=7), form=form, trailer=True)
    *rows, last = lines_of(data)
    assert (len(rows), last) == (7, {"_sheaf": {"documents": 7}})


def inflate(data: bytes, compression: Compression) -> bytes:
    if compression is Compression.GZIP:
        return zlib.decompress(data, 31)
    return zstandard.ZstdDecompressor().decompressobj().decompress(data)


@pytest.mark.parametrize("compression", Compression)
async def test_compressed(store: Store, many: str, compression: Compression) -> None:
    data = await exported(store, Find(many), compression=compression, trailer=True)
    assert len(data) < 200_000
    assert len(lines_of(inflate(data, compression))) == 5001


REFUSED: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"limit": 0}, {}, "limit"),
    ({"limit": 2**31}, {}, "limit"),
    ({"cursor": "abc"}, {}, "cursor"),
    ({}, {"form": Format.JSON, "trailer": True}, "trailer"),
    ({}, {"form": Format.CSV, "trailer": True}, "trailer"),
    ({}, {"form": Format.PARQUET, "trailer": True}, "trailer"),
    ({}, {"form": Format.PARQUET, "compression": Compression.ZSTD}, "compress"),
    ({"sort": "a,a"}, {}, "sort"),
    ({"fields": "a,-b"}, {}, "fields"),
]


@pytest.mark.parametrize(("find", "how", "name"), REFUSED)
async def test_what_cannot_be_meant(
    store: Store, many: str, find: dict[str, Any], how: dict[str, Any], name: str
) -> None:
    with pytest.raises(InvalidParameterError) as refused:
        await planned(store, Find(many, **find), **how)
    assert [fault.pointer for fault in refused.value.faults] == [f"?{name}"]


async def test_the_policy_is_that_of_lists(store: Store, many: str) -> None:
    with pytest.raises(ForbiddenError):
        await plan_export(store.planner, Export(Find(many)), CLOSED)
    with pytest.raises(CollectionNotFoundError):
        await planned(store, Find("c" + "0" * 20))


async def test_a_capped_collection_is_read_without_a_snapshot(store: Store, collection: str) -> None:
    await store.connection.database.create_collection(collection, capped=True, size=4096)
    await store.connection.collection(collection).insert_one({"_id": 1, "a": 1})
    assert b'"a":1' in await exported(store, Find(collection))


async def open_cursors(store: Store, collection: str) -> int:
    """Return how many cursors of exports of a collection the server holds open."""
    pipeline: list[Document] = [
        {"$currentOp": {"idleCursors": True, "allUsers": True}},
        {"$match": {"ns": f"{store.settings.database}.{collection}", "cursor.originatingCommand.batchSize": 17}},
    ]
    async with await store.connection.client.admin.aggregate(pipeline) as found:
        return len(await found.to_list())


@pytest.mark.parametrize("form", [Format.NDJSON, Format.CSV, Format.PARQUET])
async def test_what_is_left_early_is_given_up(
    store: Store, many: str, monkeypatch: pytest.MonkeyPatch, form: Format
) -> None:
    monkeypatch.setattr(snapshot, "BATCH", 17)
    plan = await planned(store, Find(many), form=form)
    async with aclosing(plan.run(seconds=SECONDS)) as pieces:
        await anext(pieces)
        await anext(pieces)
        assert await open_cursors(store, many) == 1
    assert await open_cursors(store, many) == 0


async def test_what_is_cancelled_is_given_up(store: Store, many: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "BATCH", 17)
    plan = await planned(store, Find(many))
    begun = asyncio.Event()

    async def take() -> None:
        async with aclosing(plan.run(seconds=SECONDS)) as pieces:
            async for _ in pieces:
                begun.set()
                await asyncio.Event().wait()

    taking = asyncio.create_task(take())
    await begun.wait()
    taking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await taking
    assert await open_cursors(store, many) == 0


async def test_who_takes_slowly_makes_mongodb_wait(store: Store, many: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "BATCH", 100)
    asked = 0
    next_batch = snapshot.Snapshot._next  # pyright: ignore[reportPrivateUsage]  # where MongoDB is asked

    async def counted(self: snapshot.Snapshot, batches: Any) -> bytes:
        nonlocal asked
        asked += 1
        return await next_batch(self, batches)

    monkeypatch.setattr(snapshot.Snapshot, "_next", counted)
    plan = await planned(store, Find(many))
    async with aclosing(plan.run(seconds=SECONDS)) as pieces:
        for taken in range(5):
            await anext(pieces)
            await asyncio.sleep(0)
            assert asked <= taken + 2, "the batch that is being taken, and one ahead"


async def test_an_estimate_of_how_many(store: Store, many: str) -> None:
    assert await (await planned(store, Find(many))).estimate() == 5000
    assert await (await planned(store, Find(many, limit=10))).estimate() == 10
    assert await (await planned(store, Find(many, Selection([("even", "true")])))).estimate() == 2500


def test_slices_end_with_a_document() -> None:
    one = bson.encode({"a": "x" * 1000})
    parts = [*snapshot.slices_of(one * 2000)]
    assert b"".join(parts) == one * 2000
    assert len(parts) > 3
    assert all(len(part) % len(one) == 0 for part in parts)
    damaged = one * 600 + b"\xff\xff\xff\xff" + one
    assert b"".join(snapshot.slices_of(damaged)) == damaged
    assert b"".join(snapshot.slices_of(one * 600 + b"\1")) == one * 600 + b"\1"


async def test_a_query_is_noted_for_advice(store: Store, many: str, monkeypatch: pytest.MonkeyPatch) -> None:
    noted: list[tuple[str, tuple[tuple[str, int], ...]]] = []

    def note(name: str, _: object, keys: tuple[tuple[str, int], ...], *, seconds: float) -> None:
        assert seconds > 0
        noted.append((name, keys))

    plan = await planned(store, Find(many, Selection([("n[lt]", "3")]), sort="n"))
    monkeypatch.setattr(plan.services.shapes, "note", note)
    assert len([piece async for piece in plan.run(seconds=SECONDS)]) == 3
    assert noted == [(many, (("n", 1), ("_id", 1)))]
