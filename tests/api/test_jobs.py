"""Jobs: listed, looked at, stopped and taken back; and which of them wrote a document."""

from typing import Any

import httpx
import pytest

from tests.api.answers import faults, ids, items, refusal, stored
from tests.api.loading import NDJSON, PART, counts, ingest, ndjson, people, until_done

Client = httpx.AsyncClient


async def open_upload(client: Client, collection: str, body: bytes = b'{"_id": "a"}\n', **parameters: str) -> str:
    """Send a part of an upload, and return the job that waits for the rest."""
    headers = {**NDJSON, "upload-complete": "?0"}
    response = await client.post(f"/v1/{collection}:ingest", params=parameters, content=body, headers=headers)
    assert response.status_code == 202, response.text
    job: str = response.json()["id"]
    return job


class TestGet:
    async def test_anonymous(self, client: Client, collection: str) -> None:
        made = await ingest(client, collection, ndjson({"a": 1}), name="a.ndjson", key="k")
        response = await client.get(f"/jobs/{made['id']}")
        assert response.json() == made
        assert response.headers["cache-control"] == "no-store"
        assert "upload-offset" not in response.headers
        assert (made["source"], made["key"], made["error"], made["undone"]) == ("a.ndjson", "k", None, None)

    async def test_while_it_receives(self, client: Client, collection: str) -> None:
        job = await open_upload(client, collection)
        for method in ("GET", "HEAD"):
            response = await client.request(method, f"/jobs/{job}")
            assert (response.headers["upload-offset"], response.headers["upload-complete"]) == ("13", "?0")
        report = (await client.get(f"/jobs/{job}")).json()
        assert (report["state"], report["upload_offset"], report["received"]) == ("receiving", 13, 0)

    @pytest.mark.parametrize("job", ["0" * 24, "nothing", "%00", "%F0%9F%98%80", "a" * 2000])
    async def test_of_none(self, client: Client, job: str) -> None:
        refusal(await client.get(f"/jobs/{job}"), 404, "job-not-found")
        refusal(await client.post(f"/jobs/{job}:cancel"), 404, "job-not-found")
        refusal(await client.post(f"/jobs/{job}:undo"), 404, "job-not-found")
        headers = {**PART, "upload-offset": "0"}
        refusal(await client.patch(f"/jobs/{job}", content=b"", headers=headers), 404, "job-not-found")


class TestList:
    async def test_anonymous(self, client: Client, collection: str) -> None:
        first = await ingest(client, collection, b"{}", key="k")
        second = await open_upload(client, collection)
        url = f"/jobs?collection={collection}"
        found = await client.get(url)
        assert [job["id"] for job in items(found)] == [second, first["id"]]
        assert found.json()["next"] is None
        assert [job["id"] for job in items(await client.get(f"{url}&key=k"))] == [first["id"]]
        for state, expected in (("done", [first["id"]]), ("receiving", [second]), ("open", [second]), ("failed", [])):
            assert [job["id"] for job in items(await client.get(f"{url}&state={state}"))] == expected

    async def test_page_by_page(self, client: Client, collection: str) -> None:
        made = [(await ingest(client, collection, b"{}"))["id"] for _ in range(5)]
        found: list[str] = []
        cursor = ""
        for size in (2, 2, 1):
            page = (await client.get(f"/jobs?collection={collection}&limit=2{cursor}")).json()
            assert len(page["items"]) == size
            found += [job["id"] for job in page["items"]]
            cursor = f"&cursor={page['next']}"
        assert page["next"] is None
        assert found == made[::-1]

    @pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=x", "state=busy", "collection=$x", "key=a&key=b"])
    async def test_what_cannot_be_meant(self, client: Client, query: str) -> None:
        response = await client.get(f"/jobs?{query}")
        refusal(response, 400, "invalid-parameter")
        assert len(faults(response)) == 1

    async def test_a_damaged_cursor(self, client: Client) -> None:
        refusal(await client.get("/jobs?cursor=made-up"), 400, "invalid-cursor")


