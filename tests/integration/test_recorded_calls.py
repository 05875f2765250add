"""What the product really asks of Google is what the table of permissions says: no call more, and hardly one less.

Upload, form, ingest, reconcile, run, step, cancel, retry, sweep and the end of the fleet on a whole local cloud, each
process of which writes down what it asks. ``tests/terraform/test_iam_derivation.py`` derives the grants of that table.
"""

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from google.pubsub_v1 import PubsubMessage
from sqlalchemy import text

from local.faults.control import FaultControl
from tests import recorded_calls
from tests.cloud import Cloud, running, wait_for
from tests.recorded_calls import Recorded
from tests.terraform.permissions import found_calls, load

#: A pipeline with a step that waits, and steps before and after it.
_PIPELINE = """
import time
from pathlib import Path

from spotmill import Job, pipeline


@pipeline("stepwise", accepts=("application/x-copy",), settings_schema={"type": "object"})
def stepwise(job: Job) -> None:
    source = job.download()
    job.model("small")

    def wait() -> str:
        with Path(job.settings["log"]).open("a") as log:
            log.write("waits\\n")
        while not Path(job.settings["gate"]).exists():
            time.sleep(0.05)
        return "done"

    job.step("first", lambda: "one")
    if "gate" in job.settings:
        job.step("second", wait)
    job.artifact("copy", source, content_type="application/x-copy")
"""
ARCHIVE = "archive"
#: A bucket from which models come.
WEIGHTS = "weights"
#: Where a call of the table cannot be made in the local cloud, and why.
_NOT_HERE = {
    "aiplatform.publishers.models.generateContent": "tests/integration/test_language_models.py asks a stand-in",
    "iamcredentials.serviceAccounts.signBlob": "a key file signs",
    "sql.login": "Postgres has a password",
    "sqladmin.connect.generateEphemeralCert": "Postgres has a port",
    "sqladmin.connect.get": "Postgres has a port",
    "storage.xml.get": "browsers make it, with a signed URL",
    "storage.xml.post": "browsers make it, with a signed URL",
    "storage.xml.put": "browsers make it, with a signed URL",
}


class Story:
    """A person at the API, and another system."""

    def __init__(self, cloud: Cloud, folder: Path) -> None:
        self.cloud = cloud
        self.gate, self.log = folder / "gate", folder / "log"
        #: Whom the story asked with a signed URL: the method, and the bucket.
        self.signed: set[tuple[str, str]] = set()

    def post(self, path: str, **body: Any) -> Any:
        answer = requests.post(f"{self.cloud.web_url}/api/v1{path}", json=body, timeout=60)
        assert answer.ok, answer.text
        return answer.json()

    def get(self, path: str) -> Any:
        return requests.get(f"{self.cloud.web_url}/api/v1{path}", timeout=60).json()

    def upload(self, name: str, content: bytes) -> str:
        """Send a file as a browser does; return its object's name."""
        wish = {"filename": name, "content_type": "application/x-copy", "size": len(content), "pipeline": "stepwise"}
        permit = self.post("/uploads", **wish)
        url, headers = permit["url"], permit["headers"]
        self.signed.add((permit["method"], bucket_of(url)))
        if permit["protocol"] == "resumable":
            opened = requests.post(url, headers=headers, timeout=60)
            assert opened.status_code == 201, opened.text
            url, headers = opened.headers["Location"], {}
        sent = requests.put(url, data=content, headers=headers, timeout=60)
        assert sent.ok, sent.text
        return str(permit["object"])

    def fetch(self, url: str) -> bytes:
        """Follow a signed URL, as a page does for an artifact."""
        self.signed.add(("GET", bucket_of(url)))
        return requests.get(url, timeout=60).content

    def tell(self, topic: str, message: dict[str, Any]) -> None:
        """Publish as Cloud Scheduler or another system does."""
        data = json.dumps(message).encode()
        self.cloud.publisher.publish(topic=self.cloud.topic(topic), messages=[PubsubMessage(data=data)])

    def ingest(self, name: str, pipeline: str | None = None) -> str:
        """Ask for an object of another bucket to be processed."""
        settings = {"gate": str(self.gate), "log": str(self.log)}
        wish = {"uri": f"gs://{ARCHIVE}/{name}", "pipeline": pipeline, "settings": settings if pipeline else {}}
        self.tell("spotmill-ingest", {key: value for key, value in wish.items() if value})
        return name

    def job(self, name: str, *statuses: str) -> str:
        """Wait until the job of an object has one of these statuses; return its id."""

        def found() -> str | None:
            with self.cloud.engine.connect() as connection:
                row = connection.execute(
                    text("SELECT id, status FROM jobs WHERE object = :name"), {"name": name}
                ).one_or_none()
            return str(row.id) if row is not None and row.status in statuses else None

        return wait_for(found, timeout=90, what=f"{name} is {' or '.join(statuses)}")

    def wait_for_step(self, count: int) -> None:
        """Wait until the step that waits has begun so many times."""
        wait_for(
            lambda: self.log.exists() and len(self.log.read_text().splitlines()) >= count,
            timeout=90,
            what=f"the second step has begun {count} times",
        )

    def archive(self, name: str, content: bytes, content_type: str) -> None:
        self.cloud.storage.bucket(ARCHIVE).blob(name).upload_from_string(content, content_type=content_type)

    def until_nobody_works(self) -> None:
        """Look at the page, as people do, until the fleet is gone."""

        def gone() -> bool:
            self.cloud.tick()
            return not self.get("/queue")["workers"]["instances"]

        wait_for(gone, timeout=120, what="all workers are gone", pause_seconds=1)


