"""The backends that the contract is held against: MongoDB itself, or with `--backend mock` one that needs no server."""

from collections.abc import AsyncGenerator
from typing import Any, cast
from unittest.mock import AsyncMock, patch

import httpx
import pytest
import pytest_asyncio
from mongomock_motor import AsyncMongoMockClient
from pydantic import SecretStr

from api.app import create_app
from documents.settings import Settings
from tests.conftest import serving
from tests.contracts.mock_adapter import WRONG, MockConnection
from tests.shop import SHOP

MOCK = "mock"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--backend", choices=["mongod", MOCK], default="mongod", help="what the contract is held against")


def _backend(config: pytest.Config) -> str:
    # Where pytest begins at another folder, this file comes too late to add an option.
    return str(config.getoption("--backend", default="mongod"))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if _backend(config) == MOCK:
        for item in items:
            reason = WRONG.get(item.name) or WRONG.get(item.name.partition("[")[0])
            if reason is not None:
                item.add_marker(pytest.mark.skip(reason=f"mongomock: {reason}"))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def mock_client() -> AsyncGenerator[httpx.AsyncClient]:
    mock = cast("Any", AsyncMongoMockClient())  # which passes itself off as a client of Motor
    await mock["sheaf"]["products"].create_index("sku", unique=True)
    settings = Settings(
        _env_file=None,  # pyright: ignore[reportCallIssue]  # pydantic-settings adds it
        mongodb_uri=SecretStr("mongodb://nowhere"),
        project=SHOP.root,
    )
    connection = MockConnection("mongodb://nowhere", database="sheaf", max_pool_size=1, mock=mock)
    with patch("documents.lifecycle.connect", AsyncMock(return_value=connection)):
        async with serving(create_app(settings)) as client:
            yield client


@pytest.fixture(scope="session")
def api(request: pytest.FixtureRequest) -> httpx.AsyncClient:
    """Return a client of the API on the chosen backend; the other one is not started."""
    return request.getfixturevalue("mock_client" if _backend(request.config) == MOCK else "client")
