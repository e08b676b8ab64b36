"""Every route asks who is calling, and what the caller may do with the collection."""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Iterator
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from api.app import create_app
from api.authentication import PUBLIC
from api.record import Route
from api.routes import ROUTES
from documents.access.actions import Action
from documents.access.key_store import KeyStore
from documents.lifecycle import Store, read_policies
from documents.settings import Settings, SettingsError
from tests.conftest import serving

POLICIES = """\
roles:
  reader:
    mine: {actions: [read]}
  clerk:
    mine: {actions: [read, create, update]}
    "shared*": {actions: [read], limits: {page: 2, aggregate: false, export: false}}
  loader:
    mine: {actions: [read, create], limits: {ingest: false}}
"""
BODIES: dict[str, Any] = {
    "transaction": {"operations": [{"op": "insert", "collection": "mine", "document": {}}]},
    "query": {}, "count": {}, "aggregate": {"pipeline": []}, "bulk": [{"op": "insert", "document": {}}], "indexes": {}, "contract": {"schema": {}}, "replay": {"all": True},
}  # fmt: skip
QUERIES = {
    "PATCH ": "?filter={}",
    "DELETE ": "?filter={}",
    "GET :loads": "?id=a",
    "DELETE :quarantine": "?all=true",
}
WHAT_NO_CALLER_MAY_SEE = "theirs"
WALKED = "walked"
ALL = frozenset(Action)
SETS_OF_ACTIONS = sorted(
    {frozenset(route.actions) for route in ROUTES if route.actions} | {ALL - {action} for action in ALL}, key=sorted
)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("access")
    roles = "".join(
        f"  {role_with(actions)}:\n    {WALKED}: {{actions: [{', '.join(sorted(actions))}]}}\n"
        for actions in SETS_OF_ACTIONS
    )
    (folder / "policies.yaml").write_text(POLICIES + roles, "utf-8")
    return folder


@pytest.fixture(scope="module")
async def closed(settings: Settings, project: Path) -> AsyncGenerator[httpx.AsyncClient]:
    own = settings.model_copy(update={"project": project, "database": f"{settings.database}_access"})
    async with serving(create_app(own)) as client:
        yield client


@pytest.fixture(scope="module")
async def keys(store: Store, settings: Settings) -> KeyStore:
    other = store.connection.client[f"{settings.database}_access"]
    await other["mine"].insert_many([{"_id": "a", "n": 1}, {"_id": "b", "n": 2}, {"_id": "c", "n": 3}])
    await other["shared1"].insert_many([{"_id": "a"}, {"_id": "b"}, {"_id": "c"}])
    await other[WHAT_NO_CALLER_MAY_SEE].insert_one({"_id": "secret"})
    connection = store.connection

    class Elsewhere:
        def collection(self, name: str) -> Any:
            return connection.client[f"{settings.database}_access"][name]

    return KeyStore(Elsewhere())  # pyright: ignore[reportArgumentType]  # all that a KeyStore asks of a connection


async def bearer(keys: KeyStore, *roles: str) -> dict[str, str]:
    key, _ = await keys.create("test", roles)
    return {"Authorization": f"Bearer {key.text}"}


