"""`sheaf ingest --map`: records changed on their way, also after a replay, and out again as they were."""

import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import pytest

from tests.scripts.typed import Database, Typed

KEY = "a key of sixteen characters"


@pytest.fixture(autouse=True)
def hash_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHEAF_HASH_KEY", KEY)


def documents(database: Database) -> list[dict[str, Any]]:
    return list(database["c"].find({}, {"_id": 0}))


def digest(text: str) -> str:
    return hmac.new(KEY.encode(), text.encode(), hashlib.sha256).hexdigest()


def write(**files: str) -> None:
    for name, text in files.items():
        Path(name.replace("_", ".")).write_text(text)


def test_a_table_with_names_that_no_field_can_have_is_mapped(sheaf: Typed, database: Database) -> None:
    write(
        a_csv="Sepal.Length,$ref,mail,tags,note\n5.1,x,ada@example.com,a;b,secret\n",
        m_yaml=(
            "- rename: {'Sepal\\.Length': length, $ref: ref}\n- hash: [mail]\n- split: {tags: ';'}\n- drop: [note]\n"
            "- line: _line\n- source: _source\n"
        ),
    )
    sheaf("ingest", "a.csv", "--into", "c", "--types", "Sepal.Length:double", "--map", "m.yaml")
    assert documents(database) == [
        {
            "length": 5.1,
            "ref": "x",
            "mail": digest("ada@example.com"),
            "tags": ["a", "b"],
            "_line": 2,
            "_source": "a.csv",
        }
    ]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.ndjson", '{"io.kubernetes/x": {"$ref": 1, "": [{"a.b": "%2E"}]}}\n'),
        ("a.json", '[{"io.kubernetes/x": {"$ref": 1, "": [{"a.b": "%2E"}]}}]\n'),
    ],
)
def test_escaped_keys_come_out_as_they_were(sheaf: Typed, database: Database, name: str, text: str) -> None:
    Path(name).write_text(text)
    write(m_yaml="escape: true")
    sheaf("ingest", name, "--into", "c", "--map", "m.yaml")
    assert documents(database) == [{"io%2Ekubernetes/x": {"%24ref": 1, "%": [{"a%2Eb": "%2E"}]}}]
    sheaf("export", "c", f"out-{name}", "--unescape")
    came_out: Any = json.loads(Path(f"out-{name}").read_text())
    document: dict[str, Any] = came_out[0] if name == "a.json" else came_out
    document.pop("_id")
    assert document == {"io.kubernetes/x": {"$ref": 1, "": [{"a.b": "%2E"}]}}


def test_a_dry_run_shows_records_before_and_after(sheaf: Typed, database: Database) -> None:
    write(a_ndjson='{"nom": "Ada"}\n{"nom": "Bob", "name": 5}\n', m_yaml="rename: {nom: name}")
    _, messages = sheaf("ingest", "a.ndjson", "--into", "c", "--map", "m.yaml", "--dry-run", code=2)
    assert '{"nom":"Ada"}' in messages
    assert '→ {"name":"Ada"}' in messages
    assert "→ The record has a field name already." in messages
    assert documents(database) == []


def test_a_replay_maps_the_record_as_it_came(sheaf: Typed, database: Database) -> None:
    write(
        a_ndjson='{"nom": "Ada", "mail": "x"}\n{"nom": "Bob", "name": 5}\n',
        m_yaml="- rename: {nom: name}\n- hash: mail",
    )
    sheaf("ingest", "a.ndjson", "--into", "c", "--map", "m.yaml", code=2)
    kept = database["_sheaf.quarantine"].find_one()
    assert kept is not None
    assert bytes(kept["raw"]) == b'{"nom": "Bob", "name": 5}'
    database["_sheaf.quarantine"].update_one({}, {"$set": {"raw": b'{"nom": "Bob", "mail": "y"}', "size_bytes": 27}})
    sheaf("quarantine", "replay", "c", "--all")
    assert documents(database) == [{"name": "Ada", "mail": digest("x")}, {"name": "Bob", "mail": digest("y")}]


def test_the_same_file_with_another_mapping_is_another_load(sheaf: Typed, database: Database) -> None:
    write(a_ndjson='{"a": 1}\n', m_yaml="set: {b: 1}", n_yaml="set: {b: 2}")
    for mapping in ("m.yaml", "m.yaml", "n.yaml"):
        sheaf("ingest", "a.ndjson", "--into", "c", "--map", mapping)
    assert documents(database) == [{"a": 1, "b": 1}, {"a": 1, "b": 2}]


@pytest.mark.parametrize(
    ("mapping", "told"),
    [("- drop: [a]\n- dorp: [b]\n", "Line 2: There is no operation dorp"), ("- rename:\n    a: 5\n", "Line 2: ")],
)
def test_a_mapping_that_cannot_be_meant_names_the_line(sheaf: Typed, mapping: str, told: str) -> None:
    write(a_ndjson='{"a": 1}\n', m_yaml=mapping)
    _, messages = sheaf("ingest", "a.ndjson", "--into", "c", "--map", "m.yaml", code=2)
    assert told in " ".join(messages.replace("│", " ").split())


def test_hashes_need_a_key(sheaf: Typed, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    write(a_ndjson='{"a": 1}\n', m_yaml="hash: a")
    monkeypatch.delenv("SHEAF_HASH_KEY")
    _, messages = sheaf("ingest", "a.ndjson", "--into", "c", "--map", "m.yaml", code=1)
    assert "SHEAF_HASH_KEY" in messages
    assert "_sheaf.jobs" not in database.list_collection_names()
