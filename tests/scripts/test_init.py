"""`sheaf init` makes a project that runs and tests itself, whatever lies beside it and on PYTHONPATH."""

import hashlib
import os
import subprocess
import sys
import sysconfig
import threading
import venv
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Queue
from typing import Final, TextIO, cast

import httpx
import pytest
from typer.testing import CliRunner

from documents.project.project import ProjectError
from scripts.cli import app
from tests.server import ADDRESS

ROOT: Final = Path(__file__).parent.parent.parent
PATIENCE_SECONDS: Final = 90


@dataclass(frozen=True)
class Installed:
    """Sheaf, installed from its wheel into an environment of its own."""

    program: Path
    packages: Path

    def files(self) -> set[Path]:
        """All that is installed, without what Python compiles."""
        return {file for file in self.packages.rglob("*") if "__pycache__" not in file.parts}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("installed")
    pip = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")
    run([*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(ROOT)], folder)
    [wheel] = folder.glob("sheaf_api-*.whl")
    venv.create(folder / "venv")
    [packages] = (folder / "venv").glob("lib/python*/site-packages")
    # What Sheaf needs is taken from here. A folder named in a .pth comes last, and its own .pth files are not read, so
    # the Sheaf of this environment is not found there.
    (packages / "needed.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    run([*pip, "--python", str(folder / "venv" / "bin" / "python"), "install", "--no-deps", str(wheel)], folder)
    return Installed(folder / "venv" / "bin" / "sheaf", packages)


def run(words: Sequence[str], folder: Path, environ: Mapping[str, str] | None = None) -> str:
    """Run a command; return what it says."""
    done = subprocess.run(words, cwd=folder, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def beside(tmp_path: Path) -> Path:
    """A folder with packages that are called as Sheaf's are."""
    for name in ("api", "documents", "scripts"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise ImportError('not the package that was meant')\n")
    return tmp_path


def environ_of(beside: Path, **more: str) -> dict[str, str]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("SHEAF_")}
    return {**environ, "PYTHONPATH": str(beside), "COLUMNS": "200", "NO_COLOR": "1", **more}


@pytest.fixture
def sheaf(installed: Installed, beside: Path, mongo_uri: str) -> "Sheaf":
    database = f"init_{hashlib.sha256(bytes(beside)).hexdigest()[:12]}"
    return Sheaf(installed, beside, {"SHEAF_MONGODB_URI": mongo_uri, "SHEAF_DATABASE": database})


@dataclass(frozen=True)
class Sheaf:
    """The installed command, with packages of the same names on PYTHONPATH."""

    installed: Installed
    beside: Path
    settings: Mapping[str, str]

    def __call__(self, words: str, folder: Path, **more: str) -> str:
        """Run a command; return what it says."""
        return run([str(self.installed.program), *words.split()], folder, self.environ | more)

    @property
    def environ(self) -> dict[str, str]:
        return environ_of(self.beside, **self.settings)

    @contextmanager
    def started(self, command: str, folder: Path, **more: str) -> Generator["Queue[str]"]:
        """Start a command; give the addresses that it shows, each time that it listens, and in the end all it said."""
        addresses: Queue[str] = Queue()
        said: list[str] = []
        environ = self.environ | {"SHEAF_PORT": "0"} | more
        program = str(self.installed.program)
        with subprocess.Popen(
            [program, command], cwd=folder, env=environ, stderr=subprocess.PIPE, text=True
        ) as process:

            def read() -> None:
                for line in cast("TextIO", process.stderr):
                    said.append(line)
                    if found := ADDRESS.search(line):
                        addresses.put(found[1])
                addresses.put("".join(("It ended, and said:\n", *said)))

            reader = threading.Thread(target=read)
            reader.start()
            try:
                yield addresses
            finally:
                process.terminate()
                process.wait(PATIENCE_SECONDS)
                reader.join()


@pytest.mark.timeout(300)
def test_a_project_beside_packages_of_the_same_names(sheaf: Sheaf, beside: Path) -> None:
    before = sheaf.installed.files()
    said = sheaf("init shop", beside)
    assert f"hides Sheaf's package 'api' behind {beside / 'api' / '__init__.py'}" in said
    project = beside / "shop"
    with sheaf.started("serve", project, SHEAF_PREPARE="true") as addresses:
        address = addresses.get(timeout=PATIENCE_SECONDS)
        assert address.startswith("http"), address
        with httpx.Client(base_url=address, trust_env=False) as client:
            assert client.post("/v1/notes", json={"text": "Buy tea"}).status_code == 201
            assert client.post("/v1/notes", json={"txt": "Buy tea"}).json()["code"] == "invalid-document"
            assert client.get("/progress").json() == {"notes": 3, "done": 0}
            assert "/progress" in client.get("/openapi.json").json()["paths"]
            assert client.post("/v1/memos", json={"title": "Free", "words": 3}).status_code == 201
    sheaf("migrate revision First --autogenerate", project)
    assert [file.name for file in (project / "migrations").glob("*.py")]
    with (project / "seeds" / "notes.yaml").open("a") as seeds:
        seeds.write("  - {_id: 6750a000000000000000000a, text: More}\n")
    assert "1 inserted" in sheaf("seed", project)
    sheaf("schema promote memos --name Memo", project)
    assert "class Memo(" in "".join(file.read_text() for file in (project / "models").glob("memo*.py"))
    assert sheaf.installed.files() == before


def test_dev_starts_again_when_a_model_comes(sheaf: Sheaf, beside: Path) -> None:
    sheaf("init shop", beside)
    with sheaf.started("dev", beside / "shop") as addresses:
        assert addresses.get(timeout=PATIENCE_SECONDS).startswith("http")
        note = (beside / "shop" / "models" / "note.py").read_text()
        (beside / "shop" / "models" / "task.py").write_text(note.replace('"notes"', '"tasks"').replace("Note", "Task"))
        address = addresses.get(timeout=PATIENCE_SECONDS)
        assert "tasks" in {each["name"] for each in httpx.get(f"{address}/v1", trust_env=False).json()["items"]}


@pytest.mark.timeout(300)
def test_a_new_project_tests_itself(sheaf: Sheaf, tmp_path: Path) -> None:
    sheaf("init shop", tmp_path)
    environ = environ_of(tmp_path, PATH=f"{sheaf.installed.program.parent}{os.pathsep}{os.environ['PATH']}")
    words = [str(sheaf.installed.program.with_name("python")), "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    assert "3 passed" in run(words, tmp_path / "shop", environ)


def test_a_folder_that_is_not_empty_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("mine")
    error = CliRunner().invoke(app, ["init", str(tmp_path)]).exception
    assert isinstance(error, ProjectError)
    assert [file.name for file in tmp_path.iterdir()] == ["README.md"]
    assert CliRunner().invoke(app, ["init", str(tmp_path), "--force"]).exit_code == 0
    assert (tmp_path / "README.md").read_text() == "mine"
    assert {".gitignore", ".github", "Dockerfile", "models"} <= {file.name for file in tmp_path.iterdir()}
