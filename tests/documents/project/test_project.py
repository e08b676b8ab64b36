import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from documents.models.discovery import ModelError
from documents.project.models import PREFIX, load_models
from documents.project.project import Project, ProjectError, find_project, require_project
from documents.settings import Settings

NOTE = """
from beanie import Document
{imports}

class Note(Document):
    text: str{more}

    class Settings:
        name = "{name}"
"""


def chosen(**settings: Any) -> Settings:
    return Settings(_env_file=None, **settings)  # pyright: ignore[reportCallIssue]  # pydantic-settings adds it


def write(root: Path, name: str = "notes", *, imports: str = "", more: str = "") -> Project:
    (root / "models").mkdir(parents=True, exist_ok=True)
    (root / "models" / "note.py").write_text(NOTE.format(name=name, imports=imports, more=more))
    return Project(root)


@pytest.mark.parametrize(
    ("files", "is_project"),
    [
        ({}, False),
        ({"sheaf.toml": ""}, True),
        ({"pyproject.toml": "[project]\nname = 'x'\n"}, False),
        ({"pyproject.toml": "[tool.sheaf]\n"}, True),
        ({"sheaf.toml": "", "pyproject.toml": "[project]"}, True),
    ],
)
def test_what_makes_the_current_folder_a_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], *, is_project: bool
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    assert find_project(chosen()) == (Project(tmp_path) if is_project else None)
    assert find_project(chosen(project=Path.cwd())) == Project(tmp_path), "one that is named needs no mark"


def test_where_there_is_none_it_is_said_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ProjectError, match="--project or SHEAF_PROJECT"):
        require_project(chosen())
    with pytest.raises(ProjectError, match="no folder nowhere"):
        find_project(chosen(project=Path("nowhere")))


@pytest.mark.parametrize(
    ("text", "says"), [("sampel = 'x'", "sampel: Extra inputs"), ("sample = 1", "sample: Input"), ("=", "Invalid")]
)
def test_a_key_that_has_no_effect_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, says: str
) -> None:
    (tmp_path / "sheaf.toml").write_text(text)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ProjectError, match=rf"sheaf\.toml cannot be read: {says}"):
        find_project(chosen())


def test_a_sample_is_for_the_embedded_mongodb_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sheaf.toml").write_text('sample = "shop"')
    (tmp_path / "shop").mkdir()
    monkeypatch.chdir(tmp_path)
    assert find_project(chosen()) == Project(tmp_path / "shop")
    assert find_project(chosen(mongodb_uri=SecretStr("mongodb://db/"))) is None


def test_without_a_project_or_models_nothing_is_declared(tmp_path: Path) -> None:
    assert load_models(None) == load_models(Project(tmp_path)) == []


def test_its_modules_collide_with_nothing(tmp_path: Path) -> None:
    for name in ("api", "documents", "scripts", "tests"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('not Sheaf')")
    write(tmp_path, imports="from .documents import Length\nfrom ..api import SIZE", more="\n    length: Length = SIZE")
    (tmp_path / "models" / "documents.py").write_text("Length = int")
    (tmp_path / "models" / "models.py").touch()
    (tmp_path / "api.py").write_text("SIZE = 3")
    [model] = load_models(Project(tmp_path))
    assert model.model_fields["length"].default == 3
    assert model.__module__.startswith(PREFIX)
    assert sys.modules["documents"].__file__ != str(tmp_path / "documents.py")


def test_two_projects_are_loaded_side_by_side(tmp_path: Path) -> None:
    [one] = load_models(write(tmp_path / "a", "ones"))
    [other] = load_models(write(tmp_path / "b", "others"))
    assert one is not other
    assert load_models(Project(tmp_path / "a")) == [one], "a second time the classes are the same"


def test_a_model_that_fails_is_named_by_its_file(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=rf"{tmp_path}/models/note\.py cannot be imported: ModuleNotFoundError"):
        load_models(write(tmp_path, imports="import nowhere_at_all"))
