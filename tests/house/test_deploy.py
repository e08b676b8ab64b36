"""The image, the manifests and the unit are what their tools accept, and set what there is to set."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from documents.settings import describe_settings

HADOLINT = shutil.which("hadolint", path=".venv/bin") or shutil.which("hadolint")
SYSTEMD = shutil.which("systemd-analyze")
VARIABLES = {variable for variable, _, _ in describe_settings()}


def known(variable: str) -> bool:
    return bool({variable, variable.removesuffix("_FILE")} & VARIABLES)


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def manifests(repository: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((repository / "deploy" / "kubernetes" / "sheaf.yaml").read_text("utf-8")))


@pytest.mark.skipif(HADOLINT is None, reason="hadolint has no wheel for this platform")
@pytest.mark.parametrize(("addition", "is_good"), [("", True), ("RUN cd /tmp && sudo true\n", False)])
def test_the_dockerfile_is_linted(repository: Path, tmp_path: Path, addition: str, *, is_good: bool) -> None:
    copy = tmp_path / "Dockerfile"
    copy.write_text((repository / "Dockerfile").read_text("utf-8") + addition, "utf-8")
    assert HADOLINT is not None
    linted = run(HADOLINT, str(copy))
    assert (linted.returncode == 0) is is_good, linted.stdout


def test_the_image_installs_what_is_locked_and_runs_as_nobody(repository: Path) -> None:
    text = (repository / "Dockerfile").read_text("utf-8")
    assert "--require-hashes -r requirements/image.lock" in text
    assert re.search(r"^USER [1-9]\d+$", text, re.MULTILINE)
    assert "HEALTHCHECK" in text
    assert all(known(variable) for variable in re.findall(r"SHEAF_[A-Z_]+", text))


def test_the_lock_of_the_image_has_no_database(repository: Path) -> None:
    assert "fiftyone" not in (repository / "requirements" / "image.lock").read_text("utf-8")


@pytest.mark.parametrize(("spec", "is_good"), [({}, True), ({"replicas": "two"}, False), ({"replica": 2}, False)])
def test_the_manifests_are_of_their_schemas(
    repository: Path, manifests: list[dict[str, Any]], tmp_path: Path, spec: dict[str, Any], *, is_good: bool
) -> None:
    deployment, *others = manifests
    copy = tmp_path / "sheaf.yaml"
    copy.write_text(yaml.safe_dump_all([{**deployment, "spec": {**deployment["spec"], **spec}}, *others]), "utf-8")
    checked = run(str(repository / ".venv" / "bin" / "kubernetes-validate"), "--strict", str(copy))
    assert (checked.returncode == 0) is is_good, checked.stdout + checked.stderr


def test_the_deployment_keeps_to_what_is_safe(manifests: list[dict[str, Any]]) -> None:
    pod = manifests[0]["spec"]["template"]["spec"]
    [container] = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert all(known(variable["name"]) for variable in container["env"])
    assert not any(
        "secret" in variable.get("value", "").lower().replace("/run/secrets/", "") for variable in container["env"]
    )
    assert {"startupProbe", "livenessProbe", "readinessProbe"} <= container.keys()


@pytest.mark.skipif(SYSTEMD is None, reason="systemd-analyze is not installed")
@pytest.mark.parametrize(("addition", "is_good"), [("", True), ("Restart=sometimes", False)])
def test_the_unit_is_one(repository: Path, tmp_path: Path, addition: str, *, is_good: bool) -> None:
    text = (repository / "deploy" / "systemd" / "sheaf.service").read_text("utf-8")
    assert all(known(variable) for variable in re.findall(r"(?<=Environment=)SHEAF_[A-Z_]+", text))
    unit = tmp_path / "sheaf.service"
    unit.write_text(
        text.replace("/opt/sheaf/bin/sheaf", "/bin/true").replace("[Install]", f"{addition}\n[Install]"), "utf-8"
    )
    assert SYSTEMD is not None
    verified = run(SYSTEMD, "verify", str(unit))
    assert (verified.returncode == 0 and "Failed to parse" not in verified.stderr) is is_good, verified.stderr
