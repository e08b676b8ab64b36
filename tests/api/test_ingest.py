"""Loads over HTTP: each record is stored, or counted as a duplicate, or in quarantine, whatever happens."""

import asyncio
import gzip
import io
import re
import signal
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import bson
import httpx
import pytest
import pytest_asyncio
import zstandard
from pymongo import MongoClient

from api.app import create_app
from documents.ingest.uploads import CHUNK_BYTES
from documents.settings import Settings
from tests.api.answers import faults, ids, items, refusal, stored
from tests.api.loading import (
    NDJSON,
    PART,
    Report,
    Wire,
    counts,
    ingest,
    ndjson,
    people,
    pieces_of,
    until,
    until_done,
)
from tests.conftest import serving
from tests.server import Server, serve

Client = httpx.AsyncClient

ROWS: Final = [{"_id": "a", "n": 1}, {"_id": "b", "n": 2}]
BIG: Final = people(6000)
"""More than two chunks."""


async def sent_slowly(body: bytes) -> AsyncIterator[bytes]:
    for piece in pieces_of(body):
        yield piece


class TestSmall:
    async def test_anonymous(self, client: Client, collection: str) -> None:
        report = await ingest(client, collection, ndjson(*ROWS))
        assert (report["state"], report["format"], report["mode"], report["origin"]) == (
            "done",
            "ndjson",
            "insert",
            "upload",
        )
        assert counts(report, "received", "written", "inserted") == (2, 2, 2)
        assert items(await client.get(f"/v1/{collection}")) == ROWS

    async def test_nothing(self, client: Client, collection: str) -> None:
        assert (await ingest(client, collection, b"", headers={}))["received"] == 0
        assert (await ingest(client, collection, b""))["received"] == 0

    async def test_a_bad_line_keeps_nothing_out(self, client: Client, collection: str) -> None:
        report = await ingest(client, collection, b'{"_id": "a"}\n{"b":\n{"_id": "a"}\n{"_id": "c"}', status=207)
        assert counts(report, "received", "inserted", "duplicates", "quarantined") == (4, 2, 1, 1)
        assert [(fault["line"], fault["code"]) for fault in report["faults"]] == [
            (2, "malformed-json"),
            (3, "unique-violation"),
        ]
        assert ids(await client.get(f"/v1/{collection}")) == ["a", "c"]

    async def test_a_client_that_will_not_wait(self, client: Client, collection: str) -> None:
        headers = {**NDJSON, "prefer": "respond-async"}
        response = await client.post(f"/v1/{collection}:ingest", content=ndjson(*ROWS), headers=headers)
        assert response.status_code == 202
        assert response.headers["preference-applied"] == "respond-async"
        assert response.headers["location"] == f"/jobs/{response.json()['id']}"
        report = await until_done(client, response.json()["id"])
        assert counts(report, "inserted") == (2,)

    async def test_a_client_that_waits_a_little(self, client: Client, collection: str) -> None:
        headers = {**NDJSON, "prefer": "respond-async, wait=9"}
        report = await ingest(client, collection, ndjson(*ROWS), headers=headers)
        assert counts(report, "inserted") == (2,)


