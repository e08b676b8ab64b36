"""The pages that the API has about itself."""

import httpx
import pytest

from api.openapi.pages import KINDS
from api.reference.handlers import ASSETS

PAGES = ("/docs", "/problems", "/problems/invalid-document")


@pytest.mark.parametrize("path", PAGES)
async def test_page_allows_nothing_from_elsewhere(client: httpx.AsyncClient, path: str) -> None:
    response = await client.get(path)
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    policy = dict(part.split(" ", 1) for part in response.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert "http" not in response.text.replace("https://json-schema.org", "")
    assert "<script>" not in response.text
    assert "style=" not in response.text


@pytest.mark.parametrize("path", [*PAGES, "/openapi.json", *(f"/docs/{name}" for name in ASSETS)])
async def test_unchanged_is_not_sent_again(client: httpx.AsyncClient, path: str) -> None:
    first = await client.get(path)
    assert first.status_code == 200
    assert first.headers["cache-control"]
    again = await client.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert again.status_code == 304
    assert not again.content


@pytest.mark.parametrize(("name", "media_type"), [(name, kind) for name, (_, kind) in ASSETS.items()])
async def test_asset(client: httpx.AsyncClient, name: str, media_type: str) -> None:
    response = await client.get(f"/docs/{name}")
    assert response.status_code == 200
    assert response.headers["content-type"] == media_type
    assert len(response.content) > 100


async def test_page_names_only_assets_that_are_there(client: httpx.AsyncClient) -> None:
    for path in PAGES:
        text = (await client.get(path)).text
        for reference in (part.split('"')[0] for part in text.split('="/docs/')[1:]):
            assert reference in ASSETS


@pytest.mark.parametrize(
    "path",
    ["/docs/docs.html", "/docs/..%2Fdocs.html", "/docs/%2e%2e/app.py", "/problems/no-such-code", "/problems/<b>"],
)
async def test_nothing_else_is_served(client: httpx.AsyncClient, path: str) -> None:
    response = await client.get(path)
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("code", sorted(KINDS))
async def test_problem_page(client: httpx.AsyncClient, code: str) -> None:
    response = await client.get(f"/problems/{code}")
    assert response.status_code == 200
    assert f"<code>{code}</code>" in response.text


async def test_type_of_a_problem_leads_to_its_page(client: httpx.AsyncClient, collection: str) -> None:
    problem = (await client.get(f"/v1/{collection}/nothing")).json()
    assert (await client.get(problem["type"])).status_code == 200


async def test_malformed_etag_is_refused(client: httpx.AsyncClient) -> None:
    response = await client.get("/docs", headers={"If-None-Match": "nonsense"})
    assert response.status_code == 400


async def test_pages_are_only_read(client: httpx.AsyncClient) -> None:
    response = await client.post("/docs")
    assert response.status_code == 405
    assert response.headers["allow"] == "GET, HEAD"
