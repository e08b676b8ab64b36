"""The OpenAPI document: valid, complete, and true to what the server does."""

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import validate
from pydantic import BaseModel

from api.openapi.document import build_openapi
from api.routes import ROUTES
from documents.catalog.catalog import CollectionSummary
from documents.lifecycle import Store
from documents.query import update
from documents.query.filter import operands
from documents.query.pipeline import aggregate
from documents.types import IdType

Json = dict[str, Any]
MUG = {"sku": "MUG-BLUE", "name": "Blue mug", "price": "19.90", "attributes": {"ml": 350}}


@pytest.fixture
async def document(client: httpx.AsyncClient) -> Json:
    response = await client.get("/openapi.json")
    assert response.status_code == 200
    return response.json()


def _operations(document: Json) -> Iterator[tuple[str, str, Json]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def _references(document: Json) -> set[str]:
    return set(re.findall(r'"\$ref": ?"([^"]+)"', json.dumps(document)))


def _resolved(document: Json, node: Json) -> Json:
    while "$ref" in node:
        _, kind, name = node["$ref"].removeprefix("#/").split("/")
        node = document["components"][kind][name]
    return node


def _is_valid(document: Json, schema: Json, value: object) -> bool:
    # The root takes the components along, so that references lead somewhere.
    whole = {"allOf": [schema], "components": document["components"]}
    return OAS31Validator(whole).is_valid(value)


def _input(document: Json, value: object, name: str = "ProductInput") -> bool:
    return _is_valid(document, {"$ref": f"#/components/schemas/{name}"}, value)


async def test_references_lead_somewhere(document: Json) -> None:
    for reference in _references(document):
        _, kind, name = reference.removeprefix("#/").split("/")
        assert name in document["components"][kind]
    assert "$defs" not in str(document)


async def test_operation_ids_are_unique_and_stable(document: Json) -> None:
    found = [operation["operationId"] for _, _, operation in _operations(document)]
    assert len(set(found)) == len(found)
    assert all(re.fullmatch(r"[a-z][A-Za-z0-9_]*", each) for each in found)
    assert document["paths"]["/v1/products"]["get"]["operationId"] == "listProducts"
    assert document["paths"]["/v1/products/{id}"]["get"]["operationId"] == "getProduct"


@pytest.mark.parametrize("collection", ["products", "customers", "orders", "carts", "{collection}"])
async def test_collection_has_every_operation(document: Json, collection: str) -> None:
    for route in (route for route in ROUTES if route.is_described):
        path = route.address.replace("{collection}", collection)
        assert route.method.lower() in document["paths"][path]


async def test_path_parameters_are_declared(document: Json) -> None:
    for path, _, operation in _operations(document):
        declared = [_resolved(document, each) for each in operation.get("parameters", ())]
        in_path = [each["name"] for each in declared if each["in"] == "path"]
        assert sorted(in_path) == sorted(re.findall(r"{(\w+)}", path))
        assert all(each["required"] for each in declared if each["in"] == "path")


async def test_is_valid_with_a_flexible_collection_in_it(client: httpx.AsyncClient, collection: str) -> None:
    collection = f"A{collection}"  # among the first by name, which are those that get paths of their own
    await client.post(f"/v1/{collection}", json={"_id": "a", "x": 1})
    described = (await client.get("/openapi.json?collections=all")).json()
    assert described["openapi"].startswith("3.1.")
    validate(described)
    body = described["paths"][f"/v1/{collection}"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert _is_valid(described, body, {"_id": "b", "anything": [1, {"goes": None}]})
    assert not _is_valid(described, body, {"anything": 1}), "its ids are strings, and none is made up"
    assert not _is_valid(described, body, {"_id": 5})
    assert not _is_valid(described, body, {"_id": "b", "a.b": 1})


async def test_flexible_collections_do_not_change_it(client: httpx.AsyncClient, store: Store, collection: str) -> None:
    before = (await client.get("/openapi.json")).content
    names = [f"A{collection}{number}" for number in range(100)]
    for name in names:
        assert (await client.post(f"/v1/{name}", json={})).status_code == 201
    assert (await client.get("/openapi.json")).content == before
    assert len((await client.get("/openapi.json?collections=all")).content) > len(before)
    assert (await client.get("/openapi.json?collections=some")).status_code == 400
    for name in names:
        await store.connection.database.drop_collection(name)


VALID: list[Json] = [
    MUG,
    {**MUG, "_id": "65a1f0c2d4b5e6f708192a3b"},
    {**MUG, "price": 20},
    {**MUG, "price": "0.5", "stock": 3, "tags": ["a"]},
]
INVALID: list[Json] = [
    {},
    {**MUG, "_id": None},
    {**MUG, "_id": "short"},
    {**MUG, "price": "-1"},
    {**MUG, "price": "1.999"},
    {**MUG, "price": True},
    {**MUG, "stock": -1},
    {**MUG, "stock": 2**63},
    {**MUG, "colour": "blue"},
    {**MUG, "revision_id": None},
    {**MUG, "attributes": {"a.b": 1}},
    {**MUG, "attributes": {"deep": {"$set": 1}}},
    {**MUG, "tags": None},
]


@pytest.mark.parametrize("value", VALID, ids=str)
async def test_what_is_described_is_accepted(
    client: httpx.AsyncClient, document: Json, value: Json, products: str
) -> None:
    assert _input(document, value)
    response = await client.post(f"/v1/{products}", json=value)
    assert response.status_code == 201, response.text


@pytest.mark.parametrize("value", INVALID, ids=str)
async def test_what_is_not_described_is_refused(
    client: httpx.AsyncClient, document: Json, value: Json, products: str
) -> None:
    assert not _input(document, value)
    response = await client.post(f"/v1/{products}", json=value)
    assert response.status_code == 422, response.text


async def test_unknown_fields_are_refused_at_each_level(document: Json) -> None:
    home = {"street": "Torstraße 1", "city": "Berlin", "postal_code": "10119", "country": "DE"}
    ada = {"email": "ada@example.com", "name": "Ada", "addresses": [home]}
    assert _input(document, ada, "CustomerInput")
    assert not _input(document, {**ada, "addresses": [{**home, "floor": 3}]}, "CustomerInput")


async def test_answers_may_leave_out_all_but_the_id(document: Json) -> None:
    for name in ("Product", "Customer", "Order", "Cart"):
        assert document["components"]["schemas"][name]["required"] == ["_id"]
    for name in ("Address", "Line", "Point"):
        assert "required" not in document["components"]["schemas"][name]
        assert "additionalProperties" not in document["components"]["schemas"][name]


async def test_patch_asks_for_nothing_and_removes_with_null(document: Json) -> None:
    assert _input(document, {}, "ProductPatch")
    assert _input(document, {"stock": None}, "ProductPatch")
    assert not _input(document, {"sku": None}, "ProductPatch")
    assert not _input(document, {"colour": "blue"}, "ProductPatch")


async def test_fields_of_a_model_are_filters(document: Json) -> None:
    parameters = document["paths"]["/v1/products"]["get"]["parameters"]
    names = {_resolved(document, each)["name"] for each in parameters}
    assert {"price", "price[gte]", "price[lte]", "sku", "sku[in]", "tags", "q", "filter", "sort"} <= names
    assert "attributes" not in names
    without_text = document["paths"]["/v1/orders"]["get"]["parameters"]
    assert "q" not in {_resolved(document, each)["name"] for each in without_text}


STORIES: list[tuple[str, str, str, Json, int]] = [
    # method, path, operation's path, what is sent, status
    ("POST", "/v1/products", "/v1/products", {"json": MUG}, 201),
    ("POST", "/v1/products", "/v1/products", {"json": [{**MUG, "sku": "A"}, {**MUG, "sku": "A"}]}, 207),
    ("POST", "/v1/products", "/v1/products", {"content": b"{", "headers": {"content-type": "application/json"}}, 400),
    ("POST", "/v1/products", "/v1/products", {"content": b"{}"}, 415),
    ("POST", "/v1/products", "/v1/products", {"json": {}}, 422),
    ("GET", "/v1/products", "/v1/products", {}, 200),
    ("GET", "/v1/products?fields=name&limit=1", "/v1/products", {}, 200),
    ("GET", "/v1/products?limit=0", "/v1/products", {}, 400),
    ("GET", "/v1/products?price=cheap", "/v1/products", {}, 400),
    ("GET", "/v1/products?cursor=made-up", "/v1/products", {}, 400),
    ("GET", "/v1/products", "/v1/products", {"headers": {"accept": "image/png"}}, 406),
    ("GET", "/v1/nobody-made-it", "/v1/{collection}", {}, 404),
    ("DELETE", "/v1/products", "/v1/products", {}, 400),
    ("GET", "/v1/products/65a1f0c2d4b5e6f708192a3b", "/v1/products/{id}", {}, 404),
    ("PUT", "/v1/products/nonsense", "/v1/products/{id}", {"json": MUG}, 422),
    ("PATCH", "/v1/products/65a1f0c2d4b5e6f708192a3b", "/v1/products/{id}", {"json": {}}, 404),
    ("DELETE", "/v1/products/65a1f0c2d4b5e6f708192a3b", "/v1/products/{id}", {"headers": {"if-match": "*"}}, 412),
    ("POST", "/v1/products:query", "/v1/products:query", {"json": {"filter": {"$where": "1"}}}, 400),
    ("POST", "/v1/products:query", "/v1/products:query", {"json": {"sort": "-price", "fields": ["name"]}}, 200),
    ("POST", "/v1/products:count", "/v1/products:count", {"json": {}}, 200),
    ("POST", "/v1/products:count", "/v1/products:count", {"json": {"limit": 1}}, 422),
    ("POST", "/v1/products:aggregate", "/v1/products:aggregate", {"json": {"pipeline": [{"$limit": 1}]}}, 200),
    ("POST", "/v1/products:aggregate", "/v1/products:aggregate", {"json": {"pipeline": [{"$out": "x"}]}}, 400),
    ("POST", "/v1/products:bulk", "/v1/products:bulk", {"json": [{"op": "insert", "document": MUG}]}, 201),
    ("POST", "/v1/products:bulk", "/v1/products:bulk", {"json": [{"op": "jump"}]}, 207),
    ("POST", "/v1:transaction", "/v1:transaction", {"json": {"operations": [{"op": "jump"}]}}, 422),
    ("POST", "/v1:transaction", "/v1:transaction",
     {"json": {"operations": [{"op": "delete", "collection": "products", "id": "65a1f0c2d4b5e6f708192a3b"}]}}, 404),
    ("GET", "/v1", "/v1", {}, 200),
    ("GET", "/health/live", "/health/live", {}, 200),
    ("GET", "/health/ready", "/health/ready", {}, 200),
]  # fmt: skip


@pytest.mark.usefixtures("products")
@pytest.mark.parametrize("story", STORIES, ids=lambda story: f"{story[0]} {story[1]} {story[-1]}")
async def test_answer_is_as_described(
    client: httpx.AsyncClient, document: Json, story: tuple[str, str, str, Json, int]
) -> None:
    method, path, described, sent, status = story
    response = await client.request(method, path, **sent)
    assert response.status_code == status, response.text
    declared = _resolved(document, document["paths"][described][method.lower()]["responses"][str(status)])
    content = declared["content"][response.headers["content-type"]]
    assert _is_valid(document, content["schema"], response.json()), response.text
    if status >= 400:
        assert f"`{response.json()['code']}`" in declared["description"]


async def test_routes_of_a_user_are_described_too(store: Store) -> None:
    class Product(BaseModel):
        """Another one than the collection's."""

        volume: int

    app = FastAPI()

    @app.get("/volume/{sku}")
    def volume(sku: str) -> Product:
        return Product(volume=len(sku))

    @app.get("/hidden", include_in_schema=False)
    def hidden() -> None: ...

    described = build_openapi(app.router.routes, store.catalog.models.values(), [])
    validate(described)
    assert "/hidden" not in described["paths"]
    schema = described["paths"]["/volume/{sku}"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    assert set(_resolved(described, schema)["properties"]) == {"volume"}
    assert "sku" in described["components"]["schemas"]["Product"]["properties"]


async def test_collections_whose_names_meet_stay_apart(store: Store) -> None:
    awkward = [
        "product",
        "Product",
        "pro-duct",
        "pro_duct",
        "ProDuct",
        "filter",
        "documents",
        "order-",
        "x_",
        "x-",
        "X",
    ]
    summaries = [CollectionSummary(name, declared=False, id_type=kind, estimated_count=0)
                 for name, kind in zip(awkward, [*IdType, None, *IdType], strict=True)]  # fmt: skip
    described = build_openapi([], store.catalog.models.values(), summaries)
    validate(described)
    found = [operation["operationId"] for _, _, operation in _operations(described)]
    assert len(set(found)) == len(found)


async def test_languages_have_every_operator_that_is_read(document: Json) -> None:
    schemas = document["components"]["schemas"]
    assert set(schemas["Operators"]["properties"]) == {
        *operands.OPERATORS,
        "$not",
        "$all",
        "$elemMatch",
        "$regex",
        "$options",
    }
    assert set(schemas["Update"]["properties"]) == set(update.OPERATORS)
    assert set(schemas["Stage"]["properties"]) == {*aggregate.STAGES, *aggregate.FIRST_STAGES}


@pytest.mark.parametrize(
    ("name", "value", "fits"),
    [
        ("Filter", {"price": {"$gte": 10, "$lt": 20}, "$or": [{"a.b": None}, {"c": [1]}]}, True),
        ("Filter", {"place": {"$geoWithin": {"$centerSphere": [[13.4, 52.5], 0.1]}}}, True),
        ("Filter", {"$where": "1"}, False),
        ("Filter", {"a": {"$gt": 1, "b": 2}}, False),
        ("Update", {"$set": {"a.0": 1}, "$push": {"tags": {"$each": [1], "$slice": -3}}}, True),
        ("Update", {"a": 1}, False),
        ("JsonPatch", [{"op": "move", "from": "/a", "path": "/b~1c"}], True),
        ("JsonPatch", [{"op": "add", "path": "/a"}], False),
        ("JsonPatch", [{"op": "remove", "path": "a"}], False),
        (
            "Pipeline",
            [{"$match": {"a": 1}}, {"$group": {"_id": "$tags", "n": {"$sum": 1}}}, {"$sort": {"n": -1}}],
            True,
        ),
        ("Pipeline", [{"$out": "other"}], False),
        ("Pipeline", [{"$limit": 1, "$skip": 1}], False),
        ("ProductOperation", {"op": "patch", "id": "x", "update": {"$inc": {"stock": 1}}, "if_match": '"a"'}, True),
        ("ProductOperation", {"op": "patch", "id": "x"}, False),
        ("ProductOperation", {"op": "insert", "document": MUG, "collection": "products"}, False),
        ("TransactionOperation", {"op": "insert", "document": {"x": 1}, "collection": "notes"}, True),
        ("TransactionOperation", {"op": "insert", "document": {"x": 1}}, False),
        ("Sort", "-price,name", True),
        ("Sort", {"price": 2}, False),
        ("Fields", "-a,b", False),
    ],
)
async def test_language(document: Json, name: str, value: Any, fits: bool) -> None:  # noqa: FBT001  # a column of the table
    assert _input(document, value, name) is fits
