"""What a project's `routes/` may hold, and who may call what is there."""

from pathlib import Path
from typing import Any

import pytest

from api.app import create_app
from api.project_routes import project_routers
from documents.access.key_store import KeyStore
from documents.lifecycle import Store
from documents.models.discovery import ModelError
from documents.project.project import ProjectError
from documents.settings import Settings
from tests.conftest import serving

ROUTER = "from fastapi import APIRouter\nrouter = APIRouter()\n"


def routers(root: Path, text: str) -> list[Any]:
    (root / "routes").mkdir()
    (root / "routes" / "mine.py").write_text(text)
    return list(project_routers(Settings(_env_file=None, project=root)))  # pyright: ignore[reportCallIssue]  # pydantic-settings adds it


def test_a_router_is_found(tmp_path: Path) -> None:
    [router] = routers(tmp_path, f"{ROUTER}\n@router.get('/mine')\ndef mine() -> int:\n    return 1\n")
    assert [route.path for route in router.routes] == ["/mine"]


def test_a_module_without_one_only_helps(tmp_path: Path) -> None:
    assert routers(tmp_path, "ONE = 1\n") == []


@pytest.mark.parametrize(
    ("text", "error", "says"),
    [
        ("router = 1\n", ProjectError, "is not an APIRouter"),
        (
            f"{ROUTER}\n@router.get('/v1/mine')\ndef mine() -> int:\n    return 1\n",
            ProjectError,
            "/v1/mine begins like",
        ),
        (
            f"{ROUTER}\n@router.websocket('/mine')\nasync def mine(_: object) -> None: ...\n",
            ProjectError,
            "not a path oper",
        ),
        (f"{ROUTER}\nrouter.add_route('/mine', lambda _: None)\n", ProjectError, "not a path operation"),
        (
            f"{ROUTER}\ninner = APIRouter()\n@inner.get('/v1')\ndef f(): ...\nrouter.include_router(inner, prefix='/docs')",
            ProjectError,
            "/docs/v1 begins like",
        ),
        ("import nothing_of_that_name\n", ModelError, "mine.py cannot be imported"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, text: str, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        routers(tmp_path, text)


WHO = """\
from fastapi import APIRouter
from api.project_routes import Caller
router = APIRouter()
inner = APIRouter()

@router.get("/who")
async def who(caller: Caller) -> list[str]:
    return [caller.id.partition(":")[0], *caller.roles]

@inner.post("/change")
async def change() -> str:
    return "changed"

@inner.get("/{path:path}")
async def everything(path: str) -> str:
    return path

router.include_router(inner)
"""


async def test_a_route_asks_for_the_credentials_that_sheafs_own_ask_for(
    settings: Settings, store: Store, tmp_path: Path
) -> None:
    (tmp_path / "routes").mkdir()
    (tmp_path / "routes" / "who.py").write_text(WHO)
    (tmp_path / "policies.yaml").write_text("roles:\n  reader:\n    mine: {actions: [read]}\n")
    key, _ = await KeyStore(store.connection).create("test", ["reader"])
    bearer = {"Authorization": f"Bearer {key.text}"}
    async with serving(create_app(settings.model_copy(update={"project": tmp_path}))) as client:
        for path in ("/who", "/change", "/nothing", "/docs/nothing/here", "/health/nothing", "/problems/a/b"):
            answer = await client.request("POST" if path == "/change" else "GET", path)
            assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated"), path
        assert (await client.get("/who", headers=bearer)).json() == ["key", "reader"]
        assert (await client.post("/change", headers=bearer)).json() == "changed"
        assert (await client.get("/docs/nothing/here", headers=bearer)).json() == "docs/nothing/here"
        assert (await client.get("/health/live")).status_code == 200


async def test_a_read_only_server_lets_no_route_write(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "routes").mkdir()
    (tmp_path / "routes" / "who.py").write_text(WHO)
    async with serving(create_app(settings.model_copy(update={"project": tmp_path, "read_only": True}))) as client:
        assert (await client.get("/who")).json() == ["full"]
        refused = await client.post("/change")
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