class TestModes:
    async def test_anonymous(self, client: Client, collection: str) -> None:
        await stored(client, collection, *ROWS)
        body = ndjson({"_id": "a", "m": 1}, {"_id": "c"})
        report = await ingest(client, collection, body, mode="upsert")
        assert counts(report, "inserted", "updated") == (1, 1)
        report = await ingest(
            client, collection, ndjson({"_id": "a", "x": 1}, {"_id": "z"}), status=207, mode="replace"
        )
        assert counts(report, "updated", "quarantined") == (1, 1)
        report = await ingest(client, collection, ndjson({"_id": "a", "y": 2}), mode="merge")
        assert counts(report, "updated") == (1,)
        report = await ingest(client, collection, ndjson({"_id": "b"}, {"_id": "q"}), mode="delete")
        assert counts(report, "deleted", "unchanged") == (1, 1)
        assert items(await client.get(f"/v1/{collection}")) == [{"_id": "a", "x": 1, "y": 2}, {"_id": "c"}]

    async def test_by_a_key_of_several_fields(self, client: Client, collection: str) -> None:
        body = ndjson({"x": 1, "y": 1, "n": 1}, {"x": 1, "y": 1, "n": 2}, {"x": 1})
        report = await ingest(client, collection, body, status=207, mode="upsert", on="x,y")
        assert (report["on"], report["inserted"], report["updated"]) == (["x", "y"], 1, 1)
        assert report["notes"] == ["The empty collection got a unique index over x, y."]

    async def test_a_key_without_an_index(self, client: Client, collection: str) -> None:
        await stored(client, collection, *ROWS)
        response = await client.post(f"/v1/{collection}:ingest?mode=merge&on=n", content=b"{}", headers=NDJSON)
        refusal(response, 422, "index-required")

    @pytest.mark.parametrize(
        ("query", "code"),
        [
            ("mode=guess", "invalid"),
            ("on=a", "not-allowed"),
            ("mode=upsert&on=a,,b", "invalid"),
            ("format=xml", "invalid"),
            ("header=a", "not-allowed"),
            ("format=csv&types=a:colour", "invalid"),
            ("format=csv&header=a,a", "invalid"),
            ("infer=perhaps", "invalid"),
            ("key=", "out-of-range"),
            ("key=a&key=b", "duplicate"),
        ],
    )
    async def test_what_cannot_be_meant(self, client: Client, collection: str, query: str, code: str) -> None:
        response = await client.post(f"/v1/{collection}:ingest?{query}", content=b"{}", headers=NDJSON)
        refusal(response, 400, "invalid-parameter")
        assert {found for _, found in faults(response)} == {code}
        assert (await client.get(f"/jobs?collection={collection}")).json() == {"items": [], "next": None}


EXTENDED: Final = b'{"_id":{"$numberInt":"1"},"price":{"$numberDecimal":"1.50"}}\n'
CSV: Final = b"_id,price,when,a.b\n1,1.50,2026-01-02,x\n"
TYPES: Final = "_id:int,price:decimal,when:date"


