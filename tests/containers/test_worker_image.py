"""The worker's image on a VM: it does its work, locks pipelines up, and hands its job over when it is stopped."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from google.api_core.exceptions import Conflict
from sqlalchemy import text

from tests.agents import RESULTS, UPLOADS, Lab, Machines, Servers
from tests.cloud import Cloud, wait_for
from tests.containers.engine import Image
from tests.containers.services import START_SECONDS, told
from tests.containers.vms import MEETING, ContainerVm, stop_seconds
from tests.photos import photographs


@pytest.fixture(scope="session")
def machines() -> Machines:
    return Machines()


@pytest.fixture
def lab(cloud: Cloud, machines: Machines, tmp_path: Path) -> Iterator[Lab]:
    """Jobs and messages of one test, in the local cloud."""
    servers = Servers(cloud.environment["PUBSUB_EMULATOR_HOST"], cloud.environment["STORAGE_EMULATOR_HOST"])
    made = Lab(cloud.engine, cloud.environment["DATABASE_URL"], servers, machines, tmp_path)
    for bucket in (UPLOADS, RESULTS):
        with suppress(Conflict):
            made.storage.create_bucket(bucket)
    yield made
    made.close()


def test_a_photograph_is_processed(cloud: Cloud, worker: Image, machines: Machines, tmp_path: Path) -> None:
    """An uploaded photograph becomes a finished job with pictures, by a worker in its container on the VM's terms."""
    environment = told(cloud, "worker")
    blob = cloud.uploads.blob("20261122T15Z/container/retina.jpg")
    blob.upload_from_filename(
        next(path for path in photographs() if path.name == "retina.jpg"), content_type="image/jpeg"
    )

    def job() -> object:
        with cloud.engine.connect() as connection:
            rows = connection.execute(text("SELECT id, status FROM jobs WHERE object = :name"), {"name": blob.name})
            return next((row.id for row in rows if row.status in ("succeeded", "failed")), None)

    with ContainerVm("vm-photograph", worker, machines, tmp_path).boot(environment) as container:
        found = wait_for(job, START_SECONDS, f"the photograph is processed; {container.log()}")
    with cloud.engine.connect() as connection:
        status = connection.execute(text("SELECT status FROM jobs WHERE id = :id"), {"id": found}).scalar_one()
        kinds = connection.execute(text("SELECT kind FROM artifacts WHERE job_id = :id"), {"id": found}).scalars().all()
    assert status == "succeeded"
    assert "thumbnail" in kinds


def test_a_pipeline_is_another_user_without_a_network(
    lab: Lab, worker: Image, machines: Machines, tmp_path: Path
) -> None:
    """A pipeline runs as its own user and reaches no metadata server; what it leaves behind is reaped."""
    vm = ContainerVm("vm-look", worker, machines, tmp_path)
    with vm.boot(lab.environment()) as container:
        job = lab.add("trial-look", host="127.0.0.1", port=vm.metadata_port)
        row = lab.wait_for_status(job, "succeeded", "failed", seconds=START_SECONDS)
        assert row.status == "succeeded", container.log()
        assert row.result["user"] == 10002
        assert row.result["reached"] is False
        assert not [name for name in row.result["environment"] if name.startswith(("SPOTMILL_", "DATABASE", "GOOGLE_"))]
        ready = container.events("child.ready")
        assert [event["offline"] for event in ready] == [True] * len(ready)
        facts = dict(
            line.split(":\t") for line in container.run("cat", f"/proc/{ready[0]['child']}/status").splitlines()
        )
        assert {facts["CapPrm"], facts["CapEff"], facts["CapAmb"]} == {"0" * 16}
        assert facts["NoNewPrivs"] == "1"
        assert container.run("cat", "/proc/1/comm") == "tini"


def test_without_privileges_it_works_too(lab: Lab, worker: Image, machines: Machines, tmp_path: Path) -> None:
    """As the image's own user, with no capability at all, jobs are done; the log says whether pipelines are offline."""
    vm = ContainerVm("vm-plain", worker, machines, tmp_path)
    vm.scratch.chmod(0o777)
    with vm.boot(lab.environment(), options=["--cap-drop", "ALL", "--security-opt", "no-new-privileges"]) as container:
        job = lab.add("trial-look", host="127.0.0.1", port=vm.metadata_port)
        row = lab.wait_for_status(job, "succeeded", "failed", seconds=START_SECONDS)
        assert row.status == "succeeded", container.log()
        assert row.result["user"] == 10001
        assert row.result["reached"] is not container.events("child.ready")[0]["offline"]


def test_stopped_in_the_middle_of_a_job_it_hands_it_over(
    lab: Lab, worker: Image, machines: Machines, tmp_path: Path
) -> None:
    """``docker stop`` while a step is at work: the job is released, and the next VM goes on after the last step."""
    first = ContainerVm("vm-stopped", worker, machines, tmp_path)
    second = ContainerVm("vm-next", worker, machines, tmp_path)
    log, gate = first.meeting / "log", first.meeting / "gate"
    log.touch()
    log.chmod(0o666)
    with first.boot(lab.environment()) as container:
        job = lab.add("trial-steps", log=f"{MEETING}/log", gate=f"{MEETING}/gate")
        try:
            wait_for(lambda: "second" in log.read_text(), START_SECONDS, "the second step is at work")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{container.log()}") from None
        assert container.stop(stop_seconds()) == 0
        assert [event["released"] for event in container.events("worker.ended")] == [True], container.log()
    assert lab.job(job).status == "queued"
    assert lab.outcomes(job) == ["preempted"]

    gate.touch()
    with second.boot(lab.environment()) as container:
        row = lab.wait_for_status(job, "succeeded", "failed", seconds=START_SECONDS)
        assert row.status == "succeeded", container.log()
    assert lab.outcomes(job) == ["preempted", "succeeded"]
    assert log.read_text().split() == ["first", "second", "second", "third"]
    assert lab.job(job).failures == 0


def test_it_says_what_it_lacks(worker: Image) -> None:
    """Without settings it ends at once, and names them."""
    with worker.running() as container:
        assert container.wait() != 0
        assert "SPOTMILL_UPLOAD_BUCKET" in container.log()
