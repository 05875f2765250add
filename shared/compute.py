"""The few calls to Compute that the fleet needs, and applying a plan under the fleet lock."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import structlog
from google.api_core.exceptions import GoogleAPICallError, RetryError
from google.api_core.retry import Retry
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import GoogleAuthError
from requests.exceptions import RequestException
from sqlalchemy import Connection

from shared import compute_client, runs, workers
from shared.backlog import read_backlog
from shared.fleet import Group, Plan, plan, silence
from shared.runs import RunView
from shared.settings import Settings

#: Seconds that one try of a call to Compute may take.
_DEADLINE_SECONDS = 10
#: Reads are tried again for so long; the client's own patience is ten minutes, and a caller may hold the fleet lock.
_READ: dict[str, Any] = {"timeout": _DEADLINE_SECONDS, "retry": Retry(initial=0.2, maximum=2, timeout=10)}
_ON_THEIR_WAY_OUT = ("ABANDONING", "DELETING")

log = structlog.get_logger()


class ComputeError(Exception):
    """Compute refused a call or cannot be reached; the text is its own, for people to read."""


@contextmanager
def _compute_errors() -> Iterator[None]:
    try:
        yield
    except (GoogleAPICallError, RetryError) as error:
        raise ComputeError(error.message) from error
    except (RequestException, GoogleAuthError) as error:
        raise ComputeError(f"The Compute API cannot be reached: {type(error).__name__}") from error


class InstanceGroup:
    """The regional managed instance group of the workers. Every call may raise ``ComputeError``."""

    def __init__(self, settings: Settings) -> None:
        client, self._types = compute_client.load()  # here, as it takes long and no event but a tick needs it
        self._names: dict[str, Any] = {
            "project": settings.project,
            "region": settings.region,
            "instance_group_manager": settings.instance_group,
        }
        options: dict[str, Any] = {}
        if settings.compute_endpoint is not None:
            options = {
                "client_options": {"api_endpoint": settings.compute_endpoint},
                "credentials": AnonymousCredentials(),  # type: ignore[no-untyped-call]
            }
        self._client = client(**options)

    @_compute_errors()
    def look(self) -> Group:
        """Read the target size and the VMs that are not being deleted.

        A member that could not be created has no status: the group goes on trying.
        """
        group = self._client.get(**self._names, **_READ)
        managed = self._client.list_managed_instances(**self._names, **_READ)
        staying = [m for m in managed if m.instance and m.current_action not in _ON_THEIR_WAY_OUT]
        names = frozenset(m.instance.rsplit("/", 1)[-1] for m in staying)
        return Group(group.target_size, names, created=sum(bool(m.instance_status) for m in staying))

    @_compute_errors()
    def problem(self, since: datetime) -> str | None:
        """Return the group's latest error after ``since`` in its own words: a stockout, an exhausted quota."""
        errors = self._client.list_errors(**self._names, **_READ)
        recent = [e for e in errors if datetime.fromisoformat(e.timestamp) >= since]
        if not recent:
            return None
        newest = max(recent, key=lambda e: datetime.fromisoformat(e.timestamp))
        return f"{newest.error.code}: {newest.error.message}"

    @_compute_errors()
    def raise_to(self, size: int) -> None:
        """Ask for ``size`` VMs. The caller knows that the target is smaller now."""
        self._client.resize(**self._names, size=size, timeout=_DEADLINE_SECONDS)

    @_compute_errors()
    def delete(self, instances: Sequence[str], zones: dict[str, str]) -> None:
        """Delete VMs by name, which lowers the target by as many."""
        urls = [f"zones/{zones[name]}/instances/{name}" for name in instances if name in zones]
        if not urls:
            return
        request = self._types.RegionInstanceGroupManagersDeleteInstancesRequest(
            instances=urls, skip_instances_on_validation_error=True
        )
        self._client.delete_instances(
            **self._names,
            region_instance_group_managers_delete_instances_request_resource=request,
            timeout=_DEADLINE_SECONDS,
        )

    @_compute_errors()
    def zones(self) -> dict[str, str]:
        """Map the name of each VM of the group to its zone."""
        managed = self._client.list_managed_instances(**self._names, **_READ)
        return {m.instance.rsplit("/", 1)[-1]: m.instance.split("/zones/")[-1].split("/")[0] for m in managed}


def apply(connection: Connection, group: InstanceGroup, settings: Settings) -> Plan:
    """Make the fleet what the open run needs, and close the run when it is over.

    Runs under the fleet lock until the caller's transaction ends, so two callers at once do it one after the other and
    the second finds nothing left to do.
    """
    runs.lock_fleet(connection)
    seen = group.look()
    workers.await_last_claims(connection)
    open_run, queue = runs.current(connection), read_backlog(connection)
    known = workers.alive(connection)
    todo = plan(
        open_run,
        queue,
        known,
        seen,
        max_workers=settings.max_workers,
        silent_seconds=settings.worker_boot_seconds,
    )
    if todo.target is not None:
        group.raise_to(todo.target)
        log.info("fleet.raised", target=todo.target, before=seen.target)
    if todo.delete:
        group.delete(todo.delete, group.zones())
        log.info("fleet.deleted", instances=todo.delete)
    runs.stop_latecomers(connection)  # they are deleted next time, when no claim of theirs can be under way
    if todo.close is not None:
        closed = runs.close(connection, reason=todo.close, vm_hourly_usd=settings.vm_hourly_usd)
        if closed is not None:
            log.info(
                "run.closed",
                run=str(closed.id),
                reason=todo.close,
                jobs_done=closed.jobs_done,
                vm_seconds=round(closed.vm_seconds),
                cost_usd=closed.cost_usd,
            )
    else:
        runs.note_problem(
            connection,
            _problem_of(group, seen, todo, open_run)
            or silence(open_run, known, seen, datetime.now(UTC), boot_seconds=settings.worker_boot_seconds),
        )
    return todo


def _problem_of(group: InstanceGroup, seen: Group, todo: Plan, run: RunView | None) -> str | None:
    """Say what has kept the group from its target since the run began; one that was just raised needs a moment."""
    if run is None or todo.target is not None or seen.target <= seen.created:
        return None
    return group.problem(since=run.started_at)
