"""The group of spot VMs and its template, as planned."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shared.settings import WorkerSettings
from tests.terraform.conftest import Planner
from tests.terraform.machine import written_files
from tests.terraform.terraform import TerraformError, Workspace

IMAGE = f"us-central1-docker.pkg.dev/mill/spotmill/worker@sha256:{'1f' * 32}"
GIVEN: dict[str, Any] = {
    "project": "mill",
    "network": "projects/mill/global/networks/spotmill",
    "subnetwork": "projects/mill/regions/us-central1/subnetworks/spotmill",
    "service_account_email": "spotmill-worker@mill.iam.gserviceaccount.com",
    "image": IMAGE,
}
#: Every option, in one plan.
FULL: dict[str, Any] = GIVEN | {
    "disk_gb": 200,
    "gpu": {"type": "nvidia-l4", "count": 2},
    "labels": {"team": "media"},
    "machine_types": ["g2-standard-24", "n1-standard-8", "n1-standard-16"],
    "max_run_hours": 6,
    "name": "mill-two",
    "preemption_notice_seconds": 120,
    "secrets": {
        "SPOTMILL_AI_KEY": "projects/mill/secrets/ai-key/versions/3",
        "SPOTMILL_HOOK": "projects/mill/secrets/hook/versions/1",
    },
    "zones": ["us-central1-a", "us-central1-b"],
}
GROUP = "google_compute_region_instance_group_manager.workers"
TEMPLATE = "google_compute_region_instance_template.worker"


def of(plan: Planner, address: str, given: dict[str, Any] = GIVEN) -> dict[str, Any]:
    """Return a planned resource."""
    return plan("modules/workers", **given).one(address)


def test_spot(plan: Planner) -> None:
    """VMs are spot VMs that go when they are taken, and live a day at most."""
    (scheduling,) = of(plan, TEMPLATE)["scheduling"]
    assert scheduling["provisioning_model"] == "SPOT"
    assert scheduling["preemptible"] is True
    assert scheduling["automatic_restart"] is False
    assert scheduling["on_host_maintenance"] == "TERMINATE"
    assert scheduling["instance_termination_action"] == "DELETE"  # STOP or DELETE; a run duration in a group wants this
    assert scheduling["max_run_duration"] == [{"nanos": None, "seconds": 86400}]


@pytest.mark.parametrize(
    ("given", "asked"),
    [(GIVEN, []), (GIVEN | {"preemption_notice_seconds": 0}, []), (FULL, [{"nanos": None, "seconds": 120}])],
)
def test_notice(plan: Planner, given: dict[str, Any], asked: list[Any]) -> None:
    """The template asks for a notice where it is longer than what there is anyway, and the worker counts on as much."""
    template = of(plan, TEMPLATE, given)
    assert template["scheduling"][0]["preemption_notice_duration"] == asked
    worker = written_files(template["metadata"]["user-data"])["/etc/spotmill/worker.env"]
    assert f"SPOTMILL_PREEMPTION_NOTICE_SECONDS={given.get('preemption_notice_seconds', 30)}\n" in worker


def test_size_and_shape(plan: Planner) -> None:
    """The group is made empty, starts VMs wherever it can, and moves none."""
    group = of(plan, GROUP)
    assert (group["name"], group["target_size"]) == ("spotmill-workers", 0)
    # One of ANY, ANY_SINGLE_ZONE, BALANCED, EVEN; instance flexibility forbids EVEN.
    assert group["distribution_policy_target_shape"] == "ANY"
    (policy,) = group["update_policy"]
    assert (policy["type"], policy["instance_redistribution_type"]) == ("OPPORTUNISTIC", "NONE")
    # Google refuses 0 for both, and less than the region has zones; unset ones are sent as 0.
    assert (policy["max_surge_fixed"], policy["max_unavailable_fixed"]) == (0, 10)
    assert group["auto_healing_policies"] == []
    (lifecycle,) = group["instance_lifecycle_policy"]
    assert (lifecycle["default_action_on_failure"], lifecycle["force_update_on_repair"]) == ("REPAIR", "YES")


def test_size_belongs_to_run(workspace: Callable[[str], Workspace], tmp_path: Path) -> None:
    """An apply changes nothing about a group that Run has made larger, though the template says 0."""
    made = workspace("modules/workers")
    if not made.stands_in:
        pytest.skip("An apply with the real google provider makes VMs; this needs the stand-in.")
    copy = Workspace(made.terraform, tmp_path / "workers")
    shutil.copytree(made.path, copy.path, ignore=shutil.ignore_patterns("tests"), symlinks=True)
    (copy.path / "given.auto.tfvars.json").write_text(json.dumps(GIVEN))
    copy._run("apply", "-auto-approve", "-input=false", "-no-color")
    state = copy.path / "terraform.tfstate"
    told = json.loads(state.read_text())
    (group,) = (found for found in told["resources"] if f"{found['type']}.{found['name']}" == GROUP)
    assert group["instances"][0]["attributes"]["target_size"] == 0
    group["instances"][0]["attributes"]["target_size"] = 7
    state.write_text(json.dumps(told))
    changes = copy.plan({}, tmp_path).document["resource_changes"]
    assert [change["change"]["actions"] for change in changes if change["address"] == GROUP] == [["no-op"]]


def test_machine_types_in_order(plan: Planner) -> None:
    """The group takes the first machine type that there is capacity for."""
    group, types = of(plan, GROUP, FULL), FULL["machine_types"]
    (policy,) = group["instance_flexibility_policy"]
    ranked = sorted(policy["instance_selections"], key=lambda selection: int(selection["rank"]))
    assert [selection["machine_types"] for selection in ranked] == [[name] for name in types]
    assert of(plan, TEMPLATE, FULL)["machine_type"] == types[0]
    assert group["distribution_policy_zones"] == FULL["zones"]


def test_closed(plan: Planner) -> None:
    """VMs have no external address, boot only what is signed, and are reached by nobody without OS Login."""
    template = of(plan, TEMPLATE)
    (interface,) = template["network_interface"]
    assert interface["access_config"] == interface["ipv6_access_config"] == []
    (shielded,) = template["shielded_instance_config"]
    assert set(shielded.values()) == {True}
    metadata = template["metadata"]
    assert (metadata["enable-oslogin"], metadata["block-project-ssh-keys"]) == ("TRUE", "TRUE")
    assert set(metadata) & {"ssh-keys", "startup-script", "gce-container-declaration"} == set()
    assert template["can_ip_forward"] in (None, False)
    assert template["service_account"] == [
        {"email": "spotmill-worker@mill.iam.gserviceaccount.com", "scopes": ["cloud-platform"]}
    ]


def test_disk(plan: Planner) -> None:
    """The boot disk is Container-Optimized OS, goes with its VM, and is on the workers' bill."""
    (disk,) = of(plan, TEMPLATE, FULL)["disk"]
    assert disk["source_image"] == "projects/cos-cloud/global/images/family/cos-stable"
    assert (disk["boot"], disk["auto_delete"], disk["disk_size_gb"]) == (True, True, 200)
    assert disk["labels"] == {"mill-two-part": "worker", "team": "media"}