def requests(collection: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield a request for each route that is not public."""
    for _, method, path, given in requests_by_route(collection):
        yield method, path, given


def requests_by_route(collection: str) -> Iterator[tuple[Route, str, str, dict[str, Any]]]:
    """Yield each route that is not public, and a request for it."""
    for route in ROUTES:
        method = route.method
        path = route.path.replace("{collection:collection}", collection).replace("{id:path}", "a")
        path = path.replace("{id:job}", "0" * 24).replace("{id}", "0" * 24)
        if any(path == public or path.startswith(f"{public}/") for public in PUBLIC):
            continue
        body = BODIES.get(path.rpartition(":")[2].partition("/")[0], {})
        given: dict[str, Any] = {"headers": {"Content-Type": "application/json"}, "content": orjson.dumps(body)}
        _, is_of_collection, rest = path.partition(f"/{collection}")
        yield route, method, path + (QUERIES.get(f"{method} {rest}", "") if is_of_collection else ""), given


def role_with(actions: Iterable[Action]) -> str:
    """Return the name of a role that has just these actions."""
    return "-".join(["with", *sorted(actions)])


GUARDED = [case for case in requests_by_route(WALKED) if case[0].actions]


def is_read(method: str, path: str) -> bool:
    return method == "GET" or path.endswith((":query", ":count", ":aggregate"))


@pytest.mark.parametrize(("method", "path", "given"), list(requests("mine")), ids=lambda part: str(part)[:40])
class TestEveryRoute:
    async def test_needs_credentials(
        self, closed: httpx.AsyncClient, method: str, path: str, given: dict[str, Any]
    ) -> None:
        answer = await closed.request(method, path, **given)
        assert answer.status_code == 401
        assert answer.json()["code"] == "unauthenticated"
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")

    async def test_gives_nothing_to_a_role_without_a_rule(
        self, closed: httpx.AsyncClient, keys: KeyStore, method: str, path: str, given: dict[str, Any]
    ) -> None:
        headers = {**given["headers"], **await bearer(keys, "nobody")}
        answer = await closed.request(method, path, headers=headers, content=given["content"])
        if path in ("/v1", "/jobs"):  # lists show what the caller may see: nothing
            assert answer.status_code == 200
            assert "mine" not in answer.text
        elif path.startswith("/jobs/"):
            assert answer.status_code in (400, 404)  # there is none; PATCH wants to know where the upload goes on
        elif path.endswith(":bulk"):
            assert answer.status_code in (403, 207)
            assert "forbidden" in answer.text
        else:
            assert answer.status_code == 403, answer.text

    async def test_lets_a_reader_read_and_not_write(
        self, closed: httpx.AsyncClient, keys: KeyStore, method: str, path: str, given: dict[str, Any]
    ) -> None:
        headers = {**given["headers"], **await bearer(keys, "reader")}
        answer = await closed.request(method, path, headers=headers, content=given["content"])
        if path == "/metrics":  # which no rule of a collection gives
            assert answer.status_code == 403
        elif is_read(method, path) or path.startswith("/jobs"):
            assert answer.status_code != 403, answer.text
        else:
            assert answer.status_code == 403 or "forbidden" in answer.text, answer.text


@pytest.mark.parametrize("case", GUARDED, ids=[f"{case[1]} {case[2]}" for case in GUARDED])
async def test_route_asks_for_the_actions_that_it_names(
    closed: httpx.AsyncClient, keys: KeyStore, case: tuple[Route, str, str, dict[str, Any]]
) -> None:
    route, method, path, given = case

    async def ask(actions: Iterable[Action]) -> httpx.Response:
        headers = {**given["headers"], **await bearer(keys, role_with(actions))}
        return await closed.request(method, path, headers=headers, content=given["content"])

    answer = await ask(route.actions)
    assert answer.status_code != 403, answer.text
    for action in route.actions:
        answer = await ask(ALL - {action})
        assert answer.status_code == 403, (action, answer.text)


async def test_a_closed_collection_is_the_same_as_none(closed: httpx.AsyncClient, keys: KeyStore) -> None:
    headers = await bearer(keys, "reader")
    theirs, none = [await closed.get(f"/v1/{name}", headers=headers) for name in (WHAT_NO_CALLER_MAY_SEE, "never-made")]
    assert theirs.status_code == none.status_code == 403
    assert theirs.json() == none.json()
    shown = [item["name"] for item in (await closed.get("/v1", headers=headers)).json()["items"]]
    assert shown == ["mine"]
    for caller in ({}, headers):
        assert WHAT_NO_CALLER_MAY_SEE not in (await closed.get("/openapi.json", headers=caller)).text


async def test_a_transaction_asks_for_each_collection(closed: httpx.AsyncClient, keys: KeyStore) -> None:
    operations = [
        {"op": "insert", "collection": name, "document": {"_id": "new"}} for name in ("mine", WHAT_NO_CALLER_MAY_SEE)
    ]
    answer = await closed.post("/v1:transaction", json={"operations": operations}, headers=await bearer(keys, "clerk"))
    assert answer.status_code == 403


async def test_a_job_of_a_closed_collection_is_not_there(closed: httpx.AsyncClient, keys: KeyStore) -> None:
    admin, clerk = await bearer(keys, "admin"), await bearer(keys, "clerk")
    made = await closed.post(f"/v1/{WHAT_NO_CALLER_MAY_SEE}:ingest", json=[{"_id": "x"}], headers=admin)
    job = made.json()["id"]
    assert (await closed.get(f"/jobs/{job}", headers=admin)).status_code == 200
    for method, path in (("GET", f"/jobs/{job}"), ("POST", f"/jobs/{job}:cancel"), ("POST", f"/jobs/{job}:undo")):
        assert (await closed.request(method, path, headers=clerk)).json()["code"] == "job-not-found"
    assert job not in (await closed.get("/jobs", headers=clerk)).text
    assert job in (await closed.get("/jobs", headers=admin)).text


async def test_limits_of_a_rule(closed: httpx.AsyncClient, keys: KeyStore) -> None:
    headers = await bearer(keys, "clerk", "loader")
    assert len((await closed.get("/v1/shared1?limit=50", headers=headers)).json()["items"]) == 2
    assert (await closed.post("/v1/shared1:aggregate", json={"pipeline": []}, headers=headers)).status_code == 403
    assert (await closed.get("/v1/shared1:export", headers=headers)).status_code == 403
    loader = await bearer(keys, "loader")
    assert (await closed.post("/v1/mine:ingest", json=[], headers=loader)).status_code == 403


async def test_a_cursor_is_of_those_rights(closed: httpx.AsyncClient, keys: KeyStore) -> None:
    reader, clerk = await bearer(keys, "reader"), await bearer(keys, "clerk")
    cursor = (await closed.get("/v1/mine?limit=1", headers=reader)).json()["next"]
    assert (await closed.get("/v1/mine", params={"limit": 1, "cursor": cursor}, headers=reader)).status_code == 200
    assert (await closed.get("/v1/mine", params={"limit": 1, "cursor": cursor}, headers=clerk)).status_code == 400


@pytest.mark.parametrize(
    "value",
    [
        "Bearer",
        "Bearer ",
        "Basic YTpi",
        "Bearer shf_x",
        "Bearer a.b.c",
        "Bearer " + "x" * 20_000,
        "shf_",
        "Bearer \u00e9",
    ],
)
async def test_what_is_no_credential(closed: httpx.AsyncClient, value: str) -> None:
    answer = await closed.get("/v1", headers={"Authorization": value.encode("utf-8")})  # pyright: ignore[reportArgumentType]  # httpx takes bytes
    assert answer.status_code == 401


async def test_two_credentials_are_none(closed: httpx.AsyncClient, keys: KeyStore) -> None:
    own = (await bearer(keys, "admin"))["Authorization"]
    answer = await closed.get("/v1", headers=[("Authorization", own), ("Authorization", own)])
    assert answer.status_code == 401


async def test_an_administrator_may_everything(closed: httpx.AsyncClient, keys: KeyStore) -> None:
    headers = await bearer(keys, "admin")
    assert (await closed.get(f"/v1/{WHAT_NO_CALLER_MAY_SEE}", headers=headers)).status_code == 200


async def test_a_revoked_key_is_refused_within_a_second(closed: httpx.AsyncClient, keys: KeyStore) -> None:
    key, record = await keys.create("short-lived", ["reader"])
    headers = {"Authorization": f"Bearer {key.text}"}
    assert (await closed.get("/v1/mine", headers=headers)).status_code == 200
    await keys.revoke(record.id)

    async def refused() -> None:
        while (await closed.get("/v1/mine", headers=headers)).status_code != 401:
            pass

    async with asyncio.timeout(5):  # a second, and what a machine with other work takes
        await refused()


def test_a_rule_that_is_not_enforced_keeps_the_server_from_starting(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "policies.yaml").write_text("roles: {r: {c: {actions: [read], hidden: [x]}}}", "utf-8")
    with pytest.raises(SettingsError, match="hidden, which this version"):
        read_policies(settings.model_copy(update={"project": tmp_path}))


@pytest.mark.parametrize(
    ("is_open", "has_policies", "asks"),
    [(None, False, False), (None, True, True), (False, False, True), (True, True, False)],
)
def test_who_is_asked(
    settings: Settings, tmp_path: Path, *, is_open: bool | None, has_policies: bool, asks: bool
) -> None:
    if has_policies:
        (tmp_path / "policies.yaml").write_text("roles: {}", "utf-8")
    policies = read_policies(settings.model_copy(update={"project": tmp_path, "open": is_open}))
    assert (policies is not None) is asks
