"""The keeper: renews leases and ack deadlines, writes progress, and ends what took too long or is no longer ours.

It is a thread of the agent. The heavy work is done by the children, in processes of their own, and what the agent does
itself (transfers, SQL) waits for sockets; so nothing holds the interpreter for seconds.
"""

import threading
import time

import structlog
from sqlalchemy import Engine

from shared import lifecycle
from shared.database import away
from shared.settings import WorkerSettings
from worker.holding import Fenced, Held, Holding, Released
from worker.ledger import Ledger
from worker.pull import PubSubError, Subscription

#: Seconds between two looks at the held jobs.
LOOK_SECONDS = 0.25
#: Seconds between two writes of progress; the page shows it about as often.
PROGRESS_SECONDS = 1.0
#: Seconds for which a job that was claimed ahead may wait for a slot; then another VM may have it.
WAITING_SECONDS = 1.0

log = structlog.get_logger()


class Keeper(threading.Thread):
    """Keeps what is held."""

    def __init__(
        self, settings: WorkerSettings, engine: Engine, subscription: Subscription, holding: Holding, ledger: Ledger
    ) -> None:
        super().__init__(name="keeper", daemon=True)
        self._settings = settings
        self._engine = engine
        self._subscription = subscription
        self._holding = holding
        self._ledger = ledger
        self._renewed = self._written = time.monotonic()

    def run(self) -> None:
        """Look, again and again."""
        while True:
            time.sleep(LOOK_SECONDS)
            self.look(time.monotonic())

    def look(self, now: float) -> None:
        """Do what is due at ``now``, a ``time.monotonic()``."""
        held = self._holding.all()
        if now - self._renewed >= self._settings.renew_seconds:
            # After a failure the next look tries again; meanwhile a lease may run out, and the renewal revive it.
            if self._renew(held):
                self._renewed = self._written = now
            self._extend(held)
        elif now - self._written >= PROGRESS_SECONDS and (changed := [job for job in held if job.changed]):
            self._renew(changed)
            self._written = now
        self._end_overdue(held, now)
        self._return_unbegun()

    def _renew(self, held: list[Held]) -> bool:
        if not held:
            return True
        for job in held:
            job.changed = False
        try:
            with self._engine.connect() as connection:
                still = lifecycle.renew(
                    connection, [job.renewal for job in held], lease_seconds=self._settings.lease_seconds
                )
        except Exception as error:
            if not away(error):
                raise
            log.warning("leases.not_renewed", jobs=len(held), error=str(error))
            for job in held:
                job.changed = True
            return False
        for job in held:
            # One whose ending is decided may be over because the ledger has just written that.
            if job.hold not in still and job.ending is None:
                self._ledger.conclude(job, Fenced())
        return True

    def _extend(self, held: list[Held]) -> None:
        try:
            self._subscription.set_deadline([job.ack_id for job in held], self._settings.ack_deadline_seconds)
        except PubSubError as error:
            log.warning("deadlines.not_extended", jobs=len(held), error=str(error))

    def _end_overdue(self, held: list[Held], now: float) -> None:
        for job in held:
            if job.ending is not None:
                continue
            if job.run_seconds is not None and now - job.started > job.run_seconds:
                said = f"The job took longer than the {job.run_seconds:.0f} seconds it may run."
                self._ledger.conclude(job, job.failure(said))
            elif job.stall_seconds is not None and now - job.moved > job.stall_seconds:
                said = f"The job made no progress for {job.stall_seconds:.0f} seconds."
                self._ledger.conclude(job, job.failure(said))

    def _return_unbegun(self) -> None:
        for job in self._holding.waiting(WAITING_SECONDS):
            self._ledger.conclude(job, Released("The worker had claimed it ahead, and then no slot became free."))