class TestFormats:
    @pytest.mark.parametrize(
        ("kind", "query", "body"),
        [
            ("application/json", "", b'[{"_id": 1}]'),
            ("application/x-ndjson", "", b'{"_id": 1}'),
            ("application/ejson", "", EXTENDED),
            ("text/csv", f"types={TYPES}&nested=true", CSV),
            ("text/tab-separated-values", f"types={TYPES}&nested=true", CSV.replace(b",", b"\t")),
            ("text/csv; charset=utf-8; header=absent", "header=_id,price&infer=true", b"1,1.5\n"),
            ("application/bson", "", bson.encode({"_id": 1})),
            ("application/octet-stream", "", b'{"_id": 1}\n{"_id": 2}'),
            ("application/gzip", "", gzip.compress(b'{"_id": 1}', mtime=0)),
            ("application/zstd", "", zstandard.compress(b'[{"_id": 1}]')),
            ("application/octet-stream", "", EXTENDED),
            ("application/octet-stream", f"types={TYPES}&nested=true", CSV),
            ("application/octet-stream", "", bson.encode({"_id": 1})),
            ("application/octet-stream", "format=ndjson", b'{"_id": 1}'),
        ],
    )
    async def test_anonymous(self, client: Client, collection: str, kind: str, query: str, body: bytes) -> None:
        headers = {"content-type": kind}
        response = await client.post(f"/v1/{collection}:ingest?{query}", content=body, headers=headers)
        assert response.status_code == 200, response.text
        assert ids(await client.get(f"/v1/{collection}"))[0] == 1

    async def test_columns_with_types(self, client: Client, collection: str) -> None:
        await ingest(client, collection, CSV, headers={"content-type": "text/csv"}, types=TYPES, nested="true")
        [row] = items(await client.get(f"/v1/{collection}"))
        assert row == {"_id": 1, "price": "1.50", "when": "2026-01-02T00:00:00.000Z", "a": {"b": "x"}}

    @pytest.mark.parametrize("coding", ["gzip", "zstd"])
    async def test_compressed_for_the_way(self, client: Client, collection: str, coding: str) -> None:
        body = gzip.compress(ndjson(*ROWS)) if coding == "gzip" else zstandard.compress(ndjson(*ROWS))
        report = await ingest(client, collection, body, headers={**NDJSON, "content-encoding": coding})
        assert counts(report, "inserted") == (2,)

    async def test_unknown_coding(self, client: Client, collection: str) -> None:
        headers = {**NDJSON, "content-encoding": "br"}
        response = await client.post(f"/v1/{collection}:ingest", content=b"x", headers=headers)
        refusal(response, 415, "unsupported-media-type")
        assert response.headers["accept-encoding"] == "gzip, identity, zstd"

    @pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "text/csv; charset=klingon", "nonsense"])
    async def test_unknown_media_type(self, client: Client, collection: str, kind: str) -> None:
        response = await client.post(f"/v1/{collection}:ingest", content=b"{}", headers={"content-type": kind})
        refusal(response, 415, "unsupported-media-type")
        assert "application/x-ndjson" in response.headers["accept"]

    async def test_what_looks_like_nothing(self, client: Client, collection: str) -> None:
        response = await client.post(f"/v1/{collection}:ingest", content=b"\0\1\2\3" * 100)
        refusal(response, 415, "unsupported-media-type")

    async def test_parquet(self, client: Client, collection: str) -> None:
        arrow = pytest.importorskip("pyarrow")
        parquet = pytest.importorskip("pyarrow.parquet")
        file = io.BytesIO()
        parquet.write_table(arrow.Table.from_pylist(ROWS), file)
        headers = {"content-type": "application/vnd.apache.parquet"}
        assert counts(await ingest(client, collection, file.getvalue(), headers=headers), "inserted") == (2,)

    async def test_parquet_of_which_nanoseconds_would_be_lost(self, client: Client, collection: str) -> None:
        arrow = pytest.importorskip("pyarrow")
        parquet = pytest.importorskip("pyarrow.parquet")
        file = io.BytesIO()
        parquet.write_table(arrow.table({"at": arrow.array([10**6, 1], arrow.timestamp("ns"))}), file)
        headers = {"content-type": "application/vnd.apache.parquet"}
        response = await client.post(f"/v1/{collection}:ingest", content=file.getvalue(), headers=headers)
        refusal(response, 422, "source-misread")
        assert "'at'" in response.json()["detail"]
        assert (await client.get(f"/v1/{collection}")).status_code == 404


class TestLarge:
    async def test_anonymous(self, client: Client, collection: str) -> None:
        report = await ingest(client, collection, BIG, status=202, name="people.ndjson")
        assert (report["source"], report["upload_offset"]) == ("people.ndjson", len(BIG))
        report = await until_done(client, report["id"])
        assert counts(report, "received", "inserted") == (6000, 6000)
        assert (report["bytes"], report["total_bytes"], report["upload_offset"]) == (len(BIG), len(BIG), None)

    async def test_loading_overlaps_with_receiving(self, client: Client, collection: str) -> None:
        seen = asyncio.Event()

        async def body() -> AsyncIterator[bytes]:
            for piece in pieces_of(BIG[: 2 * CHUNK_BYTES]):
                yield piece
            await asyncio.wait_for(seen.wait(), 8)
            yield BIG[2 * CHUNK_BYTES :]

        sending = asyncio.create_task(client.post(f"/v1/{collection}:ingest", content=body(), headers=NDJSON))
        while (
            not (found := items(await client.get(f"/jobs?collection={collection}&state=receiving")))
            or not (found[0]["written"])
        ):
            pass  # asks again
        report = await client.get(f"/jobs/{found[0]['id']}")
        assert (report.headers["upload-complete"], report.json()["state"]) == ("?0", "receiving")
        assert int(report.headers["upload-offset"]) >= CHUNK_BYTES
        seen.set()
        assert (await sending).status_code == 202
        assert counts(await until_done(client, found[0]["id"]), "inserted") == (6000,)


