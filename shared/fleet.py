"""How many VMs there should be: one pure function, and the values it decides on."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.models import WorkerState
from shared.runs import RunView
from shared.workers import Alive


@dataclass(frozen=True, slots=True)
class Backlog:
    """The queue: jobs due now, jobs that wait for their ``not_before``, jobs that a worker holds."""

    due: int
    waiting: int
    running: int
    paused: bool = False  #: what is due starts only when an admin resumes the queue

    @property
    def open(self) -> int:
        """Jobs that are not over."""
        return self.due + self.waiting + self.running


@dataclass(frozen=True, slots=True)
class Group:
    """The instance group as Compute shows it: its target, and its VMs but for those that are being deleted."""

    target: int
    instances: frozenset[str]
    created: int = 0  #: how many of them exist; the rest waits for capacity or quota


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do: raise the target (never lower it), delete these VMs by name, close the run for this reason."""

    target: int | None = None
    delete: tuple[str, ...] = ()
    close: str | None = None


def desired_size(run: RunView | None, backlog: Backlog, *, max_workers: int) -> int:
    """Return how many VMs should take jobs now.

    None without an open run, or once it is stopped. A job that waits for its ``not_before`` needs no VM yet, nor does
    any that is queued while the queue is paused.
    """
    if run is None or run.stopped_at is not None:
        return 0
    due = 0 if backlog.paused else backlog.due
    return min(run.workers, max_workers, due + backlog.running)


def plan(
    run: RunView | None,
    backlog: Backlog,
    workers: Sequence[Alive],
    group: Group,
    *,
    max_workers: int,
    silent_seconds: float,
) -> Plan:
    """Decide what the fleet needs, from values alone; applied under the fleet lock by Run and by the tick.

    The target only rises; it falls by deleting VMs that are leaving and hold no job, or that nobody has use for and
    that will not leave by themselves. VMs on their way out do not count towards the desired size: their replacements
    are asked for at once.
    """
    in_group = [worker for worker in workers if worker.instance in group.instances]
    leaving = {worker.instance for worker in in_group if worker.state is WorkerState.LEAVING}
    done = {worker.instance for worker in in_group if worker.state is WorkerState.LEAVING and worker.jobs == 0}
    known = {worker.instance for worker in in_group}
    wanted = desired_size(run, backlog, max_workers=max_workers)
    stopped = run is None or run.stopped_at is not None
    idle = stopped or backlog.open == 0
    # While there is work a VM without an agent may be booting, and a silent one be cut off from the database. With none
    # nobody waits for either, and a VM whose agent is dead would keep the run open for ever.
    unborn = group.instances - known if idle else frozenset()
    silent = {w.instance for w in in_group if idle and w.jobs == 0 and w.silent_seconds > silent_seconds}
    delete = tuple(sorted(done | unborn | silent))
    target = wanted + len(leaving)
    remaining = group.instances - set(delete)
    close = None
    if run is not None and not remaining and idle:
        close = "stopped" if stopped else "finished"
    return Plan(target if target > group.target else None, delete, close)


def silence(
    run: RunView | None, workers: Sequence[Alive], group: Group, now: datetime, *, boot_seconds: float
) -> str | None:
    """Say that VMs exist whose worker never came up, or dies again and again: they cost money and do nothing."""
    latest = now - timedelta(seconds=boot_seconds)
    if run is None or run.started_at > latest:
        return None
    if silent := sorted(group.instances - {worker.instance for worker in workers}):
        return f"No worker has reported from {', '.join(silent)}. Its console says why it does not start."
    stuck = sorted(w.instance for w in workers if w.state is WorkerState.STARTING and w.started_at < latest)
    return f"The worker on {', '.join(stuck)} does not come up. Its console says why." if stuck else None
