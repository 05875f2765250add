"""The worker's own row: what it does is written there, what is wanted of it is read there."""

import threading
import time
from collections.abc import Callable

import structlog
from sqlalchemy import Engine

from shared import workers
from shared.database import away
from shared.models import WorkerState
from shared.workers import Boot, Orders
from worker.holding import Holding

#: Least seconds between two heartbeats, however often the state changes.
_LEAST_SECONDS = 0.2

log = structlog.get_logger()


class Heartbeat(threading.Thread):
    """Tells and asks every ``heartbeat_seconds``, and soon after the state changes; hands each answer to ``obey``."""

    def __init__(
        self, engine: Engine, boot: Boot, holding: Holding, seconds: float, obey: Callable[[Orders], None]
    ) -> None:
        super().__init__(name="heartbeat", daemon=True)
        self._engine = engine
        self._boot = boot
        self._holding = holding
        self._seconds = seconds
        self._obey = obey

    def run(self) -> None:
        """Beat for as long as the agent lives."""
        while True:
            state = self._state()
            self._beat(state)
            told = time.monotonic()
            time.sleep(_LEAST_SECONDS)
            while self._state() is state and time.monotonic() - told < self._seconds:
                time.sleep(_LEAST_SECONDS / 2)

    def _state(self) -> WorkerState:
        if not self._holding.opened:
            return WorkerState.STARTING
        return WorkerState.BUSY if len(self._holding) else WorkerState.IDLE

    def _beat(self, state: WorkerState) -> None:
        try:
            with self._engine.connect() as connection:
                orders = workers.heartbeat(connection, self._boot.id, state)
                if orders is None:  # it was taken for dead: a freeze, a long outage
                    log.warning("worker.registered_again")
                    workers.register(connection, self._boot)
            if orders is not None:
                self._obey(orders)
        except Exception as error:
            if not away(error):
                raise
            log.warning("heartbeat.failed", error=str(error))
