"""Declared collections: the sample shop, and the traps of Beanie that Sheaf must not fall into."""

import asyncio
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx
import pytest
import pytest_asyncio
from bson import Decimal128, ObjectId

from documents.lifecycle import Store
from tests.api.answers import faults, ids, items, refusal

Client = httpx.AsyncClient
UPDATE = {"Content-Type": "application/vnd.sheaf.update+json"}
JSON_PATCH = {"Content-Type": "application/json-patch+json"}
MUG = {"sku": "MUG", "name": "Mug", "price": "9.90"}
PUSH = {"$push": {"tags": 5}}
STORED_MUG: dict[str, Any] = {**MUG, "description": "", "tags": [], "stock": 0, "attributes": {}}

pytestmark = pytest.mark.usefixtures("products", "orders")


@pytest_asyncio.fixture
async def orders(store: Store) -> Any:
    yield "orders"
    for name in ("orders", "customers", "carts"):
        await store.connection.collection(name).delete_many({})


@pytest_asyncio.fixture
async def mug(client: Client) -> str:
    response = await client.post("/v1/products", json=MUG)
    return response.headers["location"]


class TestInsert:
    async def test_anonymous(self, client: Client) -> None:
        response = await client.post("/v1/products", json=MUG)
        assert response.status_code == 201
        assert response.json() == {"_id": response.json()["_id"], **STORED_MUG}

    @pytest.mark.parametrize(
        ("change", "expected"),
        [
            ({"price": "x"}, {("/price", "decimal-parsing")}),
            ({"price": -1}, {("/price", "greater-than-equal")}),
            ({"price": "1.001"}, {("/price", "decimal-max-places")}),
            ({"price": None, "name": 5}, {("/price", "decimal-type"), ("/name", "string-type")}),
            ({"stock": 1.5}, {("/stock", "int-from-float")}),
            ({"tags": ["a", 1]}, {("/tags/1", "string-type")}),
            ({"tags": "a"}, {("/tags", "list-type")}),
            ({"colour": "blue", "a/b": 1}, {("/colour", "unknown-field"), ("/a~1b", "unknown-field")}),
            ({"id": str(ObjectId())}, {("/id", "unknown-field")}),
            ({"revision_id": "8a8f0a5e-2b7c-4c2d-9a63-1f0e5d4c3b2a"}, {("/revision_id", "unknown-field")}),
            ({"_id": "x"}, None),
            ({"_id": 5}, None),
        ],
    )
    async def test_refuses(self, client: Client, change: dict[str, Any], expected: set[tuple[str, str]] | None) -> None:
        response = await client.post("/v1/products", json={**MUG, **change})
        assert response.status_code == 422, response.text
        assert faults(response) == expected or (
            expected is None and {where for where, _ in faults(response)} == {"/_id"}
        )
        assert ids(await client.get("/v1/products")) == []

    async def test_names_every_missing_field(self, client: Client) -> None:
        response = await client.post("/v1/products", json={})
        assert faults(response) == {("/sku", "missing"), ("/name", "missing"), ("/price", "missing")}

    async def test_a_client_may_choose_the_id_once(self, client: Client) -> None:
        chosen = str(ObjectId())
        assert (await client.post("/v1/products", json={**MUG, "_id": chosen})).json()["_id"] == chosen
        again = await client.post("/v1/products", json={**MUG, "_id": chosen, "sku": "OTHER"})
        assert refusal(again, 409, "unique-violation")["fields"] == ["_id"]

    async def test_unique(self, client: Client, mug: str) -> None:
        again = await client.post("/v1/products", json={**MUG, "name": "Another"})
        assert refusal(again, 409, "unique-violation")["fields"] == ["sku"]
        assert (await client.get(mug)).json()["name"] == "Mug"

    @pytest.mark.parametrize("price", ["19.90", "0", "0.10", "9999999999.99", 19.9, 7, "1e2"])
    async def test_decimals_are_exact(self, client: Client, store: Store, price: object) -> None:
        created = await client.post("/v1/products", json={**MUG, "price": price})
        assert Decimal(created.json()["price"]) == Decimal(str(price))
        assert isinstance(created.json()["price"], str)
        read = await client.get(created.headers["location"])
        assert read.json() == created.json()
        stored = await store.connection.collection("products").find_one({"sku": "MUG"})
        assert stored is not None
        assert isinstance(stored["price"], Decimal128)

    async def test_null_is_not_the_default(self, client: Client, store: Store) -> None:
        for name in ("stock", "tags", "attributes", "description"):
            response = await client.post("/v1/products", json={**MUG, name: None})
            refusal(response, 422, "invalid-document")
        customer = {"email": "ada@example.com", "name": "Ada", "location": None}
        assert (await client.post("/v1/customers", json=customer)).json()["location"] is None
        stored = await store.connection.collection("customers").find_one()
        assert stored is not None
        assert stored["location"] is None

    async def test_dates(self, client: Client, store: Store) -> None:
        customer = str(ObjectId())
        order: dict[str, Any] = {"customer_id": customer, "lines": [{"sku": "MUG", "quantity": 2, "price": "9.90"}]}
        created = await client.post("/v1/orders", json={**order, "created_at": "2026-01-31T13:00:00.1239+01:00"})
        assert created.status_code == 201, created.text
        assert created.json()["created_at"] == "2026-01-31T12:00:00.123Z"
        stored = await store.connection.collection("orders").find_one()
        assert stored is not None
        assert stored["created_at"].replace(tzinfo=UTC) == datetime(2026, 1, 31, 12, 0, 0, 123000, tzinfo=UTC)
        assert stored["customer_id"] == ObjectId(customer)
        naive = await client.post("/v1/orders", json={**order, "created_at": "2026-01-31T13:00:00"})
        assert faults(naive) == {("/created_at", "timezone-aware")}

    async def test_several_have_their_outcomes(self, client: Client) -> None:
        bodies = [MUG, {**MUG, "name": ""}, {**MUG, "sku": "B"}, MUG]
        response = await client.post("/v1/products", json=bodies)
        assert [item["status"] for item in items(response)] == [201, 422, 201, 409]


