"""Which rights Sheaf needs of MongoDB: `read` to serve what is there, `readWrite` and `dbAdmin` for the rest."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import httpx
import pytest

from documents.database.embedded import EmbeddedMongo
from tests.journeys.test_untouched import EXCEPTIONS, GENERAL_READS, JSON, read_all
from tests.journeys.theirs import KINDS, Theirs, other_peoples, picture
from tests.journeys.users import user_of
from tests.server import serve
from tests.shop import SHOP

SHEAF: Final = Path(sys.executable).with_name("sheaf")


@pytest.fixture
def theirs(mongo: EmbeddedMongo) -> Iterator[Theirs]:
    with other_peoples(mongo.uri) as database:
        yield database


def test_read_is_enough_to_serve_what_is_there(theirs: Theirs, mongo: EmbeddedMongo, tmp_path: Path) -> None:
    before, names = picture(theirs), set(theirs.list_collection_names())
    with (
        user_of(mongo.admin_uri, theirs.name, ["read"]) as uri,
        serve(tmp_path, uri=uri, database=theirs.name, prepare="", read_only=True) as server,
        server.client() as client,
    ):
        assert [client.get(address).status_code for address in GENERAL_READS] == [200] * len(GENERAL_READS)
        assert set(KINDS) <= {each["name"] for each in client.get("/v1").json()["items"]}
        said = {name: read_all(client, name) for name in KINDS}
        assert {
            name: {what: status for what, status in each.items() if status != 200} for name, each in said.items()
        } == {name: EXCEPTIONS.get(name, {}) | {":contract": 404} for name in KINDS}
        page = client.get("/v1/plain", params={"limit": 2}).json()
        assert client.get("/v1/plain", params={"limit": 2, "cursor": page["next"]}).status_code == 200
        assert client.post("/v1/plain", content="{}", headers=JSON).json()["code"] == "forbidden"
    assert picture(theirs) == before
    assert set(theirs.list_collection_names()) == names


Answers = Mapping[str, tuple[str, str, str]]
WRITES: Final[Answers] = {
    "insert": ("POST", "/v1/plain", '{"_id": "new"}'),
    "patch": ("PATCH", "/v1/plain/k1", '{"n": 2}'),
    "replace": ("PUT", "/v1/plain/k3", '{"n": 2}'),
    "patch many": ("PATCH", "/v1/plain?n=4", '{"n": 5}'),
    "delete": ("DELETE", "/v1/plain/k2", ""),
    "bulk": ("POST", "/v1/plain:bulk", '[{"op": "insert", "document": {"_id": "other"}}]'),
    "indexes": ("PUT", "/v1/plain:indexes", '{"indexes": [{"keys": {"n": 1}}]}'),
    "load": ("POST", "/v1/plain:ingest", '[{"_id": "loaded", "n": 1}]'),
    "contract": ("PUT", "/v1/plain:contract", '{"schema": {}}'),
}


def write(client: httpx.Client) -> dict[str, httpx.Response]:
    return {
        what: client.request(method, address, content=body, headers=JSON)
        for what, (method, address, body) in WRITES.items()
    }


def test_with_read_alone_a_write_is_refused_plainly(theirs: Theirs, mongo: EmbeddedMongo, tmp_path: Path) -> None:
    before = picture(theirs)
    with (
        user_of(mongo.admin_uri, theirs.name, ["read"]) as uri,
        serve(tmp_path, uri=uri, database=theirs.name, prepare="") as server,
        server.client() as client,
    ):
        for what, answer in write(client).items():
            assert "MongoDB does not let this server do that." in answer.text, (what, answer.text)
            assert '"outcome":"not-applied"' in answer.text, (what, answer.text)
    assert picture(theirs) == before


def test_read_write_and_db_admin_are_enough_for_the_rest(theirs: Theirs, mongo: EmbeddedMongo, tmp_path: Path) -> None:
    with (
        user_of(mongo.admin_uri, theirs.name, ["readWrite", "dbAdmin"]) as uri,
        serve(tmp_path, uri=uri, database=theirs.name, prepare="") as server,
        server.client() as client,
    ):
        for what, answer in write(client).items():
            assert answer.status_code in {200, 201, 204}, (what, answer.text)


COMMANDS: Final = (
    "doctor",
    "indexes plan",
    "indexes apply -c orders --yes",
    "indexes advise -c plain",
    "migrate upgrade --yes",
    "ingest in.ndjson --into plain --yes",
    "export plain out.csv",
    "schema infer plain",
)


def test_read_write_and_db_admin_are_enough_for_commands(theirs: Theirs, mongo: EmbeddedMongo, tmp_path: Path) -> None:
    (tmp_path / "in.ndjson").write_text('{"_id": "loaded", "n": 1}\n')
    with user_of(mongo.admin_uri, theirs.name, ["readWrite", "dbAdmin"]) as uri:
        environ = {"SHEAF_MONGODB_URI": uri, "SHEAF_DATABASE": theirs.name, "SHEAF_PROJECT": str(SHOP.root)}
        for words in COMMANDS:
            done = subprocess.run(
                [SHEAF, *words.split()], check=False, cwd=tmp_path, env=environ, capture_output=True, text=True
            )
            assert done.returncode == 0, (words, done.stderr)
    assert theirs["plain"].find_one({"_id": "loaded"}) == {"_id": "loaded", "n": 1}
