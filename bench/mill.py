"""A running mill for benchmarks: upload files as a browser does, press Run, and read what the database says of it."""

import time
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from sqlalchemy import text

from bench.progress import keep_saying
from tests.cloud import Cloud, wait_for

#: Uploads that go on side by side, as in the browser.
_UPLOADS = 4
#: How often an open page asks for news while something runs; asking all the time would take the workers' processors.
_PAGE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Upload:
    """One uploaded file: the object's name, and the clock when Cloud Storage had answered."""

    name: str
    done: float


class Mill:
    """Uses a local cloud through the web service's API alone, and measures in its database."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.api = f"{cloud.web_url}/api/v1"
        self.headers = {"Origin": cloud.web_url}

    def upload(self, path: Path, content_type: str) -> Upload:
        """Send one file by a signed URL: one PUT, or one resumable session with one chunk."""
        wish = {"filename": path.name, "content_type": content_type, "size": path.stat().st_size}
        granted = requests.post(f"{self.api}/uploads", json=wish, headers=self.headers, timeout=30)
        granted.raise_for_status()
        ticket = granted.json()
        url, headers = ticket["url"], ticket["headers"]
        if ticket["protocol"] == "resumable":
            session = requests.post(url, headers=headers, timeout=30)
            session.raise_for_status()
            url, headers = session.headers["Location"], {}
        with path.open("rb") as file:
            requests.put(url, data=file, headers=headers, timeout=600).raise_for_status()
        return Upload(ticket["object"], time.monotonic())

    def upload_all(self, paths: Sequence[Path], content_type: str = "image/jpeg") -> list[Upload]:
        """Send many files, several at a time."""
        with ThreadPoolExecutor(_UPLOADS) as pool:
            return list(pool.map(lambda path: self.upload(path, content_type), paths))

    def run(self, workers: int) -> dict[str, Any]:
        """Press Run."""
        answer = requests.post(f"{self.api}/runs", json={"workers": workers}, headers=self.headers, timeout=30)
        answer.raise_for_status()
        run: dict[str, Any] = answer.json()
        return run

    def counts(self) -> dict[str, int]:
        """Ask the page's own call for the number of jobs by status."""
        answer = requests.get(f"{self.api}/queue", timeout=30)
        answer.raise_for_status()
        counts: dict[str, int] = answer.json()["counts"]
        return counts

    def wait_until_over(self, timeout: float) -> dict[str, int]:
        """Watch as one open page does; return the counts when no job is queued or running any more."""

        def over() -> dict[str, int] | None:
            counts = self.counts()
            keep_saying(counts)
            return None if counts["queued"] or counts["running"] else counts

        return wait_for(over, timeout, "every job is over", pause_seconds=_PAGE_SECONDS) or {}

    def visible(self, name: str) -> bool:
        """Tell whether ``GET /jobs`` lists an object on its first page."""
        found = requests.get(f"{self.api}/jobs", params={"limit": 5}, timeout=30).json()["jobs"]
        return any(job["object"] == name for job in found)

    def rows(self, statement: str, **values: Any) -> list[Any]:
        """Read from the database."""
        with self.cloud.engine.connect() as connection:
            return list(connection.execute(text(statement), values))

    def finished_seconds(self) -> list[float]:
        """When each job succeeded, in order, in seconds of the database's clock."""
        rows = self.rows(
            "SELECT extract(epoch FROM finished_at) AS seconds FROM jobs WHERE status = 'succeeded' ORDER BY 1"
        )
        return [float(row.seconds) for row in rows]


def copies(originals: Sequence[Path], folder: Path, count: int) -> list[Path]:
    """Name ``count`` files in ``folder`` that have the bytes of the originals in turn."""
    made = []
    for number in range(count):
        original = originals[number % len(originals)]
        link = folder / f"{number:04}-{uuid.uuid4().hex[:6]}{original.suffix}"
        link.hardlink_to(original)
        made.append(link)
    return made
