"""Every value that a list shows can be asked for, and no value of a parameter or a body gives a 500."""

import json
from datetime import datetime
from typing import Any
from uuid import UUID

import httpx
import pytest
from bson import Binary, Decimal128, Int64, ObjectId

from documents.lifecycle import Store
from documents.query.filter.parameters import parse_parameters
from tests.api.answers import faults, ids, refusal

Client = httpx.AsyncClient
HEX, UUID_TEXT, MOMENT = "65920080090dc4cfcb0320c3", "73ffd264-44b3-4c69-90e8-e7d1dfc035d4", "2026-01-01T00:00:00.000Z"
VALUES: list[Any] = [ObjectId(HEX), Binary.from_uuid(UUID(UUID_TEXT)), datetime(2026, 1, 1)]  # noqa: DTZ001  # as stored
SHOWN = [HEX, UUID_TEXT, MOMENT]

AWKWARD = [
    "1e7000", "1" * 39, "-1e7000", "9" * 400, "1e308", "1e-7000", "NaN", "Infinity", "9223372036854775808",
    "-9223372036854775809", UUID_TEXT, HEX, MOMENT, "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59",
    "10000-01-01T00:00:00Z", "\ufffd", "\0", "null", "true", '"x"', "{}", "[]", "",
]  # fmt: skip
OPERATORS = [
    "eq",
    "ne",
    "gt",
    "gte",
    "lt",
    "lte",
    "in",
    "nin",
    "all",
    "exists",
    "regex",
    "size",
    "elemMatch",
    "near",
    "within",
]
FIELDS = ["_id", "price", "stock", "created_at", "sku", "attributes.x", "free"]


class TestShownValues:
    @pytest.mark.parametrize(("value", "shown"), list(zip(VALUES, SHOWN, strict=True)))
    async def test_found_by_what_is_shown(
        self, client: Client, store: Store, collection: str, value: Any, shown: str
    ) -> None:
        await store.connection.collection(collection).insert_many(
            [{"_id": 1, "a": value}, {"_id": 2, "a": shown}, {"_id": 3, "a": "other"}, {"_id": 4, "a": [value]}]
        )
        url = f"/v1/{collection}?sort=_id&"
        assert ids(await client.get(f"{url}a={shown}")) == [1, 2, 4]
        assert ids(await client.get(f"{url}a[in]={shown},x")) == [1, 2, 4]
        assert ids(await client.get(f"{url}a[ne]={shown}")) == [3]
        assert ids(await client.get(f"{url}a[nin]={shown}")) == [3]
        assert ids(await client.get(f"{url}a[gte]={shown}&a[lte]={shown}")) == [1, 2, 4]
        assert ids(await client.get(f"{url}a[gt]={shown}&a[lt]={shown}")) == []
        assert ids(await client.get(f"{url}a={shown}", headers={"Prefer": "types=literal"})) == [2]
        asked = {"filter": {"a": {"$not": {"$lte": shown}}}, "sort": "_id"}
        answered = await client.post(f"/v1/{collection}:query", json=asked)
        assert ids(answered) == [3]
        counted = await client.post(f"/v1/{collection}:count", json={"filter": {"a": shown}})
        assert counted.json()["count"] == 3
        deleted = await client.delete(f"/v1/{collection}?a={shown}")
        assert deleted.json() == {"matched": 3, "deleted": 3}

    @pytest.mark.parametrize(
        "asked", [f"a[gte]={MOMENT}&a[lt]=2026-02-01T00:00:00Z", f"a={MOMENT}", f"a[in]={MOMENT},x"]
    )
    async def test_an_index_serves_both_forms(self, store: Store, client: Client, collection: str, asked: str) -> None:
        raw = store.connection.collection(collection)
        await raw.insert_many([{"a": datetime(2026, 1 + n % 12, 1)} for n in range(1200)])  # noqa: DTZ001  # as stored
        await raw.create_index("a")
        found = await client.get(f"/v1/{collection}?{asked}&limit=1000")
        assert len(found.json()["items"]) == 100
        pairs = [tuple(each.split("=")) for each in asked.split("&")]
        query = parse_parameters(pairs, lambda _: None).to_mongo()  # pyright: ignore[reportArgumentType]  # pairs
        explained = await raw.find(query).explain()
        assert explained["executionStats"]["totalDocsExamined"] == 100
        assert explained["executionStats"]["totalKeysExamined"] <= 110


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize("field", FIELDS)
async def test_no_parameter_gives_a_500(client: Client, field: str, operator: str) -> None:
    for text in AWKWARD:
        answered = await client.get("/v1/products", params={f"{field}[{operator}]": text, "limit": "1"})
        assert answered.status_code in (200, 400), (text, answered.text)
        if answered.status_code == 400:
            refusal(answered, 400, "invalid-parameter")
            assert {pointer for pointer, _ in faults(answered)} == {f"?{field}[{operator}]"}


