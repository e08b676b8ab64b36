"""The profile of a collection over HTTP."""

import re
from base64 import b64encode
from hashlib import sha256
from typing import Any

import httpx
import pytest

from api.app import create_app
from documents.settings import Settings
from tests.api.answers import faults, refusal, stored
from tests.conftest import serving

Client = httpx.AsyncClient

MESSY: list[dict[str, Any]] = [
    {"sku": "A-1", "price": 5, "tags": ["red", "new"], "size": {"cm": 3}},
    {"sku": "A-2", "price": 5.5, "tags": [], "note": "secret words"},
    {"sku": "B-1", "price": "cheap", "tags": None, "<b>": True},
]


@pytest.fixture
async def messy(client: Client, collection: str) -> str:
    await stored(client, collection, *MESSY)
    return collection


async def profile_of(client: Client, collection: str, query: str = "") -> dict[str, Any]:
    response = await client.get(f"/v1/{collection}:schema{query}")
    assert response.status_code == 200, response.text
    return response.json()


def field(profile: dict[str, Any], path: str) -> dict[str, Any]:
    [found] = [each for each in profile["fields"] if each["path"] == path]
    return found


class TestGetSchema:
    async def test_anonymous(self, client: Client, messy: str) -> None:
        profile = await profile_of(client, messy)
        assert (profile["collection"], profile["documents"], profile["population"]) == (messy, 3, 3)
        assert profile["notes"][0] == "All 3 documents were looked at."
        assert field(profile, "price")["types"] == {"int": 1, "double": 1, "string": 1}
        assert (field(profile, "note")["present"], field(profile, "note")["missing"]) == (1, 2)

    async def test_no_value_is_told_unless_asked_for(self, client: Client, messy: str) -> None:
        for form in ("profile", "json-schema", "mongo", "contract", "html"):
            response = await client.get(f"/v1/{messy}:schema?format={form}")
            assert response.status_code == 200
            assert "secret words" not in response.text
            assert response.headers["cache-control"] == "no-store"
        asked = await profile_of(client, messy, "?examples=true")
        assert field(asked, "note")["examples"] == ['"secret words"']

    async def test_filters(self, client: Client, messy: str) -> None:
        assert (await profile_of(client, messy, "?price[gt]=5"))["documents"] == 1
        filtered = await profile_of(client, messy, '?filter={"sku": {"$regex": "^A"}}&note[exists]=false')
        assert (filtered["documents"], filtered["population"]) == (1, 1)
        assert (await profile_of(client, messy, "?sku=nothing"))["fields"] == []

    async def test_a_sample_says_that_it_is_one(self, client: Client, messy: str) -> None:
        profile = await profile_of(client, messy, "?sample=2")
        assert (profile["documents"], profile["population"]) == (2, 3)
        assert "2 of about 3 documents" in profile["notes"][0]

    async def test_schemas(self, client: Client, messy: str) -> None:
        schema = await profile_of(client, messy, "?format=json-schema")
        assert schema["title"] == messy
        assert schema["properties"]["sku"] == {"type": "string", "x-bsonType": "string"}
        assert "All 3 documents" in schema["description"]
        mongo = (await profile_of(client, messy, "?format=mongo"))["$jsonSchema"]
        assert mongo["properties"]["price"] == {"bsonType": ["double", "int", "string"]}
        assert "All 3 documents" in mongo["description"]

    async def test_the_contract_can_be_set_and_takes_what_was_seen(self, client: Client, messy: str) -> None:
        contract = await profile_of(client, messy, "?format=contract")
        for mode in ("evolve", "freeze"):
            body = {**contract, "fields": mode, "types": mode, "required": mode}
            put = await client.put(f"/v1/{messy}:contract", json=body)
            assert put.is_success, put.text
            for document in MESSY:
                assert (await client.post(f"/v1/{messy}", json=document)).status_code == 201
        refusal(await client.post(f"/v1/{messy}", json={**MESSY[0], "sku": 5}), 422, "invalid-document")

    async def test_the_page_allows_nothing_but_its_style(self, client: Client, messy: str) -> None:
        response = await client.get(f"/v1/{messy}:schema?format=html", headers={"Accept": "text/html"})
        assert response.headers["content-type"] == "text/html; charset=utf-8"
        policy = response.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        [style] = re.findall("<style>(.*?)</style>", response.text, re.DOTALL)
        assert f"'sha256-{b64encode(sha256(style.encode()).digest()).decode()}'" in policy
        assert "<b>" not in response.text
        assert "&lt;b&gt;" in response.text
        assert "style=" not in response.text

    async def test_absent(self, client: Client, collection: str) -> None:
        refusal(await client.get(f"/v1/{collection}:schema"), 404, "collection-not-found")

    @pytest.mark.parametrize(
        ("query", "parameter"),
        [
            ("format=table", "format"), ("sample=0", "sample"), ("sample=10001", "sample"), ("sample=x", "sample"),
            ("examples=yes", "examples"), ("sort=a", "sort"), ("limit=5", "limit"), ("format=mongo&format=mongo", "format"),
        ],
    )  # fmt: skip
    async def test_refuses(self, client: Client, messy: str, query: str, parameter: str) -> None:
        response = await client.get(f"/v1/{messy}:schema?{query}")
        refusal(response, 400, "invalid-parameter")
        assert {pointer for pointer, _ in faults(response)} == {f"?{parameter}"}

    async def test_refuses_filters_that_run_code(self, client: Client, messy: str) -> None:
        refusal(await client.get(f'/v1/{messy}:schema?filter={{"$where": "1"}}'), 400, "invalid-filter")

    async def test_declared(self, client: Client, products: str) -> None:
        await stored(
            client, products, {"sku": "P-1", "name": "A", "price": "5.00"}, {"sku": "P-2", "name": "B", "price": "7"}
        )
        profile = await profile_of(client, products, "?price[gte]=6.00")
        assert profile["documents"] == 1
        assert field(profile, "price")["types"] == {"decimal": 1}

    async def test_read_only(self, settings: Settings, messy: str) -> None:
        async with serving(create_app(settings.model_copy(update={"read_only": True}))) as reader:
            assert (await profile_of(reader, messy))["documents"] == 3

    async def test_openapi(self, client: Client) -> None:
        document = (await client.get("/openapi.json")).json()
        operation = document["paths"]["/v1/products:schema"]["get"]
        assert set(operation["responses"]["200"]["content"]) == {"application/json", "text/html"}
        named = {each["$ref"].rpartition("/")[2] for each in operation["parameters"] if "$ref" in each}
        assert {"schema-format", "sample", "examples", "filter"} <= named
