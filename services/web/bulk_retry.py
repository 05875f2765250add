"""Retry of many: batch after batch in the order of the listing, for as long as a request may take."""

import time
import uuid
from collections.abc import Sequence

import structlog
from sqlalchemy import Connection

from services.web.backends import Backends
from services.web.cursor import Cursor
from services.web.listing import RoutedJob, Wanted, routed_jobs
from services.web.shapes import Retried, RetryJobs
from services.web.views import Person
from shared import lifecycle
from shared.jobs import Pending
from shared.models import JobStatus
from shared.routing import UNROUTED, Offer, installed_offers, route

#: Jobs in one transaction: it locks their rows and nothing else.
_BATCH = 1000
#: After so many seconds no other batch begins; the answer says where to go on.
_SECONDS = 3.0
#: Jobs that are announced at once, so that workers have something to do; the tick announces the rest.
_ANNOUNCED = 500

log = structlog.get_logger()


def retry_all(backends: Backends, person: Person, wish: RetryJobs) -> Retried:
    """Queue the failed or cancelled jobs again that this person sees under these filters.

    The walk goes by the age of the jobs, which nothing changes: it meets each once, even if it fails anew.

    Raises:
        Problem: 400, the cursor is none of ours.
    """
    states = tuple(JobStatus(word) for word in dict.fromkeys(wish.status.split(",")))
    cursor = Cursor.decode(wish.cursor) if wish.cursor else None
    queued = refused = announced = 0
    until = time.monotonic() + _SECONDS
    while True:
        wanted = Wanted(states, wish.pipeline or None, wish.q or None, cursor=cursor, limit=_BATCH)
        with backends.transaction(person) as connection:
            jobs = routed_jobs(connection, person, wanted)
            pending = lifecycle.retry(connection, _accepted(connection, jobs))
        queued += len(pending)
        refused += len(jobs) - len(pending)
        announced += _announce(backends, person, pending[: _ANNOUNCED - announced])
        cursor = Cursor(jobs[-1].created_at, jobs[-1].id) if len(jobs) == _BATCH else None
        if cursor is None or time.monotonic() > until:
            break
    log.info("jobs.retried", by=person.email, queued=queued, refused=refused, more=cursor is not None)
    return Retried(queued=queued, refused=refused, next_cursor=cursor.encode() if cursor else None)


def _accepted(connection: Connection, jobs: Sequence[RoutedJob]) -> list[uuid.UUID]:
    """Choose the jobs that a pipeline takes, some of them one that was not there before."""
    offers = installed_offers(connection)
    found = {job.id: _pipeline(offers, job) for job in jobs}
    homeless = {job.id for job in jobs if job.pipeline == UNROUTED}
    moved = lifecycle.reroute(connection, {job: name for job, name in found.items() if name and job in homeless})
    return [job for job, name in found.items() if name and (job not in homeless or job in moved)]


def _pipeline(offers: Sequence[Offer], job: RoutedJob) -> str | None:
    asked = None if job.pipeline == UNROUTED else job.pipeline
    pipeline, refusal = route(offers, asked=asked, content_type=job.content_type, name=job.object)
    return None if refusal else pipeline


def _announce(backends: Backends, person: Person, pending: Sequence[Pending]) -> int:
    if pending:
        backends.announce(person, pending)
    return len(pending)
