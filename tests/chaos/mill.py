"""The mill under chaos: one ``spotmill up``, which may be killed and started again, and what lives in it."""

import contextlib
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import psutil
import requests
from google.api_core.exceptions import GoogleAPIError
from google.auth.exceptions import GoogleAuthError
from google.cloud.exceptions import GoogleCloudError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from local import marked
from tests.chaos.book import MissedError
from tests.cloud import Cloud, launch, wait_for, wait_until_ready

PLUGIN = Path(__file__).parent / "pipelines"
#: A bucket that nobody listens to; what lies there comes in by an ingest message.
ARCHIVE = "chaos-archive"
ADMIN = "chaos@localhost"
CALL_SECONDS = 15

#: What a mill in trouble looks like from outside.
AWAY = (
    GoogleAPIError,
    GoogleAuthError,
    GoogleCloudError,
    SQLAlchemyError,
    requests.RequestException,
    OSError,
    KeyError,  # a server that is being started again has no process id for a moment
    psutil.Error,
    ValueError,  # half of an answer
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Machine:
    """One VM that is on. ``agent`` is the service in it, if it runs."""

    name: str
    zone: str
    boot_id: str
    guest: psutil.Process
    agent: psutil.Process | None

    @property
    def worker(self) -> str:
        """Its id in the table of workers."""
        return f"{self.name}/{self.boot_id[:8]}"

    def children(self) -> list[psutil.Process]:
        """The processes that run pipelines."""
        if self.agent is None:
            return []
        with contextlib.suppress(psutil.Error):
            return [child for child in self.agent.children() if "worker.child" in child.cmdline()]
        return []


class Mill:
    """A local cloud in ``folder``. ``environment`` is what all its processes are told besides."""

    def __init__(self, folder: Path, environment: Mapping[str, str], max_workers: int) -> None:
        self.folder = folder
        self.data_dir = folder / "data"
        self.max_workers = max_workers
        self._environment = dict(environment)
        self._options = ("--port", "0", "--cable", "--max-workers", str(max_workers), "--dev-user", ADMIN)
        self._cloud: Cloud | None = None
        self._up = threading.Event()
        self._zones: dict[str, str] = {}

    @property
    def cloud(self) -> Cloud:
        """The cloud, once it is up.

        Raises:
            MissedError: it does not come up.
        """
        if not self._up.wait(120) or self._cloud is None:
            raise MissedError("the mill is down")
        return self._cloud

    def start(self, notice_seconds: int) -> None:
        """Bring it up; preempted VMs get so much notice until the next start."""
        notice = {"SPOTMILL_PREEMPTION_NOTICE_SECONDS": str(notice_seconds)}
        cloud = launch(self.data_dir, *self._options, environment=self._environment | notice)
        self._cloud = cloud
        try:
            wait_until_ready(cloud)
            with contextlib.suppress(GoogleCloudError):
                cloud.storage.create_bucket(ARCHIVE)
        except AssertionError:
            cloud.process.kill()
            raise
        self._up.set()

    def kill(self) -> None:
        """Kill ``spotmill up`` with -9; its guardian takes everything else along."""
        cloud = self.cloud
        self._up.clear()
        cloud.process.kill()
        cloud.process.wait()
        wait_for(lambda: not marked.belonging(self.data_dir), 60, "the guardian ends every process", pause_seconds=0.1)
        cloud.close()

    def stop(self) -> int:
        """End it as Ctrl-C does; return its exit status."""
        cloud = self.cloud
        self._up.clear()
        status = cloud.stop()
        cloud.close()
        return status

    def remove(self) -> None:
        """Delete all that it leaves."""
        shutil.rmtree(self.folder, ignore_errors=True)

    # What lives in it

    def machines(self) -> list[Machine]:
        """List the VMs that are on, by name."""
        cloud = self.cloud
        endpoint = cloud.environment["SPOTMILL_COMPUTE_ENDPOINT"]
        listed = requests.get(f"{endpoint}/_spotmill/vms", timeout=CALL_SECONDS).json()
        if any(vm["name"] not in self._zones for vm in listed):
            self._zones = self._read_zones(endpoint)
        found = []
        for vm in sorted(listed, key=lambda vm: str(vm["name"])):
            zone = self._zones.get(vm["name"])
            with contextlib.suppress(psutil.Error):
                if vm["guest_pid"] and vm["status"] == "RUNNING" and zone is not None:
                    guest = psutil.Process(vm["guest_pid"])
                    agent = next((p for p in guest.children() if p.status() != psutil.STATUS_ZOMBIE), None)
                    found.append(Machine(vm["name"], zone, vm["boot_id"], guest, agent))
        return found

    def _read_zones(self, endpoint: str) -> dict[str, str]:
        settings = self.cloud.settings
        region = f"{endpoint}/compute/v1/projects/{settings.project}/regions/{settings.region}"
        listing = f"{region}/instanceGroupManagers/{settings.instance_group}/listManagedInstances"
        managed = requests.post(listing, timeout=CALL_SECONDS).json().get("managedInstances", [])
        urls = [str(instance["instance"]) for instance in managed]
        return {url.rsplit("/", 1)[-1]: url.split("/zones/")[1].split("/")[0] for url in urls}

    def rows(self, statement: str, **values: object) -> list[Any]:
        """Ask the database, as its owner."""
        with self.cloud.engine.connect() as connection:
            return list(connection.execute(text(statement), values))

    def reconcile(self) -> str:
        """Run ``spotmill reconcile`` as the dispatcher; return what it said.

        Raises:
            MissedError: it failed.
        """
        lines = (self.data_dir / "env" / "dispatcher.env").read_text(encoding="utf-8").splitlines()
        told = dict(line.split("=", 1) for line in lines)
        done = subprocess.run(
            [sys.executable, "-m", "spotmill", "reconcile"],
            env={**os.environ, **self._environment, **told},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        if done.returncode != 0:
            raise MissedError(f"reconcile failed: {done.stderr[-2000:]}")
        return done.stdout.strip()

    # What people do

    def get(self, path: str, **query: str) -> requests.Response:
        """Ask the API."""
        return requests.get(f"{self.cloud.web_url}/api/v1{path}", params=query, timeout=CALL_SECONDS)

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> requests.Response:
        """Have the API do something."""
        return requests.post(f"{self.cloud.web_url}/api/v1{path}", json=body or {}, timeout=CALL_SECONDS)


def persist(act: Callable[[], T], seconds: float, what: str) -> T:
    """Do something again and again until nothing is in its way.

    Raises:
        MissedError: something still is after so many seconds.
    """
    deadline = time.monotonic() + seconds
    for pause in _pauses():
        try:
            return act()
        except (*AWAY, MissedError) as error:
            if time.monotonic() > deadline:
                raise MissedError(f"{what}: {type(error).__name__}: {error}") from error
        time.sleep(pause)
    raise AssertionError("pauses have no end")


def _pauses() -> Iterator[float]:
    pause = 0.1
    while True:
        yield pause
        pause = min(1.0, 1.5 * pause)
