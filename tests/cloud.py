"""A whole local cloud under test: one ``spotmill up``, what it says about itself, and clients for it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import psutil
from google.auth.credentials import AnonymousCredentials
from google.cloud import compute_v1
from google.cloud.pubsub_v1 import SubscriberClient
from google.cloud.storage import Bucket, Client
from google.pubsub_v1 import PublisherClient, PubsubMessage
from sqlalchemy import Engine, create_engine

from local.clients import publisher_of, subscriber_of
from local.postgres.cluster import superuser_url
from shared.settings import Settings

START_SECONDS = 120.0
STOP_SECONDS = 15.0
POLL_SECONDS = 0.02

T = TypeVar("T")

_LAUNCHES = count(1)


def wait_for(
    condition: Callable[[], T | None], timeout: float = 20.0, what: str = "", *, pause_seconds: float = POLL_SECONDS
) -> T:
    """Return the first true value of ``condition``; fail, saying what it was last, after ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout:g} s: {what or condition}; last {value!r}")
        time.sleep(pause_seconds)


class Cloud:
    """A running ``spotmill up``. ``output`` is the file with what it printed."""

    def __init__(self, data_dir: Path, process: "subprocess.Popen[bytes]", output: Path) -> None:
        self.data_dir = data_dir
        self.process = process
        self.output = output

    @cached_property
    def environment(self) -> dict[str, str]:
        """What ``local.env`` says."""
        lines = (self.data_dir / "local.env").read_text(encoding="utf-8").splitlines()
        return dict(line.split("=", 1) for line in lines)

    @cached_property
    def settings(self) -> Settings:
        """The settings of a process that owns the database."""
        names = {
            field: self.environment[variable]
            for field, variable in (
                ("project", "GOOGLE_CLOUD_PROJECT"),
                ("database_url", "DATABASE_URL"),
                *((name, f"SPOTMILL_{name.upper()}") for name in Settings.model_fields),
            )
            if variable in self.environment
        }
        return Settings.model_validate(names)

    @cached_property
    def engine(self) -> Engine:
        """The database, as its owner: sees every row."""
        return create_engine(self.environment["DATABASE_URL"], pool_pre_ping=True)

    @cached_property
    def storage(self) -> Client:
        return Client(
            project=self.settings.project,
            credentials=AnonymousCredentials(),  # type: ignore[no-untyped-call]
            client_options={"api_endpoint": self.environment["STORAGE_EMULATOR_HOST"]},
        )

    @cached_property
    def publisher(self) -> PublisherClient:
        """A publisher that does not batch: ``publish(topic=…, messages=[…])`` returns when the server has them."""
        return publisher_of(self.environment["PUBSUB_EMULATOR_HOST"])

    @cached_property
    def subscriber(self) -> SubscriberClient:
        return subscriber_of(self.environment["PUBSUB_EMULATOR_HOST"])

    @cached_property
    def instances(self) -> compute_v1.InstancesClient:
        return compute_v1.InstancesClient(**self._compute())

    @cached_property
    def groups(self) -> compute_v1.RegionInstanceGroupManagersClient:
        return compute_v1.RegionInstanceGroupManagersClient(**self._compute())

    @property
    def web_url(self) -> str:
        return self.environment["SPOTMILL_WEB_URL"]

    @property
    def uploads(self) -> Bucket:
        return self.storage.bucket(self.settings.upload_bucket)

    @property
    def results(self) -> Bucket:
        return self.storage.bucket(self.settings.result_bucket)

    def topic(self, name: str) -> str:
        return f"projects/{self.settings.project}/topics/{name}"

    def tick(self) -> None:
        """Let a minute have passed: the dispatcher puts things right soon after."""
        self.publisher.publish(topic=self.topic("spotmill-tick"), messages=[PubsubMessage(data=b"{}")])

    def pids(self) -> dict[str, int]:
        """Process ids of the running servers, by the names that their logs have."""
        said: dict[str, int] = json.loads((self.data_dir / "pids.json").read_text(encoding="utf-8"))["servers"]
        return said

    def kill(self, server: str) -> None:
        """Kill a server with -9 and return when the supervisor has started it again (it may not answer yet)."""
        old = self.pids()[server]
        os.kill(old, signal.SIGKILL)
        wait_for(lambda: self.pids().get(server, old) != old, what=f"{server} is started again")

    def log(self, server: str) -> str:
        """What a server has written to its log."""
        return (self.data_dir / "logs" / f"{server}.log").read_text(encoding="utf-8", errors="replace")

    def processes(self) -> list[psutil.Process]:
        """``spotmill up`` and everything below it."""
        up = psutil.Process(self.process.pid)
        return [up, *up.children(recursive=True)]

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """End it as Ctrl-C does; return its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(STOP_SECONDS)

    def close(self) -> None:
        """Close the clients that were opened."""
        opened = self.__dict__
        if "engine" in opened:
            self.engine.dispose()
        if "storage" in opened:
            self.storage.close()
        if "publisher" in opened:
            self.publisher.transport.close()  # type: ignore[no-untyped-call]
        if "subscriber" in opened:
            self.subscriber.close()

    def _compute(self) -> dict[str, Any]:
        return {
            "credentials": AnonymousCredentials(),  # type: ignore[no-untyped-call]
            "client_options": {"api_endpoint": self.environment["SPOTMILL_COMPUTE_ENDPOINT"]},
        }


def launch(
    data_dir: Path, *options: str, environment: dict[str, str] | None = None, prefix: Sequence[str] = ()
) -> Cloud:
    """Start ``spotmill up`` without waiting for it; ``prefix`` is a command that runs another one."""
    data_dir.parent.mkdir(parents=True, exist_ok=True)
    output = data_dir.parent / f"{data_dir.name}-{next(_LAUNCHES)}.out"
    with output.open("wb") as file:
        process = subprocess.Popen(
            [*prefix, sys.executable, "-m", "spotmill", "up", "--data-dir", str(data_dir), *options],
            stdout=file,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
        )
    return Cloud(data_dir, process, output)


def wait_until_ready(cloud: Cloud) -> None:
    """Return when everything answers; ``local.env`` is there then."""

    def answered() -> bool:
        said = cloud.output.read_text()
        assert cloud.process.poll() is None, f"spotmill up ended:\n{said}"
        return "Spotmill is ready" in said

    try:
        wait_for(answered, START_SECONDS, "spotmill up is ready")
    except AssertionError as error:
        raise AssertionError(f"{error}\n{cloud.output.read_text()}") from None


@contextmanager
def postgres(data_dir: Path) -> Iterator[str]:
    """Run the local cloud's Postgres alone; give its superuser's URL."""
    process = subprocess.Popen(
        [sys.executable, "-m", "spotmill", "local", "postgres", "--port", "0", "--data-dir", str(data_dir)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    try:
        assert any("Postgres on" in line for line in process.stdout), "Postgres did not start"
        yield superuser_url(data_dir)
    finally:
        process.terminate()
        process.wait(20)


@contextmanager
def running(data_dir: Path, *options: str, environment: dict[str, str] | None = None) -> Iterator[Cloud]:
    """Run a cloud of one's own; ``environment`` adds variables that all its processes see (SPOTMILL_IDLE_SECONDS…)."""
    cloud = launch(data_dir, *(options or ("--port", "0")), environment=environment)
    try:
        wait_until_ready(cloud)
        yield cloud
    finally:
        cloud.close()
        cloud.stop()
