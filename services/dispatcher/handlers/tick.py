"""A minute has passed: put right whatever nobody else would."""

import time
from dataclasses import asdict
from datetime import datetime

import structlog
from sqlalchemy import text

from services.dispatcher.backends import Backends
from services.dispatcher.reconcile import reconcile
from services.dispatcher.sweep import sweep
from services.dispatcher.vitals import read_vitals
from shared import compute, lifecycle, workers
from shared.messages import Tick

#: Jobs whose lease ran out that one transaction queues again.
_EXPIRE_BATCH = 1000
#: Batches that one tick works through at most; the next tick goes on.
_MOST_BATCHES = 50

log = structlog.get_logger()


def handle(backends: Backends, data: bytes, published_at: datetime) -> None:
    """Queue lost jobs again, publish what is due, fit the fleet, fold the counts, sweep; safe to run twice at once.

    A tick that waited too long is dropped: a fresh one is behind it.
    """
    began = time.monotonic()
    tick = Tick.parse(data or b"{}")
    if tick.task == "reconcile":
        reconcile(backends)
        return
    with backends.engine.connect() as connection:
        now: datetime = connection.execute(text("SELECT now()")).scalar_one()
    age = (now - published_at).total_seconds()
    if age > backends.settings.tick_max_age_seconds:
        log.info("tick.stale", age_seconds=round(age))
        return
    lost = _expire(backends)
    published = publish_due(backends)
    target = _fit_fleet(backends)
    with backends.engine.begin() as connection:
        connection.execute(text("SELECT fold_job_counts()"))
    swept = sweep(backends, seconds=backends.settings.sweep_seconds)
    with backends.engine.connect() as connection:
        vitals = read_vitals(connection)
    log.info(
        "tick.done",
        **asdict(vitals),
        target=target,
        lost=lost,
        published=published,
        swept=swept.attempts,
        deleted=swept.objects,
        seconds=round(time.monotonic() - began, 3),
    )


def _expire(backends: Backends) -> int:
    total = 0
    for _ in range(_MOST_BATCHES):
        with backends.engine.begin() as connection:
            lost = lifecycle.expire(connection, lease_seconds=backends.settings.lease_seconds, most=_EXPIRE_BATCH)
        for hold in lost:
            log.warning("job.lost", job=str(hold.id), attempt=hold.attempt)
        total += len(lost)
        if len(lost) < _EXPIRE_BATCH:
            break
    return total


def publish_due(backends: Backends) -> int:
    """Publish due jobs that no live message announces; return how many."""
    settings, total = backends.settings, 0
    for _ in range(_MOST_BATCHES):
        with backends.engine.begin() as connection:
            due = lifecycle.unpublished(
                connection,
                republish_after_seconds=settings.republish_after_seconds,
                idle_seconds=settings.republish_idle_seconds,
                most=settings.publish_batch,
            )
        backends.publish(due)
        total += len(due)
        if len(due) < settings.publish_batch:
            break
    return total


def _fit_fleet(backends: Backends) -> int | None:
    """Apply the fleet function; return the group's target, None if nobody knows it.

    Compute being away must not keep the queue from moving, nor the tick from its rest.
    """
    settings = backends.settings
    try:
        with backends.engine.begin() as connection:
            compute.apply(connection, backends.group, settings)
        seen = backends.group.look()
    except compute.ComputeError as error:
        log.warning("fleet.unreachable", error=str(error))
        return None
    with backends.engine.begin() as connection:
        gone = [
            worker.id
            for worker in workers.alive(connection)
            if worker.instance not in seen.instances and worker.silent_seconds > settings.worker_gone_seconds
        ]
        workers.mark_gone(connection, gone, "Its VM no longer exists.")
    return seen.target
