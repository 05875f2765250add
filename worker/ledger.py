"""Endings become rows: many jobs in one statement, tried until the database has answered, only then acknowledged."""

import queue
import threading
import time
from collections.abc import Callable, Sequence

import stamina
import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from shared import lifecycle
from shared.database import away, refused
from shared.jobs import Backoff, Completion, Failure, Hold
from shared.models import Outcome
from shared.settings import WorkerSettings
from worker.holding import TOGETHER_SECONDS, Ending, Fenced, Held, Holding, Released, Superseded
from worker.receipts import Receipts

#: Most endings in one statement.
BATCH = 500

log = structlog.get_logger()


class Ledger:
    """Writes endings from a thread of its own; a finished result waits here, renewed, while Postgres is away."""

    def __init__(self, engine: Engine, settings: WorkerSettings, holding: Holding, receipts: Receipts) -> None:
        self._engine = engine
        self._backoff = Backoff(settings.backoff_seconds, settings.backoff_max_seconds, settings.max_failures)
        self._holding = holding
        self._receipts = receipts
        self._queue: queue.SimpleQueue[Held] = queue.SimpleQueue()
        threading.Thread(target=self._write_for_ever, name="ledger", daemon=True).start()

    def conclude(self, held: Held, ending: Ending) -> None:
        """Decide how a job ends and have that written; nothing happens if it was decided before."""
        if not held.end(ending):
            return
        if isinstance(ending, Fenced):
            held.log.warning("job.fenced")
            self._holding.remove([held])
        else:
            self._queue.put(held)

    def _write_for_ever(self) -> None:
        while True:
            batch = [self._queue.get()]
            if len(self._holding) > 1:
                time.sleep(TOGETHER_SECONDS)
            while not self._queue.empty() and len(batch) < BATCH:
                batch.append(self._queue.get())
            for kind in (Completion, Failure, Superseded, Released):
                self._write([held for held in batch if isinstance(held.ending, kind)], kind)

    def _write(self, jobs: list[Held], kind: type) -> None:
        if not jobs:
            return
        try:
            won = self._persist(lambda connection: _WRITERS[kind](connection, jobs, self._backoff))
        except DBAPIError as error:
            if len(jobs) > 1:  # one job's values must not keep the others' from being written
                for held in jobs:
                    self._write([held], kind)
                return
            won = self._refuse(jobs[0], error)
        held_still = [held for held in jobs if held.hold in won]
        ack_ids = [held.ack_id for held in held_still]
        if kind is Released:
            self._receipts.give_back(ack_ids)
        else:
            self._receipts.acknowledge(ack_ids)
        self._holding.remove(jobs)
        for held in jobs:
            _report(held, self._backoff, written=held.hold in won)

    def _persist(self, write: Callable[[Connection], set[Hold]]) -> set[Hold]:
        for trial in stamina.retry_context(
            on=away, attempts=None, timeout=None, wait_initial=0.1, wait_jitter=0.2, wait_max=3
        ):
            with trial, self._engine.connect() as connection:
                return write(connection)
        raise AssertionError("a retry without an end ended")

    def _refuse(self, held: Held, error: DBAPIError) -> set[Hold]:
        """Fail a job whose outcome Postgres will not have, for good: the pipeline would make the same again."""
        if not refused(error) or isinstance(held.ending, Failure):
            raise error
        held.log.error("ending.refused", error=str(error.orig))
        held.ending = held.failure("The pipeline's result cannot be stored in the database.", permanent=True)
        return self._persist(lambda connection: _fail(connection, [held], self._backoff))


def _complete(connection: Connection, jobs: Sequence[Held], _backoff: Backoff) -> set[Hold]:
    return lifecycle.commit(connection, [h.ending for h in jobs if isinstance(h.ending, Completion)])


def _fail(connection: Connection, jobs: Sequence[Held], backoff: Backoff) -> set[Hold]:
    return set(lifecycle.fail(connection, [h.ending for h in jobs if isinstance(h.ending, Failure)], backoff))


def _supersede(connection: Connection, jobs: Sequence[Held], _backoff: Backoff) -> set[Hold]:
    won: set[Hold] = set()
    for reason in sorted({h.ending.reason for h in jobs if isinstance(h.ending, Superseded)}):
        holds = [h.hold for h in jobs if isinstance(h.ending, Superseded) and h.ending.reason == reason]
        won |= lifecycle.supersede(connection, holds, reason=reason)
    return won


def _release(connection: Connection, jobs: Sequence[Held], _backoff: Backoff) -> set[Hold]:
    won: set[Hold] = set()
    for reason in sorted({h.ending.reason for h in jobs if isinstance(h.ending, Released)}):
        last = [h.renewal for h in jobs if isinstance(h.ending, Released) and h.ending.reason == reason]
        won |= lifecycle.release(connection, last, outcome=Outcome.PREEMPTED, reason=reason)
    return won


_WRITERS: dict[type, Callable[[Connection, Sequence[Held], Backoff], set[Hold]]] = {
    Completion: _complete,
    Failure: _fail,
    Superseded: _supersede,
    Released: _release,
}


def _report(held: Held, backoff: Backoff, *, written: bool) -> None:
    claim, seconds = held.claim, round(time.monotonic() - held.started, 3)
    if not written:  # somebody else has the job, or it is over
        held.log.warning("job.fenced", seconds=seconds)
        return
    match held.ending:
        case Completion():
            held.log.info(
                "job.succeeded",
                seconds=seconds,
                waited_seconds=round(claim.waited_seconds, 3),
                size_bytes=claim.size_bytes,
                artifacts=len(held.ending.artifacts),
            )
        case Failure():
            permanent = held.ending.permanent
            held.log.warning(
                "job.failed",
                seconds=seconds,
                waited_seconds=round(claim.waited_seconds, 3),
                size_bytes=claim.size_bytes,
                error=held.ending.error,
                permanent=permanent,
                final=permanent or claim.failures + 1 >= backoff.failures,
            )
        case Superseded():
            held.log.info("job.superseded", reason=held.ending.reason)
        case Released():
            held.log.info("job.released", seconds=seconds, reason=held.ending.reason, saved_steps=held.steps_stored)
