"""On a database of other people's, a start, reads, plans and dry runs change nothing, not even when they are killed.

`KILLS=20 pytest tests/journeys/test_untouched.py` kills every command twenty times, instead of some of them once.
"""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import httpx
import pytest

from tests.journeys.theirs import KINDS, Theirs, other_peoples, picture
from tests.server import Server, serve
from tests.shop import SHOP

SHEAF: Final = Path(sys.executable).with_name("sheaf")

COMMANDS: Final = (
    "doctor",
    "seed --dry-run",
    "seed --generate products=3 --dry-run",
    "indexes plan",
    "indexes check",
    "indexes apply --dry-run --shorten-ttl carts.expires_at_1",
    "indexes advise",
    "migrate plan",
    "migrate check",
    "migrate current",
    "migrate history",
    "migrate heads",
    "schema infer products",
    "schema infer values --full",
    "schema diff products customers",
    "schema promote plain --check-only",
    "export products out.ejson",
    "export products out.csv --filter {}",
    "ingest in.ndjson --into plain --dry-run",
    "ingest list",
    "quarantine list products",
)

SERVE: Final = "serve --port 0"
KILLS: Final = int(os.environ.get("KILLS", "0"))
KILLED: Final = (
    (*COMMANDS, SERVE)
    if KILLS
    else (SERVE, "seed --dry-run", "indexes plan", "ingest in.ndjson --into plain --dry-run")
)
LONGEST_SECONDS: Final = 3.0
"""Of what is killed: by then most commands are done."""

JSON: Final = {"Content-Type": "application/json"}
OURS: Final = frozenset({"_sheaf.secrets", "_sheaf.query_shapes"})
"""All that reads may store."""

GENERAL_READS: Final = ("/v1", "/openapi.json", "/health/ready", "/jobs", "/docs")
READS: Final = (
    "?limit=1",
    "?limit=1&sort=-_id",
    ":export",
    ":schema",
    ":indexes",
    ":contract",
    ":quarantine",
)
QUESTIONS: Final = {
    ":query": "{}",
    ":count": '{"filter": {}}',
    ":aggregate": '{"pipeline": [{"$match": {"n": {"$gte": 1}}}, {"$group": {"_id": null, "n": {"$sum": 1}}}]}',
}
"""Methods that read, though they are POSTs."""

EXCEPTIONS: Final = {
    "cheap": {":indexes": 422},  # a view
    "failing": {what: 422 for what in ("", "exact", *READS, *QUESTIONS) if what not in {":contract", ":quarantine"}},
}
"""What is answered with another status than 200, besides that nobody has a contract."""


@pytest.fixture
def theirs(mongo_uri: str) -> Iterator[Theirs]:
    with other_peoples(mongo_uri) as database:
        yield database


def read_all(client: httpx.Client, name: str) -> dict[str, int]:
    """Read a collection in every way; return the status of each answer."""
    listed = client.get(f"/v1/{name}", params={"limit": 50})
    ids = [each for item in listed.json().get("items", []) if isinstance(each := item.get("_id"), int | str)][:3]
    answers = {"exact": client.get(f"/v1/{name}", headers={"Prefer": "count=exact"})}
    answers |= {address: client.get(f"/v1/{name}{address}") for address in READS}
    answers |= {
        method: client.post(f"/v1/{name}{method}", content=body, headers=JSON) for method, body in QUESTIONS.items()
    }
    answers |= {f"/{each}": client.get(f"/v1/{name}/{each}") for each in ids}
    return {"": listed.status_code, **{what: answer.status_code for what, answer in answers.items()}}


def start(words: str, folder: Path, theirs: Theirs, uri: str) -> "subprocess.Popen[bytes]":
    (folder / "in.ndjson").write_text('{"_id": "new", "n": 1}\n')
    environ = {name: value for name, value in os.environ.items() if not name.startswith("SHEAF_")}
    environ |= {"SHEAF_MONGODB_URI": uri, "SHEAF_DATABASE": theirs.name, "SHEAF_PROJECT": str(SHOP.root)}
    return subprocess.Popen(
        [SHEAF, *words.split()], cwd=folder, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


@pytest.mark.parametrize("words", COMMANDS)
def test_a_plan_writes_nothing_at_all(words: str, theirs: Theirs, mongo_uri: str, tmp_path: Path) -> None:
    before, names = picture(theirs), set(theirs.list_collection_names())
    with start(words, tmp_path, theirs, mongo_uri) as process:
        said = process.communicate()[1].decode()
    assert process.returncode in {0, 1, 2}, said
    assert "Traceback" not in said
    assert picture(theirs) == before
    assert set(theirs.list_collection_names()) == names, "and makes no collection of Sheaf's own either"


@pytest.mark.parametrize("is_killed", [False, True])
def test_a_start_and_reads_change_nothing(theirs: Theirs, mongo_uri: str, tmp_path: Path, *, is_killed: bool) -> None:
    before, names = picture(theirs), set(theirs.list_collection_names())
    with serve(tmp_path, uri=mongo_uri, database=theirs.name, prepare="") as server, server.client() as client:
        assert set(theirs.list_collection_names()) == names, "a start writes nothing"
        for address in GENERAL_READS:
            assert client.get(address).status_code == 200, address
        said = {name: read_all(client, name) for name in KINDS}
        if is_killed:
            server.stop(signal.SIGKILL)
    assert picture(theirs) == before
    assert set(theirs.list_collection_names()) - names <= OURS
    assert {name: {what: status for what, status in each.items() if status != 200} for name, each in said.items()} == {
        name: EXCEPTIONS.get(name, {}) | {":contract": 404} for name in KINDS
    }


@pytest.mark.timeout(120 + 15 * KILLS)
@pytest.mark.parametrize("words", KILLED)
def test_killed_at_some_moment(words: str, theirs: Theirs, mongo_uri: str, tmp_path: Path) -> None:
    before = picture(theirs)
    for _ in range(KILLS or 1):
        moment = random.uniform(0.1, LONGEST_SECONDS)
        with start(words, tmp_path, theirs, mongo_uri) as process:
            with suppress(subprocess.TimeoutExpired):
                process.wait(moment)
            process.kill()
        assert picture(theirs) == before, f"killed after {moment:.2f} s"


def test_killed_while_it_answers(theirs: Theirs, mongo_uri: str, tmp_path: Path) -> None:
    before = picture(theirs)
    for _ in range(KILLS or 1):
        with serve(tmp_path, uri=mongo_uri, database=theirs.name, prepare="") as server:
            reader = threading.Thread(target=read_until_it_is_gone, args=(server,))
            reader.start()
            time.sleep(random.uniform(0, 1))  # at some moment of the reading
            server.stop(signal.SIGKILL)
            reader.join()
        assert picture(theirs) == before


def read_until_it_is_gone(server: Server) -> None:
    with server.client() as client, suppress(httpx.TransportError):
        while True:
            for name in KINDS:
                read_all(client, name)