class TestGet:
    async def test_anonymous(self, client: Client, mug: str) -> None:
        assert (await client.get(mug)).json() == {"_id": mug.rsplit("/", 1)[1], **STORED_MUG}

    @pytest.mark.parametrize("bad", ["x", "5", "6751f0c0a1b2c3d4e5f60718", "%7B%22$oid%22:1%7D", "null"])
    @pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
    async def test_a_bad_id_is_not_found(self, client: Client, method: str, bad: str) -> None:
        body: dict[str, str] | None = {} if method == "PATCH" else None
        refusal(await client.request(method, f"/v1/products/{bad}", json=body), 404, "document-not-found")

    @pytest.mark.parametrize(
        "query",
        ["price=9.90", "price[lt]=9.91", 'filter={"price":{"$lte":"9.9"}}', 'filter={"price":9.9}', "sku[in]=MUG,5",
         "stock[lt]=1", "q=mug", "_id[exists]=true"],
    )  # fmt: skip
    async def test_filters_read_declared_types(self, client: Client, mug: str, query: str) -> None:
        assert ids(await client.get(f"/v1/products?{query}")) == [mug.rsplit("/", 1)[1]]

    @pytest.mark.parametrize("query", ["price=x", "stock=x", "_id=x"])
    async def test_refuses_what_the_type_cannot_be(self, client: Client, query: str) -> None:
        refusal(await client.get(f"/v1/products?{query}"), 400, "invalid-parameter")

    async def test_by_date_and_reference(self, client: Client) -> None:
        customer = str(ObjectId())
        order = {"customer_id": customer, "lines": [{"sku": "MUG", "quantity": 2, "price": "9.90"}]}
        for day in (1, 2, 3):
            await client.post("/v1/orders", json={**order, "created_at": f"2026-01-0{day}T00:00:00Z"})
        params = {"created_at[gte]": "2026-01-02T00:00:00Z", "customer_id": customer, "sort": "-created_at"}
        listed = items(await client.get("/v1/orders", params=params))
        assert [item["created_at"][:10] for item in listed] == ["2026-01-03", "2026-01-02"]

    async def test_text_search_pages_by_score(self, client: Client) -> None:
        for n in range(5):
            await client.post("/v1/products", json={**MUG, "sku": f"S{n}", "name": "mug " * (n + 1)})
        first = await client.get("/v1/products?q=mug&limit=2")
        assert len(items(first)) == 2
        seen, address = ids(first), first.links["next"]["url"]
        while address:
            page = await client.get(address)
            seen += ids(page)
            address = page.links.get("next", {}).get("url")
        assert (len(seen), len(set(seen))) == (5, 5)

    async def test_near(self, client: Client) -> None:
        berlin = {"type": "Point", "coordinates": [13.405, 52.52]}
        body = {"email": "ada@example.com", "name": "Ada", "location": berlin}
        assert (await client.post("/v1/customers", json=body)).status_code == 201
        assert len(items(await client.get("/v1/customers?location[near]=13.4,52.5,5000"))) == 1
        assert items(await client.get("/v1/customers?location[near]=2.3,48.8,5000")) == []
        assert len(items(await client.get("/v1/customers?location[within]=13,52,14,53"))) == 1


