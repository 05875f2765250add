"""The size of the fleet is a function of values."""

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from local.programs import JOBS
from shared.fleet import Backlog, Group, Plan, desired_size, plan, silence
from shared.models import StopMode, WorkerState
from shared.runs import RunView
from shared.settings import WorkerSettings
from shared.workers import Alive

NOON = datetime(2025, 12, 3, 12, tzinfo=UTC)
RUN = RunView(uuid.UUID(int=1), "ann", NOON, 3, None, None, None, None, None, 0, 0.0, None, None)
STOPPED = replace(RUN, stop_mode=StopMode.DRAIN, stopped_by="ann", stopped_at=NOON)


def worker(name: str, state: WorkerState = WorkerState.BUSY, jobs: int = 1) -> Alive:
    return Alive(f"{name}/boot", name, state, 2, NOON, NOON, 0.0, jobs)


def group(target: int, *names: str) -> Group:
    return Group(target, frozenset(names))


@pytest.mark.parametrize(
    ("run", "backlog", "size"),
    [
        (None, Backlog(100, 0, 0), 0),
        (STOPPED, Backlog(100, 0, 5), 0),
        (RUN, Backlog(100, 0, 0), 3),
        (RUN, Backlog(1, 0, 0), 1),
        (RUN, Backlog(0, 7, 0), 0),
        (RUN, Backlog(0, 7, 2), 2),
        (RUN, Backlog(100, 0, 0, paused=True), 0),
        (RUN, Backlog(100, 0, 2, paused=True), 2),
        (replace(RUN, workers=50), Backlog(100, 0, 0), 10),
    ],
)
def test_desired_size(run: RunView | None, backlog: Backlog, size: int) -> None:
    """As many VMs as were asked for and are allowed, never more than there are jobs to work on now."""
    assert desired_size(run, backlog, max_workers=10) == size


def test_run_raises_the_target_and_a_second_run_changes_nothing() -> None:
    """Run pressed twice resizes once."""
    assert plan(RUN, Backlog(100, 0, 0), [], group(0), max_workers=10, silent_seconds=180) == Plan(target=3)
    assert plan(RUN, Backlog(100, 0, 0), [], group(3), max_workers=10, silent_seconds=180) == Plan()


def test_the_target_never_falls_by_resizing() -> None:
    """Fewer jobs than VMs leaves the target alone: idle workers leave by themselves."""
    busy = [worker("a"), worker("b"), worker("c")]
    assert plan(RUN, Backlog(0, 0, 1), busy, group(3, "a", "b", "c"), max_workers=10, silent_seconds=180) == Plan()


def test_only_leaving_workers_without_jobs_are_deleted() -> None:
    """A worker that is leaving but still holds a job stays."""
    workers = [worker("a", WorkerState.LEAVING, 0), worker("b", WorkerState.LEAVING, 1), worker("c")]
    assert plan(RUN, Backlog(0, 0, 2), workers, group(3, "a", "b", "c"), max_workers=10, silent_seconds=180).delete == (
        "a",
    )


def test_run_pressed_while_workers_leave_gets_new_ones() -> None:
    """Workers on their way out do not count: their replacements are asked for at once."""
    leaving = [worker("a", WorkerState.LEAVING, 0), worker("b", WorkerState.LEAVING, 1)]
    assert plan(RUN, Backlog(100, 0, 1), leaving, group(2, "a", "b"), max_workers=10, silent_seconds=180) == Plan(
        target=5, delete=("a",)
    )


def test_a_run_is_not_over_while_a_job_waits() -> None:
    """A job that waits for its not_before keeps the run open, without any VM."""
    assert plan(RUN, Backlog(0, 1, 0), [], group(0), max_workers=10, silent_seconds=180) == Plan()
    assert plan(RUN, Backlog(1, 0, 0), [], group(0), max_workers=10, silent_seconds=180) == Plan(target=1)


