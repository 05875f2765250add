"""What people do with jobs and runs; the API and the forms of the pages call the same functions."""

import uuid

import structlog
from google.auth.exceptions import GoogleAuthError
from sqlalchemy import Connection

from services.web.backends import Backends
from services.web.job_detail import CANCELLED, RETRIED, read_job
from services.web.overview import read_queue, run_shape
from services.web.problems import Problem, admins_only, unavailable, unprocessable
from services.web.shapes import JobDetail, Run
from services.web.views import Person
from shared import budget, lifecycle, runs
from shared.models import StopMode
from shared.routing import UNROUTED, installed_offers, route

log = structlog.get_logger()


def retry(backends: Backends, person: Person, job_id: uuid.UUID) -> JobDetail:
    """Queue a failed or cancelled job again.

    Raises:
        Problem: 404, or 409 if it is in no state for that or no pipeline is there for it.
    """
    with backends.transaction(person) as connection:
        _route_anew(connection, read_job(connection, backends.links, job_id))
        pending = lifecycle.retry(connection, [job_id])
        job = read_job(connection, backends.links, job_id)
    if not pending:
        raise _conflict(job, "tried again", RETRIED)
    log.info("job.retried", job=str(job_id), by=person.email)
    backends.announce(person, pending)
    return job


def _route_anew(connection: Connection, job: JobDetail) -> None:
    """See that there is a pipeline for a job before it costs a VM; there may be one now that was not there before.

    Raises:
        Problem: 409, there is none.
    """
    if job.status not in RETRIED:
        return
    if job.generation == "0":
        raise Problem(409, "It cannot be tried again", "The file was not there. Announce it again once it is.")
    asked = None if job.pipeline == UNROUTED else job.pipeline
    pipeline, refusal = route(installed_offers(connection), asked=asked, content_type=job.content_type, name=job.object)
    if refusal is None and asked is None and not lifecycle.reroute(connection, {job.id: pipeline}):
        refusal = f"The {pipeline} pipeline has another job for this file."
    if refusal is not None:
        raise Problem(409, "It cannot be tried again", refusal)


def cancel(backends: Backends, person: Person, job_id: uuid.UUID) -> JobDetail:
    """Stop a queued or running job.

    Raises:
        Problem: 404, or 409 if it is over already.
    """
    with backends.transaction(person) as connection:
        done = lifecycle.cancel(connection, [job_id], reason=f"Cancelled by {person.email}.")
        job = read_job(connection, backends.links, job_id)
    if not done:
        raise _conflict(job, "cancelled", CANCELLED)
    log.info("job.cancelled", job=str(job_id), by=person.email)
    return job


def _conflict(job: JobDetail, done: str, states: frozenset[str]) -> Problem:
    allowed = " or ".join(sorted(states))
    return Problem(409, f"It cannot be {done}", f"The job is {job.status}; only one that is {allowed} can be {done}.")


def _check_budget(connection: Connection) -> None:
    """Refuse to start workers while their budget is spent.

    Raises:
        Problem: 409.
    """
    spent = budget.spent(connection)
    if spent is None:
        return
    raise Problem(
        409,
        "The budget is spent",
        f"{spent.cost:.2f} of the workers' {spent.amount:.2f} {spent.currency} are spent since "
        f"{spent.interval_start:%-d %B %Y}. Workers start again in a new period or with a larger budget. "
        "An admin can start them all the same (override_budget).",
    )


def start_run(backends: Backends, person: Person, workers: int | None, *, override_budget: bool = False) -> Run:
    """Start workers; nothing of it stays if Compute does not answer.

    Raises:
        Problem: 403, only admins override the budget; 409, it is spent; 422, too many workers; 503, Compute refused or
            is away.
    """
    from shared import compute  # noqa: PLC0415 - takes seconds to load: see Backends.warm

    settings = backends.settings
    if workers is not None and workers > settings.max_workers:
        raise unprocessable("/workers", f"At most {settings.max_workers} (SPOTMILL_MAX_WORKERS).")
    if override_budget:
        admins_only(person, "start workers beyond their budget")
    try:
        with backends.fleet_transaction() as connection:
            runs.lock_fleet(connection)  # a notification of Cloud Billing comes before or after this, not in between
            beyond = override_budget and budget.spent(connection) is not None
            if not beyond:
                _check_budget(connection)
            if workers is None:
                workers = read_queue(connection, settings, backends.watch).estimate.workers_suggested
            runs.start(connection, by=person.email, workers=workers, beyond_budget=beyond)
            compute.apply(connection, backends.group, settings)
            run = runs.current(connection) or runs.latest(connection)
    except (compute.ComputeError, GoogleAuthError) as error:
        log.warning("run.not_started", reason=str(error))
        raise unavailable(
            "No workers could be started", f"Nothing was started; try again in a moment. Compute Engine says: {error}"
        ) from error
    if run is None:
        raise RuntimeError("the run that was just started is not there")
    backends.watch.refresh()  # so that the next look at the queue shows the new target
    log.info("run.started", run=str(run.id), by=person.email, workers=run.workers)
    return run_shape(run, settings.vm_hourly_usd)


def _no_run() -> Problem:
    return Problem(404, "No run", "No run is open now.")


def current_run(backends: Backends, person: Person) -> Run:
    """Return the open run.

    Raises:
        Problem: 404, none is open.
    """
    with backends.transaction(person) as connection:
        run = runs.current(connection)
    if run is None:
        raise _no_run()
    return run_shape(run, backends.settings.vm_hourly_usd)


def stop_run(backends: Backends, person: Person, mode: StopMode) -> Run:
    """Stop the open run. Its workers are told within seconds; the tick deletes their VMs.

    Raises:
        Problem: 404, none is open.
    """
    with backends.fleet_transaction() as connection:
        run = runs.stop(connection, by=person.email, mode=mode)
    if run is None:
        raise _no_run()
    log.info("run.stopped", run=str(run.id), by=person.email, mode=mode.value)
    return run_shape(run, backends.settings.vm_hourly_usd)
