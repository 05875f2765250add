"""Pause and resume of the whole queue, for admins."""

import structlog
from google.auth.exceptions import GoogleAuthError

from services.web.backends import Backends
from services.web.overview import read_queue
from services.web.problems import admins_only
from services.web.shapes import Queue
from services.web.views import Person
from shared import lifecycle, pauses

#: Jobs that are announced as soon as the queue moves again; the tick announces the rest.
_ANNOUNCED = 1000
#: Messages that are merely old are the tick's business.
_OLD_SECONDS = 366 * 86400

log = structlog.get_logger()


def pause(backends: Backends, person: Person) -> Queue:
    """Let jobs at hand be finished and start no others; a queue that is paused already stays as it is.

    Raises:
        Problem: 403, this is no admin.
    """
    admins_only(person, "pause the queue")
    with backends.fleet_transaction() as connection:
        changed = pauses.pause(connection, by=person.email)
    log.info("queue.paused", by=person.email, changed=changed)
    return _queue(backends, person)


def resume(backends: Backends, person: Person) -> Queue:
    """Let the queue move: announce its next jobs now, and size the fleet.

    Raises:
        Problem: 403, this is no admin.
    """
    admins_only(person, "resume the queue")
    with backends.fleet_transaction() as connection:
        changed = pauses.resume(connection, by=person.email)
        due = lifecycle.unpublished(connection, republish_after_seconds=_OLD_SECONDS, most=_ANNOUNCED)
    if changed:
        backends.announce(person, due)
        _fit_fleet(backends)
    log.info("queue.resumed", by=person.email, changed=changed, announced=len(due) if changed else 0)
    return _queue(backends, person)


def _fit_fleet(backends: Backends) -> None:
    """Order VMs for the open run now; if Compute is away, the next tick does."""
    from shared import compute  # noqa: PLC0415 - takes seconds to load: see Backends.warm

    try:
        with backends.fleet_transaction() as connection:
            compute.apply(connection, backends.group, backends.settings)
    except (compute.ComputeError, GoogleAuthError) as error:
        log.warning("fleet.unreachable", reason=str(error))
        return
    backends.watch.refresh()


def _queue(backends: Backends, person: Person) -> Queue:
    with backends.transaction(person) as connection:
        return read_queue(connection, backends.settings, backends.watch)
