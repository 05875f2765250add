"""The jobs that this worker holds, and the room it has for more.

Each held job gets exactly one ending, whoever decides it first: its slot (done, failed), the keeper (fenced, too slow)
or the agent (released). Nothing is written for a job before that, and nothing but that afterwards.
"""

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any

from shared.jobs import Claim, Completion, Failure, Hold, Renewal
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
        self.log = logger.bind(job=str(claim.id), attempt=claim.attempt)
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
    """Make a pipeline's text fit for the database: no NUL, no half of a surrogate pair, not endless."""
    return text[:most].replace("\x00", "").encode(errors="replace").decode()


class Holding:
    """All held jobs, and the slots that wait for one."""

    def __init__(self, slots: int) -> None:
        # A job that its child has finished is uploaded and committed while the slot takes the next one; this bounds how
        # far that may fall behind.
        self._slots = slots
        self._most = 4 * slots
        self._jobs: dict[Hold, Held] = {}
        self._idle: list[SimpleQueue[Held]] = []
        self._changed = threading.Condition()
        self.stop_at_step = False  #: no job may begin another step
        self.opened = False  #: some slot is or was ready

    def __len__(self) -> int:
        return len(self._jobs)

    def all(self) -> list[Held]:
        """List the held jobs as they are now; other threads add and remove meanwhile."""
        with self._changed:
            return list(self._jobs.values())

    def room(self, seconds: float) -> int:
        """Wait until a slot is free; return how many are, 0 if none became so in time.

        Waits a moment longer for the others: tiny jobs end together, and cost least when they are taken together.
        """
        with self._changed:
            if self._changed.wait_for(lambda: self._room() > 0, seconds):
                self._changed.wait_for(lambda: len(self._idle) == self._slots, TOGETHER_SECONDS)
            return self._room()

    def _room(self) -> int:
        return min(len(self._idle), self._most - len(self._jobs))

    def add(self, jobs: list[Held]) -> None:
        """Take jobs in, as many as there is room for, and hand each to a free slot."""
        with self._changed:
            for job in jobs:
                self._jobs[job.hold] = job
                self._idle.pop().put(job)

    def offer(self, slot: SimpleQueue[Held]) -> None:
        """Offer a slot; its next job is put into the queue."""
        with self._changed:
            self._idle.append(slot)
            self.opened = True
            self._changed.notify_all()

    def remove(self, jobs: Iterable[Held]) -> None:
        """Forget jobs whose ending is written."""
        with self._changed:
            for job in jobs:
                self._jobs.pop(job.hold, None)
            self._changed.notify_all()

    def wait_empty(self, seconds: float) -> bool:
        """Wait until nothing is held; False if that takes longer."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._jobs, seconds)