def bucket_of(url: str) -> str:
    return urlsplit(url).path.split("/")[1]


def tell(story: Story, folder: Path) -> None:
    """Have everything happen that makes a process ask for something."""
    cloud = story.cloud
    cloud.storage.create_bucket(ARCHIVE)
    cloud.storage.create_bucket(WEIGHTS).blob("small/weights").upload_from_string(b"heavy")
    story.archive("stepwise", b"one", "application/x-thing")
    story.archive("waiting", b"two", "application/x-copy")
    story.archive("shapeless", b"GIF89a and so on", "application/octet-stream")

    # Nothing runs yet: what is asked for waits, and reconcile looks at it.
    names = [story.upload("small.bin", b"small"), story.upload("large.bin", bytes(5000))]
    page = f"{cloud.web_url}/upload"
    sent = requests.post(page, files={"file": ("form.txt", b"words", "text/plain")}, timeout=60)
    assert sent.ok, sent.text
    cloud.uploads.blob("unnamed").upload_from_string(b"GIF89a and so on", content_type="application/octet-stream")
    for name in (story.ingest("waiting"), story.ingest("shapeless"), story.ingest("gone")):
        story.job(name, "queued", "failed")
    story.job("unnamed", "queued", "failed")
    story.tell("spotmill-tick", {"task": "reconcile"})

    # A run that cannot grow at first, a step that is stored, a job that is taken back and tried again.
    compute = FaultControl.of(cloud.environment, "compute")
    compute.put([{"fault": "stockout", "delay_seconds": 1}])
    stepwise = story.ingest("stepwise", "stepwise")
    story.job(stepwise, "queued")
    story.post("/runs", workers=2)

    def told() -> bool:
        cloud.tick()
        return bool(story.get("/runs/current").get("problem"))

    wait_for(told, timeout=60, what="the page says what keeps the group from growing", pause_seconds=1)
    compute.clear()
    story.wait_for_step(1)
    job = story.job(stepwise, "running")
    story.post(f"/jobs/{job}/cancel")
    story.job(stepwise, "cancelled")
    story.post(f"/jobs/{job}/retry")
    story.wait_for_step(2)
    renewed = "pubsub.subscriptions.modifyAckDeadline"
    wait_for(lambda: renewed in {one.call for one in recorded_calls.read(folder / "calls")}, what="a lease is renewed")
    story.gate.touch()
    for name in (*names, stepwise):
        story.job(name, "succeeded")

    # What came of it is fetched; what nobody needs goes; the workers leave.
    for artifact in story.get(f"/jobs/{story.job(names[0], 'succeeded')}")["artifacts"]:
        assert story.fetch(artifact["url"]) == b"small"
    story.tell("spotmill-tick", {"task": "reconcile"})
    story.until_nobody_works()
    cloud.tick()


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[set[Recorded]]:
    """All that the processes asked during the story, with things by their names in the table."""
    folder = tmp_path_factory.mktemp("recorded")
    (folder / "calls").mkdir()
    installed = folder / "pipelines" / "stepwise-1.dist-info"
    installed.mkdir(parents=True)
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: stepwise\nVersion: 1\n")
    (installed / "entry_points.txt").write_text("[spotmill.pipelines]\nstepwise = stepwise:stepwise\n")
    (folder / "pipelines" / "stepwise.py").write_text(_PIPELINE)
    environment = {
        recorded_calls.VARIABLE: str(folder / "calls"),
        "PYTHONPATH": os.pathsep.join(map(str, (recorded_calls.RECORDER, folder / "pipelines"))),
        "SPOTMILL_ALLOWED_BUCKETS": ARCHIVE,
        "SPOTMILL_BACKOFF_SECONDS": "1",
        "SPOTMILL_HEARTBEAT_SECONDS": "0.5",
        "SPOTMILL_IDLE_SECONDS": "2",
        "SPOTMILL_RENEW_SECONDS": "1",
        "SPOTMILL_LEASE_SECONDS": "10",
        "SPOTMILL_MODELS": f"small=gs://{WEIGHTS}/small",
        "SPOTMILL_SWEEP_AFTER_SECONDS": "10",
        "SPOTMILL_UPLOAD_PUT_MAX_BYTES": "1000",
    }
    with running(folder / "data", "--port", "0", "--max-workers", "2", environment=environment) as cloud:
        story = Story(cloud, folder)
        tell(story, folder)
        settings = cloud.settings
        wanted = {pair for process in ("web", "dispatcher", "worker") for pair in said(process)}
        wanted = {pair for pair in wanted if pair[0] not in _NOT_HERE}
        names = {
            settings.upload_bucket: "uploads",
            settings.result_bucket: "results",
            ARCHIVE: "allowed",
            f"topics/{settings.jobs_topic}": "jobs",
            f"subscriptions/{settings.jobs_subscription}": "queue",
            settings.instance_group: "group",
        }

        def heard() -> set[Recorded]:
            raw = recorded_calls.read(folder / "calls")
            return {Recorded(one.process, one.call, names.get(one.thing, one.thing)) for one in raw}

        def complete() -> bool:
            cloud.tick()
            return wanted <= {(one.call, one.thing) for one in heard()}

        with suppress(AssertionError):  # a test says what is missing
            wait_for(complete, timeout=40, pause_seconds=1)
        signed = {Recorded("browser", f"storage.xml.{method.lower()}", names[at]) for method, at in story.signed}
        yield heard() | signed


