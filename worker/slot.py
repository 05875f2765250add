"""A slot works on one job at a time, with a child that stays warm from job to job."""

import threading
import time

import structlog

from worker.attempt import Attempt, Bench
from worker.child.messages import Ready
from worker.process import ChildProcess

#: Seconds in which a child must have loaded its pipelines.
READY_SECONDS = 120
#: Starts of a child that may fail in a row; then nothing on this VM can be processed, and the agent gives up.
MOST_FAILED_STARTS = 5

log = structlog.get_logger()


class UnfitWorkerError(Exception):
    """No child can be started here."""


class Slot(threading.Thread):
    """Runs held jobs, one after the other. ``child`` is one that was started before."""

    def __init__(self, number: int, bench: Bench, child: ChildProcess | None = None) -> None:
        super().__init__(name=f"slot-{number}", daemon=True)
        self._bench = bench
        self._child = child

    def run(self) -> None:
        """Take a job whenever there is one and a child is ready for it."""
        child, ready = self._start(self._child)
        holding = self._bench.holding
        jobs = 0
        while True:
            held = holding.take()
            begun = time.monotonic()
            jobs += 1
            fit = Attempt(self._bench, held, child, ready).run()
            holding.note(time.monotonic() - begun)
            if not fit or jobs >= self._bench.settings.child_max_jobs:
                child.close()
                child, ready = self._start(None)
                jobs = 0

    def _start(self, child: ChildProcess | None) -> tuple[ChildProcess, Ready]:
        for failed in range(MOST_FAILED_STARTS):
            child = child or ChildProcess(self._bench.limits)
            ready = child.await_ready(READY_SECONDS)
            if ready is not None:
                log.info("child.ready", child=child.pid, offline=ready.offline, pipelines=len(ready.offered))
                for name, reason in ready.broken.items():
                    log.error("pipeline.broken", pipeline=name, error=reason)
                return child, ready
            log.error("child.not_ready", child=child.pid, status=child.close())
            child = None
            time.sleep(2**failed)
        raise UnfitWorkerError(
            f"{MOST_FAILED_STARTS} pipeline processes in a row did not start; see their output above"
        )
