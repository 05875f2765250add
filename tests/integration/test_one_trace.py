"""One trace for each job: whatever dispatcher, worker and web log about it, Cloud Logging shows together."""

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests
from sqlalchemy import text

from tests.cloud import Cloud, running, wait_for
from tests.photos import jpeg_bytes, photograph


def lines(cloud: Cloud, trace: str) -> Iterator[dict[str, Any]]:
    """Yield what was logged in this trace."""
    for file in cloud.data_dir.rglob("*.log"):
        for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
            event: dict[str, Any] = json.loads(line) if line.startswith("{") and line.endswith("}") else {}
            if event.get("logging.googleapis.com/trace", "").endswith(f"/traces/{trace}"):
                yield event


def story(cloud: Cloud, trace: str) -> dict[str, set[str]]:
    """Map each process to the events that it logged in this trace."""
    found: dict[str, set[str]] = {}
    for event in lines(cloud, trace):
        found.setdefault(event["process"], set()).add(event["message"])
    return found


def job_of(cloud: Cloud, name: str, status: str) -> uuid.UUID:
    """Wait until the job of an object has this status; return its id."""

    def found() -> uuid.UUID | None:
        with cloud.engine.connect() as connection:
            row = connection.execute(
                text("SELECT id, status FROM jobs WHERE object = :name"), {"name": name}
            ).one_or_none()
        return row.id if row is not None and row.status == status else None

    return wait_for(found, what=f"{name} is {status}")


def test_the_log_of_one_job_is_joined_from_its_event_to_its_result(tmp_path: Path) -> None:
    """A photograph is recorded, processed and done; one that is cancelled and retried has its people's doings, too."""
    with running(tmp_path, environment={"SPOTMILL_LOG_FORMAT": "json"}) as cloud:
        photo = jpeg_bytes(photograph("chelsea"))
        cloud.uploads.blob("b.jpg").upload_from_string(photo, content_type="image/jpeg")
        waiting = job_of(cloud, "b.jpg", "queued")
        for doing in ("cancel", "retry"):
            requests.post(f"{cloud.web_url}/api/v1/jobs/{waiting}/{doing}", timeout=30).raise_for_status()
        requests.post(f"{cloud.web_url}/api/v1/runs", json={"workers": 1}, timeout=60).raise_for_status()
        assert job_of(cloud, "b.jpg", "succeeded") == waiting
        wait_for(
            lambda: story(cloud, waiting.hex).get("worker", set()) >= {"job.claimed", "job.succeeded"},
            what="the worker's lines are written",
        )
        told = story(cloud, waiting.hex)
        assert "job.recorded" in told["dispatcher"]
        assert told["web"] >= {"job.cancelled", "job.retried"}
        [done] = [line for line in lines(cloud, waiting.hex) if line["message"] == "job.succeeded"]
        assert (
            done["logging.googleapis.com/labels"] | {"pipeline": "image", "attempt": "1"}
            == done["logging.googleapis.com/labels"]
        )
        assert (done["size_bytes"], done["artifacts"] > 0) == (len(photo), True)
        assert done["seconds"] > 0
        assert done["waited_seconds"] > 0


def test_a_request_is_joined_with_what_it_logs(tmp_path: Path) -> None:
    """What the web logs about no job is in the trace that Cloud Run gave the request."""
    trace = uuid.uuid4().hex
    with running(tmp_path, environment={"SPOTMILL_LOG_FORMAT": "json"}) as cloud:
        header = {"X-Cloud-Trace-Context": f"{trace}/1;o=1"}
        requests.post(f"{cloud.web_url}/api/v1/queue/pause", json={}, headers=header, timeout=30).raise_for_status()
        assert wait_for(lambda: story(cloud, trace), what="the line is written") == {"web": {"queue.paused"}}
