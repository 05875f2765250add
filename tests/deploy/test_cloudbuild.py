"""``cloudbuild.yaml``: of Google's schema, with scripts that are sound, and with the names that everybody else uses."""

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.__main__ import main
from tests.deploy.programs import StandIns

ROOT = Path(__file__).parents[2]
#: What Cloud Build itself sets (https://cloud.google.com/build/docs/configuring-builds/substitute-variable-values).
BUILT_IN = {"PROJECT_ID", "COMMIT_SHA"}


@pytest.fixture(scope="module")
def build() -> dict[str, Any]:
    """The file, read."""
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "cloudbuild.yaml").read_text())
    return loaded


def tool(name: str) -> str:
    """A program of the development environment."""
    return shutil.which(name, path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}") or name


def test_it_is_of_googles_schema() -> None:
    """Cloud Build will read it."""
    command = [tool("check-jsonschema"), "--builtin-schema", "vendor.cloudbuild", str(ROOT / "cloudbuild.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_its_scripts_are_sound(build: dict[str, Any], tmp_path: Path) -> None:
    """ShellCheck finds nothing in the steps' scripts, nor in the program that builds images."""
    files = [ROOT / "deploy" / "build-images"]
    for step in build["steps"]:
        if "script" in step:
            files.append(tmp_path / step["id"])
            # Cloud Build puts substitutions into the environment, which ShellCheck cannot know.
            files[-1].write_text(step["script"])
    known = ["--exclude=SC2154", *map(str, files)]
    done = subprocess.run([tool("shellcheck"), *known], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_every_substitution_is_declared_and_used(build: dict[str, Any]) -> None:
    """A misspelt one would silently be empty."""
    declared = set(build["substitutions"])
    text = json.dumps(build["steps"]) + json.dumps(list(build["substitutions"].values()))
    used = set(re.findall(r"\$\{?(_[A-Z_]+|[A-Z_]+)\b", text)) - {"EOF"}
    assert {name for name in used if name.startswith("_")} == declared
    assert {name for name in used if not name.startswith("_")} <= BUILT_IN


def test_deploying_by_hand_gives_substitutions_that_exist(cloud: StandIns, build: dict[str, Any]) -> None:
    """What ``make deploy`` sets is declared, asks for images only, and leaves nothing that only a trigger knows."""
    main(["deploy", "--project", "my-mill"])
    [submit] = cloud.calls("builds submit")
    [word] = [word for word in submit.argv if word.startswith("--substitutions=")]
    given = dict(pair.split("=", 1) for pair in word.removeprefix("--substitutions=").split(","))
    assert set(given) <= set(build["substitutions"])
    assert (given["_DEPLOY"], given["_TESTS"]) == ("no", "no")
    left = {name: value for name, value in build["substitutions"].items() if name not in given}
    assert "COMMIT_SHA" not in json.dumps(left)


def test_triggers_give_substitutions_that_exist(build: dict[str, Any]) -> None:
    """What Terraform's triggers set is declared."""
    source = "".join(file.read_text() for file in (ROOT / "terraform" / "modules" / "delivery").glob("*.tf"))
    given = set(re.findall(r"^\s+(_[A-Z_]+)\s+=", source, re.MULTILINE))
    assert given
    assert given <= set(build["substitutions"])


def test_steps_wait_for_what_they_need(build: dict[str, Any]) -> None:
    """Nothing is built before the tests, and nothing deployed before its images."""
    order = [step["id"] for step in build["steps"]]
    assert order.index("tests") < order.index("images") < order.index("deploy")
    by_name = {step["id"]: step for step in build["steps"]}
    assert "waitFor" not in by_name["images"]
    assert set(by_name["deploy"]["waitFor"]) == {"images", "terraform"}


@pytest.mark.parametrize("step", ["tests", "deploy"])
def test_a_step_that_is_not_asked_for_does_nothing(build: dict[str, Any], step: str, tmp_path: Path) -> None:
    """Tests and deployment can be left out by their substitution."""
    [script] = [s["script"] for s in build["steps"] if s["id"] == step]
    environment = {"PATH": str(tmp_path), "_TESTS": "no", "_DEPLOY": "no"}
    done = subprocess.run(["/bin/bash", "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_deploy_step_deploys_the_version(build: dict[str, Any], cloud: StandIns, tmp_path: Path) -> None:
    """The script, run: it hands environment, repository and version on, and deploys what was built."""
    [script] = [s["script"] for s in build["steps"] if s["id"] == "deploy"]
    program = tmp_path / "bin"
    program.mkdir()
    (program / "python3").write_text('#!/bin/sh\necho "$SPOTMILL_TERRAFORM $*"\n')
    (program / "python3").chmod(0o755)
    environment = {"PATH": f"{program}:/usr/bin:/bin", "_DEPLOY": "yes", "_GPU": "yes", "_PROJECT": "my-mill"}
    environment |= {"_REGION": "us-east1", "_NAME": "spotmill", "_ENVIRONMENT": "prod", "_STATE_BUCKET": "state"}
    environment |= {"_REPOSITORY": "r/p/spotmill", "_VERSION": "abc"}
    done = subprocess.run(["/bin/bash", "-c", script], env=environment, capture_output=True, text=True, check=True)
    said = done.stdout.split()
    assert said[:4] == ["/workspace/terraform-program", "-m", "deploy", "deploy"]
    assert said[4:] == [
        "--project",
        "my-mill",
        "--region",
        "us-east1",
        "--name",
        "spotmill",
        "--environment",
        "prod",
        "--state-bucket",
        "state",
        "--repository",
        "r/p/spotmill",
        "--version",
        "abc",
        "--gpu",
    ]


def test_images_are_built_once_for_a_version(tmp_path: Path) -> None:
    """What is in the repository already is not built again; the others are, with the registry's cache."""
    docker = tmp_path / "docker"
    docker.write_text(
        '#!/bin/sh\necho "$*" >> "$CALLS"\ncase "$*" in *"inspect r/web:v1"*) exit 0;; *inspect*) exit 1;; esac\n'
    )
    docker.chmod(docker.stat().st_mode | stat.S_IXUSR)
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "CALLS": str(tmp_path / "calls")}
    command = [str(ROOT / "deploy" / "build-images"), "r", "v1", "yes"]
    subprocess.run(command, env=environment, check=True, capture_output=True)
    calls = (tmp_path / "calls").read_text().splitlines()
    built = [re.findall(r"--target (\S+)", call)[0] for call in calls if call.startswith("buildx build")]
    assert built == ["dispatcher", "worker", "worker-gpu"]
    assert all("--push" in call and "mode=max" in call for call in calls if call.startswith("buildx build"))
