"""The quarantine over HTTP: what could not be loaded is kept whole, and can be tried again."""

from base64 import b64decode
from typing import Any

import bson
import httpx
import pytest

from tests.api.answers import faults, items, refusal
from tests.api.loading import NDJSON, counts, ingest, ndjson

Client = httpx.AsyncClient

BAD = b'{"_id": "a"}\n{"b":\n{"$c": 1}\n{"d": "\xff"}\n'


async def filled(client: Client, collection: str) -> str:
    """Put three records aside, and return the load."""
    job: str = (await ingest(client, collection, BAD, status=207, name="bad.ndjson"))["id"]
    return job


class TestList:
    async def test_anonymous(self, client: Client, collection: str) -> None:
        job = await filled(client, collection)
        found = items(await client.get(f"/v1/{collection}:quarantine"))
        assert found[1] == {
            "id": f"{job}-000000000013",
            "job": job,
            "source": "bad.ndjson",
            "format": "ndjson",
            "line": 3,
            "offset": 19,
            "size_bytes": 9,
            "code": "key-refused",
            "pointer": "/$c",
            "detail": found[1]["detail"],
            "rule": None,
            "contract_version": None,
            "attempts": 0,
            "at": found[1]["at"],
            "raw": '{"$c": 1}',
            "raw_is_cut": False,
        }
        assert "raw" not in found[2]
        assert b64decode(found[2]["raw_base64"]) == b'{"d": "\xff"}'

    async def test_of_a_kind(self, client: Client, collection: str) -> None:
        job = await filled(client, collection)
        url = f"/v1/{collection}:quarantine"
        for query, count in (
            (f"job={job}", 3),
            ("job=other", 0),
            ("code=key-refused", 1),
            (f"code=malformed-json&job={job}", 2),
            ("code=%00", 0),
        ):
            assert len(items(await client.get(f"{url}?{query}"))) == count

    async def test_page_by_page(self, client: Client, collection: str) -> None:
        await filled(client, collection)
        url = f"/v1/{collection}:quarantine?limit=2"
        first = (await client.get(url)).json()
        second = (await client.get(f"{url}&cursor={first['next']}")).json()
        assert [each["line"] for each in first["items"] + second["items"]] == [2, 3, 4]
        assert second["next"] is None
        refusal(await client.get(f"{url}&cursor=x"), 400, "invalid-cursor")

    async def test_only_the_beginning_of_long_ones(self, client: Client, collection: str) -> None:
        text = "{" + "ä" * 5000
        await ingest(client, collection, text.encode(), status=207)
        [held] = items(await client.get(f"/v1/{collection}:quarantine"))
        assert held["raw_is_cut"]
        assert held["raw"] == "{" + "ä" * 1023, "a character that is cut through is left out"
        whole = (await client.get(f"/v1/{collection}:quarantine/{held['id']}")).json()
        assert (whole["raw"], whole["raw_is_cut"]) == (text, False)

    @pytest.mark.parametrize("query", ["limit=0", "format=xml", "format=raw&limit=1", "job=a&job=b"])
    async def test_what_cannot_be_meant(self, client: Client, collection: str, query: str) -> None:
        refusal(await client.get(f"/v1/{collection}:quarantine?{query}"), 400, "invalid-parameter")

    async def test_of_nothing(self, client: Client, collection: str) -> None:
        assert (await client.get(f"/v1/{collection}:quarantine")).json() == {"items": [], "next": None}


class TestRaw:
    async def test_anonymous(self, client: Client, collection: str) -> None:
        await filled(client, collection)
        response = await client.get(f"/v1/{collection}:quarantine?format=raw")
        assert response.content == b'{"b":\n{"$c": 1}\n{"d": "\xff"}\n'
        assert response.headers["content-disposition"] == f'attachment; filename="{collection}-quarantine"'
        response = await client.get(f"/v1/{collection}:quarantine?format=raw&code=key-refused")
        assert response.content == b'{"$c": 1}\n'

    async def test_of_nothing(self, client: Client, collection: str) -> None:
        response = await client.get(f"/v1/{collection}:quarantine?format=raw")
        assert (response.status_code, response.content) == (200, b"")

    async def test_mended_and_sent_again(self, client: Client, collection: str) -> None:
        await ingest(client, collection, b'{"_id": "a", "n": NaN}\n{"_id": "b", "n": NaN}', status=207)
        raw = (await client.get(f"/v1/{collection}:quarantine?format=raw")).content
        report = await ingest(client, collection, raw.replace(b"NaN", b"null"))
        assert counts(report, "inserted") == (2,)

    async def test_of_dumps(self, client: Client, collection: str) -> None:
        body = bson.encode({"_id": "a", "$x": 1}) + bson.encode({"_id": "b", "$x": 1})
        await ingest(client, collection, body, status=207, headers={"content-type": "application/bson"})
        assert (await client.get(f"/v1/{collection}:quarantine?format=raw")).content == body


