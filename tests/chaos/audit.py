"""The reckoning: every file got its job, every job its end, every result is there, right, and nothing else is."""

import base64
import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import google_crc32c

from tests.chaos.book import Book, File, Version
from tests.chaos.kinds import Expected, expected
from tests.chaos.mill import Mill
from tests.chaos.watch import Watch

MAX_FAILURES = 5
#: What a chaotic machine does to a job that counts as a failure, in the words of its attempts.
EXPLAINED = re.compile(
    r"The worker process died while it held this file\.|killed \(signal 9, SIGKILL\)|crashed \(signal 9, SIGKILL\)"
    r"|Cloud Storage could not be used|disk is full|made no progress|longer than the .* it may run"
    r"|hung up on its worker"
    r"|The worker could not handle its files|ended its process|A result of this attempt is in the bucket already"
)
#: The generation of jobs that stand for what an ingest message named and nobody found.
ABSENT = 0
_SIDE_BY_SIDE = 8


@dataclass(slots=True)
class Verdict:
    """What was found. ``histories`` tells how each wrong job came to be what it is."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    other: list[str] = field(default_factory=list)
    suspects: dict[str, None] = field(default_factory=dict)
    statuses: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)  #: what the chaos itself made attempts fail with
    bytes_compared: int = 0

    @property
    def clean(self) -> bool:
        return not (self.lost or self.doubled or self.wrong or self.other)


class Audit:
    """Looks at everything once. The mill is up, and still."""

    def __init__(self, mill: Mill, book: Book) -> None:
        self._mill = mill
        self._book = book
        self.verdict = Verdict()
        self._jobs: dict[tuple[str, str, int], list[Any]] = {}
        self._attempts: dict[UUID, list[Any]] = {}
        self._artifacts: dict[UUID, list[Any]] = {}

    def run(self) -> Verdict:
        """Check all of it."""
        for row in self._mill.rows("SELECT * FROM jobs"):
            self._jobs.setdefault((row.bucket, row.object, row.generation), []).append(row)
        for row in self._mill.rows("SELECT * FROM attempts ORDER BY job_id, attempt"):
            self._attempts.setdefault(row.job_id, []).append(row)
            self.verdict.outcomes[str(row.outcome)] += 1
        for row in self._mill.rows("SELECT * FROM artifacts ORDER BY job_id, kind"):
            self._artifacts.setdefault(row.job_id, []).append(row)
        known: set[tuple[str, str, int]] = set()
        for file in self._book.files.values():
            for version in file.versions:
                known.add((file.bucket, file.name, version.generation))
                self._check_version(file, version)
            known.add((file.bucket, file.name, ABSENT))
            self._check_absent(file)
            if not file.versions:
                self.verdict.other.append(f"{file.arrival.filename} was never brought: the harness could not")
        for key in self._jobs.keys() - known:
            self.verdict.doubled.append(f"gs://{key[0]}/{key[1]}#{key[2]} has a job, and nobody brought it")
        self._check_bytes()
        self._check_bucket()
        self._check_counts()
        self._check_fleet()
        return self.verdict

    def _suspect(self, into: list[str], row: Any, words: str) -> None:
        into.append(f"{row.object} (job {row.id}): {words}")
        self.verdict.suspects[str(row.id)] = None

    def _check_version(self, file: File, version: Version) -> None:
        rows = self._jobs.get((file.bucket, file.name, version.generation), [])
        if not rows:
            if not may_be_missing(self._book, file, version):
                self.verdict.lost.append(f"gs://{file.bucket}/{file.name}#{version.generation} has no job")
            return
        if len(rows) > 1:
            self.verdict.doubled.append(f"gs://{file.bucket}/{file.name}#{version.generation} has {len(rows)} jobs")
        for row in rows:
            self.verdict.statuses[row.status] += 1
            self._check_job(file, version, row)

    def _check_absent(self, file: File) -> None:
        """An ingest message whose file is gone is refused, but only if it did not come to a job before."""
        rows = self._jobs.get((file.bucket, file.name, ABSENT), [])
        unheard = [v for v in file.versions if v.gone and (file.bucket, file.name, v.generation) not in self._jobs]
        if rows and not (file.arrival.way == "ingest" and unheard):
            self._suspect(self.verdict.doubled, rows[0], f"was refused ({rows[0].error}) after it had been taken")
        for row in rows:
            self.verdict.statuses["refused"] += 1
            if row.status != "failed" or row.attempt:
                self._suspect(self.verdict.wrong, row, f"has no file and is {row.status}")

    def _check_job(self, file: File, version: Version, row: Any) -> None:
        wanted = expected(file.arrival, version.number)
        attempts = self._attempts.get(row.id, [])
        if row.status in ("queued", "running"):
            self._suspect(self.verdict.lost, row, f"is still {row.status}")
            return
        allowed = allowed_statuses(file, version, wanted)
        if row.status not in allowed:
            self._suspect(self.verdict.wrong, row, f"is {row.status} ({row.error}), not {' or '.join(sorted(allowed))}")
            return
        if row.pipeline != wanted.pipeline:
            self._suspect(self.verdict.wrong, row, f"went to {row.pipeline}, not to {wanted.pipeline}")
        self._check_attempts(row, attempts, wanted)
        if row.status == "succeeded":
            self._check_success(row, wanted)
        elif self._artifacts.get(row.id):
            self._suspect(self.verdict.doubled, row, f"is {row.status} and has artifacts")
        if row.status == "failed" and row.error != wanted.error:
            self._suspect(self.verdict.wrong, row, f"failed with {row.error!r}, not with {wanted.error!r}")

    def _check_attempts(self, row: Any, attempts: list[Any], wanted: Expected) -> None:
        won = [a for a in attempts if a.outcome == "succeeded"]
        if row.status == "succeeded":
            if len(won) != 1 or won[0].attempt != row.attempt:
                self._suspect(self.verdict.doubled, row, f"has {len(won)} winning attempts")
        elif won:
            self._suspect(self.verdict.doubled, row, f"is {row.status} and has a winning attempt")
        if any(a.ended_at is None or a.outcome is None for a in attempts):
            self._suspect(self.verdict.other, row, "has an attempt that never ended")
        if [a.attempt for a in attempts] != list(range(1, row.attempt + 1)):
            self._suspect(self.verdict.other, row, f"has attempts {[a.attempt for a in attempts]} of {row.attempt}")
        for attempt in attempts:
            if attempt.outcome != "failed":
                continue
            if (known := EXPLAINED.search(attempt.error or "")) is not None and attempt.error != wanted.error:
                self.verdict.reasons[known[0]] += 1
            if not explained(attempt.error, wanted):
                self._suspect(self.verdict.other, row, f"attempt {attempt.attempt} failed oddly: {attempt.error}")

    def _check_success(self, row: Any, wanted: Expected) -> None:
        made = {a.kind: (a.size_bytes, a.content_type) for a in self._artifacts.get(row.id, [])}
        right = {kind: (size, content_type) for kind, (_, size, content_type) in (wanted.artifacts or {}).items()}
        if made != right:
            self._suspect(self.verdict.wrong, row, f"has artifacts {made}, not {right}")
        if any(a.attempt != row.attempt for a in self._artifacts.get(row.id, [])):
            self._suspect(self.verdict.doubled, row, "has an artifact of an attempt that did not win")
        if row.result != wanted.result:
            self._suspect(self.verdict.wrong, row, f"has the result {row.result}, not {wanted.result}")

    def _check_bytes(self) -> None:
        """Download every artifact and compare it with the undisturbed run's."""
        versions = {(f.bucket, f.name, v.generation): (f, v) for f in self._book.files.values() for v in f.versions}
        todo = []
        for key, rows in self._jobs.items():
            for row in rows:
                if row.status == "succeeded" and key in versions:
                    file, version = versions[key]
                    wanted = expected(file.arrival, version.number).artifacts or {}
                    todo += [(row, a, wanted[a.kind][0]) for a in self._artifacts.get(row.id, []) if a.kind in wanted]

        def compare(task: tuple[Any, Any, str]) -> tuple[Any, str | None, int]:
            row, artifact, digest = task
            name = artifact.object
            try:
                blob = self._mill.cloud.storage.bucket(artifact.bucket).blob(name, generation=artifact.generation)
                data: bytes = blob.download_as_bytes(checksum="crc32c", timeout=60)
            except Exception as error:  # noqa: BLE001 - whatever it is, the artifact cannot be read
                return row, f"{name} cannot be read: {type(error).__name__}: {error}", 0
            checksum = google_crc32c.Checksum()  # type: ignore[no-untyped-call]
            checksum.update(data)  # type: ignore[no-untyped-call]
            if base64.b64encode(checksum.digest()).decode() != artifact.crc32c:  # type: ignore[no-untyped-call]
                return row, f"{name} has another checksum than its row", 0
            if hashlib.sha256(data).hexdigest() != digest:
                return row, f"{name} has other bytes than in the undisturbed run", 0
            return row, None, len(data)

        with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
            for row, problem, size_bytes in pool.map(compare, todo):
                self.verdict.bytes_compared += size_bytes
                if problem is not None:
                    self._suspect(self.verdict.wrong, row, problem)

    def _check_bucket(self) -> None:
        """Nothing lies in the result bucket but artifacts of winners: a sweep has been there."""
        published = {(a.object, a.generation) for rows in self._artifacts.values() for a in rows}
        for blob in self._mill.cloud.results.list_blobs(timeout=60):
            if (blob.name, int(blob.generation)) not in published:
                self.verdict.other.append(f"gs://{blob.bucket.name}/{blob.name} is an orphan ({blob.time_created})")

    def _check_counts(self) -> None:
        """The page says what is true."""
        true = Counter(row.status for rows in self._jobs.values() for row in rows)
        rolled: Counter[str] = Counter()
        for row in self._mill.rows("SELECT status, count FROM job_counts"):
            rolled[row.status] += row.count
        for row in self._mill.rows("SELECT status, delta FROM job_count_deltas"):
            rolled[row.status] += row.delta
        shown = self._mill.get("/queue").json()["counts"]
        for place, counts in (("roll-up", rolled), ("page", shown)):
            names = true.keys() | counts.keys()
            differing = {s: (counts.get(s, 0), true[s]) for s in names if counts.get(s, 0) != true[s]}
            if differing:
                self.verdict.other.append(f"the {place} counts differently (shown, true): {differing}")
        listed = Counter(str(job["id"]) for job in self._pages())
        rows = {str(row.id) for rows in self._jobs.values() for row in rows}
        if set(listed) != rows or any(times > 1 for times in listed.values()):
            self.verdict.other.append(f"the list shows {len(listed)} jobs, {listed.total()} rows, of {len(rows)}")

    def _pages(self) -> Iterator[Mapping[str, Any]]:
        cursor: str | None = ""
        while cursor is not None:
            page = self._mill.get("/jobs", limit="200", **({"cursor": cursor} if cursor else {})).json()
            yield from page["jobs"]
            cursor = page["next_cursor"]

    def _check_fleet(self) -> None:
        if open_runs := self._mill.rows("SELECT id FROM runs WHERE ended_at IS NULL"):
            self.verdict.other.append(f"{len(open_runs)} run(s) are still open")
        if alive := self._mill.rows("SELECT id FROM workers WHERE state <> 'gone'"):
            self.verdict.other.append(f"workers that are not gone: {[row.id for row in alive]}")
        settings = self._mill.cloud.settings
        group = self._mill.cloud.groups.get(
            project=settings.project, region=settings.region, instance_group_manager=settings.instance_group
        )
        machines = self._mill.machines()
        if group.target_size or machines:
            self.verdict.other.append(f"the fleet has {group.target_size} VMs to be, {len(machines)} are on")
        if letters := self._mill.rows("SELECT * FROM dead_letters"):
            self.verdict.other.append(f"{len(letters)} dead letters: {dict(letters[0]._mapping)}…")


