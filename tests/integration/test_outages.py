"""The whole product under work while what it stands on is taken away: every result once, whatever dies."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import stamina
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, InvalidatePoolError

from tests.cloud import Cloud, running, wait_for
from tests.photos import photographs

PHOTOGRAPHS = 60


@pytest.fixture
def mill(tmp_path: Path) -> Iterator[Cloud]:
    """A cloud of its own with a queue of photographs, and two workers that have begun to work through it."""
    # With no notice the job at hand is handed over; with 30 s a photograph would simply be finished.
    environment = {"SPOTMILL_PREEMPTION_NOTICE_SECONDS": "0"}
    with running(tmp_path / "data", "--port", "0", "--max-workers", "2", environment=environment) as cloud:
        originals = [p.read_bytes() for p in photographs() if p.suffix == ".jpg"]
        for number in range(PHOTOGRAPHS):
            blob = cloud.uploads.blob(f"20251203T15Z/{number}/photograph-{number}.jpg")
            blob.upload_from_string(originals[number % len(originals)], content_type="image/jpeg")
        wait_for(lambda: sum(statuses(cloud).values()) == PHOTOGRAPHS)
        answer = requests.post(
            f"{cloud.web_url}/api/v1/runs", json={"workers": 2}, headers={"Origin": cloud.web_url}, timeout=30
        )
        assert answer.status_code == 202
        wait_for(lambda: len(at_work(cloud)) == 2, 60, "two workers work")
        yield cloud


@stamina.retry(on=(DBAPIError, InvalidatePoolError, OSError), attempts=None, timeout=60)
def rows(cloud: Cloud, statement: str) -> list[Any]:
    """Read from the database, also when it is on its way back."""
    with cloud.engine.connect() as connection:
        return list(connection.execute(text(statement)))


def statuses(cloud: Cloud) -> Counter[str]:
    return Counter(dict(map(tuple, rows(cloud, "SELECT status, count(*) FROM jobs GROUP BY 1"))))


def at_work(cloud: Cloud) -> list[Any]:
    """The VMs that hold a job right now."""
    return rows(
        cloud,
        """SELECT w.instance, w.zone FROM jobs j JOIN workers w ON w.id = j.worker
           WHERE j.status = 'running' AND w.state <> 'gone' ORDER BY j.started_at DESC""",
    )


def succeeded(cloud: Cloud, number: int) -> None:
    wait_for(lambda: statuses(cloud)["succeeded"] >= number, 120, f"{number} jobs succeeded")


def check_every_result_once(cloud: Cloud) -> None:
    """Every job succeeded by one attempt, and exactly its three files are published and there."""
    wait_for(lambda: statuses(cloud)["succeeded"] == PHOTOGRAPHS, 180, "every job succeeded")
    assert statuses(cloud) == {"succeeded": PHOTOGRAPHS}
    winners = rows(cloud, "SELECT job_id, count(*) FROM attempts WHERE outcome = 'succeeded' GROUP BY 1")
    assert [n for _, n in winners] == [1] * PHOTOGRAPHS
    artifacts = rows(cloud, "SELECT a.*, j.attempt AS winner FROM artifacts a JOIN jobs j ON j.id = a.job_id")
    assert Counter(a.kind for a in artifacts) == dict.fromkeys(("thumbnail", "web-320", "web-1600"), PHOTOGRAPHS)
    stored = {blob.name: blob for blob in cloud.storage.list_blobs(cloud.settings.result_bucket)}
    for artifact in artifacts:
        assert artifact.attempt == artifact.winner
        assert stored[artifact.object].crc32c == artifact.crc32c
        assert stored[artifact.object].generation == artifact.generation
        assert stored[artifact.object].metadata["source-bucket"] == cloud.settings.upload_bucket


def test_a_preempted_and_a_reset_vm_lose_and_double_nothing(mill: Cloud) -> None:
    """One VM is preempted and one loses power in the middle: every photograph has its results once."""
    succeeded(mill, 10)
    vm = wait_for(lambda: at_work(mill))[0]
    mill.instances.simulate_maintenance_event(project=mill.settings.project, zone=vm.zone, instance=vm.instance)
    succeeded(mill, 30)
    vm = wait_for(lambda: at_work(mill))[0]
    mill.instances.reset(project=mill.settings.project, zone=vm.zone, instance=vm.instance)
    check_every_result_once(mill)
    assert rows(mill, "SELECT DISTINCT failures FROM jobs") == [(0,)], "neither preemption nor loss is a failure"


def test_servers_that_die_under_work_lose_and_double_nothing(mill: Cloud) -> None:
    """Postgres, Pub/Sub and Cloud Storage are killed one after the other while two workers work."""
    for number, server in enumerate(("postgres", "pubsub", "gcs")):
        succeeded(mill, 5 + 10 * number)
        mill.kill(server)
    check_every_result_once(mill)