class TestCancel:
    async def test_anonymous(self, client: Client, collection: str) -> None:
        job = await open_upload(client, collection)
        response = await client.post(f"/jobs/{job}:cancel")
        assert (response.status_code, response.json()["state"]) == (200, "cancelled")
        assert (await client.post(f"/jobs/{job}:cancel")).json()["state"] == "cancelled"

    async def test_one_that_runs(self, client: Client, collection: str) -> None:
        job = await open_upload(client, collection, people(6000), key="k")
        while not (await client.get(f"/jobs/{job}")).json()["written"]:
            pass
        response = await client.post(f"/jobs/{job}:cancel")
        assert response.status_code in (200, 202)
        report = await until_done(client, job)
        assert report["state"] == "cancelled"
        response = await client.post(f"/v1/{collection}:ingest?key=k", content=people(6000), headers=NDJSON)
        assert response.status_code == 202, "the same again goes on with it"
        assert counts(await until_done(client, job), "received", "inserted") == (6000, 6000)

    async def test_one_that_is_done(self, client: Client, collection: str) -> None:
        made = await ingest(client, collection, b"{}")
        refusal(await client.post(f"/jobs/{made['id']}:cancel"), 409, "job-conflict")


class TestUndo:
    async def test_anonymous(self, client: Client, collection: str) -> None:
        await stored(client, collection, {"_id": "old"})
        made = await ingest(client, collection, ndjson({"_id": "a"}, {"_id": "b"}), key="k")
        await client.patch(f"/v1/{collection}/b", json={"mine": True})
        response = await client.post(f"/jobs/{made['id']}:undo")
        assert response.status_code == 200
        report = response.json()
        assert (report["state"], report["key"]) == ("undone", None)
        assert report["undone"] == {"inserted": 2, "deleted": 1, "kept": 1, "absent": 0}
        assert ids(await client.get(f"/v1/{collection}")) == ["b", "old"]
        again = await ingest(client, collection, ndjson({"_id": "a"}), key="k")
        assert again["id"] != made["id"]

    async def test_by_force(self, client: Client, collection: str) -> None:
        made = await ingest(client, collection, ndjson({"_id": "a"}))
        await client.patch(f"/v1/{collection}/a", json={"mine": True})
        response = await client.post(f"/jobs/{made['id']}:undo?force=true", headers={"prefer": "respond-async"})
        assert response.status_code in (200, 202)
        while (told := await client.get(f"/jobs/{made['id']}")).status_code == 200 and told.json()[
            "state"
        ] == "undoing":
            pass
        assert told.status_code == 200, told.text
        assert told.json()["undone"]["deleted"] == 1

    async def test_one_that_has_not_ended(self, client: Client, collection: str) -> None:
        job = await open_upload(client, collection)
        refusal(await client.post(f"/jobs/{job}:undo"), 409, "job-conflict")


class TestLoads:
    @pytest.mark.parametrize(
        ("document_id", "text"),
        [("a", "a"), (5, "5"), ("65a1f0c2d4b5e6f708192a3b", "65a1f0c2d4b5e6f708192a3b"), ("ä/b", "%C3%A4%2Fb")],
    )
    async def test_anonymous(self, client: Client, collection: str, document_id: Any, text: str) -> None:
        first = await ingest(client, collection, ndjson({"_id": document_id}), key="k", name="a file")
        second = await ingest(client, collection, ndjson({"_id": document_id, "n": 1}), mode="upsert")
        found = items(await client.get(f"/v1/{collection}:loads?id={text}"))
        assert [(each["job"], each["inserted"]) for each in found] == [(first["id"], True), (second["id"], False)]
        assert (found[0]["key"], found[0]["source"], found[1]["mode"]) == ("k", "a file", "upsert")

    async def test_one_that_no_load_wrote(self, client: Client, collection: str) -> None:
        await stored(client, collection, {"_id": "a"})
        assert items(await client.get(f"/v1/{collection}:loads?id=a")) == []

    async def test_what_cannot_be_meant(self, client: Client, collection: str) -> None:
        refusal(await client.get(f"/v1/{collection}:loads?id=a"), 404, "collection-not-found")
        await stored(client, collection, {"_id": 1})
        assert items(await client.get(f"/v1/{collection}:loads?id=a")) == []  # another program may have stored it
        refusal(await client.get(f"/v1/{collection}:loads"), 400, "invalid-parameter")