class TestOne:
    async def test_anonymous(self, client: Client, collection: str) -> None:
        await filled(client, collection)
        [first, *_] = items(await client.get(f"/v1/{collection}:quarantine"))
        assert (await client.get(f"/v1/{collection}:quarantine/{first['id']}")).json() == first
        assert (await client.delete(f"/v1/{collection}:quarantine/{first['id']}")).status_code == 204
        for method in ("GET", "DELETE"):
            response = await client.request(method, f"/v1/{collection}:quarantine/{first['id']}")
            refusal(response, 404, "quarantined-not-found")
        assert len(items(await client.get(f"/v1/{collection}:quarantine"))) == 2

    async def test_of_another_collection(self, client: Client, collection: str) -> None:
        await filled(client, collection)
        [first, *_] = items(await client.get(f"/v1/{collection}:quarantine"))
        for method in ("GET", "DELETE"):
            response = await client.request(method, f"/v1/other:quarantine/{first['id']}")
            refusal(response, 404, "quarantined-not-found")


class TestDiscard:
    async def test_anonymous(self, client: Client, collection: str) -> None:
        await filled(client, collection)
        url = f"/v1/{collection}:quarantine"
        refusal(await client.delete(url), 400, "filter-required")
        refusal(await client.delete(f"{url}?all=false"), 400, "filter-required")
        assert (await client.delete(f"{url}?code=key-refused")).json() == {"discarded": 1}
        [first, _] = items(await client.get(url))
        assert (await client.delete(f"{url}?id={first['id']},nobody")).json() == {"discarded": 1}
        assert (await client.delete(f"{url}?all=true")).json() == {"discarded": 1}
        assert items(await client.get(url)) == []


class TestReplay:
    async def test_anonymous(self, client: Client, collection: str) -> None:
        contract: dict[str, Any] = {"schema": {"properties": {"n": {"bsonType": "int"}}}, "types": "quarantine"}
        await client.put(f"/v1/{collection}:contract", json=contract)
        body = ndjson({"_id": "a", "n": 1}, {"_id": "b", "n": "two"}, {"_id": "c", "n": True})
        await ingest(client, collection, body, status=207)
        [held, _] = items(await client.get(f"/v1/{collection}:quarantine"))
        assert (held["code"], held["rule"], held["contract_version"]) == ("wrong-type", "/properties/n", 1)
        contract["schema"] = {"properties": {"n": {"bsonType": ["int", "string"]}}}
        await client.put(f"/v1/{collection}:contract", json=contract)
        response = await client.post(f"/v1/{collection}:replay", json={"all": True})
        assert response.status_code == 207
        assert counts(response.json(), "received", "inserted", "quarantined") == (2, 1, 1)
        [left] = items(await client.get(f"/v1/{collection}:quarantine"))
        assert (left["line"], left["attempts"], left["contract_version"]) == (3, 1, 2)
        contract["schema"] = {"properties": {"n": {}}}
        await client.put(f"/v1/{collection}:contract", json=contract)
        response = await client.post(f"/v1/{collection}:replay", json={"ids": [left["id"]]})
        assert response.status_code == 200
        assert items(await client.get(f"/v1/{collection}:quarantine")) == []
        assert len(items(await client.get(f"/v1/{collection}"))) == 3

    async def test_a_load_puts_aside_what_a_request_is_refused_with(self, client: Client, collection: str) -> None:
        for mode in ("freeze", "quarantine"):
            contract: dict[str, Any] = {"schema": {"properties": {"n": {}}}, "fields": mode}
            await client.put(f"/v1/{collection}:contract", json=contract)
            refusal(await client.post(f"/v1/{collection}", json={"m": 1}), 422, "invalid-document")
            report = await ingest(client, collection, ndjson({"n": 1}, {"m": 1}), status=207)
            assert counts(report, "inserted", "quarantined") == (1, 1)

    async def test_of_nothing(self, client: Client, collection: str) -> None:
        bodies: list[dict[str, Any]] = [{"ids": []}, {"job": "x"}, {"code": "x", "all": False}, {"all": True}]
        for body in bodies:
            response = await client.post(f"/v1/{collection}:replay", json=body)
            assert response.status_code == 200, response.text
            assert counts(response.json(), "received") == (0,)

    async def test_some_must_be_meant(self, client: Client, collection: str) -> None:
        refusal(await client.post(f"/v1/{collection}:replay", json={}), 400, "filter-required")
        refusal(await client.post(f"/v1/{collection}:replay", json={"all": False}), 400, "filter-required")

    @pytest.mark.parametrize(
        ("body", "pointer"),
        [
            ({"ids": "a"}, "/ids"),
            ({"ids": [1]}, "/ids"),
            ({"job": 1}, "/job"),
            ({"code": None}, "/code"),
            ({"all": 1}, "/all"),
            ({"$where": 1}, "/$where"),
        ],
    )
    async def test_what_cannot_be_meant(
        self, client: Client, collection: str, body: dict[str, object], pointer: str
    ) -> None:
        response = await client.post(f"/v1/{collection}:replay", json=body)
        refusal(response, 422, "invalid-document")
        assert {where for where, _ in faults(response)} == {pointer}

    async def test_a_body_that_is_none(self, client: Client, collection: str) -> None:
        refusal(
            await client.post(f"/v1/{collection}:replay", content=b"{}", headers=NDJSON), 415, "unsupported-media-type"
        )
