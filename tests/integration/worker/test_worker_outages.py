"""Postgres, Pub/Sub or Cloud Storage killed under work: the work goes on, and finished results are not lost."""

import subprocess
from contextlib import suppress
from pathlib import Path

import psutil
from google.auth.credentials import AnonymousCredentials
from google.cloud.storage import Client
from sqlalchemy import create_engine

from local.postgres.cluster import superuser_url
from shared.migrate import migrate
from tests.agents import PROJECT, RESULTS, UPLOADS, Lab, Machines, Servers, server
from tests.cloud import wait_for


def crash(process: "subprocess.Popen[str]") -> None:
    """Kill a server and all that it started, as a machine that loses power does."""
    children = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.wait()
    for child in children:
        with suppress(psutil.NoSuchProcess):
            child.kill()


def test_database_restarts(servers: Servers, machines: Machines, tmp_path: Path) -> None:
    """A result that is finished while Postgres is away is committed when it is back; nothing runs twice."""
    data = tmp_path / "postgres"
    gate = tmp_path / "gate"
    with server("postgres", data) as (process, port):
        url = superuser_url(data)
        engine = create_engine(url, pool_pre_ping=True)
        migrate(engine)
        lab = Lab(engine, url, servers, machines, tmp_path)
        jobs = [lab.add("trial-copy", gate=gate, log=tmp_path / "log") for _ in range(2)]
        machine = lab.start(worker_slots=2, database_timeout_seconds=2)
        for job in jobs:
            lab.wait_for_stage(job, "copying")
        crash(process)
        engine.dispose()
        gate.touch()
        wait_for(lambda: machine.events("stamina.retry_scheduled"), what="the worker tries to commit")
    with server("postgres", data, port=port):
        for job in jobs:
            lab.wait_for_status(job, "succeeded", seconds=60)
            assert lab.outcomes(job) == ["succeeded"]
            assert len(lab.artifacts(job)) == 2
        assert (tmp_path / "log").read_text() == "copy\ncopy\n"
        lab.wait_for_status(lab.add("trial-noop"), "succeeded")
        lab.close()
        engine.dispose()


def test_pubsub_restarts(lab: Lab, machines: Machines, tmp_path: Path) -> None:
    """A worker goes on pulling when Pub/Sub is back, and jobs finished meanwhile are not run again."""
    gate = tmp_path / "gate"
    data = tmp_path / "pubsub"
    with server("pubsub", data) as (process, port):
        servers = Servers(f"127.0.0.1:{port}", lab.servers.storage_url)
        other = Lab(lab.engine, lab._database_url, servers, machines, tmp_path)
        job = other.add("trial-wait", gate=gate, log=tmp_path / "log")
        other.start()
        other.wait_for_stage(job, "waiting")
        crash(process)
        gate.touch()
        other.wait_for_status(job, "succeeded")
    with server("pubsub", data, port=port):
        other.wait_for_status(other.add("trial-noop"), "succeeded", seconds=60)
        other.wait_until_acknowledged(40)
        assert (tmp_path / "log").read_text() == "wait\n"
        other.close()


def test_storage_restarts(lab: Lab, machines: Machines, tmp_path: Path) -> None:
    """A job whose files cannot be read or written for a while succeeds when Cloud Storage is back."""
    gate = tmp_path / "gate"
    data = tmp_path / "gcs"
    with server("gcs", data) as (process, port):
        servers = Servers(lab.servers.pubsub_host, f"http://127.0.0.1:{port}")
        make_buckets(servers)
        other = Lab(lab.engine, lab._database_url, servers, machines, tmp_path)
        job = other.add("trial-copy", b"x" * 20_000_000, gate=gate)
        other.start()
        other.wait_for_stage(job, "copying")
        crash(process)
        gate.touch()
    with server("gcs", data, port=port):
        other.wait_for_status(job, "succeeded", seconds=60, tick=True)
        assert [a.size_bytes for a in other.artifacts(job)] == [20_000_000, 40_000_000]
        assert other.outcomes(job)[-1] == "succeeded"
        other.close()


def make_buckets(servers: Servers) -> None:
    client = Client(
        project=PROJECT,
        credentials=AnonymousCredentials(),  # type: ignore[no-untyped-call]
        client_options={"api_endpoint": servers.storage_url},
    )
    for bucket in (UPLOADS, RESULTS):
        client.create_bucket(bucket)
