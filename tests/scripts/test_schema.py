"""`sheaf schema`, as it is typed."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bson import Decimal128, ObjectId
from pymongo import MongoClient
from pymongo.database import Database as SyncDatabase
from typer.testing import CliRunner, Result

from documents.collections import profile_walk
from scripts import schema_promote, schema_source
from scripts.cli import app
from tests.server import serve
from tests.shop import SHOP

Database = SyncDatabase[dict[str, Any]]


@pytest.fixture
def database(mongo_uri: str) -> Iterator[Database]:
    with MongoClient[dict[str, Any]](mongo_uri) as client:
        name = f"cli_{ObjectId()}"
        yield client[name]
        client.drop_database(name)


class Sheaf:
    """Calls the command inside this process."""

    def __call__(self, *words: str, code: int = 0) -> Result:
        result = CliRunner().invoke(app, ["schema", *words])
        assert result.exit_code == code, (result.output, result.exception)
        return result

    def refused(self, *words: str) -> str:
        result = CliRunner().invoke(app, ["schema", *words])
        assert result.exception is not None
        return str(getattr(result.exception, "detail", result.exception))


@pytest.fixture
def sheaf(database: Database, mongo_uri: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Sheaf:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("SHEAF_MONGODB_URI", mongo_uri)
    monkeypatch.setenv("SHEAF_DATABASE", database.name)
    return Sheaf()


@pytest.fixture
def visits(database: Database) -> str:
    database["visits"].insert_many(
        [
            {"page": "/", "ms": 31, "from": {"country": "PT"}},
            {"page": "/tea", "ms": 12.5, "price": Decimal128("4.90"), "US Gross": 5},
            {"page": "/tea", "ms": None, "tags": ["a", 5], "class": "x"},
        ]
    )
    return "visits"


def test_the_table_says_what_it_cannot_see(sheaf: Sheaf, visits: str) -> None:
    shown = sheaf("infer", visits).stdout
    assert "from.country" in shown
    assert "33.3 %" in shown
    assert "All 3 documents were looked at." in shown
    assert "2 of about 3 documents were looked at" in sheaf("infer", visits, "--sample", "2").stdout


@pytest.mark.parametrize("form", ["json-schema", "mongo", "contract", "profile"])
def test_forms_are_json_and_tell_of_the_sample(sheaf: Sheaf, visits: str, tmp_path: Path, form: str) -> None:
    result = sheaf("infer", visits, "--format", form)
    assert "All 3 documents" in json.dumps(json.loads(result.stdout))
    sheaf("infer", visits, "--format", form, "--output", "saved.json")
    assert json.loads((tmp_path / "saved.json").read_text()) == json.loads(result.stdout)


def test_the_page(sheaf: Sheaf, visits: str, tmp_path: Path) -> None:
    assert "All 3 documents" in sheaf("infer", visits, "--format", "html", "--output", "page.html").stderr
    assert (tmp_path / "page.html").read_text().startswith("<!doctype html>")


def test_redacted_and_filtered(sheaf: Sheaf, visits: str) -> None:
    assert "/tea" in sheaf("infer", visits, "--json").stdout
    assert "/tea" not in sheaf("infer", visits, "--json", "--redact").stdout
    found = json.loads(sheaf("infer", visits, "--json", "--filter", '{"ms": {"$gt": 20}}').stdout)
    assert (found["documents"], found["collection"]) == (1, visits)


def test_all_is_the_same_as_a_sample_of_all(sheaf: Sheaf, visits: str) -> None:
    assert sheaf("infer", visits, "--full", "--json").stdout == sheaf("infer", visits, "--json").stdout


def test_no_such_collection(sheaf: Sheaf, database: Database) -> None:
    assert "There is no collection 'nothing'" in sheaf.refused("infer", "nothing")
    assert database.list_collection_names() == []
    sheaf("infer", "nothing", "--full", "--sample", "5", code=2)


def test_what_was_stopped_goes_on(sheaf: Sheaf, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    database["many"].insert_many([{"n": number} for number in range(50)])
    steps = profile_walk.profile_all

    async def stopped(*args: Any, **options: Any) -> Any:
        async for step in steps(*args, **options, page=10, checkpoint_every=profile_walk.CHECKPOINT_EVERY * 0):
            yield step
            if step.done >= 20:
                raise KeyboardInterrupt

    monkeypatch.setattr(schema_source, "profile_all", stopped)
    assert "goes on where it was" in sheaf("infer", "many", "--full", code=130).stderr
    monkeypatch.setattr(schema_source, "profile_all", steps)
    went_on = sheaf("infer", "many", "--full")
    assert "Going on after 20 of about 50 documents." in went_on.stderr
    assert "All 50 documents were looked at." in went_on.stdout
    assert "Going on" not in sheaf("infer", "many", "--full").stderr


class TestDiff:
    def test_nothing_has_changed(self, sheaf: Sheaf, visits: str) -> None:
        sheaf("infer", visits, "--format", "profile", "--output", "before.json")
        assert "Nothing differs" in sheaf("diff", "before.json", visits).stderr
        assert json.loads(sheaf("diff", visits, visits, "--json").stdout) == []

    def test_what_has_changed_fails_a_pipeline(self, sheaf: Sheaf, visits: str, database: Database) -> None:
        sheaf("infer", visits, "--format", "profile", "--output", "before.json")
        database[visits].insert_many([{"page": 5, "new": 1} for _ in range(3)])
        result = sheaf("diff", "before.json", visits, "--json", code=2)
        found = {(each["path"], each["kind"]) for each in json.loads(result.stdout)}
        assert {("page", "type-new"), ("ms", "presence"), ("new", "path-new")} <= found
        assert "breaking" in sheaf("diff", "before.json", visits, code=2).stdout

    def test_thresholds(self, sheaf: Sheaf, visits: str, database: Database) -> None:
        sheaf("infer", visits, "--format", "profile", "--output", "before.json")
        database[visits].insert_one({"page": "/", "ms": 31, "added": True})
        sheaf("diff", "before.json", visits, code=2)
        sheaf("diff", "before.json", visits, "--presence", "0.5", "--types", "0.5")
        sheaf("diff", "before.json", visits, "--presence", "0.5", "--types", "0.5", "--fail-at", "info", code=2)
        sheaf("diff", "before.json", visits, "--fail-at", "nonsense", code=2)

    def test_environments(self, sheaf: Sheaf, visits: str, database: Database, mongo_uri: str) -> None:
        other = f"{database.name}_b"
        database.client[other][visits].insert_one({"page": 1})
        flags = ("--other-database", other, "--other-mongodb-uri", mongo_uri)
        try:
            assert "page" in sheaf("diff", visits, visits, *flags, code=2).stdout
            assert database.client[other].list_collection_names() == [visits]
        finally:
            database.client.drop_database(other)

    def test_files_that_are_no_profiles(self, sheaf: Sheaf, visits: str, tmp_path: Path) -> None:
        (tmp_path / "other.json").write_text("{}")
        assert "is no profile" in sheaf.refused("diff", "other.json", visits)
        assert "is no profile" in sheaf.refused("diff", "absent.json", visits)


class TestPromote:
    def test_check_only_writes_nothing(self, sheaf: Sheaf, visits: str) -> None:
        result = sheaf("promote", visits, "--check-only")
        assert "class Visit(Document):" in result.stdout
        assert "All 3 documents fit Visit." in result.stderr
        assert not schema_promote.choose_file(SHOP, "Visit").exists()

    def test_says_what_does_not_fit(self, sheaf: Sheaf, database: Database) -> None:
        # Whichever of the two the sample has, the other does not fit.
        database["odd"].insert_many([{"_id": "one", "n": 1}, {"_id": "two", "n": "text"}])
        report = json.loads(sheaf("promote", "odd", "--sample", "1", "--check-only", "--json", code=2).stdout)
        assert (report["checked"], report["misfits"], report["written"]) == (2, 1, False)
        assert report["first"][0]["_id"] in ("one", "two")
        assert report["first"][0]["faults"][0]["pointer"] == "/n"
        shown = sheaf("promote", "odd", "--sample", "1", "--check-only", code=2).stderr
        assert "1 of 2 documents do not fit Odd" in shown
        assert "/n: " in shown

    def test_overwrites_only_its_own_model(self, sheaf: Sheaf, visits: str, tmp_path: Path) -> None:
        sheaf("promote", visits, "--name", "Call", "--output", "call.py")
        assert "class Call(Document):" in (tmp_path / "call.py").read_text()
        assert "--force" in sheaf.refused("promote", visits, "--output", "call.py")
        sheaf("promote", visits, "--output", "call.py", "--force")
        assert "class Visit(Document):" in (tmp_path / "call.py").read_text()
        (tmp_path / "other.py").write_text("x = 1\n")
        assert "no model of this" in sheaf.refused("promote", visits, "--output", "other.py", "--force")

    def test_refuses_what_cannot_be(self, sheaf: Sheaf, visits: str, database: Database, tmp_path: Path) -> None:
        database["products"].insert_one({"sku": "A"})
        assert "declared already, by Product" in sheaf.refused("promote", "products", "--output", "p.py")
        assert "cannot be named" in sheaf.refused("promote", visits, "--name", "nope", "--output", "v.py")
        assert "no folder" in sheaf.refused("promote", visits, "--output", "absent/v.py")
        database.create_collection("empty")
        assert "has no documents" in sheaf.refused("promote", "empty", "--output", "e.py")
        assert list(tmp_path.glob("*.py")) == []

    @pytest.mark.parametrize("moment", ["os.fsync", "Path.replace"])
    def test_killed_while_it_writes_it_leaves_the_model_as_it_was(
        self, sheaf: Sheaf, visits: str, tmp_path: Path, moment: str
    ) -> None:
        file = tmp_path / "call.py"
        sheaf("promote", visits, "--name", "Call", "--output", str(file))
        old = file.read_text()
        for output, words in ((file, ("--force",)), (tmp_path / "new.py", ())):
            command = [sys.executable, "-c", _KILLED.format(moment), "schema", "promote", visits]
            killed = subprocess.run([*command, "--output", str(output), *words], capture_output=True, check=False)
            assert killed.returncode == -signal.SIGKILL, killed.stderr
            assert len([*tmp_path.glob(f".{output.name}.*.part")]) == 1, "it was writing"
        assert [(each.name, each.read_text()) for each in tmp_path.glob("*.py")] == [("call.py", old)]
        sheaf("promote", visits, "--output", str(tmp_path / "new.py"))  # and what is left is in nobody's way
        assert "class Visit(Document):" in (tmp_path / "new.py").read_text()


def test_from_anything_goes_to_typed(  # fixtures
    sheaf: Sheaf, visits: str, database: Database, mongo_uri: str, tmp_path: Path
) -> None:
    before = list(database[visits].find())
    assert "visits is declared" in sheaf("promote", visits, "--project", str(tmp_path)).stderr
    assert (tmp_path / "models" / "visit.py").is_file()
    served = serve(tmp_path, uri=mongo_uri, database=database.name, project=tmp_path)
    with served as server, server.client() as client:
        found = {item["name"]: item for item in client.get("/v1").json()["items"]}
        assert (found[visits]["declared"], found[visits]["estimated_count"]) == (True, 3)
        refused = client.post(f"/v1/{visits}", json={"page": {"not": "a page"}, "ms": "much"})
        assert (refused.status_code, refused.json()["code"]) == (422, "invalid-document")
        taken = client.post(f"/v1/{visits}", json={"page": "/", "ms": 3, "price": "5.20"})
        assert taken.status_code == 201, taken.text
        assert client.delete(taken.headers["location"]).status_code == 204
        assert client.get("/openapi.json").json()["components"]["schemas"]["VisitInput"]["required"] == [
            "page",
            "ms",
        ]
    assert list(database[visits].find()) == before


_KILLED = """
import os, signal
from pathlib import Path
from scripts.cli import main
{} = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
main()
"""
