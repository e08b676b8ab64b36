"""Models that declare the type of their ids: written on every path."""

import json
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import quote
from uuid import UUID, uuid4

import httpx
import pytest

from tests.server import serve

MODEL: Final = '''
"""Things with ids of three types."""

from uuid import UUID, uuid4

from beanie import Document
from pydantic import Field


class ByUuid(Document):
    """Has a UUID."""

    id: UUID = Field(default_factory=uuid4)
    owner: UUID | None = None
    n: int = 0

    class Settings:
        """Where it is."""

        name = "by_uuid"


class ByInt(Document):
    """Has a number."""

    id: int
    n: int = 0

    class Settings:
        """Where it is."""

        name = "by_int"


class ByStr(Document):
    """Has a text."""

    id: str
    n: int = 0

    class Settings:
        """Where it is."""

        name = "by_str"
'''
IDS: Final[dict[str, list[Any]]] = {
    "by_uuid": [str(uuid4()) for _ in range(6)],
    "by_int": [1, 2, -3, 2**40, 5, 6],
    "by_str": ["a", "b c", "5", "6751f0c0a1b2c3d4e5f60718", "ü", "{"],
}


@pytest.fixture(scope="module")
def api(mongo_uri: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    folder = tmp_path_factory.mktemp("project")
    (folder / "sheaf.toml").touch()
    (folder / "models").mkdir()
    (folder / "models" / "things.py").write_text(MODEL)
    served = serve(folder, uri=mongo_uri, database=f"ids_{folder.name}", project="")
    with served as server, server.client() as client:
        yield client


@pytest.mark.parametrize("collection", IDS)
def test_is_written_on_every_path(api: httpx.Client, collection: str) -> None:
    at, ids = f"/v1/{collection}", IDS[collection]
    made = api.post(at, json={"_id": ids[0], "n": 1})
    assert (made.status_code, made.json()["_id"]) == (201, ids[0]), made.text
    address = made.headers["location"]
    assert api.get(address).json() == made.json()
    assert api.put(address, json={**made.json(), "n": 2}).json()["n"] == 2
    assert api.patch(address, json={"n": 3}).json()["n"] == 3
    update = {"Content-Type": "application/vnd.sheaf.update+json"}
    assert api.patch(address, content=b'{"$inc": {"n": 1}}', headers=update).json()["n"] == 4

    put = api.put(f"{at}/{quote(str(ids[1]), safe='')}", json={})
    assert (put.status_code, put.json()["_id"]) == (201, ids[1]), put.text

    operations = [{"op": "insert", "document": {"_id": ids[2]}}, {"op": "upsert", "document": {"_id": ids[3], "n": 1}}]
    bulk = api.post(f"{at}:bulk?on=_id", json=[*operations, {"op": "patch", "id": str(ids[2]), "merge": {"n": 9}}])
    assert [each["outcome"] for each in bulk.json()["items"]][:2] == ["created", "created"], bulk.text

    lines = "\n".join(json.dumps({"_id": each}) for each in ids[4:])
    load = api.post(f"{at}:ingest", content=lines, headers={"Content-Type": "application/x-ndjson"})
    assert load.is_success, load.text
    assert (load.json()["inserted"], load.json()["quarantined"]) == (2, 0), load.text

    listed = [each["_id"] for each in api.get(at).json()["items"]]
    assert sorted(map(str, listed)) == sorted(map(str, ids))
    for each in ids:
        assert [found["_id"] for found in api.get(at, params={"_id": each}).json()["items"]] == [each]
    chosen = api.get(at, params={"_id[in]": ",".join(map(str, ids[:2]))}).json()["items"]
    assert len(chosen) == 2
    assert api.delete(address).status_code == 204
    assert api.delete(at, params={"_id": ids[3]}).json()["deleted"] == 1


def test_a_uuid_is_made(api: httpx.Client) -> None:
    made = api.post("/v1/by_uuid", json={"owner": str(uuid4())})
    assert made.status_code == 201, made.text
    assert UUID(made.json()["_id"])
    assert api.get("/v1/by_uuid", params={"owner": made.json()["owner"]}).json()["items"] == [made.json()]
