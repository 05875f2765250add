"""Agents under test: jobs for them, the "VMs" they run on, and what became of both."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from google.auth.credentials import AnonymousCredentials
from google.cloud.pubsub_v1 import SubscriberClient
from google.cloud.storage import Bucket, Client
from google.pubsub_v1 import PublisherClient, PubsubMessage
from sqlalchemy import Engine, text

from local.clients import publisher_of, subscriber_of
from local.metadata import Facts, MetadataServer
from shared import lifecycle
from shared.jobs import NewJob
from shared.messages import JobMessage
from tests.cloud import wait_for

PROJECT = "trial"
PIPELINES = Path(__file__).parent / "pipelines"
UPLOADS, RESULTS = "trial-uploads", "trial-results"


@dataclass(frozen=True, slots=True)
class Servers:
    """Where Pub/Sub and Cloud Storage of the tests answer."""

    pubsub_host: str
    storage_url: str


@contextmanager
def server(name: str, data_dir: Path, *options: str, port: int = 0) -> Iterator[tuple["subprocess.Popen[str]", int]]:
    """Run one server of the local cloud; give its process and port."""
    process = subprocess.Popen(
        [sys.executable, "-m", "spotmill", "local", name, "--port", str(port), "--data-dir", str(data_dir), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if "127.0.0.1:" in line:
            break
    else:
        raise AssertionError(f"{name} did not start: {''.join(lines)}")
    found = int(line.split("127.0.0.1:")[1].split()[0].strip("/").split("/")[0])
    threading.Thread(target=process.stdout.read, daemon=True).start()
    try:
        yield process, found
    finally:
        process.terminate()
        process.wait(10)


class HasFacts(Protocol):
    """Something whose metadata can be served."""

    facts: Facts


class Machines:
    """The loop in which the metadata servers of all test "VMs" run."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()

    def listen(self, machine: "HasFacts") -> MetadataServer:
        metadata = MetadataServer(lambda: machine.facts)
        asyncio.run_coroutine_threadsafe(metadata.start(0), self._loop).result(10)
        return metadata

    def announce(self, metadata: MetadataServer) -> None:
        self._loop.call_soon_threadsafe(metadata.announce)

    def close(self, metadata: MetadataServer) -> None:
        asyncio.run_coroutine_threadsafe(metadata.stop(), self._loop).result(10)


