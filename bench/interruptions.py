"""Long files whose VMs are taken away: what is redone, what it costs, and whether the results are the same.

Each file is processed twice in one mill: once undisturbed, and once while the VM that works on it is power-cut and
preempted at random moments.
"""

import random
import statistics
import tempfile
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.long_media import recording
from bench.mill import Mill
from bench.progress import keep_saying, say
from bench.video.film import film
from shared.objects import steps_prefix
from tests.cloud import running, wait_for
from tests.video_checks import check

#: Seconds that one file may take, however often it is interrupted.
_PATIENCE = 7200
#: Seconds between two looks at the database.
_LOOK_SECONDS = 0.1
CUTS = PREEMPTIONS = 10
MOST_REDONE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Interruption:
    """A VM was taken at ``at``; ``redone`` are the seconds of work on the step at hand that were lost with it."""

    kind: str
    at: datetime
    redone: float


@dataclass(frozen=True, slots=True)
class Way:
    """One way of a file through the mill. ``files`` are the crc32c of its artifacts by kind."""

    seconds: float
    files: dict[str, str]
    attempts: int
    saved_seconds: float
    films: dict[str, bytes]
    interruptions: Sequence[Interruption] = ()

    @property
    def most_redone(self) -> float:
        """The worst interruption, in seconds of work."""
        return max((i.redone for i in self.interruptions), default=0.0)


class LongFile:
    """One file in one mill."""

    def __init__(self, mill: Mill, path: Path, content_type: str, seed: int) -> None:
        self._mill = mill
        self._path = path
        self._content_type = content_type
        self._random = random.Random(seed)

    def undisturbed(self) -> Way:
        """Process it in peace."""
        job, started = self._begin()
        self._wait(job, "succeeded")
        return self._way(job, time.monotonic() - started, [])

    def interrupted(self, cuts: int, preemptions: int, seconds: float) -> Way:
        """Process it while its VM is taken so often; ``seconds`` is what it takes in peace."""
        kinds = ["power cut"] * cuts + ["preemption"] * preemptions
        self._random.shuffle(kinds)
        job, started = self._begin()
        struck: list[tuple[str, datetime]] = []
        for kind in kinds:
            self._wait(job, "running", "succeeded")
            # Half of the time between two goes by while a VM boots.
            time.sleep(self._random.uniform(0.5, seconds / (len(kinds) + 1)))
            place = self._place(job)
            if place is None:  # between two workers, or done
                if self._status(job) == "succeeded":
                    break
                self._wait(job, "running", "succeeded")
                place = self._place(job)
            if place is None:
                break
            struck.append((kind, datetime.now(UTC)))
            say(f"interruptions: {self._path.name}: {kind}, {len(struck)} of {len(kinds)}")
            self._strike(kind, place)
            wait_for(lambda place=place: self._place(job) != place, 120, "the VM lets go", pause_seconds=_LOOK_SECONDS)  # type: ignore[misc]
        self._wait(job, "succeeded")
        return self._way(job, time.monotonic() - started, struck)

    def _begin(self) -> tuple[uuid.UUID, float]:
        upload = self._mill.upload(self._path, self._content_type)
        rows = wait_for(
            lambda: self._mill.rows("SELECT id FROM jobs WHERE object = :name", name=upload.name), 60, "a job"
        )
        self._mill.run(1)
        job: uuid.UUID = rows[0].id
        self._wait(job, "running")
        return job, time.monotonic()

    def _status(self, job: uuid.UUID) -> str:
        status: str = self._mill.rows("SELECT status FROM jobs WHERE id = :id", id=job)[0].status
        return status

    def _wait(self, job: uuid.UUID, *wanted: str) -> None:
        def there() -> bool:
            row = self._mill.rows("SELECT status, error, progress FROM jobs WHERE id = :id", id=job)[0]
            keep_saying(f"interruptions: {self._path.name} is {row.status}, {row.progress:.0%}")
            if row.status == "failed":
                raise RuntimeError(f"{self._path.name} failed: {row.error}")
            return row.status in wanted

        wait_for(there, _PATIENCE, f"{self._path.name} is {wanted}", pause_seconds=_LOOK_SECONDS)

    def _place(self, job: uuid.UUID) -> tuple[str, str, str] | None:
        """Say which boot of which VM works on the job."""
        rows = self._mill.rows(
            "SELECT w.id, w.instance, w.zone FROM jobs j JOIN workers w ON w.id = j.worker "
            "WHERE j.id = :id AND j.status = 'running'",
            id=job,
        )
        return (rows[0].id, rows[0].instance, rows[0].zone) if rows else None

    def _strike(self, kind: str, place: tuple[str, str, str]) -> None:
        _, instance, zone = place
        cloud = self._mill.cloud
        order = cloud.instances.reset if kind == "power cut" else cloud.instances.simulate_maintenance_event
        order(project=cloud.settings.project, zone=zone, instance=instance, timeout=60)

    def _content(self, name: str) -> bytes:
        content: bytes = self._mill.cloud.results.blob(name).download_as_bytes()
        return content

    def _way(self, job: uuid.UUID, seconds: float, struck: list[tuple[str, datetime]]) -> Way:
        artifacts = self._mill.rows("SELECT kind, crc32c, object FROM artifacts WHERE job_id = :id", id=job)
        attempts = self._mill.rows(
            "SELECT started_at, ended_at, saved_seconds FROM attempts WHERE job_id = :id ORDER BY attempt", id=job
        )
        steps = sorted(blob.time_created for blob in self._mill.cloud.results.list_blobs(prefix=steps_prefix(job)))
        interruptions = []
        for kind, at in struck:
            begun = max((row.started_at for row in attempts if row.started_at <= at), default=at)
            # A preempted worker may still finish its step: what counts is what was stored before the attempt's end.
            end = next((row.ended_at for row in attempts if row.started_at == begun and row.ended_at), at)
            stored = max((made for made in steps if begun <= made <= max(at, end)), default=begun)
            interruptions.append(Interruption(kind, at, max(0.0, (at - stored).total_seconds())))
        return Way(
            seconds,
            {row.kind: row.crc32c for row in artifacts},
            len(attempts),
            sum(row.saved_seconds or 0.0 for row in attempts),
            {row.kind: self._content(row.object) for row in artifacts if row.kind.startswith("mp4-")},
            interruptions,
        )


