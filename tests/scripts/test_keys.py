import json
import stat
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from scripts.cli import app
from tests.server import serve


@pytest.fixture(autouse=True)
def _own_database(mongo_uri: str, monkeypatch: pytest.MonkeyPatch, collection: str) -> None:
    monkeypatch.setenv("SHEAF_MONGODB_URI", mongo_uri)
    monkeypatch.setenv("SHEAF_DATABASE", collection)


def keys(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["keys", *arguments])


def made(*arguments: str) -> dict[str, Any]:
    return json.loads(keys("create", *arguments, "--json").stdout)


def test_a_key_is_shown_once() -> None:
    created = keys(
        "create", "checkout", "--role", "clerk", "--var", "tenant=acme", "--var", "level=3", "--expires", "90d"
    )
    key = created.stdout.strip()
    assert key.startswith("shf_")
    assert created.exit_code == 0
    [listed] = json.loads(keys("list", "--json").stdout)
    assert listed["roles"] == ["clerk"]
    assert listed["variables"] == {"tenant": "acme", "level": 3}
    assert listed["expires"] is not None
    for said in (keys("list").output, keys("list", "--json").output, keys("show", listed["id"]).output):
        assert key not in said
        assert listed["id"] in said


def test_a_revoked_key_says_so() -> None:
    record = made("x", "--role", "admin")
    assert keys("revoke", record["id"]).exit_code == 0
    assert "revoked" in keys("list").stdout
    assert keys("revoke", record["id"]).exit_code == 0


def test_a_rotated_key_has_the_same_rights() -> None:
    old = made("x", "--role", "clerk", "--var", "tenant=a")
    new = json.loads(keys("rotate", old["id"], "--json").stdout)
    assert new["key"] != old["key"]
    assert (new["name"], new["roles"], new["variables"]) == ("x", ["clerk"], {"tenant": "a"})
    assert [record["revoked"] for record in json.loads(keys("list", "--json").stdout)] == [None, None]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("create", "x", "--role", "a b"), "cannot be the name of a role"),
        (("create", "x", "--role", "a", "--var", "Tenant=1"), "write NAME=VALUE"),
        (("create", "x", "--role", "a", "--expires", "soon"), "such as 90d"),
        (("show", "none"), "There is no key"),
        (("revoke", "none"), "There is no key"),
        (("rotate", "none"), "There is no key"),
    ],
)
def test_mistakes_are_said(arguments: tuple[str, ...], said: str) -> None:
    result = keys(*arguments)
    assert result.exit_code != 0
    assert said in str(result.exception)


def test_a_first_start_makes_a_key_for_the_administrator(tmp_path: Path) -> None:
    (tmp_path / "level").write_text("false\n", "utf-8")
    with serve(tmp_path, uri=None, open="", open_file=tmp_path / "level") as server:
        file = tmp_path / "data" / "admin-key"
        key = file.read_text("utf-8").strip()
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert sum(key in line for line in server.said) == 1
        with server.client() as client:
            assert client.get("/v1").status_code == 401
            assert client.get("/v1", headers={"Authorization": f"Bearer {key}"}).status_code == 200
    with serve(tmp_path, uri=None, open=False) as server:
        assert not any("shf_" in line for line in server.said)
