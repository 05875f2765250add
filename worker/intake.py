"""From message to held job: pull as many as there are free slots, claim them in one statement, answer the rest."""

import threading
import time
from typing import Any

import stamina
import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from shared import lifecycle
from shared.database import away
from shared.jobs import Claim
from shared.messages import JobMessage, MalformedError
from shared.settings import WorkerSettings
from worker.holding import Held, Holding
from worker.pull import PubSubError, Pulled, Subscription
from worker.receipts import Receipts

#: Seconds for which a claim is tried before its messages go back.
CLAIM_SECONDS = 15
#: First and longest pause between pulls that fail, in seconds.
_PAUSE, _LONGEST_PAUSE = 0.1, 5.0
#: Seconds between two looks at whether the queue is still paused.
_REST = 0.2

log = structlog.get_logger()


class Intake(threading.Thread):
    """Takes jobs in until it is stopped."""

    def __init__(
        self,
        settings: WorkerSettings,
        worker: str,
        engine: Engine,
        *,
        subscription: Subscription,
        holding: Holding,
        receipts: Receipts,
    ) -> None:
        super().__init__(name="intake", daemon=True)
        self._settings = settings
        self._worker = worker
        self._log = log.bind(worker=worker)
        self._engine = engine
        self._subscription = subscription
        self._holding = holding
        self._receipts = receipts
        self._stopped = threading.Event()
        self.resting = False  #: pull nothing, as the queue is paused
        self.malformed = 0  #: messages that were none

    def stop(self) -> None:
        """Take no more jobs. Messages that are on their way are given back."""
        self._stopped.set()
        self._subscription.close()

    def run(self) -> None:
        """Pull, claim, hand over; never faster than Pub/Sub answers and never without a pause after trouble."""
        pause = _PAUSE
        while not self._stopped.is_set():
            if self.resting:
                self._stopped.wait(_REST)
                continue
            free = self._holding.room(1)
            if not free:
                continue
            asked = time.monotonic()
            try:
                messages = self._subscription.pull(free)
                taken = self._take(messages)
            except (PubSubError, SQLAlchemyError, OSError) as error:
                log.warning("intake.paused", error=str(error), seconds=round(pause, 1))
            else:
                self._holding.add(taken)
                # An empty answer that came at once is an invitation to spin.
                if messages or time.monotonic() - asked > 1:
                    pause = _PAUSE
                    continue
            self._stopped.wait(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _take(self, messages: list[Pulled]) -> list[Held]:
        if self._stopped.is_set():
            self._receipts.give_back(message.ack_id for message in messages)
            return []
        wanted: dict[Any, Pulled] = {}
        done: list[str] = []  # messages that need no more: malformed, or the second about one job
        for message in messages:
            try:
                job_id = JobMessage.parse(message.data).job_id
            except MalformedError as error:
                self.malformed += 1
                log.error(  # noqa: TRY400 - a trace says nothing about a message
                    "message.malformed", message_id=message.message_id, error=str(error), count=self.malformed
                )
                done.append(message.ack_id)
                continue
            if job_id in wanted:
                done.append(message.ack_id)
            else:
                wanted[job_id] = message
        try:
            claims = self._claim(list(wanted))
        except (SQLAlchemyError, OSError):
            self._receipts.give_back(message.ack_id for message in wanted.values())
            self._receipts.acknowledge(done)
            raise
        held = []
        for claim in claims:
            message = wanted.pop(claim.id)
            held.append(job := Held(claim, message.ack_id, self._log))
            waited = round(claim.waited_seconds, 3)
            job.log.info("job.claimed", waited_seconds=waited, message_id=message.message_id, together=len(claims))
        # Over, not due, or somebody else's: the tick publishes again what becomes due.
        self._receipts.acknowledge([*done, *(message.ack_id for message in wanted.values())])
        if wanted:
            self._log.info("jobs.not_claimed", jobs=len(wanted))
        return held

    def _claim(self, ids: list[Any]) -> list[Claim]:
        if not ids:
            return []
        for trial in stamina.retry_context(
            on=away, attempts=None, timeout=CLAIM_SECONDS, wait_initial=0.1, wait_jitter=0.2, wait_max=2
        ):
            with trial, self._engine.connect() as connection:
                return lifecycle.claim(connection, ids, worker=self._worker, lease_seconds=self._settings.lease_seconds)
        raise AssertionError("a retry ended without a result or an error")