def test_a_run_outlives_a_pause() -> None:
    """While the queue is paused idle VMs are let go and none is ordered, but the run stays open for what is due."""
    paused = Backlog(100, 0, 0, paused=True)
    leaving = [worker("a", WorkerState.LEAVING, 0)]
    assert plan(RUN, paused, leaving, group(1, "a"), max_workers=10, silent_seconds=180) == Plan(delete=("a",))
    assert plan(RUN, paused, [], group(0), max_workers=10, silent_seconds=180) == Plan()
    assert plan(RUN, Backlog(100, 0, 0), [], group(0), max_workers=10, silent_seconds=180) == Plan(target=3)


def test_a_run_closes_with_its_last_vm() -> None:
    """The run ends when nothing is left to do and no VM is left."""
    idle = [worker("a", WorkerState.IDLE, 0)]
    leaving = [worker("a", WorkerState.LEAVING, 0)]
    nothing = Backlog(0, 0, 0)
    assert plan(RUN, nothing, idle, group(1, "a"), max_workers=10, silent_seconds=180) == Plan()
    assert plan(RUN, nothing, leaving, group(1, "a"), max_workers=10, silent_seconds=180) == Plan(
        delete=("a",), close="finished"
    )
    assert plan(STOPPED, Backlog(9, 0, 0), [], group(0), max_workers=10, silent_seconds=180) == Plan(close="stopped")


def test_vms_that_never_came_up_are_deleted_only_without_a_run() -> None:
    """A VM with no agent may be booting while a run is open; afterwards nobody has use for it."""
    assert plan(RUN, Backlog(5, 0, 0), [], group(3, "a"), max_workers=10, silent_seconds=180) == Plan()
    assert plan(STOPPED, Backlog(5, 0, 0), [], group(3, "a"), max_workers=10, silent_seconds=180).delete == ("a",)
    assert plan(None, Backlog(5, 0, 0), [], group(3, "a"), max_workers=10, silent_seconds=180) == Plan(delete=("a",))


def test_with_nothing_left_to_do_nobody_waits_for_a_vm_that_does_not_report() -> None:
    """A VM that never came up, or whose agent is dead, would keep the run open; while there is work it stays."""
    silent = [replace(worker("a", WorkerState.IDLE, 0), silent_seconds=181.0)]
    nothing, something = Backlog(0, 0, 0), Backlog(0, 1, 0)
    both = group(2, "a", "never-came-up")
    assert plan(RUN, nothing, silent, both, max_workers=10, silent_seconds=180) == Plan(
        delete=("a", "never-came-up"), close="finished"
    )
    assert plan(RUN, something, silent, both, max_workers=10, silent_seconds=180) == Plan()
    reports = [replace(silent[0], silent_seconds=179.0)]
    assert plan(RUN, nothing, reports, group(1, "a"), max_workers=10, silent_seconds=180) == Plan()
    holds = [replace(silent[0], jobs=1)]
    assert plan(RUN, Backlog(0, 0, 1), holds, group(1, "a"), max_workers=10, silent_seconds=180) == Plan()


def test_an_idle_fleet_is_gone_within_five_minutes() -> None:
    """By the defaults: the worker waits, says so at its next heartbeat, and the tick after that deletes its VM."""
    given = {name: field.default for name, field in WorkerSettings.model_fields.items()}
    [tick] = [schedule for name, schedule, _ in JOBS if name == "tick"]
    assert tick == "* * * * *"
    waits = given["idle_seconds"] + 2 * given["heartbeat_seconds"] + 60
    assert waits <= 250  # which leaves 50 s to Scheduler, Pub/Sub, the tick and Compute


@pytest.mark.parametrize(
    ("workers", "minutes", "said"),
    [
        ([], 2, None),
        ([], 4, "No worker has reported from vm-1."),
        ([worker("vm-1")], 4, None),
        ([worker("vm-1", WorkerState.STARTING, 0)], 2, None),
        ([worker("vm-1", WorkerState.STARTING, 0)], 4, "The worker on vm-1 does not come up."),
    ],
)
def test_vms_that_do_nothing_are_named(workers: list[Alive], minutes: int, said: str | None) -> None:
    """A VM without a worker, or with one that dies while it starts, is a problem once it has had time to boot."""
    told = silence(RUN, workers, group(1, "vm-1"), NOON + timedelta(minutes=minutes), boot_seconds=180)
    assert told is None if said is None else (told or "").startswith(said)