class TestChange:
    async def test_anonymous(self, client: Client, mug: str) -> None:
        assert (await client.patch(mug, json={"stock": 3})).json()["stock"] == 3

    @pytest.mark.parametrize(
        ("patch", "headers"),
        [
            ({"stock": -5}, {}),
            ({"price": "free"}, {}),
            ({"name": None}, {}),
            ({"colour": "blue"}, {}),
            ([{"op": "replace", "path": "/stock", "value": -5}], JSON_PATCH),
            ([{"op": "remove", "path": "/sku"}], JSON_PATCH),
            ({"$inc": {"stock": -5}}, UPDATE),
            ({"$set": {"colour": "blue"}}, UPDATE),
            ({"$unset": {"sku": ""}}, UPDATE),
            (PUSH, UPDATE),
            ({"$rename": {"name": "title"}}, UPDATE),
        ],
    )
    async def test_what_the_model_refuses_is_never_written(
        self, client: Client, mug: str, patch: object, headers: dict[str, str]
    ) -> None:
        etag = (await client.get(mug)).headers["etag"]
        response = await client.patch(mug, json=patch, headers=headers)
        refusal(response, 400 if patch == PUSH else 422, "invalid-patch" if patch == PUSH else "invalid-document")
        assert (await client.get(mug)).headers["etag"] == etag
        # Nor by a filter, where another would be good.
        await client.post("/v1/products", json={**MUG, "sku": "MANY", "stock": 50})
        many = await client.patch("/v1/products?stock[lt]=99", json=patch, headers=headers)
        assert many.status_code in (400, 409, 422), many.text  # 409: two without an sku are not unique, either
        assert (await client.get(mug)).headers["etag"] == etag

    @pytest.mark.parametrize(
        ("update", "path", "expected"),
        [
            ({"$set": {"price": "12.50"}}, "price", "12.50"),
            ({"$inc": {"stock": 2}}, "stock", 2),
            ({"$push": {"tags": "new"}}, "tags", ["new"]),
            ({"$set": {"attributes.ml": 350}}, "attributes", {"ml": 350}),
            ({"$unset": {"stock": ""}}, "stock", 0),
        ],
    )
    async def test_operators(
        self, client: Client, store: Store, mug: str, *, update: dict[str, Any], path: str, expected: object
    ) -> None:
        response = await client.patch(mug, json=update, headers=UPDATE)
        assert response.json()[path] == expected
        assert (await client.get(mug)).headers["etag"] == response.headers["etag"]
        stored = await store.connection.collection("products").find_one()
        assert stored is not None
        assert isinstance(stored["price"], Decimal128)

    async def test_unknown_stored_fields_survive(self, client: Client, store: Store, mug: str) -> None:
        products = store.connection.collection("products")
        await products.update_one({"sku": "MUG"}, {"$set": {"legacy": {"a": [1]}, "attributes.x": 1}})
        await client.patch(mug, json={"stock": 1})
        await client.patch(mug, json=[{"op": "replace", "path": "/stock", "value": 2}], headers=JSON_PATCH)
        await client.patch(mug, json={"$inc": {"stock": 1}}, headers=UPDATE)
        await client.patch("/v1/products?sku=MUG", json={"stock": 4})
        await client.post("/v1/products:bulk?on=sku", json=[{"op": "merge", "document": {"sku": "MUG", "stock": 5}}])
        read = (await client.get(mug)).json()
        assert (read["legacy"], read["attributes"], read["stock"]) == ({"a": [1]}, {"x": 1}, 5)
        # A new document in its place is a new document.
        assert "legacy" not in (await client.put(mug, json=MUG)).json()

    async def test_put_is_validated(self, client: Client, mug: str) -> None:
        etag = (await client.get(mug)).headers["etag"]
        refusal(await client.put(mug, json={"sku": "MUG"}), 422, "invalid-document")
        assert (await client.get(mug)).headers["etag"] == etag
        refusal(await client.put("/v1/products/x", json=MUG), 422, "invalid-id")

    async def test_the_id_is_not_for_assignment(self, client: Client, mug: str) -> None:
        other = str(ObjectId())
        refusal(await client.patch(mug, json={"_id": other}), 422, "invalid-document")
        refusal(await client.put(mug, json={**MUG, "_id": other}), 422, "invalid-document")
        refusal(await client.patch(mug, json={"id": other}), 422, "invalid-document")
        refusal(await client.patch(mug, json={"$set": {"_id": other}}, headers=UPDATE), 400, "invalid-patch")
        patch = [{"op": "replace", "path": "/_id", "value": other}]
        refusal(await client.patch(mug, json=patch, headers=JSON_PATCH), 400, "invalid-patch")

    async def test_unique_on_change(self, client: Client, mug: str) -> None:
        await client.post("/v1/products", json={**MUG, "sku": "OTHER"})
        for patch, headers in (({"sku": "OTHER"}, {}), ({"$set": {"sku": "OTHER"}}, UPDATE)):
            response = await client.patch(mug, json=patch, headers=headers)
            assert refusal(response, 409, "unique-violation")["fields"] == ["sku"]

    async def test_integers_beyond_int64(self, client: Client, mug: str) -> None:
        await client.patch(mug, json={"stock": 2**63 - 1})
        response = await client.patch(mug, json={"$inc": {"stock": 1}}, headers=UPDATE)
        assert response.status_code in (409, 422)
        refusal(response, response.status_code, response.json()["code"])


class TestUpsertRaces:
    async def test_fifty_at_once_leave_one(self, client: Client) -> None:
        async def upsert(n: int) -> httpx.Response:
            operation = {"op": "upsert", "document": {**MUG, "stock": n}}
            return await client.post("/v1/products:bulk?on=sku", json=[operation])

        answers = await asyncio.gather(*map(upsert, range(50)))
        assert {answer.status_code for answer in answers} <= {200, 201}, [answer.text for answer in answers]
        assert len(ids(await client.get("/v1/products"))) == 1
        assert sum(items(answer)[0]["outcome"] == "created" for answer in answers) == 1

    async def test_fifty_puts_at_once_leave_one(self, client: Client) -> None:
        chosen = str(ObjectId())
        puts = (client.put(f"/v1/products/{chosen}", json={**MUG, "stock": n}) for n in range(50))
        statuses = [answer.status_code for answer in await asyncio.gather(*puts)]
        assert sorted(statuses) == [200] * 49 + [201]
        assert ids(await client.get("/v1/products")) == [chosen]
