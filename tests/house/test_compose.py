"""compose.yaml is what Docker Compose accepts, and sets what there is to set."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from documents.settings import describe_settings

DATA = Path(__file__).parent / "data"


@pytest.fixture(scope="module")
def compose(repository: Path) -> dict[str, Any]:
    return yaml.safe_load((repository / "compose.yaml").read_text("utf-8"))


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return json.loads((DATA / "compose-spec.json").read_text("utf-8"))


def test_is_valid(compose: dict[str, Any], schema: dict[str, Any]) -> None:
    jsonschema.validate(compose, schema)


def test_the_schema_would_notice(compose: dict[str, Any], schema: dict[str, Any]) -> None:
    api = {**compose["services"]["api"], "depends_upon": ["mongo"]}
    with pytest.raises(jsonschema.ValidationError, match="depends_upon"):
        jsonschema.validate({**compose, "services": {**compose["services"], "api": api}}, schema)


def test_sets_what_there_is_to_set(compose: dict[str, Any]) -> None:
    known = {variable for variable, _, _ in describe_settings()}
    assert set(compose["services"]["api"]["environment"]) <= known


def test_publishes_on_loopback_only(compose: dict[str, Any]) -> None:
    ports = [port for service in compose["services"].values() for port in service.get("ports", ())]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_the_api_is_built_here_and_may_write_nowhere(compose: dict[str, Any]) -> None:
    api = compose["services"]["api"]
    assert api["build"] == "."
    assert api["read_only"]
    assert "sheaf:${SHEAF_MONGO_PASSWORD" in api["environment"]["SHEAF_MONGODB_URI"]


def test_the_api_does_not_sign_in_as_root(compose: dict[str, Any]) -> None:
    api, user = compose["services"]["api"], compose["services"]["user"]
    assert "ROOT" not in str(api)
    assert '["readWrite", "dbAdmin"]' in user["command"][-1]
