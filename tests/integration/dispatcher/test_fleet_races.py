"""Run, claims and ticks at the same moment, on a real Postgres and with the real Compute client."""

import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from services.dispatcher.handlers import tick
from shared import compute, lifecycle, runs, workers
from shared.fleet import Group
from shared.jobs import Backoff, Failure, Renewal
from shared.models import JobStatus, StopMode, WorkerState
from tests.cloud import wait_for
from tests.dispatch import Dispatch

BY = "ann@example.com"
WAITING = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


class Fleet:
    """The instance group, and the workers that its VMs would register."""

    def __init__(self, dispatch: Dispatch) -> None:
        self.dispatch = dispatch

    def look(self) -> Group:
        return self.dispatch.own.group.look()

    def press_run(self, number: int = 1) -> None:
        """Do what Run does."""
        backends = self.dispatch.backends()
        with backends.engine.begin() as connection:
            runs.start(connection, by=BY, workers=number)
            compute.apply(connection, backends.group, backends.settings)

    def boot(self, number: int) -> list[str]:
        """Wait for so many VMs, have the worker of each report as idle; return the workers' ids."""
        seen = wait_for(lambda: found if len((found := self.look()).instances) == number else None)
        zones, known = self.dispatch.own.group.zones(), {w.instance for w in self.alive()}
        for name in seen.instances - known:
            boot = workers.Boot(name, zones[name], str(uuid.uuid4()), "e2-standard-2", 2)
            with self.dispatch.engine.begin() as connection:
                workers.register(connection, boot)
                workers.heartbeat(connection, boot.id, WorkerState.IDLE)
        return [worker.id for worker in self.alive() if worker.instance in seen.instances]

    def alive(self) -> list[workers.Alive]:
        with self.dispatch.engine.connect() as connection:
            return workers.alive(connection)

    def leave(self, worker: str) -> None:
        with self.dispatch.engine.begin() as connection:
            workers.leave(connection, worker)

    def apply(self) -> None:
        """Do what the tick does to the fleet."""
        backends = self.dispatch.backends()
        with backends.engine.begin() as connection:
            compute.apply(connection, backends.group, backends.settings)

    def open_runs(self) -> list[Any]:
        return self.dispatch.rows("SELECT * FROM runs WHERE ended_at IS NULL")

    def ended_runs(self) -> list[Any]:
        return self.dispatch.rows("SELECT * FROM runs WHERE ended_at IS NOT NULL")

    def empty(self) -> None:
        group = self.dispatch.own.group
        group.raise_to(0)
        wait_for(lambda: not group.zones(), 60, "no VM is left")


@pytest.fixture
def fleet(dispatch: Dispatch) -> Iterator[Fleet]:
    made = Fleet(dispatch)
    yield made
    made.empty()


def at_once(*deeds: Callable[[], object]) -> list[Any]:
    """Do several things at the same moment; return what each returned."""
    start = threading.Barrier(len(deeds))

    def do(deed: Callable[[], object]) -> object:
        start.wait(10)
        return deed()

    with ThreadPoolExecutor(len(deeds)) as pool:
        return list(pool.map(do, deeds))


def test_run_beside_a_closing_tick_leaves_one_open_run_with_a_vm(dispatch: Dispatch, fleet: Fleet) -> None:
    """The tick would close a run whose last worker leaves, as Run is pressed for new jobs: they get a VM."""
    [first] = dispatch.record("first.jpg")
    fleet.press_run()
    [worker] = fleet.boot(1)
    dispatch.commit(dispatch.claim(first, worker=worker))
    fleet.leave(worker)
    old = fleet.look().instances

    def upload_and_run() -> None:
        dispatch.record("second.jpg")
        fleet.press_run()

    at_once(upload_and_run, lambda: dispatch.tick(dispatch.backends()))
    dispatch.tick()
    assert len(fleet.open_runs()) == 1
    assert len(fleet.ended_runs()) <= 1
    assert fleet.look().target == 1
    assert not fleet.look().instances & old
    fleet.boot(1)