class TestKey:
    async def test_anonymous(self, client: Client, collection: str) -> None:
        first = await ingest(client, collection, ndjson(*ROWS), key="k")
        again = await ingest(client, collection, ndjson(*ROWS), headers={**NDJSON, "idempotency-key": '"k"'})
        assert again == first
        assert len(items(await client.get(f"/v1/{collection}"))) == 2

    async def test_other_data(self, client: Client, collection: str) -> None:
        await ingest(client, collection, ndjson(*ROWS), key="k")
        for body in (ndjson(*ROWS, {"_id": "c"}), ndjson(ROWS[0]), b""):
            response = await client.post(f"/v1/{collection}:ingest?key=k", content=body, headers=NDJSON)
            refusal(response, 409, "job-conflict")

    async def test_other_parameters(self, client: Client, collection: str) -> None:
        await ingest(client, collection, ndjson(*ROWS), key="k")
        url = f"/v1/{collection}:ingest?key=k&mode=upsert"
        refusal(await client.post(url, content=ndjson(*ROWS), headers=NDJSON), 409, "job-conflict")

    async def test_two_keys(self, client: Client, collection: str) -> None:
        headers = {**NDJSON, "idempotency-key": "other"}
        response = await client.post(f"/v1/{collection}:ingest?key=k", content=b"", headers=headers)
        refusal(response, 400, "invalid-parameter")

    async def test_a_large_one(self, client: Client, collection: str) -> None:
        first = await ingest(client, collection, BIG, status=202, key="k")
        await until_done(client, first["id"])
        again = await ingest(client, collection, BIG, key="k")
        assert (again["id"], again["inserted"]) == (first["id"], 6000)
        url = f"/v1/{collection}:ingest?key=k"
        refusal(await client.post(url, content=BIG[:-1] + b" ", headers=NDJSON), 409, "job-conflict")


class TestParts:
    """An upload in several requests, each of which says that more is to follow."""

    async def test_anonymous(self, client: Client, collection: str) -> None:
        headers = {**NDJSON, "upload-complete": "?0"}
        response = await client.post(f"/v1/{collection}:ingest", content=BIG[:1000], headers=headers)
        assert (response.status_code, response.headers["upload-offset"]) == (202, "1000")
        where = response.headers["location"]
        for start, end in ((1000, 2000), (2000, 2_000_000)):
            headers = {**PART, "upload-offset": str(start), "upload-complete": "?0"}
            response = await client.patch(where, content=BIG[start:end], headers=headers)
            assert (response.status_code, response.headers["upload-offset"]) == (204, str(end))
            assert response.headers["upload-complete"] == "?0"
            head = await client.head(where)
            assert (head.status_code, head.headers["upload-offset"]) == (200, str(end))
        response = await client.patch(where, content=BIG[2_000_000:], headers={**PART, "upload-offset": "2000000"})
        assert (response.status_code, response.headers["upload-complete"]) == (202, "?1")
        report = await until_done(client, response.json()["id"])
        assert counts(report, "received", "inserted") == (6000, 6000)
        refusal(await client.patch(where, headers={**PART, "upload-offset": str(len(BIG))}), 409, "job-conflict")

    async def test_the_same_request_goes_on_behind_parts(self, client: Client, collection: str) -> None:
        headers = {**NDJSON, "upload-complete": "?0", "idempotency-key": "k"}
        await client.post(f"/v1/{collection}:ingest", content=BIG[:1_500_000], headers=headers)
        url = f"/v1/{collection}:ingest?key=k"
        refusal(await client.post(url, content=b"x" + BIG[1:], headers=NDJSON), 409, "job-conflict")
        refusal(await client.post(url, content=BIG[:1_400_000], headers=NDJSON), 409, "job-conflict")
        report = await ingest(client, collection, BIG, status=202, key="k")
        assert counts(await until_done(client, report["id"]), "inserted") == (6000,)

    async def test_what_does_not_fit(self, client: Client, collection: str) -> None:
        headers = {**NDJSON, "upload-complete": "?0"}
        made = await client.post(f"/v1/{collection}:ingest", content=b'{"a": 1}\n', headers=headers)
        where = made.headers["location"]
        response = await client.patch(where, content=b"{}", headers={**PART, "upload-offset": "5"})
        refusal(response, 409, "upload-conflict")
        assert response.headers["upload-offset"] == "9"
        refusal(await client.patch(where, content=b"{}", headers=PART), 400, "invalid-parameter")
        refusal(await client.patch(where, headers={**PART, "upload-offset": "-1"}), 400, "invalid-parameter")
        bad = {**PART, "upload-offset": "9", "upload-complete": "yes"}
        refusal(await client.patch(where, headers=bad), 400, "invalid-parameter")
        json = {"content-type": "application/json", "upload-offset": "9"}
        refusal(await client.patch(where, content=b"{}", headers=json), 415, "unsupported-media-type")
        nobody = f"/jobs/{'0' * 24}"
        refusal(await client.patch(nobody, headers={**PART, "upload-offset": "0"}), 404, "job-not-found")

    async def test_nothing_is_left_to_send(self, client: Client, collection: str) -> None:
        headers = {**NDJSON, "upload-complete": "?0"}
        made = await client.post(f"/v1/{collection}:ingest", content=ndjson(*ROWS), headers=headers)
        size = made.headers["upload-offset"]
        response = await client.patch(made.headers["location"], headers={"upload-offset": size})
        assert response.status_code == 202
        assert counts(await until_done(client, made.json()["id"]), "inserted") == (2,)

    async def test_an_upload_that_was_cancelled(self, client: Client, collection: str) -> None:
        headers = {**NDJSON, "upload-complete": "?0", "idempotency-key": "k"}
        made = await client.post(f"/v1/{collection}:ingest", content=ndjson(*ROWS), headers=headers)
        where = made.headers["location"]
        assert (await client.post(f"{where}:cancel")).json()["state"] == "cancelled"
        refusal(await client.patch(where, headers={**PART, "upload-offset": "0"}), 409, "job-conflict")
        report = await ingest(client, collection, ndjson(*ROWS), key="k")  # asks for it anew
        assert (report["id"], report["inserted"]) == (made.json()["id"], 2)