BODIES = [
    '"1e7000"', '"-1e7000"', f'"{"1" * 39}"', '"NaN"', '"Infinity"', '"sNaN"', "1e308", "-0.0", "9223372036854775807",
    "9223372036854775808", "1e400", '"\\ud800"', f'"{UUID_TEXT}"', f'"{HEX}"', '"0001-01-01T00:00:00+23:59"',
    '"9999-12-31T23:59:59-23:59"', '"\\u0000"', "null", "true", "[]", "{}", '{"$date": {"$numberLong": "9223372036854775807"}}',
    '{"$numberDecimal": "1e7000"}', '{"$numberDouble": "NaN"}', '{"$minKey": 1}', '{"$timestamp": {"t": 0, "i": 0}}',
]  # fmt: skip
PLACES = ["insert", "put", "merge", "json-patch", "update", "inc", "query", "aggregate", "bulk", "filter"]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("field", ["price", "stock", "created_at", "sku", "attributes"])
async def test_no_body_gives_a_500(client: Client, products: str, place: str, field: str) -> None:
    made = await client.post(f"/v1/{products}", json={"sku": "X", "name": "x", "price": "1.00"})
    one = f"/v1/{products}/{made.json()['_id']}"
    for value in BODIES:
        answered = await _send(client, one, place, field=field, value=value)
        assert answered.status_code < 500, (value, answered.text)
        if answered.status_code in (400, 422) and answered.json()["code"] != "malformed-json":
            assert answered.json()["faults"], (value, answered.text)


async def _send(client: Client, one: str, place: str, *, field: str, value: str) -> httpx.Response:
    collection = one.split("/")[2]
    document = f'{{"sku": "X", "name": "x", "price": "1.00", "{field}": {value}}}'
    if field in ("sku", "price"):
        document = document.replace(f'"{field}": "X", ', "").replace(f'"{field}": "1.00", ', "")
    ejson, update = "application/ejson", "application/vnd.sheaf.update+json"
    query = json.dumps
    requests: dict[str, tuple[str, str, str, str]] = {
        "insert": ("POST", f"/v1/{collection}", ejson, document),
        "put": ("PUT", one, ejson, document),
        "merge": ("PATCH", one, ejson, f'{{"{field}": {value}}}'),
        "json-patch": (
            "PATCH", one, "application/json-patch+json", f'[{{"op": "add", "path": "/{field}", "value": {value}}}]',
        ),
        "update": ("PATCH", one, update, f'{{"$set": {{"{field}": {value}}}}}'),
        "inc": ("PATCH", one, update, f'{{"$inc": {{"{field}": {value}}}}}'),
        "query": ("POST", f"/v1/{collection}:query", ejson, f'{{"filter": {{"{field}": {value}}}}}'),
        "aggregate": (
            "POST", f"/v1/{collection}:aggregate", ejson, f'{{"pipeline": [{{"$match": {{"{field}": {{"$gt": {value}}}}}}}]}}',
        ),
        "bulk": ("POST", f"/v1/{collection}:bulk", ejson, f'[{{"op": "insert", "document": {document}}}]'),
        "filter": ("DELETE", f"/v1/{collection}?filter={query({field: 0}).replace('0', value)}", ejson, ""),
    }  # fmt: skip
    method, url, kind, body = requests[place]
    return await client.request(method, url, headers={"Content-Type": kind}, content=body)


async def test_numbers_keep_their_types_in_answers(client: Client, store: Store, collection: str) -> None:
    await store.connection.collection(collection).insert_one({"_id": 1, "n": Int64(5), "d": Decimal128("1E+3")})
    assert (await client.get(f"/v1/{collection}/1")).json() == {"_id": 1, "n": 5, "d": "1E+3"}
