"""The jobs that this worker holds, and the room it has for more.

Each held job gets exactly one ending, whoever decides it first: its slot (done, failed), the keeper (fenced, too slow)
or the agent (released). Nothing is written for a job before that, and nothing but that afterwards.
"""

import threading
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from shared.jobs import Claim, Completion, Failure, Hold, Renewal
from shared.storable import plain
from worker.pace import Pace
from worker.process import ChildProcess

#: How long what is ready may wait for more of its kind, so that one round trip serves them all. No person notices.
TOGETHER_SECONDS = 0.005


@dataclass(frozen=True, slots=True)
class Superseded:
    """The source is gone or was overwritten."""

    reason: str


@dataclass(frozen=True, slots=True)
class Released:
    """The job goes back to the queue without a failure."""

    reason: str


@dataclass(frozen=True, slots=True)
class Fenced:
    """The job is somebody else's or over: write nothing, not even that."""


Ending = Completion | Failure | Superseded | Released | Fenced


class AbandonedError(Exception):
    """The job this thread works for has its ending already."""


class Held:
    """A claimed job in this worker's hands. Times are ``time.monotonic()``."""

    def __init__(self, claim: Claim, ack_id: str, logger: Any) -> None:
        self.claim = claim
        self.ack_id = ack_id
        self.log = logger.bind(job=str(claim.id), attempt=claim.attempt, pipeline=claim.pipeline)
        self.started = self.moved = time.monotonic()
        self.progress = 0.0
        self.stage = ""
        self.steps_stored = 0
        self.saved_seconds = 0.0
        self.changed = False  #: something to write that the database does not know yet
        self.run_seconds: float | None = None  #: longest run, once the pipeline is known
        self.stall_seconds: float | None = None
        self.ending: Ending | None = None
        self._child: ChildProcess | None = None
        self._lock = threading.Lock()

    def begin(self, run_seconds: float, stall_seconds: float) -> None:
        """Note that a slot works on the job from now on, and how long it may."""
        self.started = self.moved = time.monotonic()
        self.run_seconds, self.stall_seconds = run_seconds, stall_seconds

    def enter(self, child: ChildProcess) -> None:
        """Note in which child the job runs, so that an ending ends that, too.

        Raises:
            AbandonedError: the job has its ending already.
        """
        with self._lock:
            self._check()
            self._child = child

    def leave(self) -> None:
        """Note that the job is no longer in any child."""
        with self._lock:
            self._child = None

    def end(self, ending: Ending) -> bool:
        """Decide how this ends and stop its child; False if that was decided before."""
        with self._lock:
            if self.ending is not None:
                return False
            self.ending = ending
            if self._child is not None:
                self._child.kill()
            return True

    def check(self) -> None:
        """Go on only if the job has no ending yet.

        Raises:
            AbandonedError: it has.
        """
        with self._lock:
            self._check()

    def _check(self) -> None:
        if self.ending is not None:
            raise AbandonedError

    def touch(self) -> None:
        """Say that the job moves."""
        self.moved = time.monotonic()

    def advance(self, fraction: float, stage: str) -> None:
        """Take up what the pipeline says of its progress."""
        fraction = min(1.0, max(0.0, fraction)) if fraction == fraction else self.progress  # noqa: PLR0124 - NaN
        stage = clean(stage, 200)
        if (fraction, stage) != (self.progress, self.stage):
            self.progress, self.stage, self.changed = fraction, stage, True
            self.touch()

    @property
    def hold(self) -> Hold:
        """The fencing token."""
        return self.claim.hold

    @property
    def renewal(self) -> Renewal:
        """What to write with the next renewal."""
        return Renewal(
            self.claim.id, self.claim.attempt, self.progress, self.stage, self.steps_stored, self.saved_seconds
        )

    def failure(self, error: str, *, permanent: bool = False) -> Failure:
        """Return the ending of a failed attempt."""
        return Failure(self.claim.id, self.claim.attempt, clean(error, 2000) or "The pipeline failed.", permanent)


def clean(text: str, most: int) -> str:
    """Make a pipeline's text fit for the database."""
    return plain(text[:most])


class Holding:
    """All held jobs: those that wait for a slot, those in one, and those whose ending is being stored or written."""

    def __init__(self, slots: int, ahead_seconds: float) -> None:
        self._slots = slots
        self._pace = Pace(slots, ahead_seconds)
        self._jobs: dict[Hold, Held] = {}
        self._waiting: deque[Held] = deque()
        self._idle = 0  #: slots that wait for a job
        lock = threading.Lock()
        self._work = threading.Condition(lock)  #: a job waits
        self._space = threading.Condition(lock)  #: there may be room for more, or nothing is held any more
        self.stop_at_step = False  #: no job may begin another step
        self.opened = False  #: some slot is or was ready

    def __len__(self) -> int:
        return len(self._jobs)

    def all(self) -> list[Held]:
        """List the held jobs as they are now; other threads add and remove meanwhile."""
        with self._work:
            return list(self._jobs.values())

    def waiting(self, seconds: float = 0) -> list[Held]:
        """List the jobs that have waited so long for a slot; if that is a while, nothing is claimed ahead for now."""
        latest = time.monotonic() - seconds
        with self._work:
            late = [job for job in self._waiting if job.started <= latest and job.ending is None]
            if late and seconds:
                self._pace.note(seconds)
            return late

    def room(self, seconds: float) -> int:
        """Wait until jobs can be taken in; return how many, 0 if there was no room in time.

        Waits a moment longer for the other slots: tiny jobs end together, and cost least when they are taken together.
        """
        with self._work:
            if self._space.wait_for(self._enough_room, seconds) and not self._pace.ahead:
                self._space.wait_for(lambda: self._idle == self._slots, TOGETHER_SECONDS)
            return max(0, self._room())

    def _enough_room(self) -> bool:
        return self._room() > self._pace.ahead // 2

    def _room(self) -> int:
        ahead = self._pace.ahead
        # A job that its child has finished is uploaded and committed while the slot takes the next one; the second
        # bound is how far that may fall behind.
        return min(self._idle + ahead - len(self._waiting), 4 * self._slots + 2 * ahead - len(self._jobs))

    def add(self, jobs: list[Held]) -> None:
        """Take jobs in; slots begin them in this order."""
        with self._work:
            for job in jobs:
                self._jobs[job.hold] = job
            self._waiting.extend(jobs)
            self._work.notify(len(jobs))

    def take(self) -> Held:
        """Wait for a job for one slot, and return it."""
        with self._work:
            self.opened = True
            self._idle += 1
            while True:
                if not self._waiting:
                    self._space.notify_all()
                    self._work.wait_for(lambda: self._waiting)
                job = self._waiting.popleft()
                if job.ending is None:
                    self._idle -= 1
                    if self._enough_room():
                        self._space.notify_all()
                    return job

    def note(self, seconds: float) -> None:
        """Take up how long a job was in its slot."""
        self._pace.note(seconds)

    def remove(self, jobs: Iterable[Held]) -> None:
        """Forget jobs whose ending is written."""
        with self._work:
            for job in jobs:
                self._jobs.pop(job.hold, None)
            self._space.notify_all()

    def wait_empty(self, seconds: float) -> bool:
        """Wait until nothing is held; False if that takes longer."""
        with self._work:
            return self._space.wait_for(lambda: not self._jobs, seconds)