@pytest_asyncio.fixture(scope="module")
async def narrow(settings: Settings) -> AsyncGenerator[Client]:
    """Return a client of a server that takes 4 MiB."""
    limited = settings.model_copy(update={"max_upload_bytes": 4 * CHUNK_BYTES})
    async with serving(create_app(limited)) as opened:
        yield opened


class TestLimit:
    async def test_anonymous(self, narrow: Client, collection: str) -> None:
        body = people(20_000)
        response = await narrow.post(f"/v1/{collection}:ingest", content=body, headers=NDJSON)
        refusal(response, 413, "body-too-large")
        assert items(await narrow.get(f"/jobs?collection={collection}")) == []

    async def test_what_comes_without_its_length(self, narrow: Client, collection: str) -> None:
        body = people(20_000)
        url = f"/v1/{collection}:ingest?key=k"
        refusal(await narrow.post(url, content=sent_slowly(body), headers=NDJSON), 413, "body-too-large")
        [job] = items(await narrow.get(f"/jobs?collection={collection}"))
        assert (job["state"], job["key"], job["error"]["code"]) == ("failed", None, "body-too-large")

    async def test_parts(self, narrow: Client, collection: str) -> None:
        headers = {**NDJSON, "upload-complete": "?0"}
        made = await narrow.post(f"/v1/{collection}:ingest", content=BIG[: 2 * CHUNK_BYTES], headers=headers)
        headers = {**PART, "upload-offset": str(2 * CHUNK_BYTES)}
        response = await narrow.patch(made.headers["location"], content=b"x" * 3 * CHUNK_BYTES, headers=headers)
        refusal(response, 413, "body-too-large")

    @pytest.mark.parametrize("compress", [gzip.compress, zstandard.compress])
    async def test_a_bomb(self, narrow: Client, collection: str, compress: Any) -> None:
        body = compress(ndjson({"_id": "good"}) + b" " * 50_000_000)
        assert len(body) < 100_000
        report = await ingest(narrow, collection, body, status=207)
        assert counts(report, "inserted", "quarantined") == (1, 1)
        assert report["faults"][0]["code"] == "stream-too-large"


