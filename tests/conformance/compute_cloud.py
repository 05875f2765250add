"""A local Compute server under test, and the real Google clients that talk to it."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self, TypeVar

import psutil
import requests
from google.auth.credentials import AnonymousCredentials
from google.cloud import compute_v1

PROGRAM = Path(__file__).with_name("vm_program.py")
PROJECT, REGION, GROUP = "mill", "europe-west4", "workers"
DEADLINE_SECONDS = 20.0

T = TypeVar("T")


def until(look: Callable[[], T], what: str) -> T:
    """What ``look`` returns as soon as that is true."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not (found := look()):
        assert time.monotonic() < deadline, f"never happened: {what}"
        time.sleep(0.01)
    return found


def done(operation: Any) -> None:
    """Wait for the operation as users of the client do."""
    operation.result(timeout=DEADLINE_SECONDS)


def dead(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


class ComputeCloud:
    """One data directory; the server may be stopped, killed and started again on the same port."""

    def __init__(self, directory: Path, *options: str, max_size: int = 4, env: str = "") -> None:
        self.directory = directory
        self.journal = directory / "journal"
        env_file = directory / "vm.env"
        env_file.write_text(f"# for machines\nJOURNAL={self.journal}\nSPOTMILL_GREETING=hello=there\n{env}\n")
        self.options = ["--data-dir", str(directory / "data"), "--project", PROJECT, "--region", REGION]
        self.options += ["--group", GROUP, "--max-size", str(max_size), "--vm-env-file", str(env_file)]
        self.options += ["--vm-command", f"{sys.executable} {PROGRAM}", *options]
        self.port = 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.server.poll() is None:
            self.stop()
        for entry in self.notes("start"):  # a failed test leaves nothing behind either
            for pid in (entry["pid"], entry["daemon"]):
                if not dead(pid):
                    psutil.Process(pid).kill()

    def start(self) -> None:
        command = [sys.executable, "-m", "spotmill", "local", "compute", "--port", str(self.port), *self.options]
        self.server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.server.stdout is not None
        line = self.server.stdout.readline()
        assert line.startswith("Compute on http://127.0.0.1:"), line
        self.url = line.split()[-1]
        self.port = int(self.url.rpartition(":")[2])
        arguments: dict[str, Any] = {
            "credentials": AnonymousCredentials(),  # type: ignore[no-untyped-call]
            "client_options": {"api_endpoint": self.url},
            "transport": "rest",
        }
        self.managers = compute_v1.RegionInstanceGroupManagersClient(**arguments)
        self.instances = compute_v1.InstancesClient(**arguments)
        self.region_operations = compute_v1.RegionOperationsClient(**arguments)
        self.zone_operations = compute_v1.ZoneOperationsClient(**arguments)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        self.server.send_signal(how)
        return self.server.wait(10)

    def clear(self) -> None:
        """Empty group, blank journal, for the next test on this server."""
        self.resize(0)
        self.settled(0)
        self.journal.unlink(missing_ok=True)

    # The group

    @property
    def group(self) -> dict[str, Any]:
        return {"project": PROJECT, "region": REGION, "instance_group_manager": GROUP}

    def get(self) -> Any:
        return self.managers.get(**self.group)

    def resize(self, size: int) -> None:
        done(self.managers.resize(**self.group, size=size))

    def delete(self, *instances: str) -> None:
        """Have the group delete the instances with these addresses."""
        request = compute_v1.RegionInstanceGroupManagersDeleteInstancesRequest(instances=instances)
        name = "region_instance_group_managers_delete_instances_request_resource"
        done(self.managers.delete_instances(**self.group, **{name: request}))

    def members(self) -> list[Any]:
        return list(self.managers.list_managed_instances(**self.group))

    def settled(self, running: int) -> list[Any]:
        """The members, once the group is stable, so many of them run and have written their first note."""

        def look() -> list[Any]:
            members = self.members() if self.get().status.is_stable else []
            boots = {entry["boot_id"] for entry in self.notes("start")}
            present = all(process["boot_id"] in boots for process in self.processes())
            return members if len(members) == running and present else []

        if running == 0:
            until(lambda: self.get().status.is_stable and not self.members(), "an empty group")
            return []
        return until(look, f"{running} running machines")

    # Machines

    @staticmethod
    def place(member: Any) -> dict[str, Any]:
        """The arguments by which the instances client is told which machine."""
        zone, _, name = member.instance.rpartition("/zones/")[2].split("/")
        return {"project": PROJECT, "zone": zone, "instance": name}

    def processes(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = requests.get(f"{self.url}/_spotmill/vms", timeout=5).json()
        return found

    def notes(self, event: str, vm: str | None = None) -> list[dict[str, Any]]:
        """What machines have written in their journal."""
        lines = self.journal.read_text().splitlines() if self.journal.exists() else []
        entries = [json.loads(line) for line in lines]
        return [entry for entry in entries if entry["event"] == event and vm in (None, entry["vm"])]

    def metadata(self, member: Any, path: str, **query: str) -> requests.Response:
        [host] = [process["metadata"] for process in self.processes() if process["name"] == member.name]
        url = f"http://{host}/computeMetadata/v1/{path}"
        return requests.get(url, params=query, headers={"Metadata-Flavor": "Google"}, timeout=30)
