"""How quickly the mill was on its feet again, from what the database noted and when what was broken."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from tests.chaos.book import Book, Death
from tests.chaos.mill import Mill
from tests.chaos.watch import Watch

_BEGUN = re.compile(r"chaos-step ([\w-]+)")


@dataclass(frozen=True, slots=True)
class Spread:
    """Some durations, in seconds."""

    seconds: Sequence[float]

    def __str__(self) -> str:
        if not self.seconds:
            return "none"
        ordered = sorted(self.seconds)
        p50, p95 = (ordered[min(len(ordered) - 1, int(share * len(ordered)))] for share in (0.5, 0.95))
        return f"p50 {p50:.1f} s, p95 {p95:.1f} s, max {ordered[-1]:.1f} s (of {len(ordered)})"


@dataclass(frozen=True, slots=True)
class Recovery:
    """What the issue asks for."""

    power_cut: Spread  #: without notice: until what ran there ran again
    handover: Spread  #: from the release of a lease until the next claim
    notice: Spread  #: from a notice until the lease was released
    begun: int  #: pieces of work that were begun, by jobs with steps
    redone: int  #: of those, how many had been begun before
    interrupted: int  #: attempts of those jobs that did not end by themselves
    fenced: int  #: endings that came too late and changed nothing
    greedy: list[str]  #: jobs that did more over than their interruptions account for


def recovery(mill: Mill, book: Book, watch: Watch) -> Recovery:
    """Measure it."""
    attempts = mill.rows("SELECT * FROM attempts ORDER BY job_id, attempt")
    following = {(a.job_id, a.attempt): b for a, b in pairwise(attempts) if a.job_id == b.job_id}
    cuts = [death for death in book.deaths if death.kind in ("power cut", "host crash", "preemption, 0 s notice")]
    notices = [death for death in book.deaths if death.kind.startswith("preemption") and " 0 s" not in death.kind]
    power_cut = [
        (following[a.job_id, a.attempt].started_at - death.at).total_seconds()
        for a, death in _struck(attempts, cuts)
        if a.outcome == "lost"
        and (a.job_id, a.attempt) in following
        and not _halted(book, death.at, following[a.job_id, a.attempt].started_at)
    ]
    handover = [
        (following[a.job_id, a.attempt].started_at - a.ended_at).total_seconds()
        for a in attempts
        if a.outcome == "preempted"
        and (a.job_id, a.attempt) in following
        and not _halted(book, a.ended_at, following[a.job_id, a.attempt].started_at)
    ]
    notice = [(a.ended_at - d.at).total_seconds() for a, d in _struck(attempts, notices) if a.outcome == "preempted"]
    lines = list(watch.text())
    pieces = begun(lines, {(str(a.job_id), a.attempt): a.ended_at for a in attempts})
    ended_oddly = Counter(str(a.job_id) for a in attempts if a.outcome != "succeeded")
    redone = {job: sum(times.values()) - len(times) for job, times in pieces.items()}
    greedy = [job for job, times in redone.items() if times > ended_oddly[job]]
    return Recovery(
        Spread(power_cut),
        Spread(handover),
        Spread(notice),
        begun=sum(sum(times.values()) for times in pieces.values()),
        redone=sum(redone.values()),
        interrupted=sum(ended_oddly[job] for job in pieces),
        fenced=sum('"job.fenced"' in line for line in lines),
        greedy=greedy,
    )


def _struck(attempts: Iterable[Any], deaths: Sequence[Death]) -> list[tuple[Any, Death]]:
    """Pair deaths with the attempts that they interrupted."""
    return [
        (attempt, death)
        for attempt in attempts
        for death in deaths
        if attempt.worker == death.worker
        and attempt.started_at < death.at
        and (attempt.ended_at is None or attempt.ended_at > death.at)
    ]


def _halted(book: Book, begin: datetime, end: datetime) -> bool:
    return any(begin < halt_end and halt_begin < end for halt_begin, halt_end in book.halts)


def begun(lines: Iterable[str], ended: Mapping[tuple[str, int], datetime | None]) -> dict[str, Counter[str]]:
    """Count for each job how often each piece of its work was begun, by attempts that were not over.

    A thawed agent works on until its next renewal tells it that it has lost the job.
    """
    found: dict[str, Counter[str]] = {}
    for line in lines:
        if not (work := _BEGUN.search(line)) or '"job"' not in line:
            continue
        said = json.loads(line)
        over = ended.get((said["job"], said["attempt"]))
        if over is None or datetime.fromisoformat(said["timestamp"]) <= over:
            found.setdefault(said["job"], Counter())[work[1]] += 1
    return found