GOOD: Final = b'{"_id": "first"}\n%s\n{"_id": "last"}\n'
POISON: Final[dict[str, bytes]] = {
    "broken UTF-8": b'{"a": "\xff\xfe"}',
    "a surrogate in bytes": b'{"a": "\xed\xa0\x80"}',
    "half a surrogate pair": b'{"a": "\\ud800"}',
    "half a surrogate pair in a key twice": b'{"\\ud800": 1, "\\ud800": 2}',
    "a cut line": b'{"a": [1, 2',
    "20 MB in a line": b'{"a": "' + b"x" * 20_000_000 + b'"}',
    "40 MB in a line": b'{"a": "' + b"x" * 40_000_000 + b'"}',
    "nesting": b'{"a":' + b"[" * 10_000 + b"]" * 10_000 + b"}",
    "objects in objects": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "NaN": b'{"a": NaN}',
    "Infinity": b'{"a": -Infinity}',
    "beyond int64": b'{"a": %d}' % 2**70,
    "beyond double": b'{"a": 1e999}',
    "duplicate keys": b'{"a": 1, "a": 2}',
    "an operator": b'{"$set": {"a": 1}}',
    "a dotted key": b'{"a.b": 1}',
    "an empty key": b'{"": 1}',
    "NUL in a key": b'{"a\\u0000b": 1}',
    "NUL between": b'{"a": 1}\0',
    "only NUL": b"\0\0\0",
    "no object": b'"text"',
    "a null id": b'{"_id": null}',
    "an id of another type": b'{"_id": 5}',
    "an array as an id": b'{"_id": [1]}',
    "a long id": b'{"_id": "' + b"x" * 5000 + b'"}',
    "many keys": b"{" + b",".join(b'"k%d": {"$x": 1}' % n for n in range(5000)) + b"}",
    "a pointer of a long key": b'{"$' + b"k" * 100_000 + b'": 1}',
    "a key outside the BMP": '{"$\U0001f600": "\U0001f600"}'.encode(),
}


class TestPoison:
    @pytest.mark.parametrize("name", POISON)
    async def test_anonymous(self, client: Client, collection: str, name: str) -> None:
        response = await client.post(f"/v1/{collection}:ingest", content=GOOD % POISON[name], headers=NDJSON)
        assert response.status_code in (202, 207), response.text
        report = await until_done(client, response.json()["id"])
        assert counts(report, "received", "inserted", "quarantined") == (3, 2, 1)
        assert [fault["line"] for fault in report["faults"]] == [2]
        assert ids(await client.get(f"/v1/{collection}?fields=n")) == ["first", "last"]
        [held] = items(await client.get(f"/v1/{collection}:quarantine"))
        assert (held["line"], held["size_bytes"]) == (2, len(POISON[name]))
        whole = await client.get(f"/v1/{collection}:quarantine/{held['id']}")
        assert whole.status_code == 200
        if len(POISON[name]) < 32_000_000:
            raw = await client.get(f"/v1/{collection}:quarantine?format=raw")
            assert raw.content == POISON[name] + b"\n"
        again = await client.post(f"/v1/{collection}:replay", json={"all": True})
        assert again.status_code == 207, again.text
        assert counts(again.json(), "quarantined") == (1,)

    BODIES: Final[list[bytes]] = [
        b"",
        b"{",
        b"[",
        b"[]",
        b"[1,",
        b'[{"a":1},{"a":',
        b'{"a":1}',
        b'"',
        b",,,\n1,2\n",
        b"a,b\n1\n1,2,3\n",
        b'a,b\n"1,2\n',
        b"\xff\xfe\x00",
        b"\x1f\x8b\x08 no gzip",
        gzip.compress(b'{"a":1}')[:-6],
        gzip.compress(b'{"a":1}')[:-1] + b"x",
        b"\x28\xb5\x2f\xfd no zstd",
        zstandard.compress(b'{"a":1}')[:-2],
        bson.encode({"a": 1})[:-3],
        b"\xff\xff\xff\x7f" * 10,
        b"\x05\0\0\0\1",
        b"PAR1" + b"\0" * 40 + b"PAR1",
        b"\n" * 1000,
        b"\xef\xbb\xbf",
        '{"a":1}'.encode("utf-16"),
    ]

    @pytest.mark.parametrize(
        "form", ["ndjson", "json", "ejson", "csv", "tsv", "bson", "parquet", "application/octet-stream"]
    )
    async def test_any_bytes_as_any_format(self, client: Client, collection: str, form: str) -> None:
        query = "" if "/" in form else f"?format={form}"
        for body in self.BODIES:
            response = await client.post(f"/v1/{collection}:ingest{query}", content=body)
            assert response.status_code in (200, 207, 400, 415, 422), (body, response.text)
            if response.is_success:
                counts(response.json())
        response = await client.get(f"/v1/{collection}:quarantine?limit=200")
        assert response.status_code == 200
        assert (await client.get(f"/v1/{collection}:quarantine?format=raw")).status_code == 200

    async def test_a_collection_that_is_a_view(self, client: Client, settings: Settings, collection: str) -> None:
        assert settings.mongodb_uri is not None
        with MongoClient[dict[str, Any]](settings.mongodb_uri.get_secret_value()) as mongo:
            mongo[settings.database].command("create", collection, viewOn="elsewhere", pipeline=[])
        response = await client.post(f"/v1/{collection}:ingest", content=ndjson({"a": 1}), headers=NDJSON)
        assert (response.status_code, response.json()["code"]) == (422, "query-refused")


