"""What commands do with a project, and without one."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from documents.project.project import ProjectError
from scripts.cli import app


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current folder that is no project."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SHEAF_PROJECT", "")
    return tmp_path


@pytest.mark.parametrize(
    "words",
    [
        "seed",
        "migrate revision Something",
        "migrate merge",
        "migrate plan",
        "migrate upgrade",
        "migrate check",
        "migrate current",
        "migrate history",
        "migrate heads",
        "schema promote things",
    ],
)
def test_what_needs_a_project_says_so(nowhere: Path, words: str) -> None:
    error = CliRunner().invoke(app, words.split()).exception
    assert isinstance(error, ProjectError)
    assert "--project or SHEAF_PROJECT" in str(error)
    assert list(nowhere.iterdir()) == [], "and makes nothing"


@pytest.mark.parametrize("is_named", [True, False])
def test_a_revision_is_written_into_the_project(nowhere: Path, *, is_named: bool) -> None:
    flags = ["--project", str(nowhere)] if is_named else []
    if not is_named:
        (nowhere / "sheaf.toml").touch()
    result = CliRunner().invoke(app, ["migrate", "revision", "Something", *flags])
    assert result.exit_code == 0, result.output
    [file] = (nowhere / "migrations").iterdir()
    assert file.name.endswith("_something.py")
