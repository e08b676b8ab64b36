"""`GET /v1/{c}:export`: formats, how they are asked for, and how a stream that breaks off is told from a whole one."""

import asyncio
import csv
import io
import shutil
import socket
import subprocess
import sys
import zlib
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import Any, Final

import bson
import httpx
import orjson
import pytest
import zstandard
from pymongo import MongoClient
from starlette.types import Message

from api.export import handlers as export
from documents.codec.formats import make_reader
from documents.codec.records import Format
from documents.database.embedded import EmbeddedMongo
from tests.api.answers import faults, refusal, stored
from tests.faults import GROUP, FailPoints
from tests.server import Server, serve

Client = httpx.AsyncClient
SNAPSHOT_TOO_OLD: Final = 239
IDENTITY: Final = {"accept-encoding": "identity"}


@pytest.fixture
async def shelf(client: Client, collection: str) -> str:
    """Return the name of a collection of three documents."""
    await stored(client, collection, {"n": 1, "a": {"b": "x"}}, {"n": 2, "a": {"b": "y"}}, {"n": 3})
    return collection


def rows_of(response: httpx.Response) -> list[dict[str, Any]]:
    assert response.status_code == 200, response.text
    return [orjson.loads(line) for line in response.content.splitlines()]


class TestExport:
    async def test_anonymous(self, client: Client, shelf: str) -> None:
        response = await client.get(f"/v1/{shelf}:export")
        assert sorted(row["n"] for row in rows_of(response)) == [1, 2, 3]
        assert response.headers["content-type"] == "application/x-ndjson"
        assert response.headers["content-disposition"] == f'attachment; filename="{shelf}.ndjson"'
        assert "content-length" not in response.headers

    async def test_the_query_is_that_of_a_list(self, client: Client, shelf: str) -> None:
        query = {"n[gte]": "2", "sort": "-n", "fields": "n", "filter": '{"a.b": {"$exists": true}}'}
        [row] = rows_of(await client.get(f"/v1/{shelf}:export", params=query))
        assert row == {"_id": row["_id"], "n": 2}
        rows = rows_of(await client.get(f"/v1/{shelf}:export", params={"sort": "-n", "limit": "2"}))
        assert [row["n"] for row in rows] == [3, 2]

    @pytest.mark.parametrize(
        ("accept", "kind"),
        [
            (None, "application/x-ndjson"),
            ("*/*", "application/x-ndjson"),
            ("application/*", "application/x-ndjson"),
            ("application/json", "application/json"),
            ("application/ejson", "application/ejson"),
            ("text/csv", "text/csv; charset=utf-8"),
            ("text/*", "text/csv; charset=utf-8"),
            ("text/tab-separated-values, */*;q=0.1", "text/tab-separated-values; charset=utf-8"),
            ("application/json;q=0.5, application/bson", "application/bson"),
            ("application/vnd.apache.parquet", "application/vnd.apache.parquet"),
            ("application/x-ndjson;q=0, application/*", "application/json"),
        ],
    )
    async def test_accept(self, client: Client, shelf: str, accept: str | None, kind: str) -> None:
        headers = {} if accept is None else {"accept": accept}
        response = await client.get(f"/v1/{shelf}:export", headers=headers)
        assert (response.status_code, response.headers["content-type"]) == (200, kind)
        assert response.headers["vary"] == "Accept, Accept-Encoding"

    @pytest.mark.parametrize("accept", ["image/png", "text/html", "*/*;q=0", "text/csv;q=x"])
    async def test_nothing_that_is_accepted(self, client: Client, shelf: str, accept: str) -> None:
        refusal(await client.get(f"/v1/{shelf}:export", headers={"accept": accept}), 406, "not-acceptable")

    async def test_format_wins_over_accept(self, client: Client, shelf: str) -> None:
        url, headers = f"/v1/{shelf}:export?sort=n&fields=n,a.b", {"accept": "image/png"}
        response = await client.get(f"{url}&format=csv", headers=headers)
        assert [*csv.reader(io.StringIO(response.text))] == [["n", "a.b"], ["1", "x"], ["2", "y"], ["3", ""]]
        assert response.headers["content-disposition"].endswith('.csv"')
        response = await client.get(f"{url}&format=json", headers=headers)
        assert [row["n"] for row in response.json()] == [1, 2, 3]
        response = await client.get(f"{url}&format=ejson", headers=headers)
        assert orjson.loads(response.content.splitlines()[0])["n"] == {"$numberInt": "1"}
        response = await client.get(f"{url}&format=bson", headers=headers)
        assert [row["n"] for row in bson.decode_all(response.content)] == [1, 2, 3]  # pyright: ignore[reportUnknownMemberType]  # takes `array`

    @pytest.mark.parametrize("coding", ["gzip", "zstd"])
    async def test_compressed_for_the_way(self, client: Client, shelf: str, coding: str) -> None:
        response = await client.get(f"/v1/{shelf}:export", headers={"accept-encoding": coding})
        assert response.headers["content-encoding"] == coding
        assert len(rows_of(response)) == 3

    async def test_compressed_to_be_kept(self, client: Client, shelf: str) -> None:
        response = await client.get(f"/v1/{shelf}:export?compress=gzip")
        assert response.headers["content-type"] == "application/gzip"
        assert response.headers["content-disposition"].endswith('.ndjson.gz"')
        assert "content-encoding" not in response.headers
        assert len(zlib.decompress(response.content, 31).splitlines()) == 3
        response = await client.get(f"/v1/{shelf}:export?compress=zstd&format=csv")
        assert response.headers["content-disposition"].endswith('.csv.zst"')
        assert "content-encoding" not in response.headers
        text = zstandard.ZstdDecompressor().decompressobj().decompress(response.content)
        assert len(text.splitlines()) == 4

    async def test_a_trailer(self, client: Client, shelf: str) -> None:
        *rows, last = rows_of(await client.get(f"/v1/{shelf}:export?trailer=true&n[lt]=3"))
        assert (len(rows), last) == (2, {"_sheaf": {"documents": 2}})

    @pytest.mark.parametrize(
        ("query", "place", "code"),
        [
            ("format=xml", "?format", "invalid"),
            ("format=parquet2", "?format", "invalid"),
            ("compress=lzma", "?compress", "invalid"),
            ("format=parquet&compress=zstd", "?compress", "not-allowed"),
            ("format=parquet&trailer=true", "?trailer", "not-allowed"),
            ("trailer=1", "?trailer", "invalid"),
            ("format=csv&trailer=true", "?trailer", "not-allowed"),
            ("format=csv&format=csv", "?format", "duplicate"),
            ("limit=0", "?limit", "out-of-range"),
            ("limit=x", "?limit", "wrong-type"),
            ("cursor=abc", "?cursor", "not-allowed"),
        ],
    )
    async def test_what_cannot_be_meant(self, client: Client, shelf: str, query: str, place: str, code: str) -> None:
        response = await client.get(f"/v1/{shelf}:export?{query}")
        refusal(response, 400, "invalid-parameter")
        assert faults(response) == {(place, code)}

    async def test_parquet(self, client: Client, shelf: str) -> None:
        for coding in ("identity", "gzip, zstd"):
            url = f"/v1/{shelf}:export?format=parquet&sort=-n&fields=n,a.b&n[lt]=3"
            response = await client.get(url, headers={"accept-encoding": coding})
            assert response.headers["content-type"] == "application/vnd.apache.parquet"
            assert response.headers["content-disposition"] == f'attachment; filename="{shelf}.parquet"'
            assert "content-encoding" not in response.headers, "it is compressed inside"
            reader = make_reader(Format.PARQUET)
            records = [*reader.feed(response.content), *reader.end()]
            assert [record.document for record in records] == [{"n": 2, "a": {"b": "y"}}, {"n": 1, "a": {"b": "x"}}]

    async def test_parquet_without_pyarrow(self, client: Client, shelf: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
        monkeypatch.setattr(export, "has_parquet", lambda: False)
        url, media = f"/v1/{shelf}:export", "application/vnd.apache.parquet"
        response = await client.get(f"{url}?format=parquet")
        refusal(response, 400, "invalid-parameter")
        assert faults(response) == {("?format", "not-available")}
        refusal(await client.get(url, headers={"accept": media}), 406, "not-acceptable")
        response = await client.get(url, headers={"accept": f"{media}, text/csv;q=0.5"})
        assert response.headers["content-type"].startswith("text/csv")

    async def test_refusals_before_the_first_byte(self, client: Client, shelf: str, collection: str) -> None:
        refusal(await client.get(f"/v1/{collection}x:export"), 404, "collection-not-found")
        refusal(await client.get(f"/v1/{shelf}:export?filter=[]"), 400, "invalid-filter")
        refusal(await client.get(f"/v1/{shelf}:export?q=words"), 422, "index-required")
        refusal(await client.post(f"/v1/{shelf}:export"), 405, "method-not-allowed")

    async def test_head(self, client: Client, shelf: str) -> None:
        response = await client.head(f"/v1/{shelf}:export?format=csv")
        assert (response.status_code, response.content) == (200, b"")
        assert response.headers["content-type"].startswith("text/csv")
        assert "content-length" not in response.headers

    async def test_a_field_of_a_reserved_name(self, client: Client, collection: str) -> None:
        await stored(client, collection, {"format": "a"}, {"format": "b"})
        [row] = rows_of(await client.get(f"/v1/{collection}:export", params={"filter": '{"format": "b"}'}))
        assert row["format"] == "b"
        [row] = rows_of(await client.get(f"/v1/{collection}:export", params={"format[eq]": "a"}))
        assert row["format"] == "a"


BIG: Final = "big"
BIG_DOCUMENTS: Final = 20_000
"""About 40 MB: more than buffers on the way hold."""


@pytest.fixture(scope="module")
def failing(failing_mongo: EmbeddedMongo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return a server whose MongoDB may be made to fail, with a large collection."""
    database = "exporting"
    with MongoClient[dict[str, Any]](failing_mongo.uri) as mongo:
        text = "x" * 2000
        mongo[database][BIG].insert_many([{"_id": n, "text": text} for n in range(BIG_DOCUMENTS)])
        with serve(tmp_path_factory.mktemp("export"), uri=failing_mongo.uri, database=database) as server:
            yield server
        mongo.drop_database(database)


@pytest.fixture
def fail(failing_mongo: EmbeddedMongo) -> Iterator[FailPoints]:
    points = FailPoints(failing_mongo)
    yield points
    points.close()


def idle_cursors(fail: FailPoints) -> int:
    pipeline: list[dict[str, Any]] = [
        {"$currentOp": {"idleCursors": True, "allUsers": True}},
        {"$match": {"ns": f"exporting.{BIG}", "$or": [{"cursor": {"$exists": True}}, {"active": True}]}},
    ]
    return len([*fail.client.admin.aggregate(pipeline)])


@pytest.mark.xdist_group(GROUP)
class TestBrokenOff:
    URL = f"/v1/{BIG}:export"

    @pytest.mark.parametrize("coding", ["identity", "gzip", "zstd"])
    def test_a_snapshot_that_grew_too_old(self, failing: Server, fail: FailPoints, coding: str) -> None:
        headers = {"accept-encoding": coding}
        with (
            failing.client() as client,
            fail.failing("getMore", errorCode=SNAPSHOT_TOO_OLD),
            pytest.raises(httpx.RemoteProtocolError, match="incomplete chunked read"),
        ):
            client.get(self.URL, headers=headers)

    @pytest.mark.parametrize("form", ["csv", "parquet"])
    def test_a_failure_in_the_first_pass_of_a_table(self, failing: Server, fail: FailPoints, form: str) -> None:
        with (
            failing.client() as client,
            fail.failing("getMore", errorCode=SNAPSHOT_TOO_OLD),
            pytest.raises(httpx.RemoteProtocolError, match="incomplete chunked read"),
        ):
            client.get(f"{self.URL}?format={form}", headers=IDENTITY)

    def test_a_lost_connection_to_mongodb(self, failing: Server, fail: FailPoints) -> None:
        with (
            failing.client() as client,
            fail.failing("getMore", closeConnection=True),
            pytest.raises(httpx.RemoteProtocolError, match="incomplete chunked read"),
        ):
            client.get(self.URL, headers=IDENTITY)

    def test_curl_says_so(self, failing: Server, fail: FailPoints, tmp_path: Path) -> None:
        curl = shutil.which("curl")
        assert curl
        words = [curl, "-s", "-o", str(tmp_path / "out"), f"{failing.base_url}{self.URL}"]
        assert subprocess.run(words, check=False).returncode == 0
        assert len((tmp_path / "out").read_bytes().splitlines()) == BIG_DOCUMENTS
        with fail.failing("getMore", errorCode=SNAPSHOT_TOO_OLD):
            assert subprocess.run(words, check=False).returncode == 18  # CURLE_PARTIAL_FILE

    def test_a_failure_before_the_first_byte_is_a_problem(self, failing: Server, fail: FailPoints) -> None:
        with failing.client() as client, fail.failing("find", errorCode=SNAPSHOT_TOO_OLD):
            refusal(client.get(self.URL), 422, "query-refused")

    def test_a_client_that_waits_is_waited_for_and_one_that_goes_is_let_go(
        self, failing: Server, fail: FailPoints
    ) -> None:
        with socket.create_connection((failing.host, failing.port)) as client:
            client.sendall(f"GET {self.URL} HTTP/1.1\r\nHost: {failing.host}\r\n\r\n".encode())
            assert client.recv(100).startswith(b"HTTP/1.1 200 OK")
            with failing.client() as other:  # others are served meanwhile
                assert other.get(f"/v1/{BIG}/7").status_code == 200
            assert idle_cursors(fail) == 1, "the rest is still with MongoDB"
        while idle_cursors(fail):  # ends when the server has noticed; never, if it does not
            pass


async def test_who_takes_nothing_is_cut_off(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(export, "ANSWER_SECONDS", 0.01)

    async def one() -> AsyncGenerator[export.Piece]:
        yield export.Piece(b"x", 1)

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body":
            await asyncio.Event().wait()

    async def receive() -> Message:
        await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    scope = {"type": "http", "method": "GET", "path": "/v1/a:export"}
    with pytest.raises(export.ExportCutError):
        await export.FileStream(one(), {})(scope, receive, send)
    assert "The client took nothing for too long." in caplog.text


async def test_who_goes_away_ends_the_stream() -> None:
    ended, enough = asyncio.Event(), asyncio.Event()

    async def endless() -> AsyncGenerator[export.Piece]:
        try:
            while True:
                yield export.Piece(b"x", 1)
                await asyncio.sleep(0)
        finally:
            ended.set()

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)
        if len(sent) > 2:
            enough.set()

    async def receive() -> Message:
        await enough.wait()
        return {"type": "http.disconnect"}

    await export.FileStream(endless(), {})({"type": "http"}, receive, send)
    assert ended.is_set()
    assert sent[-1]["more_body"]