def peak_bytes(pid: int) -> int:
    """Return the most memory that a process has had, as Linux counts it."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) * 1024


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ingesting")


@pytest.fixture(scope="module")
def quick(folder: Path, mongo_uri: str, worker_id: str) -> Iterator[Server]:
    """Return a server with little patience."""
    database = f"ingesting_{worker_id}"
    patience = {"request_timeout": "PT2S", "min_bytes_per_second": 1}
    with serve(folder, uri=mongo_uri, database=database, environment="production", **patience) as started:
        yield started


class TestOverTheWire:
    def test_anonymous(self, quick: Server, collection: str) -> None:
        """A large body takes no memory, and may take longer than a request has."""
        body = people(100_000)
        with quick.client() as client:
            client.post(f"/v1/{collection}:ingest", content=people(100), headers=NDJSON)
            before = peak_bytes(quick.pid)
            response = client.post(f"/v1/{collection}:ingest?key=k", content=pieces_of(body), headers=NDJSON)
            assert response.status_code == 202
            report = until(client, f"/jobs?collection={collection}&key=k", state="done")
        assert counts(report, "received", "inserted") == (100_000, 100_000)
        assert peak_bytes(quick.pid) < 250_000_000, f"it was {before}"

    def test_a_client_that_says_nothing_is_cut_off(self, quick: Server, collection: str) -> None:
        wire = Wire(quick, f"/v1/{collection}:ingest?key=k", length=10_000_000)
        wire.send(BIG[:500_000])
        assert wire.answer().startswith(b"HTTP/1.1 408 ")
        wire.close()
        with quick.client() as client:
            until(client, f"/jobs?collection={collection}", state="receiving", upload_offset=500_000)

    def test_a_slow_client_is_not(self, quick: Server, collection: str) -> None:
        wire = Wire(quick, f"/v1/{collection}:ingest")
        for number in range(8):
            wire.send(ndjson({"_id": number}))
            threading.Event().wait(0.5)
        wire.send(b"")
        assert wire.answer().startswith(b"HTTP/1.1 200 ")
        wire.close()

    def test_a_client_that_breaks_off_sends_the_same_again(self, quick: Server, collection: str) -> None:
        wire = Wire(quick, f"/v1/{collection}:ingest?key=k")
        wire.send(BIG[:1_700_000])
        wire.close()
        with quick.client() as client:
            report = until(client, f"/jobs?collection={collection}", state="receiving", upload_offset=1_700_000)
            response = client.post(f"/v1/{collection}:ingest?key=k", content=BIG, headers=NDJSON)
            assert (response.status_code, response.json()["id"]) == (202, report["id"])
            report = until(client, f"/jobs?collection={collection}", state="done")
        assert counts(report, "received", "inserted") == (6000, 6000)

    def test_a_client_that_breaks_off_sends_the_rest(self, quick: Server, collection: str) -> None:
        wire = Wire(quick, f"/v1/{collection}:ingest", length=len(BIG))
        wire.send(BIG[:700_000])
        wire.close()
        with quick.client() as client:
            report = until(client, f"/jobs?collection={collection}", state="receiving", upload_offset=700_000)
            headers = {**PART, "upload-offset": "700000"}
            assert client.patch(f"/jobs/{report['id']}", content=BIG[700_000:], headers=headers).status_code == 202
            report = until(client, f"/jobs?collection={collection}", state="done")
        assert counts(report, "received", "inserted") == (6000, 6000)


MANY: Final = people(50_000)


@pytest.mark.timeout(180)
class TestKilled:
    @pytest.fixture
    def database(self, mongo_uri: str, collection: str) -> Iterator[str]:
        yield collection
        with MongoClient[dict[str, Any]](mongo_uri) as mongo:
            mongo.drop_database(collection)

    @contextmanager
    def serving(self, folder: Path, mongo_uri: str, database: str) -> Generator[tuple[Server, httpx.Client]]:
        started = serve(folder, uri=mongo_uri, database=database, environment="production")
        with started as server, server.client() as client:
            yield server, client

    def check(self, mongo_uri: str, database: str, report: Report) -> None:
        assert counts(report, "received", "inserted") == (50_000, 50_000)
        with MongoClient[dict[str, Any]](mongo_uri) as mongo:
            assert sorted(each["n"] for each in mongo[database]["many"].find()) == [*range(50_000)]
            assert mongo[database]["_sheaf.uploads"].count_documents({}) == 0

    def test_anonymous(self, folder: Path, mongo_uri: str, database: str) -> None:
        """In the middle of an upload."""
        with self.serving(folder, mongo_uri, database) as (server, client):
            wire = Wire(server, "/v1/many:ingest?key=k")
            wire.send(MANY[:12_000_000])
            until(client, "/jobs", upload_offset=8_000_000)
            server.stop(signal.SIGKILL)
            wire.close()
        with self.serving(folder, mongo_uri, database) as (server, client):
            report = until(client, "/jobs", state="receiving")
            response = client.post("/v1/many:ingest?key=k", content=MANY, headers=NDJSON)
            assert (response.status_code, response.json()["id"]) == (202, report["id"])
            self.check(mongo_uri, database, until(client, "/jobs", state="done"))

    def test_in_the_middle_of_a_load(self, folder: Path, mongo_uri: str, database: str) -> None:
        with self.serving(folder, mongo_uri, database) as (server, client):
            response = client.post("/v1/many:ingest", content=pieces_of(MANY), headers=NDJSON)
            assert response.status_code == 202, response.text
            assert client.get(response.headers["location"]).json()["state"] == "running"
            server.stop(signal.SIGKILL)
        with self.serving(folder, mongo_uri, database) as (server, client):
            self.check(mongo_uri, database, until(client, "/jobs", state="done"))


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("max_bad=1", 409, "too-many-bad"),
        ("max_bad=10%25", 409, "too-many-bad"),
        ("max_bad=few", 400, "invalid-parameter"),
        ("mode=upsert&on=skus", 422, "source-misread"),
        ("all_or_nothing=true", 409, "too-many-bad"),
        ("all_or_nothing=perhaps", 400, "invalid-parameter"),
        ("max_drift=-1", 400, "invalid-parameter"),
        ("expect=[]", 400, "invalid-parameter"),
        ('all_or_nothing=true&max_bad=2&expect={"rows":{"min":2}}', 409, "expectation-failed"),
    ],
)
async def test_what_stops_a_load(client: Client, collection: str, query: str, status: int, code: str) -> None:
    body = ndjson({"sku": "a"}) + b"{\n{\n"
    response = await client.post(f"/v1/{collection}:ingest?{query}", content=body, headers=NDJSON)
    assert (response.status_code, response.json()["code"]) == (status, code)