def test_run_pressed_by_many_at_once_is_one_run_of_one_size(dispatch: Dispatch, fleet: Fleet) -> None:
    """Four people at once get one run and the VMs that one of them asked for."""
    dispatch.record("a.jpg", "b.jpg", "c.jpg")
    at_once(*[lambda: fleet.press_run(2)] * 4)
    assert [run.workers for run in fleet.open_runs()] == [2]
    assert fleet.look().target == 2


def test_a_claim_beside_a_scale_in_keeps_its_vm_or_gets_nothing(dispatch: Dispatch, fleet: Fleet) -> None:
    """A worker leaves, claims and is looked at by the tick at the same moment: no VM is deleted under a job."""
    jobs = dispatch.record(*(f"{n}.jpg" for n in range(3)))
    fleet.press_run(2)
    for job, worker in zip(jobs, fleet.boot(2), strict=False):
        claims, *_ = at_once(
            partial(dispatch.claim, job, worker=worker),
            partial(fleet.leave, worker),
            fleet.apply,
        )
        fleet.apply()
        there = worker.split("/")[0] in fleet.look().instances
        assert there == bool(claims)
        # What it was refused is announced again, to a worker that stays.
        assert claims or dispatch.job(job).published_at is None


def test_a_scale_in_waits_for_the_claim_that_is_under_way(dispatch: Dispatch, fleet: Fleet) -> None:
    """A claim that had begun before its worker was leaving counts, although it is written later."""
    [job] = dispatch.record("a.jpg")
    fleet.press_run()
    [worker] = fleet.boot(1)
    with ThreadPoolExecutor(1) as pool, dispatch.engine.connect() as claiming:
        [claim] = lifecycle.claim(claiming, [job], worker=worker, lease_seconds=40)
        fleet.leave(worker)
        applied = pool.submit(fleet.apply)
        wait_for(lambda: dispatch.rows(WAITING))
        assert not applied.done()
        claiming.commit()
        applied.result(30)
    assert worker.split("/")[0] in fleet.look().instances
    dispatch.commit([claim])
    fleet.apply()
    assert not fleet.look().instances


def test_a_worker_that_is_leaving_gets_no_job_and_the_job_another_message(dispatch: Dispatch, fleet: Fleet) -> None:
    """Its messages are spent; the next tick sends new ones for those who stay."""
    [job] = dispatch.record("a.jpg")
    dispatch.tick()
    fleet.press_run()
    [worker] = fleet.boot(1)
    fleet.leave(worker)
    assert dispatch.claim(job, worker=worker) == []
    assert dispatch.job(job).published_at is None
    dispatch.tick()
    assert len(dispatch.pulled()) == 2
    assert [c.id for c in dispatch.claim(job, worker="another/boot")] == [job]


def test_the_last_job_that_waits_keeps_the_run_open_and_gets_a_vm_when_due(dispatch: Dispatch, fleet: Fleet) -> None:
    """Between two tries nothing runs and nothing is paid for, but the run goes on."""
    [job] = dispatch.record("a.jpg")
    fleet.press_run()
    [worker] = fleet.boot(1)
    [held] = dispatch.claim(job, worker=worker)
    with dispatch.engine.begin() as connection:
        lifecycle.fail(connection, [Failure(held.id, held.attempt, "busy", permanent=False)], Backoff(300))
    fleet.leave(worker)
    for _ in range(2):
        dispatch.tick()
        assert (len(fleet.open_runs()), fleet.look().target) == (1, 0)
        assert not dispatch.pulled()
    dispatch.change("UPDATE jobs SET not_before = now()")
    dispatch.tick()
    assert (len(fleet.open_runs()), fleet.look().target) == (1, 1)
    assert str(job) in dispatch.pulled()[0]
    [worker] = fleet.boot(1)
    dispatch.commit(dispatch.claim(job, worker=worker))
    fleet.leave(worker)
    dispatch.tick()
    assert [run.end_reason for run in fleet.ended_runs()] == ["finished"]
    assert fleet.look().target == 0


