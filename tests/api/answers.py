"""What answers of the API have in common, whatever the route."""

from typing import Any

import httpx

PROBLEM = "application/problem+json"


def refusal(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """Return the problem document that the response must be."""
    assert (response.status_code, response.headers["content-type"]) == (status, PROBLEM), response.text
    problem: dict[str, Any] = response.json()
    assert problem["code"] == code, problem
    assert problem["type"] == f"/problems/{code}"
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    return problem


def faults(response: httpx.Response) -> set[tuple[str, str]]:
    """Return where a problem points to, and with which codes."""
    found: list[dict[str, str]] = response.json().get("faults", [])
    return {(fault.get("pointer", "?" + fault.get("parameter", "")), fault["code"]) for fault in found}


def items(response: httpx.Response) -> list[dict[str, Any]]:
    """Return the items of a list, or the outcomes of several writes."""
    assert response.is_success, response.text
    found: list[dict[str, Any]] = response.json()["items"]
    return found


async def all_collections(client: httpx.AsyncClient) -> list[dict[str, Any]]:
    """Return what `GET /v1` says of each collection, page after page: a worker's database has many."""
    found: list[dict[str, Any]] = []
    after: str | None = ""
    while after is not None:
        response = await client.get("/v1", params={"limit": 1000, **({"cursor": after} if after else {})})
        found += items(response)
        after = response.json()["next"]
    return found


def ids(response: httpx.Response) -> list[Any]:
    """Return the ids of a list, in its order."""
    return [item["_id"] for item in items(response)]


async def stored(client: httpx.AsyncClient, collection: str, *documents: dict[str, Any]) -> list[Any]:
    """Store documents, and return their ids."""
    response = await client.post(f"/v1/{collection}", json=list(documents))
    assert response.status_code == 201, response.text
    return [item["_id"] for item in items(response)]
