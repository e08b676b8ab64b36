"""Pages of the sites that are named may call the API; others may not."""

from collections.abc import AsyncGenerator

import httpx
import pytest

from api.app import create_app
from documents.settings import Settings
from tests.conftest import serving

PAGE = "https://app.example"


@pytest.fixture(scope="module")
async def shared(settings: Settings) -> AsyncGenerator[httpx.AsyncClient]:
    async with serving(create_app(settings.model_copy(update={"cors_origins": (PAGE,)}))) as client:
        yield client


def preflight(origin: str, method: str = "PATCH") -> dict[str, str]:
    return {
        "Origin": origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "content-type,if-match,authorization",
    }


async def test_a_preflight_is_answered(shared: httpx.AsyncClient) -> None:
    answer = await shared.options("/v1/things/1", headers=preflight(PAGE))
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == PAGE
    assert "PATCH" in answer.headers["Access-Control-Allow-Methods"]
    assert "Access-Control-Allow-Credentials" not in answer.headers


async def test_one_of_another_site_is_not(shared: httpx.AsyncClient) -> None:
    answer = await shared.options("/v1/things/1", headers=preflight("https://evil.example"))
    assert answer.status_code == 400
    assert "Access-Control-Allow-Origin" not in answer.headers


async def test_answers_can_be_read(shared: httpx.AsyncClient, collection: str) -> None:
    made = await shared.post(f"/v1/{collection}", json={"n": 1}, headers={"Origin": PAGE})
    assert made.status_code == 201
    refused = await shared.post(
        f"/v1/{collection}", content=b"{", headers={"Origin": PAGE, "Content-Type": "application/json"}
    )
    for answer in (made, refused):
        assert answer.headers["Access-Control-Allow-Origin"] == PAGE
        assert {"ETag", "Link", "Location", "Preference-Applied", "Retry-After"} <= {
            name.strip() for name in answer.headers["Access-Control-Expose-Headers"].split(",")
        }


async def test_without_the_setting_nothing_is_said(client: httpx.AsyncClient) -> None:
    answer = await client.options("/v1/things/1", headers=preflight(PAGE))
    assert answer.status_code == 405
    assert not [name for name in answer.headers if name.startswith("access-control")]