def test_two_ticks_at_once_do_everything_once(dispatch: Dispatch, fleet: Fleet) -> None:
    """Lost jobs are lost once, one run is closed, its VM is deleted, and the counts agree with the rows."""
    done, lost, *_ = jobs = dispatch.record(*(f"{n}.jpg" for n in range(20)))
    fleet.press_run()
    [worker] = fleet.boot(1)
    dispatch.commit(dispatch.claim(done, worker=worker))
    dispatch.claim(lost, worker=worker)
    dispatch.change("UPDATE jobs SET lease_until = now() - interval '1 hour' WHERE status = 'running'")
    with dispatch.engine.begin() as connection:
        runs.stop(connection, by=BY, mode=StopMode.DRAIN)
    young = {"lease_seconds": 0}
    at_once(*[lambda: dispatch.tick(dispatch.backends(**young))] * 2)
    dispatch.tick(dispatch.backends(**young))
    outcomes = dispatch.rows("SELECT outcome FROM attempts ORDER BY outcome")
    assert [row.outcome for row in outcomes] == ["lost", "succeeded"]
    assert [run.end_reason for run in fleet.ended_runs()] == ["stopped"]
    assert fleet.look().target == 0
    assert {message.split('"')[3] for message in dispatch.pulled()} == {str(job) for job in jobs if job != done}
    counted = dict(map(tuple, dispatch.rows("SELECT status, sum(count) FROM job_counts GROUP BY 1")))
    assert {status: number for status, number in counted.items() if number} == {"queued": 19, "succeeded": 1}


def test_a_stale_tick_is_acknowledged_unrun(dispatch: Dispatch) -> None:
    """A tick that waited for more than 90 s does nothing: a fresh one is behind it."""
    dispatch.record("a.jpg")
    tick.handle(dispatch.own, b"{}", dispatch.now() - timedelta(seconds=dispatch.settings.tick_max_age_seconds + 1))
    assert not dispatch.pulled()
    tick.handle(dispatch.own, b"{}", dispatch.now() - timedelta(seconds=dispatch.settings.tick_max_age_seconds - 5))
    assert len(dispatch.pulled()) == 1


def test_workers_keep_their_holds_when_postgres_was_away(dispatch: Dispatch) -> None:
    """All leases ran out while nobody could renew them: no tick takes a job before its worker had time to renew."""
    kept, dead = dispatch.record("kept.jpg", "dead.jpg")
    [held] = dispatch.claim(kept)
    dispatch.claim(dead)
    dispatch.change("UPDATE jobs SET lease_until = now() - interval '50 seconds'")
    # Seen from a lease of a day, this Postgres has just come back; from one of no time, it has been there for long.
    just_back = dispatch.backends(lease_seconds=86400)
    at_once(*[lambda: dispatch.tick(just_back)] * 2)
    assert dispatch.counts() == {JobStatus.RUNNING: 2}
    renewal = Renewal(held.id, held.attempt, 0.5, "going on")
    with dispatch.engine.begin() as connection:
        assert lifecycle.renew(connection, [renewal], lease_seconds=40) == {held.hold}
    dispatch.tick(dispatch.backends(lease_seconds=0))
    assert dispatch.counts() == {JobStatus.RUNNING: 1, JobStatus.QUEUED: 1}
    dispatch.commit([held])


def test_a_vm_whose_agent_is_dead_does_not_keep_the_run_open(dispatch: Dispatch, fleet: Fleet) -> None:
    """When nothing is left to do, a silent VM and one that never came up are deleted, and the run is over."""
    jobs = dispatch.record("a.jpg", "b.jpg")
    fleet.press_run(2)
    silent, _ = fleet.boot(2)
    dispatch.change("UPDATE workers SET state = 'gone', ended_at = now() WHERE id <> :id", id=silent)
    dispatch.commit(dispatch.claim(*jobs, worker=silent))
    dispatch.tick()
    assert fleet.look().target == 1  # the one that reports may still find something to do
    dispatch.change("UPDATE workers SET last_seen = now() - interval '1 hour'")
    dispatch.tick()
    assert fleet.look().target == 0
    assert [run.end_reason for run in fleet.ended_runs()] == ["finished"]
