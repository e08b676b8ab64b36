import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from documents.models.declarations import collection_name, index_models
from documents.models.discovery import ModelError, discover_models
from tests.shop import shop_models

NOTE = """
from beanie import Document

class Note(Document):
    text: str

    class Settings:
        name = "notes"
"""

Package = Callable[..., str]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Package]:
    """Write modules into a package of its own name, importable for one test."""
    name = f"models_{tmp_path.name}"
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    importlib.invalidate_caches()

    def write(**modules: str) -> str:
        for module, text in {"__init__": "", **modules}.items():
            path = tmp_path / name / f"{module.replace('__in__', '/')}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return name

    yield write
    for module in [module for module in sys.modules if module.split(".")[0] == name]:
        del sys.modules[module]


def test_the_sample_shop_is_found() -> None:
    assert [collection_name(model) for model in shop_models()] == ["carts", "customers", "orders", "products"]


def test_a_new_file_is_a_new_model(package: Package) -> None:
    models = discover_models(package(note=NOTE))
    assert [model.__name__ for model in models] == ["Note"]


def test_subpackages_are_searched(package: Package) -> None:
    name = package(deep__in____init__="", deep__in__note=NOTE)
    assert [model.__module__ for model in discover_models(name)] == [f"{name}.deep.note"]


def test_an_imported_model_belongs_to_its_own_module(package: Package) -> None:
    name = package(note=NOTE)
    package(aliases=f"from {name}.note import Note\nfrom beanie import Document", note=NOTE + "\nAlias = Note\n")
    assert [model.__name__ for model in discover_models(name)] == ["Note"]


def test_a_parent_without_settings_is_not_a_model(package: Package) -> None:
    text = "from beanie import Document\n\nclass Parent(Document):\n    x: int\n\n" + NOTE.replace(
        "Note(Document)", "Note(Parent)"
    )
    assert [model.__name__ for model in discover_models(package(note=text))] == ["Note"]


def test_a_generic_is_not_a_model(package: Package) -> None:
    text = (
        "from typing import Generic, TypeVar\nfrom beanie import Document\nT = TypeVar('T')\n\n"
        "class Box(Document, Generic[T]):\n    value: T\n"
    )
    assert discover_models(package(box=text)) == []


def test_without_settings_the_class_names_the_collection(package: Package) -> None:
    models = discover_models(package(note="from beanie import Document\n\nclass Note(Document):\n    text: str\n"))
    assert [collection_name(model) for model in models] == ["Note"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import nothing_of_that_name", "ModuleNotFoundError"),
        ("class Note(", "SyntaxError"),
        ("raise ValueError('too bad')", "ValueError: too bad"),
    ],
)
def test_a_broken_module_is_named(package: Package, text: str, expected: str) -> None:
    name = package(note=text)
    with pytest.raises(ModelError, match=expected) as caught:
        discover_models(name)
    assert f"{name}/note.py" in str(caught.value)


def test_a_broken_subpackage_is_named(package: Package) -> None:
    with pytest.raises(ModelError, match=r"deep/__init__\.py cannot be imported"):
        discover_models(package(deep__in____init__="1 / 0"))


def test_an_unknown_package_is_named() -> None:
    with pytest.raises(ModelError, match="The package no_such_package cannot be imported"):
        discover_models("no_such_package")


def test_two_models_of_one_collection_are_refused(package: Package) -> None:
    with pytest.raises(ModelError, match="claim the collection 'notes'") as caught:
        discover_models(package(first=NOTE, second=NOTE))
    assert "first.py" in str(caught.value)
    assert "second.py" in str(caught.value)


@pytest.mark.parametrize("collection", ["_sheaf.notes", "system.notes", "no spaces", ""])
def test_a_collection_out_of_reach_is_refused(package: Package, collection: str) -> None:
    with pytest.raises(ModelError, match="no collection can be named"):
        discover_models(package(note=NOTE.replace('"notes"', f'"{collection}"')))


def test_every_declared_index_is_listed(package: Package) -> None:
    text = """
from typing import Annotated
from beanie import Document, Indexed
from pymongo import IndexModel

class Note(Document):
    email: Annotated[str, Indexed(unique=True)]
    tenant: str
    created: int

    class Settings:
        name = "notes"
        indexes = [
            IndexModel([("tenant", 1), ("created", -1)]),
            [("created", -1), ("tenant", 1)],
            "tenant",
        ]
"""
    (note,) = discover_models(package(note=text))
    assert [index.document["name"] for index in index_models(note)] == [
        "email_1",
        "tenant_1_created_-1",
        "created_-1_tenant_1",
        "tenant_1",
    ]


def test_merged_indexes_come_parents_first(package: Package) -> None:
    text = """
from beanie import Document

class Parent(Document):
    class Settings:
        name = "parents"
        indexes = ["a"]

class Child(Parent):
    class Settings:
        name = "children"
        merge_indexes = True
        indexes = ["b"]
"""
    child, parent = discover_models(package(note=text))
    assert [index.document["name"] for index in index_models(child)] == ["a_1", "b_1"]
    assert [index.document["name"] for index in index_models(parent)] == ["a_1"]
