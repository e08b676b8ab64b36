import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from bson import Binary, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from hypothesis import given
from hypothesis import strategies as st

from documents.codec.encode import encode
from documents.migrations.errors import MigrationError
from documents.migrations.graph import Phase
from documents.migrations.literals import Imports, fold, literal
from documents.migrations.operations import (
    AddField,
    BsonType,
    ConvertField,
    CreateIndex,
    DropIndex,
    Operation,
    RemoveField,
    RenameField,
    RewriteDocuments,
    UpdateDocuments,
)
from documents.migrations.proposal import CHOOSE, Proposal, Step
from documents.migrations.render import InvalidMessageError, file_name, new_id, render_operation, render_revision
from documents.migrations.revisions import FILE_NAME, read_revision
from documents.types import MISSING

MOMENT = datetime(2026, 1, 31, 12, 0, 0, 5000, tzinfo=UTC)
LONG_KEY = (
    "a key that makes the line that it stands in longer than any line is allowed to be, as some keys of people do"
)

VALUES: list[Any] = [
    None,
    True,
    0,
    -(2**63),
    Int64(5),
    1.0,
    -0.0,
    1e300,
    float("inf"),
    float("nan"),
    Decimal128("1.50"),
    Decimal128("NaN"),
    MOMENT,
    datetime(2026, 1, 31, tzinfo=UTC),
    datetime(2026, 1, 31, 0, 0, 0, 1000),  # noqa: DTZ001  # naive, as MongoDB gives it
    ObjectId("65b9f0c2a1b2c3d4e5f60718"),
    UUID("65b9f0c2-a1b2-4c3d-9e5f-60718293a4b5"),
    Binary(b"\x00\xff'\"\\ \xe9", 128),
    b"\x00\xe9plain",
    Regex("^a\\.b$", "i"),
    Timestamp(5, 6),
    MinKey(),
    MaxKey(),
    "",
    'He said "no"',
    "it's",
    "both ' and \" of them",
    "back\\slash\nline\ttab\r\0bell\a",
    "Grüße – naïve “quotes” Привет 日本 \U0001f600",
    "x" * 200,
    [],
    {},
    [1, [2, {"a": [None]}]],
    {"z": 1, "a": {"nested": "ü", 'odd "key"': [Decimal128("0.1")]}},
    {LONG_KEY: [LONG_KEY, {LONG_KEY: 1}], "short": list(range(60))},
]


def proposal_of(*steps: tuple[Phase, Operation] | Step) -> Proposal:
    return Proposal(tuple(step if isinstance(step, Step) else Step(*step) for step in steps))


def written(tmp_path: Path, text: str, revision: str = "0123456789ab") -> Path:
    folder = tmp_path / "migrations"
    folder.mkdir(exist_ok=True)
    (folder / "__init__.py").touch()
    path = folder / file_name(revision, "test")
    path.write_text(text, encoding="utf-8")
    return path


EVERYTHING = proposal_of(
    (Phase.EXPAND, CreateIndex("things", [("a", 1), ("b", "text")], {"unique": True, "name": "mine"})),
    (Phase.BACKFILL, RenameField("things", "a.[].b", "c")),
    (Phase.BACKFILL, ConvertField("things", "a", BsonType.DECIMAL, back=BsonType.INT)),
    (Phase.BACKFILL, ConvertField("things", "b", BsonType.BOOL)),
    (Phase.BACKFILL, UpdateDocuments("things", {"a": {"$in": [MOMENT]}}, {"$set": {"a": 1}}, ({}, {"$inc": {"a": 1}}))),
    (Phase.BACKFILL, UpdateDocuments("things", {"x": None}, [{"$set": {"a": {"$literal": "$x"}}}])),
    (Phase.CONTRACT, DropIndex("things", [("a", -1)], {"collation": {"locale": "de"}})),
    (Phase.CONTRACT, RemoveField("things", "a")),
    *((Phase.BACKFILL, AddField("things", f"field{number}", value)) for number, value in enumerate(VALUES)),
)