def allowed_statuses(file: File, version: Version, wanted: Expected) -> set[str]:
    """Say how a version's job may have ended, given what people did to the file."""
    if file.cancelled and version is file.versions[-1]:
        return {"cancelled"}
    allowed = {wanted.status}
    if file.cancelled or file.unsure:
        allowed.add("cancelled")
    if version.gone:
        allowed.add("superseded")
    return allowed


def may_be_missing(book: Book, file: File, version: Version) -> bool:
    """Tell whether nobody may have heard of a file before it was gone.

    By ingest, the message then names what is no longer there; and what no event announces, reconcile finds only while
    it exists.
    """
    return version.gone and (file.arrival.way == "ingest" or book.done["events dropped"] > 0)


def explained(error: str | None, wanted: Expected) -> bool:
    """Tell whether a failed attempt is what the file itself or the chaos brought about."""
    said = error or ""
    return said in {wanted.error, "The model server is busy."} or EXPLAINED.search(said) is not None


def histories(mill: Mill, watch: Watch, verdict: Verdict, most: int = 5) -> Iterator[str]:
    """Tell the story of the jobs that went wrong."""
    for job in list(verdict.suspects)[:most]:
        yield f"--- job {job}"
        for row in mill.rows("SELECT * FROM jobs WHERE id = CAST(:id AS uuid)", id=job):
            yield f"  row: {dict(row._mapping)}"
        for row in mill.rows("SELECT * FROM attempts WHERE job_id = CAST(:id AS uuid) ORDER BY attempt", id=job):
            yield f"  attempt: {dict(row._mapping)}"
        for line in watch.lines_about(job):
            yield f"  log: {line}"
