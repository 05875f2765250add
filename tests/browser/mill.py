"""What a browser test does beside the browser: reads the API, makes files, takes VMs away."""

import uuid
from pathlib import Path
from typing import Any

import requests
from sqlalchemy import text

from shared import lifecycle
from tests.cloud import Cloud, wait_for
from tests.photos import photographs

_SECONDS = 10


class Mill:
    """A cloud under test, seen from outside."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    def get(self, path: str, **query: Any) -> Any:
        answer = requests.get(f"{self.cloud.web_url}/api/v1{path}", params=query, timeout=_SECONDS)
        answer.raise_for_status()
        return answer.json()

    def post(self, path: str, body: dict[str, Any] | None = None) -> requests.Response:
        return requests.post(f"{self.cloud.web_url}/api/v1{path}", json=body, timeout=_SECONDS)

    def jobs(self, q: str) -> list[dict[str, Any]]:
        """Jobs with ``q`` in their file's name, all of them."""
        found: list[dict[str, Any]] = self.get("/jobs", q=q, limit=200)["jobs"]
        return found

    def put(self, name: str, content: bytes, content_type: str = "image/jpeg") -> dict[str, Any]:
        """Write an object, as another system would, and return its job when there is one."""
        blob = self.cloud.uploads.blob(f"from-elsewhere/{uuid.uuid4().hex}/{name}")
        blob.upload_from_string(content, content_type=content_type)
        return next(iter(wait_for(lambda: self.jobs(name), what=f"a job for {name}")))

    def attempt(self, job_id: str, worker: str = "test-worker/boot") -> lifecycle.Hold:
        """Take a job as a worker would."""
        with self.cloud.engine.begin() as connection:
            (claim,) = lifecycle.claim(connection, [uuid.UUID(job_id)], worker=worker, lease_seconds=40)
        return claim.hold

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
            for job in self.get("/jobs", status=status, limit=200)["jobs"]:
                self.post(f"/jobs/{job['id']}/cancel")
        self.post("/runs/current/stop", {"mode": "now"})
        wait_for(self._is_over, 120, "the run is over")

    def _is_over(self) -> bool:
        if self.get("/queue")["run"] is None:
            return True
        # The scheduler's tick, which deletes VMs and closes runs, only comes every minute.
        topic = self.cloud.topic(self.cloud.environment["SPOTMILL_TICK_TOPIC"])
        self.cloud.publisher.publish(topic=topic, messages=[{"data": b'{"task": "tick"}'}])
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