def test_cost_label(plan: Planner) -> None:
    """The label that the budget asks for is on the VMs."""
    planned = plan("modules/workers", **FULL)
    assert planned.outputs["cost_label"] == {"mill-two-part": "worker"}
    assert planned.one(TEMPLATE)["labels"] == {"mill-two-part": "worker", "team": "media"}


def test_gpu(plan: Planner) -> None:
    """GPUs are in the template, and what CUDA reserves is within the pipelines' limit."""
    template = of(plan, TEMPLATE, FULL)
    assert template["guest_accelerator"] == [{"count": 2, "type": "nvidia-l4"}]
    worker = written_files(template["metadata"]["user-data"])["/etc/spotmill/worker.env"]
    assert "SPOTMILL_CHILD_MEMORY_BYTES=1099511627776\n" in worker


def test_environment_is_known(plan: Planner) -> None:
    """Every variable that the module itself gives to the worker is one of its settings."""
    told = written_files(of(plan, TEMPLATE, FULL)["metadata"]["user-data"])
    given = {line.split("=", 1)[0] for line in told["/etc/spotmill/worker.env"].splitlines()}
    known = {f"SPOTMILL_{field.upper()}" for field in WorkerSettings.model_fields} | {"GOOGLE_CLOUD_PROJECT"}
    assert given <= known
    assert len(given) == 7


def test_refusals(plan: Planner) -> None:
    """What would fail on the VM, hours later, is an error at plan time; all of it at once."""
    wrong = {
        "disk_gb": (10, "30 at least"),
        "env": ({"SPOTMILL_ADMINS": "a\nb"}, "one line"),
        "image": (IMAGE.split("@", 1)[0] + ":latest", "@sha256:DIGEST"),
        "machine_types": (["t2a-standard-4"], "has an Arm type"),
        "max_run_hours": (4000, "1 to 2880"),
        "preemption_notice_seconds": (60, "is 0, 30 or 120"),
        "scratch": ("/opt/scratch", "below /var"),
        "secrets": ({"KEY": "projects/mill/secrets/key/versions/latest"}, "not latest"),
    }
    with pytest.raises(TerraformError) as refused:
        plan("modules/workers", **(GIVEN | {name: value for name, (value, _) in wrong.items()}))
    assert [said for _, said in wrong.values() if said not in str(refused.value)] == []