HELD = Proposal(
    (
        Step(
            Phase.EXPAND, CreateIndex("things", [("at", 1)], {"expireAfterSeconds": 5}), "Documents would be deleted."
        ),
        Step(Phase.BACKFILL, AddField("things", "a", CHOOSE), "It is required: choose a value.", documents=1),
        Step(Phase.BACKFILL, AddField("things", "b", {LONG_KEY: LONG_KEY}), "Look at it." * 20, documents=None),
        Step(Phase.BACKFILL, RenameField("things", "c", "d"), note="Told beside it."),
        Step(Phase.CONTRACT, RemoveField("things", "colour"), "What it holds would be lost.", documents=1204),
        Step(Phase.CONTRACT, UpdateDocuments("things", {"a": None}, {"$set": {"a": CHOOSE}}), "Choose."),
    ),
    ("things: no model declares it any more.", "A second remark, " + "and some more of it " * 12),
)


def test_a_revision_reads_as_this() -> None:
    proposal = proposal_of(
        (Phase.EXPAND, CreateIndex("products", [("currency", 1)])),
        (Phase.BACKFILL, AddField("products", "currency", "EUR")),
        Step(Phase.CONTRACT, RemoveField("products", "colour"), "What it holds would be lost.", documents=1204),
    )
    assert render_revision("add a currency", "3f9c2a7b10de", ("0a1b2c3d4e5f",), proposal) == (
        '''"""Add a currency."""

# ruff: noqa: ERA001  # what is held back is written as comments

from documents.migrations.operations import AddField, CreateIndex

# For what is held back:
# from documents.migrations.operations import RemoveField

revision = "3f9c2a7b10de"
after = ("0a1b2c3d4e5f",)

expand = (CreateIndex("products", [("currency", 1)]),)
backfill = (AddField("products", "currency", "EUR"),)
contract = (
    # Held back: What it holds would be lost. 1,204 documents have it.
    # RemoveField("products", "colour"),
)
'''
    )


def test_every_operation_and_value_is_read_as_it_was_written(tmp_path: Path) -> None:
    revision = read_revision(written(tmp_path, render_revision("x", "0123456789ab", ("fedcba987654",), EVERYTHING)))
    assert (revision.id, revision.after, revision.message) == ("0123456789ab", ("fedcba987654",), "X.")
    assert repr(revision.expand) == repr(EVERYTHING.expand)
    assert repr(revision.contract) == repr(EVERYTHING.contract)
    given_back = [operation.value for operation in revision.backfill if isinstance(operation, AddField)]
    assert [encode({"": value}) for value in given_back] == [encode({"": value}) for value in VALUES]
    others = [operation for operation in EVERYTHING.backfill if not isinstance(operation, AddField)]
    assert [operation for operation in revision.backfill if not isinstance(operation, AddField)] == others


def test_what_is_held_back_does_not_run(tmp_path: Path) -> None:
    revision = read_revision(written(tmp_path, render_revision("x", "0123456789ab", (), HELD)))
    assert (revision.expand, revision.contract) == ((), ())
    assert revision.backfill == (RenameField("things", "c", "d"),)


def test_what_is_held_back_runs_once_it_is_uncommented(tmp_path: Path) -> None:
    text = render_revision(
        "x", "0123456789ab", (), proposal_of(*(step for step in HELD.steps if step.phase != "backfill"))
    )
    lines = [
        line.replace("# ", "", 1) if "(" in line or line.startswith("# from") else line for line in text.splitlines()
    ]
    chosen = "\n".join(lines).replace('{"a": ...}', '{"a": 5}')
    revision = read_revision(written(tmp_path, chosen))
    assert [type(operation) for operation in revision.contract] == [RemoveField, UpdateDocuments]
    assert [type(operation) for operation in revision.expand] == [CreateIndex]


