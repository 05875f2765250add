"""A worker that was taken for dead although it lives."""

from sqlalchemy import text

from tests.agents import Lab
from tests.cloud import wait_for


def test_a_worker_that_was_taken_for_dead_registers_again_and_keeps_its_jobs(lab: Lab) -> None:
    """It holds what it held: nobody else has taken it, its process never died, and no failure is counted."""
    gate = lab.folder / "gate"
    job = lab.add("trial-copy", gate=gate)
    machine = lab.start()
    lab.wait_for_stage(job, "copying")
    with lab.engine.begin() as connection:
        connection.execute(text("UPDATE workers SET state = 'gone', ended_at = now(), end_reason = 'Taken for dead.'"))
    row = lab.wait_for_state(machine, "busy")
    assert (row.ended_at, row.end_reason) == (None, None)
    assert machine.events("worker.registered_again")
    gate.touch()
    assert lab.wait_for_status(job, "succeeded").failures == 0
    assert lab.outcomes(job) == ["succeeded"]
    another = lab.add("trial-noop")
    wait_for(lambda: lab.job(another).status == "succeeded", 30, "it goes on taking jobs")
