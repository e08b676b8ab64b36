"""No parameter is passed over, on any route."""

import httpx
import pytest

from api.routes import document_routes

CLOSED = [
    (route.record.method, route.record.address.replace("{collection}", "things").replace("{id}", "0" * 24))
    for route in document_routes()
    if route.known is not None
]


@pytest.mark.parametrize(("method", "path"), CLOSED, ids=lambda part: part)
async def test_an_unknown_parameter_is_refused(client: httpx.AsyncClient, method: str, path: str) -> None:
    answer = await client.request(
        method, path, params={"stattus": "a"}, content=b"{}", headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 400
    assert answer.json()["code"] == "unknown-parameter"
    assert answer.json()["faults"][0]["parameter"] == "stattus"


async def test_the_nearest_name_is_offered(client: httpx.AsyncClient) -> None:
    answer = await client.get("/jobs", params={"limits": "3"})
    assert answer.json()["detail"] == "This route does not read it. Did you mean limit?"


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("page=2", "cursor="),
        ("offset=20", "cursor="),
        ("per_page=10", "limit=50"),
        ("_limit=x", "limit=50"),
        ("_sort=name", "sort="),
        ("order_by=name", "sort="),
    ],
)
async def test_names_of_other_apis_say_the_right_one(
    client: httpx.AsyncClient, collection: str, query: str, says: str
) -> None:
    await client.post(f"/v1/{collection}", json={"n": 1})
    for method in ("GET", "DELETE"):
        answer = await client.request(method, f"/v1/{collection}?{query}")
        assert answer.status_code == 400
        assert answer.json()["code"] == "unknown-parameter"
        assert says in answer.json()["detail"]
    assert (await client.get(f"/v1/{collection}")).json()["items"]


async def test_a_field_may_have_such_a_name(client: httpx.AsyncClient, collection: str) -> None:
    await client.post(f"/v1/{collection}", json=[{"page": "/tea"}, {"page": 2}])
    assert len((await client.get(f"/v1/{collection}?page=/tea")).json()["items"]) == 1
    assert len((await client.get(f"/v1/{collection}", params={"filter": '{"page": 2}'})).json()["items"]) == 1


async def test_lists_may_come_as_generated_clients_send_them(client: httpx.AsyncClient, collection: str) -> None:
    await client.post(f"/v1/{collection}", json=[{"a": 1, "b": 1, "c": 1}, {"a": 1, "b": 2, "c": 2}])
    answer = await client.get(f"/v1/{collection}?sort=a&sort=-b&fields=b&fields=c")
    assert [(item["b"], item["c"], "a" in item) for item in answer.json()["items"]] == [(2, 2, False), (1, 1, False)]


async def test_an_empty_list_is_an_error(client: httpx.AsyncClient, collection: str) -> None:
    await client.post(f"/v1/{collection}", json={"a": ""})
    for operator in ("in", "nin", "all"):
        assert (await client.get(f"/v1/{collection}?a[{operator}]=")).status_code == 400
