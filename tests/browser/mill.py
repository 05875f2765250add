"""What a browser test does beside the browser: reads the API, makes files, takes VMs away."""

import uuid
from pathlib import Path
from typing import Any

import requests
from google.pubsub_v1.types import PubsubMessage
from sqlalchemy import text

from shared import lifecycle
from shared.jobs import Backoff, Completion, Failure, Hold, NewJob, Renewal
from shared.models import Outcome
from tests.cloud import Cloud, wait_for
from tests.photos import photographs

_SECONDS = 10


class Mill:
    """A cloud under test, seen from outside."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.word = uuid.uuid4().hex[:8]  #: for names of files, so that a search finds those of one test

    def get(self, path: str, **query: Any) -> Any:
        answer = requests.get(f"{self.cloud.web_url}/api/v1{path}", params=query, timeout=_SECONDS)
        answer.raise_for_status()
        return answer.json()

    def post(self, path: str, body: dict[str, Any] | None = None) -> requests.Response:
        return requests.post(f"{self.cloud.web_url}/api/v1{path}", json=body, timeout=_SECONDS)

    def put(self, path: str, body: dict[str, Any]) -> None:
        requests.put(f"{self.cloud.web_url}/api/v1{path}", json=body, timeout=_SECONDS).raise_for_status()

    def jobs(self, q: str) -> list[dict[str, Any]]:
        """Jobs with ``q`` in their file's name, all of them."""
        found: list[dict[str, Any]] = self.get("/jobs", q=q, limit=200)["jobs"]
        return found

    def record(self, *names: str) -> list[str]:
        """Make queued jobs of no owner, as if other systems had written these files; return their ids."""
        folder = uuid.uuid4().hex
        bucket = self.cloud.settings.upload_bucket
        jobs = [NewJob(bucket, f"{folder}/{name}", 1, "image", 1_234_567, "image/jpeg") for name in names]
        with self.cloud.engine.begin() as connection:
            return [str(recorded.id) for recorded in lifecycle.record(connection, jobs)]

    def take(self, job_id: str, worker: str = "spotmill-workers-test/0123abcd") -> Hold:
        """Claim a job as a worker would."""
        with self.cloud.engine.begin() as connection:
            (claim,) = lifecycle.claim(connection, [uuid.UUID(job_id)], worker=worker, lease_seconds=300)
        return claim.hold

    def progress(self, hold: Hold, fraction: float, stage: str) -> None:
        with self.cloud.engine.begin() as connection:
            lifecycle.renew(connection, [Renewal(hold.id, hold.attempt, fraction, stage)], lease_seconds=300)

    def fail(self, hold: Hold, error: str) -> None:
        with self.cloud.engine.begin() as connection:
            lifecycle.fail(connection, [Failure(hold.id, hold.attempt, error, permanent=True)], Backoff())

    def release(self, hold: Hold, outcome: Outcome) -> None:
        with self.cloud.engine.begin() as connection:
            lifecycle.release(connection, [hold], outcome=outcome, reason="The VM was taken away.")

    def commit(self, hold: Hold, result: dict[str, Any]) -> None:
        with self.cloud.engine.begin() as connection:
            lifecycle.commit(connection, [Completion(hold.id, hold.attempt, result, (), 0, 42.0)])

    def sets_of_artifacts(self, q: str) -> list[tuple[str, int, int]]:
        """For each job: its id, how many attempts succeeded, how many artifacts of different attempts there are."""
        statement = text("""
            SELECT j.id, (SELECT count(*) FROM attempts a WHERE a.job_id = j.id AND a.outcome = 'succeeded'),
                   (SELECT count(DISTINCT f.attempt) FROM artifacts f WHERE f.job_id = j.id)
            FROM jobs j WHERE j.object LIKE '%' || :q || '%'""")
        with self.cloud.engine.connect() as connection:
            return [(str(row[0]), row[1], row[2]) for row in connection.execute(statement, {"q": q})]

    def rest(self) -> None:
        """Bring the mill to rest: no queued job, no run, no worker."""
        for status in ("queued", "running"):
            while jobs := self.get("/jobs", status=status, limit=200)["jobs"]:
                for job in jobs:
                    self.post(f"/jobs/{job['id']}/cancel")
        self.post("/runs/current/stop", {"mode": "now"})
        wait_for(self._is_over, 120, "the run is over")

    def _is_over(self) -> bool:
        if self.get("/queue")["run"] is None:
            return True
        # The scheduler's tick, which deletes VMs and closes runs, only comes every minute.
        topic = self.cloud.topic(self.cloud.environment["SPOTMILL_TICK_TOPIC"])
        self.cloud.publisher.publish(topic=topic, messages=[PubsubMessage(data=b'{"task": "tick"}')])
        return False


def named_photographs(folder: Path, prefix: str, count: int) -> list[Path]:
    """Copy the real photographs under ``count`` names that a search can find."""
    folder.mkdir(parents=True, exist_ok=True)
    sources = photographs()
    made = []
    for number in range(count):
        source = sources[number % len(sources)]
        path = folder / f"{prefix}-{number:03}{source.suffix}"
        path.write_bytes(source.read_bytes())
        made.append(path)
    return made
