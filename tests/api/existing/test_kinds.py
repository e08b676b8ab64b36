"""Every write, on collections of every kind: it works, or is refused at once and says why."""

import json
import time
from typing import Any

import httpx
import pytest

from documents.lifecycle import Store
from tests.api.answers import items, refusal, stored

Client = httpx.AsyncClient
FILTER = "filter=" + json.dumps({"v": {"$gte": 0}})
NDJSON = {"Content-Type": "application/x-ndjson"}
DOCUMENT = {"at": "2026-01-31T12:00:00.000Z", "of": "x", "v": 1}
QUICK = 5.0

KINDS: dict[str, dict[str, Any]] = {
    "view": {"viewOn": "elsewhere", "pipeline": []},
    "timeseries": {"timeseries": {"timeField": "at", "metaField": "of"}},
    "capped": {"capped": True, "size": 65536},
    "clustered": {"clusteredIndex": {"key": {"_id": 1}, "unique": True}},
    "collated": {"collation": {"locale": "en", "strength": 2}},
    "validated": {"validator": {"$jsonSchema": {"required": ["v"]}}},
}
ID = "6751f0c0a1b2c3d4e5f60718"
WRITES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "insert": ("POST", "", {"json": DOCUMENT}),
    "insert many": ("POST", "", {"json": [DOCUMENT, DOCUMENT]}),
    "replace": ("PUT", f"/{ID}", {"json": DOCUMENT}),
    "patch": ("PATCH", f"/{ID}", {"json": {"v": 2}}),
    "delete": ("DELETE", f"/{ID}", {}),
    "merge by filter": ("PATCH", f"?{FILTER}", {"json": {"v": 2}}),
    "delete by filter": ("DELETE", f"?{FILTER}", {}),
    "delete some": ("DELETE", f"?{FILTER}", {"headers": {"Prefer": "max-affected=10"}}),
    "bulk": ("POST", ":bulk", {"json": [{"op": "insert", "document": DOCUMENT}]}),
    "bulk atomic": ("POST", ":bulk?mode=atomic", {"json": [{"op": "insert", "document": DOCUMENT}]}),
    "ingest": ("POST", ":ingest", {"content": json.dumps(DOCUMENT), "headers": NDJSON}),
    "contract": ("PUT", ":contract", {"json": {"schema": {"type": "object"}}}),
    "mirrored contract": ("PUT", ":contract", {"json": {"schema": {"type": "object"}, "mirror": True}}),
    "indexes": ("PUT", ":indexes", {"json": {"indexes": [{"keys": {"v": 1}}]}}),
    "replay": ("POST", ":replay", {"json": {"all": True}}),
}
REFUSED = {
    "view": set(WRITES),
    "timeseries": {"replace", "patch", "delete", "merge by filter", "delete by filter", "delete some", "bulk atomic",
                   "ingest", "replay", "mirrored contract"},
    "capped": {"merge by filter", "delete some", "bulk atomic", "ingest", "replay"},
    "validated": {"mirrored contract"},
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("write", WRITES)
async def test_works_or_is_refused_at_once(
    client: Client, store: Store, collection: str, kind: str, write: str
) -> None:
    await store.connection.database.command("create", collection, **KINDS[kind])
    if kind not in ("view", "timeseries"):
        await store.connection.collection(collection).insert_one({**DOCUMENT, "v": 3})
    if write in ("patch", "delete") and kind not in ("view", "timeseries"):
        assert (await client.put(f"/v1/{collection}/{ID}", json=DOCUMENT)).status_code == 201
    method, path, request = WRITES[write]
    began = time.monotonic()
    answer = await client.request(method, f"/v1/{collection}{path}", **request)
    assert time.monotonic() - began < QUICK
    if write in REFUSED.get(kind, ()):
        assert 400 <= answer.status_code < 500, answer.text
        assert "(code " not in answer.text
    else:
        assert answer.is_success, answer.text


async def test_a_time_series_takes_documents(client: Client, store: Store, collection: str) -> None:
    await store.connection.database.command("create", collection, **KINDS["timeseries"])
    await stored(client, collection, DOCUMENT, {**DOCUMENT, "at": "2026-02-01T00:00:00Z"})
    found = items(await client.get(f"/v1/{collection}?at[gte]=2026-02-01T00:00:00Z&fields=at"))
    assert [each["at"] for each in found] == ["2026-02-01T00:00:00.000Z"]
    problem = refusal(await client.post(f"/v1/{collection}", json={"of": "x"}), 422, "invalid-document")
    assert [fault["pointer"] for fault in problem["faults"]] == ["/at"]
    shown = items(await client.get(f"/v1/{collection}"))
    assert (await client.get(f"/v1/{collection}/{shown[0]['_id']}")).json() == shown[0]


async def test_a_transaction_is_refused(client: Client, store: Store, collection: str) -> None:
    await store.connection.database.command("create", collection, **KINDS["capped"])
    operation = {"op": "insert", "collection": collection, "document": {"v": 1}}
    answer = await client.post("/v1:transaction", json={"operations": [operation]})
    problem = refusal(answer, 422, "operation-failed")
    assert problem["cause"]["code"] == "query-refused"


class TestCollation:
    async def test_ids_have_one_answer(self, client: Client, store: Store, collection: str) -> None:
        await store.connection.database.command("create", collection, **KINDS["collated"])
        await store.connection.collection(collection).insert_one({"_id": "Bob", "n": 1})
        at = f"/v1/{collection}/bob"
        assert (await client.get(at)).json() == {"_id": "Bob", "n": 1}
        refusal(await client.post(f"/v1/{collection}", json={"_id": "bob"}), 409, "unique-violation")
        put = await client.put(at, json={"n": 2})
        assert (put.status_code, put.json()) == (200, {"_id": "Bob", "n": 2})
        patched = await client.patch(at, json={"n": 3}, headers={"If-Match": put.headers["etag"]})
        assert patched.json() == {"_id": "Bob", "n": 3}
        refusal(await client.patch(at, json={"n": 4}, headers={"If-Match": '"x"'}), 412, "precondition-failed")
        assert (await client.delete(at)).status_code == 204
        refusal(await client.get(at), 404, "document-not-found")

    @pytest.mark.parametrize("default", [True, False])
    @pytest.mark.parametrize("own_id", [{"_id": "b"}, {"_id": "a"}])
    async def test_keys_under_it_are_violated_at_once(
        self, client: Client, store: Store, collection: str, own_id: dict[str, str], *, default: bool
    ) -> None:
        options = KINDS["collated"]
        await store.connection.database.command("create", collection, **(options if default else {}))
        held = store.connection.collection(collection)
        await held.create_index("email", unique=True, **options)
        await held.insert_one({"_id": "a", "email": "Bob@x"})
        operation = {"op": "upsert", "document": {**own_id, "email": "bob@x"}}
        began = time.monotonic()
        answer = await client.post(f"/v1/{collection}:bulk?on=email", json=[operation])
        assert time.monotonic() - began < QUICK
        [outcome] = answer.json()["items"]
        assert (outcome["outcome"], outcome["problem"]["code"]) == ("failed", "unique-violation")


class TestOddOne:
    """A document whose id is of another type, which another program added while Sheaf runs."""

    @pytest.mark.parametrize("first", [None, "before", "after"])
    async def test_changes_the_address_of_no_other(
        self, client: Client, store: Store, collection: str, first: str | None
    ) -> None:
        held = store.connection.collection(collection)
        if first is None:  # Sheaf made the collection
            await stored(client, collection, {"n": 1})
        else:
            await held.insert_one({"n": 1})
        if first == "after":  # Sheaf has seen it
            assert len(items(await client.get(f"/v1/{collection}"))) == 1
        await held.insert_many([{"_id": "config", "n": 2}, {"_id": 7, "n": 3}])
        old = str((await held.find_one({"n": 1}) or {})["_id"])
        for shown, n in ((old, 1), ("config", 2), (7, 3)):
            at = f"/v1/{collection}/{shown}"
            assert (await client.get(at)).json() == {"_id": shown, "n": n}
            assert (await client.put(at, json={"n": n})).status_code == 200
            assert (await client.patch(at, json={"n": n})).status_code == 200
        assert (await client.post(f"/v1/{collection}", json={"n": 4})).status_code == 201
        assert await held.count_documents({}) == 4
        for shown in (old, "config", 7):
            assert (await client.delete(f"/v1/{collection}/{shown}")).status_code == 204
        assert await held.count_documents({}) == 1

    async def test_no_two_share_an_address(self, client: Client, store: Store, collection: str) -> None:
        held = store.connection.collection(collection)
        await held.insert_many([{"_id": 5}, {"_id": "x"}])
        refusal(await client.post(f"/v1/{collection}", json={"_id": "5"}), 409, "unique-violation")
        assert (await client.put(f"/v1/{collection}/5", json={"n": 1})).json() == {"_id": 5, "n": 1}
        assert await held.count_documents({}) == 2