def said(process: str) -> set[tuple[str, str]]:
    """Return what the table lets a process call, and on what."""
    known = load()
    calls = found_calls()[process].calls
    return {
        pair
        for call in calls
        if call.method in known.table["methods"]
        for pair in known.apis(call.method, known.table["calls"][call.site][call.method])
    }


@pytest.mark.parametrize("process", ["web", "dispatcher", "worker", "child"])
def test_no_call_but_those_of_the_table(process: str, recorded: set[Recorded]) -> None:
    """A process asks only what the table says of it, on what it says."""
    made = {(one.call, one.thing) for one in recorded if one.process == process}
    assert made <= said(process), "Say in `calls` of tests/terraform/permissions.yaml where these are made."


def test_the_table_claims_nothing(recorded: set[Recorded]) -> None:
    """Every call of the table is really made by somebody, but for those that a local cloud has no use for."""
    claimed = said("web") | said("dispatcher") | said("worker")
    made = {(one.call, one.thing) for one in recorded}
    assert {pair for pair in claimed - made if pair[0] not in _NOT_HERE} == set()
    assert {call for call, _ in claimed} >= set(_NOT_HERE)


def test_signed_urls(recorded: set[Recorded]) -> None:
    """Browsers use signed URLs for just what the web service's account is granted for them."""
    made = {(one.call, one.thing) for one in recorded if one.process == "browser"}
    assert made == {pair for pair in said("web") if pair[0].startswith("storage.xml.")}


def test_who_deletes_workers(recorded: set[Recorded]) -> None:
    """The page lets go of workers that are done, as a tick does: both need the right to update the group."""
    deleting = {one.process for one in recorded if one.call == "compute.regionInstanceGroupManagers.deleteInstances"}
    assert deleting <= {"web", "dispatcher"}
    assert deleting