def test_a_value_that_nobody_chose_is_refused(tmp_path: Path) -> None:
    chosen = proposal_of((Phase.BACKFILL, AddField("things", "a", CHOOSE)))
    with pytest.raises(MigrationError, match=r"backfill\[0\]"):
        read_revision(written(tmp_path, render_revision("x", "0123456789ab", (), chosen)))


@pytest.mark.parametrize("proposal", [EVERYTHING, HELD, Proposal(), Proposal(remarks=("One.",))])
def test_ruff_has_nothing_to_say(tmp_path: Path, repository: Path, proposal: Proposal) -> None:
    text = render_revision('It says "no", twice', "3f9c2a7b10de", tuple(new_id() for _ in range(9)), proposal)
    path = written(tmp_path, text, "3f9c2a7b10de")
    for command in (["check", "--no-cache"], ["format", "--no-cache", "--diff"]):
        ruff = [sys.executable, "-m", "ruff", *command, "--config", str(repository / "pyproject.toml"), str(path)]
        run = subprocess.run(ruff, capture_output=True, text=True, check=False)
        assert run.returncode == 0, f"{run.stdout}{run.stderr}\n{text}"


BSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.integers(-(2**63), 2**63 - 1).map(Int64)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.binary()
    | st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30))  # noqa: DTZ001  # naive, as MongoDB gives them
    | st.decimals(places=4, min_value=-(10**9), max_value=10**9).map(Decimal128)
    | st.binary(min_size=12, max_size=12).map(ObjectId)
    | st.uuids(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), inner)
    ),
    max_leaves=10,
)


@given(BSON)
def test_a_value_is_stored_as_the_same_bytes(value: Any) -> None:
    imports = Imports()
    names: dict[str, Any] = {}
    lines = fold(literal(value, imports), "value = ")
    exec("\n".join([*imports.lines(), *lines]), names)
    assert encode({"": names["value"]}) == encode({"": value})


@pytest.mark.parametrize("value", [object(), lambda: 1, {"a": {1, 2}}])
def test_what_has_no_source_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match="cannot be written"):
        literal(value, Imports())
    with pytest.raises(TypeError):
        render_operation(RewriteDocuments("things", {}, lambda document: document))


@pytest.mark.parametrize(
    "message", ["", "  ", "a\nb", "x" * 101, "\u65e5" * 51, 'three """ quotes', "back\\slash", "a\x07"]
)
def test_a_message_is_one_line(message: str) -> None:
    with pytest.raises(InvalidMessageError):
        render_revision(message, "0123456789ab", (), Proposal())


@pytest.mark.parametrize(
    ("message", "name"),
    [
        ("Add a currency to products", "add_a_currency_to_products"),
        ("Größe der Bücher", "groe_der_bucher"),
        ("日本", "revision"),
        ("../../etc/passwd; rm -rf", "etc_passwd_rm_rf"),
        ("one two three four five six seven eight nine ten", "one_two_three_four_five_six_seven_eight"),
        ("x" * 90, "x" * 40),
    ],
)
def test_a_file_is_named_after_its_message(message: str, name: str) -> None:
    found = file_name("0123456789ab", message)
    assert found == f"0123456789ab_{name}.py"
    assert FILE_NAME.fullmatch(found)


def test_ids_are_new() -> None:
    ids = {new_id() for _ in range(50)}
    assert len(ids) == 50
    assert all(len(bytes.fromhex(each)) == 6 for each in ids)


def test_uncounted_is_not_none() -> None:
    def told(documents: Any) -> str:
        step = Step(Phase.CONTRACT, RemoveField("things", "a"), "Held.", documents=documents)
        return render_revision("x", "0123456789ab", (), Proposal((step,)))

    assert "Not counted: no database was at hand." in told(MISSING)
    assert "Counting the documents took too long." in told(None)
    assert "1 document has it." in told(1)
    assert "0 documents have it." in told(0)
