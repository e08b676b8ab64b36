"""Files become revisions, or are refused by name."""

import sys
from pathlib import Path

import pytest

from documents.migrations.errors import InvalidRevisionError
from documents.migrations.graph import Phase
from documents.migrations.operations import AddField, CreateIndex, RewriteDocuments
from documents.migrations.revisions import checksum_of, load_revisions, read_revision
from tests.documents.migrations.revision_files import FIRST, SECOND, write

EXAMPLE = '''"""Add a currency to products.

And more to be said of it.
"""

from decimal import Decimal

from bson import Decimal128

from documents.migrations.operations import AddField, CreateIndex, RewriteDocuments

revision = "3f9c2a7b10de"
after = ()


def rewrite(document):
    return {**document, "price": Decimal128(Decimal("1.10"))}


expand = (CreateIndex("products", [("currency", 1)]),)
backfill = (AddField("products", "currency", "EUR"), RewriteDocuments("products", {"price": None}, rewrite))
'''


def test_a_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "3f9c2a7b10de_add_currency.py").write_text(EXAMPLE)
    (tmp_path / "__init__.py").write_text("")
    (tmp_path / "snapshot.json").write_text("{}")
    modules = set(sys.modules)
    [revision] = load_revisions(tmp_path).revisions
    assert (revision.id, revision.after, revision.message) == ("3f9c2a7b10de", (), "Add a currency to products.")
    assert revision.expand == (CreateIndex("products", [("currency", 1)]),)
    add, rewrite = revision.backfill
    assert add == AddField("products", "currency", "EUR")
    assert isinstance(rewrite, RewriteDocuments)
    assert str(rewrite.rewrite({"_id": 1})["price"]) == "1.10"
    assert revision.contract == ()
    assert [(phase, key) for phase, key, _ in revision.steps()] == [
        (Phase.EXPAND, "expand/0"),
        (Phase.BACKFILL, "backfill/0"),
        (Phase.BACKFILL, "backfill/1"),
    ]
    assert {name for name in set(sys.modules) - modules if "3f9c2a7b10de" in name} == set()


def test_a_folder_that_is_not_there_has_none(tmp_path: Path) -> None:
    graph = load_revisions(tmp_path / "nowhere")
    assert (graph.revisions, graph.heads, graph.get_head()) == ((), (), None)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("a = 1\r\nb = 2\r\n", True),
        ("a = 1  \nb = 2\t\n\n\n", True),
        ("a = 1\nb = 2", True),
        ("a = 1\n\nb = 2\n", False),
        ("a = 1\nb = 3\n", False),
        ("a = 1\n  b = 2\n", False),
    ],
)
def test_a_checksum_is_of_what_matters(text: str, *, same: bool) -> None:
    assert (checksum_of(text) == checksum_of("a = 1\nb = 2\n")) is same


BAD = {
    "import of a model": ("from documents.models.product import Product", "models change"),
    "import of the models": ("import documents.models", "models change"),
    "import in a function": ("def f():\n    from documents.models import product", "models change"),
    "import of documents": ("from documents import models", "models change"),
    "import of ours": ("from documents.database.connection import Connection", "may import"),
    "import of a driver": ("import pymongo", "may import"),
    "import of the system": ("import os.path", "may import"),
    "relative import": ("from . import other", "may import"),
    "a syntax error": ("expand = (", "cannot be read"),
    "an error": ("1 / 0", "ZeroDivisionError"),
    "no id": ("revision = None", "12 hex digits"),
    "a wrong id": ("revision = '0A1B2C3D4E5F'", "12 hex digits"),
    "another id": (f"revision = {SECOND!r}", "differ"),
    "parents as text": (f"after = {SECOND!r}", "a tuple of ids"),
    "a wrong parent": ("after = ('first',)", "12 hex digits"),
    "a parent twice": (f"after = ({SECOND!r}, {SECOND!r})", "twice"),
    "no operations": ("expand = AddField('things', 'a', 1)", "a tuple of operations"),
    "something else": ("expand = ('add a field',)", "no operation"),
    "a misspelt phase": ("contrat = (RemoveField('things', 'a'),)", "`contrat` has operations"),
    "a collection of ours": ("expand = (AddField('_sheaf.locks', 'a', 1),)", "no collection for documents"),
    "no collection": ("expand = (AddField('', 'a', 1),)", "no collection for documents"),
    "a wrong path": ("backfill = (AddField('things', 'a..b', 1),)", "`backfill[0]`"),
    "a value that BSON lacks": ("backfill = (AddField('things', 'a', object()),)", "`backfill[0]`"),
    "an index that is none": ("expand = (CreateIndex('things', []),)", "`expand[0]`"),
    "the index on _id": ("expand = (CreateIndex('things', [('_id', 1)]),)", "`expand[0]`"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_is_refused_by_name(tmp_path: Path, case: str) -> None:
    more, reason = BAD[case]
    path = write(tmp_path, FIRST)
    path.write_text(path.read_text() + more + "\n")
    with pytest.raises(InvalidRevisionError) as caught:
        load_revisions(tmp_path)
    assert reason in caught.value.detail
    assert path.name in caught.value.detail
    assert caught.value.path == path


@pytest.mark.parametrize("name", ["helpers.py", "0a1b2c3d4e5_short.py", "0a1b2c3d4e5f.py", "0a1b2c3d4e5f-dash.py"])
def test_a_file_is_named_like_a_revision(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("")
    with pytest.raises(InvalidRevisionError, match="is named"):
        read_revision(tmp_path / name)


def test_text_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    path = tmp_path / f"{FIRST}_bytes.py"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(InvalidRevisionError, match="cannot be read"):
        read_revision(path)
