"""Installing the peers at pinned versions, each in an environment of its own under `benchmarks/.cache`."""

import hashlib
import json
import re
import shutil
import subprocess
import sys
from enum import StrEnum
from pathlib import Path
from typing import Final

from benchmarks.process import BenchError

HERE: Final = Path(__file__).parent
PEERS: Final = HERE / "peers"
CACHE: Final = HERE / ".cache"
PIN: Final = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", re.MULTILINE)
REQUIREMENTS: Final = "requirements.txt"
LOCK: Final = "package-lock.json"
PYTHON: Final = "venv/bin/python"
STAMP: Final = ".installed"


class Environment(StrEnum):
    """What a contender's code runs in."""

    PYTHON = "python"
    NODE = "node"
    OURS = "ours"
    "This environment: Sheaf's, which also runs the harness."
    NONE = "none"


def folder_of(name: str) -> Path:
    """Return the folder that a peer is installed into and runs from."""
    return CACHE / "peers" / name


def install(name: str, environment: Environment) -> None:
    """Install a peer, unless it is there at the versions wanted.

    Raises:
        BenchError: An installer is missing or failed.
    """
    pins = {Environment.PYTHON: REQUIREMENTS, Environment.NODE: LOCK}.get(environment)
    if pins is None:
        return
    folder = folder_of(name)
    wanted = _fingerprint(PEERS / name / pins)
    if not _is_installed(folder, wanted):
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(PEERS / name, folder)
        _install_python(folder, folder / pins) if environment is Environment.PYTHON else _install_node(folder)
        (folder / STAMP).write_text(wanted)
    for source in (PEERS / name).iterdir():
        if source.suffix in {".py", ".js"}:
            shutil.copy2(source, folder)


def install_lock(name: str, lock: Path) -> Path:
    """Install what a lock names into an environment of its own, unless it is there, and return its Python.

    Raises:
        BenchError: pip failed.
    """
    folder = folder_of(name)
    wanted = _fingerprint(lock)
    if not _is_installed(folder, wanted):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        _install_python(folder, lock)
        (folder / STAMP).write_text(wanted)
    return folder / PYTHON


def _fingerprint(pins: Path) -> str:
    return hashlib.sha256(pins.read_bytes()).hexdigest() + f" {sys.version}"


def _is_installed(folder: Path, wanted: str) -> bool:
    stamp = folder / STAMP
    return stamp.is_file() and stamp.read_text() == wanted


def _install_python(folder: Path, pins: Path) -> None:
    _call([sys.executable, "-m", "venv", "venv"], folder)
    pip = [PYTHON, "-m", "pip", "--disable-pip-version-check", "--quiet", "install"]
    _call([*pip, "--require-hashes", "-r", str(pins)], folder)


def _install_node(folder: Path) -> None:
    if not shutil.which("npm"):
        raise BenchError(f"{folder.name} needs Node 20 or later with npm. Install it, or leave it out with --peers.")
    # No install scripts: none of these packages needs one to serve.
    _call(["npm", "ci", "--ignore-scripts", "--no-progress", "--silent"], folder)


def _call(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchError(f"Cannot install {folder.name}: {' '.join(command)} said\n{done.stderr.strip()[-1500:]}")


def versions_of(name: str, environment: Environment) -> dict[str, str]:
    """Return the versions that a peer is pinned at: those packages that its own manifest asks for."""
    peer = PEERS / name
    if environment is Environment.PYTHON:
        wanted = {package for package, _ in PIN.findall((peer / "requirements.in").read_text())}
        return {
            package: version
            for package, version in read_pins((peer / REQUIREMENTS).read_text()).items()
            if package in wanted
        }
    if environment is Environment.NODE:
        packages = json.loads((peer / LOCK).read_text())["packages"]
        return {package: packages[f"node_modules/{package}"]["version"] for package in packages[""]["dependencies"]}
    return {}


def read_pins(requirements: str) -> dict[str, str]:
    """Return the packages and versions of a requirements file."""
    return dict(PIN.findall(requirements))