class Vm:
    """A "VM": a metadata server, and an agent process for each boot."""

    def __init__(self, name: str, machines: Machines, environment: dict[str, str], folder: Path) -> None:
        self.name = name
        self.facts = Facts(PROJECT, 1, "us-central1-a", name, 1, "e2-standard-2", f"worker@{PROJECT}")
        self._machines = machines
        self._metadata = machines.listen(self)
        self._environment = environment
        self._folder = folder
        self.boot_id = ""
        self.log_file = folder / f"{name}.log"

    def boot(self, *, again: bool = False) -> None:
        """Start the agent; ``again``: on the same boot, as systemd does after a crash."""
        if not again:
            self.boot_id = str(uuid.uuid4())
        address = f"127.0.0.1:{self._metadata.port}"
        told = {"GCE_METADATA_HOST": address, "GCE_METADATA_IP": address, "SPOTMILL_BOOT_ID": self.boot_id}
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "spotmill", "worker"],
                env=self._environment | told,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def worker(self) -> str:
        """The worker's id."""
        return f"{self.name}/{self.boot_id[:8]}"

    def preempt(self) -> None:
        """Have the metadata server announce that the VM is taken."""
        self.facts = replace(self.facts, preempted=True)
        self._machines.announce(self._metadata)

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self, seconds: float = 30) -> int:
        """Wait for the agent's end; return its exit status."""
        return self.process.wait(seconds)

    def log(self) -> list[dict[str, Any]]:
        """The agent's events so far."""
        lines = self.log_file.read_text(errors="replace").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def events(self, message: str) -> list[dict[str, Any]]:
        return [event for event in self.log() if event["message"] == message]

    def off(self) -> None:
        """Cut the power."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
        self._machines.close(self._metadata)


class Lab:
    """The jobs, messages and VMs of one test, on a database and a subscription of its own."""

    def __init__(self, engine: Engine, database_url: str, servers: Servers, machines: Machines, folder: Path) -> None:
        self.engine = engine
        self.servers = servers
        self.folder = folder
        self.vms: list[Vm] = []
        self.python_path = [PIPELINES]
        self._database_url = database_url
        self._machines = machines
        self._name = f"jobs-{uuid.uuid4().hex[:8]}"
        self._topic = f"projects/{PROJECT}/topics/{self._name}"
        self.subscription = f"projects/{PROJECT}/subscriptions/{self._name}"
        self.publisher.create_topic(name=self._topic)
        self.subscriber.create_subscription(name=self.subscription, topic=self._topic, ack_deadline_seconds=10)

    @cached_property
    def publisher(self) -> PublisherClient:
        return publisher_of(self.servers.pubsub_host)

    @cached_property
    def subscriber(self) -> SubscriberClient:
        return subscriber_of(self.servers.pubsub_host)

    @cached_property
    def storage(self) -> Client:
        return Client(
            project=PROJECT,
            credentials=AnonymousCredentials(),  # type: ignore[no-untyped-call]
            client_options={"api_endpoint": self.servers.storage_url},
        )

    @property
    def uploads(self) -> Bucket:
        return self.storage.bucket(UPLOADS)

    @property
    def results(self) -> Bucket:
        return self.storage.bucket(RESULTS)

    def environment(self, **settings: object) -> dict[str, str]:
        """Say what a worker must be told; ``settings`` are its own."""
        told: dict[str, object] = {
            "lease_seconds": 5,
            "renew_seconds": 1,
            "ack_deadline_seconds": 10,
            "heartbeat_seconds": 0.5,
            "backoff_seconds": 0.2,
            "preemption_notice_seconds": 6,
            "scratch_dir": self.folder,
            "worker_slots": 1,
            "log_level": "DEBUG",
            "region": "us-central1",
            "upload_bucket": UPLOADS,
            "result_bucket": RESULTS,
            "jobs_subscription": self._name,
            "jobs_topic": self._name,
        } | settings
        return {f"SPOTMILL_{name.upper()}": str(value) for name, value in told.items()} | {
            "DATABASE_URL": self._database_url,
            "GOOGLE_CLOUD_PROJECT": PROJECT,
            "PUBSUB_EMULATOR_HOST": self.servers.pubsub_host,
            "STORAGE_EMULATOR_HOST": self.servers.storage_url,
        }

    def start(self, **settings: object) -> Vm:
        """Make a VM; ``settings`` are those of its worker."""
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("SPOTMILL_", "GOOGLE_", "GCE_"))
        }
        environment |= {"PYTHONPATH": os.pathsep.join(map(str, self.python_path)), **self.environment(**settings)}
        machine = Vm(f"vm-{len(self.vms) + 1}", self._machines, environment, self.folder)
        self.vms.append(machine)
        machine.boot()
        return machine

    def add(
        self,
        pipeline: str,
        content: bytes = b"content",
        *,
        name: str = "file.bin",
        announce: int = 1,
        **settings: object,
    ) -> uuid.UUID:
        """Upload an object and record a job for it, and announce that so many times."""
        blob = self.uploads.blob(f"{uuid.uuid4()}/{name}")
        blob.upload_from_string(content, content_type="application/octet-stream")
        job = NewJob(
            bucket=UPLOADS,
            object=str(blob.name),
            generation=int(blob.generation),
            pipeline=pipeline,
            size_bytes=len(content),
            content_type="application/octet-stream",
            crc32c=blob.crc32c,
            settings={name: str(v) if isinstance(v, Path) else v for name, v in settings.items()},
        )
        with self.engine.begin() as connection:
            recorded = lifecycle.record(connection, [job])[0]
            if recorded.pending is not None and announce:
                lifecycle.mark_published(connection, [recorded.pending])
        self.announce(*[recorded.id] * announce)
        return recorded.id

    def announce(self, *jobs: uuid.UUID) -> None:
        """Publish a message for each."""
        messages = [PubsubMessage(data=JobMessage(job_id=job).encode()) for job in jobs]
        if messages:
            self.publisher.publish(topic=self._topic, messages=messages)

    def publish(self, data: bytes) -> None:
        """Publish anything."""
        self.publisher.publish(topic=self._topic, messages=[PubsubMessage(data=data)])

    def tick(self) -> None:
        """Do to the queue what the scheduler's tick does."""
        with self.engine.begin() as connection:
            lifecycle.expire(connection, lease_seconds=5, most=100)
            pending = lifecycle.unpublished(connection, republish_after_seconds=3600, most=100)
            lifecycle.mark_published(connection, pending)
        self.announce(*[job.id for job in pending])

    def job(self, job: uuid.UUID) -> Any:
        """The job's row."""
        return self._rows("SELECT * FROM jobs WHERE id = :id", id=job)[0]

    def attempts(self, job: uuid.UUID) -> list[Any]:
        return self._rows("SELECT * FROM attempts WHERE job_id = :id ORDER BY attempt", id=job)

    def artifacts(self, job: uuid.UUID) -> list[Any]:
        return self._rows("SELECT * FROM artifacts WHERE job_id = :id ORDER BY kind", id=job)

    def outcomes(self, job: uuid.UUID) -> list[str | None]:
        return [attempt.outcome for attempt in self.attempts(job)]

    def worker(self, machine: Vm) -> Any:
        """The row of the VM's present boot, None if there is none."""
        return next(iter(self._rows("SELECT * FROM workers WHERE id = :id", id=machine.worker)), None)

    def wait_for_status(self, job: uuid.UUID, *wanted: str, seconds: float = 30, tick: bool = False) -> Any:
        """Wait until the job has one of these states; return its row."""

        def there() -> Any:
            if tick:
                self.tick()
            row = self.job(job)
            return row if row.status in wanted else None

        try:
            return wait_for(there, seconds, f"job is {wanted}")
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.job(job)}\n{self._logs()}") from None

    def wait_for_stage(self, job: uuid.UUID, stage: str) -> None:
        """Wait until the pipeline has come so far."""
        try:
            wait_for(lambda: self.job(job).stage == stage, 30, f"the pipeline is {stage}")
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.job(job)}\n{self._logs()}") from None

    def wait_for_state(self, machine: Vm, *wanted: str, seconds: float = 30) -> Any:
        """Wait until the worker has one of these states; return its row."""

        def there() -> Any:
            row = self.worker(machine)
            return row if row is not None and row.state in wanted else None

        try:
            return wait_for(there, seconds, f"worker is {wanted}")
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.worker(machine)}\n{self._logs()}") from None

    def wait_until_acknowledged(self, seconds: float = 15) -> None:
        """Wait until no message is left, delivered or not: a fresh pull finds nothing once the deadlines are over."""

        def nothing_comes() -> bool:
            time.sleep(0)
            answer = self.subscriber.pull(
                subscription=self.subscription, max_messages=1, return_immediately=True, timeout=5
            )
            return not answer.received_messages

        wait_for(nothing_comes, seconds, "no message is left")

    def close(self) -> None:
        for machine in self.vms:
            machine.off()
        for name in ("publisher", "subscriber"):
            if name in self.__dict__:
                self.__dict__[name].transport.close()

    def _rows(self, statement: str, **values: object) -> list[Any]:
        with self.engine.connect() as connection:
            return list(connection.execute(text(statement), values))

    def _logs(self) -> str:
        return "\n".join(f"--- {vm.name}\n{vm.log_file.read_text(errors='replace')[-6000:]}" for vm in self.vms)