def interrupt(
    path: Path, content_type: str, *, seed: int = 1, cuts: int = CUTS, preemptions: int = PREEMPTIONS
) -> tuple[Way, Way]:
    """Send one file twice through a mill of its own; return the undisturbed passage and the other."""
    with (
        tempfile.TemporaryDirectory() as folder,
        running(Path(folder) / "data", "--port", "0", "--max-workers", "1") as cloud,
    ):
        file = LongFile(Mill(cloud), path, content_type, seed)
        calm = file.undisturbed()
        return calm, file.interrupted(cuts, preemptions, calm.seconds)


def rows(name: str, calm: Way, stormy: Way) -> list[dict[str, Any]]:
    """Say what a file's two passages were like."""
    same = sorted(kind for kind in calm.files if stormy.files.get(kind) == calm.files[kind])
    redone = [i.redone for i in stormy.interruptions]
    return [
        _row(f"{name}: undisturbed", calm.seconds, "s"),
        _row(f"{name}: interruptions", len(redone), ""),
        _row(f"{name}: interrupted", stormy.seconds, "s"),
        _row(f"{name}: artifacts that are the same", len(same), "", str(len(calm.files))),
        _row(f"{name}: most work redone at once", stormy.most_redone, "s", f"<= {MOST_REDONE_SECONDS:g}"),
        _row(f"{name}: work redone, median", statistics.median(redone) if redone else 0.0, "s"),
    ]


def run(quick: bool) -> list[dict[str, Any]]:
    """Interrupt a recording and a film: an hour and ten minutes, or a sixth of that."""
    times = 3 if quick else CUTS
    with tempfile.TemporaryDirectory() as folder:
        calm, stormy = interrupt(
            recording(Path(folder), 10 if quick else 60), "audio/flac", cuts=times, preemptions=times
        )
    found = rows("recording", calm, stormy)
    minutes = 1 if quick else 10
    calm, stormy = interrupt(film(minutes), "video/mp4", cuts=times, preemptions=times)
    found += rows("film", calm, stormy)
    with tempfile.TemporaryDirectory() as folder:
        for kind, content in stormy.films.items():
            path = Path(folder) / f"{kind}.mp4"
            path.write_bytes(content)
            right = check(path).numbers == list(range(minutes * 60 * 30))
            found.append(_row(f"film: {kind}: every frame once, uniform times, no warning", int(right), "", "1"))
    return found


def _row(name: str, value: float, unit: str, target: str | None = None) -> dict[str, Any]:
    return {"group": "interruptions", "name": name, "value": round(value, 2), "unit": unit, "target": target}
