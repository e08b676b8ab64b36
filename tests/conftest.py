"""What every test may ask for: a real MongoDB, an open store, and a client of the API."""

import signal
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from starlette.types import Receive, Scope, Send

from api.app import create_app
from documents.database.embedded import EmbeddedMongo, acquire
from documents.lifecycle import Store, open_store
from documents.settings import Settings
from tests.shop import SHOP


def pytest_configure() -> None:
    """Have processes that tests start hear Ctrl-C, though a shell in the background of which this runs may not."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def mongo(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[EmbeddedMongo]:
    """One mongod for the whole run: all processes of pytest-xdist lease the same one."""
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "mongo"
    with acquire(folder, parameters={"enableTestCommands": 1}) as lease:
        yield lease


@pytest.fixture(scope="session")
def mongo_uri(mongo: EmbeddedMongo) -> str:
    return mongo.uri


@pytest.fixture(scope="session")
def settings(mongo_uri: str, worker_id: str, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(
        _env_file=None,  # pyright: ignore[reportCallIssue]  # pydantic-settings adds it
        mongodb_uri=SecretStr(mongo_uri),
        database=f"test_{worker_id}",
        data_dir=tmp_path_factory.mktemp("data"),
        project=SHOP.root,
        prepare=True,
    )


@pytest.fixture(scope="session")
async def store(settings: Settings) -> AsyncGenerator[Store]:
    async with open_store(settings, prepares=True) as opened:
        yield opened


@asynccontextmanager
async def serving(app: FastAPI) -> AsyncGenerator[httpx.AsyncClient]:
    """Start an application inside this process, and give a client of it."""
    async with app.router.lifespan_context(app) as state:

        async def with_state(scope: Scope, receive: Receive, send: Send) -> None:
            await app({**scope, "state": dict(state or {})}, receive, send)

        transport = httpx.ASGITransport(with_state, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            yield client


@pytest.fixture(scope="session")
async def client(settings: Settings) -> AsyncGenerator[httpx.AsyncClient]:
    async with serving(create_app(settings)) as opened:
        yield opened


@pytest.fixture
def collection() -> str:
    """Return the name of a collection that nobody has used."""
    return f"c{uuid4().hex}"


@pytest.fixture
async def products(store: Store) -> AsyncGenerator[str]:
    """Return the name of the declared collection of products, empty."""
    yield "products"
    await store.connection.collection("products").delete_many({})


@pytest.fixture(scope="session")
def repository() -> Path:
    return Path(__file__).parent.parent
