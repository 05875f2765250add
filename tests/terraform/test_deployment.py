"""``make deploy`` and ``make destroy`` with a real Terraform: part by part, as a new project needs it."""

import json
import shutil
from pathlib import Path

import pytest

from deploy.__main__ import main
from tests.deploy.programs import DIGEST, StandIns
from tests.terraform.terraform import REPOSITORY, Tree, Workspace

PROJECT = ("--project", "my-mill")

pytest.importorskip("fcntl")


@pytest.fixture
def checkout(tree: Tree, tmp_path: Path) -> Workspace:
    """A copy whose state is a file."""
    workspace = Workspace(tree.terraform, tmp_path / "terraform")
    for part in ("terraform", "eventarc"):
        ignored = shutil.ignore_patterns(".terraform*", "*.tfstate*")
        shutil.copytree(REPOSITORY / part, tmp_path / part, ignore=ignored)
    workspace.init()
    if not workspace.stands_in:
        pytest.skip("The real google provider would ask Google; this needs the stand-in.")
    return workspace


@pytest.fixture
def cloud(checkout: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIns:
    """Gcloud as a new project has it, and a Terraform that is only told to keep its state at home."""
    folder = tmp_path / "programs"
    folder.mkdir()
    made = StandIns(folder)
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value)
    program = folder / "terraform"
    program.write_text(
        "#!/usr/bin/env bash\n"
        'words=(); for word in "$@"; do [[ $word == -backend-config=* ]] || words+=("$word"); done\n'
        f'exec {checkout.terraform} "${{words[@]}}"\n'
    )
    monkeypatch.setenv("SPOTMILL_TERRAFORM", str(program))
    monkeypatch.setenv("SPOTMILL_DEPLOY_PAUSE", "0")
    monkeypatch.setattr("deploy.terraform.ROOT", tmp_path)
    monkeypatch.setattr("deploy.target.ROOT", tmp_path)
    doors = {True: (302, "https://accounts.google.com/"), False: (403, "")}
    monkeypatch.setattr("deploy.smoke.knock", lambda url: doors["spotmill-web" in url])
    made.answer("^gcloud auth list", "ann@example.com\n")
    made.answer("^gcloud auth print-access-token", "a-token\n")
    made.answer("^gcloud projects describe", "123456789012\n")
    made.answer("^gcloud billing projects describe", "billingAccounts/012345-6789AB-CDEF01\n")
    made.answer("^gcloud artifacts docker images describe", DIGEST + "\n")
    made.answer("^gcloud run services describe", "https://dispatcher.example.com\n")
    made.answer("^gcloud logging read", "0a1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d\n")
    made.fail("^gcloud storage cat", "matched no objects")
    return made


def made(checkout: Workspace) -> set[str]:
    """Types of what is in the state."""
    state = json.loads((checkout.path / "terraform.tfstate").read_text())
    return {resource["type"] for resource in state["resources"] if resource["mode"] == "managed"}


def test_a_new_project_is_deployed_changed_and_destroyed(
    cloud: StandIns, checkout: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    """Three applies in parts, one more with nothing to change, and a destroy that leaves an empty state."""
    assert main(["deploy", *PROJECT]) == 0, capsys.readouterr().out[-3000:]
    assert made(checkout) >= {
        "google_artifact_registry_repository",
        "google_billing_budget",
        "google_cloud_run_v2_job",
        "google_cloud_run_v2_service",
        "google_compute_region_instance_group_manager",
        "google_eventarc_trigger",
        "google_monitoring_alert_policy",
        "google_sql_database_instance",
    }
    assert cloud.calls("pubsub subscriptions update .*--ack-deadline=600")
    capsys.readouterr()
    repository = "us-central1-docker.pkg.dev/my-mill/spotmill"
    images = {name: f"{repository}/{name}@{DIGEST}" for name in ("web", "dispatcher", "worker")}
    cloud.answer("^gcloud storage cat .*images.json", json.dumps(images))
    assert main(["deploy", *PROJECT, "--no-build"]) == 0
    assert "0 added, 0 changed, 0 destroyed" in capsys.readouterr().out
    assert main(["destroy", *PROJECT, "--yes"]) == 0, capsys.readouterr().out[-3000:]
    assert made(checkout) == set()


def test_the_first_part_needs_no_image(cloud: StandIns, checkout: Workspace) -> None:
    """A build that fails leaves a repository, the builder's account, and nothing that runs."""
    cloud.fail("builds submit", "ERROR: build failed")
    assert main(["deploy", *PROJECT]) == 1
    there = made(checkout)
    assert "google_artifact_registry_repository" in there
    assert not there & {
        "google_cloud_run_v2_service",
        "google_sql_database_instance",
        "google_compute_instance_template",
    }
