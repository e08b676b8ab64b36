"""Numbers for Prometheus: what is counted, for all processes together, and who may read it."""

import asyncio
import re
import time
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from api.app import create_app
from documents.access.key_store import KeyStore
from documents.database.connection import Connection
from documents.errors import StoreError
from documents.lifecycle import Store
from documents.settings import Settings
from documents.vitals import Vitals, read_vitals
from tests.conftest import serving
from tests.server import serve

POLICIES = "server:\n  monitor: [metrics]\nroles:\n  reader:\n    mine: {actions: [read]}\n"


def numbers(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Return each sample by its name and labels."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def of(found: dict[tuple[str, frozenset[tuple[str, str]]], float], name: str, **labels: str) -> float:
    """Return the sum of the samples that have these labels."""
    wanted = set(labels.items())
    return sum(value for (sample, given), value in found.items() if sample == name and wanted <= given)


async def test_requests_are_counted(settings: Settings, store: Store, collection: str) -> None:
    async with serving(create_app(settings)) as client:
        await client.post(f"/v1/{collection}", json={"_id": "a"})
        await asyncio.gather(*(client.get(f"/v1/{collection}/a") for _ in range(20)))
        await client.get(f"/v1/{collection}/b")
        await client.get(f"/v1/{collection}", params={"cursor": "none"})
        answer = await client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    found = numbers(answer.text)
    got = {"method": "GET", "route": "/v1/{collection}/{id}"}
    assert of(found, "sheaf_requests_total", **got, status="200") == 20
    assert of(found, "sheaf_requests_total", **got, status="404") == 1
    assert of(found, "sheaf_request_seconds_count", **got) == 21
    assert of(found, "sheaf_problems_total", code="document-not-found") == 1
    assert of(found, "sheaf_problems_total", code="invalid-cursor") == 1
    assert of(found, "sheaf_batched_requests_total", kind="get") >= 21
    assert 1 <= of(found, "sheaf_batches_total", kind="get") < 21, "gets at the same moment go together"
    assert of(found, "sheaf_batched_requests_total", kind="insert") >= 1
    assert of(found, "sheaf_requests_in_flight") == 1, "this one"
    assert of(found, "sheaf_mongodb_primary") == 1
    assert of(found, "sheaf_pool_connections", state="open") >= 1
    assert of(found, "sheaf_mongodb_connections") >= 1
    assert ("sheaf_index_builds", frozenset()) in found
    assert store


async def test_no_label_is_a_clients(settings: Settings) -> None:
    async with serving(create_app(settings)) as client:
        await client.request("M4RKER", "/v1/m4rker")
        await client.get("/m4rker")
        assert "m4rker" not in (await client.get("/metrics")).text.lower()


async def test_who_may_read_them(settings: Settings, store: Store, tmp_path: Path) -> None:
    (tmp_path / "policies.yaml").write_text(POLICIES)
    keys = KeyStore(store.connection)
    async with serving(create_app(settings.model_copy(update={"project": tmp_path}))) as client:
        assert (await client.get("/metrics")).status_code == 401
        for role, status in (("reader", 403), ("monitor", 200), ("admin", 200)):
            key, _ = await keys.create("test", [role])
            answer = await client.get("/metrics", headers={"Authorization": f"Bearer {key.text}"})
            assert answer.status_code == status, role


def test_several_processes_count_together(mongo_uri: str, tmp_path: Path) -> None:
    with serve(tmp_path, uri=mongo_uri, database="counting", prepare="", workers=2) as server:
        for _ in range(40):  # each on a connection of its own, so that both processes serve some
            with server.client(seconds=60) as client:
                assert client.get("/v1/things").status_code == 404
        until = time.monotonic() + 20
        totals: set[float] = set()
        while time.monotonic() < until:
            with server.client() as client:
                found = numbers(client.get("/metrics").text)
            totals.add(of(found, "sheaf_requests_total", route="/v1/{collection}", status="404"))
            if totals == {40.0}:
                break
        assert totals == {40.0}


async def test_a_mongodb_that_does_not_answer(monkeypatch: pytest.MonkeyPatch, store: Store) -> None:
    async def fail(_: Connection) -> None:
        raise StoreError("gone")

    monkeypatch.setattr(Connection, "ping", fail)
    assert await read_vitals(store.connection) == Vitals()


def test_every_metric_is_in_the_guide(repository: Path) -> None:
    guide = (repository / "docs" / "observability.md").read_text("utf-8")
    sources = ("api/observe/metrics.py", "documents/vitals.py")
    text = "".join((repository / source).read_text("utf-8") for source in sources)
    for name in re.findall(r'"(sheaf_[a-z_]+)"', text):
        assert f"`{name}" in guide, name


async def test_nobody_waits_for_a_scrape(client: httpx.AsyncClient) -> None:
    began = time.perf_counter()
    await asyncio.gather(*(client.get("/metrics") for _ in range(20)))
    assert time.perf_counter() - began < 5
