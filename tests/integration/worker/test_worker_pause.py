"""Agents while the queue is paused: they finish what they hold, pull nothing, leave when idle, and miss no message."""

from shared import pauses
from tests.agents import Lab
from tests.cloud import wait_for


def pause(lab: Lab) -> None:
    with lab.engine.begin() as connection:
        pauses.pause(connection, by="ann@example.com")


def resume(lab: Lab) -> None:
    with lab.engine.begin() as connection:
        pauses.resume(connection, by="ann@example.com")
    lab.tick()


def test_a_job_at_hand_is_finished_and_no_other_begun(lab: Lab) -> None:
    """The running job goes on to its end; those that wait begin when the queue is resumed, each once."""
    gate = lab.folder / "gate"
    running = lab.add("trial-wait", gate=gate)
    machine = lab.start(worker_slots=2)
    lab.wait_for_status(running, "running")
    pause(lab)
    waiting = [lab.add("trial-noop") for _ in range(5)]
    gate.touch()
    lab.wait_for_status(running, "succeeded")
    seen = lab.worker(machine).last_seen
    wait_for(lambda: lab.worker(machine).last_seen > seen, what="another beat of an idle worker")
    assert {lab.job(job).status for job in waiting} == {"queued"}
    resume(lab)
    for job in waiting:
        assert lab.wait_for_status(job, "succeeded").attempt == 1


def test_a_message_is_refused_once_and_not_over_and_over(lab: Lab) -> None:
    """What comes while a pull waits is acknowledged, not fetched in a loop; afterwards the job is announced anew."""
    machine = lab.start()
    lab.wait_for_state(machine, "idle")
    pause(lab)
    job = lab.add("trial-noop", announce=3)
    wait_for(lambda: machine.events("jobs.not_claimed"), what="the message that a waiting pull received is refused")
    wait_for(lambda: lab.job(job).published_at is None, what="the job counts as unannounced")
    assert len(machine.events("jobs.not_claimed")) <= 3
    resume(lab)
    assert lab.wait_for_status(job, "succeeded").attempt == 1


def test_an_idle_worker_leaves_though_jobs_wait(lab: Lab) -> None:
    """Nobody pays for a VM that may do nothing."""
    pause(lab)
    lab.add("trial-noop")
    machine = lab.start(idle_seconds=1)
    lab.wait_for_state(machine, "leaving")
    assert len(machine.events("jobs.not_claimed")) <= 1  # by a pull before it heard of the pause
