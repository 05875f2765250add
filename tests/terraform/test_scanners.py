"""What checkov finds in the Terraform code, but for what terraform/.checkov.yaml leaves out and says why."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.terraform.terraform import REPOSITORY, locked

#: In an environment of its own: it brings a package that takes hcl2's place, and pins a hundred others.
CHECKOV = "checkov==3.3.30"
_SETTINGS = REPOSITORY / "terraform" / ".checkov.yaml"
_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "spotmill"


@pytest.fixture(scope="module")
def checkov() -> Path:
    """The program, installed once into the user's cache."""
    home = _CACHE / CHECKOV.replace("==", "-")
    with locked(home.with_suffix(".lock")):
        if not (home / "ready").exists():
            subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], check=True, capture_output=True)
            install = [
                str(home / "bin" / "python"),
                "-m",
                "pip",
                "install",
                "--disable-pip-version-check",
                "--quiet",
                CHECKOV,
            ]
            if subprocess.run(install, check=False, capture_output=True, timeout=280).returncode:
                pytest.skip("checkov cannot be installed here: no package registry answers.")
            (home / "ready").touch()
    return home / "bin" / "checkov"


def report(checkov: Path, directory: Path) -> dict[str, Any]:
    """Return what checkov says of Terraform code; it obeys a ``.checkov.yaml`` that lies there."""
    options = ("--framework=terraform", "--output=json", "--compact", "--quiet", "--skip-download", "--soft-fail")
    command = [str(checkov), "--directory", str(directory), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=280)
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def test_checkov_finds_nothing(checkov: Path) -> None:
    """Every file can be read, and no check fails but those that are left out with a reason."""
    said = report(checkov, _SETTINGS.parent)
    failed = [f"{found['check_id']} {found['check_name']}: {found['resource']}" for found in _failed(said)]
    assert failed == []
    assert said["summary"]["parsing_errors"] == 0
    assert said["summary"]["passed"] > 100


def test_what_is_left_out_would_fail(checkov: Path, tmp_path: Path) -> None:
    """Nothing is left out without need: each check of the list fails without it, and has a reason above it."""
    text = _SETTINGS.read_text()
    left_out = yaml.safe_load(text)["skip-check"]
    shutil.copytree(_SETTINGS.parent, tmp_path / "terraform", ignore=shutil.ignore_patterns(".*"))
    assert set(left_out) == {found["check_id"] for found in _failed(report(checkov, tmp_path / "terraform"))}
    assert re.findall(r"^  # .*[.]\n  - (\w+)$", text, re.MULTILINE) == left_out


def _failed(said: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = said["results"]["failed_checks"]
    return found
