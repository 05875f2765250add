"""Workers that go, with notice or without, and workers that come back too late: nothing is lost, nothing doubled."""

import signal
import uuid
from pathlib import Path

import pytest
from sqlalchemy import text

from shared.workers import end
from tests.agents import Lab, Vm
from tests.cloud import wait_for


@pytest.fixture
def gate(lab: Lab) -> Path:
    """What the pipelines of a test wait for."""
    return lab.folder / "gate"


def lines(lab: Lab) -> list[str]:
    """What the pipelines have written to their log."""
    path = lab.folder / "log"
    return path.read_text().split() if path.exists() else []


def start_steps(lab: Lab, gate: Path, **settings: object) -> tuple[uuid.UUID, Vm]:
    """Have a job wait in its second step."""
    job = lab.add("trial-steps", gate=gate, log=lab.folder / "log")
    machine = lab.start(**settings)
    wait_for(lambda: "second" in lines(lab), what="the second step has begun")
    wait_for(lambda: lab.attempts(job)[0].steps_stored == 1, what="the first step is noted")
    return job, machine


@pytest.mark.parametrize("how", ["metadata", "signal"])
def test_preempted_between_steps(lab: Lab, gate: Path, how: str) -> None:
    """On notice the step at hand is finished and stored, the job released, and the next worker goes on from there."""
    job, machine = start_steps(lab, gate, preemption_notice_seconds=120)
    if how == "metadata":
        machine.preempt()
    else:
        machine.send(signal.SIGTERM)
    wait_for(lambda: machine.events("worker.notice"), what="the notice is taken")
    gate.touch()
    assert machine.wait() == 0
    assert lab.job(job).status == "queued"
    row = lab.worker(machine)
    assert row.state == "gone"
    assert (
        row.end_reason
        == {
            "metadata": "The VM was preempted.",
            "signal": "The worker was told to end (SIGTERM).",
        }[how]
    )
    lab.start()  # no tick: the message itself was given back
    row = lab.wait_for_status(job, "succeeded")
    assert row.result == {"one": {"one": 1}, "two": "two", "three": "three", "ending": ".txt"}
    assert row.failures == 0
    assert lines(lab) == ["first", "second", "third"]
    assert lab.outcomes(job) == ["preempted", "succeeded"]
    assert lab.attempts(job)[1].saved_seconds > 0
    assert [a.filename for a in lab.artifacts(job)] == ["three.txt"]


@pytest.mark.parametrize("notice_seconds", [0, 30])
def test_preempted_within_a_step(lab: Lab, gate: Path, notice_seconds: int) -> None:
    """A step that does not finish within a third of the notice is killed, and run again elsewhere."""
    job, machine = start_steps(lab, gate, preemption_notice_seconds=notice_seconds)
    machine.send(signal.SIGTERM)
    assert machine.wait() == 0
    gate.touch()
    lab.start()
    lab.wait_for_status(job, "succeeded")
    assert lines(lab) == ["first", "second", "second", "third"]
    assert lab.outcomes(job) == ["preempted", "succeeded"]
    assert lab.job(job).failures == 0


def test_finished_within_notice(lab: Lab, gate: Path) -> None:
    """A job that ends while the notice runs is committed, not given back."""
    job = lab.add("trial-copy", gate=gate)
    machine = lab.start(preemption_notice_seconds=60)
    lab.wait_for_stage(job, "copying")
    machine.send(signal.SIGTERM)
    wait_for(lambda: machine.events("worker.notice"), what="the notice is taken")
    gate.touch()
    assert machine.wait() == 0
    assert lab.job(job).status == "succeeded"
    lab.wait_until_acknowledged()


def test_second_signal(lab: Lab, gate: Path) -> None:
    """A second SIGTERM ends the waiting for the step at hand; the job is released all the same."""
    job, machine = start_steps(lab, gate, preemption_notice_seconds=600)
    machine.send(signal.SIGTERM)
    wait_for(lambda: machine.events("worker.notice"), what="the notice is taken")
    machine.send(signal.SIGTERM)
    assert machine.wait() == 0
    assert lab.job(job).status == "queued"
    assert lab.outcomes(job) == ["preempted"]


def test_power_cut(lab: Lab, gate: Path) -> None:
    """When a VM vanishes, its lease runs out and another worker goes on from the stored steps; no failure counts."""
    job, machine = start_steps(lab, gate)
    machine.process.kill()
    gate.touch()
    lab.start()
    row = lab.wait_for_status(job, "succeeded", tick=True)
    assert row.failures == 0
    assert lines(lab) == ["first", "second", "second", "third"]
    assert lab.outcomes(job) == ["lost", "succeeded"]


def test_a_vm_that_boots_again_does_not_wait_for_its_old_lease(lab: Lab, gate: Path) -> None:
    """The new boot frees what the old one held; its lease had minutes left."""
    job = lab.add("trial-wait", gate=gate)
    machine = lab.start(lease_seconds=600)
    lab.wait_for_stage(job, "waiting")
    machine.process.kill()
    machine.process.wait()
    gate.touch()
    machine.boot()
    row = lab.wait_for_status(job, "succeeded", tick=True)
    assert row.failures == 0
    assert lab.outcomes(job) == ["lost", "succeeded"]


@pytest.mark.parametrize("pipeline", ["trial-wait", "trial-steps"])
def test_agent_dies_on_the_same_boot(lab: Lab, gate: Path, pipeline: str) -> None:
    """An agent that died holding a job counts a failure when it comes back, unless the job had stored a step."""
    if pipeline == "trial-steps":
        job, machine = start_steps(lab, gate, lease_seconds=60)
    else:
        job, machine = lab.add("trial-wait", gate=gate), lab.start(lease_seconds=60)
        lab.wait_for_stage(job, "waiting")
    machine.process.kill()
    machine.process.wait()
    gate.touch()
    machine.boot(again=True)
    row = lab.wait_for_status(job, "succeeded", tick=True)
    moved = pipeline == "trial-steps"
    assert row.failures == (0 if moved else 1)
    assert lab.outcomes(job) == ["lost" if moved else "failed", "succeeded"]


def test_frozen_agent(lab: Lab, gate: Path) -> None:
    """An agent that was frozen beyond its lease finds the job taken, and changes nothing."""
    job = lab.add("trial-copy", gate=gate)
    frozen = lab.start()
    lab.wait_for_stage(job, "copying")
    frozen.send(signal.SIGSTOP)
    gate.touch()  # its child finishes meanwhile; the agent will find the result waiting when it thaws
    lab.start()
    row = lab.wait_for_status(job, "succeeded", tick=True)
    before = (row, lab.artifacts(job), lab.attempts(job))
    frozen.send(signal.SIGCONT)
    wait_for(lambda: frozen.events("job.fenced"), what="the thawed agent notices")
    assert (lab.job(job), lab.artifacts(job), lab.attempts(job)) == before
    assert lab.outcomes(job) == ["lost", "succeeded"]
    other = lab.add("trial-noop")
    lab.wait_for_status(other, "succeeded")


def test_drain(lab: Lab, gate: Path) -> None:
    """A draining worker finishes what it holds, takes nothing new, and stays until its VM is deleted."""
    held = lab.add("trial-wait", gate=gate)
    machine = lab.start(worker_slots=2)
    lab.wait_for_stage(held, "waiting")
    stop(lab, "drain")
    wait_for(lambda: machine.events("worker.leaving"), what="the worker heard it")
    late = lab.add("trial-noop")
    gate.touch()
    lab.wait_for_status(held, "succeeded")
    lab.wait_for_state(machine, "leaving")
    seen = lab.worker(machine).last_seen
    wait_for(lambda: lab.worker(machine).last_seen > seen, what="the heart still beats")
    assert lab.job(late).status == "queued"
    machine.send(signal.SIGTERM)
    assert machine.wait() == 0


def test_stop_now(lab: Lab, gate: Path) -> None:
    """Stopping at once gives every job back without a failure; another worker can take them."""
    jobs = [lab.add("trial-wait", gate=gate) for _ in range(2)]
    machine = lab.start(worker_slots=2)
    for job in jobs:
        lab.wait_for_stage(job, "waiting")
    stop(lab, "now")
    for job in jobs:
        row = lab.wait_for_status(job, "queued")
        assert row.failures == 0
        assert lab.outcomes(job) == ["preempted"]
    assert lab.worker(machine).state == "leaving"
    gate.touch()
    lab.start()
    for job in jobs:
        lab.wait_for_status(job, "succeeded")


def test_idle(lab: Lab) -> None:
    """A worker that finds nothing to do offers to leave; one that is told of due work stays."""
    due = lab.add("trial-noop", announce=0)
    machine = lab.start(idle_seconds=1.5, heartbeat_seconds=0.2)
    lab.wait_for_state(machine, "idle")
    assert not machine.events("worker.idle")
    lab.announce(due)
    lab.wait_for_status(due, "succeeded")
    lab.wait_for_state(machine, "leaving")
    late = lab.add("trial-noop")
    other = lab.start()
    lab.wait_for_status(late, "succeeded")
    assert lab.attempts(late)[0].worker == other.worker


def test_taken_for_dead(lab: Lab) -> None:
    """A worker whose row was closed while it was out of reach registers again and goes on."""
    machine = lab.start()
    lab.wait_for_state(machine, "idle")
    with lab.engine.begin() as connection:
        end(connection, machine.worker, "unseen for two minutes")
    row = lab.wait_for_state(machine, "idle")
    assert row.ended_at is None
    lab.wait_for_status(lab.add("trial-noop"), "succeeded")


def stop(lab: Lab, mode: str) -> None:
    """Do what Stop does to the workers."""
    with lab.engine.begin() as connection:
        connection.execute(text("UPDATE workers SET state = 'leaving', stop_mode = :mode"), {"mode": mode})
